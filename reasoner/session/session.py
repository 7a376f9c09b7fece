"""The session: the one handle a strategy gets. Everything that happens through it is recorded.

`ask` renders a template, makes the call's key, looks whether the journal has the answer already, and only if not has the call made
(`reasoner.calling.caller`), which commits result and thoughts together. The strategy sees an answer after it is committed. Strategies know no
provider and no database; this module knows no strategy, no puzzle, and not how a call is made.

    thought = await session.ask("cot/answer")
    session.mark(thought, status="final")
"""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, BudgetExhausted, ContextTooLong
from reasoner.session.acting import Acting
from reasoner.session.actions import Actions
from reasoner.session.context_fit import less, n_chars, next_form, with_history, with_instructions
from reasoner.session.digit_grouping import NumberFormat, group, ungroup
from reasoner.session.gather import together
from reasoner.session.looking import Looking
from reasoner.session.lookups import Lookups
from reasoner.session.rules import Rules
from reasoner.store.journal import Intent, ThoughtRow, thought_row
from reasoner.text import storable
from reasoner.trajectory import Thought, Trajectory
from reasoner.types import (
    About,
    Answer,
    Completion,
    Constraint,
    Message,
    Problem,
    Request,
    ThoughtStatus,
    ToolSpec,
    Verdict,
    digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reasoner.budget import Budget
    from reasoner.calling.actor import Actor
    from reasoner.calling.caller import Caller
    from reasoner.prompts import Prompts
    from reasoner.session.context_fit import End
    from reasoner.types import Sampling

MAX_THOUGHTS = 20_000
"""A trajectory stops growing here: a model that never stops must not fill the disk."""


class Session(Acting, Looking):
    """One strategy at work on one problem."""

    def __init__(
        self,
        problem: Problem,
        trajectory: Trajectory,
        caller: Caller,
        *,
        prompts: Prompts,
        rules: Rules,
        lookups: Lookups | None = None,
        actor: Actor | None = None,
    ) -> None:
        """Put a session together; the trajectory's root holds the statement."""
        self.problem = problem
        self.statement = trajectory.root.text
        self.trajectory = trajectory
        self._drawn_from = rules.drawn_from or rules.seed
        self.rng = random.Random(int(digest(self._drawn_from, "rng"), 16))
        self.best: Answer | None = None
        self._root = trajectory.root
        self._replayed: set[str] = set()
        self._seed = rules.seed
        self._caller = caller
        self._prompts = prompts
        self._sampling = rules.sampling
        self._by_user = self._sampling.set_fields()
        caller.check(self._sampling)
        self._numbers = rules.numbers
        self._instructions = rules.instructions
        self._lookups = lookups or Lookups()
        self._oracle = rules.oracle
        self._turns: dict[str, Message] = {}
        self._actions = None if actor is None else Actions(actor, trajectory, touch=self._touch, unwritten=self.unwritten)
        self.metrics: dict[str, float] = {}
        self._dirty: dict[str, None] = {trajectory.root.id: None}
        self._written: set[str] = set()

    @property
    def budget(self) -> Budget:
        """What this trajectory, all branches included, has spent and may still spend."""
        return self._caller.budget

    @property
    def root(self) -> Thought:
        """Where this session starts: the problem itself or, in a branch, the branch's own root."""
        return self._root

    @property
    def max_tokens(self) -> int:
        """How many tokens a reply may have."""
        return self._sampling.numbers.max_tokens

    @property
    def replayed_calls(self) -> int:
        """How many calls were taken from the journal, those of all branches included."""
        return len(self._replayed)

    def branch(
        self,
        *,
        parent: Thought | None = None,
        role: str,
        label: str = "",
        statement: str | None = None,
        sampling: Mapping[str, Any] | None = None,
        numbers: NumberFormat = "plain",
        oracle: bool = False,
        lookups: Lookups | None = None,
    ) -> Session:
        """Return a view of this session for a strategy that works inside another.

        It shares journal, budget, limits and graph, so that totals add up and replay holds; it has a root of its own (a note under
        `parent`), its own `rng` (made by hashing, so that branches under way at once do not disturb each other) and its own `best`. What it
        is shown may be another statement; `sampling` overrides single fields for all its calls. `oracle` opens the verifier to the inner
        strategy, whatever the outer one may do. `lookups` are those of another instance: the next turn of a conversation.
        """
        view = copy.copy(self)
        view._root = self.note(statement or "", parent=parent or self.root, role=role, label=label)  # noqa: SLF001 - its own class
        view.statement = self.statement if statement is None else statement
        view.rng = random.Random(int(digest(self._drawn_from, "branch", view.root.path), 16))
        view.best = None
        view._oracle = oracle  # noqa: SLF001
        view._actions = None if self._actions is None else self._actions.within(view.root.path)  # noqa: SLF001
        if lookups is not None:
            view._lookups = lookups  # noqa: SLF001
        if numbers != "plain":
            view._numbers = numbers  # noqa: SLF001
        if sampling:
            view._sampling = replace(self._sampling, **dict(sampling))  # noqa: SLF001
        return view

    def through(self, caller: Caller, sampling: Sampling) -> Session:
        """Return a view of this session that asks another model, a judge: same graph and journal, but what it spends is not the strategy's."""
        view = copy.copy(self)
        view._caller, view._sampling, view._by_user = caller, sampling, frozenset()  # noqa: SLF001 - its own class
        view._numbers, view._actions = "plain", None  # noqa: SLF001
        return view

    async def ask(
        self,
        template: str,
        *,
        parent: Thought | None = None,
        history: Sequence[Message] = (),
        sampling: Mapping[str, Any] | None = None,
        schema: Mapping[str, Any] | Constraint | None = None,
        state: Any = None,
        discard_cache: bool = False,
        continued: bool | None = None,
        truncatable: Mapping[str, End] | None = None,
        shorter: Sequence[Sequence[Message]] = (),
        fewer: Sequence[Mapping[str, Any]] = (),
        room: int = 0,
        whole: bool = False,
        divisible: bool = False,
        tools: Sequence[ToolSpec] = (),
        tool_choice: str = "",
        **variables: Any,
    ) -> Thought:
        """Ask the model one question and return its recorded answer, a child of `parent` (the root when there is none).

        The template is given `statement` and `variables`; `history` goes between its system and its other messages; `sampling`
        overrides single fields of the run's sampling; `schema` constrains the output to a JSON schema; `discard_cache` says that no later prompt
        will hold this answer (an evaluation, say), so that a local model need not keep it in its cache, `continued` whether the next prompt will most likely
        be this one with the answer and more behind it (the turn of an agent) or none will (None: some may, as those of a search do). What does not fit in the context is asked once more, with less of `history` and of the lists that `truncatable` names, see `reasoner.session.context_fit`; where the
        strategy knows better, with the histories of `shorter` instead, one after the other, or with the variables of the first of `fewer` that
        fits beside `room` tokens of answer (the thought's state then has `shortened`); a `whole` question is not. A `divisible` one, which the strategy asks in parts where
        no form of it fits, keeps its `room` to the last form. `tools` are offered to the model; `message` gives its turn with the calls it asks for.

        Raises:
            BudgetExhausted: the call does not fit in the budget of the trajectory or of the run; nothing was asked.
            ClientError: the provider failed for good, see `reasoner.errors`.
            StoreError: the call could not be recorded; nothing was asked, or its answer is not acknowledged.
            BadTemplate: the template cannot be rendered.
        """
        self._check_room()
        node = parent or self.root
        prompt = self._prompts.get(template)
        ordinal = self.trajectory.claim(node, template)
        path = self.trajectory.child_path(node, template, ordinal)

        def asking(history: Sequence[Message], variables: Mapping[str, Any]) -> Intent:
            rendered = with_history(prompt.render({"statement": self.statement, **variables}), history)
            messages = self._shown(with_instructions(rendered, self._instructions))
            if not messages:
                raise BadConfig(f"template {template} rendered to no message", hint="give it a user block")
            request = Request(
                messages=messages,
                sampling=self._caller.sampling_of(replace(self._sampling, **dict(sampling)) if sampling else self._sampling),
                by_user=self._by_user,
                seed=int(digest(self._seed, path)[:8], 16) & 0x7FFFFFFF,
                constraint=schema if schema is None or isinstance(schema, Constraint) else Constraint.schema(schema),
                about=About(self.problem, template, state, variables),
                discard_cache=discard_cache,
                continued=continued,
                room=room,
                tools=tuple(tools),
                tool_choice=tool_choice if tools else "",
            )
            key = digest(self.trajectory.key, node.path, template, str(ordinal), request.canonical())
            return Intent(node.id, path, template, ordinal, prompt.hash, replace(request, key=key))

        def answered(completion: Completion, key: str) -> Thought:
            thought = self.trajectory.add(
                node, role=template, ordinal=ordinal, text=completion.text, state=state, finish_reason=completion.finish_reason,
                mean_logprob=completion.mean_logprob, call=key, reasoning=completion.reasoning,
            )  # fmt: skip
            self._dirty[thought.id] = None
            self._turns[thought.id] = completion.message()
            return thought

        fallback = None if shorter or fewer or whole else less(history, variables, truncatable or {})
        others = [*((one, variables) for one in shorter), *((history, {**variables, **one}) for one in fewer)]
        ways = [(history, variables), *others, *([fallback] if fallback is not None else [])]
        graded = room if fewer else None
        return await self._first_fitting(
            [partial(asking, *way) for way in ways], answered, note=bool(others), graded=graded, divisible=divisible
        )

    async def _first_fitting(
        self,
        ways: Sequence[Callable[[], Intent]],
        answered: Callable[[Completion, str], Thought],
        *,
        note: bool,
        graded: int | None,
        divisible: bool,
    ) -> Thought:
        """Take the first form of a question that was answered before; else ask one form after the other until one fits in the context.

        A divisible question whose last form was refused is not asked again where the journal has answers: the strategy went on with its parts.
        """

        def noted(thought: Thought, level: int) -> Thought:
            if note and level:
                state = self.trajectory.mark_of(thought).state
                self.mark(thought, state={**(state if isinstance(state, dict) else {}), "shortened": level})
            return thought

        for level, way in enumerate(ways if self._caller.committed else []):
            key = way().request.key
            if (known := self._caller.committed.get(key)) is not None:
                self._replayed.add(key)
                return noted(answered(self._caller.replay(known, key), key), level)
        if divisible and self._caller.committed and self._caller.journal.did_not_fit(ways[-1]().request.key):
            raise ContextTooLong("the question did not fit when it was first asked", hint="its parts were asked")
        level = 0
        while level < len(ways) - 1:
            try:
                return noted(await self._call(ways[level](), answered), level)
            except ContextTooLong as error:
                step = partial(next_form, lambda at: n_chars(ways[at]().request.messages), len(ways), level)
                level = level + 1 if graded is None else step(error, room=graded)
        last = ways[level]()
        asked = last if divisible else replace(last, request=replace(last.request, room=0))
        return noted(await self._call(asked, answered), level)

    async def _call(self, intent: Intent, answered: Callable[[Completion, str], Thought]) -> Thought:
        return await self._caller.call(intent, lambda completion: (answered(completion, intent.request.key), self.unwritten()))

    async def ask_many(self, template: str, *, n: int, **arguments: Any) -> list[Thought]:
        """Ask the same question n times at once, each with a seed of its own; n thoughts in ordinal order."""
        return await together(self.ask(template, **arguments) for _ in range(n))

    def render(self, template: str, **variables: Any) -> str:
        """Render the block `text` of a template: the statement of a branch, say.

        Raises:
            BadTemplate: the template cannot be rendered.
        """
        return self._prompts.get(template).render_text({"statement": self.statement, **variables})

    def read(self, thought: Thought) -> str:
        """Return a thought's text as it is to be read: with the number format that the model was shown undone."""
        return self._plain(thought.text)

    def note(self, text: str, *, parent: Thought, role: str, state: Any = None, operation: str = "", label: str = "") -> Thought:
        """Record a thought that has no call of its own: a part of a reply, or a step the strategy took."""
        self._check_room()
        thought = self.trajectory.add(
            parent, role=role, ordinal=self.trajectory.claim(parent, role), text=storable(text), state=state,
            operation=storable(operation, 2000), label=label[:200], call=self.trajectory.call_of(parent),
        )  # fmt: skip
        self._dirty[thought.id] = None
        return thought

    def mark(self, thought: Thought, *, status: ThoughtStatus | None = None, score: float | None = None, state: Any = None) -> None:
        """Say what became of a thought, how it scores, and its state (any JSON value); None leaves a field as it is."""
        self.trajectory.mark(thought, status=status, score=score, state=state)
        self._dirty[thought.id] = None

    def offer(self, text: str, thought: Thought) -> Answer:
        """Name the best answer so far; it is what counts when the budget runs out. Returns it as an `Answer`."""
        self.best = Answer(storable(self._plain(text)), thought.id)
        return self.best

    async def oracle(self, text: str, thought: Thought) -> Verdict:
        """Ask the verifier about an answer, and record that it was asked. For strategies that declare themselves an upper bound.

        Raises:
            BadConfig: the strategy's parameters do not say so.
        """
        if not self._oracle or self._lookups.verify is None:
            raise BadConfig(
                "this strategy may not ask the verifier",
                hint="only a strategy whose `oracle` is true may, see docs/reference/strategies.md",
            )
        verdict = await self._lookups.verify(self._plain(text))
        asked = self.note(verdict.reason, parent=thought, role="oracle/verdict", state={"correct": verdict.correct})
        self.mark(asked, score=verdict.score)
        return verdict

    def measure(self, **metrics: float) -> None:
        """Note measures of this trajectory; they are stored with its verdict and decide nothing."""
        self.metrics.update(metrics)

    def unwritten(self) -> list[ThoughtRow]:
        """Return the rows of thoughts that are new or changed since the last commit, parents first, and count them as written."""
        indices = self.trajectory.graph.nodes
        ids = sorted(self._dirty, key=lambda i: int(indices[i]["index"]))
        self._dirty.clear()
        rows = [thought_row(self.trajectory, i, written=i in self._written) for i in ids]
        self._written.update(ids)
        return rows

    def _touch(self, thought_id: str) -> None:
        self._dirty[thought_id] = None

    def _plain(self, text: str) -> str:
        return text if self._numbers == "plain" else ungroup(text)

    def _shown(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if self._numbers == "plain":
            return messages
        return tuple(replace(message, content=group(message.content)) for message in messages)

    def _check_room(self) -> None:
        """Refuse to grow without end; checked before a call is made, so that no answer is paid for and then dropped."""
        if len(self.trajectory.graph) >= MAX_THOUGHTS:
            raise BudgetExhausted(
                f"the trajectory has {MAX_THOUGHTS} thoughts, the most one may have", hint="use a narrower search", best=self.best
            )
