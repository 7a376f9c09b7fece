"""The small files of the shared folder are others': whatever stands in them is told or passed over, and never ends in a traceback or fills the memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shards import Cut, cut, small_plan

from reasoner.budget import Limits
from reasoner.errors import BadConfig, DataError, ReasonerError
from reasoner.runs.options import RunOptions
from reasoner.scale import storage
from reasoner.scale.complete import complete
from reasoner.scale.grants import Rates
from reasoner.scale.leases import grant, leases
from reasoner.scale.ledger import Ledger
from reasoner.scale.manifest import read_manifest, read_run
from reasoner.scale.merging import merge
from reasoner.scale.segments import SegmentHead
from reasoner.scale.shared import Shared, shared
from reasoner.scale.status import granted, status
from reasoner.scale.worker import Here, run_shard

PLAN = small_plan(4, strategies="cot")
HOSTILE = [
    b"", b"\xff\x00", b"null", b"[]", b"7", b'"x"', b"{}", b"[" * 200_000, b'{"a":' * 200_000,
    b'{"state": 7, "count": "x"}', b'{"state": "running", "closed": "many"}', b'{"state": "running", "closed": [1]}', b'{"state": "asleep"}',
    b'{"holder": {}, "node": 1, "adopts": null}', b'{"holder": "a", "node": "b", "adopts": 5}',
    b'{"segments": 5}', b'{"segments": [{}]}', b'{"total": 5}', b'{"total": {"calls": NaN}}', b'{"total": {"calls": 1e999}}', b'{"total": {"calls": "x"}}',
]  # fmt: skip
FILES = ["leases/00000/e0001.json", "leases/00000/e0001.beat", "done/00000.json", "grants/000001.json"]


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Cut]:
    folder = tmp_path_factory.mktemp("worked")
    made = cut(folder, PLAN, n=2, options=RunOptions(run_limits=Limits(calls=100)))
    made.run(0)
    merge(made.place, folder / "a.db")
    return folder, made


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("data", HOSTILE, ids=range(len(HOSTILE)))
def test_a_small_file_with_anything_in_it_is_told(name: str, data: bytes, worked: tuple[Path, Cut]) -> None:
    folder, made = worked
    path = folder / "shared" / name
    before = path.read_bytes()
    asking: list[Callable[[], Any]] = [
        lambda: status(made.place), lambda: granted(made.place), lambda: merge(made.place, folder / "a.db"),
        lambda: Ledger(made.place, Limits(calls=100)).ask(shard=1, epoch=1, need={"calls": 1.0}, among=2),
        lambda: Rates(made.place, rpm=10, tpm=None, of=2, at_once=2).part(),
    ]  # fmt: skip
    try:
        path.write_bytes(data)
        for ask in asking:
            try:
                ask()
            except ReasonerError as error:
                assert name in error.message
    finally:
        path.write_bytes(before)
        for extra in (folder / "shared" / "grants").glob("*.json"):
            if extra.name > "000009.json":
                extra.unlink()


def _changed(data: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(data), **changes}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": {}}, {"plan": {"strategies": 5, "models": ["teacher"], "samples": 1}}, {"plan": {"strategies": [["cot", "{}"]], "models": 3, "samples": 1}},
        {"of": 10**9}, {"of": 1}, {"sizes": []}, {"sizes": [0, 6]}, {"sizes": ["x", 1]}, {"manifest": {}}, {"format": 3}, {"budget": {"calls": -1}}, {"run": "../x"},
    ],
)  # fmt: skip
def test_a_run_that_was_changed_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN, n=2)
    path = tmp_path / "shared" / "run.json"
    path.write_bytes(_changed(path.read_bytes(), **changes))
    with pytest.raises(DataError, match="cut the run again"):
        read_run(made.place)
    with pytest.raises(DataError):
        merge(made.place, tmp_path / "a.db")


def test_a_plan_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN, n=2)
    path = tmp_path / "shared" / "run.json"
    plan = json.loads(path.read_bytes())["plan"]
    for key, value in (("sampling", 5), ("limits", "x"), ("tools", 7)):
        path.write_bytes(_changed(path.read_bytes(), plan={**plan, key: value}))
        with pytest.raises(ReasonerError):
            read_run(made.place).opened(())


def test_a_manifest_of_another_run_is_not_worked_on_nor_merged(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN, n=2)
    other = cut(tmp_path / "other", small_plan(3, strategies="cot"), n=2)
    theirs = tmp_path / "other" / "shared" / "manifests" / "00001.jsonl"
    with pytest.raises(BadConfig, match="is not of the run"):
        asyncio.run(run_shard(made.place, read_manifest(theirs), here=Here(local=made.local)))
    (tmp_path / "shared" / "manifests" / "00001.jsonl").write_bytes(theirs.read_bytes())
    with pytest.raises(BadConfig, match="is not of the run"):
        made.run(1)
    with pytest.raises(BadConfig, match="is not of the run"):
        merge(made.place, tmp_path / "a.db")
    assert leases(made.place, 1) == []
    assert other.run(1).state == "finished"


def test_a_shard_that_was_declared_complete_is_not_worked_on_again(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN, n=2)
    grant(made.place, 0, holder="gone")
    (tmp_path / "shared" / "done").mkdir()
    (tmp_path / "shared" / "done" / "00000.json").write_text('{"segments": []}')
    ended = made.run(0)
    assert (ended.state, ended.epoch, ended.calls) == ("finished", 1, 0)
    assert leases(made.place, 0) == [1]


def test_what_is_no_number_of_a_shard_is_passed_over(tmp_path: Path) -> None:
    place = shared(tmp_path)
    for name in (
        "done/notes.txt",
        "done/00001.json",
        "done/x.json",
        "leases/00001/e9999.json",
        "leases/00001/e10000.json",
        "leases/00001/e٣٣٣٣.json",
    ):
        place.create(name, b"{}")
    assert complete(place) == {1}
    assert leases(place, 1) == [9999, 10000]


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_a_file_that_is_larger_than_any_of_ours_is_not_read_whole(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "MAX_READ_BYTES", 10)
    place: Shared = shared(tmp_path) if kind == "folder" else shared(f"memory://{tmp_path.name}")
    place.create("small", b"0123456789")
    place.create("large", b"0123456789" * 2)
    assert place.read("small") == b"0123456789"
    assert place.begin_of("large", 11) == b"01234567890"
    with pytest.raises(ReasonerError, match="larger than 10 bytes"):
        place.read("large")


def test_a_list_of_segments_without_end_is_not_counted_out() -> None:
    head = SegmentHead(format="x", run="y", shard=0, epoch=1, number=1, own=((1, 2), (4, 10**18)))
    assert not head.lists({1, 2, 4})
    assert SegmentHead(format="x", run="y", shard=0, epoch=1, number=1, own=((1, 2), (4, 4))).lists({1, 2, 4, 7})
