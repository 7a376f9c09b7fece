"""A progress bar on standard error: trajectories done, how many are right, tokens a second, what was spent, time and ETA.

with Bar() as tell:
    async for event in run:
        tell(event)
"""

from __future__ import annotations

import time
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
            TextColumn("{task.description}"), BarColumn(bar_width=None if shown.width >= 100 else 10), MofNCompleteColumn(),
            TextColumn("[green]{task.fields[right]}"), TextColumn("{task.fields[used]}"), TimeElapsedColumn(), TextColumn("ETA"),
            TimeRemainingColumn(), console=shown, transient=True, disable=not (shown.is_terminal or shown.is_jupyter),
        )  # fmt: skip
        self._task: Any = None
        self._begun = time.monotonic()
        self._correct = self._judged = self._tokens = self._new_tokens = 0
        self._cost = 0.0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Started):
            self._begun = time.monotonic()
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


def used(n_tokens: int, per_second: float, cost: float) -> str:
    """Say what was spent, and how fast tokens of replies come.

    >>> used(15_300, 41.6, 0.0), used(900, 0.0, 0.0123)
    ('15.3k tok, 42/s', '900 tok, $0.012')
    """
    total = f"{n_tokens / 1000:.1f}k" if n_tokens >= 1000 else str(n_tokens)
    return f"{total} tok" + (f", {per_second:.0f}/s" if per_second >= 1 else "") + (f", ${cost:.2g}" if cost else "")
