"""Reading what a model proposes, rates and votes: the layout asked for, near misses, prose, and texts that are none of it."""

from __future__ import annotations

import pytest
from ends import ends
from hypothesis import given
from hypothesis import strategies as st

from reasoner.strategies._candidates import MAX_STATE_CHARS, read_candidates, read_value, read_vote
from reasoner.strategies._structured import as_flag, read_object
from reasoner.strategies.best_of_n import read_rating


def states(text: str, n: int = 8) -> list[tuple[str, str, bool]]:
    return [(c.state, c.operation, c.goal) for c in read_candidates(text, n)]


def test_the_layout_that_is_asked_for() -> None:
    text = "1: 9 -> 10 (9 + 1 = 10)\n2: 9 -> 18 (9 * 2 = 18) (goal)"
    assert states(text) == [("10", "9 + 1 = 10", False), ("18", "9 * 2 = 18", True)]
    assert states(text, 1) == [("10", "9 + 1 = 10", False)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Here are the steps:\n- 9 + 1 = 10\n- 9 * 2 = 18", ["10", "18"]),
        ("**1.** 9 → 10\n**2.** 9 → 18", ["10", "18"]),
        ("9 -> 10 -> 20", ["20"]),
        ("- -5 + 3 = -2", ["-2"]),
        ("1. Double the number\n2. Add one", ["Double the number", "Add one"]),
        ("1: 9 -> 10\n2. or think again", ["10"]),
        ("1: 9 -> 10\n1: 9 -> 10", ["10", "10"]),
        ("Step 1\nAnswer: 9 -> 10", []),
        ("I do not know.", []),
        ("", []),
    ],
)
def test_near_misses(text: str, found: list[str]) -> None:
    assert [state for state, _, _ in states(text)] == found


def test_the_same_state_has_the_same_key() -> None:
    first, second = read_candidates("1: 9 -> X=1  y=2\n2: 9 -> x=1 Y=2", 8)
    assert first.key == second.key


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Value: sure", 20.0),
        ("It could be sure.\nValue: **Likely**", 1.0),
        ("IMPOSSIBLE", 0.001),
        ("unlikely", None),
        ("I am not sure", None),
        ("", None),
        ("Value: 20", None),
    ],
)
def test_values(text: str, value: float | None) -> None:
    assert read_value(text) == value


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("Best: 2", 1),
        ("Way 1 fails. The best is way 3.", 2),
        ("**2**", 1),
        ("Best: 4", None),
        ("Best: 0", None),
        ("2 or 3", None),
        ("", None),
    ],
)
def test_votes(text: str, index: int | None) -> None:
    assert read_vote(text, 3) == index


@pytest.mark.parametrize(
    ("text", "rating"),
    [
        ("Rating: 7", 7.0), ("Rating: 3\n...\n**Rating:** 8/10", 8.0), ("9", 9.0), ("9/10", 9.0), ("Rating: 11", None), ("Rating: -3", None),
        ("Rating: 1000", None), ("I found 3 errors", None), ("", None), ("Rating: 0", 0.0),
    ],
)  # fmt: skip
def test_ratings(text: str, rating: float | None) -> None:
    assert read_rating(text) == rating


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"thought": "a", "stop": true}', {"thought": "a", "stop": True}),
        ('Sure!\n```json\n{"thought": "a", "stop": "yes"}\n```\nDone.', {"thought": "a", "stop": "yes"}),
        ('{"other": 1} {"thought": "b"}', {"thought": "b"}),
        ('{a} {"thought": "b"}', {"thought": "b"}),
        ('{"stop": false, "thought": "cut o', {"stop": False, "thought": "cut o"}),
        ('{"thought": "two\nlines\tand a tab", "stop": false}', {"thought": "two\nlines\tand a tab", "stop": False}),
        ('{"stop": true', None),
        ('["thought"]', None),
        ("no object", None),
        ("{" * 100_000, None),
        ('{"thought":' * 50_000, None),
    ],
)
def test_objects(text: str, found: dict[str, object] | None) -> None:
    assert read_object(text, {"thought"}) == found


def test_flags() -> None:
    assert [as_flag(v) for v in (True, "True", " yes ", "1", False, "no", None, 1, [True])] == [True] * 4 + [False] * 5


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert len(read_candidates(text, 3)) <= 3
    assert read_value(text) in {None, 20.0, 1.0, 0.001}
    assert read_vote(text, 3) in {None, 0, 1, 2}
    assert (rating := read_rating(text)) is None or 0 <= rating <= 10
    read_object(text, {"thought"})


def test_what_is_kept_of_a_long_line_is_short() -> None:
    (found,) = read_candidates("1: " + "a" * 900 + " -> " + "b" * 900, 8)
    assert len(found.state) == MAX_STATE_CHARS
    assert len(found.text) <= 2 * MAX_STATE_CHARS
    assert len(read_candidates("9 -> 10\n" * 100_000, 8)) == 8


def test_a_hostile_reply_is_read_in_bounded_time() -> None:
    for text in (
        "{" * 1_000_000,
        '{"a": ' * 200_000,
        ('{"a": "' + "x" * 100_000) * 10,
        "[" * 1_000_000,
        "sure " * 500_000,
        "best " * 500_000,
    ):
        with ends(text[:20]):
            read_object(text, {"thought"})
            read_candidates(text, 8)
            read_value(text)
            read_vote(text, 3)
            read_rating(text)
