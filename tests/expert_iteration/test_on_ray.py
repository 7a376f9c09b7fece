"""A loop whose answers are made in shards, over a Ray of threads: the rows are those of a loop on one machine, whatever is killed in between."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from fake_ray import FakeRay
from forks import plain_environment
from letters import Letters
from tiny_gguf import write_tiny

from reasoner import registry
from reasoner.api import on_ray
from reasoner.api.on_ray import OnRay
from reasoner.expert_iteration import Options, improve
from reasoner.scale import ray_engine, ray_task
from reasoner.scale.ray_cluster import Where

for name in ("torch", "transformers", "peft", "gguf"):
    pytest.importorskip(name)
pytestmark = pytest.mark.slow

KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {helpers!r})
import importlib.metadata
from fake_ray import FakeRay
from letters import Letters
from reasoner import registry
from reasoner.api import on_ray
from reasoner.cli import main
from reasoner.scale import ray_cluster
registry.register(Letters)
registry.code_of = lambda kind, name: ""
importlib.metadata.version = lambda _: FakeRay.__version__
on_ray.join = lambda where: FakeRay({{"a": 1}}).cluster(where)
ray_cluster.require = lambda: None
sys.argv = ["reasoner", *sys.argv[1:]]
main()
"""
"""The command line over a Ray of threads: killed, the coordinator and its workers are gone at once."""


@pytest.fixture(scope="module", autouse=True)
def _letters() -> Iterator[None]:
    """The toy as a family of a package: one that only this program has cannot be cut."""
    registry.register(Letters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "code_of", lambda kind, name: "")
        yield


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ray_task.SCRATCH_ENV, str(tmp_path / "disk"))
    monkeypatch.setattr(ray_engine, "LOOK_S", 0.05)
    monkeypatch.setattr(importlib.metadata, "version", lambda _: FakeRay.__version__)


LINE = "improve letters --strategy direct --rounds 1 --levels letters=1 -n 6 --samples 4 --temperature 0.7 --eval-temperature 0.7 --max-tokens 28 --held-out 4 --threads 1 --exact"


def options(model: Path, adapter: Path | None, **more: Any) -> Options:
    """Return the options of that line."""
    return Options(
        families=("letters",), model=str(model), adapter=adapter, strategy="direct", rounds=1, levels={"letters": (1,)}, n=6, samples=4, temperature=0.7,
        eval_temperature=0.7, max_tokens=28, held_out=4, threads=1, exact=True, **more,
    )  # fmt: skip


class Reached(BaseException):
    """The loop came to what is none of this test's business."""


def sampled(folder: Path, options: Options, *, until: str = "round 1: training", **more: Any) -> None:
    """Go on with a loop until it says that."""

    def reached(said: str) -> None:
        if said.startswith(until):
            raise Reached

    with pytest.raises(Reached):
        improve(folder, options, on_note=reached, **more)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("model") / "tiny.gguf")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, model: Path, _letters: None) -> Path:
    """An adapter with which the toy is right now and then."""
    folder = tmp_path_factory.mktemp("taught")
    shown = options(model, None, teacher=16, epochs=25, learning_rate=0.01, rank=8, alpha=16)
    sampled(folder / "loop", shown, until="round 0: 2 problems that decide")
    return (folder / "loop/round-0/taught.gguf").rename(folder / "taught.gguf")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, model: Path, adapter: Path) -> Path:
    """The folder of the same loop on one machine."""
    folder = tmp_path_factory.mktemp("alone") / "loop"
    sampled(folder, options(model, adapter))
    return folder


def shards(ray: FakeRay, monkeypatch: pytest.MonkeyPatch, **more: Any) -> OnRay:
    monkeypatch.setattr(on_ray, "join", lambda _: ray.cluster())
    return OnRay(where=Where(), **({"shards": 3} | more))


def rows(folder: Path) -> dict[str, bytes]:
    """What a loop chose to learn, and what it chose from."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.glob("round-*/*.jsonl"))}


def calls(folder: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(folder / "trajectories.db")) as db:
        return db.execute("SELECT key, attempt, state FROM calls ORDER BY key, attempt").fetchall()


def test_the_rows_of_shards_are_those_of_one_machine(
    tmp_path: Path, model: Path, adapter: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = FakeRay({"a": 1, "b": 1})
    sampled(tmp_path / "loop", options(model, adapter), carrier=shards(ray, monkeypatch, place=str(tmp_path / "shared")))
    assert rows(tmp_path / "loop") == rows(alone)
    assert rows(alone)["round-1/rows.jsonl"]
    assert calls(tmp_path / "loop") == calls(alone)
    cut = {path.parent.name: len(list(path.parent.glob("manifests/*"))) for path in (tmp_path / "shared").glob("*/run.json")}
    assert cut == {"round-0-dev": 2, "round-0-sealed": 3, "round-1-sampled": 3}  # two problems decide, and no shard is empty
    assert {ref.node for ref in ray.orders} == {"a", "b"}


def test_what_was_sampled_needs_no_cluster_any_more(alone: Path, model: Path, adapter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "join", lambda _: pytest.fail("joined"))
    before = rows(alone)
    sampled(alone, options(model, adapter), carrier=OnRay(where=Where(), shards=3))
    assert rows(alone) == before


def test_a_lost_worker_changes_nothing(tmp_path: Path, model: Path, adapter: Path, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = FakeRay({"a": 1, "b": 1})
    ray.fate = lambda order, _, n: (
        "lost" if order["shard"] == 1 and order["place"].endswith("round-1-sampled") and order["epoch"] < 3 else "run"
    )
    sampled(tmp_path / "loop", options(model, adapter), carrier=shards(ray, monkeypatch, place=str(tmp_path / "shared")))
    assert max(ref.order["epoch"] for ref in ray.orders) == 3
    assert rows(tmp_path / "loop") == rows(alone)
    assert calls(tmp_path / "loop") == calls(alone)


def test_a_coordinator_that_is_killed_within_the_sampling_goes_on(
    tmp_path: Path, model: Path, adapter: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_before = 2 + 4 + 10  # answers that measure round 0, and some that are drawn for round 1
    helpers = str(Path(__file__).resolve().parents[1] / "helpers")
    named = ["--model", str(model), "--adapter", str(adapter), "--out", str(tmp_path / "loop"), "--on", "ray", "--shards", "3"]
    own = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        ray_task.SCRATCH_ENV: str(tmp_path / "disk"),
        "REASONER_CRASH_AT": f"after_done:{n_before}",
    }
    done = subprocess.run(
        [sys.executable, "-c", KILLED.format(helpers=helpers), *LINE.split(), *named],
        cwd=tmp_path, env=plain_environment() | own, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "loop/round-1/rows.jsonl").exists()
    sampled(tmp_path / "loop", options(model, adapter), carrier=shards(FakeRay({"a": 1}), monkeypatch))
    assert rows(tmp_path / "loop") == rows(alone)
    # A call that was under way when the process died is made again, and no other.
    assert len(calls(alone)) <= len(calls(tmp_path / "loop")) <= len(calls(alone)) + 1
