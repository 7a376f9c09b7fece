"""Pure text helpers: what reaches a terminal, a row, a verifier."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.text import answer_line, clean, shorten, storable, tail


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Answer: 1 -> 2", "1 -> 2"),
        ("answer : 1", "1"),
        ("**Answer:** `1 -> 2`", "1 -> 2"),
        ("**Final Answer**: 7.", "7."),
        ("> ## Answer = 5", "5"),
        ("5. Answer: x", "x"),
        ("Answer:\n\n  (1 + 2)\n", "(1 + 2)"),
        ("Answer: 1\nAnswer: 2\nthanks", "2"),
        ("The answer: 1", "1"),
        ("The answer is 2 -> 4", "2 -> 4"),
        ("The final answer is: **24**", "24"),
        ("the answer isn't known", None),
        ("So the answer is 5", None),
        ("no marker", None),
        ("Answer:", None),
        ("", None),
    ],
)
def test_answer_line(text: str, found: str | None) -> None:
    assert answer_line(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "answer" + " " * 65_000,
        "answer" + " *_`" * 16_000,
        "the answer is" + " *" * 32_000,
        " " * 65_000 + "x",
        "#" * 10**6,
        "final " * 10_000,
        "1." * 30_000,
    ],
)
def test_answer_line_is_linear(text: str) -> None:
    """Sixteen times the text must not take more than some forty times as long; a quadratic reading takes 256 times."""

    def seconds(t: str) -> float:
        started = time.process_time()
        for _ in range(3):
            answer_line(t)
        return time.process_time() - started

    assert seconds(text) < 40 * seconds(text[: len(text) // 16]) + 5


def test_clean_drops_what_steers_a_terminal() -> None:
    assert clean("a\x1b[31mb\x9b2Jc\u202ed\x07\r\ne\tf") == "a[31mb2Jcd\ne\tf"
    assert clean("Ladìn — ≤ 日本") == "Ladìn — ≤ 日本"
    assert clean("a\u2066b\u2069\U000e0001c") == "abc"


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d🚀",
        "می\u200cخواهم",
        "❤\ufe0f",
        "\ue000\uf8ff",
        "\U0001fae9",
        "\u0378",
        "co\u00adop",
        "\U000e0100",
        "क्\u200dष",
    ],
)
def test_clean_keeps_what_scripts_and_emoji_need(text: str) -> None:
    assert clean(text) == text == storable(text)


@given(st.text(st.characters(codec=None)))
def test_storable_text_survives_utf8_and_is_stable(text: str) -> None:
    kept = storable(text)
    assert kept.encode().decode() == kept == storable(kept)


@given(st.text(), st.integers(1, 50))
def test_shorten_bounds_and_stays_on_one_line(text: str, n: int) -> None:
    assert len(shorten(text, n)) <= n
    assert "\n" not in shorten(text, n)


def test_tail_is_the_end() -> None:
    assert tail("abc" * 100_000, 4) == "cabc"
