"""A verdict that takes its time holds up nobody else: families that say they are slow are judged beside the event loop."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.types import Verdict
from solvers.sum import SumSolver


def names_of_threads(monkeypatch: pytest.MonkeyPatch, db: Path, *, slow: bool) -> set[str]:
    """Bench two sums; return the threads their verdicts were found in. Slow ones wait for each other: both have to be under way at once."""
    met = threading.Barrier(2)
    seen: set[str] = set()
    verify = SumSolver.verify

    def judged(self: SumSolver, instance: Any, text: str) -> Verdict:
        seen.add(threading.current_thread().name)
        if slow:
            met.wait(timeout=60)
        return verify(self, instance, text)

    monkeypatch.setattr(SumSolver, "slow", slow)
    monkeypatch.setattr(SumSolver, "verify", judged)
    made = reasoner.bench("sum", strategy="cot", model="teacher", n=2, db=db)
    assert made.rows[0].correct == 2
    return seen


def test_slow_verdicts_are_found_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert names_of_threads(monkeypatch, tmp_path / "t.db", slow=True) == {"reasoner-verify"}


def test_quick_ones_cost_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "reasoner-verify" not in names_of_threads(monkeypatch, tmp_path / "t.db", slow=False)
