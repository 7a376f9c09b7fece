"""Invented schemas for the family `sql`, and the databases a query is judged on: ordinary ones, two full of nulls and ties, one half empty.

    schema = schema_of("shop", "5f3a90c1", 3)        three tables, named by the seed; schema.script creates them
    databases(schema, constants)                     seven databases of it

All randomness comes from hashing. Texts compare without regard to case, in the databases themselves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.sandbox.query_server import Made
from reasoner.types import digest
from solvers._shops import CITIES, FIRST, THEMES

if TYPE_CHECKING:
    from collections.abc import Sequence

N_ORDINARY = 4
COUNTRIES = ("Nordland", "Ostmark", "Sudland")
_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "shop": {
        "people": ("customers", "clients", "buyers"), "things": ("products", "items", "articles"), "deals": ("orders", "purchases", "sales"),
        "kinds": ("categories", "sections"), "price": ("price", "cost"), "amount": ("quantity", "pieces"),
    },
    "library": {
        "people": ("readers", "members", "borrowers"), "things": ("books", "titles", "volumes"), "deals": ("loans", "borrowings", "checkouts"),
        "kinds": ("genres", "subjects"), "price": ("pages", "n_pages"), "amount": ("weeks", "n_weeks"),
    },
    "garage": {
        "people": ("drivers", "employees", "chauffeurs"), "things": ("vehicles", "cars", "machines"), "deals": ("trips", "rides", "tours"),
        "kinds": ("types", "classes"), "price": ("seats", "n_seats"), "amount": ("hours", "n_hours"),
    },
}  # fmt: skip
_SHARED = {
    "cities": ("cities", "towns"), "reviews": ("reviews", "ratings"), "city": ("city", "town"), "joined": ("joined", "member_since"),
    "day": ("day", "made_on"), "stars": ("stars", "points"),
}  # fmt: skip
SINGULAR = {"categories": "category", "classes": "class", "cities": "city"}


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one problem: what they and their columns are called, and how many of them there are (2, 3, 4 or 6)."""

    theme: str
    made_from: str
    n_tables: int
    names: dict[str, str]

    def __getattr__(self, role: str) -> str:
        """Return what a table or column is called: `schema.people`."""
        try:
            return self.names[role]
        except KeyError:
            raise AttributeError(role) from None

    def key(self, table: str) -> str:
        """Return the column that refers to a table: `customer_id`."""
        return f"{singular(self.names[table])}_id"

    @property
    def script(self) -> str:
        """The statements that create the tables."""
        n = self.names
        text = "TEXT COLLATE NOCASE"
        lives = f"{self.key('cities')} INTEGER REFERENCES {n['cities']}(id)" if self.n_tables >= 6 else f"{n['city']} {text}"
        kind = f"{self.key('kinds')} INTEGER REFERENCES {n['kinds']}(id)" if self.n_tables >= 4 else f"{singular(n['kinds'])} {text}"
        refers = f"{self.key('people')} INTEGER REFERENCES {n['people']}(id), {self.key('things')} INTEGER REFERENCES {n['things']}(id)"
        tables = [
            f"CREATE TABLE {n['people']} (id INTEGER PRIMARY KEY, name {text}, {lives}, {n['joined']} DATE);",
            f"CREATE TABLE {n['things']} (id INTEGER PRIMARY KEY, name {text}, {kind}, {n['price']} INTEGER);",
            f"CREATE TABLE {n['deals']} (id INTEGER PRIMARY KEY, {refers}, {n['amount']} INTEGER, {n['day']} DATE);",
            f"CREATE TABLE {n['kinds']} (id INTEGER PRIMARY KEY, name {text});",
            f"CREATE TABLE {n['cities']} (id INTEGER PRIMARY KEY, name {text}, country {text});",
            f"CREATE TABLE {n['reviews']} (id INTEGER PRIMARY KEY, {refers}, {n['stars']} INTEGER, {n['day']} DATE);",
        ]
        return "\n".join(tables[: self.n_tables])


@dataclass(frozen=True, slots=True)
class Constants:
    """What the question of a problem is about; every database holds these values, so that each boundary is met."""

    city: str
    kind: str
    person: str
    thing: str
    price: int
    higher: int
    day: str
    later: str
    n: int


