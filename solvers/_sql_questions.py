"""Questions about the schemas of the family `sql`, each with the columns its result has and a query that answers it.

    question("count_city", schema, constants)  ->  Question("How many customers have the city Corvara?", "SELECT count(*) ...", ("count",))

What a question leaves out (rows without a value, groups without rows) it says, so that one result is right on every database.
"""

# The queries are put together of words of `_sql_schema`, and of constants drawn there.
# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from solvers._sql_schema import Constants, Schema, singular

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, a query that answers it, the columns of the result, and whether the rows stand in an order."""

    text: str
    query: str
    columns: tuple[str, ...]
    ordered: bool = False


Asked = Callable[[Schema, Constants], Question]


def _count_city(s: Schema, c: Constants) -> Question:
    return Question(
        f"How many {s.people} have the {s.city} {c.city}?", f"SELECT count(*) FROM {s.people} WHERE {s.city} = '{c.city}'", ("count",)
    )


def _names_of_kind(s: Schema, c: Constants) -> Question:
    kind = singular(s.kinds)
    return Question(f"Which {s.things} have the {kind} {c.kind}?", f"SELECT name FROM {s.things} WHERE {kind} = '{c.kind}'", ("name",))


def _above(s: Schema, c: Constants) -> Question:
    return Question(
        f"Which {s.things} have a {s.price} above {c.price}?",
        f"SELECT name, {s.price} FROM {s.things} WHERE {s.price} > {c.price}",
        ("name", s.price),
    )


def _joined_since(s: Schema, c: Constants) -> Question:
    return Question(
        f"How many {s.people} have a date {s.joined} of {c.day} or later?",
        f"SELECT count(*) FROM {s.people} WHERE {s.joined} >= '{c.day}'",
        ("count",),
    )


def _two_conditions(s: Schema, c: Constants) -> Question:
    return Question(
        f"Which {s.people} have the {s.city} {c.city} and a date {s.joined} before {c.later}?",
        f"SELECT id, name FROM {s.people} WHERE {s.city} = '{c.city}' AND {s.joined} < '{c.later}'",
        ("id", "name"),
    )


def _no_price(s: Schema, c: Constants) -> Question:
    kind = singular(s.kinds)
    return Question(
        f"How many {s.things} of the {kind} {c.kind} have a {s.price} on record?",
        f"SELECT count({s.price}) FROM {s.things} WHERE {kind} = '{c.kind}'",
        ("count",),
    )


def _dearest_first(s: Schema, c: Constants) -> Question:
    kind = singular(s.kinds)
    return Question(
        f"List the {s.things} of the {kind} {c.kind} that have a {s.price}: the highest {s.price} first, those with the same {s.price} by name.",
        f"SELECT name, {s.price} FROM {s.things} WHERE {kind} = '{c.kind}' AND {s.price} IS NOT NULL ORDER BY {s.price} DESC, name",
        ("name", s.price),
        ordered=True,
    )


def _average(s: Schema, c: Constants) -> Question:
    return Question(
        f"What is the average {s.price} of the {s.things} whose {s.price} is {c.price} or more?",
        f"SELECT avg({s.price}) FROM {s.things} WHERE {s.price} >= {c.price}",
        ("average",),
    )


def _different(s: Schema, c: Constants) -> Question:
    return Question(
        f"Which different {s.city} names do {s.people} with a date {s.joined} of {c.day} or later have? Leave out those without one; in alphabetical order.",
        f"SELECT DISTINCT {s.city} FROM {s.people} WHERE {s.joined} >= '{c.day}' AND {s.city} IS NOT NULL ORDER BY {s.city}",
        (s.city,),
        ordered=True,
    )


def _per_city(s: Schema, c: Constants) -> Question:
    return Question(
        f"For each {s.city}, how many {s.people} have a date {s.joined} before {c.later}? Leave out {s.people} without a {s.city}, and a {s.city} without such {s.people}.",
        f"SELECT {s.city}, count(*) FROM {s.people} WHERE {s.joined} < '{c.later}' AND {s.city} IS NOT NULL GROUP BY {s.city}",
        (s.city, "count"),
    )


def _between(s: Schema, c: Constants) -> Question:
    return Question(
        f"How many {s.things} have a {s.price} from {c.price} to {c.higher}, both included?",
        f"SELECT count(*) FROM {s.things} WHERE {s.price} BETWEEN {c.price} AND {c.higher}",
        ("count",),
    )


def _highest(s: Schema, c: Constants) -> Question:
    kind = singular(s.kinds)
    return Question(
        f"Which {s.things} have the highest {s.price} among those of the {kind} {c.kind}? Give all of them, if several do.",
        f"SELECT name FROM {s.things} WHERE {kind} = '{c.kind}' AND {s.price} = (SELECT max({s.price}) FROM {s.things} WHERE {kind} = '{c.kind}')",
        ("name",),
    )


def _total_of(s: Schema, c: Constants) -> Question:
    return Question(
        f"What is the total {s.amount} over all {s.deals} of {s.people} with the name {c.person}? Give 0 if there are none.",
        f"SELECT coalesce(sum(d.{s.amount}), 0) FROM {s.deals} d JOIN {s.people} p ON p.id = d.{s.key('people')} WHERE p.name = '{c.person}'",
        ("total",),
    )


def _deals_of_city(s: Schema, c: Constants) -> Question:
    return Question(
        f"How many {s.deals} are there of {s.people} with the {s.city} {c.city} whose {s.day} is before {c.later}?",
        f"SELECT count(*) FROM {s.deals} d JOIN {s.people} p ON p.id = d.{s.key('people')} WHERE p.{s.city} = '{c.city}' AND d.{s.day} < '{c.later}'",
        ("count",),
    )


def _per_kind(s: Schema, c: Constants) -> Question:
    kind = singular(s.kinds)
    return Question(
        f"For each {kind}, what is the total {s.amount} over all {s.deals} of its {s.things} with a {s.day} of {c.day} or later? Leave out a {kind} without such {s.deals}.",
        f"SELECT t.{kind}, sum(d.{s.amount}) FROM {s.deals} d JOIN {s.things} t ON t.id = d.{s.key('things')} WHERE d.{s.day} >= '{c.day}' GROUP BY t.{kind}",
        (kind, "total"),
    )


def _days(s: Schema, c: Constants) -> Question:
    return Question(
        f"On how many different days are there {s.deals} of {s.things} with the name {c.thing}?",
        f"SELECT count(DISTINCT d.{s.day}) FROM {s.deals} d JOIN {s.things} t ON t.id = d.{s.key('things')} WHERE t.name = '{c.thing}'",
        ("count",),
    )


def _takers(s: Schema, c: Constants) -> Question:
    kind = singular(s.kinds)
    return Question(
        f"Which different names have the {s.people} that have {s.deals} of {s.things} of the {kind} {c.kind}? In alphabetical order.",
        f"SELECT DISTINCT p.name FROM {s.people} p JOIN {s.deals} d ON d.{s.key('people')} = p.id JOIN {s.things} t ON t.id = d.{s.key('things')}"
        f" WHERE t.{kind} = '{c.kind}' ORDER BY p.name",
        ("name",),
        ordered=True,
    )


def _spent(s: Schema, c: Constants) -> Question:
    return Question(
        f"For each of the {s.people} that have {s.deals} of {s.things} with a {s.price} of {c.price} or more: what is the sum of {s.price} times {s.amount} over these {s.deals}?",
        f"SELECT p.id, sum(t.{s.price} * d.{s.amount}) FROM {s.people} p JOIN {s.deals} d ON d.{s.key('people')} = p.id"
        f" JOIN {s.things} t ON t.id = d.{s.key('things')} WHERE t.{s.price} >= {c.price} GROUP BY p.id",
        ("id", "sum"),
    )


def _never(s: Schema, c: Constants) -> Question:
    return Question(
        f"Which {s.people} have no {s.deals} with a {s.day} before {c.later}?",
        f"SELECT p.id, p.name FROM {s.people} p WHERE NOT EXISTS (SELECT 1 FROM {s.deals} d WHERE d.{s.key('people')} = p.id AND d.{s.day} < '{c.later}')",
        ("id", "name"),
    )


def _with_zero(s: Schema, c: Constants) -> Question:
    return Question(
        f"For each of the {s.people}, how many {s.deals} with a {s.day} of {c.day} or later are there? Include those without any, with 0.",
        f"SELECT p.id, count(d.id) FROM {s.people} p LEFT JOIN {s.deals} d ON d.{s.key('people')} = p.id AND d.{s.day} >= '{c.day}' GROUP BY p.id",
        ("id", "count"),
    )


def _more_than(s: Schema, c: Constants) -> Question:
    return Question(
        f"Which {s.people} have more than {c.n} {s.deals}?",
        f"SELECT p.id, p.name FROM {s.people} p JOIN {s.deals} d ON d.{s.key('people')} = p.id GROUP BY p.id HAVING count(*) > {c.n}",
        ("id", "name"),
    )


def _above_average(s: Schema, c: Constants) -> Question:  # noqa: ARG001 - it is about no value
    return Question(
        f"Which {s.things} have a {s.price} above the average {s.price} of all {s.things}?",
        f"SELECT name FROM {s.things} WHERE {s.price} > (SELECT avg({s.price}) FROM {s.things})",
        ("name",),
    )


def _kinds_taken(s: Schema, c: Constants) -> Question:
    return Question(
        f"Which {s.kinds} have {s.deals} of at least {c.n} different {s.things}?",
        f"SELECT k.name FROM {s.kinds} k JOIN {s.things} t ON t.{s.key('kinds')} = k.id JOIN {s.deals} d ON d.{s.key('things')} = t.id"
        f" GROUP BY k.id HAVING count(DISTINCT t.id) >= {c.n}",
        ("name",),
    )


def _highest_per_kind(s: Schema, c: Constants) -> Question:  # noqa: ARG001 - it is about no value
    return Question(
        f"For each of the {s.kinds}, what is the highest {s.price} of its {s.things}? Leave out {s.kinds} without a {s.price}; in alphabetical order of the names.",
        f"SELECT k.name, max(t.{s.price}) FROM {s.kinds} k JOIN {s.things} t ON t.{s.key('kinds')} = k.id WHERE t.{s.price} IS NOT NULL GROUP BY k.id ORDER BY k.name",
        ("name", f"highest {s.price}"),
        ordered=True,
    )


def _first_and_last(s: Schema, c: Constants) -> Question:
    return Question(
        f"For each of the {s.people} with a name other than {c.person} that have {s.deals}: what are the first and the last {s.day} of them?",
        f"SELECT p.id, min(d.{s.day}), max(d.{s.day}) FROM {s.people} p JOIN {s.deals} d ON d.{s.key('people')} = p.id WHERE p.name <> '{c.person}' GROUP BY p.id",
        ("id", f"first {s.day}", f"last {s.day}"),
    )


def _per_country(s: Schema, c: Constants) -> Question:
    return Question(
        f"For each country, what is the total {s.amount} over all {s.deals} with a {s.day} before {c.later} of {s.people} of its {s.cities}? Leave out countries without such {s.deals}.",
        f"SELECT c.country, sum(d.{s.amount}) FROM {s.deals} d JOIN {s.people} p ON p.id = d.{s.key('people')} JOIN {s.cities} c ON c.id = p.{s.key('cities')}"
        f" WHERE d.{s.day} < '{c.later}' GROUP BY c.country",
        ("country", "total"),
    )


def _reviewed_only(s: Schema, c: Constants) -> Question:
    return Question(
        f"Which {s.people} have {s.reviews} with {s.stars} of {c.n} or more, but no {s.deals}?",
        f"SELECT p.id FROM {s.people} p WHERE EXISTS (SELECT 1 FROM {s.reviews} r WHERE r.{s.key('people')} = p.id AND r.{s.stars} >= {c.n})"
        f" AND NOT EXISTS (SELECT 1 FROM {s.deals} d WHERE d.{s.key('people')} = p.id)",
        ("id",),
    )


def _stars_per_kind(s: Schema, c: Constants) -> Question:
    return Question(
        f"For each of the {s.kinds} that have more than {c.n} {s.reviews} of their {s.things}: what is the average of {s.stars} over these {s.reviews}?",
        f"SELECT k.name, avg(r.{s.stars}) FROM {s.kinds} k JOIN {s.things} t ON t.{s.key('kinds')} = k.id JOIN {s.reviews} r ON r.{s.key('things')} = t.id"
        f" GROUP BY k.id HAVING count(*) > {c.n}",
        ("name", "average"),
    )


def _top_of_kind(s: Schema, c: Constants) -> Question:  # noqa: ARG001 - it is about no value
    kind = s.key("kinds")
    return Question(
        f"Which {s.things} have the highest {s.price} among those of their {singular(s.kinds)}? Give all of them, if several do.",
        f"SELECT k.name, t.name FROM {s.things} t JOIN {s.kinds} k ON k.id = t.{kind}"
        f" WHERE t.{s.price} = (SELECT max(u.{s.price}) FROM {s.things} u WHERE u.{kind} = t.{kind})",
        (f"name of the {singular(s.kinds)}", f"name of the {singular(s.things)}"),
    )


def _active_cities(s: Schema, c: Constants) -> Question:
    return Question(
        f"In which {s.cities} do more than {c.n} of the {s.people} have {s.deals}? In alphabetical order.",
        f"SELECT c.name FROM {s.cities} c JOIN {s.people} p ON p.{s.key('cities')} = c.id JOIN {s.deals} d ON d.{s.key('people')} = p.id"
        f" GROUP BY c.id HAVING count(DISTINCT p.id) > {c.n} ORDER BY c.name",
        ("name",),
        ordered=True,
    )


def _per_month(s: Schema, c: Constants) -> Question:
    return Question(
        f"For each month from {c.day[:7]} on in which there are {s.deals} of {s.people} that are on record: how many of them? Write a month as YYYY-MM; in order of time.",
        f"SELECT substr(d.{s.day}, 1, 7), count(*) FROM {s.deals} d JOIN {s.people} p ON p.id = d.{s.key('people')}"
        f" WHERE d.{s.day} >= '{c.day[:7]}-01' GROUP BY substr(d.{s.day}, 1, 7) ORDER BY substr(d.{s.day}, 1, 7)",
        ("month", "count"),
        ordered=True,
    )


N_TABLES = {1: 2, 2: 2, 3: 3, 4: 4, 5: 6}
KINDS: dict[str, tuple[int, Asked]] = {
    "count_city": (1, _count_city), "names_of_kind": (1, _names_of_kind), "above": (1, _above), "joined_since": (1, _joined_since),
    "two_conditions": (1, _two_conditions), "no_price": (1, _no_price), "dearest_first": (2, _dearest_first), "average": (2, _average),
    "different": (2, _different), "per_city": (2, _per_city), "between": (2, _between), "highest": (2, _highest), "total_of": (3, _total_of),
    "deals_of_city": (3, _deals_of_city), "per_kind": (3, _per_kind), "days": (3, _days), "takers": (3, _takers), "spent": (3, _spent), "never": (4, _never),
    "with_zero": (4, _with_zero), "more_than": (4, _more_than), "above_average": (4, _above_average), "kinds_taken": (4, _kinds_taken),
    "highest_per_kind": (4, _highest_per_kind), "first_and_last": (4, _first_and_last), "per_country": (5, _per_country), "reviewed_only": (5, _reviewed_only),
    "stars_per_kind": (5, _stars_per_kind), "top_of_kind": (5, _top_of_kind), "active_cities": (5, _active_cities), "per_month": (5, _per_month),
}  # fmt: skip
"""The kinds of questions, with the level each belongs to."""


def question(kind: str, schema: Schema, constants: Constants) -> Question:
    """Ask a question of a kind."""
    return KINDS[kind][1](schema, constants)
