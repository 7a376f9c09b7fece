"""A run that is cut, worked on in parts and merged is the run that one process would have made, to the byte of what is exported."""

from __future__ import annotations

from pathlib import Path

from shards import contents, cut, exported, single, small_plan

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
