"""What came of a run: one outcome for each trajectory, and the report of them all.

    stored_outcome(store, row).correct

Knows results and the rows they are kept in; runs nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner.budget import Spent
from reasoner.store.claims import SHARED_BUDGET
from reasoner.store.queries import load_trajectory, problem_of
from reasoner.types import Problem, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.store import Store
    from reasoner.store.records import TrajectoryStatus
    from reasoner.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one strategy on one problem."""

    trajectory_id: str
    run_id: str
    problem: Problem
    strategy: str
    model: str
    sample: int
    status: TrajectoryStatus
    answer: str | None
    verdict: Verdict | None
    spent: Spent
    dag_hash: str
    new_calls: int
    """Calls made by this process; the rest were read back."""
    error: str | None = None
    error_kind: str | None = None
    trajectory: Trajectory | None = field(default=None, compare=False, repr=False)
    """The graph; None in reports of many problems, where it can be loaded by `trajectory_id`."""

    @property
    def correct(self) -> bool:
        """Whether the verifier, or the judge that `verdict.judged_by` names, found the answer correct."""
        return self.verdict is not None and bool(self.verdict.correct)


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run; `outcomes` are in the order of the plan."""

    run_id: str
    resumed: bool
    outcomes: tuple[Outcome, ...]

    @property
    def cut_short(self) -> int:
        """How many trajectories the run's budget ended."""
        return sum(outcome.error_kind == SHARED_BUDGET for outcome in self.outcomes)


def spent_of(row: Mapping[str, Any]) -> Spent:
    """Return the totals of a trajectory's row."""
    tokens = row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"]
    return Spent(row["calls"], *tokens, row["seconds"], row["cost"], row["cached_calls"])


def stored_outcome(store: Store, row: Mapping[str, Any], *, graph: bool = False) -> Outcome:
    """Read what came of a trajectory that has ended from its row (`queries.trajectory_row`), with its graph where that is wanted."""
    verdict = None
    if row["score"] is not None:
        metrics = json.loads(row["metrics"] or "{}")
        correct = None if row["correct"] is None else bool(row["correct"])
        verdict = Verdict(
            correct, row["score"], row["reason"], unparsed=bool(row["unparsed"]), metrics=metrics, grader=row["grader"],
            reader=row["reader"], judged_by=row["judged_by"],
        )  # fmt: skip
    return Outcome(
        trajectory_id=row["id"], run_id=row["run_id"], problem=problem_of(dict(row)), strategy=row["strategy"], model=row["model"],
        sample=row["sample"], status=row["status"], answer=row["answer"], verdict=verdict, spent=spent_of(row), dag_hash=row["dag_hash"],
        new_calls=0, error=row["error"], error_kind=row["error_kind"], trajectory=load_trajectory(store, row["id"]) if graph else None,
    )  # fmt: skip
