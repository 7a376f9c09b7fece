"""What dies, is torn, comes twice or too late changes nothing of what a merge comes to; it is told and counted."""

from __future__ import annotations

import asyncio
import random
import shutil
from pathlib import Path

import pytest
from shards import OFTEN, Cut, contents, cut, exported, single, small_plan

from reasoner.errors import BadConfig, DataError, TakenOver
from reasoner.runs.events import Event, TrajectoryClosed
from reasoner.scale.leases import Beat, accepted, beat, grant, newest, take
from reasoner.scale.manifest import read_manifest
from reasoner.scale.merging import merge
from reasoner.scale.segments import names_of, seal, unpacked
from reasoner.scale.shared import shared
from reasoner.scale.worker import Here, run_shard
from reasoner.store import Store
from reasoner.store.merged import SegmentRow, all_of_run, merge_segment
from reasoner.store.transfer import Version, snapshot

PLAN = small_plan(5)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """What a single process records of the plan."""
    db = tmp_path_factory.mktemp("one") / "one.db"
    single(db, PLAN)
    return contents(db)


def taken_from(made: Cut, shard: int, *, after: int) -> None:
    """Work on a shard until another is granted it, after so many trajectories."""
    met = 0

    def tell(event: Event) -> None:
        nonlocal met
        met += isinstance(event, TrajectoryClosed)
        if met == after:
            grant(made.place, shard, holder="another")

    with pytest.raises(TakenOver, match="epoch 2"):
        asyncio.run(run_shard(made.place, shard, here=Here(local=made.local, sealing=OFTEN, tell=tell)))


def test_what_a_holder_writes_after_its_lease_is_refused_and_counted(tmp_path: Path, one: list[tuple[object, ...]]) -> None:
    made = cut(tmp_path, PLAN)
    taken_from(made, 0, after=2)
    run = read_manifest(made.place, 0).head.run
    late = tmp_path / "late"
    late.mkdir()
    with snapshot(made.local / run / "00000" / "shard.db") as read:  # it wakes up and seals once more
        sealed = seal(read, all_of_run(read, run), head={"run": run}, shard=0, version=Version(1, 99), folder=late)
    made.place.put(sealed.name.path, sealed.path)
    shutil.rmtree(made.local)
    lease = newest(made.place, 0)
    ended = asyncio.run(run_shard(made.place, 0, lease=lease, here=Here(local=made.local, sealing=OFTEN)))
    assert (ended.state, ended.epoch, ended.carried) == ("finished", 2, False)
    assert [made.run(1).state, made.run(2).state] == ["finished", "finished"]
    merged = merge(made.place, tmp_path / "many.db")
    assert merged.left_out["refused"] >= 1
    assert any(sealed.name.name in line for line in merged.told)
    assert merged.is_complete
    assert contents(tmp_path / "many.db") == one


def test_a_shard_goes_on_from_its_segments_where_its_file_is_gone(tmp_path: Path, one: list[tuple[object, ...]]) -> None:
    made = cut(tmp_path, PLAN)
    taken_from(made, 0, after=3)
    shutil.rmtree(made.local)
    ended = asyncio.run(run_shard(made.place, 0, lease=newest(made.place, 0), here=Here(local=made.local, sealing=OFTEN)))
    lease = newest(made.place, 0)
    assert lease is not None
    assert ended.restored == len(lease.adopts)
    assert ended.closed == ended.total
    manifest, held = read_manifest(made.place, 0), set()
    for segment in (each for each in names_of(made.place, 0)[0] if each.name in lease.adopts):
        with unpacked(made.place, segment, run=manifest.head.run) as source:
            held |= set(source("SELECT key FROM calls WHERE state = 'done'", ()))
    assert ended.calls == manifest.n_trajectories - len(held), "the teacher is asked once a trajectory, and not for what was sealed"
    made.run(1), made.run(2)
    assert merge(made.place, tmp_path / "many.db").is_complete
    assert contents(tmp_path / "many.db") == one


