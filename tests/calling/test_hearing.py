"""The pieces of an answer reach a listener in the order they came in, and never spell a remembered key."""

from __future__ import annotations

import random

import pytest

from reasoner import redaction
from reasoner.calling.hearing import Hearing

KEY = "sk-remembered-0123456789"


@pytest.fixture(autouse=True)
def _remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", ())
    redaction.remember(KEY)


def heard(pieces: list[tuple[str, str]]) -> list[tuple[str, str]]:
    told: list[tuple[str, str]] = []
    hearing = Hearing(lambda _, part, piece: told.append((part, piece)), 0)
    for part, piece in pieces:
        hearing(part, piece)  # type: ignore[arg-type]
    return told


def test_what_may_begin_a_key_is_told_before_the_next_part_begins() -> None:
    assert heard([("reasoning", "six seven"), ("reasoning", "s"), ("text", "42 "), ("text", "s"), ("text", "ix")]) == [
        ("reasoning", "six seven"),
        ("reasoning", "s"),
        ("text", "42 "),
        ("text", "six"),
    ]


def test_a_key_in_pieces_is_never_told_whole_however_the_parts_alternate() -> None:
    rng = random.Random(0)
    for _ in range(2_000):
        text = {"reasoning": f"a {KEY} b", "text": f"sk {KEY}{KEY} s"}
        pieces = []
        while any(text.values()):
            part = rng.choice([name for name, rest in text.items() if rest])
            n = rng.randint(1, 9)
            pieces.append((part, text[part][:n]))
            text[part] = text[part][n:]
        told = heard(pieces)
        for part in ("reasoning", "text"):
            assert KEY not in "".join(piece for name, piece in told if name == part), pieces


def test_alone_a_part_is_told_as_it_is_but_for_the_key() -> None:
    rng = random.Random(1)
    whole = f"s sk-rem {KEY} sk-remembered-01 end."
    for _ in range(500):
        cuts = sorted(rng.sample(range(1, len(whole)), 6))
        pieces = [("text", whole[a:b]) for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
        assert "".join(piece for _, piece in heard(pieces)) == whole.replace(KEY, redaction.REDACTED)
