"""The experiment at its smallest, on the real model: the loss falls, the adapter changes the answers, and a second start does nothing again."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reasoner import registry

ROOT = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.model, pytest.mark.slow]


def test_the_loop_closes_in_small(tmp_path: Path) -> None:
    pytest.importorskip("peft")
    folder = tmp_path / "loop"
    command = [
        sys.executable, str(ROOT / "examples" / "close_the_loop.py"), "--dir", str(folder), "--puzzles", "number_path", "--methods", "bfs",
        "--seeds", "1", "--problems", "12", "--test", "2", "--tokens", "10000", "--answer-tokens", "48", "--wider", "1", "--threads", "1",
    ]  # fmt: skip
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    training = found["training joint.bfs.s0"]
    assert training["last_loss"] < 0.85 * training["first_loss"]
    before, after = found["number_path: base"], found["number_path: bfs seed 0"]
    assert [row["problem"] for row in before] == [row["problem"] for row in after]
    assert all(a["answer"] != b["answer"] for a, b in zip(before, after, strict=True))
    assert "| number_path: bfs seed 0 | 2 |" in (folder / "table.md").read_text(encoding="utf-8")
    size = (folder / "joint.bfs.s0.gguf").stat().st_mtime_ns
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=ROOT)
    assert again.returncode == 0
    assert "step " not in again.stdout
    assert (folder / "joint.bfs.s0.gguf").stat().st_mtime_ns == size


def loop(folder: Path) -> Any:
    """Return the example's experiment on two puzzles, without a training."""
    spec = importlib.util.spec_from_file_location("close_the_loop", ROOT / "examples" / "close_the_loop.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Loop(argparse.Namespace(minutes=0, problems=15, fresh=5), folder)


def test_problems_are_turned_and_fresh_ones_are_of_no_family_that_was_shown(tmp_path: Path) -> None:
    experiment, solver = loop(tmp_path), registry.solver("minimal_grass")

    def families(problems: list[Any]) -> set[Any]:
        return {solver.family(solver.parse(problem.line)) for problem in problems}

    drawn, more = experiment.shown("minimal_grass")
    turned = experiment.turned(drawn, 10)
    assert len(turned) == 10
    assert families(turned) <= families(drawn)
    assert not {problem.line for problem in turned} & {problem.line for problem in drawn}
    fresh = experiment.fresh("minimal_grass")
    assert len(fresh) == 5
    assert not families(fresh) & families([*drawn, *more])


def test_a_file_stands_in_the_data_as_often_as_its_share_says(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n3\n4\n")
    assert loop(tmp_path).joined("b", [(tmp_path / "a", 1.5)]).read_text().split() == ["1", "2", "3", "4", "1", "2"]
    mixed = loop(tmp_path).joined("c", [(tmp_path / "a", 0.5)], mixed=True).read_text().split()
    assert len(mixed) == 2
    assert mixed != ["1", "2"]
