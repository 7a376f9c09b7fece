"""The coordinator of shards on Ray, over a Ray of threads: what becomes of workers, nodes and copies that are lost, and what is refused before it begins."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_ray import FakeRay, Lost
from model_server import ModelServer
from ray_nodes import wait_until
from shards import Cut, contents, cut, single, small_plan

from reasoner.api import on_ray
from reasoner.api.mapping import map_rows, read_step
from reasoner.api.on_ray import OnRay
from reasoner.errors import BadConfig, KeyRefused, MissingDependency, ReasonerError
from reasoner.runs.events import Event, Note, ShardsMoved
from reasoner.scale import holders, ray_cluster, ray_engine, ray_task
from reasoner.scale.holders import Holders
from reasoner.scale.leases import Beat, beat, grant, leases
from reasoner.scale.local_copy import held
from reasoner.scale.manifest import read_run
from reasoner.scale.merging import merge
from reasoner.scale.ray_cluster import Node, VersionsDiffer, Where, check, join
from reasoner.scale.ray_engine import TRIES, Coordinator, ShardLost
from reasoner.store import Store

PLAN = small_plan(4, "cot")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ray_task.SCRATCH_ENV, str(tmp_path / "disk"))
    monkeypatch.setattr(ray_engine, "LOOK_S", 0.02)
    monkeypatch.setattr(ray_engine, "PARK_S", 5.0)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: FakeRay.__version__)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: f"{len(asked)} signs") as made:
        yield made


def coordinator(ray: FakeRay, made: Cut, folder: Path, events: list[Event] | None = None, **more: Any) -> Coordinator:
    told: dict[str, Any] = {"lease_s": 30.0, "tell": None if events is None else events.append} | more
    return Coordinator(ray.cluster(told.pop("where", None)), made.place, folder / "many.db", read_run(made.place), **told)


def carried_out(ray: FakeRay, folder: Path, *, n: int = 3, **more: Any) -> tuple[Cut, list[Event]]:
    made = cut(folder, PLAN, n=n)
    events: list[Event] = []
    asyncio.run(coordinator(ray, made, folder, events, **more).run())
    return made, events


def is_whole(folder: Path) -> None:
    single(folder / "one.db", PLAN)
    assert contents(folder / "many.db") == contents(folder / "one.db")


def test_shards_of_a_run_are_handed_out_and_merged_to_what_one_process_would_have_made(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1, "b": 1})
    made, events = carried_out(ray, tmp_path)
    is_whole(tmp_path)
    assert [ref.order["epoch"] for ref in ray.orders] == [1, 1, 1]
    assert made.place.names("done") == ["00000.json", "00001.json", "00002.json"]
    moved = [event for event in events if isinstance(event, ShardsMoved)]
    assert (moved[0].done, moved[0].complete) == (0, 0)
    assert {name for event in moved for name in event.nodes} == {"host-a/a", "host-b/b"}
    assert not [event for event in events if isinstance(event, Note)]


def test_no_more_shards_are_under_way_than_the_nodes_have_places(tmp_path: Path) -> None:
    ray = FakeRay({"a": 2, "b": 1})
    carried_out(ray, tmp_path, n=6)
    assert ray.most == 3
    assert {ref.node for ref in ray.orders} == {"a", "b"}


def test_a_model_that_fills_its_machine_has_one_worker_a_node(tmp_path: Path) -> None:
    ray = FakeRay({"a": 8, "b": 8})
    carried_out(ray, tmp_path, n=5, alone=True)
    assert ray.most == 2


def test_a_lost_worker_is_replaced_under_the_next_epoch_on_the_node_that_holds_its_file(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1, "b": 1})
    ray.fate = lambda order, _, n: "lost" if order["shard"] == 1 and n < 2 else "run"
    _, events = carried_out(ray, tmp_path)
    is_whole(tmp_path)
    again = [ref for ref in ray.orders if ref.order["shard"] == 1]
    assert [ref.order["epoch"] for ref in again] == [1, 2, 3]
    assert len({ref.node for ref in again}) == 1
    assert sum("shard 1 goes on" in event.text for event in events if isinstance(event, Note)) == 2


def test_a_shard_of_a_node_that_is_gone_goes_on_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "RETURN_S", 0.0)
    ray = FakeRay({"a": 1, "b": 1})

    def fate(order: dict[str, Any], node: str, _: int) -> str:
        if node == "a":
            ray.places["a"] = 0
            return "lost"
        return "run"

    ray.fate = fate
    carried_out(ray, tmp_path)
    is_whole(tmp_path)
    assert {ref.node for ref in ray.orders[3:]} <= {"b"}


def test_a_shard_waits_for_the_node_that_has_its_file_and_goes_on_there_when_it_is_back(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1, "b": 1})

    def fate(order: dict[str, Any], node: str, _: int) -> str:
        if node != "a":
            return "run"
        ray.held["c"] = {order["shard"]: order["epoch"]}
        ray.places["a"] = 0
        return "lost"

    def back(order: dict[str, Any], _: int) -> None:
        if order["shard"] == 2:  # all others are done: only now is the machine there again, as another node
            ray.places["c"] = 1

    ray.fate, ray.before_end = fate, back
    _, events = carried_out(ray, tmp_path)
    is_whole(tmp_path)
    assert [(ref.order["shard"], ref.node) for ref in ray.orders] == [(0, "a"), (1, "b"), (2, "b"), (0, "c")]
    assert sum("shard 0 waits up to 30 s for the node" in event.text for event in events if isinstance(event, Note)) == 1


def test_a_coordinator_that_is_started_anew_learns_from_the_nodes_which_files_they_have(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1, "b": 1, "c": 1})
    ray.fate = lambda order, _, n: "lost" if order["shard"] == 0 else "run"
    made = cut(tmp_path, PLAN, n=3)
    with pytest.raises(ShardLost):
        asyncio.run(coordinator(ray, made, tmp_path).run())
    before = len(ray.orders)
    ray.fate = lambda *_: "run"
    ray.held = {"b": {0: 2}, "c": {0: TRIES, 1: 1}}  # an older file of it is elsewhere
    asyncio.run(coordinator(ray, made, tmp_path).run())
    is_whole(tmp_path)
    assert [(ref.order["shard"], ref.node) for ref in ray.orders[before:] if ref.order["shard"] == 0] == [(0, "c")]


def test_a_cluster_that_lost_its_only_node_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay({"a": 1})
    nodes, looks = ray.nodes, list[int]()

    def lost(order: dict[str, Any], node: str, _: int) -> str:
        if node == "a" and order["shard"] == 0:
            ray.places["a"] = 0
            return "lost"
        return "run"

    def back_after_some_looks() -> list[dict[str, Any]]:
        if not ray.places["a"] and len(looks) < 4:
            looks.append(1)
        elif looks:
            ray.places["c"], ray.held = 1, {"c": {0: 1}}
        return nodes()

    ray.fate = lost
    monkeypatch.setattr(ray, "nodes", back_after_some_looks)
    carried_out(ray, tmp_path)
    is_whole(tmp_path)
    assert {ref.node for ref in ray.orders[1:]} == {"c"}


@pytest.mark.parametrize("alive", [True, False])
def test_a_node_that_is_lost_while_it_is_asked_is_left_out(alive: bool) -> None:
    ray = FakeRay({"a": 1, "b": 1})
    cluster = ray.cluster()
    both = cluster.nodes()
    get = ray.get
    ray.get = lambda ref: (_ for _ in ()).throw(Lost("it died")) if ref.node == "b" else get(ref)  # type: ignore[method-assign]
    if not alive:
        ray.places["b"] = 0
        assert [node.id for node, _ in ray_cluster.asked(cluster, both, lambda told: {"told": told}, (1,))] == ["a"]
        return
    with pytest.raises(ReasonerError, match="the node host-b/b cannot run a task: it died"):
        ray_cluster.asked(cluster, both, lambda told: {"told": told}, (1,))


def test_who_let_go_of_a_shard_is_not_waited_for(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN, n=3)
    for shard, state in ((0, "parked"), (1, "running"), (2, "")):
        if state:
            beat(made.place, grant(made.place, shard, node="host-z/z"), Beat(state, 1))  # type: ignore[arg-type]
    now, notes, node = [0.0], list[Event](), Node("a", "host-a/a", {"CPU": 3.0})
    known = Holders(made.place, clock=lambda: now[0], tell=notes.append)
    assert known.places([1, 0, 2], [node] * 3, [node]) == [(0, node), (2, node)]
    now[0] = holders.RETURN_S
    assert known.places([1], [node], [node]) == [(1, node)]
    assert [event.text for event in notes if isinstance(event, Note)] == ["shard 1 waits up to 30 s for the node that has its file"]


def test_files_of_a_run_are_found_by_their_marks(tmp_path: Path) -> None:
    for shard, mark in ((0, '{"epoch": 3}'), (1, "{"), (2, None), (7, '{"epoch": "4"}')):
        folder = tmp_path / "r" / f"{shard:05d}"
        folder.mkdir(parents=True)
        (folder / "shard.db").write_bytes(b"")
        if mark is not None:
            (folder / "epoch.json").write_text(mark)
    (tmp_path / "r/00003").mkdir()
    (tmp_path / "r/00003/epoch.json").write_text('{"epoch": 1}')  # its database is gone
    assert held(tmp_path, "r") == {0: 3, 7: 4}
    assert held(tmp_path, "s") == {}


def test_a_worker_that_was_lost_after_it_had_sealed_everything_is_not_replaced(tmp_path: Path) -> None:
    ray = FakeRay({"a": 3})
    ray.fate = lambda order, _, n: "lost after" if order["shard"] == 0 else "run"
    carried_out(ray, tmp_path)
    is_whole(tmp_path)
    assert len(ray.orders) == 3


def test_a_shard_that_loses_one_worker_after_the_other_ends_the_run_and_the_rest_is_kept(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1})  # one after the other
    ray.fate = lambda order, _, n: "lost" if order["shard"] == 1 else "run"
    made = cut(tmp_path, PLAN, n=3)
    with pytest.raises(
        ShardLost, match=f"shard 1 lost {TRIES} workers in a row without getting on, the last on host-a/a: Lost: the worker died"
    ):
        asyncio.run(coordinator(ray, made, tmp_path).run())
    assert merge(made.place, tmp_path / "many.db").complete == 1
    ray.fate = lambda *_: "run"
    asyncio.run(coordinator(ray, made, tmp_path).run())  # the same again goes on
    is_whole(tmp_path)
    assert [ref.order["shard"] for ref in ray.orders[-2:]] == [1, 2]


def silent_once(folder: Path) -> tuple[FakeRay, Cut, list[Event], Any]:
    """The first worker of shard 2 says nothing, and time passes only once everything else is done."""
    ray = FakeRay({"a": 3})
    ray.fate = lambda order, _, n: "silent" if order["shard"] == 2 and n == 0 else "run"
    made = cut(folder, PLAN, n=3)
    return ray, made, [], lambda: 1000.0 * (len(made.place.names("done")) >= 2)


def test_a_silent_worker_is_replaced_and_ended_by_force(tmp_path: Path) -> None:
    ray, made, events, clock = silent_once(tmp_path)
    asyncio.run(coordinator(ray, made, tmp_path, events, clock=clock).run())
    is_whole(tmp_path)
    (dead,) = [ref for ref in ray.orders if ref.cancelled is not None]
    assert (dead.order["shard"], dead.order["epoch"], dead.cancelled) == (2, 1, True)
    assert [ref.order["epoch"] for ref in ray.orders] == [1, 1, 1, 2]
    assert any("no sign of life" in event.text for event in events if isinstance(event, Note))


def test_what_a_replaced_worker_does_later_counts_for_nothing(tmp_path: Path) -> None:
    ray, made, events, clock = silent_once(tmp_path)
    asyncio.run(coordinator(ray, made, tmp_path, events, clock=clock).run())
    (dead,) = [ref for ref in ray.orders if ref.cancelled]
    said = ray_task.work(dead.order)  # the zombie wakes up
    assert said["kind"] == "TakenOver"
    merge(made.place, tmp_path / "many.db")
    is_whole(tmp_path)


def test_a_copy_that_was_torn_is_noticed_and_its_shard_run_again(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1})  # one after the other, and no time passes: nothing is merged before the copy is torn
    made = cut(tmp_path, PLAN, n=3)

    def tear(order: dict[str, Any], n: int) -> None:
        if order["shard"] == 0 and n == 0:
            segment = max((tmp_path / "shared/segments/00000").glob("*.seg"))
            segment.write_bytes(segment.read_bytes()[:-100])

    ray.before_end = tear
    events: list[Event] = []
    asyncio.run(coordinator(ray, made, tmp_path, events, clock=lambda: 0.0).run())
    is_whole(tmp_path)
    assert [ref.order["shard"] for ref in ray.orders] == [0, 0, 1, 2]
    assert any("did not arrive whole" in event.text for event in events if isinstance(event, Note))


def test_a_fault_that_every_shard_would_meet_ends_the_run_at_once(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1})
    ray.fate = lambda *_: "told"
    ray.answer = {
        "state": "fault", "node": "host-a", "kind": "KeyRefused", "message": "401", "hint": "check the key in MY_KEY", "stops": True, "exit_code": 3,
    }  # fmt: skip
    made = cut(tmp_path, PLAN, n=3)
    with pytest.raises(KeyRefused, match="shard 0 on host-a: 401; check the key in MY_KEY"):
        asyncio.run(coordinator(ray, made, tmp_path).run())
    assert len(ray.orders) == 1


def test_a_full_disk_of_one_node_is_that_node_s_fault(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1})
    ray.answer = {
        "state": "fault",
        "node": "host-a",
        "kind": "StoreError",
        "message": "disk full",
        "hint": "",
        "stops": True,
        "exit_code": 4,
    }
    ray.fate = lambda order, _, n: "told" if n == 0 else "run"
    carried_out(ray, tmp_path)
    is_whole(tmp_path)


def test_an_interrupt_parks_all_workers_and_merges_what_there_is(tmp_path: Path) -> None:
    ray = FakeRay({"a": 3})
    ray.fate = lambda order, *_: "silent" if order["shard"] else "run"
    made = cut(tmp_path, PLAN, n=3)

    async def main() -> None:
        task = asyncio.create_task(coordinator(ray, made, tmp_path).run())
        await asyncio.to_thread(wait_until, lambda: made.place.names("done"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert sorted((ref.order["shard"], ref.cancelled) for ref in ray.orders) == [(0, None), (1, False), (2, False)]
    with Store.read(tmp_path / "many.db") as store:
        closed = store.tuples("SELECT count(*) FROM trajectories WHERE status = 'closed'")[0][0]
    assert closed == 2
    ray.fate = lambda *_: "run"
    asyncio.run(coordinator(ray, made, tmp_path).run())
    is_whole(tmp_path)


# ---- what is refused before anything runs


@pytest.mark.parametrize("name", ["Python", "Ray", "reasoner-llm"])
def test_a_node_with_another_version_is_told_before_any_shard_is_granted(tmp_path: Path, name: str) -> None:
    ray = FakeRay({"a": 1, "b": 1}, said={"b": {name: "1.2"}})
    made = cut(tmp_path, PLAN, n=3)
    with pytest.raises(VersionsDiffer, match=rf"^{name} is .* here and 1\.2 on the node host-b/b; nothing was run"):
        asyncio.run(coordinator(ray, made, tmp_path).run())
    assert not ray.orders
    assert leases(made.place, 0) == []


def test_a_node_that_joins_later_is_asked_too(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1, "b": 0}, said={"b": {"Ray": "1.2"}})
    made = cut(tmp_path, PLAN, n=3)
    ray.before_end = lambda *_: ray.places.update(b=1)
    with pytest.raises(VersionsDiffer, match="host-b/b"):
        asyncio.run(coordinator(ray, made, tmp_path).run())


def test_the_task_itself_refuses_another_version(tmp_path: Path) -> None:
    order: Any = {"place": str(tmp_path), "shard": 0, "epoch": 1, "versions": {"Python": "2.7"}}
    said = ray_task.work(order)
    assert (said["kind"], said["state"]) == ("VersionsDiffer", "fault")
    assert isinstance(ray_task.fault_of(said, 0), ReasonerError)


def test_what_no_node_offers_is_told_with_what_there_is(tmp_path: Path) -> None:
    ray = FakeRay({"a": 1})
    made = cut(tmp_path, PLAN, n=3)
    with pytest.raises(ReasonerError, match=r"no node of the cluster offers 1 CPU, 1 gpu_server .there is: CPU."):
        asyncio.run(coordinator(ray, made, tmp_path, where=Where.read("ray,gpu_server=1")).run())


def test_ray_is_an_extra_and_its_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"Ray is not installed; install it with: pip install 'reasoner-llm\[ray\]'"):
        join(Where())


@pytest.mark.parametrize(
    ("text", "address", "needs"),
    [
        ("ray", "", {"CPU": 1.0}),
        ("ray:10.0.0.1:6379", "10.0.0.1:6379", {"CPU": 1.0}),
        ("ray:[::1]:6379,num_cpus=0.25", "[::1]:6379", {"CPU": 0.25}),
        ("ray, num_cpus=0, num_gpus=1, gpu_server = 0.5", "", {"CPU": 0.0, "GPU": 1.0, "gpu_server": 0.5}),
    ],
)
def test_a_cluster_and_what_a_worker_needs_are_read(text: str, address: str, needs: dict[str, float]) -> None:
    assert Where.read(text) == Where(address, needs)


@pytest.mark.parametrize(
    "text", ["", "dask", "ray:", "ray,", "ray,num_cpus", "ray,num_cpus=-1", "ray,num_cpus=nan", "ray,x=1.5", "ray,=1", "ray,x=inf"]
)
def test_what_names_no_cluster_is_refused(text: str) -> None:
    with pytest.raises(BadConfig, match="write ray"):
        Where.read(text)


def test_places_of_a_node_are_counted_by_its_scarcest_resource() -> None:
    node = Node("1", "a", {"CPU": 8.0, "gpu_server": 1.0})
    assert node.holds({"CPU": 1.0}) == 8
    assert node.holds({"CPU": 0.25}) == 32
    assert node.holds({"CPU": 1.0, "gpu_server": 0.5}) == 2
    assert node.holds({"CPU": 1.0, "GPU": 1.0}) == 0
    assert node.holds({"CPU": 0.0}) == 8


def test_a_node_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay({"a": 1})
    monkeypatch.setattr(ray_cluster, "CHECK_S", 0.05)
    monkeypatch.setattr(ray, "wait", lambda refs, **_: ([], refs))
    cluster = ray.cluster()
    with pytest.raises(ReasonerError, match=r"the node host-a/a did not answer within 0\.05 s"):
        check(cluster, cluster.nodes())


# ---- the carrier


def test_a_run_is_cut_once_and_other_numbers_of_shards_are_refused(tmp_path: Path) -> None:
    made = cut(tmp_path, PLAN, n=3)
    cluster = FakeRay({"a": 2, "b": 2}).cluster()
    assert OnRay(where=Where()).n_shards(made.place, cluster, 9, alone=False) == 3
    with pytest.raises(BadConfig, match="was cut into 3 shards; leave it out, or use `shards=3`"):
        OnRay(where=Where(), shards=4).n_shards(made.place, cluster, 9, alone=False)
    empty = cut(tmp_path / "other", PLAN, n=1).place
    (tmp_path / "other/shared/run.json").unlink()
    assert OnRay(where=Where()).n_shards(empty, cluster, 9, alone=False) == 4
    assert OnRay(where=Where()).n_shards(empty, cluster, 3, alone=False) == 3
    assert OnRay(where=Where()).n_shards(empty, cluster, 9, alone=True) == 2


def test_one_of_several_runs_has_a_folder_of_its_own_and_no_more_shards_than_problems(tmp_path: Path) -> None:
    cluster = FakeRay({"a": 2}).cluster()
    one = OnRay(where=Where(), shards=4, place="s3://bucket/loop/").within("round-1-sampled")
    assert (one.place, one.shards) == ("s3://bucket/loop/round-1-sampled", 4)
    assert OnRay(where=Where()).within("round-1-sampled").place is None  # beside the database each has its own anyway
    small = cut(tmp_path / "small", PLAN, n=3).place
    assert one.n_shards(small, cluster, 3, alone=False) == 3  # cut by this very command
    (tmp_path / "small/shared/run.json").unlink()
    assert one.n_shards(small, cluster, 3, alone=False) == 3
    assert one.n_shards(small, cluster, 9, alone=False) == 4
    with pytest.raises(BadConfig, match="was cut into 3 shards"):
        one.n_shards(cut(tmp_path / "other", PLAN, n=3).place, cluster, 9, alone=False)


def test_each_step_of_a_map_has_its_place_in_the_shared_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ModelServer
) -> None:
    ray = FakeRay({"a": 2})
    monkeypatch.setattr(on_ray, "join", lambda _: ray.cluster())
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.chdir(tmp_path)
    for name, asks in (("first", "Say {{ x }}."), ("second", "Again {{ first }}.")):
        Path(f"{name}.jinja").write_text(asks)
    steps = [read_step(f"{name}.jinja") for name in ("first", "second")]
    made = map_rows(
        [{"x": str(n)} for n in range(3)], steps, model="openai:m", base_url=server.url(), db=tmp_path / "t.db",
        carrier=OnRay(where=Where(), shards=2, place="shared"),
    )  # fmt: skip
    # All rows say the same by then: the second step has one question, and so one shard.
    assert [row["second"] for row in made.rows] == [f"{len('Again 6 signs.')} signs"] * 3
    # A worker's folder is not the command's, so the place is told as it can be found from anywhere.
    assert {ref.order["place"] for ref in ray.orders} == {str(tmp_path / "shared" / name) for name in ("1-first", "2-second")}
