"""What came of a run: one result for each trajectory, and the report of them all.

result.correct, result.answer, result.spent.calls
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.budget import Spent
from reasoner.errors import StoreError
from reasoner.runs.result_html import MAX_LINES, Shown, result_html, table_html
from reasoner.sequences import Lazy
from reasoner.store import Store
from reasoner.store.claims import TrajectoryRow
from reasoner.store.queries import load_trajectory, problem_of, trajectory_row
from reasoner.store.records import Closing
from reasoner.text import after_answer, answer_line, shorten
from reasoner.types import Problem, Verdict

if TYPE_CHECKING:
    from reasoner.store.records import TrajectoryStatus
    from reasoner.store.run_queries import InsideThought
    from reasoner.trajectory import Trajectory


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one strategy on one problem.

    `row` says what was asked of whom, `closing` how it ended. `new_calls` are the calls made by this process; the rest were read back.
    """

    row: TrajectoryRow
    closing: Closing
    new_calls: int = 0
    db: Path | None = field(default=None, compare=False)
    """The database that holds the trajectory."""
    output: Any = None
    """The answer as an instance of the `output_type` that `ask` was given; else None."""
    _loaded: dict[str, Trajectory] = field(default_factory=dict, compare=False, repr=False)

    @property
    def trajectory_id(self) -> str:
        """The id of the trajectory, for `reasoner show` and `tree`."""
        return self.row.id

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.row.run_id

    @property
    def problem(self) -> Problem:
        """What was asked."""
        return self.row.problem

    @property
    def strategy(self) -> str:
        """The strategy as tables write it."""
        return self.row.strategy

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.row.model

    @property
    def sample(self) -> int:
        """Which of the samples of the problem this is, from 0."""
        return self.row.sample

    @property
    def status(self) -> TrajectoryStatus:
        """`closed`; `exhausted` where a budget ended it; `failed` where a call failed for good; `open` where an action waits for a person."""
        return self.closing.status

    @property
    def text(self) -> str | None:
        """The whole reply that was judged; None where there is none."""
        return self.closing.answer

    @property
    def answer(self) -> str | None:
        """The answer alone; the whole reply where no answer is marked in it; None where there is no reply."""
        text = self.closing.answer
        if text is None:
            return None
        return after_answer(text) if self.problem.solver == "chat" else answer_line(text) or text.strip()

    @property
    def reasoning(self) -> str:
        """What the model thought before the reply that holds the answer; empty where it does not say."""
        if self.closing.answer_thought is None:
            return ""
        dag = self.trajectory
        thought = dag.thought(self.closing.answer_thought)
        while not thought.reasoning and (above := dag.parents(thought)) and dag.call_of(above[0]) == dag.call_of(thought):
            thought = above[0]  # a part of a reply stands under it
        return thought.reasoning

    @property
    def verdict(self) -> Verdict | None:
        """What the verifier says; None where nothing was judged."""
        return self.closing.verdict

    @property
    def correct(self) -> bool | None:
        """Whether the verifier, or the judge that `verdict.judged_by` names, found the answer right; None where nothing was judged."""
        return None if self.closing.verdict is None else self.closing.verdict.correct

    @property
    def spent(self) -> Spent:
        """What the trajectory used, all branches included."""
        return self.closing.spent

    @property
    def at_limit(self) -> bool:
        """Whether the reply that holds the answer ended at the token limit."""
        return self.closing.at_limit

    @property
    def dag_hash(self) -> str:
        """One hash over the graph of thoughts."""
        return self.closing.dag_hash

    @property
    def error(self) -> str | None:
        """Why it failed or was ended; None where it closed."""
        return self.closing.error

    @property
    def error_kind(self) -> str | None:
        """The class of the error, a name in `reasoner.errors`."""
        return self.closing.error_kind

    @property
    def trajectory(self) -> Trajectory:
        """The graph of thoughts, read from the database when it is first asked for.

        Raises:
            StoreError: the database is gone.
        """
        if "dag" not in self._loaded:
            with Store.read(self.db) as store:
                self._loaded["dag"] = load_trajectory(store, self.row.id)
        return self._loaded["dag"]

    def __repr__(self) -> str:
        """Say on one line what came out, of what, and what it took."""
        verdict = {True: "correct", False: "not correct", None: "not judged"}[self.correct]
        spent = f"{self.spent.calls} calls, {self.spent.prompt_tokens + self.spent.completion_tokens} tokens"
        what = f"{self.problem.solver} {shorten(asked(self.problem), 60)!r}"
        answer = shorten(self.answer or self.error or "", 100)
        return f"<Result {verdict}: {answer!r} ({what}, {self.strategy} on {self.model}, {spent}, trajectory {self.trajectory_id})>"

    def _repr_html_(self) -> str:
        """Draw it for a notebook: verdict, answer and the tree of thoughts."""
        spent = self.spent
        used = f"{spent.calls} call(s), {spent.prompt_tokens + spent.completion_tokens} tokens, {spent.seconds:.1f} s"
        shown = Shown(
            (self.problem.solver, asked(self.problem), f"{self.strategy} on {self.model}"),
            self.correct,
            self.verdict.reason if self.verdict else "",
            self.answer or "(no answer)",
            f"{used} · trajectory {self.trajectory_id}",
            f"{self.status}: {self.error}" if self.error else "",
        )
        return result_html(shown, self.trajectory)


