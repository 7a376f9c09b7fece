"""The messages of a call are looked up, however many others there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reasoner.store import Store
from reasoner.store.interning import intern_context
from reasoner.store.queries import prompt_of
from reasoner.types import Message


def test_what_a_call_was_asked_is_found_without_reading_all_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = (Message("system", "be brief"), Message("user", "one"))
    with Store.open(tmp_path / "t.db") as store:
        ids = store.write_now(lambda c: [intern_context(c, (asked[0], Message("user", f"{n}"))) for n in range(300)])
        context = store.write_now(lambda c: intern_context(c, asked))
        store.write_now(lambda c: c.execute("ANALYZE").rowcount)
        statements: list[tuple[str, tuple[int, ...]]] = []
        read = store.tuples

        def told(sql: str, params: tuple[int, ...]) -> list[tuple[Any, ...]]:
            statements.append((sql, params))
            return read(sql, params)

        monkeypatch.setattr(store, "tuples", told)
        assert prompt_of(store, context) == asked
        assert len(set(ids)) == 300
        ((sql, params),) = statements
        plan = [row[3] for row in read(f"EXPLAIN QUERY PLAN {sql}", params)]
    assert "SEARCH m USING INTEGER PRIMARY KEY (rowid=?)" in plan, plan
