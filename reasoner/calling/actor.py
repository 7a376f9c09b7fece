"""One action: commit the intent, call the tool, commit the result. The order is what makes a kill at any moment harmless.

A result that is committed is taken first (`committed`), then the one of the trajectory that is forked, and only then is the tool called. A tool of
effect `once` is called at most once: where it was under way when its process ended, nobody calls it again unless a person says so. One of
effect `approve` is not called before a person has agreed. This is the one place that calls a tool. Knows the journal, tools and limits; does
not know what is done, why, or what a strategy makes of it.

    thought = await actor.act(intent, add)
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from reasoner.calling.caller import UnknownPolicy
from reasoner.errors import (
    BudgetExhausted,
    MissingDependency,
    OutcomeUnknown,
    ReasonerError,
    SandboxMissing,
    ToolFailed,
    UnknownName,
    WaitsForApproval,
)
from reasoner.redaction import without_known
from reasoner.store.actions import ActionIntent, Committed, Observed, Pending
from reasoner.text import shorten
from reasoner.tools import Result, bounded, read_arguments
from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reasoner.store.actions import ActionJournal, Decision
    from reasoner.store.journal import ThoughtRow
    from reasoner.tools import Lent, Tool
    from reasoner.trajectory import Thought

    Add = Callable[[Observed], tuple[Thought, list[ThoughtRow]]]
    Earlier = Callable[[ActionIntent], Committed | None]


class ActionLimits(BaseModel):
    """What the actions of one trajectory may use at most; None is no limit.

    `seconds` is the sum of the durations of the actions, `size_bytes` that of their results; an action under way is not cut short by them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    actions: int | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0)
    size_bytes: int | None = Field(default=None, ge=0)


@dataclass(frozen=True, slots=True)
class ActionAsked:
    """An action that a person has to decide on: `arguments` is JSON text as the model wrote it."""

    action_id: int
    trajectory_id: str
    tool: str
    arguments: str


