"""Lists of problems: read back as they were, shared by who asks the same, completed after a kill, and refused where they are not whole."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.errors import StoreError
from reasoner.store import Store, problem_lists
from reasoner.store.problem_lists import ListedProblems, keep_list
from reasoner.types import Problem, canonical_json

PROBLEMS = st.lists(
    st.builds(
        Problem,
        st.sampled_from(["question:a.jsonl", "question:b.jsonl", "game24"]),
        st.sampled_from(["{}", '{"a":1}', '{"a":2}']),
        st.sampled_from(["1 2", "é"]),
        st.sampled_from([None, 1, 2]),
    ),
    max_size=12,
)


@settings(max_examples=30, deadline=None)
@given(lists=st.lists(PROBLEMS, min_size=1, max_size=3), size=st.integers(1, 5))
def test_lists_are_read_back_as_they_were(lists: list[list[Problem]], size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    db = tmp_path_factory.mktemp("lists") / "t.db"
    with pytest.MonkeyPatch.context() as patch, Store.open(db) as store:
        patch.setattr(problem_lists, "BATCH", size)
        patch.setattr(problem_lists, "PAGE", size)
        names = [keep_list(store, problems) for problems in lists]
        for name, problems in zip(names, lists, strict=True):
            read = ListedProblems(db, name, len(problems))
            assert list(read) == problems
            assert [read[place] for place in range(len(problems))] == problems
            assert read[1:] == problems[1:]
            assert read[::-1] == problems[::-1]
        assert len(set(names)) == len({tuple(problems) for problems in lists})


@given(problems=PROBLEMS)
@settings(max_examples=30, deadline=None)
def test_a_list_has_the_hash_that_stores_know_it_by(problems: list[Problem], tmp_path_factory: pytest.TempPathFactory) -> None:
    written = "".join(canonical_json([each.solver, each.instance, each.line, each.level]) + "\n" for each in problems)
    with Store.open(tmp_path_factory.mktemp("hash") / "t.db") as store:
        assert keep_list(store, problems) == hashlib.sha256(written.encode()).hexdigest()


def many(n: int) -> list[Problem]:
    return [Problem("game24", f'{{"numbers":[{k}]}}', str(k), 1) for k in range(n)]


def test_a_list_is_written_once(tmp_path: Path) -> None:
    with Store.open(tmp_path / "t.db") as store:
        keep_list(store, many(50))
        keep_list(store, many(50))
        assert store.tuples("SELECT count(*) FROM listed_problems") == [(50,)]
        assert store.tuples("SELECT count(*) FROM problem_lists") == [(1,)]


def test_what_a_kill_left_half_written_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "t.db"
    monkeypatch.setattr(problem_lists, "BATCH", 10)
    child = os.fork()
    if child == 0:  # it ends as a killed process does, after two batches
        try:
            with Store.open(db) as store:
                written = 0

                def write(job: object, *, durable: bool = True) -> object:
                    nonlocal written
                    written += 1
                    if written > 3:
                        os._exit(9)
                    return Store.write_now(store, job, durable=durable)  # type: ignore[arg-type]

                monkeypatch.setattr(store, "write_now", write)
                keep_list(store, many(50))
        finally:
            sys.stdout.flush()
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with Store.open(db) as store:
        assert store.tuples("SELECT count(*) FROM listed_problems") == [(20,)]
        name = keep_list(store, many(50))
        assert list(ListedProblems(db, name, 50)) == many(50)


def test_a_list_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    with Store.open(db) as store:
        name = keep_list(store, many(5))
        store.write_now(lambda c: c.execute("DELETE FROM listed_problems WHERE position = 2"))
    with pytest.raises(StoreError, match="is incomplete"):
        list(ListedProblems(db, name, 5))
