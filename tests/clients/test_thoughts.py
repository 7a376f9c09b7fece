"""Thought and answer in one text, in every form that models write; each case says both by hand."""

from __future__ import annotations

import random

import pytest

from reasoner.clients._thoughts import PAIRS, Split, opened_by, split

THOUGHT = "9 + 1 = 10, but\nAnswer: 7 is wrong."
HARMONY = "<|channel|>analysis<|message|>We need 24.<|end|><|start|>assistant<|channel|>final<|message|>Answer: 24<|return|>"

CASES = {
    "no thought": ("Answer: 24", Split("", "Answer: 24")),
    "white space stays": ("  Answer: 24\n", Split("", "  Answer: 24\n")),
    "blank lines around it": ("\n<think>\n9 + 1\n</think>\n\nAnswer: 24\n", Split("9 + 1", "Answer: 24\n")),
    "empty thought": ("<think>\n\n</think>\n\nAnswer: 24", Split("", "Answer: 24")),
    "on one line": ("<think>a</think>Answer: 24", Split("a", "Answer: 24")),
    "a draft and JSON inside": ('<think>Answer: 7 {"a": 1}</think>{"a": 2}', Split('Answer: 7 {"a": 1}', '{"a": 2}')),
    "unclosed": ("<think>9 + 1 = 10, Answer: 7", Split("9 + 1 = 10, Answer: 7", "", inside=True)),
    "missing opening tag": ("9 + 1\n</think>\n\nAnswer: 24", Split("9 + 1", "Answer: 24")),
    "missing opening tag, same line": ("9 + 1</think>\nAnswer: 24", Split("9 + 1", "Answer: 24")),
    "missing opening tag, nothing after": ("9 + 1</think>", Split("9 + 1", "")),
    "nested pair": ("<think>a <think>b</think> c</think>Answer: 24", Split("a <think>b</think> c", "Answer: 24")),
    "opening tag spoken of": ("<think>The tag <think> opens.</think>\nAnswer: 24", Split("The tag <think> opens.", "Answer: 24")),
    "end tag spoken of": (
        "<think>I end with </think> and answer.</think>\nAnswer: 24",
        Split("I end with </think> and answer.", "Answer: 24"),
    ),
    "end tag in backticks, unclosed": ("<think>I write `</think>` and", Split("I write `</think>` and", "", inside=True)),
    "pair in the answer": ("<think>a</think>Use <think>…</think>, or not.", Split("a", "Use <think>…</think>, or not.")),
    "quoted end tag in the answer": ('<think>a</think>Write "</think>" last.', Split("a", 'Write "</think>" last.')),
    "other tags in the thought": ("<think>a <thought>b</thought></think>c", Split("a <thought>b</thought>", "c")),
    "answer that speaks of tags": ("Use <think> and </think> around it.", Split("", "Use <think> and </think> around it.")),
    "answer that shows a block": (
        "Like this:\n<think>\na\n</think>\nAnswer: 24",
        Split("", "Like this:\n<think>\na\n</think>\nAnswer: 24"),
    ),
    "answer that speaks of an end tag": ("A </think> closes it.", Split("", "A </think> closes it.")),
    "harmony": (HARMONY, Split("We need 24.", "Answer: 24")),
    "harmony with its start": ("<|start|>assistant" + HARMONY, Split("We need 24.", "Answer: 24")),
    "harmony, unfinished thought": ("<|channel|>analysis<|message|>We need", Split("We need", "", inside=True)),
    "harmony, unfinished header": (
        "<|channel|>analysis<|message|>We.<|end|><|start|>assistant<|channel|>fin",
        Split("We.", "", inside=True),
    ),
    "harmony, final only": ("<|channel|>final<|message|>Answer: 24", Split("", "Answer: 24")),
    "harmony, commentary": (
        "<|channel|>analysis<|message|>a<|end|><|channel|>commentary<|message|>b<|end|><|channel|>final<|message|>c",
        Split("a\n\nb", "c"),
    ),
    "harmony, tokens dropped": ("analysisWe need 24.assistantfinalAnswer: 24", Split("We need 24.", "Answer: 24")),
    "analysis of something": ("analysis shows that it is 24", Split("", "analysis shows that it is 24")),
}


@pytest.mark.parametrize("name", CASES)
def test_thought_and_answer(name: str) -> None:
    text, expected = CASES[name]
    assert split(text) == expected


@pytest.mark.parametrize("opening", PAIRS)
def test_every_pair(opening: str) -> None:
    closing = PAIRS[opening]
    assert split(f"{opening}\n{THOUGHT}\n{closing}\n\nAnswer: 24") == Split(THOUGHT, "Answer: 24")
    assert split(f"{THOUGHT}\n{closing}\n\nAnswer: 24") == Split(THOUGHT, "Answer: 24")
    assert split(f"{opening}{THOUGHT}") == Split(THOUGHT, "", inside=True)


@pytest.mark.parametrize("opening", PAIRS)
def test_a_prompt_that_opened_the_thought(opening: str) -> None:
    assert opened_by(f"<|im_start|>assistant\n{opening}\n") == opening
    assert split(f"\n{THOUGHT}{PAIRS[opening]}Answer: 24", opened=opening) == Split(THOUGHT, "Answer: 24")
    assert split(THOUGHT, opened=opening) == Split(THOUGHT, "", inside=True)
    assert split(f"{opening}a{PAIRS[opening]}b", opened=opening) == Split("a", "b"), "some models open it once more"


def test_a_prompt_that_opened_none() -> None:
    assert opened_by("<|im_start|>assistant\n<think>\n\n</think>\n\n") == ""
    assert split("Answer: 24", opened="") == Split("", "Answer: 24")


def test_harmony_calls_of_functions() -> None:
    text = (
        "<|channel|>analysis<|message|>look<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather "
        '<|constrain|>json<|message|>{"city": "Turin"}<|call|>'
    )
    made = split(text)
    assert (made.reasoning, made.text, made.inside) == ("look", "", False)
    assert [(call.name, call.arguments) for call in made.tool_calls] == [("get_weather", '{"city": "Turin"}')]
    other = split('<|start|>assistant to=functions.add<|channel|>commentary<|message|>{"a":1}<|call|>')
    assert [(call.name, call.arguments) for call in other.tool_calls] == [("add", '{"a":1}')]


def test_nothing_is_lost_of_what_random_texts_hold() -> None:
    rng = random.Random(20261129)
    pieces = ["<think>", "</think>", "`", '"', "\n", " ", "word", "Answer: 24", "[THINK]", "[/THINK]", "<|channel|>", "final", "</thought>"]
    for number in range(5000):
        text = "".join(rng.choice(pieces) for _ in range(rng.randrange(12)))
        made = split(text)
        assert made.reasoning in text or "<|" in text, (number, text)
        assert made.text in text, (number, text)
        assert text.count("word") >= made.reasoning.count("word") + made.text.count("word"), (number, text)
        if "<|" not in text:
            assert text.count("word") == made.reasoning.count("word") + made.text.count("word"), (number, text)
        assert not (made.inside and made.text), (number, text)


@pytest.mark.parametrize("piece", ["<think>", "</think>", "<|channel|>", "`</think>`", "analysis", "a</think>", "<|start|>assistant"])
def test_long_hostile_texts_take_no_longer_than_long_ones(piece: str) -> None:
    text = piece * (400_000 // len(piece))  # a quadratic reader would not come back
    made = split(text)
    assert len(made.reasoning) + len(made.text) <= len(text)
