"""Translation: how an answer is found, what counts as right, what is measured beside it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner import registry
from reasoner.errors import BadConfig, BadInstance, CorruptRecord, DataError
from reasoner.prompts import Prompts
from solvers import translation as module
from solvers._translated import extract, read
from solvers.translation import Translation, TranslationSolver, directions

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
def test_what_the_source_has_is_part_of_the_translation(sentence: str) -> None:
    instance = RIVER.model_copy(update={"sentence": sentence, "reference": sentence})
    assert SOLVER.verify(instance, f"Answer: {sentence}").correct, extract(f"Answer: {sentence}", instance)


REPLIES = [json.loads(line) for line in (Path(__file__).parent / "translation_replies.jsonl").read_text("utf-8").splitlines()]


def test_replies_as_models_write_them() -> None:
    """Each row: a sentence, a reply in one of the forms models use, the translation in it, and whether it refuses or copies."""
    assert len(REPLIES) > 550
    assert Counter(row["flag"] for row in REPLIES) == {"": 560, "refusal": 20, "copy": 14}
    wrong = []
    for row in REPLIES:
        instance = Translation(source=row["from"], target=row["to"], sentence=row["sentence"])
        made = read(row["reply"], instance)
        if made != (row["expected"], row["flag"]):
            wrong.append((row, made))
    assert wrong == []


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["", "Answer: ", "Selvan: ", "```\n", "[[", "<answer>", '{"a": "', "<think>", "« "]), st.text(max_size=80))
def test_any_text_can_be_read(before: str, text: str) -> None:
    found, flag = read(before + text, RIVER)
    assert flag in {"", "refusal", "copy"}
    assert found == found.strip()
    assert "\n" not in found


def test_the_reference_is_not_looked_at() -> None:
    for reply in ('Answer: "Meris tudasas."', "Answer: Note: Meris tudasas.", "Meris tudasas. (literally: x)"):
        quoted = RIVER.model_copy(update={"reference": reply.removeprefix("Answer: ")})
        assert extract(reply, quoted) == extract(reply, RIVER)


def test_a_refusal_is_no_translation_and_a_copy_is_told() -> None:
    verdict = SOLVER.verify(RIVER, "I'm sorry, I cannot translate that.")
    assert (verdict.correct, verdict.unparsed, verdict.metrics) == (False, True, {"refusal": 1.0})
    verdict = SOLVER.verify(RIVER, "Answer: The river sleeps")
    assert (verdict.correct, verdict.metrics["copy"]) == (False, 1.0)
    assert "copy of the source" in verdict.reason
    same = RIVER.model_copy(update={"reference": "The river sleeps."})
    assert SOLVER.verify(same, "Answer: The river sleeps").correct
    assert "copy" not in SOLVER.verify(same, "Answer: The river sleeps").metrics


def test_the_prompt_shows_nothing_to_copy() -> None:
    statement = Prompts().get("solvers/translation").render_text(SOLVER.statement_variables(RIVER))
    assert "Answer:" in statement
    assert not set("([{<") & set(statement), "a small model copies what stands in brackets"


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


def test_without_a_reference_a_translation_is_not_judged() -> None:
    alone = RIVER.model_copy(update={"reference": ""})
    verdict = SOLVER.verify(alone, "Answer: Meris tudasas.")
    assert (verdict.correct, verdict.score, verdict.unparsed) == (None, 0.0, False)
    assert "no reference" in verdict.reason
    copied = SOLVER.verify(alone, f"Answer: {RIVER.sentence}")
    assert (copied.correct, copied.metrics) == (None, {"copy": 1.0})
    refused = SOLVER.verify(alone, "I'm sorry, I cannot translate this.")
    assert (refused.correct, refused.unparsed) == (False, True), "what is no translation needs no reference"
    assert SOLVER.right_answer(RIVER.model_copy(update={"reference": ""})) is None


def test_lines() -> None:
    made = SOLVER.parse("Ladin (Val Badia)>English: L'aga: è frëida! ||| The water: is cold!")
    assert (made.source, made.target, made.sentence, made.reference) == (
        "Ladin (Val Badia)",
        "English",
        "L'aga: è frëida!",
        "The water: is cold!",
    )
    for line in ("English>: x", "English Selvan: x", "English>Selvan:", "English>Selvan: a ||| b ||| c", "a>b: " + "x" * 21_000):
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
