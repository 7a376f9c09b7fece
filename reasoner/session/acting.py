"""The part of a session through which a strategy acts: its tools, their calls, and the turns of the model that ask for them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, UnknownName
from reasoner.types import CallsTools, Sampling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.calling.caller import Caller
    from reasoner.session.actions import Actions
    from reasoner.session.lookups import Lookups
    from reasoner.session.session import Session
    from reasoner.tools import Tool
    from reasoner.trajectory import Thought, Trajectory
    from reasoner.types import Message


class Acting(ABC):
    """What `Session` offers to strategies that act."""

    trajectory: Trajectory
    _caller: Caller
    _lookups: Lookups
    _actions: Actions | None
    _turns: dict[str, Message]

    @property
    @abstractmethod
    def root(self) -> Thought:
        """Where the session starts."""

    @abstractmethod
    def _check_room(self) -> None:
        """Refuse to grow without end."""

    @abstractmethod
    def through(self, caller: Caller, sampling: Sampling) -> Session:
        """Return a view of the session that asks another model."""

    def of_model(self, name: str) -> Session:
        """Return a view that asks another model, one that the strategy's `models_needed` names: same graph, journal and budget, no tools.

        Raises:
            BadConfig: the strategy did not name it.
        """
        if (caller := self._caller.others.get(name)) is None:
            raise BadConfig(f"this session has no model {name!r}", hint="a strategy names the models it asks in `models_needed`")
        return self.through(caller, Sampling())

    def message(self, thought: Thought) -> Message:
        """Return an answer as the turn of a conversation that goes on, with the tool calls it asks for.

        Raises:
            BadConfig: the thought is not a reply of the model.
        """
        if thought.id not in self._turns:
            raise BadConfig(f"the thought {thought.id} is not a reply of the model", hint="use what `ask` returned")
        return self._turns[thought.id]

    @property
    def tools(self) -> list[Tool]:
        """The tools of the run."""
        return list(self._actions.actor.tools.values()) if self._actions is not None else []

    @property
    def calls_tools(self) -> bool:
        """Whether the model takes tools as its provider defines them; where not, they have to be described in words."""
        return isinstance(self._caller.client, CallsTools) and self._caller.client.calls_tools

    @property
    def judged(self) -> bool:
        """Whether the answer is going to be verified."""
        return self._lookups.verify is not None

    async def act(
        self, tool: str, arguments: Mapping[str, Any] | str, *, parent: Thought | None = None, call_id: str = "", lend: bool = False
    ) -> Thought:
        """Call a tool and return its recorded result, a child of `parent` (the root when there is none).

        The text is what the tool gave, or begins with `Error:` where it could not (wrong arguments included), see `succeeded`.
        `arguments` are values, or JSON text as the model wrote it. With `lend`, the program that the tool runs may call the run's other tools.

        Raises:
            UnknownName: the run has no such tool.
            BudgetExhausted: the actions of the trajectory have used up their limits; nothing was done.
            WaitsForApproval: a person has to decide first; the trajectory is parked.
            OutcomeUnknown: it was under way when its process ended, and is not to be made again.
            StoreError: it could not be recorded; nothing was done, or its result is not acknowledged.
        """
        self._check_room()
        if self._actions is None:
            raise UnknownName("tool", tool, ["(the run has none)"])
        return await self._actions.act(parent or self.root, tool, arguments, call_id=call_id, lend=lend)

    def succeeded(self, thought: Thought) -> bool:
        """Tell whether the action whose result a thought is did what it was asked."""
        state = self.trajectory.mark_of(thought).state
        return isinstance(state, dict) and state.get("ok") is True
