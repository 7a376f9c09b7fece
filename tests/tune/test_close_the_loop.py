"""The experiment at its smallest, on the real model: the loss falls, the adapter changes the answers, and a second start does nothing again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
