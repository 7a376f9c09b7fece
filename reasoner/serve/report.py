"""A run as one self-contained file, or as a folder of pages for any web server: the comparison, and its trajectories with their trees and thoughts.

    write_report(store, "3f0c...", Path("report.html"))
    write_bundle(store, "3f0c...", Path("pages"))          # pages/index.html, pages/t/00001.html, ...

Offline, without script, safe to send: each file's own Content-Security-Policy allows its one style, by hash, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, UnknownName
from reasoner.files.target import writable, write_text
from reasoner.serve.templating import PAGES, environment
from reasoner.serve.thought_facts import thought_facts
from reasoner.serve.trajectory_page import short_answer, trajectory_values
from reasoner.serve.viewer import compared, comparison
from reasoner.store.queries import trajectory_ids, trajectory_page
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


def write_bundle(store: Store, run_id: str, folder: Path, *, limit: int = MAX_TRAJECTORIES) -> int:
    """Write a page for each trajectory and an index of them, and return how many trajectories are there.

    Raises:
        UnknownName: there is no such run.
        BadConfig: the folder is there and holds something: pages of another run would stay among these.
        DataError: a file cannot be written.
    """
    run = _run(store, run_id)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadConfig(f"{folder} is there and is no empty folder", hint="name a new one")
    (folder / "t").mkdir(parents=True, exist_ok=True)
    template, look = environment().get_template("bundle_one.html"), _look()
    rows = trajectory_page(store, run_id, limit=limit)
    for number, row in enumerate(rows, start=1):
        found = trajectory_values(store, row["id"])
        if found is not None:
            page = template.render(run=run, one=_with_thoughts(store, found), number=number, n=len(rows), **look)
            write_text(folder / "t" / f"{number:05d}.html", page)
    listed = [row | {"short": short_answer(row)} for row in rows]
    made = compared(comparison(store, run_id, run["judged"]))
    index = environment().get_template("bundle.html").render(run=run, rows=listed, n_shown=len(listed), **look, **made)
    write_text(folder / "index.html", index)
    return len(rows)


def render(store: Store, run_id: str, *, limit: int) -> tuple[str, int]:
    """Return the report's text and how many trajectories are in it."""
    run = _run(store, run_id)
    ids = trajectory_ids(store, run_id, limit=limit)
    shown = [_with_thoughts(store, found) for one in ids if (found := trajectory_values(store, one)) is not None]
    made = compared(comparison(store, run_id, run["judged"]))
    return environment().get_template("report.html").render(run=run, shown=shown, n_shown=len(shown), **_look(), **made), len(shown)


def _run(store: Store, run_id: str) -> dict[str, Any]:
    run = run_row(store, run_id)
    if run is None:
        raise UnknownName("run", run_id, [])
    return run


def _look() -> dict[str, str]:
    """Return the style of a page, and its hash for the page's policy."""
    style = (PAGES / "viewer.css").read_text(encoding="utf-8")
    return {"style": style, "allowed": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}


def _with_thoughts(store: Store, values: dict[str, Any]) -> dict[str, Any]:
    nodes = values["plan"].nodes[:MAX_THOUGHTS] if values["plan"] else ()
    facts = (thought_facts(store, values["row"]["id"], node.id) for node in nodes)
    return {**values, "facts": [each for each in facts if each is not None]}
