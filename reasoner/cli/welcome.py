"""What `reasoner` alone says: what to do next, by what is there.

Where there are runs: "You have 3 runs in trajectories.db", and what to do with them; where there is nothing: "Begin here: reasoner tour".
"""

from __future__ import annotations

import os
from pathlib import Path

from reasoner.cli.output import out, safe
from reasoner.cli.tour import has_local
from reasoner.errors import ReasonerError

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
    db = Path(os.environ.get("REASONER_DB") or "trajectories.db")
    n = n_recorded(db)
    out.print()
    if n:
        out.print(safe(f"{db} holds {n:,} run{'s' if n > 1 else ''}. Look at them, or make more:"))
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


def n_recorded(db: Path) -> int:
    """Return how many runs a database holds; none where there is none, or none of ours."""
    if not db.is_file():
        return 0
    from reasoner.store import Store  # noqa: PLC0415 - not loaded for the first look
    from reasoner.store.run_queries import n_runs  # noqa: PLC0415

    try:
        with Store.read(db) as store:
            return n_runs(store)
    except ReasonerError:
        return 0