def singular(name: str) -> str:
    """Return a table's name for one of its rows."""
    return SINGULAR.get(name, name.removesuffix("s"))


def schema_of(theme: str, made_from: str, n_tables: int) -> Schema:
    """Draw what the tables and columns are called."""
    rng = random.Random(int(digest("sql", "names", theme, made_from), 16))
    words = {**_WORDS[theme], **_SHARED}
    return Schema(theme, made_from, n_tables, {role: rng.choice(words[role]) for role in words})


def constants_of(theme: str, made_from: str) -> Constants:
    """Draw what the question is about."""
    rng = random.Random(int(digest("sql", "constants", theme, made_from), 16))
    told = THEMES[theme]
    price = rng.randint(8, 30)
    month = rng.randint(2, 8)
    return Constants(
        city=rng.choice(CITIES), kind=rng.choice(told.kinds), person=rng.choice(FIRST), thing=rng.choice(told.goods), price=price,
        higher=price + rng.randint(5, 15), day=f"2024-{month:02}-{rng.randint(2, 27):02}", later=f"2024-{month + 2:02}-{rng.randint(2, 27):02}",
        n=rng.randint(1, 3),
    )  # fmt: skip


def databases(schema: Schema, constants: Constants, *, more: int = 0) -> tuple[Made, ...]:
    """Return the databases of a problem: ordinary ones, two of nulls, ties and boundaries, one with empty tables; `more` ordinary ones for tests."""
    kinds = ["ordinary"] * N_ORDINARY + ["odd", "odd", "empty"] + ["ordinary", "odd"] * more
    return tuple(_database(schema, constants, kind, number) for number, kind in enumerate(kinds))


def _database(schema: Schema, constants: Constants, kind: str, number: int) -> Made:
    maker = _Maker(schema, constants, kind, digest("sql", schema.theme, schema.made_from, str(schema.n_tables), str(number)))
    tables = maker.tables()
    return Made(maker.key, schema.script, dict(list(tables.items())[: schema.n_tables]))


