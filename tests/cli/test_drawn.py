"""Drawings in the terminal: what `tree` prints of an answer, that wrong cells carry a sign, and that nothing of a model's text steers the terminal."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

import reasoner
from reasoner.cli.app import app
from reasoner.cli.drawn import lines_of
from reasoner.clients.scripted import ScriptedClient
from reasoner.drawing import Cell, Chain, Drawing, Grid, Stop, Table, Vessel, Vessels


def printed(drawing: Drawing) -> str:
    console = Console(file=io.StringIO(), width=100, highlight=False)
    for line in lines_of(drawing):
        console.print(line)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_every_kind_of_drawing_is_printed() -> None:
    assert printed(Vessels("Jugs", ((Vessel(0, 5), Vessel(0, 7)), (Vessel(5, 5), Vessel(2, 7, marked=True))))).splitlines() == [
        "Jugs",
        "0/5  0/7  →  5/5  2/7 ★",
    ]
    assert printed(Chain("Path", (Stop("9"), Stop("10", "+ 1"), Stop("20", "× 2", marked=True)))).splitlines() == [
        "Path",
        "9 (+ 1) → 10 (× 2) → 20 ★",
    ]
    assert printed(Grid("Grid", ((Cell("A"), Cell("B", right=False)), (Cell(""), Cell("", right=False))))).splitlines() == [
        "Grid",
        " A ✕B",
        " · ✕·",
    ]
    told = printed(
        Table("Rows", ("name", "n"), ((Cell("salt"), Cell("1")), (Cell("figs"), Cell("2", right=False))), (("rows", "9, 2 are shown"),))
    )
    assert [line.rstrip() for line in told.splitlines()] == ["Rows", "name  n", "salt  1", "figs  ✕ 2", "rows: 9, 2 are shown"]


def test_a_table_is_bounded_and_nothing_in_it_steers_the_terminal() -> None:
    text = printed(
        Table("\x1b[2J[red]t", tuple("h" * 300 for _ in range(60)), (tuple(Cell("\x1b[31m\u202e[b]x") for _ in range(60)),) * 200)
    )
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]t" in text


@pytest.mark.parametrize(
    ("solver", "answer", "shown"),
    [
        ("number_path", "Answer: 3 -> 6 -> 7", ["The path to", "3 (× 2) → 6 (+ 1) → 7"]),
        ("schedule", "Answer: A1 0, A2 1, B1 0", ["The machines: A2 begins at 1, before A1 has ended", "A1"]),
        ("sql", "Answer: SELECT 1 AS one", ["one", "✕ 1"]),
        ("code", "```python\ndef clamp(number, low, high):\n    return number\n```", ["The tests of clamp", "call", "wanted", "✕ "]),
    ],
)
def test_tree_draws_the_answer_below_the_thoughts(tmp_path: Path, solver: str, answer: str, shown: list[str]) -> None:
    lines = {
        "number_path": "2 3 7",
        "schedule": '{"kind": "jobs", "items": [{"name": "A1", "length": 3, "needs": ["saw"]}, {"name": "A2", "length": 2, "needs": ["drill"], "after": "A1"}, {"name": "B1", "needs": ["press"]}]}',
        "sql": '{"theme": "shop", "made_from": "5f3a90c1", "kind": "count_city"}',
        "code": '{"function": "clamp", "made_from": "5"}',
    }
    reasoner.solve(solver, lines[solver], strategy="direct", model=ScriptedClient([answer]), db=tmp_path / "t.db")
    result = CliRunner().invoke(app, ["tree", "--db", str(tmp_path / "t.db")])
    assert result.exit_code == 0, result.output
    for text in shown:
        assert text in result.output


def test_an_answer_that_cannot_be_drawn_leaves_the_tree_alone(tmp_path: Path) -> None:
    reasoner.solve("number_path", "2 3 7", strategy="direct", model=ScriptedClient(["no idea"]), db=tmp_path / "t.db")
    result = CliRunner().invoke(app, ["tree", "--db", str(tmp_path / "t.db")])
    assert result.exit_code == 0
    assert "The path" not in result.output
