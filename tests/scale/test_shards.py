"""A run that is cut, worked on in parts and merged is the run that one process would have made, to the byte of what is exported."""

from __future__ import annotations

from pathlib import Path

import pytest
from shards import contents, cut, exported, single, small_plan

from reasoner.errors import BadConfig
from reasoner.runs.options import RunOptions
from reasoner.scale.manifest import read_run
from reasoner.scale.merging import merge
from reasoner.store import Store


def test_merged_shards_are_what_one_process_would_have_recorded(tmp_path: Path) -> None:
    plan = small_plan()
    single(tmp_path / "one.db", plan)
    made = cut(tmp_path, plan, n=3)
    assert [ended.state for ended in made.run_all()] == ["finished"] * 3
    merged = merge(made.place, tmp_path / "many.db")
    assert merged.is_complete
    assert not merged.left_out
    assert contents(tmp_path / "many.db") == contents(tmp_path / "one.db")
    one = exported(tmp_path / "one.db", tmp_path / "a")
    assert exported(tmp_path / "many.db", tmp_path / "b") == one
    assert all(len(data) > 100 for data in one.values())
    with Store.read(tmp_path / "many.db") as store:
        assert store.rows("SELECT status FROM runs") == [{"status": "finished"}]
        assert store.check() == "ok"


def test_the_same_run_is_found_again_however_its_command_was_written(tmp_path: Path) -> None:
    """A cluster that was started anew has another address, and that stands in the command."""
    plan = small_plan()
    made = cut(tmp_path, plan, n=3, options=RunOptions(command="reasoner bench --on ray:10.0.0.1:6379"))
    before = {path.name: path.read_bytes() for path in (tmp_path / "shared").rglob("*") if path.is_file()}
    again = cut(tmp_path, plan, n=3, options=RunOptions(command="reasoner bench --on ray:10.0.0.2:6379"))
    assert read_run(again.place) == read_run(made.place)
    assert {path.name: path.read_bytes() for path in (tmp_path / "shared").rglob("*") if path.is_file()} == before
    for other, n, options in ((plan, 4, None), (plan, 3, RunOptions(on_unknown="retry")), (small_plan(n=6), 3, None)):
        with pytest.raises(BadConfig, match="holds the shards of another run"):
            cut(tmp_path, other, n=n, options=options)
