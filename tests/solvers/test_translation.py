"""Translation: how an answer is found, what counts as right, what is measured beside it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reasoner import registry
from reasoner.errors import BadConfig, BadInstance, CorruptRecord, DataError
from solvers import translation as module
from solvers.translation import Translation, TranslationSolver, directions, extract

SOLVER = TranslationSolver()
RIVER = Translation(source="English", target="Selvan", sentence="The river sleeps.", reference="Meris tudasas.")


@pytest.mark.parametrize(
    "text",
    [
        "Answer: Meris tudasas.",
        "First I look.\n\nAnswer: Meris tudasas.\n",
        "Meris tudasas.",
        "Let me see.\nMeris tudasas.",
        "Answer: Answer: Meris tudasas.",
        "Answer: something\nAnswer: Meris tudasas.",
        "Answer:\nMeris tudasas.",
        "**Answer:** *Meris tudasas.*",
        'Answer: "Meris tudasas."',
        "Answer: «Meris tudasas.»",
        "Answer: Selvan: Meris tudasas.",
        "Answer: [[Meris tudasas.]]",
        "The translation is [[ wrong ]] or rather [[Meris tudasas.]], I think.",
        "Answer: meris  TUDASAS",
        "Final answer: Translation: Meris tudasas.",
    ],
)
def test_the_answer_is_found(text: str) -> None:
    verdict = SOLVER.verify(RIVER, text)
    assert verdict.correct, (extract(text, RIVER), verdict)
    assert set(verdict.metrics) == {"chrf", "bleu"}


@pytest.mark.parametrize("text", ["Answer: Meris.", "Answer: Meris tudasas. And more.", "Answer: tudasas Meris.", "[[Meris]] [[tudasas]]"])
def test_a_part_or_more_is_not_right_and_earns_nothing(text: str) -> None:
    verdict = SOLVER.verify(RIVER, text)
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)


@pytest.mark.parametrize(
    "sentence", ["Answer: yes", "He said: Answer: no", '"Quoted."', "Selvan: a language", "[[x]]", "{{ text }} {x}", "a ]] b [[ c"]
)
def test_markers_inside_the_reference_are_part_of_it(sentence: str) -> None:
    instance = RIVER.model_copy(update={"reference": sentence})
    assert SOLVER.verify(instance, f"Answer: {sentence}").correct, extract(f"Answer: {sentence}", instance)


def test_the_measures_are_sacrebleu_s() -> None:
    import sacrebleu

    verdict = SOLVER.verify(RIVER, "Answer: Meris tudas.")
    assert verdict.metrics["chrf"] == pytest.approx(
        sacrebleu.sentence_chrf("Meris tudas.", [RIVER.reference], word_order=2).score, abs=1e-3
    )
    assert verdict.metrics["bleu"] == pytest.approx(sacrebleu.sentence_bleu("Meris tudas.", [RIVER.reference]).score, abs=1e-3)


def test_without_sacrebleu_the_verdict_is_the_same_and_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    module._metrics.cache_clear()
    try:
        verdict = SOLVER.verify(RIVER, "Answer: Meris tudasas.")
    finally:
        module._metrics.cache_clear()
    assert verdict.correct
    assert verdict.metrics == {}
    assert "reasoner-llm[translation]" in verdict.reason


def test_without_a_reference_nothing_is_right() -> None:
    verdict = SOLVER.verify(RIVER.model_copy(update={"reference": ""}), "Answer: Meris tudasas.")
    assert not verdict.correct
    assert "no reference" in verdict.reason
    assert SOLVER.right_answer(RIVER.model_copy(update={"reference": ""})) is None


def test_lines() -> None:
    made = SOLVER.parse("Ladin (Val Badia)>English: L'aga: è frëida! ||| The water: is cold!")
    assert (made.source, made.target, made.sentence, made.reference) == (
        "Ladin (Val Badia)",
        "English",
        "L'aga: è frëida!",
        "The water: is cold!",
    )
    for line in ("English>: x", "English Selvan: x", "English>Selvan:", "English>Selvan: a ||| b ||| c", "a>b: " + "x" * 5000):
        with pytest.raises(BadInstance):
            SOLVER.parse(line)


def test_levels_are_the_directions() -> None:
    assert directions(["a", "b", "c"]) == [("a", "b"), ("b", "a"), ("a", "c"), ("c", "a"), ("b", "c"), ("c", "b")]
    assert len(directions(["1", "2", "3", "4"])) == len(SOLVER.levels)
    first = SOLVER.listed(1)[0]
    assert (first.source, first.target, len(SOLVER.listed(1))) == ("English", "Selvan", 300)
    assert (SOLVER.listed(7)[0].source, SOLVER.listed(7)[0].target) == ("English", "Mesrin")


def test_a_file_of_the_user_s_own(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text("Italian\tLadin\nl'acqua\tl'aga\n\nil cane\tl cian\n", encoding="utf-8")
    solver = registry.solver(f"translation:{path}")
    assert solver.title == f"translation:{path}"
    assert [each.sentence for each in solver.listed(2)] == ["l'aga", "l cian"]
    with pytest.raises(BadConfig, match="--level is between 1 and 2"):
        solver.listed(3)
    for text in ("Italian\n", "A\tA\n", "A\tB\nx\n", "A\tB\n\tx\n"):
        bad = tmp_path / f"{abs(hash(text))}.tsv"
        bad.write_text(text)
        with pytest.raises(CorruptRecord):
            TranslationSolver(str(bad)).listed(1)
    with pytest.raises(DataError):
        TranslationSolver(str(tmp_path / "gone.tsv")).listed(1)
