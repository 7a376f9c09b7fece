"""The pages of documents that others made: what an own export cannot hold is drawn without it, and no page ends in a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from stores import grow

import reasoner
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.serve.report import write_bundle
from reasoner.serve.run_page import MAX_REASON, mistakes
from reasoner.serve.settings import Settings
from reasoner.serve.viewer import Viewer
from reasoner.store import Store

DEEP = '{"a": ' + "[" * 100_000


def look(store: Store, page: str, query: str = "", **path: str) -> str:
    scope = {"type": "http", "path_params": path, "query_string": query.encode(), "headers": []}
    return bytes(getattr(Viewer(store, Settings("t" * 32)), page)(Request(scope)).body).decode()


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("made")
    reasoner.solve("number_path", "2 9 20", strategy="ats", model="teacher", db=folder / "t.db")
    with Store.open(folder / "t.db") as store:
        export(store, "atif", folder / "a.jsonl")
    return (folder / "a.jsonl").read_text("utf-8")


@pytest.mark.parametrize(
    ("part", "column", "value"),
    [
        ("problem", "line", '{"question": "q", "choices": 5}'),
        ("problem", "line", DEEP),
        ("problem", "instance", "[]"),
        ("thoughts", "role", "ats/cover"),  # another id than the one its row has
        ("thoughts", "state", {"fragments": ["a"], "coverage": "x", "unknown": 3}),
        ("steps", "sampling", DEEP),
    ],
)
def test_no_page_ends_in_a_traceback(document: str, tmp_path: Path, part: str, column: str, value: Any) -> None:
    made = json.loads(document)
    extras = [step["extra"] for step in made["steps"] if "call" in (step.get("extra") or {})]
    holders = {"problem": [made["extra"]["problem"]], "thoughts": made["extra"]["thoughts"], "steps": extras}[part]
    for holder in holders:
        holder[column] = value
        if column == "state":
            holder["role"] = "ats/cover"
    (tmp_path / "in.jsonl").write_text(json.dumps(made) + "\n", "utf-8")
    with Store.open(tmp_path / "u.db") as store:
        assert read_path(store, tmp_path / "in.jsonl").taken == 1
        ((name, run),) = store.tuples("SELECT id, run_id FROM trajectories")
        for view in ("tree", "timeline", "transcript"):
            assert name in look(store, "trajectory", f"view={view}", trajectory=name)
        for (thought,) in store.tuples("SELECT id FROM thoughts"):
            assert thought in look(store, "thought", trajectory=name, thought=thought)
        assert name in look(store, "pair", f"a={name}&b={name}")
        assert name in look(store, "run", run=run)
        assert write_bundle(store, run, tmp_path / "pages") == 1


def test_a_long_reason_is_grouped_by_its_beginning(tmp_path: Path) -> None:
    grow(tmp_path / "x.db", 5)
    with Store.open(tmp_path / "x.db") as store:
        run = store.tuples("SELECT id FROM runs")[0][0]
        said = "no quotation ends: " + "«" * 200_000
        store.write_now(lambda c: c.execute("UPDATE trajectories SET status = 'failed', error = ?", (said,)))
        store.write_now(lambda c: c.execute("DELETE FROM verdicts"))
        (found,) = mistakes(store, run)
        assert len(found["examples"][0]["said"]) == MAX_REASON
