"""The layouts of cot: what each asks for, where its answer is read, and what becomes a step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig
from reasoner.runs.results import Result
from reasoner.strategies.cot import MAX_JSON_STEPS, Format

FORMATS = list(get_args(Format))
ANSWER = "Answer: 9 -> 10 -> 20"


def run(tmp_path: Path, layout: str, reply: str) -> tuple[Result, ScriptedClient]:
    client = ScriptedClient([reply])
    outcome = reasoner.solve("number_path", "2 9 20", strategy=f"cot:format={layout}", model=client, db=tmp_path / "t.db")
    return outcome, client


def steps(outcome: Result) -> list[tuple[str, str]]:
    dag = outcome.trajectory
    assert dag is not None
    return [(t.text, dag.mark_of(t).status) for t in dag.thoughts() if t.role == "cot/step"]


def test_every_layout_has_a_prompt_of_its_own(tmp_path: Path) -> None:
    asked = {}
    for layout in FORMATS:
        _, client = run(tmp_path / layout if (tmp_path / layout).mkdir() is None else tmp_path, layout, ANSWER)
        (request,) = client.requests
        assert request.about is not None
        asked[request.about.template] = request.messages[-1].content
        assert (request.constraint is not None) == (layout == "json")
        assert len(request.messages) == (2 if layout == "fan" else 1)  # only the layout for tuned models has a system message
    assert set(asked) == {"cot/answer", *(f"cot/{layout}" for layout in FORMATS if layout != "numbered")}
    assert len(set(asked.values())) == len(FORMATS)
    assert all(word in asked["cot/irac"] for word in ("Issue", "Rule", "Application", "Conclusion"))


@pytest.mark.parametrize("layout", [layout for layout in FORMATS if layout not in {"answer_first", "json"}])
def test_the_answer_stands_at_the_end(tmp_path: Path, layout: str) -> None:
    outcome, _ = run(tmp_path, layout, f"Answer: 9 -> 18\nno, wait.\n## Result\n{ANSWER}")
    assert outcome.correct
    assert steps(outcome)[-1] == (ANSWER, "final")


@pytest.mark.parametrize(
    "reply",
    [
        f"{ANSWER}\n\nWhy: 9 + 1 = 10.\nThe answer is 20, reached in two steps.",
        f"**{ANSWER}**\nExplanation: not 18, for then the\nanswer is: 19",
        "Sure.\nAnswer:\n9 -> 10 -> 20\nAnswer: none",
    ],
)
def test_answer_first_reads_the_first_answer_line(tmp_path: Path, reply: str) -> None:
    outcome, _ = run(tmp_path, "answer_first", reply)
    assert (outcome.correct, outcome.text) == (True, ANSWER)
    last, _ = run(tmp_path, "explanation_first", reply)
    assert not last.correct


def test_answer_first_without_an_answer_line_is_offered_whole(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "answer_first", "I cannot tell.\nSorry.")
    assert outcome.text == "I cannot tell.\nSorry."


@pytest.mark.parametrize("answer", [ANSWER, "9 -> 10 -> 20"])
@pytest.mark.parametrize("frame", ["{}", "```json\n{}\n```", "Here: {} There."])
def test_json(tmp_path: Path, frame: str, answer: str) -> None:
    text = frame.replace("{}", json.dumps({"steps": ["9 + 1 = 10", "10 * 2 = 20"], "answer": answer}))
    outcome, _ = run(tmp_path, "json", text)
    assert (outcome.correct, outcome.text) == (True, ANSWER)
    assert steps(outcome) == [("9 + 1 = 10", "kept"), ("10 * 2 = 20", "kept"), (ANSWER, "final")]


@pytest.mark.parametrize(
    "text", [f"9 + 1 = 10\n{ANSWER}", '{"steps": []}\n' + ANSWER, '{"answer": "9 -> 10 -> 20', '{"steps": "x", "answer": "9 -> 10 -> 20"}']
)
def test_json_that_is_none_is_read_all_the_same(tmp_path: Path, text: str) -> None:
    assert run(tmp_path, "json", text)[0].correct


def test_there_are_no_shipped_examples_for_the_other_layouts(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cot-irac"):
        reasoner.solve("number_path", "2 9 20", strategy="cot:format=irac,shots=1", model=ScriptedClient([]), db=tmp_path / "t.db")


def test_a_json_reply_with_very_many_steps_is_bounded(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "json", json.dumps({"steps": ["x"] * 5000, "answer": ANSWER}))
    assert (len(steps(outcome)), outcome.correct) == (MAX_JSON_STEPS + 1, True)
