"""What every registered dataset format must do, on trajectories of every strategy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import reasoner
from reasoner import registry
from reasoner.datasets.export import export
from reasoner.store import Store

FORMATS = registry.names("format")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    db = tmp_path_factory.mktemp("formats") / "t.db"
    sampling = reasoner.Sampling(max_tokens=4000)
    searched = [name for name in registry.names("solver") if registry.solver(name).searchable]
    of_any = [name for name in registry.names("strategy") if not registry.find("strategy", name).solvers]
    of_translation = ["fragment_shot", "example_shot:method=random"]
    reasoner.bench(searched, strategy=of_any, model="teacher", n=2, db=db, sampling=sampling)
    reasoner.bench("translation", strategy=of_translation, model="teacher", n=2, db=db, sampling=sampling)
    with Store.open(db) as opened:
        yield opened


@pytest.mark.parametrize("name", FORMATS)
def test_rows_parse_alone_carry_lineage_and_repeat_byte_for_byte(store: Store, tmp_path: Path, name: str) -> None:
    made = registry.find("format", name)
    assert made.name == name
    assert made.summary
    tally = export(store, name, tmp_path / "a.jsonl")
    assert tally.taken > 0
    export(store, name, tmp_path / "b.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="ascii").splitlines()]
    assert len(rows) >= tally.taken
    keys = {frozenset(row) for row in rows}
    assert len(keys) == 1, "one shape per file"
    for row in rows:
        assert store.row("SELECT 1 FROM trajectories WHERE id = ?", (row["lineage"]["trajectory"],))
        for key in row["lineage"]["calls"]:
            assert store.row("SELECT 1 FROM calls WHERE key = ? AND state = 'done'", (key,))
