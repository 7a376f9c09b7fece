"""The translation memory: what counts as the sentence itself, how others are scored, what is left out; scores against a plain edit distance."""

from __future__ import annotations

import sys

import pytest

from reasoner.assets import asset_dir
from reasoner.errors import MissingDependency
from reasoner.translation.build import Builder
from reasoner.translation.corpus import Corpus
from reasoner.translation.index import Index
from reasoner.translation.memory import plain
from reasoner.translation.normalise import Normalisation, words

TRAIN = [line.split("\t") for line in (asset_dir("corpora") / "invented" / "train.tsv").read_text("utf-8").splitlines()[1:]]


def corpus_of(*lines: tuple[str, str], normalisation: Normalisation = "full") -> Corpus:
    builder = Builder(("A", "B"), normalisation=normalisation)
    for line in lines:
        builder.add(line)
    return Corpus(Index.of_bytes(builder.in_memory(), "t"))


def found(corpus: Corpus, sentence: str, **more: object) -> list[tuple[float, str]]:
    return [(m.score, m.pair.target) for m in corpus.matches(sentence, source="A", target="B", **more)]  # type: ignore[arg-type]


def edits(a: str, b: str) -> int:
    """The Levenshtein distance, row by row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]


@pytest.mark.parametrize("normalisation", ["full", "paper"])
def test_the_sentence_itself_is_a_hundred_and_nothing_else_is(normalisation: Normalisation) -> None:
    corpus = corpus_of(("L'acqua è fredda.", "1"), ("L'acqua è fredda!", "2"), ("l'acqua è fredda.", "3"), normalisation=normalisation)
    # `paper` folds neither apostrophes nor composition, so other spellings are other words there.
    others = ("L’acqua  è fredda.", "L'acqua e\u0300 fredda.") if normalisation == "full" else ()
    for sentence in ("L'acqua è fredda.", "L'acqua  è fredda.", *others):
        assert found(corpus, sentence, least=100) == [(100.0, "1")], "composition, blanks and the form of apostrophes do not count"
    assert [score for score, _ in found(corpus, "L'acqua è fredda?", least=50)] == [94.1, 94.1, 88.2]
    long = corpus_of(("a" + " b" * 1900 + ".", "1"))
    assert found(long, "a" + " b" * 1900) == [(99.9, "1")], "one sign in four thousand is not the same"


def test_the_most_frequent_translation_comes_first_then_the_one_that_stands_first() -> None:
    corpus = corpus_of(("a b", "x"), ("a b", "y"), ("a b", "z"), ("a  b", "y"), ("a c", "w"))
    assert found(corpus, "a b", least=100) == [(100.0, "y"), (100.0, "x"), (100.0, "z")]
    assert [m.n for m in corpus.matches("a b", source="A", target="B", least=100)] == [2, 1, 1]
    assert found(corpus, "a b", n=1, least=60) == [(100.0, "y"), (66.7, "w")]


def test_leaving_the_sentence_out_leaves_out_its_other_spellings_too() -> None:
    corpus = corpus_of(("The river sleeps.", "1"), ("the river sleeps!", "2"), ("The river slept.", "3"))
    assert found(corpus, "The river sleeps.", leave_out=True) == [(88.2, "3")]
    assert found(corpus, "The river sleeps.")[0] == (100.0, "1")
    assert {target for _, target in found(corpus, "The river sleeps.")} == {"1", "2", "3"}


def test_scores_are_edit_distances_and_the_best_of_all_lines_that_share_a_word() -> None:
    corpus = corpus_of(*((row[0], row[1]) for row in TRAIN[:80]))
    n_matched = 0
    for row in TRAIN[500:540]:
        wanted = plain(row[0])
        expected = []
        for line in TRAIN[:80]:
            text = plain(line[0])
            score = min(99.9, round(100 * (1 - edits(wanted, text) / max(len(wanted), len(text))), 1))
            if score >= 50 and set(words(line[0], "full")) & set(words(row[0], "full")):
                expected.append(score)
        made = [score for score, _ in found(corpus, row[0], least=50, n=50)]
        assert made == sorted(expected, reverse=True), row[0]
        n_matched += len(made)
    assert n_matched > 20, "the test is about nothing"


def test_nothing_is_found_for_nothing() -> None:
    corpus = corpus_of(("a b", "x"))
    assert found(corpus, "") == found(corpus, "?!") == found(corpus, "zebra") == []


def test_similar_sentences_without_the_library_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidfuzz.distance", None)
    corpus = corpus_of(("a b", "x"))
    assert found(corpus, "a b", least=100) == [(100.0, "x")], "the sentence itself is found without it"
    with pytest.raises(MissingDependency, match=r"rapidfuzz.*translation"):
        found(corpus, "a b")
