"""How a session acts: arguments are checked, the action's key is made, a committed result is taken, and only then is the tool called.

A program of the model (`code_act`) may be lent the other tools as functions: what it calls is an action of its own, made `within` that of the
program, so that a rerun takes it from the journal and never makes it twice. Knows the graph and the actor; does not know a strategy.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from reasoner.errors import ToolFailed
from reasoner.sandbox.monty import LentFunctionFailed
from reasoner.store.actions import ActionIntent, Committed, Observed
from reasoner.text import shorten, storable
from reasoner.tools import MAX_ARGUMENTS_CHARS, Result, read_arguments
from reasoner.types import canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from reasoner.calling.actor import Actor
    from reasoner.store.journal import ThoughtRow
    from reasoner.tools import Tool
    from reasoner.trajectory import Thought, Trajectory

ROLE = "act/"
"""The role of a thought that is a tool's result begins with this; the tool's name follows."""


class Actions:
    """The actions of one session, those of its branches included."""

    def __init__(
        self, actor: Actor, trajectory: Trajectory, *, touch: Callable[[str], None], unwritten: Callable[[], list[ThoughtRow]]
    ) -> None:
        self.actor = actor
        self._trajectory = trajectory
        self._touch = touch
        self._unwritten = unwritten
        self.replayed: set[str] = set()
        self._scope = ""

    def within(self, scope: str) -> Actions:
        """Return the same for a branch: what its tools keep between calls is its own."""
        view = copy.copy(self)
        view._scope = scope  # noqa: SLF001 - its own class
        return view

    async def act(self, node: Thought, name: str, arguments: Mapping[str, Any] | str, *, call_id: str, lend: bool) -> Thought:
        """Make an action, or take its result from the journal; return the thought that holds the result."""
        thought, _ = await self._made(node, name, arguments, call_id=call_id, lend=lend, within="")
        return thought

    async def _made(
        self, node: Thought, name: str, arguments: Mapping[str, Any] | str, *, call_id: str, lend: bool, within: str
    ) -> tuple[Thought, Observed]:
        tool = self.actor.tool(name)
        written = _written(arguments)
        role = f"{ROLE}{name}"
        ordinal = self._trajectory.claim(node, role)
        path = self._trajectory.child_path(node, role, ordinal)
        key = digest(self._trajectory.key, "action", node.path, name, str(ordinal), written)
        intent = ActionIntent(key, node.id, path, ordinal, name, tool.effect, tool.fingerprint, written, storable(call_id, 200), within)
        seen: list[Observed] = []

        def add(observed: Observed) -> tuple[Thought, list[ThoughtRow]]:
            seen.append(observed)
            thought = self._add(node, name, ordinal, written, observed, key, call_id)
            return thought, self._unwritten()

        if (known := self.actor.committed.get(key)) is not None:
            return self._replayed(node, intent, known), known.observed
        problem, accepted = _accepted(tool, written)
        if problem is not None:
            return await self.actor.refuse(intent, problem, add), seen[0]
        lent = self._lent(node, tool, key) if lend else None
        return await self.actor.act(intent, accepted, add, lent=lent, scope=self._scope), seen[0]

    def _replayed(self, node: Thought, intent: ActionIntent, known: Committed) -> Thought:
        """Take a committed action, with those its program made, into the graph."""
        self.replayed.add(intent.key)
        for inner in known.within:
            self.replayed.add(inner.key)
            self._trajectory.claimed(node, f"{ROLE}{inner.tool}", inner.ordinal)
            self._add(node, inner.tool, inner.ordinal, inner.arguments, inner.observed, inner.key, inner.call_id)
        observed = self.actor.replay(intent, known, scope=self._scope)
        return self._add(node, intent.tool, intent.ordinal, intent.arguments, observed, intent.key, intent.call_id)

    def _add(self, node: Thought, name: str, ordinal: int, arguments: str, observed: Observed, key: str, call_id: str) -> Thought:
        thought = self._trajectory.add(
            node, role=f"{ROLE}{name}", ordinal=ordinal, text=observed.text, operation=f"{name}({shorten(arguments, 400)})",
            state={"ok": observed.ok} | ({"call": call_id} if call_id else {}), action=key,
        )  # fmt: skip
        self._touch(thought.id)
        return thought

    def _lent(self, node: Thought, program: Tool, key: str) -> dict[str, Callable[..., Awaitable[Any]]]:
        """Return the other tools as functions for a program; each call is an action within that of the program."""
        return {
            name: self._function(node, tool, key) for name, tool in self.actor.tools.items() if tool is not program and name.isidentifier()
        }

    def _function(self, node: Thought, tool: Tool, key: str) -> Callable[..., Awaitable[Any]]:
        names = list(tool.parameters.get("properties", {}))

        async def call(*positional: Any, **named: Any) -> Any:
            if len(positional) > len(names):
                raise LentFunctionFailed(f"{tool.name} takes {len(names)} arguments, and was given {len(positional)}")
            given = dict(zip(names, positional, strict=False)) | named
            try:
                arguments = to_jsonable_python(given, fallback=str, inf_nan_mode="strings")
                canonical_json(arguments)
            except (PydanticSerializationError, ValueError, RecursionError, TypeError) as error:
                raise LentFunctionFailed(f"the arguments of {tool.name} cannot be written as JSON: {shorten(str(error), 200)}") from None
            _, observed = await self._made(node, tool.name, arguments, call_id="", lend=False, within=key)
            return Result(observed.ok, observed.text).value()

        return call


def _accepted(tool: Tool, written: str) -> tuple[str | None, dict[str, Any]]:
    """Return (what is wrong with the arguments, or None; the arguments as the tool takes them)."""
    try:
        return None, tool.accept(read_arguments(written))
    except ToolFailed as error:
        return str(error), {}


def _written(arguments: Mapping[str, Any] | str) -> str:
    """Return the one text of arguments: canonical JSON, or what the model wrote where that is none."""
    try:
        return canonical_json(read_arguments(arguments) if isinstance(arguments, str) else dict(arguments))
    except (ToolFailed, ValueError, TypeError, RecursionError):
        return storable(arguments if isinstance(arguments, str) else json.dumps(arguments, default=str), MAX_ARGUMENTS_CHARS + 1)
