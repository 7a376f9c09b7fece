"""Annotations in exports: rows are as before without any, all have the key with one, files come back to the same bytes, and a label chooses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters
from reasoner.errors import BadConfig
from reasoner.store import Store
from reasoner.store.annotations import annotate, annotation, remove_annotation

RIGHT, WRONG = "So.\nAnswer: 9 -> 10 -> 20", "So.\nAnswer: 9 -> 18 -> 36"
OTHER = "Once more.\nAnswer: 9 -> 10 -> 20"
FORMATS = [
    (name, kind)
    for name in registry.names("format")
    for kind in registry.find("format", name).kinds
    if not registry.find("format", name).packaged
]


UNREAD = ({"a": 1}, ["a"], 3, "", "{", "[]", '"text"', "null")
"""What stands in a root under the name of a note, and is none."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    said = iter([RIGHT, WRONG, OTHER])
    client = ScriptedClient(lambda _: next(said), name="scripted")
    reasoner.solve("number_path", "2 9 20", strategy="direct", model=client, samples=3, db=tmp_path / "t.db")
    with Store.open(tmp_path / "t.db") as opened:
        yield opened


def ids(store: Store) -> list[str]:
    return [name for (name,) in store.tuples("SELECT id FROM trajectories ORDER BY rowid")]


def rows(store: Store, name: str, path: Path, filters: Filters | None = None) -> list[dict[str, Any]]:
    export(store, name, path, filters)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize(("name", "kind"), FORMATS)
def test_export_import_export_is_byte_equal(store: Store, tmp_path: Path, name: str, kind: str) -> None:
    right, wrong, _ = ids(store)
    options = Options(records=kind)
    export(store, name, tmp_path / "plain.jsonl", options=options)
    annotate(store, right, label="good", note="“short”\nand right")
    annotate(store, wrong, note="why?")
    before = export(store, name, tmp_path / "out.jsonl", options=options)
    assert before.taken
    (tmp_path / "again").mkdir()
    with Store.open(tmp_path / "u.db") as other:
        read_path(other, tmp_path / "out.jsonl")
        export(other, name, tmp_path / "again" / "out.jsonl", options=options)
    for path in sorted(tmp_path.glob("out*")):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    for one in (right, wrong):
        remove_annotation(store, one)
    export(store, name, tmp_path / "after.jsonl", options=options)
    assert (tmp_path / "after.jsonl").read_bytes() == (tmp_path / "plain.jsonl").read_bytes()


def test_every_row_has_the_key_as_soon_as_one_has_an_annotation(store: Store, tmp_path: Path) -> None:
    right, wrong, other = ids(store)
    assert all("annotation" not in row["lineage"] for row in rows(store, "kto", tmp_path / "a.jsonl"))
    annotate(store, wrong, label="slip")
    found = {row["lineage"]["trajectory"]: row["lineage"]["annotation"] for row in rows(store, "kto", tmp_path / "b.jsonl")}
    none = {"label": "", "note": ""}
    assert found == {right: none, wrong: {"label": "slip", "note": ""}, other: none}
    (pair, *_) = rows(store, "dpo", tmp_path / "c.jsonl")
    assert pair["lineage"]["annotation"] == none
    assert pair["lineage"]["rejected"]["annotation"] == {"label": "slip", "note": ""}


def test_an_annotation_outside_the_selection_changes_no_row(store: Store, tmp_path: Path) -> None:
    before = rows(store, "kto", tmp_path / "a.jsonl")
    run = str(store.tuples("SELECT id FROM runs")[0][0])
    reasoner.solve("number_path", "2 9 20", strategy="cot", model="teacher", db=tmp_path / "t.db")
    annotate(store, ids(store)[-1], label="elsewhere")
    assert rows(store, "kto", tmp_path / "b.jsonl", Filters(run=run)) == before