class Ids(Lazy[str]):
    """Ids of trajectories, which all have one length, in little more memory than their digits."""

    def __init__(self, ids: Iterable[str]) -> None:
        line = iter(ids)
        first = next(line, "")
        self._width = len(first)
        self._digits = "".join((first, *line))

    def __len__(self) -> int:
        return len(self._digits) // self._width if self._width else 0

    def items(self, places: range) -> Iterator[str]:
        """Cut ids out of the digits."""
        return (self._digits[place * self._width : (place + 1) * self._width] for place in places)


class StoredResults(Lazy[Result]):
    """The results of a run in the order of its plan; what is not in memory is read from the database when it is asked for.

    `known` are results in memory by place, `new_calls` the calls made by this process by place, without those at the end that have none.
    """

    def __init__(self, db: Path, ids: Sequence[str], known: Mapping[int, Result], new_calls: Sequence[int]) -> None:
        self._db = db
        self._ids = ids
        self._known = known
        self._new_calls = new_calls

    def __len__(self) -> int:
        return len(self._ids)

    def items(self, places: range) -> Iterator[Result]:
        """Give those in memory, and read the others through one look at the database."""
        store: Store | None = None
        try:
            for place in places:
                if place in self._known:
                    yield self._known[place]
                    continue
                store = store or Store.read(self._db)
                name = self._ids[place]
                row = trajectory_row(store, name)
                if row is None:
                    raise StoreError(f"trajectory {name} is no longer in {self._db}", hint="the file was replaced while it was in use")
                new_calls = self._new_calls[place] if place < len(self._new_calls) else 0
                yield replace(stored_result(store, row), new_calls=new_calls)
        finally:
            if store is not None:
                store.close()

    def __repr__(self) -> str:
        return f"<{len(self)} results>"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run; `results` are in the order of the plan."""

    run_id: str
    resumed: bool
    results: Sequence[Result]
    cut_short: int = 0
    """How many trajectories the run's budget ended."""
    waiting: int = 0
    """How many trajectories wait for a person to decide on an action."""
    inside_thought: Sequence[InsideThought] = ()
    """Replies that the token limit ended before they had begun to answer, by strategy and model."""

    def _repr_html_(self) -> str:
        """Draw it for a notebook: a line for each of the first results."""
        columns = [
            ("problem", True),
            ("strategy", True),
            ("model", True),
            ("verdict", True),
            ("answer", True),
            ("calls", False),
            ("tokens", False),
        ]
        lines = [_line(result) for result in self.results[:MAX_LINES]]
        return table_html(f"run {self.run_id}, {len(self.results)} results", columns, lines, rest=len(self.results) - len(lines))


def _line(result: Result) -> tuple[str, ...]:
    verdict = {True: "✓ correct", False: "✗ not correct", None: "– not judged"}[result.correct]
    spent = result.spent
    what, tokens = asked(result.problem), spent.prompt_tokens + spent.completion_tokens
    return (what, result.strategy, result.model, verdict, result.answer or result.error or "", str(spent.calls), str(tokens))


def asked(problem: Problem) -> str:
    """Return what a person would call the question: the one-line syntax, of a conversation its last message."""
    return str(json.loads(problem.instance)["messages"][-1]["content"]) if problem.solver == "chat" else problem.line


def spent_of(row: Mapping[str, Any]) -> Spent:
    """Return the totals of a trajectory's row."""
    tokens = row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"]
    return Spent(row["calls"], *tokens, row["seconds"], row["cost"], row["cached_calls"])


def stored_result(store: Store, row: Mapping[str, Any]) -> Result:
    """Read what came of a trajectory that has ended from its row (`queries.trajectory_row`)."""
    verdict = None
    if row["score"] is not None:
        metrics = json.loads(row["metrics"] or "{}")
        correct = None if row["correct"] is None else bool(row["correct"])
        verdict = Verdict(
            correct, row["score"], row["reason"], unparsed=bool(row["unparsed"]), metrics=metrics, grader=row["grader"],
            reader=row["reader"], judged_by=row["judged_by"],
        )  # fmt: skip
    identity = TrajectoryRow(
        row["id"], row["run_id"], problem_of(dict(row)), row["strategy"], row["params"], row["model"], row["model_fingerprint"], row["sample"],
        row["fork_of"], row["fork_at"],
    )  # fmt: skip
    closing = Closing(
        row["status"],
        spent_of(row),
        row["dag_hash"],
        row["answer"],
        row["answer_thought"],
        verdict,
        row["error"],
        row["error_kind"],
        at_limit=row["ended"] == "length",
    )
    return Result(identity, closing, db=store.path)
