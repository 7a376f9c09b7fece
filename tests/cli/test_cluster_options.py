"""The options that send a run to a cluster: what they make, and every way they can be wrong, told before anything is loaded or run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reasoner.api.on_ray import OnRay
from reasoner.cli.app import app
from reasoner.cli.cluster_options import OnCluster
from reasoner.errors import MissingDependency
from reasoner.scale.ray_cluster import Where

LINES = {
    "bench": ["bench", "number_path", "-n", "2", "--strategy", "cot", "--model", "teacher"],
    "compare": ["compare", "number_path", "-n", "2", "--strategy", "cot,direct", "--model", "teacher"],
    "translate": ["translate", "A line.", "--from", "A", "--to", "B", "--strategy", "direct", "--model", "teacher"],
    "improve": ["improve", "number_path", "--out", "loop", "--rounds", "1"],
    "map": ["map", "rows.jsonl", "--prompt", "step.jinja", "--out", "made.jsonl", "--model", "teacher"],
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--on", "dask"], "names no cluster; write ray, ray:HOST:PORT"),
        (["--on", "ray,num_cpus=much"], "'num_cpus=much' is no resource with an amount"),
        (["--shards", "2"], "--shards and --shared belong to a run on other machines; name them with --on ray"),
        (["--shared", "there"], "--shards and --shared belong to a run on other machines"),
    ],
)
def test_what_cannot_be_is_one_line(name: str, more: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text('{"x": "1"}\n')
    Path("step.jinja").write_text("Say {{ x }}.")
    done = CliRunner().invoke(app, [*LINES[name], *more])
    assert done.exit_code == 2, done.output
    assert says in " ".join(done.output.split())
    assert not Path("trajectories.db").exists()
    assert not Path("loop").exists()


def test_without_the_extra_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ray" else found(name, *more))
    with pytest.raises(MissingDependency, match=r"pip install 'reasoner-llm\[ray\]'"):
        OnCluster(on="ray").settings()
    assert OnCluster().settings() == {}


def test_the_options_make_a_carrier() -> None:
    made = OnCluster(on="ray:h:1,num_cpus=0.5", shards=7, shared="/mnt/run").settings()["carrier"]
    assert made == OnRay(where=Where("h:1", {"CPU": 0.5}), shards=7, place="/mnt/run")


def test_a_run_that_is_whole_needs_no_cluster(tmp_path: Path) -> None:
    """The carrier looks into the database first: nothing is joined, nothing cut."""
    line = [*LINES["bench"], "--db", str(tmp_path / "t.db")]
    assert CliRunner().invoke(app, line).exit_code == 0
    done = CliRunner().invoke(app, [*line, "--on", "ray:127.0.0.1:1", "--shards", "2"])
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "t.shards").exists()
