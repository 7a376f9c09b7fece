"""A progress bar on standard error: trajectories done, how many are right, time and ETA.

with Bar() as tell:
async for event in run:
tell(event)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from reasoner.runs.events import Started, TrajectoryClosed

if TYPE_CHECKING:
    from reasoner.runs.events import Event


class Bar:
    """Draws nothing where standard error is no terminal or notebook."""

    def __init__(self, console: Console | None = None) -> None:
        shown = console or Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("[green]{task.fields[correct]} correct"),
            TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(), console=shown, transient=True,
            disable=not (shown.is_terminal or shown.is_jupyter),
        )  # fmt: skip
        self._task: Any = None
        self._correct = 0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Started):
            self._task = self._progress.add_task(f"run {event.run_id}", total=event.total, correct=0)
        elif isinstance(event, TrajectoryClosed) and self._task is not None:
            self._correct += bool(event.result.correct)
            self._progress.update(self._task, advance=1, correct=self._correct)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
