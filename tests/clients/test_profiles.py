"""Capability profiles: rows of a table, overrides by flag, and what each field changes in what is sent."""

from __future__ import annotations

import re
from typing import Any

import pytest
from canned import REQUEST

from reasoner.clients._wire.anthropic_messages import AnthropicDialect
from reasoner.clients._wire.openai_chat import OpenAIDialect
from reasoner.clients._wire.profiles import ROWS, Profile, overridden, profile_of
from reasoner.errors import BadConfig
from reasoner.types import Constraint, Message, Request, Sampling

SCHEMA = {"type": "object"}
ASKED = Request(REQUEST.messages, constraint=Constraint.schema(SCHEMA))


def sent(profile: str, request: Request = REQUEST, *, stream: bool = False) -> dict[str, Any]:
    return OpenAIDialect().body(request, model="m", profile=overridden(Profile(), profile), stream=stream)


def test_every_row_is_a_profile_and_a_pattern_and_can_be_reached() -> None:
    for row in ROWS:
        Profile.model_validate(row.profile)
        re.compile(row.model)
    for dialect in ("openai", "anthropic", "responses"):
        assert [row for row in ROWS if row.dialect == dialect][-1].model == "", "the last row fits everything"


@pytest.mark.parametrize(
    ("model", "host", "field", "value"),
    [
        ("o3-mini", "api.openai.com", "max_tokens", "max_completion_tokens"),
        ("o3-mini", "api.openai.com", "sampling", False),
        ("gpt-5", "api.openai.com", "sampling", False),
        ("gpt-4o", "api.openai.com", "sampling", True),
        ("o1-mini", "api.openai.com", "system", "user"),
        ("o1", "api.openai.com", "system", "system"),
        ("o3-mini", "127.0.0.1", "sampling", False),
        ("openai/o3-mini-2025-01-31", "openrouter.ai", "thinking", "openrouter"),
        ("o3-mini-of-mine", "127.0.0.1", "sampling", True),
        ("gpt-5-chat", "api.openai.com", "sampling", True),
        ("gpt-5.1", "api.openai.com", "sampling", True),
        ("gpt-5.1", "api.openai.com", "sampling_with_thinking", False),
        ("qwen3:4b", "127.0.0.1", "thinking", "template"),
        ("anthropic/claude-opus-4.7", "openrouter.ai", "sampling", False),
    ],
)
def test_names_that_only_one_family_uses_are_known_and_no_others(model: str, host: str, field: str, value: object) -> None:
    assert getattr(profile_of("openai", model, host), field) == value


def test_what_each_field_changes() -> None:
    plain = sent("")
    assert plain["messages"][0]["role"] == "system"
    assert "seed" not in sent("seed=no")
    drawn = Request(REQUEST.messages, Sampling(temperature=0.5, top_p=0.9, max_tokens=9, stop=("x",)))
    assert {"temperature", "top_p", "stop"} <= set(sent("", drawn))
    assert not {"temperature", "top_p"} & set(sent("sampling=false", drawn))
    assert "stop" not in sent("stop=false", drawn)
    assert sent("system=developer")["messages"][0] == {"role": "developer", "content": "be brief"}
    assert sent("system=user")["messages"] == [{"role": "user", "content": "be brief\n\na question of some length"}]
    assert sent("max_tokens=max_completion_tokens", drawn)["max_completion_tokens"] == 9
    assert sent("reasoning_effort=low")["reasoning_effort"] == "low"
    wanted = Request(REQUEST.messages, Sampling(logprobs=True))
    assert sent("", wanted)["logprobs"] is True
    assert "logprobs" not in sent("logprobs=0", wanted)
    assert "stream_options" not in sent("stream_usage=false", stream=True)
    assert sent("stream_usage=false", stream=True)["stream"] is True


def test_five_ways_to_ask_for_a_schema() -> None:
    assert sent("", ASKED)["response_format"]["type"] == "json_schema"
    assert sent("schema=json_object", ASKED)["response_format"] == {"type": "json_object", "schema": SCHEMA}
    assert sent("schema=tool", ASKED)["tool_choice"] == {"type": "function", "function": {"name": "answer"}}
    in_words = sent("schema=prompt", ASKED)
    assert "response_format" not in in_words
    assert in_words["messages"][-1]["content"].endswith('{"type":"object"}')
    with pytest.raises(BadConfig, match="takes no JSON schema"):
        sent("schema=none", ASKED)
    assert sent("schema=none") == sent("")


def test_instructions_alone_become_a_question() -> None:
    only = Request((Message("system", "say hello"),))
    assert sent("system=user", only)["messages"] == [{"role": "user", "content": "say hello"}]
    body = AnthropicDialect().body(REQUEST, model="m", profile=overridden(profile_of("anthropic", "m", "h"), "system=user"), stream=True)
    assert "system" not in body


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sede=no", "did you mean seed"),
        ("qqq=1", "known: max_tokens"),
        ("seed", "no such field"),
        ("schema=yaml", "schema=yaml"),
        ("max_tokens=n", "max_tokens=n"),
        ("seed=perhaps", "seed=perhaps"),
        ("reasoning_effort=LOW!", "reasoning_effort"),
        ("\x1b[31m=1", "no such field"),
    ],
)
def test_a_wrong_override_is_named(text: str, words: str) -> None:
    with pytest.raises(BadConfig) as caught:
        overridden(Profile(), text)
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_overrides_keep_what_they_do_not_name() -> None:
    profile = overridden(profile_of("openai", "o3-mini", "api.openai.com"), " seed=no , ")
    assert (profile.max_tokens, profile.sampling, profile.seed) == ("max_completion_tokens", False, False)
