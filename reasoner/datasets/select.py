"""Choose which stored trajectories become training rows.

Only trajectories whose verdict is correct are chosen, and the verifier is run on the stored answer again: one that no longer
verifies is left out and counted. Knows the store and the solvers; knows no file format.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.errors import UsageError
from reasoner.plan import instance_of
from reasoner.store.queries import calls, problem_of, prompt_of, verified
from reasoner.types import Message, Problem, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reasoner.store import Store


@dataclass(frozen=True, slots=True)
class Selected:
    """One verified trajectory, with the call its answer came from."""

    trajectory_id: str
    run_id: str
    problem: Problem
    strategy: str
    model: str
    verdict: Verdict
    messages: tuple[Message, ...]
    """What the answering call was asked, first to last."""
    reply: str
    call_keys: tuple[str, ...]
    """All committed calls of the trajectory, in order."""

    def lineage(self) -> dict[str, Any]:
        """Return where the row came from; every id resolves in the store it was exported from."""
        return {
            "run": self.run_id,
            "trajectory": self.trajectory_id,
            "calls": list(self.call_keys),
            "problem": self.problem.id,
            "solver": self.problem.solver,
            "instance": self.problem.line,
            "strategy": self.strategy,
            "model": self.model,
        }


@dataclass(slots=True)
class Tally:
    """How many were looked at, taken, and left out by reason."""

    seen: int = 0
    taken: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str) -> None:
        """Count one that is not taken."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


@dataclass(frozen=True, slots=True)
class Filters:
    """Which trajectories to take; an empty field takes all."""

    run: str = ""
    solver: str = ""
    strategy: str = ""
    """A strategy's name (`ats`), or one with its parameters (`ats:order=dfs`)."""
    model: str = ""

    def admit(self, row: Mapping[str, Any]) -> bool:
        """Tell whether a trajectory row passes."""
        strategy = row["strategy"]
        return (
            (not self.run or row["run_id"] == self.run)
            and (not self.solver or row["solver"] == self.solver)
            and (not self.strategy or self.strategy in {strategy, strategy.partition(":")[0]})
            and (not self.model or row["model"] == self.model)
        )


def select(store: Store, filters: Filters, tally: Tally) -> Iterator[Selected]:
    """Yield the verified trajectories that pass, oldest first, each verified again; `tally` is filled on the way.

    Rows that would repeat the same conversation word for word are left out after the first.
    """
    seen_texts: set[int] = set()
    for row in verified(store):
        if not filters.admit(row):
            continue
        tally.seen += 1
        problem = problem_of(row)
        try:
            solver = registry.solver(problem.solver)
        except UsageError:
            tally.leave_out("its solver is not installed")
            continue
        verdict = solver.verify(instance_of(solver, problem), row["answer"] or "")
        if not verdict.correct:
            tally.leave_out("it no longer verifies")
            continue
        made = [call for call in calls(store, row["id"]) if call["state"] == "done"]
        answering = _answering(store, row["answer_thought"], made)
        if answering is None:
            tally.leave_out("no call of its own holds the answer")
            continue
        messages = prompt_of(store, answering["context_id"])
        text_key = hash((messages, answering["reply"]))
        if text_key in seen_texts:
            tally.leave_out("the same conversation was taken already")
            continue
        seen_texts.add(text_key)
        tally.taken += 1
        keys = tuple(call["key"] for call in made)
        yield Selected(row["id"], row["run_id"], problem, row["strategy"], row["model"], verdict, messages, answering["reply"], keys)


def _answering(store: Store, thought_id: str | None, made: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the call that the answer's thought came from."""
    found = store.row("SELECT call_id FROM thoughts WHERE id = ?", (thought_id,)) if thought_id else None
    return next((call for call in made if found is not None and call["id"] == found["call_id"]), None)
