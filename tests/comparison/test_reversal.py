"""Reversed pairs: counts by direction, from problems as they are run."""

from __future__ import annotations

import json
from pathlib import Path

import reasoner
from reasoner.cli.bench import reversed_lines
from reasoner.comparison.reversal import directions
from reasoner.runs.problems import draw
from reasoner.types import Completion, Problem, Request


def problem(pair: str, direction: str) -> Problem:
    return Problem("question:x.jsonl", f'{{"pair": "{pair}", "direction": "{direction}"}}', "line")


def test_counts_by_hand() -> None:
    results = [
        (problem("1", "forward"), True),
        (problem("1", "backward"), False),
        (problem("2", "forward"), True),
        (problem("2", "backward"), True),
        (problem("3", "forward"), False),
        (problem("", ""), True),
        (Problem("game24", '{"a": 1}', "1 2 3 4"), True),
    ]
    found = directions(results)
    assert found.as_dict() == {
        "forward": {"n": 3, "correct": 2, "accuracy": 2 / 3},
        "backward": {"n": 2, "correct": 1, "accuracy": 1 / 2},
        "pairs": {"n": 2, "correct": 1},
    }
    assert directions([]).forward_accuracy is None
    assert directions([]).backward_accuracy is None


class OneWay:
    """A model that knows every fact in one direction only."""

    name = fingerprint = "one-way"
    paid = False
    concurrency = 1

    async def complete(self, request: Request) -> Completion:
        assert request.about is not None
        row = json.loads(request.about.problem.instance)
        return Completion(f"Answer: {row['answer']}" if row["direction"] == "forward" else "Answer: nobody knows")

    async def aclose(self) -> None:
        pass


def test_a_curse_shows_in_a_run(tmp_path: Path) -> None:
    n_paired = len([p for p in draw("question", n=38, seed=0) if json.loads(p.instance)["pair"]])
    bench = reasoner.bench("question", strategy="direct", model=OneWay(), n=38, db=tmp_path / "t.db")
    found = directions((outcome.problem, bool(outcome.correct)) for outcome in bench.report.results)
    assert n_paired == 10
    assert (found.forward_accuracy, found.backward_accuracy, found.n_pairs, found.both) == (1.0, 0.0, 5, 0)
    assert bench.as_dict()["reversed_pairs"] == [{"strategy": "direct", "model": "one-way"} | found.as_dict()]
    (line,) = reversed_lines(bench.report.results)
    assert line == "reversed pairs, direct on one-way: forward 5 of 5, backward 0 of 5, both 0 of 5"


def test_a_run_without_pairs_says_nothing_of_them(tmp_path: Path) -> None:
    bench = reasoner.bench("sum", strategy="direct", model="teacher", n=2, db=tmp_path / "t.db")
    assert "reversed_pairs" not in bench.as_dict()
    assert reversed_lines(bench.report.results) == []
