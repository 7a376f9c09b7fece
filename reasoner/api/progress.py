"""A progress bar on standard error: trajectories done, how many are right, calls under way, tokens a second, what was spent, time and ETA; and a run's notes.

with Bar() as tell:
    async for event in run:
        tell(event)
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from reasoner.runs.events import Note, ShardsMoved, Started, TrajectoryClosed
from reasoner.text import clean

if TYPE_CHECKING:
    from rich.progress import Task

    from reasoner.runs.events import Event
    from reasoner.runs.runner import Run


class _Calls(ProgressColumn):
    """How many calls a run's models are making, looked up each time the bar is drawn."""

    run: Run | None = None

    def render(self, task: Task) -> Text:  # noqa: ARG002
        return Text("" if self.run is None else under_way(self.run.calls_under_way))


MAX_NODES = 3
"""Nodes that are named beside the bar."""


class Bar:
    """Draws no bar by itself where standard error is no terminal or notebook; rich prints it like other things it draws.

    A note (a worker that was lost, a process that shares the run) is printed as a line of its own, wherever standard error goes; not with
    `notes=False`, for those who print them themselves.
    """

    def __init__(self, console: Console | None = None, *, notes: bool = True) -> None:
        self._console = shown = console or Console(stderr=True)
        self._notes = notes
        self._calls = _Calls()
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=None if shown.width >= 100 else 10), MofNCompleteColumn(),
            TextColumn("[green]{task.fields[right]}"), self._calls, TextColumn("{task.fields[used]}"), TimeElapsedColumn(), TextColumn("ETA"),
            TimeRemainingColumn(), console=shown, transient=True, disable=not (shown.is_terminal or shown.is_jupyter),
        )  # fmt: skip
        self._task: Any = None
        self._begun = time.monotonic()
        self._correct = self._judged = self._tokens = self._new_tokens = 0
        self._cost = 0.0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Note):
            if self._notes:
                self._console.print(Text(clean(event.text).replace("\n", " ")), soft_wrap=True)
        elif isinstance(event, ShardsMoved):
            if self._task is None:
                self._task = self._progress.add_task(f"run {event.run_id}", total=event.total, right="", used="")
            self._progress.update(self._task, completed=event.done, used=on_nodes(event))
        elif isinstance(event, Started):
            self._begun = time.monotonic()
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(f"run {event.run_id}", total=event.total, right=right(0, 0), used="")
        elif isinstance(event, TrajectoryClosed) and self._task is not None:
            result = event.result
            self._correct += bool(result.correct)
            self._judged += result.correct is not None
            self._tokens += result.spent.prompt_tokens + result.spent.completion_tokens
            self._new_tokens += result.spent.completion_tokens if result.new_calls else 0
            self._cost += result.spent.cost or 0.0
            said = used(self._tokens, self._new_tokens / max(time.monotonic() - self._begun, 1e-3), self._cost)
            self._progress.update(self._task, advance=1, right=right(self._correct, self._judged), used=said)

    def follow(self, run: Run) -> None:
        """Show from now on how many calls the models of a run are making."""
        self._calls.run = run

    def __rich__(self) -> Progress:
        return self._progress

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def right(n_correct: int, n_judged: int) -> str:
    """Say how many are right; a dash where nothing was judged.

    >>> right(3, 4), right(0, 0)
    ('3/4 right', '– right')
    """
    return f"{n_correct}/{n_judged} right" if n_judged else "– right"


def under_way(n_calls: int) -> str:
    """Say how many calls are being made; nothing where none is.

    >>> under_way(4), under_way(1), under_way(0)
    ('4 calls', '1 call', '')
    """
    return f"{n_calls} call{'s' if n_calls != 1 else ''}" if n_calls else ""


def used(n_tokens: int, per_second: float, cost: float) -> str:
    """Say what was spent, and how fast tokens of replies come.

    >>> used(15_300, 41.6, 0.0), used(900, 0.0, 0.0123)
    ('15.3k tok, 42/s', '900 tok, $0.012')
    """
    total = f"{n_tokens / 1000:.1f}k" if n_tokens >= 1000 else str(n_tokens)
    return f"{total} tok" + (f", {per_second:.0f}/s" if per_second >= 1 else "") + (f", ${cost:.2g}" if cost else "")


def on_nodes(event: ShardsMoved) -> str:
    """Say how many shards are complete, and how many workers are on which node.

    >>> on_nodes(ShardsMoved("3f0c", 40, 120, 1, 6, ("a/12", "a/12", "b/77")))
    '1/6 shards, a/12 ×2 b/77'
    """
    counts = [f"{node} ×{n}" if n > 1 else node for node, n in Counter(event.nodes).items()]
    more = f" and {len(counts) - MAX_NODES} more" if len(counts) > MAX_NODES else ""
    return f"{event.complete}/{event.shards} shards" + (f", {' '.join(counts[:MAX_NODES])}{more}" if counts else "")
