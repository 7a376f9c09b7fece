"""What every registered dataset format must do, on trajectories of every strategy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.datasets.export import export, sidecar
from reasoner.datasets.imports import read_path
from reasoner.datasets.imports.own_export import lineage_of as lineage_in
from reasoner.datasets.options import LabelSource, Options, Thinking
from reasoner.datasets.trace import origins
from reasoner.errors import BadConfig
from reasoner.solver import Searchable
from reasoner.store import Store

FORMATS = registry.names("format")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    db = tmp_path_factory.mktemp("formats") / "t.db"
    sampling = reasoner.Sampling(max_tokens=4000)
    searched = [name for name in registry.names("solver") if isinstance(registry.solver(name), Searchable)]
    of_any = [name for name in registry.names("strategy") if not registry.find("strategy", name).solvers]
    of_translation = ["fragment_shot", "example_shot:method=random"]
    reasoner.bench(searched, strategy=of_any, model="teacher", n=2, db=db, sampling=sampling)
    reasoner.bench("translation", strategy=of_translation, model="teacher", n=2, db=db, sampling=sampling)
    with Store.open(db) as opened:
        yield opened


SESSIONS = {"claude-code", "codex"}
"""Formats that take a line for each event; the first of each says where the session comes from."""
CASES = [(name, kind) for name in FORMATS for kind in registry.find("format", name).kinds]


def source(kind: str) -> LabelSource:
    """The teacher is never wrong, so only its searches hold what a preference needs."""
    return "tree" if kind == "pair" else "replies"


def lineage_of(path: Path, name: str) -> list[dict[str, Any]]:
    """Where the rows of a file come from: in a column, inside, or in the file beside."""
    rows = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    where = getattr(registry.find("format", name), "lineage", "column")
    if where == "sidecar":
        return [json.loads(line) for line in sidecar(path).read_text(encoding="ascii").splitlines()]
    if where == "inside":
        if name in SESSIONS:
            found = [lineage for row in rows if (lineage := lineage_in(row))]
            assert origins(path, len(rows)) == [found[-1]]
            return found
        return [origins(path, line)[0] for line in range(1, len(rows) + 1)]
    return [row["lineage"] for row in rows]


def places(folder: Path, name: str) -> tuple[Path, Path]:
    """What is exported to, and the file that then holds the rows."""
    made = registry.find("format", name)
    out = folder / ("out" if made.packaged else "out.jsonl")
    return out, made().rows_at(out)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_rows_parse_alone_carry_lineage_and_repeat_byte_for_byte(store: Store, tmp_path: Path, name: str, kind: str) -> None:
    made = registry.find("format", name)
    assert made.name == name
    assert made.summary
    (one, first), (other, second) = places(tmp_path / "first", name), places(tmp_path / "second", name)
    for out in (one, other):
        out.parent.mkdir()
        tally = export(store, name, out, options=Options(records=kind, labels_from=source(kind)))
        assert tally.taken > 0
    names = sorted(path.name for path in first.parent.iterdir())
    assert names == sorted(path.name for path in second.parent.iterdir())
    for file in names:
        assert (first.parent / file).read_bytes() == (second.parent / file).read_bytes()
    rows = [json.loads(line) for line in first.read_text(encoding="ascii").splitlines()]
    assert len(rows) == tally.files[first.name]["rows"]
    if name not in SESSIONS:
        assert len(rows) == tally.taken
        assert len({frozenset(row) for row in rows}) == 1, "one shape per file"
    assert hashlib.sha256(first.read_bytes()).hexdigest() == tally.files[first.name]["sha256"]
    lineages = lineage_of(first, name)
    assert len({str(lineage) for lineage in lineages} if name in SESSIONS else lineages) == tally.taken
    assert {lineage["trajectory"] for lineage in lineages} <= {row["id"] for row in store.rows("SELECT id FROM trajectories")}
    answered = {row["key"] for row in store.rows("SELECT key FROM calls WHERE state = 'done'")}
    assert {key for lineage in lineages for key in lineage["calls"]} <= answered


@pytest.mark.parametrize(("name", "kind"), CASES)
@pytest.mark.parametrize("thinking", ["reasoning_content", "tags", "thinking", "both"])
def test_export_import_export_is_byte_equal(store: Store, tmp_path: Path, name: str, kind: str, thinking: Thinking) -> None:
    if thinking in {"thinking", "both"} and not getattr(registry.find("format", name), "thinking_field", False):
        with pytest.raises(BadConfig, match="no field for thinking"):
            export(store, name, places(tmp_path, name)[0], options=Options(records=kind, thinking=thinking))
        return
    more = getattr(registry.find("format", name), "lineage", "column") == "column"
    options = Options(records=kind, thinking=thinking, ratings=more, context=more, labels_from=source(kind))
    if not more:
        with pytest.raises(BadConfig, match="no column of ours"):
            export(store, name, tmp_path / "out.jsonl", options=Options(records=kind, ratings=True))
    (tmp_path / "again").mkdir()
    (out, rows), (out_again, rows_again) = places(tmp_path, name), places(tmp_path / "again", name)
    before = export(store, name, out, options=options)
    with Store.open(tmp_path / "other.db") as other:
        found = read_path(other, rows)
        assert (found.rows, found.taken) == (1 if name in SESSIONS else before.taken, before.taken)
        after = export(other, name, out_again, options=options)
        assert read_path(other, rows).taken == 0, "what is there is not taken twice"
    assert after.left_out == {}
    for path in sorted(rows.parent.glob("*.jsonl")):
        assert path.read_bytes() == (rows_again.parent / path.name).read_bytes()