def test_segments_may_come_in_any_order_and_twice(tmp_path: Path, one: list[tuple[object, ...]]) -> None:
    made = cut(tmp_path, PLAN)
    empty = merge(made.place, tmp_path / "planted.db")
    assert (empty.complete, empty.states) == (0, {"waiting": 3})
    made.run_all()
    segments = [each for shard in range(3) for each in accepted(made.place, shard)[1]]
    assert len(segments) > 5
    for seed in range(3):
        rng = random.Random(seed)
        db = tmp_path / f"{seed}.db"
        shutil.copy(tmp_path / "planted.db", db)
        line = [*segments, *rng.sample(segments, 3)]
        rng.shuffle(line)
        with Store.open(db) as store:
            for each in line:
                with unpacked(made.place, each, run=empty.run) as source:
                    merge_segment(store, source, SegmentRow(each.name, empty.run, each.shard, each.version))
        assert contents(db) == one, seed


def test_merging_while_shards_work_and_again_comes_to_the_same(tmp_path: Path, one: list[tuple[object, ...]]) -> None:
    made = cut(tmp_path, PLAN)
    db = tmp_path / "many.db"
    seen = []

    def tell(event: Event) -> None:
        if isinstance(event, TrajectoryClosed):
            merged = merge(made.place, db)
            seen.append((merged.newer, merged.is_complete))

    asyncio.run(run_shard(made.place, 1, here=Here(local=made.local, sealing=OFTEN, tell=tell)))
    made.run(0), made.run(2)
    assert not any(complete for _, complete in seen)
    first, second = merge(made.place, db), merge(made.place, db)
    assert first.is_complete
    assert (second.merged, second.newer) == (0, 0)
    assert second.known > 0
    assert contents(db) == one
    folder = tmp_path / "exports"
    single(tmp_path / "one.db", PLAN)
    assert exported(db, folder / "a") == exported(tmp_path / "one.db", folder / "b")


