"""From stored trajectories to records of one kind: what is taken from where, and what is left out for which reason.

for record in records(store, "pair", Filters(), Options(), tally): ...
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from reasoner.datasets import asked, edited, label, reply_steps, stored, thinking, turns
from reasoner.datasets.lineage import FROM_TREE
from reasoner.datasets.records import Conversation, Document, Label, Origin, Pair, Record
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
    from collections.abc import Callable, Iterator

    from reasoner.datasets.options import Options
    from reasoner.datasets.records import Kind
    from reasoner.datasets.search_text import Order
    from reasoner.store import Store

NO_TREE = "it holds no thoughts"
NOT_VERIFIABLE = "no verifier can judge its steps"
NOT_JUDGED = "it has no verdict"
NO_OTHER = {
    True: "no wrong reply to the same prompt stands against it",
    False: "no right reply to the same prompt stands against it",
}
SAME_TEXT = "the two texts are the same but for spaces"
BY_TOOL = "a tool gave its answer, which preferences, labels and steps of replies have no place for"
LENGTH_ONLY = "one text is merely the beginning of the other"
NO_RATING = -1.0
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
        "group": source.groups,
    }
    yield from makers[kind]()
    for record in stored.records(store, kind, filters, tally, source.judge, labels_from=options.labels_from):
        if asked.tokens_fit(source, record):
            yield record


OF_BOTH: frozenset[Kind] = frozenset({"pair", "label", "steps", "prompt", "group"})
"""Kinds that need wrong answers as well: prompts, because what is not solved yet is what there is to learn."""
VERDICTS = {1: "their answers are correct", 0: "their answers are wrong", None: "they have no verdict"}


def not_selected(store: Store, kind: Kind, filters: Filters) -> dict[str, int]:
    """Return how many trajectories the verdicts asked for leave aside, by what they are."""
    counted = reading.by_verdict(store, filters.where(both=True, verdicts=False))
    taken = filters.verdicts(both=kind in OF_BOTH)
    return {VERDICTS[verdict]: n for verdict, n in counted.items() if verdict not in taken}


class Source:
    """One pass over a store."""

    def __init__(self, store: Store, filters: Filters, options: Options, tally: Tally) -> None:
        self.store = store
        self.filters = filters
        self.options = options
        self.tally = tally
        self.judge = Judge(store, trust=options.trust_verdicts, families=bool(options.split), submissions=options.submissions)
        self.contexts = reading.Contexts(store)
        self._of_tree = options.labels_from == FROM_TREE
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

    def is_plain(self, judged: Judged) -> bool:
        """Tell whether the answering call's reply is text alone, as preferences and labels need it; count why not."""
        if not self._single(judged):
            return False
        if judged.row.tool_calls or self.judge.is_submitted(judged.row):
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
        messages, thought = self.contexts.of(row), row.reasoning or ""
        return Conversation(
            judged.origin, _with_thought(lineage, thought, messages), messages, row.reply or "", thought, tool_calls=row.tool_calls,
            tools=tools_of(row.tools) if row.tools else (), among_tools=self._tools, columns=self._columns(judged),
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
        """Yield each prompt that was answered, solved or not, with the share of its answers that are correct."""
        return asked.prompts(self)

    def groups(self) -> Iterator[Record]:
        """Yield each prompt with all whole replies to it and their rewards."""
        return asked.groups(self)

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
        """Yield chains of labelled steps: those of whole replies, or out of trees."""
        return self._tree_steps() if self._of_tree else self._reply_steps()

    def _reply_steps(self) -> Iterator[Record]:
        """Yield each reply divided into its steps, prompt for prompt."""
        for group in self.by_prompt(self._is_judged_reply):
            ready: list[tuple[Judged, reply_steps.Attempt]] = []
            for judged in group:
                attempt = self._attempt(judged)
                if attempt is not None:
                    ready.append((judged, attempt))
            if not ready:
                continue
            prompt = reply_steps.as_text(self.contexts.of(ready[0][0].row))
            whose = {id(attempt): judged for judged, attempt in ready}
            for attempt, made in reply_steps.steps(prompt, [attempt for _, attempt in ready], self.tally.leave_out):
                made.columns.update(self._columns(whose[id(attempt)]))
                yield made

    def _attempt(self, judged: Judged) -> reply_steps.Attempt | None:
        """Return a reply with what it came to; None (counted) where it is no chain of steps of reasoning."""
        row = judged.row
        text, thought = row.reply or "", (row.reasoning or "") if self.options.thinking != "drop" else ""
        if reply_steps.is_json(text):
            self.tally.leave_out(reply_steps.JSON_REPLY)
            return None
        if thought:
            if thinking.holds_tags(thought, text):
                self.tally.leave_out(thinking.NESTED)
                return None
            text = thinking.in_tags(thought, text)
        return reply_steps.Attempt(judged.origin, self.judge.lineage(row), text, bool(row.correct))

    def by_prompt(self, takes: Callable[[Judged], bool]) -> Iterator[list[Judged]]:
        """Yield the trajectories of each prompt that `takes`, which counts those it does not, in the order of problems and of their trajectories.

        A prompt is what the answering call was asked, word for word.
        """
        for group in reading.answered_by_problem(self.store, self.filters.where(both=True)):
            asked_alike: dict[int | None, list[Judged]] = {}
            for row in group:
                self.tally.seen += 1
                judged = self.judge.judge(row, self.tally)
                if judged is not None and takes(judged):
                    asked_alike.setdefault(row.context_id, []).append(judged)
            yield from asked_alike.values()

    def _is_judged_reply(self, judged: Judged) -> bool:
        """Tell whether a trajectory is a whole reply of known outcome; count why not."""
        if judged.row.correct is None:
            self.tally.leave_out(NOT_JUDGED)
            return False
        return self.is_plain(judged)

    def _tree_steps(self) -> Iterator[Record]:
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
                    led = float(made.labels[-1])
                    made.columns.update(rating=led, reason=f"the branch ended with a {'right' if led else 'wrong'} answer")
                yield made

    def _episode(self, judged: Judged) -> turns.Episode:
        row = judged.row
        trajectory, _, thoughts = reading.whole(self.store, row.id)
        return turns.Episode(judged, self.judge.lineage(row), thoughts, trajectory["answer_thought"])

    def labels(self) -> Iterator[Record]:
        """Yield whole replies, correct or not; or the kept and pruned steps of correct trajectories."""
        for judged in self._rows(both=True):
            row = judged.row
            if not self._of_tree:
                if row.correct is None:
                    self.tally.leave_out(NOT_JUDGED)
                    continue
                if not self.is_plain(judged):
                    continue
                messages = self.contexts.of(row)
                lineage = _with_thought(self.judge.lineage(row), row.reasoning, messages)
                columns = self._columns(judged) | self.context_of(row.solver)
                yield Label(judged.origin, lineage, messages, row.reply or "", bool(row.correct), row.reasoning or "", columns=columns)
            elif row.correct:
                tree = self._tree(judged)
                if tree is not None:
                    messages = (Message("user", tree.dag.root.text),)
                    lineage = self.judge.lineage(row)
                    for made in label.labels(
                        tree, messages=messages, origin=judged.origin, lineage=lineage, leave_out=self.tally.leave_out
                    ):
                        made.columns.update(self.context_of(row.solver))
                        if self.options.ratings:
                            made.columns.update(
                                rating=float(made.label), reason=f"the step was {'kept' if made.label else 'pruned'}, rightly"
                            )
                        yield made

    def pairs(self) -> Iterator[Record]:
        """Yield pairs of whole replies to one prompt; or pairs of siblings within trajectories."""
        if not self._of_tree:
            taken: Counter[str] = Counter()
            for group in self.by_prompt(self._is_judged_reply):
                yield from self._reply_pairs(group, taken)
            yield from edited.pairs(self)
            return
        for judged in self._rows(both=True):
            if judged.row.correct is None:
                self.tally.leave_out(NOT_JUDGED)
            else:
                yield from self._sibling_pairs(judged)

    def _reply_pairs(self, group: list[Judged], taken: Counter[str]) -> Iterator[Pair]:
        """Yield the pairs of replies to one prompt; `taken` counts those of its problem, which may have been put in several ways."""
        problem = group[0].row.problem_id
        sides = [judged for judged in group if judged.row.correct], [judged for judged in group if not judged.row.correct]
        for side, against in (sides, sides[::-1]):
            for judged in side if not against else ():
                self.tally.leave_out(NO_OTHER[bool(judged.row.correct)])
        for better in sides[0]:
            for worse in sides[1]:
                if (better.row.score or 0.0) - (worse.row.score or 0.0) < self.options.min_gap:
                    self.tally.leave_out(TOO_CLOSE)
                    continue
                if taken[problem] >= self.options.max_pairs:
                    self.tally.leave_out("more pairs of one problem than `max_pairs`")
                    continue
                pair = self._pair(better, worse)
                if self._differ(pair):
                    taken[problem] += 1
                    yield pair

    def _pair(self, better: Judged, worse: Judged) -> Pair:
        good, bad = better.row, worse.row
        origin = Origin(good.solver, better.origin.family, good.level, _both(good.model, bad.model), _both(good.strategy, bad.strategy))
        messages = self.contexts.of(good)
        lineage = _with_thought(self.judge.lineage(good), good.reasoning, messages)
        lineage |= {"rejected": _with_thought(self.judge.lineage(bad), bad.reasoning, ())}
        columns: dict[str, Any] = self.context_of(good.solver)
        if self.options.ratings:
            columns |= {
                "chosen_rating": float(good.score or 0.0),
                "rejected_rating": float(bad.score or 0.0),
                "chosen_reason": good.reason or "",
                "rejected_reason": bad.reason or "",
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
                pair.columns = self.context_of(judged.row.solver)
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
        """Return the columns of a verdict: never null, which has no type; -1 where there is none."""
        if not self.options.ratings:
            return {}
        row = judged.row
        return {"rating": float(row.score) if row.score is not None else NO_RATING, "reason": row.reason or ""}

    def context_of(self, solver: str) -> dict[str, Any]:
        """Return the column that says what decided, empty where it is not asked for."""
        if not self.options.context:
            return {}
        found = self.judge.solver(solver)
        rules = found.summary if found is not None else solver
        return {
            "context": f"Judged by the exact rules of {solver} ({rules}): what reaches a verified answer is good, what does not is not."
        }


def _both(one: str, other: str) -> tuple[str, ...]:
    return (one,) if one == other else (one, other)


def _with_thought(lineage: dict[str, Any], thought: str | None, messages: tuple[Message, ...]) -> dict[str, Any]:
    """Say in a lineage that a row holds thoughts a model told apart, so that an import does not take them for a part of the text."""
    return {**lineage, "reasoning": True} if thought or [m for m in messages if m.reasoning] else lineage
