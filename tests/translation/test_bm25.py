"""BM25 from the places of the index against the package bm25s: the same scores to the last bit, and the same order, ties included."""

from __future__ import annotations

from collections.abc import Sequence

import bm25s
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.assets import asset_dir
from reasoner.translation import bm25 as module
from reasoner.translation.bm25 import Bm25
from reasoner.translation.build import Builder
from reasoner.translation.index import Index, Side
from reasoner.translation.normalise import words

TRAIN = [line.split("\t") for line in (asset_dir("corpora") / "invented" / "train.tsv").read_text("utf-8").splitlines()[1:]]


def side_of(lines: Sequence[str]) -> Side:
    builder = Builder(("A", "B"))
    for line in lines:
        builder.add((line, "x"))
    return Index.of_bytes(builder.in_memory(), "t").side("A")


class Oracle:
    """What this project ranked by before: the package's own index over the words as numbers."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.made = bm25s.BM25()
        lines = [[str(n) for n in side.line_numbers(line)] for line in range(len(side.starts) - 1)]
        self.made.index(lines, show_progress=False)

    def scores(self, sentence: str) -> list[float]:
        known = sorted({str(number) for number in self.side.numbers(words(sentence, "full")) if number})
        return self.made.get_scores(known).tolist() if known else [0.0] * (len(self.side.starts) - 1)

    def ranked(self, sentence: str) -> list[int]:
        scores = self.scores(sentence)
        return sorted((line for line, score in enumerate(scores) if score > 0), key=lambda line: (-scores[line], line))


def test_scores_and_order_are_those_of_the_package_on_the_invented_language() -> None:
    side = side_of([row[0] for row in TRAIN[:1200]])
    oracle, ours = Oracle(side), Bm25(side)
    for row in TRAIN[1200:1500]:
        numbers = side.numbers(words(row[0], "full"))
        assert ours.scores(numbers).tolist() == oracle.scores(row[0]), row[0]
        assert list(ours.ranked(numbers)) == oracle.ranked(row[0]), row[0]


WORDS = st.sampled_from(["a", "b", "c", "d", "l'e", "f", "?"])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(WORDS, max_size=9).map(" ".join), min_size=1, max_size=12), st.lists(WORDS, max_size=6).map(" ".join))
def test_lines_that_repeat_words_or_have_none(lines: list[str], sentence: str) -> None:
    side = side_of([*lines, "z"])
    oracle, ours = Oracle(side), Bm25(side)
    numbers = side.numbers(words(sentence, "full"))
    assert ours.scores(numbers).tolist() == oracle.scores(sentence)
    assert list(ours.ranked(numbers)) == oracle.ranked(sentence)


@pytest.mark.parametrize("first", [1, 2, 7, 50])
def test_putting_only_the_best_in_order_first_changes_no_order(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    side = side_of([row[0] for row in TRAIN[:300]])
    oracle = Oracle(side)
    monkeypatch.setattr(module, "FIRST_RANKED", first)
    for row in TRAIN[300:330]:
        assert list(Bm25(side).ranked(side.numbers(words(row[0], "full")))) == oracle.ranked(row[0])
