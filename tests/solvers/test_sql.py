"""sql: gold queries against answers worked out without SQL, near misses of every kind, hostile queries, and what may be seen of an answer."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile_texts import hostile_texts

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.drawing import Table
from reasoner.errors import BadInstance
from reasoner.sandbox.query_server import Made, run
from solvers.sql import KINDS, N_TABLES, SqlSolver, SqlTask, find_query, question, schemas

SOLVER = SqlSolver()
Tables = dict[str, list[dict[str, Any]]]


def task(kind: str, seed: int) -> SqlTask:
    """Return a problem of a kind whose result is not empty everywhere."""
    rng = random.Random(f"{kind}/{seed}")
    while True:
        made = SOLVER.generate(rng, KINDS[kind][0])
        if made.kind == kind:
            return made


def parts(made: SqlTask) -> tuple[schemas.Schema, schemas.Constants]:
    return schemas.schema_of(made.theme, made.made_from, N_TABLES[KINDS[made.kind][0]]), schemas.constants_of(made.theme, made.made_from)


def gold(made: SqlTask) -> str:
    return SOLVER.right_answer(made).removeprefix("Answer: ")


def tables_of(schema: schemas.Schema, database: Made) -> Tables:
    """Return the rows of a database as dictionaries, tables and columns by what they are and not by what they are called."""
    columns = {
        "people": ["id", "name", "city", "joined"], "things": ["id", "name", "kind", "price"], "deals": ["id", "person", "thing", "amount", "day"],
        "kinds": ["id", "name"], "cities": ["id", "name", "country"], "reviews": ["id", "person", "thing", "stars", "day"],
    }  # fmt: skip
    return {
        role: [dict(zip(names, row, strict=True)) for row in database.tables[schema.names[role]]]
        for role, names in columns.items()
        if schema.names[role] in database.tables
    }


def never(t: Tables, c: schemas.Constants) -> list[Any]:
    return [(p["id"], p["name"]) for p in t["people"] if not any(d["person"] == p["id"] and d["day"] < c.later for d in t["deals"])]


def with_zero(t: Tables, c: schemas.Constants) -> list[Any]:
    return [(p["id"], sum(d["person"] == p["id"] and d["day"] >= c.day for d in t["deals"])) for p in t["people"]]


def more_than(t: Tables, c: schemas.Constants) -> list[Any]:
    return [(p["id"], p["name"]) for p in t["people"] if sum(d["person"] == p["id"] for d in t["deals"]) > c.n]


def no_price(t: Tables, c: schemas.Constants) -> list[Any]:
    return [(sum(x["kind"] == c.kind and x["price"] is not None for x in t["things"]),)]


def highest(t: Tables, c: schemas.Constants) -> list[Any]:
    priced = [x for x in t["things"] if x["kind"] == c.kind and x["price"] is not None]
    return [(x["name"],) for x in priced if x["price"] == max(y["price"] for y in priced)]


def dearest_first(t: Tables, c: schemas.Constants) -> list[Any]:
    priced = [x for x in t["things"] if x["kind"] == c.kind and x["price"] is not None]
    return [(x["name"], x["price"]) for x in sorted(priced, key=lambda x: (-x["price"], x["name"].lower()))]


def spent(t: Tables, c: schemas.Constants) -> list[Any]:
    price = {x["id"]: x["price"] for x in t["things"]}
    sums: dict[int, int] = {}
    for d in t["deals"]:
        if d["person"] is not None and d["thing"] is not None and (price[d["thing"]] or 0) >= c.price:
            sums[d["person"]] = sums.get(d["person"], 0) + price[d["thing"]] * d["amount"]
    return list(sums.items())


def total_of(t: Tables, c: schemas.Constants) -> list[Any]:
    named = {p["id"] for p in t["people"] if p["name"] == c.person}
    return [(sum(d["amount"] for d in t["deals"] if d["person"] in named),)]


def top_of_kind(t: Tables, c: schemas.Constants) -> list[Any]:
    del c
    names = {k["id"]: k["name"] for k in t["kinds"]}
    best: dict[int, int] = {}
    for x in t["things"]:
        if x["price"] is not None:
            best[x["kind"]] = max(best.get(x["kind"], 0), x["price"])
    return [(names[x["kind"]], x["name"]) for x in t["things"] if x["price"] is not None and x["price"] == best[x["kind"]]]


def reviewed_only(t: Tables, c: schemas.Constants) -> list[Any]:
    bought = {d["person"] for d in t["deals"]}
    return [
        (p["id"],) for p in t["people"] if p["id"] not in bought and any(r["person"] == p["id"] and r["stars"] >= c.n for r in t["reviews"])
    ]


def kinds_taken(t: Tables, c: schemas.Constants) -> list[Any]:
    taken = {d["thing"] for d in t["deals"]}
    return [(k["name"],) for k in t["kinds"] if sum(x["kind"] == k["id"] and x["id"] in taken for x in t["things"]) >= c.n]


def active_cities(t: Tables, c: schemas.Constants) -> list[Any]:
    active = {d["person"] for d in t["deals"]}
    return [
        (x["name"],)
        for x in sorted(t["cities"], key=lambda x: x["name"])
        if sum(p["city"] == x["id"] and p["id"] in active for p in t["people"]) > c.n
    ]


def per_city(t: Tables, c: schemas.Constants) -> list[Any]:
    counts: dict[str, int] = {}
    for p in t["people"]:
        if p["city"] is not None and p["joined"] < c.later:
            counts[p["city"]] = counts.get(p["city"], 0) + 1
    return list(counts.items())


WORKED_OUT: dict[str, Callable[[Tables, schemas.Constants], list[Any]]] = {
    f.__name__: f
    for f in (
        never, with_zero, more_than, no_price, highest, dearest_first, spent, total_of, top_of_kind, reviewed_only, kinds_taken, active_cities, per_city,
    )
}  # fmt: skip


@pytest.mark.parametrize("kind", WORKED_OUT)
def test_gold_queries_give_what_is_worked_out_without_sql(kind: str) -> None:
    for seed in range(4):
        made = task(kind, seed)
        schema, constants = parts(made)
        asked = question(kind, schema, constants)
        databases = schemas.databases(schema, constants, more=2)
        for database, outcome in zip(databases, run(asked.query, databases), strict=True):
            assert not outcome.error
            wanted = WORKED_OUT[kind](tables_of(schema, database), constants)
            rows: Sequence[Any] = outcome.rows if asked.ordered else sorted(outcome.rows)
            assert list(rows) == (wanted if asked.ordered else sorted(wanted)), (made, database.key)
            assert len(outcome.columns) == len(asked.columns)


def test_every_kind_is_drawn_and_differs_from_database_to_database() -> None:
    assert len(KINDS) >= 30
    for kind in KINDS:
        made = task(kind, 0)
        schema, constants = parts(made)
        results = run(gold(made), schemas.databases(schema, constants))
        assert len(results) == 7
        assert not any(outcome.error for outcome in results), results
        assert len({outcome.rows for outcome in results}) >= 3
        assert SOLVER.verify(made, SOLVER.right_answer(made)).correct


def test_one_database_is_odd_and_one_is_half_empty() -> None:
    schema, constants = schemas.schema_of("shop", "1", 3), schemas.constants_of("shop", "1")
    made = schemas.databases(schema, constants)
    deals = [database.tables[schema.deals] for database in made]
    assert deals[6] == []
    assert all(deals[:6])
    odd = tables_of(schema, made[4])
    assert any(row["price"] is None for row in odd["things"])
    assert any(row["person"] is None for row in odd["deals"])
    prices = [row["price"] for row in odd["things"] if row["price"] is not None]
    assert len(prices) > len(set(prices))
    assert constants.price in prices


SWAPS = (
    (" > ", " >= "), (" >= ", " > "), (" < ", " <= "), (" = '", " <> '"), (" = '", " > '"), ("count(*)", "count(*) + 1"), ("count(", "sum("), ("avg(", "max("),
    ("avg(", "sum("), ("max(", "min("), ("min(", "max("), ("sum(", "max("), ("sum(", "count("), ("DISTINCT ", ""), (" DESC", ""), ("LEFT JOIN", "JOIN"),
    (" AND ", " OR "), ("NOT EXISTS", "EXISTS"), ("IS NOT NULL", "IS NULL"), ("BETWEEN", "NOT BETWEEN"), ("SELECT ", "SELECT 1, "), ("coalesce(", "ifnull(1 + "),
    ("2024", "2023"), (" * d.", " + d."), ("count(d.id)", "count(*)"), ("count(DISTINCT t.id)", "count(*)"), ("count(DISTINCT p.id)", "count(*)"),
)  # fmt: skip
DROPS = (
    r" WHERE .*?(?= GROUP| ORDER|$)",
    r" HAVING .*?(?= ORDER|$)",
    r" GROUP BY .*?(?= HAVING| ORDER|$)",
    r" ORDER BY .*$",
    r" AND [^()]*?(?= GROUP| ORDER| AND|$)",
)


def changed(query: str, rng: random.Random) -> str:
    """Change one meaningful place of a query."""
    ways: list[str] = [query.replace(old, new, 1) for old, new in SWAPS if old in query]
    ways += [re.sub(pattern, "", query, count=1) for pattern in DROPS if re.search(pattern, query)]
    for number in re.finditer(r"(?<![\w'.-])\d+(?![\w'-])", query):
        ways.append(query[: number.start()] + str(int(number[0]) + rng.choice((1, -1, 7))) + query[number.end() :])
    for quoted in re.finditer(r"'[A-Za-z ]+'", query):
        ways.append(query[: quoted.start()] + "'Zugspitz'" + query[quoted.end() :])
    return rng.choice(ways)


@pytest.mark.slow
def test_five_thousand_queries_changed_in_one_place_are_rejected_unless_they_are_equal_everywhere() -> None:
    _near_misses(5000)


def test_queries_changed_in_one_place_are_rejected_unless_they_are_equal_everywhere() -> None:
    _near_misses(400)


def _near_misses(n: int) -> None:
    rng = random.Random(11)
    n_rejected = n_equal = 0
    while n_rejected < n:
        made = SOLVER.generate(rng, rng.randint(1, 5))
        for _ in range(8):
            query = changed(gold(made), rng)
            if SOLVER.verify(made, f"Answer: {query}").correct:
                schema, constants = parts(made)
                asked = question(made.kind, schema, constants)
                many = schemas.databases(schema, constants, more=15)
                for mine, right in zip(run(query, many), run(asked.query, many), strict=True):
                    order: Callable[[Any], Any] = list if asked.ordered else lambda rows: sorted(rows, key=repr)
                    assert order(mine.rows) == order(right.rows), (made, query)
                n_equal += 1
            else:
                n_rejected += 1
    assert n_equal < n_rejected


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("no_price", "count(", "count(*) -- ("),
        ("above", " > ", " >= "),
        ("with_zero", "LEFT JOIN", "JOIN"),
        ("with_zero", "count(d.id)", "count(*)"),
        ("takers", "DISTINCT ", ""),
        ("total_of", "coalesce(sum(", "(sum("),
        ("dearest_first", " DESC, name", " DESC"),
        ("per_month", " JOIN ", " LEFT JOIN "),
    ],
)
def test_the_usual_mistakes_are_found(kind: str, old: str, new: str) -> None:
    made = task(kind, 1)
    query = gold(made)
    assert old in query
    wrong = query.replace(old, new, 1).replace(", 0) FROM", ") FROM") if kind == "total_of" else query.replace(old, new, 1)
    assert not SOLVER.verify(made, f"```sql\n{wrong}\n```").correct, wrong


def test_not_in_falls_into_the_trap_of_nulls() -> None:
    made = task("never", 2)
    s, c = parts(made)
    trap = f"SELECT id, name FROM {s.people} WHERE id NOT IN (SELECT {s.key('people')} FROM {s.deals} WHERE {s.day} < '{c.later}')"
    assert not SOLVER.verify(made, f"Answer: {trap}").correct
    minded = trap.replace(f"< '{c.later}'", f"< '{c.later}' AND {s.key('people')} IS NOT NULL")
    assert SOLVER.verify(made, f"Answer: {minded}").correct, "another right way to write it"


def test_rows_in_another_order_are_wrong_only_where_an_order_was_asked_for() -> None:
    ordered, bag = task("dearest_first", 3), task("names_of_kind", 3)
    assert SOLVER.verify(bag, f"Answer: {gold(bag)} ORDER BY name DESC").correct
    verdict = SOLVER.verify(ordered, f"Answer: {gold(ordered).replace(' DESC', '')}")
    assert not verdict.correct
    assert "another order" in verdict.reason or "row" in verdict.reason


def test_ten_thousand_hostile_answers() -> None:
    rng = random.Random(12)
    made = [SOLVER.generate(rng, rng.randint(1, 5)) for _ in range(20)]
    golds = [gold(each) for each in made]
    for number, text in enumerate(hostile_texts(rng, golds, 10_000)):
        each = made[number % len(made)]
        verdict = SOLVER.verify(each, text)
        assert verdict.reason.isprintable()
        assert len(verdict.reason) <= 200
        SOLVER.canonical_answer(each, text)
        if verdict.correct:
            assert re.search(r"select\b.*\bfrom\b", text, re.IGNORECASE | re.DOTALL), text


@pytest.mark.parametrize(
    "query",
    [
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n",
        "SELECT load_extension('/tmp/x.so')",
        "SELECT readfile('/etc/passwd')",
        "SELECT 1; DROP TABLE customers",
        "WITH x AS (SELECT 1) DELETE FROM customers",
        "SELECT * FROM pragma_database_list",
        "SELECT zeroblob(1000000000)",
        "SELECT replace(hex(zeroblob(1000000)), '0', 'xxxxxxxxxx')",
        "SELECT * FROM sqlite_master, sqlite_master, sqlite_master",
        "SELECT " + "(" * 5000 + "1" + ")" * 5000,
        "SELECT x FROM y",
    ],
)
def test_queries_that_would_do_harm_are_wrong_and_do_none(query: str) -> None:
    made = task("count_city", 4)
    assert not SOLVER.verify(made, f"Answer: {query}").correct
    assert SOLVER.verify(made, SOLVER.right_answer(made)).correct, "the databases are what they were"


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("Answer: SELECT 1", "SELECT 1"), ("I count.\n**Answer:** `SELECT 1;`", "SELECT 1"), ("```sql\nSELECT 1\nFROM t;\n```\nDone.", "SELECT 1\nFROM t"),
        ("```\nselect 2\n```\nAnswer: SELECT 1", "select 2"), ("Answer:\nSELECT 1\nFROM t\n\nThis counts.", "SELECT 1\nFROM t"), ("with a as (select 1) select * from a", "with a as (select 1) select * from a"),
        ("Answer: DELETE FROM t", None), ("The answer is 42", None), ("", None), ("```python\nprint(1)\n```", None), ("Answer: SELECT " + "x" * 20_000, None),
    ],
)  # fmt: skip
def test_the_query_of_an_answer_is_found(text: str, query: str | None) -> None:
    assert find_query(text) == query


def test_spellings_of_one_query_are_one_answer() -> None:
    made = task("count_city", 5)
    forms = [
        "SELECT count(*) FROM t WHERE a = 'X'",
        "select COUNT( * )\nfrom t\nwhere a='x';",
        "```sql\nSELECT count(*) FROM t WHERE a='X'\n```",
    ]
    assert len({SOLVER.canonical_answer(made, form) for form in forms}) == 1
    assert SOLVER.canonical_answer(made, "SELECT count(*) FROM t WHERE a = 'X  '") != SOLVER.canonical_answer(made, forms[0])


def test_the_visible_check_sees_errors_and_columns_and_not_whether_it_is_right(tmp_path: Path) -> None:
    made = task("above", 6)
    right = gold(made)
    assert SOLVER.visible_check(made, f"Answer: {right.replace(' > ', ' < ')}").passed
    assert "no such column" in SOLVER.visible_check(made, f"Answer: {right.replace('SELECT name', 'SELECT nmae')}").told
    assert "1 columns, and 2 are asked for" in SOLVER.visible_check(made, f"Answer: {right.replace('name, ', '', 1)}").told
    client = ScriptedClient([f"Answer: {right.replace('SELECT name', 'SELECT nmae')}", f"Answer: {right}"])
    client.fingerprint = "same"
    db = tmp_path / "t.db"
    result = reasoner.solve("sql", SOLVER.format(made), strategy="repair(direct)", model=client, db=db)
    assert result.correct
    assert "no such column: nmae" in client.requests[1].messages[-1].content
    assert reasoner.replay(db=db).exact


def test_the_result_is_drawn() -> None:
    made = task("names_of_kind", 7)
    drawn = SOLVER.drawing(made, SOLVER.right_answer(made))
    assert isinstance(drawn, Table)
    assert drawn.head == ("name",)
    assert all(cell.right for row in drawn.rows for cell in row)
    schema, _ = parts(made)
    other = SOLVER.drawing(made, f"Answer: SELECT name FROM {schema.things}")
    assert other is not None
    assert not all(cell.right for row in other.rows for cell in row)
    assert SOLVER.drawing(made, "Answer: SELECT x FROM y") is None


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BadInstance, match="no question of the kind"):
        SOLVER.parse('{"theme": "shop", "made_from": "1", "kind": "nothing"}')
