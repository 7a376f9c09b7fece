"""Choose which stored trajectories become records, and verify each of them again.

What is chosen by default are trajectories whose verdict is correct; preferences and labels need the wrong ones too. The verifier is run
on the stored answer now: one whose verdict no longer holds is left out and counted.

    for judged in rows(store, Filters(solver="game24").where(both=False), tally, judge): ...
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from reasoner import registry
from reasoner.datasets.records import Origin
from reasoner.errors import BadConfig, UsageError
from reasoner.store import reading
from reasoner.store.annotations import annotation, any_annotation, checked_label
from reasoner.store.reading import Answered, chosen
from reasoner.text import answer_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.solver import Solver
    from reasoner.store import Store
    from reasoner.store.reading import Where

MAX_REMEMBERED = 20_000
"""Verdicts of one export that are remembered; all are forgotten when there are more."""
MAX_REMEMBERED_CHARS = 1_000

Wanted = Literal["default", "correct", "incorrect", "any"]

NO_SOLVER = "its solver is not installed"
NO_LONGER = "it no longer verifies"
UNJUDGED = "its verifier gives no verdict now"
CHANGED = "it was found wrong, and verifies now"
UNREADABLE = "its problem cannot be read by the solver"
ANSWER = "answer"
"""What a lineage calls the answer of an agent, where a tool gave it."""
NO_CALL = "no call of its own holds the answer"
NOT_IN_REPLY = "the reply of the answering call does not hold the answer: it was put together from several calls"


@dataclass(slots=True)
class Tally:
    """How many trajectories were looked at, how many records were taken, how many left out and why; and counts for the card."""

    seen: int = 0
    taken: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    not_selected: dict[str, int] = field(default_factory=dict)
    """Trajectories that the other filters take and `verdict` does not, by what became of them."""
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """By `solver`, `level`, `strategy`, `model`, `split`: how many rows."""
    lengths: dict[str, Counter[int]] = field(default_factory=dict)
    """Histogram of the lengths of rows, by unit (`tokens` or `characters`): lower bound of the bin to rows."""
    total_length: int = 0
    compared: dict[str, int] = field(default_factory=dict)
    """What of the evaluation files could not be compared, or only as a whole: how many texts."""
    findings: Counter[str] = field(default_factory=Counter)
    """What the scan found, by kind, in texts."""
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Per file: rows, bytes, sha256."""
    preview: list[dict[str, Any]] = field(default_factory=list)

    def leave_out(self, reason: str) -> None:
        """Count one that is not taken."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1

    def measure(self, unit: str, length: int) -> None:
        """Count one row of a length; bins are powers of two."""
        low = 1 << (length.bit_length() - 1) if length else 0
        histogram = self.lengths.get(unit)
        if histogram is None:
            histogram = self.lengths[unit] = Counter()
        histogram[low] = histogram.get(low, 0) + 1
        self.total_length += length

    def count(self, what: str, value: str, n: int = 1) -> None:
        """Count n rows under a value."""
        self.counts.setdefault(what, Counter())[value] += n


@dataclass(frozen=True, slots=True)
class Filters:
    """Which trajectories to take; an empty field takes all."""

    run: str = ""
    solver: str = ""
    """A family (`question`), or one with its source (`question:mine.jsonl`)."""
    strategy: str = ""
    """A strategy's name (`ats`), or one with its parameters (`ats:order=dfs`)."""
    model: str = ""
    verdict: Wanted = "default"
    """`default`: correct ones for what teaches by example, all that have a verdict for preferences and labels. `any` takes also those
    that no verifier has judged."""
    min_score: float | None = None
    min_tokens: int | None = None
    max_tokens: int | None = None
    """Completion tokens of the whole trajectory."""
    since: str = ""
    until: str = ""
    """ISO dates or times in UTC; `until` is not included."""
    label: str = ""
    """The label of a trajectory's annotation."""

    def __post_init__(self) -> None:
        if self.verdict not in {"default", "correct", "incorrect", "any"}:
            raise BadConfig(f"`verdict` {self.verdict!r} cannot be", hint="one of: correct, incorrect, any")

    def where(self, *, both: bool, verdicts: bool = True) -> Where:
        """Return the conditions; `both` when the default is correct and wrong ones, without `verdicts` none on verdicts."""
        wanted = [verdict for verdict in self.verdicts(both=both) if verdict is not None]
        return chosen(
            run=self.run, model=self.model, solver=self.solver, strategy=self.strategy,
            correct=wanted if verdicts and self.verdict != "any" else None,
            min_score=self.min_score if verdicts else None, min_tokens=self.min_tokens, max_tokens=self.max_tokens,
            since=self.since and _checked_date(self.since), until=self.until and _checked_date(self.until),
            label=self.label and checked_label(self.label),
        )  # fmt: skip

    def verdicts(self, *, both: bool) -> tuple[int | None, ...]:
        """Return the verdicts taken: 1 correct, 0 wrong, None no verdict."""
        wanted: dict[str, tuple[int | None, ...]] = {
            "default": (0, 1) if both else (1,), "correct": (1,), "incorrect": (0,), "any": (1, 0, None),
        }  # fmt: skip
        return wanted[self.verdict]

    def as_dict(self) -> dict[str, Any]:
        """Return what was asked for, without empty fields."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) not in {"", None, "default"}}


def _checked_date(text: str) -> str:
    from datetime import datetime  # noqa: PLC0415 - seldom needed

    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise BadConfig(f"{text!r} is no date", hint="write it as 2026-11-24 or 2026-11-24T18:00") from error
    return text


@dataclass(slots=True)
class Judged:
    """One trajectory that passed: its row, its solver (None where it is not installed) and its origin."""

    row: Answered
    solver: Solver[Any] | None
    origin: Origin
    _instance: Any = None

    @property
    def instance(self) -> Any:
        """The problem's instance, read when it is first asked for."""
        if self._instance is None and self.solver is not None:
            self._instance = self.solver.Instance.model_validate_json(self.row.instance)
        return self._instance


