"""Baselines, joins and sums over a corpus; scores against the library's own and a hand-worked rank correlation."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reasoner.errors import BadConfig, DataError, MissingDependency
from reasoner.translation.build import Builder
from reasoner.translation.corpus import Corpus
from reasoner.translation.coverage import coverage_of
from reasoner.translation.index import Index
from reasoner.translation.library import open_corpus
from reasoner.translation.normalise import check, words
from reasoner.translation.scores import score, spearman

LINES = [("a red dog runs", "1"), ("a red dog", "2"), ("the cat sleeps", "3"), ("runs fast", "4"), ("n u é", "5")]


def corpus_of(lines: list[tuple[str, str]], languages: tuple[str, str] = ("A", "B")) -> Corpus:
    builder = Builder(languages)
    for line in lines:
        builder.add(line)
    return Corpus(Index.of_bytes(builder.in_memory(), "t"))


def targets(corpus: Corpus, sentence: str, method: str, n: int, seed: int = 0) -> list[str]:
    return [p.target for p in corpus.similar(sentence, source="A", target="B", method=method, n=n, seed=seed)]  # type: ignore[arg-type]


def test_bm25_knows_one_letter_words_and_stop_words() -> None:
    corpus = corpus_of(LINES)
    assert targets(corpus, "u", "bm25", 3) == ["5"]
    assert targets(corpus, "the", "bm25", 3) == ["3"]
    assert targets(corpus, "zebra", "bm25", 3) == []
    assert set(targets(corpus, "red dog", "bm25", 2)) == {"1", "2"}


def test_the_n_gram_re_rank_prefers_what_is_not_yet_shown() -> None:
    filler = [(f"filler {n} in a big green house", "0") for n in range(9)]
    corpus = corpus_of([("red dog", "1"), ("red dog too", "2"), ("he runs in the big green house far away", "3"), *filler])
    assert targets(corpus, "my red dog runs", "bm25", 3) == ["1", "2", "3"]
    assert targets(corpus, "my red dog runs", "ngram", 3) == ["1", "3", "2"]


def test_random_examples_follow_the_seed_and_are_different() -> None:
    corpus = corpus_of([(f"w{n}", str(n)) for n in range(50)])
    assert (
        targets(corpus, "x", "random", 5, seed=1) == targets(corpus, "x", "random", 5, seed=1) != targets(corpus, "x", "random", 5, seed=2)
    )
    assert len(set(targets(corpus, "x", "random", 50))) == 50


@pytest.mark.parametrize("method", ["random", "bm25", "ngram"])
def test_no_baseline_shows_the_sentence_itself(method: str) -> None:
    assert "2" not in targets(corpus_of(LINES), "A red dog!", method, 9)


def test_bm25_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(MissingDependency, match=r"numpy.*translation"):
        targets(corpus_of(LINES), "red", "bm25", 1)


def test_joining_on_equal_pivot_sentences() -> None:
    first = corpus_of([("one", "eins!"), ("two", "zwei"), ("three", "drei")], ("A", "P"))
    second = corpus_of([("Eins", "uno"), ("drei", "tre"), ("vier", "quattro")], ("P", "C"))
    joined = first.joined(second, source="A", pivot="P", target="C")
    assert list(joined.texts("A", "C")) == [("one", "uno"), ("three", "tre")]
    assert first.joined(second, source="A", pivot="P", target="C") is joined
    with pytest.raises(BadConfig, match="in common"):
        corpus_of([("x", "y")], ("A", "P")).joined(second, source="A", pivot="P", target="C")


def test_coverage_is_the_mean_over_sentences_and_empty_ones_are_counted_apart() -> None:
    made = coverage_of(corpus_of(LINES), ["a red zebra", "zebra", "", "cat"], source="A", target="B")
    assert made.coverage == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert (made.sentences, made.empty) == (3, 1)
    assert made.whole == pytest.approx(1 / 3)
    with pytest.raises(BadConfig):
        coverage_of(corpus_of(LINES), ["", "?"], source="A", target="B")


def test_a_corpus_file_that_changed_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "t.corpus"
    for text in ("one", "something else"):
        with Builder(("A", "B"), folder=tmp_path) as builder:
            builder.add((text, "x"))
            builder.write(path)
        assert open_corpus(str(path)).index.text(0, 0) == text
    with pytest.raises(DataError, match="gone"):
        open_corpus(str(tmp_path / "gone"))


def test_scores_are_the_library_s_own() -> None:
    import sacrebleu

    found, references = ["the dog sleeps now", "", "a red cat"], ["the dog sleeps", "nothing", "a red cat"]
    made = score(found, references)
    assert made.bleu == sacrebleu.corpus_bleu(found, [references]).score
    assert made.chrf == sacrebleu.corpus_chrf(found, [references], word_order=2).score
    assert made.exact == pytest.approx(1 / 3)
    assert "nw:2" in made.signatures["chrF++"]
    assert "tok:13a" in made.signatures["BLEU"]


def test_rank_correlation() -> None:
    assert spearman([1, 2, 3], [2, 4, 9]) == 1.0
    assert spearman([1, 2, 3], [3, 2, 1]) == -1.0
    # By hand: ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4; 4.5 / sqrt(4.5 * 5).
    assert spearman([1, 2, 2, 3], [1, 3, 2, 4]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)
    assert spearman([1, 1], [1, 2]) is None
    assert spearman([], []) is None


def test_normalisations() -> None:
    assert words("L’aga, de «Roma»!", "full") == ["l'", "aga", "de", "roma"]
    assert words("L’aga,  de «Roma»!", "paper") == ["L’aga", "de", "«Roma»"]
    assert words("a,b — c–d", "paper") == ["ab", "—", "c–d"]
    with pytest.raises(BadConfig, match="full"):
        check("best")
