"""What `reasoner` alone says: what to do next, by what is there.

Where there are runs: "You have 3 runs in trajectories.db", and what to do with them; where there is nothing: "Begin here: reasoner tour".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.cli.glance import glance
from reasoner.cli.output import out, safe
from reasoner.cli.tour import has_local
from reasoner.files.database_path import database_path

if TYPE_CHECKING:
    from reasoner.store import Store

BEGIN = (
    ("reasoner tour", "two minutes, offline: solve, look, ask, compare, export"),
    ('reasoner solve number_path "3 4 11"', "one puzzle, searched and verified"),
    ('reasoner ask "What is 17 times 23?"', "any question; nothing judges it"),
    ("reasoner bench question:mine.jsonl", "your own questions, judged"),
)
GO_ON = (
    ("reasoner runs", "what was run"),
    ("reasoner tree", "the newest search"),
    ("reasoner view", "everything in a browser"),
    ("reasoner bench question:mine.jsonl", "your own questions, judged"),
)


def welcome() -> None:
    """Say what to do next."""
    out.print(safe("reasoner runs reasoning strategies over language models, keeps every thought and verifies every answer.", style="bold"))
    n = glance(_n_runs, 0)
    out.print()
    if n:
        out.print(safe(f"{database_path()} holds {n:,} run{'s' if n > 1 else ''}. Look at them, or make more:"))
    else:
        out.print(safe("Begin here:"))
    lines = GO_ON if n else BEGIN
    width = max(len(command) for command, _ in lines)
    for command, words in lines:
        out.print(safe(f"  {command:<{width}}", style="bold cyan") + safe(f"  {words}", style="dim"))
    if not has_local():
        out.print()
        out.print(
            safe(
                'Local models are not installed: pip install "reasoner-llm[local]", or use --model teacher, openai:NAME or anthropic:NAME.'
            )
        )
    out.print()
    out.print(safe("reasoner --help lists all commands, reasoner COMMAND --help explains one.", style="dim"))


def _n_runs(store: Store) -> int:
    from reasoner.store.run_queries import n_runs  # noqa: PLC0415 - only where there is a database

    return n_runs(store)
