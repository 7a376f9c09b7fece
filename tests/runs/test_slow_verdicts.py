"""A verdict that takes its time holds up nobody else: families that say they are slow are judged beside the event loop."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.grading.graders.math_ import Math
from reasoner.grading.graders.number import Number
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


def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, grader: type[Math | Number], reply: str) -> dict[str, set[str]]:
    """Bench two questions; return the threads in which the grader was asked, by method. `math` is asked by both at once."""
    met = threading.Barrier(2)
    seen: dict[str, set[str]] = {}
    monkeypatch.setattr(Math, "ready", classmethod(lambda _: None))

    def noted(method: str) -> None:
        original = getattr(grader, method)

        def call(self: Any, *args: Any, **more: Any) -> Any:
            seen.setdefault(method, set()).add(threading.current_thread().name)
            if grader is Math and method == "judge" and strategy == "direct":
                met.wait(timeout=60)
            return original(self, *args, **more)

        monkeypatch.setattr(grader, method, call)

    noted("judge")
    noted("same")
    rows = [{"question": f"Which {k}?", "answer": f"{k}{'+x' if grader is Math else ''}", "grader": grader.name} for k in (1, 2)]
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    client = ScriptedClient(lambda request: f"Answer: {reply if request.seed % 2 else 'x+y'}")
    made = reasoner.bench(f"question:{tmp_path / 'q.jsonl'}", strategy=strategy, model=client, n=2, db=tmp_path / "t.db")
    assert (made.rows[0].n, made.rows[0].failed) == (2, 0)
    return seen


def test_a_formula_is_compared_beside_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Math-Verify may take a second and a half: votes, the upper bounds and verdicts wait for it in threads."""
    assert asked(tmp_path, monkeypatch, "direct", Math, "1+x") == {"judge": {"reasoner-verify"}}


@pytest.mark.parametrize(
    ("strategy", "methods"), [("self_consistency:n=4", {"judge", "same"}), ("best_of_n:n=3,select=verifier", {"judge"})]
)
def test_votes_and_upper_bounds_wait_beside_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, methods: set[str]
) -> None:
    seen = asked(tmp_path, monkeypatch, strategy, Math, "x+(2-1)")
    assert seen.keys() == methods
    assert set().union(*seen.values()) == {"reasoner-verify"}


def test_numbers_cost_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asked(tmp_path, monkeypatch, "self_consistency:n=4", Number, "1.0")
    assert seen["judge"]
    assert "reasoner-verify" not in set().union(*seen.values())
