"""sql: questions about databases of the user's own: which rows can be asked, how answers are judged, and what happens when a file changes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import reasoner
from reasoner import registry
from reasoner.drawing import Table
from reasoner.errors import BadConfig, BadInstance, CorruptRecord
from reasoner.prompts import Prompts
from solvers.sql import SqlSolver, SqlTask

ROWS = [
    {"question": "How many goods cost more than 2?", "query": "SELECT count(*) FROM goods WHERE price > 2;"},
    {
        "question": "Which goods, the dearest first?",
        "SQL": "SELECT name FROM goods ORDER BY price DESC",
        "evidence": "dear means a high price",
    },
    {"question": "Which goods?", "query": "SELECT name FROM goods"},
    {"question": "What?", "query": "SELECT colour FROM goods"},
    {"question": "No query."},
    {"question": "All pairs", "query": "SELECT a.name FROM goods a, goods b, goods c, goods d, goods e, goods f, goods g"},
    {"question": "The text", "query": "SELECT hex(zeroblob(2000))"},
    {"question": "The long text", "query": "SELECT " + " || ".join(["'" + "x" * 1500 + "'"] * 2)},
    {"question": "Drop it", "query": "DROP TABLE goods"},
]


def database(path: Path, rows: list[tuple[str, float | None]]) -> Path:
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE goods (name TEXT, price REAL)")
        made.executemany("INSERT INTO goods VALUES (?, ?)", rows)
        made.commit()
    return path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    database(tmp_path / "other.db", [("salt", 9), ("figs", 1), ("rice", 3), ("oats", None)])
    return database(tmp_path / "shop.db", [("salt", 1), ("figs", 4), ("rice", 3), ("nuts", 5)])


def opened(shop: Path, more: str = "") -> SqlSolver:
    solver = registry.solver(f"sql:{shop}?questions={shop.parent / 'q.jsonl'}{more}")
    assert isinstance(solver, SqlSolver)
    return solver


def test_rows_whose_query_gives_what_can_be_compared_are_asked(shop: Path) -> None:
    solver = opened(shop)
    rows = list(solver.listed(1) or ())
    assert [row.ordered for row in rows] == [False, True, False]
    assert rows[1].question == "Which goods, the dearest first?\ndear means a high price"
    assert "6 of 9 rows are left out; line 4: the query of the row cannot be run: no such column: colour" in solver.remarks()[0]
    assert solver.parse(solver.format(rows[0])) == rows[0]
    with pytest.raises(CorruptRecord):
        opened(shop, "&strict=1").listed(1)
    text = Prompts().get("solvers/sql").render_text(solver.statement_variables(rows[0]))
    assert "CREATE TABLE goods (name TEXT, price REAL);" in text
    assert "goods: (salt, 1) (figs, 4) (rice, 3)" in text
    assert "Its result has" not in text
    assert "count(*)" not in text


@pytest.mark.parametrize(
    ("number", "query", "right"),
    [
        (0, "SELECT 3", True), (0, "SELECT sum(price > 2) FROM goods", True), (0, "SELECT 4", False), (0, "SELECT count(*), 1 FROM goods WHERE price > 2", False),
        (1, "SELECT name FROM goods ORDER BY -price", True), (1, "SELECT name FROM goods", False), (2, "SELECT name FROM goods ORDER BY 1", True),
        (2, "SELECT DISTINCT name FROM goods LIMIT 3", False), (2, "SELECT nmae FROM goods", False), (0, "DELETE FROM goods", False),
    ],
)  # fmt: skip
def test_answers_are_judged_by_what_they_give_on_the_file(shop: Path, number: int, query: str, right: bool) -> None:
    solver = opened(shop)
    row = list(solver.listed(1) or ())[number]
    assert solver.verify(row, f"```sql\n{query}\n```").correct is right
    assert solver.verify(row, solver.right_answer(row)).correct


def test_another_database_with_the_same_tables_tells_more(shop: Path) -> None:
    more = opened(shop, f"&also={shop.parent / 'other.db'}")
    row = next(iter(more.listed(1) or ()))
    guess = "Answer: SELECT count(*) - 1 FROM goods"
    assert opened(shop).verify(next(iter(opened(shop).listed(1) or ())), guess).correct
    assert more.verify(row, guess).reason.startswith("database 2: the row (3)")
    assert more.verify(row, more.right_answer(row)).reason == "the result is right on 2 databases"


def test_a_database_that_has_changed_judges_nothing(shop: Path) -> None:
    solver = opened(shop)
    row = next(iter(solver.listed(1) or ()))
    with closing(sqlite3.connect(shop)) as made:
        made.execute("DELETE FROM goods")
        made.commit()
    verdict = solver.verify(row, "Answer: SELECT 3")
    assert verdict.correct is None
    assert "is not what it was" in verdict.reason
    shop.unlink()
    assert solver.verify(row, "Answer: SELECT 3").correct is None


def test_a_folder_of_databases_is_asked_by_their_names(shop: Path) -> None:
    folder = shop.parent / "all"
    (folder / "kitchen").mkdir(parents=True)
    database(folder / "kitchen" / "kitchen.sqlite", [("pan", 7)])
    (shop.parent / "dev.json").write_text(
        json.dumps(
            [
                {"question": "What is there?", "SQL": "SELECT name FROM goods", "db_id": "kitchen"},
                {"question": "?", "SQL": "SELECT 1", "db_id": "../shop"},
                {"question": "?", "SQL": "SELECT 1", "db_id": "cellar"},
            ]
        ),
        encoding="utf-8",
    )
    solver = registry.solver(f"sql:{folder}?questions={shop.parent / 'dev.json'}")
    (row,) = list(solver.listed(1) or ())
    assert solver.verify(row, "Answer: SELECT 'Pan'").correct
    assert "2 of 3 rows are left out" in solver.remarks()[0]


def test_what_cannot_be_opened_is_told(shop: Path) -> None:
    with pytest.raises(BadConfig, match="names no questions"):
        registry.solver(f"sql:{shop}")
    (shop.parent / "text.db").write_text("no database", encoding="utf-8")
    with pytest.raises(BadConfig, match="is no SQLite database"):
        registry.solver(f"sql:{shop.parent / 'text.db'}?questions={shop.parent / 'q.jsonl'}").listed(1)
    with pytest.raises(BadInstance, match="sha256"):
        SqlSolver().parse('{"question": "a", "query": "b", "databases": ["c"]}')
    with pytest.raises(BadInstance, match="made_from"):
        SqlSolver().parse('{"kind": "count_city"}')


def test_the_file_is_never_written_to(shop: Path) -> None:
    before = shop.read_bytes()
    solver = opened(shop)
    row = next(iter(solver.listed(1) or ()))
    for query in (
        "SELECT 1; DROP TABLE goods",
        "WITH x AS (SELECT 1) DELETE FROM goods",
        "PRAGMA journal_mode = WAL",
        "ATTACH 'x.db' AS x",
    ):
        assert not solver.verify(row, f"```sql\n{query}\n```").correct
    assert shop.read_bytes() == before
    assert sorted(path.name for path in shop.parent.iterdir()) == ["other.db", "q.jsonl", "shop.db"]


def test_a_run_over_ones_own_questions(shop: Path, tmp_path: Path) -> None:
    title = f"sql:{shop}?questions={shop.parent / 'q.jsonl'}"
    assert reasoner.solve(
        title, SqlSolver().format(next(iter(opened(shop).listed(1) or ()))), strategy="cot", model="teacher", db=tmp_path / "c.db"
    ).correct
    made = reasoner.bench(title, strategy="repair(direct)", model="teacher", n=3, db=tmp_path / "t.db")
    assert [result.correct for result in made.report.results] == [True] * 3
    assert reasoner.replay(db=tmp_path / "t.db").exact
    row: SqlTask = list(opened(shop).listed(1) or ())[2]
    drawing = opened(shop).drawing(row, "Answer: SELECT name FROM goods WHERE price > 3 UNION SELECT 'pan'")
    assert isinstance(drawing, Table)
    assert [(line[0].text, line[0].right) for line in drawing.rows] == [("figs", True), ("nuts", True), ("pan", False)]
