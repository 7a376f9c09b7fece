"""A line that is like one known to hold nothing is not looked at again: what is skipped so must hold nothing either."""

from __future__ import annotations

import random
import re
import string

import pytest
import scan_texts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reasoner.datasets import line_scan
from reasoner.datasets.line_scan import MAX_LINE_BYTES, LineScan
from reasoner.datasets.scan import ControlTokens, findings, masked, suspects
from reasoner.redaction import SECRET_FORMS

PLANTED = [text for _, text in (*scan_texts.planted_keys(150), *scan_texts.planted_data(150))]
HARMLESS = scan_texts.harmless(300)
MARKS = [mark for form in SECRET_FORMS for mark in form.marks]
PIECES = st.one_of(
    st.sampled_from([*MARKS, "@", "://", "key", "password", "Bearer", " Street", "weg ", "<|", "|>", "[INST]", "<extra_id_", "straße ", "+", "("]),
    st.text(string.digits, min_size=1, max_size=20),
    st.text(string.ascii_letters + string.digits + "_-.", min_size=1, max_size=60),
    st.text(string.digits + " .-/+=\n", max_size=30),
    st.text(max_size=6),
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def as_masked(text: str) -> str:
    return masked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def kinds(text: str) -> list[str]:
    """What is found in the lines of a text, each line by itself and once."""
    return sorted(found.kind for line in dict.fromkeys(text.split("\n")) for found in findings(line))


def other_digits(text: str, rng: random.Random) -> str:
    return re.sub(r"[0-9]", lambda _: rng.choice(string.digits), text)


@given(TEXTS)
@example("AGE-SECRET-KEY-1" + "A1" * 29)
@example("r8_" + "a" * 37)
@example("ya29." + "a" * 30)
@example("Hauptstraße 5, 10115 Berlin")
@settings(max_examples=150, deadline=None)
def test_what_is_suspect_is_so_masked_too(text: str) -> None:
    assert as_masked(text) == re.sub(r"[0-9]", "0", text)
    assert set(suspects(text)) <= set(suspects(as_masked(text)))


def test_what_is_planted_is_suspect_masked() -> None:
    for line in "\n".join((*PLANTED, *MARKS)).split("\n"):
        assert set(suspects(line)) <= set(suspects(as_masked(line))), line


@given(TEXTS)
@example("<|extra_7|> and @@7@@")
@settings(max_examples=80, deadline=None)
def test_control_tokens_are_possible_wherever_they_are(text: str) -> None:
    for tokens in (ControlTokens(), ControlTokens(["@@7@@", "<|extra_7|>"])):
        assert not tokens.found(text) or tokens.possible(as_masked(text))


def test_the_lists_are_told_as_the_patterns_tell_them() -> None:
    """In one pass over everything, twice over, and over the same texts with other digits: no line that holds something was taken for known."""
    rng = random.Random(5)
    scan, tokens = LineScan(ControlTokens()), ControlTokens()
    texts = [*PLANTED, *HARMLESS, *(other_digits(text, rng) for text in (*PLANTED, *HARMLESS))]
    for _ in range(3):
        rng.shuffle(texts)
        for text in texts:
            found, control = scan.look(text.encode())
            assert sorted(one.kind for one in found) == kinds(text), text
            assert control == tokens.found(text)


@given(st.lists(TEXTS, max_size=8), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_what_was_seen_before_changes_no_finding(texts: list[str], seed: int) -> None:
    rng = random.Random(seed)
    scan, tokens = LineScan(ControlTokens(["@@7@@"])), ControlTokens(["@@7@@"])
    for text in [*texts, *(other_digits(text, rng) for text in [*texts, *texts]), *texts]:
        found, control = scan.look(text.encode("utf-8", "surrogatepass"))
        assert sorted(one.kind for one in found) == kinds(text), text
        assert bool(control) == any(tokens.found(line) for line in text.split("\n"))


def test_a_number_that_is_nobodys_says_nothing_of_one_like_it() -> None:
    scan = LineScan(ControlTokens())
    assert scan.look(b"step 01.02.1.1") == ([], [])
    assert [found.kind for found in scan.look(b"host 11.12.1.1")[0]] == ["ip address"]
    assert scan.look(b"host 01.02.1.1") == ([], [])
    assert [found.kind for found in scan.look(b"step 11.12.1.1")[0]] == ["ip address"]


def test_a_control_token_is_found_whatever_its_digits() -> None:
    scan = LineScan(ControlTokens(["@@7@@"]))
    assert scan.look(b"plain\n<extra_id_12>") == ([], ["<extra_id_12>"])
    assert scan.look(b"@@6@@") == ([], [])
    assert scan.look(b"@@7@@") == ([], ["@@7@@"])


def test_a_line_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def told(text: str) -> list[str]:
        looked.append(text)
        return suspects(text)

    monkeypatch.setattr(line_scan, "suspects", told)
    scan = LineScan(ControlTokens())
    for n in range(3):
        assert scan.look(f"{n}: {n} -> {n + 1}\nmy key is in the door".encode()) == ([], [])
    assert looked == ["0: 0 -> 0\nmy key is in the door", "0: 0 -> 0"], "the line with a word of secrets is known to the letter"
    long = "word " * MAX_LINE_BYTES
    for _ in range(2):
        assert scan.look(long.encode()) == ([], [])
    assert looked[2:] == [long, long], "too long to be kept"


def test_what_a_line_holds_does_not_depend_on_the_lines_beside_it() -> None:
    for before, after in (("x =", ""), ("", "= 3"), ("2 *", "/ 4"), ("call", "")):
        text = f"{before}\n(555) 123-4567\n{after}"
        assert [found.kind for found in findings(text)] == ["phone"], text
        assert kinds(text) == ["phone"]
