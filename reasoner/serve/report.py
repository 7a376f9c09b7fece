"""One self-contained file of a run: the comparison, and its trajectories with their trees and thoughts. Offline, without script, safe to send.

    write_report(store, "3f0c...", Path("report.html"))

The file's own Content-Security-Policy allows its one style, by hash, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from reasoner.errors import UnknownName
from reasoner.files.target import writable, write_text
from reasoner.serve.templating import PAGES, environment
from reasoner.serve.thought_facts import thought_facts
from reasoner.serve.trajectory_page import trajectory_values
from reasoner.serve.viewer import compared, comparison
from reasoner.store.queries import trajectory_ids
from reasoner.store.run_queries import run_row

if TYPE_CHECKING:
    from pathlib import Path

    from reasoner.store import Store

MAX_TRAJECTORIES = 100
MAX_THOUGHTS = 400
"""Thoughts of one trajectory whose texts go into the file."""


def write_report(store: Store, run_id: str, path: Path, *, limit: int = MAX_TRAJECTORIES) -> int:
    """Write the report and return how many trajectories are in it.

    Raises:
        UnknownName: there is no such run.
        DataError: the file cannot be written.
    """
    writable(path)
    text, n = render(store, run_id, limit=limit)
    write_text(path, text)
    return n


def render(store: Store, run_id: str, *, limit: int) -> tuple[str, int]:
    """Return the report's text and how many trajectories are in it."""
    run = run_row(store, run_id)
    if run is None:
        raise UnknownName("run", run_id, [])
    ids = trajectory_ids(store, run_id, limit=limit)
    style = (PAGES / "viewer.css").read_text(encoding="utf-8")
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    shown = [_with_thoughts(store, found) for one in ids if (found := trajectory_values(store, one)) is not None]
    made = comparison(store, run_id, run["judged"])
    text = environment().get_template("report.html").render(run=run, shown=shown, style=style, allowed=allowed, **compared(made))
    return text, len(shown)


def _with_thoughts(store: Store, values: dict[str, Any]) -> dict[str, Any]:
    nodes = values["plan"].nodes[:MAX_THOUGHTS] if values["plan"] else ()
    return {**values, "facts": [thought_facts(store, values["row"]["id"], node.id) for node in nodes]}
