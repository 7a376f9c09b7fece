"""Where long sentences are cut: at clauses, near the middle, and nothing is lost or cut that is one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.translation.clauses import MIN_BYTES, halves

A = "the old woman of the king sees the river that sleeps in the long valley below the house of the queen"
B = "one dog of many dogs eats all that it finds under the table of the cook who sings in the kitchen"


@pytest.mark.parametrize(
    ("text", "left", "gap"),
    [
        (f"{A}. {B}, {B}.", f"{A}.", " "),
        (f"{A}, {A}; {B}, {B}.", f"{A}, {A};", " "),
        (f"{A}, and {B} and {B}", f"{A},", " "),
        (f'"{A}." {B}.', f'"{A}."', " "),
        (f"{A} and {B}", A, " "),
        (f"{A} – {B}", A, " "),
        ("河" * 40 + "，" + "山" * 45, "河" * 40 + "，", ""),
        ("河" * 60, "河" * 30, ""),
        ("ภ" * 60, "ภ" * 30, ""),
    ],
)
def test_signs_come_before_conjunctions_and_these_before_blanks(text: str, left: str, gap: str) -> None:
    made = halves(text)
    assert made is not None
    assert made[:2] == (left, gap)
    assert "".join(made) == text


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 5000, f"{A[:70]} {B[:70]}", "{1}" * 200, f"<a href='{' '.join('x' * 100)}'>", "👩‍👩‍👧" * 40]
)
def test_what_is_short_or_one_word_or_one_tag_is_not_cut(text: str) -> None:
    assert halves(text) is None


def test_a_number_an_abbreviation_inside_a_word_and_a_tag_are_whole() -> None:
    tag = '<a href="one two, three; and four. five" title="six, seven and eight nine ten eleven twelve">'
    for n in range(0, 40, 3):
        text = f"{A[: 60 + n]}{tag}{B} 3.14159,26535 %(the name)s {{the name}} {{1}} {B}"
        made = halves(text)
        assert made is not None
        for whole in (tag, "3.14159,26535", "%(the name)s", "{the name}", "{1}"):
            assert (whole in made[0]) + (whole in made[2]) == 1, made


def test_no_sign_is_cut_from_what_combines_with_it() -> None:
    text = "か\u3099" * 60
    made = halves(text)
    assert made is not None
    assert not made[2].startswith("\u3099")


@given(st.text(alphabet="ab ,;.{}1<>/ 河\n。e\u0301", max_size=600))
def test_halves_are_the_text_and_long_enough(text: str) -> None:
    made = halves(text)
    if made is None:
        return
    assert "".join(made) == text
    assert not made[1].strip()
    assert min(len(made[0].encode()), len(made[2].encode())) >= MIN_BYTES
    whole = re.findall(r"\{\d{1,4}\}", text)
    assert re.findall(r"\{\d{1,4}\}", made[0]) + re.findall(r"\{\d{1,4}\}", made[2]) == whole
