"""The worked examples that ship: each verifies, each is what its script makes, each is the file its README names."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from reasoner import registry
from reasoner.layouts.outline import parse

ROOT = Path(__file__).resolve().parents[2]
SHOTS = ROOT / "corpora" / "shots"
PUZZLES = [
    "arithmetic",
    "countdown",
    "drop_water",
    "game24",
    "mini_crossword",
    "minimal_grass",
    "number_path",
    "room_map",
    "schedule",
    "sum",
]
KINDS = ["ats-bfs", "ats-dfs", "cot", "direct"]


def rows(puzzle: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SHOTS / f"{puzzle}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("puzzle", PUZZLES)
def test_every_example_verifies_with_its_own_solver(puzzle: str) -> None:
    solver = registry.solver(puzzle)
    for row in rows(puzzle):
        verdict = solver.verify(solver.parse(row["instance"]), row["answer"])
        assert verdict.correct, (row, verdict.reason)


@pytest.mark.parametrize("puzzle", PUZZLES)
def test_there_are_six_different_ones_of_each_kind(puzzle: str) -> None:
    solver = registry.solver(puzzle)
    found = rows(puzzle)
    assert Counter(row["kind"] for row in found) == dict.fromkeys(KINDS, 6)
    for kind in KINDS:
        assert len({solver.canonical(solver.parse(row["instance"])) for row in found if row["kind"] == kind}) == 6
    for row in found:
        assert (parse(row["answer"]).goal is not None) == row["kind"].startswith("ats-")


def test_no_other_file_lies_there() -> None:
    assert sorted(path.name for path in SHOTS.iterdir()) == [f"{puzzle}.jsonl" for puzzle in PUZZLES]


@pytest.mark.parametrize("puzzle", PUZZLES)
def test_the_readme_names_the_checksum(puzzle: str) -> None:
    readme = (ROOT / "corpora" / "README.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"^\| `shots/(\w+)\.jsonl` \| \d+ \| ([0-9a-f]{64}) \|$", readme, re.MULTILINE))
    assert named[puzzle] == hashlib.sha256((SHOTS / f"{puzzle}.jsonl").read_bytes()).hexdigest()


def test_the_script_makes_the_same_bytes_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "make_shots", "--out", tmp_path], check=True, capture_output=True, timeout=120)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in SHOTS.iterdir()}
