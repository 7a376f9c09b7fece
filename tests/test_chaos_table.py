"""The table of `scripts/chaos`: the parts of a row do its whole count, what held is not run again, and one broken part breaks its row."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def chaos() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chaos_script", Path("scripts/benches/chaos.py"))
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["chaos_script"] = made
    spec.loader.exec_module(made)
    return made


def test_parts_add_up_and_have_seeds_of_their_own(chaos: ModuleType) -> None:
    assert all((Path(path)).exists() for row in chaos.ROWS for path in row.tests.split())
    for row in chaos.ROWS:
        made = chaos.parts(row, "full", 7)
        assert len({part.key for part in made}) == len({part.seed for part in made}) == row.parts
        for name, count in row.full.items():
            given = [part.counts[name] for part in made]
            assert (max(given) if name in row.whole else sum(given)) == count
        assert [part.counts for part in chaos.parts(row, "short", 7)] == [{}]


def test_the_counts_that_were_promised_are_in_the_full_tier(chaos: ModuleType) -> None:
    full = {name: count for row in chaos.ROWS for name, count in row.full.items()}
    promised = {
        "REASONER_GONE": 200, "REASONER_NAMESPACES": 100, "REASONER_HOSTNAMES": 20, "REASONER_HANGUPS": 100, "REASONER_LEAVING": 1000,
        "REASONER_IDLE": 1000, "REASONER_LINES": 500, "REASONER_KILLS": 1000, "REASONER_ACTION_KILLS": 1000,
    }  # fmt: skip
    assert promised.items() <= full.items()


def test_what_held_is_not_run_again_and_what_broke_is(chaos: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = chaos.Row(
        "some", "something", "tests/x.py", {"REASONER_X": 5, "REASONER_AT_ONCE": 9}, parts=2, whole=frozenset({"REASONER_AT_ONCE"})
    )
    ran: list[int] = []

    def run(part: Any) -> Any:
        ran.append(part.number)
        ok = part.number == 0 or len(ran) > 2
        return chaos.Result(part.key, "some", part.shown(), part.counts, ok, 0 if ok else 3, "1 passed", 2.0, 1.5)

    monkeypatch.setattr(chaos, "run", run)
    into = tmp_path / "into.jsonl"
    first = chaos.carry_out(chaos.parts(row, "full", 3), 1, into)
    line = chaos.summed(row, first)
    assert (line["held"], line["faults"], line["seconds"], line["load"]) == (False, 3, 4.0, 1.5)
    assert line["counts"] == {"x": 5, "at_once": 9}
    again = chaos.carry_out(chaos.parts(row, "full", 3), 1, into)
    assert ran == [0, 1, 1]
    assert chaos.summed(row, again)["held"]
    assert len([json.loads(text) for text in into.read_text().splitlines()]) == 3
    assert len(chaos.known(into)) == 2
    chaos.carry_out(chaos.parts(row, "full", 4), 1, into)
    assert ran == [0, 1, 1, 0, 1], "another seed is another run"