def test_a_torn_segment_is_told_and_its_shard_can_be_run_again(tmp_path: Path, one: list[tuple[object, ...]]) -> None:
    made = cut(tmp_path, PLAN)
    made.run_all()
    found, _ = names_of(made.place, 0)
    victim = tmp_path / "shared" / found[0].path
    data = victim.read_bytes()
    for spoilt in (data[: len(data) // 2], b"", data[:-1] + bytes([data[-1] ^ 1])):
        victim.write_bytes(spoilt)
        merged = merge(made.place, tmp_path / "many.db")
        assert (merged.left_out["torn"], merged.complete) == (1, 2)
    folder = made.local / merged.run / "00000"
    (folder / "seal-x").mkdir()
    (folder / "seal-x" / "segment.db").write_bytes(b"left by a kill")
    again = made.run(0)
    assert (again.epoch, again.state, again.carried) == (2, "finished", True)
    assert not (folder / "seal-x").exists()
    assert again.calls == 0, "its file was there: nothing is asked again"
    merged = merge(made.place, tmp_path / "many.db")
    assert merged.is_complete
    assert contents(tmp_path / "many.db") == one


def test_files_that_are_no_segments_of_the_run_are_told_and_left(tmp_path: Path, one: list[tuple[object, ...]]) -> None:
    made = cut(tmp_path, PLAN)
    made.run_all()
    other = cut(tmp_path / "other", small_plan(3), n=1)
    other.run(0)
    found, _ = names_of(other.place, 0)
    folder = tmp_path / "shared" / "segments" / "00001"
    shutil.copy(tmp_path / "other" / "shared" / found[0].path, folder / found[0].name)
    (folder / "notes.txt").write_text("mine")
    (folder / ("e0009-000001-" + "0" * 32 + ".seg")).write_bytes(b"x")
    merged = merge(made.place, tmp_path / "many.db")
    assert merged.left_out["foreign"] == 3
    assert contents(tmp_path / "many.db") == one


def test_only_a_merge_declares_a_shard_complete_and_then_nothing_more_counts(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN)
    made.run(0)
    assert made.place.names("done") == []
    assert merge(made.place, tmp_path / "a.db").complete == 1
    assert made.place.names("done") == ["00000.json"]
    lease = grant(made.place, 0, holder="late")
    beat(made.place, lease, Beat("running"))
    run = read_manifest(made.place, 0).head.run
    with snapshot(made.local / run / "00000" / "shard.db") as read:
        sealed = seal(read, all_of_run(read, run), head={"run": run}, shard=0, version=Version(lease.epoch, 1), folder=tmp_path)
    made.place.put(sealed.name.path, sealed.path)
    merged = merge(made.place, tmp_path / "a.db")
    assert merged.complete == 1
    assert merged.left_out["refused"] == 1


def test_a_shard_that_somebody_works_on_is_refused_and_a_silent_holder_is_replaced(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN)
    lease = grant(made.place, 0, holder="elsewhere", node="node-7")

    async def alive() -> None:
        async def beating() -> None:
            count = 0
            while True:
                count += 1
                beat(made.place, lease, Beat("running", count))
                await asyncio.sleep(0.02)

        task = asyncio.create_task(beating())
        with pytest.raises(BadConfig, match="run on node-7"):
            await take(made.place, 0, lease_s=5)
        task.cancel()
        assert (await take(made.place, 0, lease_s=0.2)).epoch == 2

    asyncio.run(alive())


def test_a_store_that_worked_on_the_run_itself_is_not_merged_into(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN)
    made.run(0)
    single(tmp_path / "one.db", PLAN)
    with pytest.raises(BadConfig, match="worked on run"):
        merge(made.place, tmp_path / "one.db")


def test_a_manifest_that_was_cut_off_or_changed_is_refused(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN)
    path = tmp_path / "shared" / "manifests" / "00001.jsonl"
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    for spoilt in (
        data[:-3],
        b"".join(lines[:-1]),
        data.replace(b'"number_path"', b'"game24"', 1),
        lines[0] + lines[2] + lines[1],
        b"",
        b"{}\n",
        b"\xff",
    ):
        path.write_bytes(spoilt)
        with pytest.raises(DataError):
            read_manifest(made.place, 1)
    path.write_bytes(data)
    assert len(read_manifest(path).problems) == read_manifest(made.place, 1).head.n_problems


def test_an_object_store_does_as_well_as_a_folder(tmp_path: Path, one: list[tuple[object, ...]]) -> None:
    from reasoner.runs.options import RunOptions
    from reasoner.scale.cut import shard

    place = shared(f"memory://{tmp_path.name}")
    asyncio.run(shard(PLAN, ["teacher"], RunOptions(), n=2, place=place))
    made = Cut(place, tmp_path / "local", 2)
    made.run_all()
    shutil.rmtree(made.local)
    assert merge(place, tmp_path / "many.db").is_complete
    assert contents(tmp_path / "many.db") == one


def test_a_file_is_made_anew_where_the_shard_was_worked_on_elsewhere_since(tmp_path: Path, one: list[tuple[object, ...]]) -> None:
    made = cut(tmp_path, PLAN)
    taken_from(made, 0, after=2)
    elsewhere = asyncio.run(run_shard(made.place, 0, lease=newest(made.place, 0), here=Here(local=tmp_path / "elsewhere", sealing=OFTEN)))
    assert (elsewhere.epoch, elsewhere.state) == (2, "finished")
    back = asyncio.run(run_shard(made.place, 0, lease=grant(made.place, 0), here=Here(local=made.local, sealing=OFTEN)))
    assert (back.epoch, back.carried, back.calls) == (3, False, 0)
    made.run(1), made.run(2)
    assert merge(made.place, tmp_path / "many.db").is_complete
    assert contents(tmp_path / "many.db") == one