def test_a_label_chooses(store: Store, tmp_path: Path) -> None:
    right, wrong, _ = ids(store)
    annotate(store, right, label="good")
    annotate(store, wrong, label="bad")
    assert [row["lineage"]["trajectory"] for row in rows(store, "sft", tmp_path / "a.jsonl", Filters(label=" good "))] == [right]
    assert [row["lineage"]["trajectory"] for row in rows(store, "kto", tmp_path / "b.jsonl", Filters(label="bad"))] == [wrong]
    assert export(store, "sft", tmp_path / "c.jsonl", Filters(label="goo")).taken == 0
    with pytest.raises(BadConfig, match="`label`"):
        export(store, "sft", tmp_path / "c.jsonl", Filters(label="x" * 81))


def test_an_import_takes_annotations_up_and_they_can_be_changed_there(store: Store, tmp_path: Path) -> None:
    right = ids(store)[0]
    annotate(store, right, label="good", note="short")
    for name in ("sft", "kto", "atif"):
        export(store, name, tmp_path / f"{name}.jsonl")
        with Store.open(tmp_path / f"{name}.db") as other:
            read_path(other, tmp_path / f"{name}.jsonl")
            (found,) = other.tuples("SELECT trajectory_id, label, note FROM annotations")
            assert found[1:] == ("good", "short")
            annotate(other, found[0], label="better")
            lineages = [row.get("lineage") or row["extra"]["lineage"] for row in rows(other, name, tmp_path / "changed.jsonl")]
            assert {"label": "better", "note": "short"} in [one.get("annotation") for one in lineages]
            remove_annotation(other, found[0])
            lineages = [row.get("lineage") or row["extra"]["lineage"] for row in rows(other, name, tmp_path / "changed.jsonl")]
            assert all(not any((one.get("annotation") or {}).values()) for one in lineages)


def test_a_part_of_a_split_file_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    right, _, other = ids(store)
    annotate(store, right, label="good")
    export(store, "sft", tmp_path / "all.jsonl")
    part = next(line for line in (tmp_path / "all.jsonl").read_text("utf-8").splitlines() if other in line)
    (tmp_path / "part.jsonl").write_text(part + "\n", "utf-8")
    with Store.open(tmp_path / "part.db") as read:
        read_path(read, tmp_path / "part.jsonl")
        assert annotation(read, other) is None
        export(read, "sft", tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_text("utf-8") == part + "\n"


def test_a_state_that_looks_like_a_noted_record_is_no_fault(store: Store, tmp_path: Path) -> None:
    """What a strategy leaves on a root is its own; only what reads as a record with a lineage counts."""
    export(store, "atif", tmp_path / "a.jsonl", Filters(verdict="any"))
    with Store.open(tmp_path / "b.db") as other:
        read_path(other, tmp_path / "a.jsonl")
        states = ['{"record": "{"}', '{"record": {"lineage": {"annotation": {"label": 3}}}}', '"x"']
        given = list(zip(states, ids(other), strict=True))
        other.write_now(lambda c: c.executemany("UPDATE thoughts SET state = ? WHERE trajectory_id = ? AND depth = 0", given) and None)
        found = rows(other, "atif", tmp_path / "b.jsonl", Filters(verdict="any"))
        assert len(found) == len(states)
        assert all("annotation" not in row["extra"]["lineage"] for row in found)


@pytest.mark.parametrize("kind", ["lineage", "pair"])
def test_a_document_whose_root_holds_something_under_the_name_of_a_note_is_exported(store: Store, tmp_path: Path, kind: str) -> None:
    export(store, "atif", tmp_path / "a.jsonl", Filters(verdict="correct"))
    document = json.loads((tmp_path / "a.jsonl").read_text("utf-8").splitlines()[0])
    root = next(one for one in document["extra"]["thoughts"] if one["depth"] == 0)
    for number, noted in enumerate(UNREAD):
        root["state"] = {"lineage": noted} if kind == "lineage" else {"kind": kind, "record": noted}
        (tmp_path / f"{number}.jsonl").write_text(json.dumps(document) + "\n", "utf-8")
        with Store.open(tmp_path / f"{number}.db") as other:
            assert read_path(other, tmp_path / f"{number}.jsonl").taken == 1
            (row,) = rows(other, "sft", tmp_path / "sft.jsonl")
            assert row["lineage"]["trajectory"] == document["trajectory_id"]
            assert export(other, "dpo", tmp_path / "dpo.jsonl").seen == 1, "no stored record is counted"
