"""Searches written by hand: a strategy given as a function, its replies given as texts, recorded like any other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from reasoner.api.bench import arun
from reasoner.clients.scripted import ScriptedClient
from reasoner.runs.problems import problem_from_line
from reasoner.runs.results import Result
from reasoner.runs.strategy_spec import StrategySpec
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


def search(
    db: Path, strategy: Run, replies: Sequence[str], *, solver: str = "number_path", line: str = "2 9 20", label: str = "by_hand"
) -> Result:
    """Run a strategy given as a function on one problem, over scripted replies, each time as a run of its own."""
    client = ScriptedClient(list(replies))
    spec = StrategySpec(label, "cot", "{}", given=Written(strategy))
    report = asyncio.run(arun([problem_from_line(solver, line)], [spec], [client], db=db, mode="fresh"))
    client.assert_done()
    return report.results[0]