class _Maker:
    """Makes one database. What is at a boundary of the constants stands in an odd one for certain, and elsewhere by chance."""

    def __init__(self, schema: Schema, constants: Constants, kind: str, key: str) -> None:
        self.key = key
        self._schema, self._at, self._kind = schema, constants, kind
        self._rng = random.Random(int(key, 16))
        self._told, self._odd = THEMES[schema.theme], kind == "odd"
        self._kinds = list(self._told.kinds)

    def tables(self) -> dict[str, Sequence[Sequence[Any]]]:
        """Return the rows of all tables, in the order in which the script creates them."""
        names = self._schema
        people, things = self._people(), self._things()
        n_active = 9 if self._odd else max(2, len(people) * 3 // 4)
        active = range(1, n_active + 1) if self._odd else self._rng.sample(range(1, len(people) + 1), n_active)
        deals = [] if self._kind == "empty" else self._deals(active, things)
        reviews = [] if self._kind == "empty" else self._reviews(len(people), things)
        return {
            names.people: people, names.things: things, names.deals: [(n, *row) for n, row in enumerate(deals, start=1)],
            names.kinds: list(enumerate(self._kinds, start=1)),
            names.cities: [(n, name, COUNTRIES[n % len(COUNTRIES)]) for n, name in enumerate(CITIES, start=1)],
            names.reviews: [(n, *row) for n, row in enumerate(reviews, start=1)],
        }  # fmt: skip

    def _maybe(self, value: Any) -> Any:
        return None if self._odd and self._rng.random() < 0.25 else value

    def _day(self) -> str:
        if self._rng.random() < (0.5 if self._odd else 0.1):
            return self._rng.choice((self._at.day, self._at.later))
        return f"2024-{self._rng.randint(1, 12):02}-{self._rng.choice((1, 8, 15, 22)):02}"

    def _people(self) -> list[tuple[Any, ...]]:
        rng, at = self._rng, self._at
        place = (lambda city: CITIES.index(city) + 1) if self._schema.n_tables >= 6 else str
        if not self._odd:
            return [(n, rng.choice(FIRST), place(rng.choice((at.city, *CITIES))), self._day()) for n in range(1, rng.randint(8, 22))]
        # Of those who have deals (1 to 9), n + 1 live in the city that is asked for, n in a second, and one each, who joined at the boundary and
        # before it, in two that nobody else lives in.
        second, third, fourth, *others = rng.sample([city for city in CITIES if city != at.city], len(CITIES) - 1)
        lives = (
            dict.fromkeys((*range(1, at.n + 2), 10), at.city) | dict.fromkeys(range(5, 5 + at.n), second) | {8: third, 9: fourth, 11: None}
        )
        joined = {1: at.later, 2: at.day, 3: at.day, 8: at.day, 9: "2024-01-01", 11: at.day}
        made = []
        for n in range(1, 13):
            city = lives.get(n, rng.choice(others))
            made.append((n, rng.choice((at.person, *FIRST[:3])), city and place(city), joined.get(n, self._day())))
        return made

    def _things(self) -> list[tuple[Any, ...]]:
        rng, at = self._rng, self._at
        others = [good for good in self._told.goods if good != at.thing]
        goods = [at.thing, *(others if self._odd else rng.sample(others, rng.randint(5, 9)))]
        kinds = [rng.choice((at.kind, *self._kinds)) for _ in goods]
        prices = [
            at.price if self._kind == "empty" else self._maybe(rng.choice((at.price, at.higher, rng.randint(2, 50), rng.randint(2, 50))))
            for _ in goods
        ]  # in the half empty one all are the same: each is the average and the highest
        if self._odd:
            # Twice the same at the boundary and not in the order of names, one next to each boundary, one without a price; a kind with a single
            # thing that has none.
            goods.sort(reverse=True)
            alone = rng.choice([kind for kind in self._kinds if kind != at.kind])
            kinds = [at.kind, at.kind, at.kind, at.kind, *(at.kind if kind == alone else kind for kind in kinds[4:-1]), alone]
            prices = [at.price, at.price, at.higher, None, at.price - 1, at.price + 1, at.higher - 1, at.higher + 1, *prices[8:-1], None]
        numbered = self._schema.n_tables >= 4
        return [
            (n, good, self._kinds.index(kind) + 1 if numbered else kind, price)
            for n, (good, kind, price) in enumerate(zip(goods, kinds, prices, strict=True), start=1)
        ]

    def _deals(self, active: Sequence[int], things: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        rng, at = self._rng, self._at
        if not self._odd:
            return [(rng.choice(active), rng.randint(1, len(things)), rng.randint(1, 9), self._day()) for _ in range(rng.randint(18, 40))]
        # One has a deal at the first boundary alone, one at the second, one n of them, one n + 1; the thing that is asked for twice on a day.
        asked = next(row[0] for row in things if row[1] == at.thing)
        made: list[tuple[Any, ...]] = [(1, asked, 2, at.day), (2, asked, 1, at.day), (1, 1, 2, at.later), (3, 5, 2, f"{at.day[:7]}-01")]
        made += [
            (self._maybe(rng.randint(1, 5)), self._maybe(rng.randint(1, len(things))), rng.choice((1, 2)), self._day()) for _ in range(24)
        ]
        people = [1, 2, 3, 4, 5, *[8] * at.n, *[9] * (at.n + 1)]
        made += [(person, rng.randint(1, len(things)), rng.choice((1, 2)), self._day()) for person in people]
        return [*made, (6, 6, 1, at.day), (7, 1, 2, at.later)]

    def _reviews(self, n_people: int, things: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        rng, at = self._rng, self._at
        if not self._odd:
            return [
                (rng.randint(1, n_people), rng.randint(1, len(things)), rng.randint(1, 5), self._day()) for _ in range(rng.randint(12, 30))
            ]
        # Kinds with n, n + 1 and n + 2 of them; and people without deals (10 to 12) that gave n and one less.
        by_kind = [[thing[0] for thing in things if thing[2] == kind] for kind in dict.fromkeys(thing[2] for thing in things)]
        chosen = [rng.choice(of_kind) for more, of_kind in enumerate(by_kind[:3]) for _ in range(at.n + more)]
        made = [(rng.randint(1, 9), thing, rng.choice((at.n, at.n + 1)), self._day()) for thing in chosen]
        made[0] = (10, made[0][1], at.n, self._day())
        made[1] = (11, made[1][1], at.n - 1, self._day())
        return made
