"""A run's comparison is computed once for as long as its verdicts stay, and anew as soon as one is another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

import reasoner
from reasoner.serve import viewer
from reasoner.serve.settings import Settings
from reasoner.serve.viewer import Viewer
from reasoner.store import Store


def test_a_comparison_is_kept_until_a_verdict_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "t.db"
    run = reasoner.bench("number_path", strategy="cot,direct", model="teacher", n=3, db=db).report.run_id
    made: list[str] = []
    compare = viewer.comparison

    def counting(*args: Any, **more: Any) -> Any:
        made.append(more["baseline"])
        return compare(*args, **more)

    monkeypatch.setattr(viewer, "comparison", counting)
    with Store.open(db) as store:
        pages = Viewer(store, Settings("t" * 32))

        def look(query: str = "") -> bytes:
            scope = {"type": "http", "path_params": {"run": run}, "query_string": query.encode(), "headers": []}
            return bytes(pages.run(Request(scope)).body)

        first = look()
        assert look() == first
        assert made == [""]
        look("baseline=direct")
        assert made == ["", "direct"]
        store.write_now(
            lambda c: c.execute(
                "UPDATE verdicts SET correct = 0, score = 0, created = 'later' WHERE rowid = (SELECT min(rowid) FROM verdicts)"
            )
        )
        assert look() != first
        assert made == ["", "direct", ""]
        for number in range(viewer.MAX_KEPT):
            look(f"by=x{number}")
        look()
        assert made.count("") == 2 + viewer.MAX_KEPT + 1, "the oldest is given up"
