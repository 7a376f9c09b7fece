"""The values: call keys of requests that older versions made stay what they were, and parts of messages survive the way to JSON and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reasoner.types import Completion, Constraint, Message, Request, Sampling, ToolCall, ToolSpec, digest

FULL = Sampling(temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, repeat_penalty=1.0, max_tokens=1024)
USER = Message("user", "4 9 10 13")
CHAT = (Message("system", "Be brief."), Message("user", "Grüß Gott \n 🦉"), Message("assistant", "ok"), USER)
SCHEMA = Constraint.schema({"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}})
BIASED = replace(FULL, temperature=1.0, max_tokens=7, logprobs=True, logit_bias=((5, -1.5), (7, 100.0)))
SET = Sampling(temperature=0.7, top_p=0.9, top_k=40, min_p=0.05, repeat_penalty=1.1, max_tokens=64, stop=("\n\n", "END"))

# Made by the version before a reply had parts: sha256 of the framed canonical text.
FROZEN = [
    (Request((USER,), FULL), "6c9e6b1bb42040caa2f68aeda54bc5f30efd5db2deeb6653e07c045692c2cc45"),
    (Request(CHAT, SET, seed=2147483647), "8ad3d8fae31c9e7639517e8968c45162ecf4ec955c53e055331973646ed2f6e5"),
    (
        Request((Message("user", "x"),), BIASED, seed=7, constraint=SCHEMA),
        "65cb53d358c822a21a367bb2fa4a52954405beeaf0e578ab23506d53fd6db9da",
    ),
    (
        Request((Message("user", "x"),), FULL, constraint=Constraint("grammar", 'root ::= "a"'), key="k", discard_cache=True),
        "35b27b8b43882c6cdfe77d62831b81bb56d762155b20b5fe15e64fbeae8c52be",
    ),
]

CALL = ToolCall("call_1", "add", '{"a": 1}')
WHOLE = Message("assistant", "Let me add.", reasoning="hm", tool_calls=(CALL,), opaque='{"format":"x","items":[]}')


@pytest.mark.parametrize(("request_", "key"), FROZEN)
def test_keys_of_old_requests_stay(request_: Request, key: str) -> None:
    assert digest("key", request_.canonical()) == key


def test_a_sampling_that_sets_everything_reads_like_an_old_one() -> None:
    assert Sampling().filled() == FULL
    assert "temperature" not in Sampling().as_dict()
    assert Sampling(max_tokens=5).numbers.max_tokens == 5
    assert Sampling(temperature=0.0).as_dict() == {"temperature": 0.0, "stop": []}


OTHERS = [
    Request((WHOLE,), FULL),
    Request((replace(WHOLE, reasoning=""),), FULL),
    Request((Message("assistant", WHOLE.content),), FULL),
    Request((Message("tool", "3", tool_call_id="call_1"),), FULL),
    Request((replace(USER, images=("data:image/png;base64,AA==",)),), FULL),
    Request((USER,), FULL),
    Request((USER,), Sampling()),
    Request((USER,), replace(FULL, thinking="low")),
    Request((USER,), replace(FULL, extra_body='{"a":1}')),
    Request((USER,), FULL, tools=(ToolSpec("add", "Add.", '{"type":"object"}'),)),
    Request((USER,), FULL, tools=(ToolSpec("add", "Add.", '{"type":"object"}'),), tool_choice="required"),
]


def test_every_new_field_is_part_of_the_question() -> None:
    assert len({request.canonical() for request in OTHERS}) == len(OTHERS)


@pytest.mark.parametrize(
    "message", [USER, WHOLE, Message("tool", "3", tool_call_id="c"), replace(USER, images=("data:image/png;base64,AA==",))]
)
def test_parts_of_a_message_come_back(message: Message) -> None:
    again = Message.of_parts(message.role, message.content, json.loads(json.dumps(message.parts())))
    assert again == message


def test_a_completion_is_the_next_turn() -> None:
    made = Completion("Let me add.", reasoning="hm", tool_calls=(CALL,), opaque='{"format":"x","items":[]}')
    assert made.message() == WHOLE


def test_a_thought_that_met_the_limit_has_no_answer() -> None:
    cut = Completion("", "length", reasoning="so far")
    assert cut.inside_thought
    assert not replace(cut, text="24").inside_thought
    assert not replace(cut, finish_reason="stop").inside_thought
    assert not Completion("", "length").inside_thought
