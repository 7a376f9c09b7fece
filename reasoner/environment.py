"""What a problem family adds that is worked on by acting: an environment with actions, and a way that a teacher can show.

    class Rooms(Solver[Instance], Environment[Instance], Acted[Instance]): ...

An environment offers its actions as tools. An episode begins anew for every trajectory and is deterministic: the same actions give the same
observations, so that a trajectory that goes on after a kill is brought to where it was by doing them again. What it gives back when it is over
names the answer, which the family's verifier judges like any other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.types import ToolSpec

I = TypeVar("I")  # noqa: E741 - an instance, as in `Solver`


class Turn(NamedTuple):
    """What came of an action. `answer` is that of the whole episode where it is over, else None."""

    observation: str
    answer: str | None = None


class Episode(Protocol):
    """One run through an environment."""

    async def step(self, action: str, arguments: Mapping[str, Any]) -> Turn:
        """Do one action.

        Raises:
            ToolFailed: it cannot be done; the message is for whoever asked for it.
        """
        ...

    async def aclose(self) -> None:
        """Release what the episode holds. Safe to call twice."""
        ...


class Environment(ABC, Generic[I]):
    """A family whose problems are worked on by acting."""

    @abstractmethod
    def offered(self, instance: I) -> Sequence[ToolSpec]:
        """Return the actions, as tools."""

    @abstractmethod
    def episode(self, instance: I) -> Episode:
        """Begin an episode."""


class Acted(ABC, Generic[I]):
    """A family that can show a way to the answer."""

    @abstractmethod
    def actions(self, instance: I) -> Sequence[tuple[str, dict[str, Any]]]:
        """Return a way to the answer: names of tools with their arguments, the last submission left out."""
