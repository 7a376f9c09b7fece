"""How `thinking` is written for each family, what a generation refuses, and that what is not set is not sent. Every body is a wire fixture."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from canned import REQUEST, body_of, client_over

from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.thinking import checked
from reasoner.errors import BadConfig
from reasoner.types import Constraint, Message, Request, Sampling, Selective, ToolCall, ToolSpec

HOSTS = {
    "official": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "glm": "https://api.z.ai/api/paas/v4",
    "kimi": "https://api.moonshot.ai/v1",
    "qwen": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    "gemini": "https://generativelanguage.googleapis.com/v1beta/openai",
    "mistral": "https://api.mistral.ai/v1",
    "grok": "https://api.x.ai/v1",
    "ollama": "http://127.0.0.1:11434/v1",
    "vllm": "http://127.0.0.1:8000/v1",
}


def opened(model: str, host: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Any:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    return open_client(model, ClientOptions(base_url=HOSTS[host], **options))


def body(client: Any, sampling: Sampling) -> dict[str, Any]:
    request = Request(REQUEST.messages, client.sampling(sampling, bounded=False), seed=7)
    made = body_of(client, request)
    return {name: value for name, value in made.items() if name not in {"model", "messages", "system"}}


BODIES: list[tuple[str, str, Sampling, dict[str, Any]]] = [
    ("openai:gpt-4o", "official", Sampling(), {"seed": 7}),
    ("openai:gpt-4o", "official", Sampling(temperature=0.0, max_tokens=9), {"seed": 7, "temperature": 0.0, "max_completion_tokens": 9}),
    ("openai:o3", "official", Sampling(thinking="low", temperature=0.7, stop=("x",)), {"seed": 7, "reasoning_effort": "low"}),
    ("openai:gpt-5-mini", "official", Sampling(thinking="off", top_p=0.9), {"seed": 7, "reasoning_effort": "minimal"}),
    ("openai:gpt-5.1", "official", Sampling(thinking="off", temperature=0.7), {"seed": 7, "reasoning_effort": "none", "temperature": 0.7}),
    ("openai:gpt-5.2", "official", Sampling(thinking="3000", temperature=0.7), {"seed": 7, "reasoning_effort": "medium"}),
    ("openai:openai/gpt-oss-120b", "vllm", Sampling(thinking="high"), {"seed": 7, "reasoning_effort": "high"}),
    ("openai:openai/o4-mini", "openrouter", Sampling(thinking="high", temperature=1.0), {"seed": 7, "reasoning": {"effort": "high"}}),
    ("openai:qwen/qwen3-8b", "openrouter", Sampling(thinking="2000", top_k=5), {"seed": 7, "reasoning": {"max_tokens": 2000}, "top_k": 5}),
    ("openai:anthropic/claude-opus-4.7", "openrouter", Sampling(thinking="off", temperature=0.2), {"reasoning": {"enabled": False}}),
    ("openai:deepseek-chat", "deepseek", Sampling(thinking="off"), {"thinking": {"type": "disabled"}}),
    ("openai:glm-4.6", "glm", Sampling(thinking="high"), {"seed": 7, "thinking": {"type": "enabled"}}),
    ("openai:kimi-k2", "kimi", Sampling(thinking="low"), {"seed": 7, "thinking": {"type": "enabled"}}),
    ("openai:qwen3-max", "qwen", Sampling(thinking="500"), {"seed": 7, "enable_thinking": True, "thinking_budget": 500}),
    ("openai:gemini-3-pro", "gemini", Sampling(thinking="off"), {"reasoning_effort": "none"}),
    ("openai:mistral-large", "mistral", Sampling(), {}),
    ("openai:grok-4", "grok", Sampling(stop=("x",), thinking="low"), {"seed": 7, "reasoning_effort": "low"}),
    ("openai:qwen3:4b", "ollama", Sampling(thinking="off"), {"seed": 7, "think": False}),
    ("openai:gpt-oss:20b", "ollama", Sampling(thinking="low"), {"seed": 7, "reasoning_effort": "low"}),
    (
        "openai:Qwen/Qwen3-4B",
        "vllm",
        Sampling(thinking="off", min_p=0.05),
        {"seed": 7, "chat_template_kwargs": {"enable_thinking": False, "thinking": False}, "min_p": 0.05},
    ),
    ("anthropic:claude-3-5-haiku-latest", "anthropic", Sampling(temperature=0.3), {"max_tokens": 4096, "temperature": 0.3}),
    (
        "anthropic:claude-sonnet-4-5",
        "anthropic",
        Sampling(thinking="2000", temperature=0.3),
        {"max_tokens": 6096, "thinking": {"type": "enabled", "budget_tokens": 2000}},
    ),
    (
        "anthropic:claude-opus-4-7",
        "anthropic",
        Sampling(thinking="low", temperature=0.3, top_k=3),
        {"max_tokens": 16384, "thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}},
    ),
    ("anthropic:claude-opus-4-8", "anthropic", Sampling(temperature=0.0), {"max_tokens": 16384}),
    ("anthropic:claude-sonnet-4-6", "anthropic", Sampling(temperature=0.0), {"max_tokens": 16384, "temperature": 0.0}),
    ("anthropic:claude-opus-4-6-20260205", "anthropic", Sampling(thinking="off"), {"max_tokens": 16384, "thinking": {"type": "disabled"}}),
]


@pytest.mark.parametrize(("model", "host", "sampling", "expected"), BODIES)
def test_only_what_is_set_is_sent_as_the_generation_wants_it(
    model: str, host: str, sampling: Sampling, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert body(opened(model, host, monkeypatch), sampling) == expected


REFUSED = [
    ("openai:o3", "official", Sampling(temperature=0.7), "temperature"),
    ("openai:gpt-5", "official", Sampling(stop=("x",)), "stop"),
    ("anthropic:claude-opus-4-7", "anthropic", Sampling(top_p=0.5), "top_p"),
    ("openai:o3", "official", Sampling(thinking="off"), "always thinks"),
    ("openai:gpt-4o", "official", Sampling(thinking="low"), "cannot be told"),
    ("openai:deepseek-chat", "deepseek", Sampling(thinking="500"), "no number of tokens"),
    ("openai:Qwen/Qwen3-4B", "vllm", Sampling(thinking="much"), "off, low, medium, high"),
    ("anthropic:claude-sonnet-4-5", "anthropic", Sampling(thinking="high", max_tokens=2000), "`max_tokens=25600`"),
    ("openai:m", "vllm", Sampling(extra_body="{"), "no JSON"),
    ("openai:m", "vllm", Sampling(extra_body="[1]"), "not an object"),
    ("openai:m", "vllm", Sampling(extra_body='{"stream": true}'), "'stream'"),
]


@pytest.mark.parametrize(("model", "host", "sampling", "words"), REFUSED)
def test_what_cannot_be_sent_is_refused_before_anything_is(
    model: str, host: str, sampling: Sampling, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = opened(model, host, monkeypatch)
    assert isinstance(client, Selective)
    with pytest.raises(BadConfig) as caught:
        client.check(sampling)
    assert words in str(caught.value)


def test_a_greedy_wish_is_left_out_where_it_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    client = opened("openai:o3", "official", monkeypatch)
    client.check(Sampling(temperature=0.0, top_p=1.0))  # plans of earlier versions set them always
    assert client.sampling(Sampling(temperature=0.0), bounded=False) == Sampling()


def test_a_budget_asks_for_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    client = opened("openai:gpt-4o", "official", monkeypatch)
    assert client.sampling(Sampling(), bounded=True).max_tokens == 4096
    assert client.sampling(Sampling(max_tokens=7), bounded=True).max_tokens == 7
    assert opened("openai:o3", "official", monkeypatch).sampling(Sampling(), bounded=True).max_tokens == 16384


async def test_extra_fields_are_merged_into_the_body() -> None:
    client = client_over("openai", httpx.Response(200))
    sampling = Sampling(thinking="off", extra_body='{"top_a": 0.2, "chat_template_kwargs": {"lang": "it"}}')
    client.check(sampling)
    made = body(client, sampling)
    assert made["top_a"] == 0.2
    assert made["chat_template_kwargs"] == {"enable_thinking": False, "thinking": False, "lang": "it"}
    await client.aclose()


@pytest.mark.parametrize(("text", "read"), [("", ""), (" Low ", "low"), ("0500", "500"), ("1000000", "1000000")])
def test_values_are_read(text: str, read: str) -> None:
    assert checked(text) == read


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "on", "1000001", "9" * 99, "low,high", "１２"])
def test_other_values_are_none(text: str) -> None:
    with pytest.raises(BadConfig):
        checked(text)


TOOL = ToolSpec("add", "Add.", '{"type": "object", "properties": {"a": {"type": "integer"}}}')
TURNS = (
    Message("user", "q", images=("data:image/png;base64,QUJD",)),
    Message("assistant", "", tool_calls=(ToolCall("c1", "add", '{"a": 1}'), ToolCall("c2", "add", "{broken"))),
    Message("tool", "2", tool_call_id="c1"),
    Message("tool", "error", tool_call_id="c2"),
)


async def test_tools_and_images_are_written_in_both_formats() -> None:
    request = Request(TURNS, tools=(TOOL,), tool_choice="tool:add")
    client = client_over("openai", httpx.Response(200))
    made = body_of(client, request)
    assert made["messages"][0]["content"] == [
        {"type": "text", "text": "q"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ]
    assert made["messages"][1]["tool_calls"][1] == {"id": "c2", "type": "function", "function": {"name": "add", "arguments": "{broken"}}
    assert made["messages"][2:] == [
        {"role": "tool", "content": "2", "tool_call_id": "c1"},
        {"role": "tool", "content": "error", "tool_call_id": "c2"},
    ]
    assert made["tools"][0]["function"]["parameters"]["properties"] == {"a": {"type": "integer"}}
    assert made["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    await client.aclose()
    client = client_over("anthropic", httpx.Response(200))
    made = body_of(client, request)
    assert made["messages"][0]["content"] == [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}},
        {"type": "text", "text": "q"},
    ]
    assert [block["input"] for block in made["messages"][1]["content"]] == [{"a": 1}, {"arguments": "{broken"}]
    assert [block["tool_use_id"] for block in made["messages"][2]["content"]] == ["c1", "c2"], "results of one turn stand in one turn"
    assert len(made["messages"]) == 3
    assert made["tool_choice"] == {"type": "tool", "name": "add"}
    both = replace(request, constraint=Constraint.schema({"type": "object"}))
    with pytest.raises(BadConfig, match="beside other tools"):
        body_of(client, both)
    await client.aclose()
