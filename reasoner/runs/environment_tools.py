"""The actions of an environment as tools: one episode for a trajectory, or for each branch of one.

environment_tools(solver, instance) -> [move]
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from reasoner.errors import ToolFailed
from reasoner.tools import Lent, Result, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reasoner.environment import Environment, Episode
    from reasoner.types import ToolSpec

DONE = "[done] "
"""The last line of an observation that ends the episode begins with this; the answer follows."""


def environment_tools(environment: Environment[Any], instance: Any) -> list[Tool]:
    """Return the actions of an environment, for one problem."""
    plays = _Plays(lambda: environment.episode(instance))
    return [EnvironmentTool(spec, plays) for spec in environment.offered(instance)]


class EnvironmentTool(Tool):
    """One action of an environment."""

    def __init__(self, spec: ToolSpec, plays: _Plays, seed: str = "") -> None:
        self._spec = spec
        self._plays = plays
        self._seed = seed
        self.name = spec.name
        self.description = spec.description

    @property
    def parameters(self) -> dict[str, Any]:
        """The schema the environment gives."""
        made: dict[str, Any] = json.loads(self._spec.parameters)
        return made

    def accept(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Check that what is required is there and nothing else; the environment checks the values."""
        properties, required = self.parameters.get("properties", {}), self.parameters.get("required", [])
        unknown = [name for name in arguments if name not in properties]
        missing = [name for name in required if name not in arguments]
        if unknown or missing:
            what = f"{unknown[0][:80]!r} is none of them" if unknown else f"{missing[0]} is missing"
            raise ToolFailed(f"the arguments of {self.name} are {', '.join(properties) or 'none'}: {what}")
        return dict(arguments)

    def fresh(self, seed: str) -> EnvironmentTool:
        """Return the action in an episode of its own, shared with the other actions that are given the same seed."""
        return EnvironmentTool(self._spec, self._plays, seed)

    def remember(self, arguments: Mapping[str, Any], result: Result, lent: Sequence[Result]) -> None:  # noqa: ARG002 - it calls no functions
        """Note an action that was done before, to be done again before the next one."""
        if result.ok:
            self._plays.of(self._seed).again.append((self.name, dict(arguments)))

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - it runs no programs
        """Do the action."""
        return await self._plays.of(self._seed).step(self.name, arguments)

    def answer(self, observation: str) -> str | None:
        """Return the answer of an episode that is over."""
        last = observation.rpartition("\n")[2]
        return last.removeprefix(DONE) if last.startswith(DONE) else None

    async def aclose(self) -> None:
        """End the episode."""
        await self._plays.end(self._seed)


class _Plays:
    """The episodes under way, by the seed of whoever plays them."""

    def __init__(self, begin: Callable[[], Episode]) -> None:
        self._begin = begin
        self._plays: dict[str, _Play] = {}

    def of(self, seed: str) -> _Play:
        if seed not in self._plays:
            self._plays[seed] = _Play(self._begin())
        return self._plays[seed]

    async def end(self, seed: str) -> None:
        play = self._plays.pop(seed, None)
        if play is not None:
            await play.episode.aclose()


class _Play:
    """One episode, with what has to be done again before it goes on."""

    def __init__(self, episode: Episode) -> None:
        self.episode = episode
        self.again: list[tuple[str, dict[str, Any]]] = []
        self._one = asyncio.Lock()

    async def step(self, action: str, arguments: Mapping[str, Any]) -> str:
        async with self._one:
            again, self.again = self.again, []
            for earlier, given in again:
                await self.episode.step(earlier, given)
            observation, answer = await self.episode.step(action, arguments)
        text = "\n".join(line if not line.startswith(DONE) else f" {line}" for line in observation.split("\n"))
        return text if answer is None else f"{text}\n{DONE}{answer}"
