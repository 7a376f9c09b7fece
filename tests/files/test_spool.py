"""Sequences in a file behave as tuples do, at any place and for any text, whoever reads them at once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.files import Chosen, Spool, keep, reordered, spool

TEXTS = st.lists(st.text(alphabet=st.characters(exclude_categories=()), max_size=20), max_size=40)


def spooled(values: list[str]) -> Spool[str]:
    return Spool(values, write=json.dumps, read=json.loads)


@given(values=TEXTS, data=st.data())
def test_a_spool_is_the_sequence_it_was_made_of(values: list[str], data: st.DataObject) -> None:
    made = spooled(values)
    assert len(made) == len(values)
    assert list(made) == values
    part = data.draw(st.slices(len(values)))
    assert made[part] == values[part]
    if values:
        place = data.draw(st.integers(-len(values), len(values) - 1))
        assert made[place] == values[place]
    with pytest.raises(IndexError):
        made[len(values)]
    with pytest.raises(IndexError):
        made[-len(values) - 1]


def test_lone_surrogates_survive() -> None:
    made = Spool(["a\udc80", "🙂"], write=str, read=str)
    assert list(made) == ["a\udc80", "🙂"]


def test_few_values_are_kept_as_they_are_and_many_in_a_file() -> None:
    few = [object() for _ in range(spool.IN_MEMORY)]
    assert keep(few, write=str, read=str) == tuple(few)
    many = keep(map(str, range(spool.IN_MEMORY + 1)), write=str, read=str)
    assert isinstance(many, Spool)
    assert list(many) == [str(k) for k in range(spool.IN_MEMORY + 1)]


def test_threads_read_side_by_side() -> None:
    made = spooled([str(k) * (k % 50) for k in range(3000)])
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda k: list(made)[k] == made[k] == str(k) * (k % 50), range(0, 3000, 97)))


def test_a_fault_while_it_is_made_goes_up() -> None:
    def failing() -> object:
        yield "a"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        Spool(failing(), write=str, read=str)  # type: ignore[arg-type]


def test_chosen_places_are_seen_through_a_function() -> None:
    made = Chosen(["a", "b", "c"], [2, 0], str.upper)
    assert (len(made), made[0], made[-1], made[:1], list(made)) == (2, "C", "A", ["C"], ["C", "A"])


@given(values=TEXTS, data=st.data())
def test_places_in_another_order_are_those_of_a_tuple(values: list[str], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=60)) if values else []
    expected = tuple(values[place] for place in places)
    made = reordered(spooled(values), places)
    assert isinstance(made, Spool)
    assert tuple(made) == expected
    assert reordered(tuple(values), places) == expected


@given(values=TEXTS, data=st.data())
def test_a_range_of_places_is_read_as_places_one_by_one_are(values: list[str], data: st.DataObject) -> None:
    chosen = data.draw(st.slices(len(values)))
    part = data.draw(st.slices(len(values[chosen])))
    places = range(len(values))[chosen]
    by_range = Chosen(spooled(values), places, str.upper)
    one_by_one = Chosen(spooled(values), tuple(places), str.upper)
    assert list(by_range) == list(one_by_one) == [value.upper() for value in values[chosen]]
    assert by_range[part] == one_by_one[part]
