"""From stored trajectories to records of one kind: what is taken from where, and what is left out for which reason.

for record in records(store, "pair", Filters(), Options(), tally): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.datasets import label, stored, turns
from reasoner.datasets.records import Conversation, Document, Label, Origin, Pair, Prompt, Record
from reasoner.datasets.search_text import write_search
from reasoner.datasets.select import NO_CALL, NOT_IN_REPLY, UNREADABLE, Filters, Judge, Judged, Tally, rows
from reasoner.datasets.tree import StepTree
from reasoner.errors import UnknownName
from reasoner.prompts import Prompts
from reasoner.store import reading
from reasoner.store.interning import tools_of
from reasoner.store.queries import load_trajectory, trajectory_row
from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.datasets.options import Options
    from reasoner.datasets.records import Kind
    from reasoner.datasets.search_text import Order
    from reasoner.store import Store

NO_TREE = "it holds no thoughts"
NOT_VERIFIABLE = "no verifier can judge its steps"
SAME_TEXT = "the two texts are the same but for spaces"
BY_TOOL = "a tool gave its answer, which a preference or a label has no place for"
LENGTH_ONLY = "one text is merely the beginning of the other"
TOO_CLOSE = "the scores are too close"


def records(store: Store, kind: Kind, filters: Filters, options: Options, tally: Tally) -> Iterator[Record]:
    """Yield all records of a kind, in an order that depends on the store alone; then those that were imported as such."""
    source = Source(store, filters, options, tally)
    makers = {
        "conversation": source.conversations,
        "prompt": source.prompts,
        "document": source.documents,
        "pair": source.pairs,
        "label": source.labels,
        "steps": source.steps,
    }
    yield from makers[kind]()
    yield from stored.records(store, kind, filters, tally, source.judge)


class Source:
    """One pass over a store."""

    def __init__(self, store: Store, filters: Filters, options: Options, tally: Tally) -> None:
        self.store = store
        self.filters = filters
        self.options = options
        self.tally = tally
        self.judge = Judge(store, trust=options.trust_verdicts, families=bool(options.split), submissions=options.submissions)
        self.contexts = reading.Contexts(store)
        self._prompts = Prompts()
        self._tools = reading.any_offered_tools(store, filters.where(both=True))

    def _rows(self, *, both: bool = False) -> Iterator[Judged]:
        return rows(self.store, self.filters.where(both=both), self.tally, self.judge)

    def _single(self, judged: Judged) -> bool:
        """Tell whether the answering call is there and holds the answer; count why not."""
        if judged.row.key is None:
            self.tally.leave_out(NO_CALL)
            return False
        if not self.judge.holds_answer(judged):
            self.tally.leave_out(NOT_IN_REPLY)
            return False
        return True

    def _plain(self, judged: Judged) -> bool:
        """Tell whether the answering call's reply is text alone, as preferences and labels need it; count why not."""
        if not self._single(judged):
            return False
        if judged.row.turn.tool_calls or self.judge.is_submitted(judged.row):
            self.tally.leave_out(BY_TOOL)
            return False
        return True

    def conversations(self) -> Iterator[Record]:
        """Yield one conversation per trajectory: its answering call, or its whole search written as one reply."""
        for judged in self._rows():
            made = self.conversation(judged)
            if made is not None:
                yield made

    def conversation(self, judged: Judged) -> Conversation | None:
        """Return the conversation of one trajectory; None (counted) where there is none."""
        row = judged.row
        if self.options.search_to_text and row.n_calls > 1:
            return self._written(judged)
        if not self._single(judged):
            return None
        lineage = self.judge.of_conversation(row)
        if self.options.search_to_text:
            lineage.setdefault("written_as", None)  # one shape a file
        turn, messages = row.turn, self.contexts.of(row)
        return Conversation(
            judged.origin, _with_thought(lineage, turn, messages), messages, turn.content, turn.reasoning, tool_calls=turn.tool_calls,
            tools=tools_of(row.tools), among_tools=self._tools, columns=self._columns(judged),
        )  # fmt: skip

    def _written(self, judged: Judged) -> Conversation | None:
        order: Order = "bfs" if self.options.search_to_text == "bfs" else "dfs"
        tree = self._tree(judged)
        if tree is None:
            return None
        text, why = write_search(tree, order)
        if text is None:
            self.tally.leave_out(why)
            return None
        messages = self._prompts.get(f"ats/{order}").render({"statement": tree.dag.root.text})
        lineage = {**self.judge.lineage(judged.row), "written_as": f"ats:{order}"}
        return Conversation(judged.origin, lineage, messages, text, among_tools=self._tools, columns=self._columns(judged))

    def prompts(self) -> Iterator[Record]:
        """Yield the prompt of each trajectory's answering call (the same prompt twice is a duplicate, and counted as one)."""
        for judged in self._rows():
            row = judged.row
            if row.key is None:
                self.tally.leave_out(NO_CALL)
            elif judged.solver is None:
                self.tally.leave_out(NOT_VERIFIABLE)
            else:
                yield Prompt(
                    judged.origin, self.judge.lineage(row), self.contexts.of(row), row.solver, row.line, columns=self._context(row.solver)
                )

    def documents(self) -> Iterator[Record]:
        """Yield whole trajectories."""
        for judged in self._rows():
            row = judged.row
            trajectory, calls, thoughts = reading.whole(self.store, row.id)
            for call in calls:
                call["messages"] = self.contexts.get(call["context_id"])
            if not calls:
                self.tally.leave_out(NO_CALL)
                continue
            yield Document(judged.origin, self.judge.lineage(row), trajectory, calls, thoughts)

    def steps(self) -> Iterator[Record]:
        """Yield every branch of known outcome: of searches, trajectory for trajectory; of agents, problem for problem."""
        where = self.filters.where(both=True)
        for judged in rows(self.store, where, self.tally, self.judge, agents=False):
            tree = self._tree(judged)
            if tree is not None:
                prompt, lineage = tree.dag.root.text, self.judge.lineage(judged.row)
                for made in label.steps(tree, prompt=prompt, origin=judged.origin, lineage=lineage, leave_out=self.tally.leave_out):
                    made.columns.update(self._columns(judged))
                    yield made

        for group in reading.answered_by_problem(self.store, reading.by_agents(where)):
            self.tally.seen += len(group)
            standing = [found for row in group if (found := self.judge.judge(row, self.tally)) is not None]
            for made in turns.steps(map(self._episode, standing), self.tally.leave_out):
                if self.options.ratings:
                    made.columns.update(rating=None, reason="turns are judged by where they led")
                yield made

    def _episode(self, judged: Judged) -> turns.Episode:
        row = judged.row
        trajectory, _, thoughts = reading.whole(self.store, row.id)
        return turns.Episode(judged, self.judge.lineage(row), thoughts, trajectory["answer_thought"])

    def labels(self) -> Iterator[Record]:
        """Yield whole replies, correct or not, and the kept and pruned steps of correct trajectories."""
        for judged in self._rows(both=True):
            row = judged.row
            if self.options.labels_from != "trees" and row.correct is not None and self._plain(judged):
                messages = self.contexts.of(row)
                lineage = _with_thought({**self.judge.lineage(row), "thought": None}, row.turn, messages)
                columns = self._columns(judged) | self._context(row.solver)
                yield Label(judged.origin, lineage, messages, row.reply or "", bool(row.correct), row.reasoning or "", columns=columns)
            if self.options.labels_from != "trajectories" and row.correct:
                tree = self._tree(judged)
                if tree is not None:
                    messages = (Message("user", tree.dag.root.text),)
                    lineage = self.judge.lineage(row)
                    for made in label.labels(
                        tree, messages=messages, origin=judged.origin, lineage=lineage, leave_out=self.tally.leave_out
                    ):
                        made.columns.update(self._context(row.solver))
                        if self.options.ratings:
                            made.columns.update(
                                rating=float(made.label), reason=f"the step was {'kept' if made.label else 'pruned'}, rightly"
                            )
                        yield made

    def pairs(self) -> Iterator[Record]:
        """Yield pairs of trajectories of one problem under one prompt, and pairs of siblings within trajectories."""
        for group in reading.answered_by_problem(self.store, self.filters.where(both=True)):
            judged: list[Judged] = []
            for row in group:
                self.tally.seen += 1
                found = self.judge.judge(row, self.tally)
                if found is not None and found.row.correct is not None:
                    judged.append(found)
            if self.options.labels_from != "trees":
                yield from self._trajectory_pairs(judged)
            if self.options.labels_from != "trajectories":
                for found in judged:
                    yield from self._sibling_pairs(found)

    def _trajectory_pairs(self, group: list[Judged]) -> Iterator[Pair]:
        ready = [judged for judged in group if self._plain(judged)]
        taken = 0
        for better in (j for j in ready if j.row.correct):
            for worse in (j for j in ready if not j.row.correct and j.row.context_id == better.row.context_id):
                if (better.row.score or 0.0) - (worse.row.score or 0.0) < self.options.min_gap:
                    self.tally.leave_out(TOO_CLOSE)
                    continue
                if taken >= self.options.max_pairs:
                    self.tally.leave_out("more pairs of one problem than `max_pairs`")
                    continue
                pair = self._pair(better, worse)
                if self._differ(pair):
                    taken += 1
                    yield pair

    def _pair(self, better: Judged, worse: Judged) -> Pair:
        good, bad = better.row, worse.row
        origin = Origin(good.solver, better.origin.family, good.level, _both(good.model, bad.model), _both(good.strategy, bad.strategy))
        messages = self.contexts.of(good)
        lineage = _with_thought(self.judge.lineage(good), good.turn, messages)
        lineage |= {"rejected": _with_thought(self.judge.lineage(bad), bad.turn, ()), "chosen_thought": None, "rejected_thought": None}
        columns: dict[str, Any] = self._context(good.solver)
        if self.options.ratings:
            columns |= {
                "chosen_rating": good.score,
                "rejected_rating": bad.score,
                "chosen_reason": good.reason,
                "rejected_reason": bad.reason,
            }
        thoughts = good.reasoning or "", bad.reasoning or ""
        return Pair(origin, lineage, messages, good.reply or "", bad.reply or "", *thoughts, columns=columns)

    def _sibling_pairs(self, judged: Judged) -> Iterator[Pair]:
        tree = self._tree(judged)
        if tree is None:
            return
        found = label.pairs(
            tree, messages=(Message("user", tree.dag.root.text),), origin=judged.origin, lineage=self.judge.lineage(judged.row),
            min_gap=self.options.min_gap, limit=self.options.max_pairs, leave_out=self.tally.leave_out,
        )  # fmt: skip
        for pair in found:
            if self._differ(pair):
                scores = pair.columns
                pair.columns = self._context(judged.row.solver)
                if self.options.ratings:
                    good, bad = scores["chosen_score"], scores["rejected_score"]
                    why = "share of its known branches that reached a verified answer"
                    pair.columns |= {"chosen_rating": good, "rejected_rating": bad, "chosen_reason": why, "rejected_reason": why}
                yield pair

    def _differ(self, pair: Pair) -> bool:
        """Tell whether the two texts differ in more than spaces, and in more than where they stop."""
        one, other = " ".join(pair.chosen.split()), " ".join(pair.rejected.split())
        if one == other:
            self.tally.leave_out(SAME_TEXT)
            return False
        if not self.options.allow_length_only and (one.startswith(other) or other.startswith(one)):
            self.tally.leave_out(LENGTH_ONLY)
            return False
        return True

    def _tree(self, judged: Judged) -> StepTree | None:
        if judged.solver is None:
            self.tally.leave_out(NOT_VERIFIABLE)
            return None
        row = judged.row
        try:
            dag = load_trajectory(self.store, row.id)
        except UnknownName:
            self.tally.leave_out(NO_TREE)
            return None
        try:
            instance = judged.instance
        except ValueError:
            self.tally.leave_out(UNREADABLE)
            return None
        thought = (trajectory_row(self.store, row.id) or {}).get("answer_thought")
        return StepTree(dag, judged.solver, instance, answer=row.answer, answer_thought=thought)

    def _columns(self, judged: Judged) -> dict[str, Any]:
        return {"rating": judged.row.score, "reason": judged.row.reason} if self.options.ratings else {}

    def _context(self, solver: str) -> dict[str, Any]:
        if not self.options.context:
            return {}
        found = self.judge.solver(solver)
        rules = found.summary if found is not None else solver
        return {
            "context": f"Judged by the exact rules of {solver} ({rules}): what reaches a verified answer is good, what does not is not."
        }


def _both(one: str, other: str) -> tuple[str, ...]:
    return (one,) if one == other else (one, other)


def _with_thought(lineage: dict[str, Any], turn: Message, messages: tuple[Message, ...]) -> dict[str, Any]:
    """Say in a lineage that a row holds thoughts a model told apart, so that an import does not take them for a part of the text."""
    return {**lineage, "reasoning": True} if turn.reasoning or any(m.reasoning for m in messages) else lineage
