"""Lazy sequences behave as the list of their items does: by place, by slice, in order, and when compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.files.spool import Chosen, Spool
from reasoner.runs.results import Ids
from reasoner.sequences import Lazy
from reasoner.store import Store
from reasoner.store.problem_lists import ListedProblems, keep_list
from reasoner.types import Problem

N = 600
WORDS = [f"{place:04x}" for place in range(N)]


class Plain(Lazy[str]):
    """The least a lazy sequence is."""

    def __len__(self) -> int:
        return N

    def items(self, places: range) -> Iterator[str]:
        """Take them out of the list."""
        return (WORDS[place] for place in places)


KINDS: dict[str, Lazy[str]] = {
    "plain": Plain(),
    "spool": Spool(WORDS, write=str, read=str),
    "chosen": Chosen(WORDS[::-1], range(N - 1, -1, -1), str),
    "ids": Ids(WORDS),
}
PLACES = st.none() | st.integers(-2 * N, 2 * N)


@pytest.mark.parametrize("kind", KINDS)
@given(PLACES, PLACES, st.none() | st.integers(-7, 7).filter(bool))
def test_a_slice_is_that_of_the_list(kind: str, start: int | None, stop: int | None, step: int | None) -> None:
    assert KINDS[kind][start:stop:step] == WORDS[start:stop:step]


@pytest.mark.parametrize("kind", KINDS)
def test_places_order_and_comparison_are_those_of_the_list(kind: str) -> None:
    made = KINDS[kind]
    assert list(made) == WORDS
    assert [made[place] for place in (0, 257, -1, -N)] == [WORDS[place] for place in (0, 257, -1, -N)]
    for place in (N, -N - 1):
        with pytest.raises(IndexError):
            made[place]
    assert made == WORDS
    assert made != WORDS[:-1]
    assert made != [*WORDS[:-1], "other"]
    with pytest.raises(TypeError):
        hash(made)


def test_problems_of_a_list_in_the_store(tmp_path: Path) -> None:
    problems = [Problem("sum", f'{{"n": {place}}}', str(place), None) for place in range(N)]
    with Store.open(tmp_path / "a.db") as store:
        listed = ListedProblems(store.path, keep_list(store, problems), N)
        assert (listed[7], listed[-1], listed[500:520], listed[520:500:-3]) == (
            problems[7],
            problems[-1],
            problems[500:520],
            problems[520:500:-3],
        )
        assert listed[9:2] == []
        assert listed == problems