class Judge:
    """Verifies rows again. `trust` takes the stored verdicts as they are (the caller then answers for them).

    `submissions`: an answer that a tool call of the reply gave stands in the reply (such rows are left out otherwise). `families`: say which family each problem belongs to; without a split the problem itself does.
    """

    def __init__(self, store: Store, *, trust: bool = False, families: bool = True, submissions: bool = True) -> None:
        self._submissions = submissions
        self._any_actions = reading.any_actions(store)
        self._any_annotations = any_annotation(store)
        self._store = store
        self._trust = trust
        self._families = families
        self._solvers: dict[str, Solver[Any] | None] = {}
        self._known: dict[tuple[str, str], bool] = {}
        self.imported = reading.imported(store)

    def solver(self, name: str) -> Solver[Any] | None:
        """Return a solver, None when it is not installed."""
        if name not in self._solvers:
            try:
                self._solvers[name] = registry.solver(name)
            except UsageError:
                self._solvers[name] = None
        return self._solvers[name]

    def judge(self, row: Answered, tally: Tally) -> Judged | None:
        """Return a row that stands, None (counted) when it does not."""
        solver = self._solvers.get(row.solver) or self.solver(row.solver)
        if solver is None:
            if row.correct is not None:
                tally.leave_out(NO_SOLVER)
                return None
            return Judged(row, None, Origin(row.solver, row.problem_id, row.level, (row.model,), (row.strategy,)))
        judged = Judged(row, solver, Origin(row.solver, row.problem_id, row.level, (row.model,), (row.strategy,)))
        if self._trust and not self._families:
            return judged
        answer = row.answer or ""
        known = self._known.get((row.problem_id, answer))
        if self._families or known is None:
            try:
                instance = judged.instance
            except ValueError:
                tally.leave_out(UNREADABLE)
                return None
            if self._families:
                judged.origin.family = stable(solver.family(instance))
        if row.correct is not None and not self._trust:
            correct = self._correct(solver, judged, answer) if known is None else known
            if correct != bool(row.correct):
                tally.leave_out(UNJUDGED if correct is None else NO_LONGER if row.correct else CHANGED)
                return None
        return judged

    def _correct(self, solver: Solver[Any], judged: Judged, answer: str) -> bool | None:
        """Verify an answer; None where the verifier gives no verdict.

        A verifier is exact and deterministic, so within one export the same answer to the same problem (an id names one solver and one
        instance) is put to it once, as long as it is remembered.
        """
        correct = self._known.get((judged.row.problem_id, answer))
        return self._verify(solver, judged.row.problem_id, judged.instance, answer) if correct is None else correct

    def _verify(self, solver: Solver[Any], problem_id: str, instance: Any, answer: str) -> bool | None:
        """Ask the verifier, and remember what it said."""
        correct: bool | None = solver.verify(instance, answer).correct
        if correct is not None and len(answer) <= MAX_REMEMBERED_CHARS:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[problem_id, answer] = correct
        return correct

    def holds_answer(self, judged: Judged) -> bool:
        """Tell whether the answering call's reply itself holds the answer, as a training row's has to."""
        row = judged.row
        if row.answer == row.reply or judged.solver is None:
            return True
        if self.is_submitted(row):
            return self._submissions  # it stands in the call of a tool that the reply asks for, or in what the tool gave
        if not row.correct and answer_line(row.reply or "") is None:
            return False  # a vote, a proposal, a part: the wrong answer was put together from several
        return bool(self._correct(judged.solver, judged, row.reply or "")) == bool(row.correct)

    def is_submitted(self, row: Answered) -> bool:
        """Tell whether a tool gave the answer: an action says so, or the lineage of a row that was read back."""
        if row.run_id in self.imported and self._noted(row).get(ANSWER):
            return True
        return self._any_actions and reading.submitted(self._store, row.id, row.answer or "")

    def _noted(self, row: Answered) -> dict[str, Any]:
        """Return the lineage that an import noted; empty where there is none: what a search left on its root may have any form."""
        noted = reading.root_state(self._store, row.id).get("lineage")
        try:
            found = json.loads(noted) if isinstance(noted, str) else None
        except (ValueError, RecursionError):
            found = None
        return found if isinstance(found, dict) else {}

    def lineage(self, row: Answered) -> dict[str, Any]:
        """Return where a record comes from; every id resolves in the store it was searched in."""
        made: dict[str, Any] = {
            "run": row.run_id,
            "trajectory": row.id,
            "calls": [row.key] if row.n_calls == 1 and row.key else reading.call_keys(self._store, row.id),
            "problem": row.problem_id,
            "solver": row.solver,
            "instance": row.line,
            "level": row.level,
            "strategy": row.strategy,
            "model": row.model,
        }
        if row.judged_by:
            made["judged_by"] = row.judged_by
        if row.run_id in self.imported:
            made = self._noted(row) or made
        return self.annotated(made, row.id) if self._any_annotations or "annotation" in made else made

    def annotated(self, lineage: dict[str, Any], trajectory_id: str) -> dict[str, Any]:
        """Return a lineage with the annotation its trajectory has now, and no other."""
        found = annotation(self._store, trajectory_id) if self._any_annotations else None
        rest = {name: value for name, value in lineage.items() if name != "annotation"} if "annotation" in lineage else lineage
        return {**rest, "annotation": {"label": found["label"], "note": found["note"]}} if found else rest

    def of_conversation(self, row: Answered) -> dict[str, Any]:
        """Return the lineage of a conversation: with the answer where a tool gave it, since the row's texts do not say it."""
        made = self.lineage(row)
        return {**made, ANSWER: row.answer} if row.answer != row.reply and self.is_submitted(row) else made


def stable(value: Any) -> str:
    """Write a hashable value so that it reads the same in every process: sets have no order of their own."""
    if isinstance(value, str):
        return value
    if isinstance(value, (set, frozenset)):
        return "{" + ", ".join(sorted(map(stable, value))) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(stable, value)) + ")"
    return repr(value)


def rows(store: Store, where: Where, tally: Tally, judge: Judge, *, agents: bool = True) -> Iterator[Judged]:
    """Yield the trajectories that pass and stand, in the order they were opened; without `agents` those in which nothing was done."""
    for row in reading.answered(store, where if agents else reading.by_agents(where, none=True)):
        tally.seen += 1
        judged = judge.judge(row, tally)
        if judged is not None:
            yield judged
