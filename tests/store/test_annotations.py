"""Annotations: one of each trajectory, changed in parts, bounded, without keys, and kept when an older file is brought up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import reasoner
from reasoner.errors import BadConfig, StoreError, UnknownName
from reasoner.store import Store, queries
from reasoner.store.annotations import MAX_NOTE_CHARS, annotate, annotation, labels, remove_annotation, said_in

KEY = "sk-ant-" + "api03-" + "A1b2C3d4E5f6G7h8" * 4


@pytest.fixture
def path(tmp_path: Path) -> Path:
    reasoner.solve("game24", "4 9 10 13", model="teacher", strategy="cot", db=tmp_path / "t.db")
    return tmp_path / "t.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


@pytest.fixture
def name(store: Store) -> str:
    return str(store.tuples("SELECT id FROM trajectories")[0][0])


def test_it_is_written_changed_in_parts_and_removed(store: Store, name: str) -> None:
    assert annotation(store, name) is None
    first = annotate(store, name, label=" good \n one ", note=" a\r\nb\x1b[31m ")
    assert (first["label"], first["note"]) == ("good one", "a\nb[31m")
    changed = annotate(store, name, label="bad")
    assert (changed["label"], changed["note"], changed["created"]) == ("bad", "a\nb[31m", first["created"])
    assert changed == annotation(store, name)
    assert annotate(store, name, label="", note="only this")["label"] == ""
    assert labels(store) == []
    row = queries.trajectory_row(store, name)
    assert row is not None
    assert (row["annotation_label"], row["annotation_note"]) == ("", "only this")
    assert store.tuples("SELECT count(*) FROM annotations") == [(1,)]
    assert remove_annotation(store, name)
    assert not remove_annotation(store, name)
    assert annotation(store, name) is None


@pytest.mark.parametrize(
    "given", [{"label": "x" * 81}, {"note": "x" * (MAX_NOTE_CHARS + 1)}, {"label": " "}, {"label": "", "note": "\x1b"}, {}]
)
def test_what_cannot_be_noted_is_refused_and_changes_nothing(store: Store, name: str, given: dict[str, str]) -> None:
    with pytest.raises(BadConfig):
        annotate(store, name, **given)
    assert annotation(store, name) is None
    annotate(store, name, label="x" * 80, note="x" * MAX_NOTE_CHARS)


def test_an_annotation_is_not_emptied_part_by_part(store: Store, name: str) -> None:
    annotate(store, name, label="a", note="b")
    annotate(store, name, label="")
    with pytest.raises(BadConfig, match="needs"):
        annotate(store, name, note="")
    assert annotation(store, name) is not None


def test_an_unknown_trajectory_is_named(store: Store) -> None:
    with pytest.raises(UnknownName, match="nobody"):
        annotate(store, "nobody", label="a")


def test_keys_are_taken_out(store: Store, name: str) -> None:
    made = annotate(store, name, label="good", note=f"it used {KEY}")
    assert KEY not in made["note"]
    assert "[redacted]" in made["note"]


def test_a_store_opened_for_reading_refuses(path: Path, name: str) -> None:
    with Store.read(path) as store:
        assert annotation(store, name) is None
        with pytest.raises(StoreError, match="for reading"):
            annotate(store, name, label="a")


def test_a_file_from_before_annotations_gets_the_table_and_keeps_what_it_holds(path: Path, name: str) -> None:
    plain = sqlite3.connect(path)
    plain.executescript("DROP TABLE annotations; DELETE FROM _sqlite_migrations WHERE name = 'm100_annotations'")
    plain.close()
    with Store.read(path) as store:
        assert annotation(store, name) is None
        assert store.tuples("SELECT id FROM trajectories") == [(name,)]
    with Store.open(path) as store:
        assert annotate(store, name, label="good")["label"] == "good"


@pytest.mark.parametrize(
    ("lineage", "said"),
    [
        ({"annotation": {"label": "a", "note": "b"}}, ("a", "b")),
        ({"annotation": {"label": "", "note": ""}}, None),
        ({"annotation": {"label": "x" * 81, "note": ""}}, None),
        ({"annotation": {"label": 3, "note": ""}}, None),
        ({"annotation": {"label": "a"}}, None),
        ({"annotation": "a"}, None),
        ({}, None),
    ],
)
def test_what_a_file_says_is_taken_where_it_could_be_written_here(lineage: dict[str, object], said: tuple[str, str] | None) -> None:
    assert said_in(lineage) == said
