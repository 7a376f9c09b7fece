"""The bar of a long run: what it says while calls are under way, and what once trajectories have ended."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console

import reasoner
from reasoner.api.progress import Bar
from reasoner.clients.scripted import ScriptedClient
from reasoner.runs.events import Note
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.problems import draw
from reasoner.runs.runner import open_run
from reasoner.runs.strategy_spec import as_specs
from reasoner.types import Completion, Request, Sampling, Usage


def shown(bar: Bar) -> str:
    """Return what a bar says now, in one line."""
    with (console := Console(width=200, color_system=None)).capture() as drawn:
        console.print(bar)
    return drawn.get().strip()


class Together:
    """Answers once three calls are under way; what the bar shows then is kept."""

    name = fingerprint = "together"
    paid = False
    concurrency = 3

    def __init__(self, bar: Bar) -> None:
        self._all_there = asyncio.Barrier(3)
        self._bar = bar
        self.shown: list[str] = []

    async def complete(self, request: Request) -> Completion:
        if await self._all_there.wait() == 2:  # the last to come: the others have not gone on yet
            self.shown.append(shown(self._bar))
        return Completion("Answer: 1", usage=Usage(40, 3), model="together")

    async def aclose(self) -> None:
        """Hold nothing."""


async def test_the_bar_counts_the_calls_under_way(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None)
    with Bar(console) as bar:
        client = Together(bar)
        async with open_run(Plan(draw("sum", n=3, seed=1), as_specs("direct")), [client], RunOptions(), db=tmp_path / "t.db") as run:
            bar.follow(run)
            async for event in run:
                bar(event)
            after = shown(bar)
            assert run.calls_under_way == 0
    assert len(client.shown) == 1
    assert "0/3" in client.shown[0]
    assert " 3 calls " in client.shown[0]
    assert "3/3" in after
    assert "call" not in after
    assert "129 tok" in after


@pytest.mark.parametrize("terminal", [True, False])
def test_notes_are_lines_of_their_own_and_steer_nothing(*, terminal: bool) -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=60, color_system=None)
    note = "shard 2 goes on elsewhere: its worker on [bold]a/7[/] ended (\x1b[31mOut of\nmemory), and this line is longer than the console is wide"
    with Bar(console) as bar:
        bar(Note(note))
    assert (
        "shard 2 goes on elsewhere: its worker on [bold]a/7[/] ended ([31mOut of memory), and this line is longer than the console is wide\n"
        in file.getvalue()
    )
    quiet = io.StringIO()
    with Bar(Console(file=quiet, width=60), notes=False) as bar:
        bar(Note(note))
    assert quiet.getvalue() == ""


class Remarking(ScriptedClient):
    """Has something to say once it has answered."""

    def take_notes(self) -> list[str]:
        """Say it."""
        return ["a worker of its own was lost"]

    def sampling(self, wanted: Sampling, *, bounded: bool) -> Sampling:
        """Send what is wanted."""
        return wanted

    def check(self, wanted: Sampling) -> None:
        """Refuse nothing."""


@pytest.mark.parametrize("progress", [True, False])
def test_a_run_with_a_bar_prints_its_notes(tmp_path: Path, capsys: pytest.CaptureFixture[str], *, progress: bool) -> None:
    reasoner.bench("sum", strategy="direct", model=Remarking(lambda _: "Answer: 1"), n=1, db=tmp_path / "t.db", progress=progress)
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "a worker of its own was lost\n" if progress else "")
