"""Tables that fit: ids and numbers are whole at any width, what matters least is left out first."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from reasoner.cli.columns import MIN_TEXT, Fit, fitted
from reasoner.cli.lists import runs_table, trajectories_table
from reasoner.cli.output import safe

COLUMNS = (Fit("id"), Fit("question", text=True), Fit("model", text=True, drop=2), Fit("started", drop=1), Fit("tokens", right=True))


def written(table: object, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(table)
    return console.export_text().splitlines()


@given(
    width=st.integers(40, 200),
    tokens=st.lists(st.integers(0, 10**9), min_size=1, max_size=5),
    text=st.text("ab 字", min_size=1, max_size=90),
)
def test_no_number_is_cut_and_no_line_is_longer(width: int, tokens: list[int], text: str) -> None:
    rows = [[safe(cell) for cell in ("0123456789ab", f"x{text}", text, "11-30 00:00", str(n))] for n in tokens]
    lines = written(fitted(COLUMNS, rows, width=width), width)
    assert len(lines) == len(tokens) + 1, "one line a row"
    for line, n in zip(lines[1:], tokens, strict=True):
        assert line.startswith("0123456789ab ")
        assert line.rstrip().endswith(str(n))


def test_what_matters_least_goes_first() -> None:
    rows = [[safe(cell) for cell in ("0123456789ab", "q" * 60, "m" * 60, "11-30 00:00", "123456")]]
    heads = {width: written(fitted(COLUMNS, rows, width=width), width)[0].split() for width in (200, 50, 30)}
    assert heads[200] == ["id", "question", "model", "started", "tokens"]
    assert heads[50] == ["id", "question", "started", "tokens"]
    assert heads[30] == ["id", "question", "tokens"]
    assert MIN_TEXT < 20


def test_a_column_without_a_word_takes_no_room() -> None:
    rows = [[safe("a"), safe("q"), safe(""), safe(""), safe("1")]]
    assert written(fitted(COLUMNS, rows, width=80), 80)[0].split() == ["id", "question", "tokens"]


def test_a_dash_stands_where_nothing_was_judged() -> None:
    common = {
        "status": "finished",
        "resumable": False,
        "created": "2026-11-30T00:00:30",
        "models": ["local"],
        "prompt_tokens": 3,
        "completion_tokens": 4,
    }
    rows = [
        common | {"id": "a" * 12, "solvers": ["chat"], "strategies": ["plain"], "correct": None, "judged": 0},
        common | {"id": "b" * 12, "solvers": ["sum"], "strategies": ["cot"], "correct": 1, "judged": 2},
    ]
    asked = {"a" * 12: {"asked": "Who was Ada?", "answer": "A mathematician."}}
    first, second = written(runs_table(rows, asked, width=80), 80)[1:]
    assert "Who was Ada?" in first
    assert "A mathematician." in first
    assert first.split()[-2:] == ["–", "7"]
    assert second.split()[-2:] == ["1/2", "7"]


def test_a_trajectory_shows_question_answer_and_reason() -> None:
    base = {
        "strategy": "cot",
        "model": "m",
        "solver": "sum",
        "status": "closed",
        "error": None,
        "tokens": 12345,
        "annotation_label": None,
        "annotation_note": None,
    }
    rows = [
        base | {"id": "c" * 16, "asked": "1 2", "answer": "So.\nAnswer: 3", "correct": 1, "reason": "it holds"},
        base
        | {
            "id": "d" * 16,
            "asked": "1 4",
            "answer": None,
            "correct": None,
            "reason": None,
            "status": "failed",
            "error": "the server said 503",
        },
    ]
    lines = written(trajectories_table(rows, width=80), 80)
    assert lines[0].split() == ["trajectory", "question", "right", "answer", "reason", "tokens"]
    assert lines[1].split() == ["c" * 16, "1", "2", "✓", "3", "it", "holds", "12345"]
    assert "– failed" in lines[2]
    assert "the server said 503" in lines[2]
    noted = [rows[0] | {"annotation_label": "good", "annotation_note": ""}, rows[1] | {"annotation_label": "", "annotation_note": "why?"}]
    head, first, second, *_ = written(trajectories_table(noted, width=80), 80)
    assert "label" in head.split()
    assert "good" in first
    assert "✎" in second
