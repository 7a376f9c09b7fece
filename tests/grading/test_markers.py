"""Markers in other languages: every line of the table in docs/reference/grading.md is read, and no line that says something else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from golds import flips

from reasoner.grading import Found, grader, read, suited

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "grading.md"
TABLE = re.findall(
    r"^\| ([A-Z][A-Za-z, ]+) \| (`[^|]+`) \|$",
    PAGE.read_text(encoding="utf-8").partition("### Markers in other languages")[2],
    re.MULTILINE,
)
LINES = [(language, line) for language, lines in TABLE for line in re.findall(r"`([^`]+)`", lines)]


def test_the_page_shows_thirty_languages() -> None:
    assert len(TABLE) >= 30
    assert len(LINES) >= 75


@pytest.mark.parametrize(("language", "line"), LINES)
@pytest.mark.parametrize("dress", ["{}", "**{}**", "- {}", "It is easy.\n\n{}\n", "<think>{}9</think>{}"])
def test_a_line_of_the_page_is_read_in_every_dress(language: str, line: str, dress: str) -> None:
    found = read("auto", dress.replace("{}", line))
    assert found is not None, language
    assert (grader("number").judge(found.text, ["18"]).correct, found.by) == (True, "answer_line")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("答案：\n18", "18"), ("### Réponse finale\n\n18", "18"), ("**正解**\n18", None), ("**답**: \\boxed{18}", "18"), ("Antwort: 17\nAntwort: 18", "18"), ("Answer: 17\nRespuesta: 18", "18"),
        ("Respuesta: 17\nAnswer: 18", "18"), ("Respuesta final: La respuesta es **18**.", "18"), ("La respuesta es 3.5 horas. Eso es mucho.", "3.5 horas"), ("答案是3.5小时。很长。", "3.5小时"),
        ("La réponse est J. Smith.", "J. Smith"), ("Die **Antwort** ist **18**.", "18"), ("So **lautet die Antwort 18**, nicht 19.", "18"), ("答：18\nAntwort: 17", "17"), ("答：18\n好", "18"), ("Resposta: $18", "$18"),
    ],
)  # fmt: skip
def test_what_is_read_behind_a_marker(text: str, found: str | None) -> None:
    made = read("answer_line", text)
    assert made == (None if found is None else Found(found, "answer_line"))


@pytest.mark.parametrize(
    "text",
    [
        "Die falsche Antwort ist 18\nja", "Falsche Antwort: 18\nja", "错误的答案是 18\n对", "错误答案：18\n对", "La mauvaise réponse est 18\noui", "la respuesta no es 18\nsí", "La risposta non è 18\nsì",
        "неправильный ответ — 18\nда", "Antwort 18\nja", "Antwortet: 18\nja", "Respuestas: 18\nsí", "उत्तरदायी: 18\nहाँ", "답변자: 18\n네", "回答者：18\nはい", "<think>Antwort: 18", "Antwort:", "答案：…",
    ],
)  # fmt: skip
def test_no_other_line_is_an_answer(text: str) -> None:
    assert read("auto", text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Ответ: 18 тысяч", "Ответ: не 18", "Antwort: 18 oder mehr", "Antwort: 18 Tausend", "Die Antwort ist nicht 18.", "Réponse : 18 mille", "Réponse : 18 ou plus", "Respuesta: 18 millones", "Respuesta: 18 o 19",
        "Resposta: 18 dúzias", "Risposta: 18 mila", "Risposta: 18 volte", "答案：18 以上", "答案：18万", "答案：18 万", "答えは 18 ではない。", "答え：18 以下", "정답: 18 이상", "정답: 18만", "الجواب: 18 ألف", "उत्तर: 18 हज़ार",
        "उत्तर: 18 नहीं है", "Antwoord: 18 of 19", "Antwoord: 18 miljoen", "Svar: 18 eller fler", "Odpowiedź: 18 tysięcy", "Cevap: 18 değil", "Đáp án: 18 nghìn", "Jawaban: 18 ribu", "Jibu: 18 elfu", "תשובה: 18 אלף", "Antwort: 18 falsch",
        "Respuesta: 18 es incorrecta", "Réponse : 18 est fausse", "Ответ: 18 неверно", "答案：18 错误", "답: 18 틀림", "Risposta: 18 è sbagliata", "Answer: 18 is wrong",
    ],
)  # fmt: skip
def test_words_that_make_another_number_are_no_unit(text: str) -> None:
    found = read("auto", text)
    assert found is not None
    assert grader("number").judge(found.text, ["18"]).correct is False
    assert grader("number").canonical(found.text, ["18"]) != "18"


@pytest.mark.parametrize("marker", ["Antwort: ", "答案：", "Réponse finale : ", "الجواب: "])
def test_no_flip_is_accepted_behind_a_marker(marker: str) -> None:
    """What stands behind a marker is read as behind `Answer:`, and judged so."""
    for case in flips(20261130, 260):
        found, plain = read("auto", marker + case.given), read("auto", f"Answer: {case.given}")
        assert found == plain
        spec = suited([case.gold])
        assert found is None or spec == "math" or grader(spec).judge(found.text, [case.gold]).correct is not True, case


@pytest.mark.parametrize(
    "piece",
    ["Antwort: ", "die Antwort ist ", "答案", "所以答案是", "**réponse", "ответ — ", "la respuesta ", "【答案】", "also ", "، جواب "],
)
def test_many_markers_take_no_time(piece: str) -> None:
    """Two in a row are one; a line of them ends."""
    found = read("auto", piece * (60_000 // len(piece)) + "18")
    assert found is None or found.by in {"answer_line", "line"}
