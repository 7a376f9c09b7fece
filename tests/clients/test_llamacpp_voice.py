"""A local reply while it is written: what is told is what the parts of the whole reply begin with, however the reply is cut into pieces."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from pathlib import Path

import pytest

from reasoner.capabilities import Part
from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp.reply import parts_of_reply
from reasoner.clients.llamacpp.voice import LocalVoice
from reasoner.types import Completion, Constraint, Message, Request, Sampling, ToolSpec

ASKED = Request((Message("user", "Which?"),))
WITH_TOOLS = Request((Message("user", "Which?"),), tools=(ToolSpec("add", "Add.", '{"type": "object"}'),))
REPLIES: list[tuple[str, int | None, Request]] = [
    ("Answer: 24", None, ASKED),
    ("a < b and [1, 2] and `x`", None, ASKED),
    ("<think>9 + 1 = 10\n\n</think>\n\nAnswer: 24\n", None, ASKED),
    ("<think>it said `</think>` and 3 < 4, [5]. So</think>Answer: 24", None, ASKED),
    ("<think>a <think>b</think> c</think>Answer: 24", None, ASKED),
    ("<think>it ended inside </thi", None, ASKED),
    ("[THINK]hm[/THINK]24", None, ASKED),
    ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>24", None, ASKED),
    ('<think>hm</think>\n{"a": 1}', len("<think>hm</think>\n"), ASKED),
    ('{"a": 1}', 0, ASKED),
    ('I add. <tool_call>{"name": "add", "arguments": {}}</tool_call>', None, WITH_TOOLS),
    ('{"name": "add", "arguments": {}}', None, WITH_TOOLS),
]


@pytest.mark.parametrize(("text", "answer_at", "request_"), REPLIES)
def test_what_is_told_is_how_the_parts_of_the_reply_begin(text: str, answer_at: int | None, request_: Request) -> None:
    whole = parts_of_reply({"text": text, "answer_at": answer_at}, request_)
    for seed in range(200):
        rng, told = random.Random(seed), defaultdict[Part, str](str)

        def hear(part: Part, piece: str, told: dict[Part, str] = told) -> None:
            told[part] += piece

        voice, at = LocalVoice(request_, hear), 0
        while at < len(text):
            size = rng.randint(1, 6)
            at += size
            known = answer_at if answer_at is not None and at > answer_at else None
            voice.take({"text": text[at - size : at], "answer_at": known})
        assert whole.text.startswith(told["text"])
        assert whole.reasoning.startswith(told["reasoning"])
        if not request_.tools and not whole.inside and "<think>" not in whole.reasoning:
            assert told["text"] == whole.text.rstrip()
            assert told["reasoning"] == whole.reasoning


def test_a_reply_that_is_written_again_is_told_once() -> None:
    pieces: list[str] = []
    voice = LocalVoice(ASKED, lambda _, piece: pieces.append(piece))
    for text in ("Answer: ", "2"):
        voice.take({"text": text, "answer_at": None})
    voice.begin()
    for text in ("Ans", "wer:", " 24"):
        voice.take({"text": text, "answer_at": None})
    assert pieces == ["Answer:", " 2", "4"]
    voice.begin()
    voice.take({"text": "Something else, and longer than before", "answer_at": None})
    assert pieces == ["Answer:", " 2", "4"]


def heard(request: Request, *, template: Path | None = None) -> tuple[Completion, list[tuple[Part, str]]]:
    told: list[tuple[Part, str]] = []

    async def main() -> Completion:
        client = open_client("local", ClientOptions(threads=1, n_ctx=512, adapter="none", chat_template=template))
        try:
            listening = Request(
                request.messages, request.sampling, 3, request.constraint, hear=lambda part, piece: told.append((part, piece))
            )
            return await client.complete(listening)
        finally:
            await client.aclose()

    return asyncio.run(main()), told


@pytest.mark.model
def test_tokens_of_a_local_model_are_told_as_they_come(tmp_path: Path) -> None:
    ask = (Message("user", "What is the capital of France?"),)
    made, told = heard(Request(ask, Sampling(max_tokens=12)))
    assert len(told) > 6
    said = "".join(piece for _, piece in told)
    assert made.text.startswith(said)
    assert len(said) > len(made.text) / 2
    stop = made.text.split()[2]
    made, told = heard(Request(ask, Sampling(max_tokens=12, stop=(stop,))))
    assert made.text.startswith("".join(piece for _, piece in told))
    template = tmp_path / "opened.jinja"
    turns = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    template.write_text(f"{turns}<|im_start|>assistant\n<think>\n")
    schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"], "additionalProperties": False}
    constraint = Constraint.schema(schema, after_thought=True)
    made, told = heard(Request(ask, Sampling(max_tokens=60, thinking="8"), constraint=constraint), template=template)
    assert [part for part, _ in told] == sorted((part for part, _ in told), key=["reasoning", "text"].index)
    assert "".join(piece for part, piece in told if part == "reasoning") == made.reasoning
    assert made.text.startswith("".join(piece for part, piece in told if part == "text"))
    assert {part for part, _ in told} == {"reasoning", "text"}
