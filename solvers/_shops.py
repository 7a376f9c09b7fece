"""Small databases for `sql_explore`, and questions about them with their answers, worked out in Python and never by SQL.

    rows = tables(theme, "5f3a90c1")        three tables: who, what, and who had what
    answer(data, kind, value) -> 412

All randomness comes from hashing the seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["count_people", "sum_price", "dearest", "bought_by", "top_buyer", "spent_in", "never_bought", "count_days", "count_things"]

OF_THINGS: tuple[Kind, ...] = ("sum_price", "dearest", "count_things")
"""Questions that the table of things alone answers."""

Row = tuple[int | str, ...]

FIRST = ("Ada", "Bela", "Cleo", "Dora", "Emil", "Fritz", "Gaia", "Hugo", "Ines", "Jonas", "Kira", "Luca", "Mara", "Nino", "Olga", "Pavel")
LAST = (
    "Adler",
    "Berg",
    "Conti",
    "Duras",
    "Ebner",
    "Ferri",
    "Graf",
    "Haas",
    "Isler",
    "Jung",
    "Kofler",
    "Lanz",
    "Moser",
    "Noll",
    "Oberer",
    "Pichler",
)
CITIES = ("Aldein", "Bruneck", "Corvara", "Deutschnofen", "Eppan", "Feldthurns")


@dataclass(frozen=True, slots=True)
class Theme:
    """How the three tables and their columns are called."""

    people: str
    things: str
    deals: str
    person: str
    thing: str
    kind: str
    price: str
    amount: str
    verb: str
    done: str
    """The participle of the verb."""
    most: str
    """What has the most of the fourth column has this."""
    kinds: tuple[str, ...]
    goods: tuple[str, ...]


THEMES = {
    "shop": Theme(
        "customers", "products", "orders", "customer", "product", "category", "price", "quantity", "ordered", "ordered", "the highest price",
        ("fruit", "bread", "dairy", "sweets"), ("apple", "pear", "loaf", "roll", "milk", "cheese", "cake", "jam", "butter", "plum", "pretzel", "honey"),
    ),
    "library": Theme(
        "readers", "books", "loans", "reader", "book", "genre", "pages", "weeks", "borrowed", "borrowed", "the most pages",
        ("novel", "travel", "poetry", "science"), ("Snow", "Rivers", "Glass", "North", "Salt", "Echo", "Iron", "Maps", "Owls", "Wind", "Stone", "Ferns"),
    ),
    "garage": Theme(
        "drivers", "vehicles", "trips", "driver", "vehicle", "type", "seats", "hours", "drove", "driven", "the most seats",
        ("van", "bus", "truck", "car"), ("Alba", "Brio", "Corso", "Delta", "Era", "Fiamma", "Gita", "Inca", "Lupo", "Nova", "Onda", "Perla"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Data:
    """The rows of the three tables: (id, name, city), (id, name, kind, price), (person, thing, amount, day)."""

    people: Sequence[Row]
    things: Sequence[Row]
    deals: Sequence[Row]


def tables(theme: str, made_from: str) -> Data:
    """Draw the rows of a database."""
    told = THEMES[theme]
    rng = random.Random(int(digest("sql_explore", theme, made_from), 16))
    size = rng.randint(20, 80)
    names = rng.sample([f"{first} {last}" for first in FIRST for last in LAST], size // 2)
    people: list[Row] = [(n, name, rng.choice(CITIES)) for n, name in enumerate(names, start=1)]
    prices = rng.sample(range(2, 400), len(told.goods))
    things: list[Row] = [(n, name, rng.choice(told.kinds), prices[n - 1]) for n, name in enumerate(told.goods, start=1)]
    buyers = rng.sample(people, max(2, len(people) * 3 // 4))
    deals: list[Row] = [(rng.choice(buyers)[0], rng.choice(things)[0], rng.randint(1, 9), rng.randint(1, 28)) for _ in range(size)]
    return Data(people, things, deals)


def script(theme: str) -> str:
    """Return the statements that create the tables."""
    t = THEMES[theme]
    return (
        f"CREATE TABLE {t.people} (id INTEGER PRIMARY KEY, name TEXT, city TEXT);\n"
        f"CREATE TABLE {t.things} (id INTEGER PRIMARY KEY, name TEXT, {t.kind} TEXT, {t.price} INTEGER);\n"
        f"CREATE TABLE {t.deals} ({t.person}_id INTEGER REFERENCES {t.people}(id), {t.thing}_id INTEGER REFERENCES {t.things}(id),"
        f" {t.amount} INTEGER, day INTEGER);"
    )


def rows_of_things(theme: str, data: Data) -> str:
    """Return the rows of the table of things as text, a row a line."""
    t = THEMES[theme]
    return "\n".join([f"All rows of {t.things}:", f"id | name | {t.kind} | {t.price}", *(" | ".join(map(str, row)) for row in data.things)])


def question(theme: str, kind: Kind, value: str) -> str:
    """Ask a question in words."""
    t = THEMES[theme]
    return {
        "count_people": f"How many {t.people} live in {value}?",
        "sum_price": f"What is the sum of {t.price} over all {t.things} whose {t.kind} is {value}?",
        "dearest": f"Which of the {t.things} whose {t.kind} is {value} has {t.most}? Give its name.",
        "bought_by": f"What is the total {t.amount} over all {t.deals} of {value}?",
        "top_buyer": f"Which {t.person} has the highest total {t.amount} over all {t.deals} with a {t.thing} whose {t.kind} is {value}? Give the name.",
        "spent_in": f"What is the sum of {t.price} times {t.amount} over all {t.deals} of {t.people} who live in {value}?",
        "never_bought": f"How many {t.people} who live in {value} never {t.verb} anything?",
        "count_days": f"On how many different days was the {t.thing} {value} {t.done}?",
        "count_things": f"How many {t.things} have the {t.kind} {value}?",
    }[kind]


def query(theme: str, kind: Kind, value: str) -> str:
    """Return a query that answers the question."""
    t = THEMES[theme]
    joined = f"FROM {t.deals} d JOIN {t.people} p ON p.id = d.{t.person}_id JOIN {t.things} g ON g.id = d.{t.thing}_id"
    return {
        "count_people": f"SELECT count(*) FROM {t.people} WHERE city = '{value}'",  # noqa: S608 - words of this file
        "sum_price": f"SELECT coalesce(sum({t.price}), 0) FROM {t.things} WHERE {t.kind} = '{value}'",  # noqa: S608 - words of this file
        "dearest": f"SELECT name FROM {t.things} WHERE {t.kind} = '{value}' ORDER BY {t.price} DESC LIMIT 1",  # noqa: S608 - words of this file
        "bought_by": f"SELECT coalesce(sum(d.{t.amount}), 0) {joined} WHERE p.name = '{value}'",
        "top_buyer": f"SELECT p.name {joined} WHERE g.{t.kind} = '{value}' GROUP BY p.id ORDER BY sum(d.{t.amount}) DESC LIMIT 1",
        "spent_in": f"SELECT coalesce(sum(g.{t.price} * d.{t.amount}), 0) {joined} WHERE p.city = '{value}'",
        "never_bought": f"SELECT count(*) FROM {t.people} WHERE city = '{value}' AND id NOT IN (SELECT {t.person}_id FROM {t.deals})",  # noqa: S608 - words of this file
        "count_days": f"SELECT count(DISTINCT d.day) {joined} WHERE g.name = '{value}'",
        "count_things": f"SELECT count(*) FROM {t.things} WHERE {t.kind} = '{value}'",  # noqa: S608 - words of this file
    }[kind]


def answer(data: Data, kind: Kind, value: str) -> int | str | None:
    """Work the answer out; None where no single row has it."""
    prices = {row[0]: int(row[3]) for row in data.things}
    kinds = {row[0]: row[2] for row in data.things}
    names = {row[0]: str(row[1]) for row in data.people}
    homes = {row[0]: row[2] for row in data.people}
    things = {row[0]: row[1] for row in data.things}
    if kind == "count_people":
        return sum(row[2] == value for row in data.people)
    if kind == "count_things":
        return sum(row[2] == value for row in data.things)
    if kind == "sum_price":
        return sum(prices[row[0]] for row in data.things if row[2] == value)
    if kind == "dearest":
        return _single({str(row[1]): prices[row[0]] for row in data.things if row[2] == value})
    if kind == "bought_by":
        return sum(int(deal[2]) for deal in data.deals if names[deal[0]] == value)
    if kind == "top_buyer":
        totals: dict[str, int] = {}
        for deal in data.deals:
            if kinds[deal[1]] == value:
                totals[names[deal[0]]] = totals.get(names[deal[0]], 0) + int(deal[2])
        return _single(totals)
    if kind == "spent_in":
        return sum(prices[deal[1]] * int(deal[2]) for deal in data.deals if homes[deal[0]] == value)
    if kind == "never_bought":
        buyers = {deal[0] for deal in data.deals}
        return sum(row[2] == value and row[0] not in buyers for row in data.people)
    return len({deal[3] for deal in data.deals if things[deal[1]] == value})


def values(theme: str, kind: Kind, data: Data) -> list[str]:
    """Return what a question of a kind may be about."""
    told = THEMES[theme]
    if kind in {"count_people", "spent_in", "never_bought"}:
        return list(CITIES)
    if kind in {"sum_price", "dearest", "top_buyer", "count_things"}:
        return list(told.kinds)
    return [str(row[1]) for row in (data.people if kind == "bought_by" else data.things)]


def _single(totals: dict[str, int]) -> str | None:
    """Return the name with the highest number, None where two share it or there is none."""
    best = [name for name, total in totals.items() if total == max(totals.values())]
    return best[0] if len(best) == 1 else None