class Actor:
    """Makes the actions of one trajectory."""

    def __init__(
        self,
        journal: ActionJournal,
        tools: Sequence[Tool],
        *,
        seed: str,
        limits: ActionLimits | None = None,
        on_unknown: UnknownPolicy | None = None,
        decide: Callable[[ActionAsked], bool | None] | None = None,
        earlier: Earlier | None = None,
    ) -> None:
        """Make an actor. `decide` asks whoever runs this about an action: yes, no, or None for later (the trajectory is then parked)."""
        self.journal = journal
        self.tools: dict[str, Tool] = {tool.name: tool for tool in tools}
        self.committed, self._pending = journal.load()
        self.made = 0
        self._seed = seed
        self._limits = limits or ActionLimits()
        self._on_unknown = on_unknown
        self._decide = decide
        self._earlier = earlier
        self._opened: dict[tuple[str, str], Tool] = {}
        self._n_actions = 0
        self._seconds = 0.0
        self._size_bytes = 0

    def tool(self, name: str) -> Tool:
        """Return a tool of the run.

        Raises:
            UnknownName: it has none of that name.
        """
        if name not in self.tools:
            raise UnknownName("tool", name, self.tools or ["(the run has none)"])
        return self.tools[name]

    def replay(self, intent: ActionIntent, committed: Committed, *, scope: str = "") -> Observed:
        """Take a committed result; it counts against the limits as it did when it was made, and a tool that keeps something is told."""
        self._n_actions += 1 + len(committed.within)
        for observed in (*(one.observed for one in committed.within), committed.observed):
            self._count(observed)
        tool = self._open(intent.tool, scope)
        try:
            arguments = tool.accept(read_arguments(intent.arguments))
        except ToolFailed:
            return committed.observed  # it was told then that its arguments are wrong, and nothing was done
        lent = [Result(one.observed.ok, one.observed.text) for one in committed.within]
        tool.remember(arguments, Result(committed.observed.ok, committed.observed.text), lent)
        return committed.observed

    async def act(
        self, intent: ActionIntent, arguments: Mapping[str, Any], add: Add, *, lent: Lent | None = None, scope: str = ""
    ) -> Thought:
        """Make an action that has no committed result, and commit what came of it with the thoughts that `add` makes of it.

        Raises:
            BudgetExhausted: the actions of the trajectory have used up their limits.
            WaitsForApproval: a person has to decide first.
            OutcomeUnknown: it was made before, may have happened, and is not to be made again.
            SandboxMissing: it would have to run outside a sandbox.
            StoreError: it could not be recorded.
        """
        tool = self.tool(intent.tool)
        if (kept := self._earlier(intent) if self._earlier else None) is not None:
            observed = self.replay(intent, kept, scope=scope)
            thought, rows = add(observed)
            await self.journal.without_doing(intent, observed, rows, taken_from=kept.id)
            return thought
        self._take_one()
        begun = await self._begun(intent, tool)
        observed = begun.denied or await self._call(begun.id, self._open(tool.name, scope), arguments, lent)
        self._count(observed)
        thought, rows = add(observed)
        await self.journal.done(begun.id, observed, rows)
        return thought

    async def refuse(self, intent: ActionIntent, why: str, add: Add) -> Thought:
        """Commit that an action cannot be made as it was asked for: the model is told why."""
        self._take_one()
        observed = Observed(f"Error: {why}", ok=False)
        self._count(observed)
        thought, rows = add(observed)
        await self.journal.without_doing(intent, observed, rows)
        return thought

    async def aclose(self) -> None:
        """Release what this trajectory's tools hold. Safe to call twice."""
        opened, self._opened = self._opened, {}
        for (name, _), tool in opened.items():
            if tool is not self.tools[name]:
                await tool.aclose()

    async def _begun(self, intent: ActionIntent, tool: Tool) -> _Begun:
        """Commit that an action is about to be made, once it may be."""
        pending = self._pending.pop(intent.key, None)
        if pending is not None and pending.state == "unknown":
            if tool.effect != "pure":
                self._ask_about_lost(pending, tool)
            return _Begun(await self.journal.intent(intent))
        if tool.effect != "approve":
            return _Begun(await self.journal.intent(intent))
        if pending is None or pending.state not in {"waiting", "approved", "denied"}:
            pending = Pending(await self.journal.wait(intent), "waiting")
        if pending.state == "waiting":
            pending = await self._decided(pending, intent)
        if pending.state == "approved":
            await self.journal.go_on(pending.id)
            return _Begun(pending.id)
        await self.journal.decline(pending.id)
        return _Begun(
            pending.id, Observed(f"A person did not allow this.{' ' + pending.reason if pending.reason else ''}", ok=False, denied=True)
        )

    async def _decided(self, waiting: Pending, intent: ActionIntent) -> Pending:
        """Ask whoever runs this for a decision.

        Raises:
            WaitsForApproval: there is none yet.
        """
        asked = ActionAsked(waiting.id, self.journal.trajectory_id, intent.tool, intent.arguments)
        says = self._decide(asked) if self._decide is not None else None
        if says is None:
            self._pending[intent.key] = waiting
            raise WaitsForApproval(
                f"action {waiting.id}, {intent.tool}({shorten(intent.arguments, 200)}), waits for approval",
                hint=f"'reasoner approve {waiting.id}' or 'reasoner deny {waiting.id}', then resume the run", action_id=waiting.id,
            )  # fmt: skip
        decision: Decision = "approved" if says else "denied"
        await self.journal.decided(waiting.id, decision)
        return Pending(waiting.id, decision)

    async def _call(self, action_id: int, tool: Tool, arguments: Mapping[str, Any], lent: Lent | None) -> Observed:
        """Call a tool and return what it says, in bounds; a failure is a result too."""
        self.made += 1
        started = time.monotonic()
        try:
            async with asyncio.timeout(tool.timeout_s):
                text = await tool.call(arguments, lent)
            ok = True
        except ToolFailed as error:
            text, ok = f"Error: {error}", False
        except TimeoutError:
            after = "" if tool.effect == "pure" else "; whether it happened is not known"
            text, ok = f"Error: it took longer than {tool.timeout_s:g} s{after}", False
        except (asyncio.CancelledError, ReasonerError) as error:
            certain = isinstance(error, SandboxMissing | MissingDependency)
            why = "cancelled" if isinstance(error, asyncio.CancelledError) else str(error)
            await asyncio.shield(self.journal.lost(action_id, why, certain=certain, seconds=time.monotonic() - started))
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the fault of a stranger's tool is a result, and must not lose the trajectory
            text, ok = f"Error: {type(error).__name__}: {shorten(str(error), 2000)}", False
        return Observed(bounded(without_known(text), tool.max_output_chars), ok, time.monotonic() - started)

    def _open(self, name: str, scope: str) -> Tool:
        """Return the instance of a tool that belongs to this trajectory, or to one branch of it."""
        if (name, scope) not in self._opened:
            self._opened[name, scope] = self.tools[name].fresh(digest(self._seed, scope))
        return self._opened[name, scope]

    def _ask_about_lost(self, lost: Pending, tool: Tool) -> None:
        """Return when a lost action may be made again.

        Raises:
            OutcomeUnknown: it may not.
        """
        what = f"action {lost.id} ({tool.name}) of trajectory {self.journal.trajectory_id} was in progress when its process ended, and may have happened"
        policy = self._on_unknown or UnknownPolicy()
        if policy.mode == "retry":
            return
        if policy.mode == "skip":
            raise OutcomeUnknown(f"{what}; it was skipped", hint='`on_unknown="retry"` makes such actions again')
        if policy.confirm is not None and policy.confirm(f"{what}. Make it again?"):
            return
        raise OutcomeUnknown(
            what, hint='`on_unknown="retry"` makes such actions again, `on_unknown="skip"` gives up their trajectories', stops_run=True
        )

    def _count(self, observed: Observed) -> None:
        self._seconds += observed.seconds
        self._size_bytes += len(observed.text.encode("utf-8", "replace"))

    def _take_one(self) -> None:
        """Count a further action, before anything of it is done: several may be under way at once.

        Raises:
            BudgetExhausted: they are.
        """
        limits = self._limits
        for name, used, limit in (
            ("actions", self._n_actions, limits.actions), ("seconds of actions", self._seconds, limits.seconds),
            ("bytes of results", self._size_bytes, limits.size_bytes),
        ):  # fmt: skip
            if limit is not None and used >= limit:
                option = {"actions": "max_actions", "seconds of actions": "max_action_seconds"}.get(name, "max_action_bytes")
                raise BudgetExhausted(f"the budget of {limit:g} {name} is used up", hint=f"raise `{option}`")
        self._n_actions += 1


@dataclass(frozen=True, slots=True)
class _Begun:
    """An action that is announced; `denied` is its result where a person said no."""

    id: int
    denied: Observed | None = None
