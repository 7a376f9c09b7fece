"""Searches written by hand: a strategy given as a function, its replies given as texts, recorded like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasoner.api.solve import Setup, execute
from reasoner.clients.scripted import ScriptedClient
from reasoner.runs.problems import problem_from_line
from reasoner.runs.runner import Outcome
from reasoner.session import Session
from reasoner.strategies import Strategy
from reasoner.types import Answer

Run = Callable[[Session], Awaitable[Answer]]


class Written(Strategy):
    """A strategy whose one method is given."""

    name = "by_hand"
    summary = "written in a test"

    def __init__(self, run: Run) -> None:
        super().__init__(self.Params())
        self._run = run

    async def run(self, session: Session) -> Answer:
        return await self._run(session)


@dataclass(frozen=True)
class ByHand:
    """What a plan wants to know of a strategy."""

    run: Run
    label: str = "by_hand"
    name: str = "cot"
    params: str = "{}"
    inner: None = None
    oracle: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def make(self) -> Strategy:
        return Written(self.run)


def search(
    db: Path, strategy: Run, replies: Sequence[str], *, solver: str = "number_path", line: str = "2 9 20", label: str = "by_hand"
) -> Outcome:
    """Run a strategy given as a function on one problem, over scripted replies, each time as a run of its own."""
    client = ScriptedClient(list(replies))
    spec: Any = ByHand(strategy, label)
    report = asyncio.run(execute([problem_from_line(solver, line)], [spec], [client], Setup(db=db, fresh=True), keep_graphs=True))
    client.assert_done()
    return report.outcomes[0]
