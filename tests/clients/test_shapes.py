"""Published shapes of replies that think, whole and streamed, in the dialects they come in: thought kept, answer right, usage right, one request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from canned import REQUEST, ask, body_of, client_over, stream

from reasoner.types import Completion, FinishReason, Message, Request, Sampling, ToolCall, Usage

THOUGHT = '9 + 1 = 10.\nA draft: Answer: 7 {"a": 1}'
ANSWER = "Answer: 24"
PLAIN = {"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 21}
COUNTED = PLAIN | {"completion_tokens_details": {"reasoning_tokens": 6}, "prompt_tokens_details": {"cached_tokens": 4}}


@dataclass(frozen=True)
class Shape:
    """A reply: its message and ends, as a server writes them, and what it is read as."""

    message: dict[str, Any]
    finish: Any = "stop"
    usage: Any = field(default_factory=lambda: COUNTED)
    text: str = ANSWER
    reasoning: str = THOUGHT
    ended: FinishReason = "stop"
    used: Usage = field(default_factory=lambda: Usage(12, 9, 4, None, 6))
    calls: tuple[ToolCall, ...] = ()


def details(*items: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"format": "anthropic-claude-v1", "index": 0} | item for item in items]


CALLED = [{"id": "c1", "type": "function", "index": 0, "function": {"name": "add", "arguments": '{"a": 1}'}}]
ENCRYPTED = details({"type": "reasoning.text", "text": THOUGHT, "signature": "c2ln"}, {"type": "reasoning.encrypted", "data": "QUJD"})
HARMONY = f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>"

ENDS: dict[str, FinishReason] = {
    "STOP": "stop",
    "eos_token": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "refusal": "content_filter",
    "SAFETY": "content_filter",
    "pause_turn": "truncated",
    "banana": "truncated",
}
OPENAI = {
    "deepseek, vllm, sglang, llama-server": Shape({"content": ANSWER, "reasoning_content": THOUGHT}),
    "newer vllm": Shape({"content": ANSWER, "reasoning": THOUGHT}),
    "both names": Shape({"content": ANSWER, "reasoning": THOUGHT, "reasoning_content": THOUGHT}),
    "null beside it": Shape({"content": ANSWER, "reasoning": THOUGHT, "reasoning_content": None, "tool_calls": None, "refusal": None}),
    "ollama": Shape({"content": ANSWER, "thinking": THOUGHT}),
    "openrouter": Shape({"content": ANSWER, "reasoning": THOUGHT, "reasoning_details": ENCRYPTED}),
    "openrouter, details only": Shape({"content": ANSWER, "reasoning": None, "reasoning_details": ENCRYPTED}),
    "openrouter, summary": Shape({"content": ANSWER, "reasoning_details": details({"type": "reasoning.summary", "summary": THOUGHT})}),
    "mistral": Shape(
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}, {"type": "text", "text": ANSWER}]}
    ),
    "a list without thoughts": Shape({"content": [{"type": "text", "text": "Answer: "}, {"type": "text", "text": "24"}]}, reasoning=""),
    "cut inside the thought, null": Shape({"content": None, "reasoning_content": THOUGHT}, "length", text="", ended="length"),
    "cut inside the thought, empty": Shape({"content": "", "reasoning_content": THOUGHT}, "length", text="", ended="length"),
    "gemini": Shape(
        {"content": ANSWER}, usage={"prompt_tokens": 12, "completion_tokens": 9, "total_tokens": 121}, reasoning="",
        used=Usage(12, 109, 0, None, 100),
    ),
    "gemini, all thought": Shape(
        {"content": None}, "length", usage={"prompt_tokens": 12, "completion_tokens": 0, "total_tokens": 112}, text="", reasoning="",
        ended="length", used=Usage(12, 100),
    ),
    "qwen3, r1": Shape({"content": f"<think>\n{THOUGHT}\n</think>\n\n{ANSWER}"}),
    "opening tag in the prompt": Shape({"content": f"{THOUGHT}\n</think>\n\n{ANSWER}"}),
    "unclosed at the limit": Shape({"content": f"<think>\n{THOUGHT}"}, "length", text="", ended="length"),
    "gpt-oss, raw": Shape({"content": HARMONY}),
    "magistral, raw": Shape({"content": f"[THINK]{THOUGHT}[/THINK]{ANSWER}"}),
    "tool calls after a thought": Shape(
        {"content": None, "reasoning_content": THOUGHT, "tool_calls": CALLED}, "tool_calls", text="", ended="tool_calls",
        calls=(ToolCall("c1", "add", '{"a": 1}'),),
    ),
    "tool calls that say stop": Shape(
        {"content": "", "reasoning_content": THOUGHT, "tool_calls": CALLED}, "stop", text="", ended="tool_calls",
        calls=(ToolCall("c1", "add", '{"a": 1}'),),
    ),
    **{
        f"ends with {word}": Shape({"content": ANSWER}, word, reasoning="", ended=ended)
        for word, ended in ENDS.items()
    },
    **{
        f"usage {name}": Shape({"content": ANSWER}, usage=usage, reasoning="", used=used)
        for name, usage, used in (
            ("null", None, Usage(estimated=True)),
            ("empty", {}, Usage(estimated=True)),
            ("floats", {"prompt_tokens": 12.0, "completion_tokens": 9.0}, Usage(12, 9)),
            ("null details", PLAIN | {"completion_tokens_details": None, "prompt_tokens_details": None}, Usage(12, 9)),
            ("null counts", {"prompt_tokens": None, "completion_tokens": 9}, Usage(0, 9, estimated=True)),
            ("deepseek's cache", PLAIN | {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 4}, Usage(12, 9, 8)),
            ("counted apart", {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 21}, Usage(12, 9, 0, None, 6)),
        )
    },
}  # fmt: skip

BLOCKS = [
    {"type": "thinking", "thinking": THOUGHT, "signature": "c2lnbmVk"},
    {"type": "redacted_thinking", "data": "QUJD"},
    {"type": "text", "text": ANSWER},
]
INPUT = {"input_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3, "output_tokens": 9}
BLOCK_USAGE = Usage(12, 9, 4)
ANTHROPIC = {
    "thinking": Shape({"content": BLOCKS[:1] + BLOCKS[2:]}, "end_turn", INPUT, used=BLOCK_USAGE),
    "redacted": Shape({"content": BLOCKS}, "end_turn", INPUT, used=BLOCK_USAGE),
    "redacted only": Shape({"content": BLOCKS[1:]}, "end_turn", INPUT, reasoning="", used=BLOCK_USAGE),
    "omitted": Shape(
        {"content": [{"type": "thinking", "thinking": "", "signature": "c2ln"}, BLOCKS[2]]}, "end_turn", INPUT, reasoning="", used=BLOCK_USAGE
    ),
    "cut inside the thought": Shape({"content": BLOCKS[:1]}, "max_tokens", INPUT, text="", ended="length", used=BLOCK_USAGE),
    "tool use": Shape(
        {"content": [*BLOCKS[:2], {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}}]}, "tool_use", INPUT, text="",
        ended="tool_calls", used=BLOCK_USAGE, calls=(ToolCall("t1", "add", '{"a": 1}'),),
    ),
    "tags in the text": Shape({"content": [{"type": "text", "text": f"<think>{THOUGHT}</think>{ANSWER}"}]}, "end_turn", INPUT, used=BLOCK_USAGE),
    "stop sequence": Shape({"content": BLOCKS[2:]}, "stop_sequence", INPUT, reasoning="", used=BLOCK_USAGE),
    "refusal": Shape({"content": BLOCKS[2:]}, "refusal", INPUT, reasoning="", ended="content_filter", used=BLOCK_USAGE),
    "pause": Shape({"content": BLOCKS[2:]}, "pause_turn", INPUT, reasoning="", ended="truncated", used=BLOCK_USAGE),
    "no usage": Shape({"content": BLOCKS[2:]}, "end_turn", None, reasoning="", used=Usage(estimated=True)),
}  # fmt: skip

SUMMARY = {"type": "reasoning", "id": "rs1", "summary": [{"type": "summary_text", "text": THOUGHT}], "encrypted_content": "QUJD"}
OPEN = {"type": "reasoning", "id": "rs1", "summary": [], "content": [{"type": "reasoning_text", "text": THOUGHT}]}
SAID = {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": ANSWER, "annotations": []}]}
CALL = {"type": "function_call", "id": "fc1", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'}
TOLD = {
    "input_tokens": 12, "output_tokens": 9, "total_tokens": 21, "input_tokens_details": {"cached_tokens": 4},
    "output_tokens_details": {"reasoning_tokens": 6},
}  # fmt: skip
RESPONSES = {
    "summary and encrypted": Shape({"output": [SUMMARY, SAID]}, "completed", TOLD),
    "open weights": Shape({"output": [OPEN, SAID]}, "completed", TOLD),
    "no thought": Shape({"output": [SAID]}, "completed", TOLD, reasoning=""),
    "hidden thought": Shape({"output": [{"type": "reasoning", "id": "rs1", "summary": []}, SAID]}, "completed", TOLD, reasoning=""),
    "cut inside the thought": Shape({"output": [SUMMARY]}, "max_output_tokens", TOLD, text="", ended="length"),
    "filtered": Shape({"output": [SAID]}, "content_filter", TOLD, reasoning="", ended="content_filter"),
    "cut for another reason": Shape({"output": [SAID]}, "banana", TOLD, reasoning="", ended="truncated"),
    "tool call": Shape(
        {"output": [SUMMARY, CALL]}, "completed", TOLD, text="", ended="tool_calls", calls=(ToolCall("c1", "add", '{"a": 1}'),)
    ),
    "refused": Shape(
        {"output": [SAID | {"content": [{"type": "refusal", "refusal": "no"}]}]},
        "completed",
        TOLD,
        text="",
        reasoning="",
        ended="content_filter",
    ),
    "tags in the text": Shape(
        {"output": [SAID | {"content": [{"type": "output_text", "text": f"<think>{THOUGHT}</think>{ANSWER}"}]}]}, "completed", TOLD
    ),
    "no usage": Shape({"output": [SAID]}, "completed", None, reasoning="", used=Usage(estimated=True)),
    "items of other kinds": Shape({"output": [{"type": "web_search_call", "id": "w"}, SAID]}, "completed", TOLD, reasoning=""),
}


def responses_value(shape: Shape) -> dict[str, Any]:
    whole = shape.finish == "completed"
    ended = (
        {"status": "completed", "incomplete_details": None}
        if whole
        else {"status": "incomplete", "incomplete_details": {"reason": shape.finish}}
    )
    return {"object": "response", "model": "served-model", "error": None, "usage": shape.usage, "extra": 1} | ended | shape.message


def responses_whole(shape: Shape) -> bytes:
    return json.dumps(responses_value(shape)).encode()


def responses_streamed(shape: Shape) -> bytes:
    value = responses_value(shape)
    events: list[Any] = [{"type": "response.created", "response": value | {"status": "in_progress", "output": [], "usage": None}}]
    for index, item in enumerate(shape.message["output"]):
        events.append({"type": "response.output_item.added", "output_index": index, "item": {"type": item["type"], "id": item["id"]}})
        for part in item.get("content") or item.get("summary") or []:
            kind = {"output_text": "output_text", "summary_text": "reasoning_summary_text", "reasoning_text": "reasoning_text"}.get(
                part["type"]
            )
            pieces = pieces_of("text", part.get("text", "")) if kind else []
            events += [{"type": f"response.{kind}.delta", "output_index": index, "delta": piece} for piece in pieces]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed" if shape.finish == "completed" else "response.incomplete", "response": value})
    return stream(events)


def openai_whole(shape: Shape) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant"} | shape.message, "finish_reason": shape.finish}
    return json.dumps({"id": "c", "model": "served-model", "choices": [choice], "usage": shape.usage, "extra": {"x": 1}}).encode()


def openai_streamed(shape: Shape) -> bytes:
    def chunk(delta: dict[str, Any], finish: Any = None) -> dict[str, Any]:
        return {"model": "served-model", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}

    events: list[Any] = [chunk({"role": "assistant", "content": ""})]
    for name, value in shape.message.items():
        events += [chunk({name: piece}) for piece in pieces_of(name, value)]
    events += [chunk({}, shape.finish), "null", {"choices": None, "usage": shape.usage, "model": "served-model"}, "[DONE]"]
    return b": comment\n\n" + stream(events)


def pieces_of(name: str, value: Any) -> list[Any]:
    """Cut a field of a message into the pieces a server would stream it in."""
    if isinstance(value, str):
        return [value[i : i + 5] for i in range(0, len(value), 5)]
    if name == "tool_calls" and value:
        (call,) = value
        head = call | {"function": {"name": call["function"]["name"], "arguments": ""}}
        rest = [{"index": 0, "function": {"arguments": call["function"]["arguments"][i : i + 3]}} for i in range(0, 8, 3)]
        return [[head], *([piece] for piece in rest)]
    if name == "reasoning_details" and value:
        return [[item] for item in value]
    return [value]


def anthropic_whole(shape: Shape) -> bytes:
    body = {"id": "m", "type": "message", "role": "assistant", "model": "served-model", "stop_reason": shape.finish, "usage": shape.usage}
    return json.dumps(body | shape.message).encode()


def anthropic_streamed(shape: Shape) -> bytes:
    usage = None if shape.usage is None else shape.usage | {"output_tokens": 1}
    start: dict[str, Any] = {
        "type": "message",
        "role": "assistant",
        "model": "served-model",
        "content": [],
        "stop_reason": None,
        "usage": usage,
    }
    events: list[Any] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for index, block in enumerate(shape.message["content"]):
        deltas: list[dict[str, Any]] = []
        opened = dict(block)
        match block["type"]:
            case "text":
                opened = {"type": "text", "text": ""}
                deltas = [{"type": "text_delta", "text": piece} for piece in pieces_of("text", block["text"])]
            case "thinking":
                opened = {"type": "thinking", "thinking": "", "signature": ""}
                deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces_of("text", block["thinking"])]
                deltas.append({"type": "signature_delta", "signature": block["signature"]})
            case "tool_use":
                opened = block | {"input": {}}
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces_of("text", json.dumps(block["input"]))]
        events.append({"type": "content_block_start", "index": index, "content_block": opened})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    told = {} if shape.usage is None else {"output_tokens": shape.usage["output_tokens"]}
    events += [{"type": "message_delta", "delta": {"stop_reason": shape.finish}, "usage": told}, {"type": "message_stop"}]
    return stream(events)


WRITERS = {("openai", False): openai_whole, ("openai", True): openai_streamed}
WRITERS |= {("anthropic", False): anthropic_whole, ("anthropic", True): anthropic_streamed}
WRITERS |= {("responses", False): responses_whole, ("responses", True): responses_streamed}
SHAPES = {"openai": OPENAI, "anthropic": ANTHROPIC, "responses": RESPONSES}
CASES = [(scheme, name) for scheme, shapes in SHAPES.items() for name in shapes]


async def once(scheme: str, body: bytes, *, streamed: bool, request: Request = REQUEST) -> Completion:
    """Ask a server whose one reply cannot be read twice, so that a second request would be an error."""
    return await ask(scheme, body, streamed=streamed, request=request)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(("scheme", "name"), CASES)
async def test_the_thought_is_kept_and_the_answer_is_the_answer(scheme: str, name: str, streamed: bool) -> None:
    shape = SHAPES[scheme][name]
    made = await once(scheme, WRITERS[scheme, streamed](shape), streamed=streamed)
    assert (made.text, made.reasoning, made.finish_reason) == (shape.text, shape.reasoning, shape.ended)
    assert made.tool_calls == shape.calls
    assert made.usage == shape.used
    assert made.model == "served-model"
    assert made.inside_thought is (shape.ended == "length" and not shape.text and bool(shape.reasoning or made.usage.reasoning_tokens))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", ["thinking", "redacted", "redacted only", "omitted", "tool use"])
async def test_blocks_go_back_unchanged_and_in_order(name: str, streamed: bool) -> None:
    shape = ANTHROPIC[name]
    made = await once("anthropic", WRITERS["anthropic", streamed](shape), streamed=streamed)
    results = tuple(Message("tool", "3", tool_call_id=call.id) for call in made.tool_calls)
    sent = await _sent("anthropic", Request((Message("user", "q"), made.message(), *results, Message("user", "and?"))))
    assert sent["messages"][1] == {"role": "assistant", "content": shape.message["content"]}
    if results:
        assert sent["messages"][2] == {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "3"}]}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", ["summary and encrypted", "hidden thought", "tool call"])
async def test_reasoning_items_go_back_unchanged(name: str, streamed: bool) -> None:
    shape = RESPONSES[name]
    made = await once("responses", WRITERS["responses", streamed](shape), streamed=streamed)
    results = tuple(Message("tool", "3", tool_call_id=call.id) for call in made.tool_calls)
    sent = await _sent(
        "responses", Request((Message("system", "s"), Message("user", "q"), made.message(), *results, Message("user", "and?")))
    )
    assert sent["store"] is False
    assert sent["include"] == ["reasoning.encrypted_content"]
    expected = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, *shape.message["output"]]
    expected += [{"type": "function_call_output", "call_id": "c1", "output": "3"}] if results else []
    assert sent["input"] == [*expected, {"role": "user", "content": "and?"}]


async def test_a_block_for_every_piece_of_one_tools_arguments_is_one_call() -> None:
    events: list[Any] = [{"type": "message_start", "message": {"content": [], "usage": INPUT}}]
    for index, (name, piece) in enumerate([("t1", '{"a"'), ("t1", ": 1"), ("t1", "}"), ("t2", "")]):
        block = {"type": "tool_use", "id": name, "name": "add", "input": {}}
        events += [
            {"type": "content_block_start", "index": index, "content_block": block},
            {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": piece}},
        ]
    events += [{"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}, {"type": "message_stop"}]
    made = await once("anthropic", stream(events), streamed=True)
    assert made.tool_calls == (ToolCall("t1", "add", '{"a": 1}'), ToolCall("t2", "add", "{}"))


@pytest.mark.parametrize(("asked", "ended"), [(9, "length"), (10, "stop"), (None, "stop")])
async def test_a_thought_that_took_every_token_asked_for_ended_at_the_limit(asked: int | None, ended: str) -> None:
    shape = Shape({"output": [SUMMARY]}, "completed", TOLD)
    request = Request(REQUEST.messages, Sampling(max_tokens=asked))
    for streamed in (False, True):
        made = await once("responses", WRITERS["responses", streamed](shape), streamed=streamed, request=request)
        assert (made.text, made.finish_reason) == ("", ended)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
async def test_encrypted_details_go_back_unchanged(streamed: bool) -> None:
    made = await once("openai", WRITERS["openai", streamed](OPENAI["openrouter"]), streamed=streamed)
    sent = await _sent("openai", Request((Message("user", "q"), made.message(), Message("user", "and?"))))
    assert sent["messages"][1]["reasoning_details"] == ENCRYPTED
    other = await _sent("anthropic", Request((Message("user", "q"), made.message(), Message("user", "and?"))))
    assert other["messages"][1] == {"role": "assistant", "content": ANSWER}, "another provider's items are not sent"


async def test_the_thought_before_a_tool_call_goes_back_and_no_other() -> None:
    for name, goes in (("tool calls after a thought", True), ("newer vllm", False)):
        made = await once("openai", openai_whole(OPENAI[name]), streamed=False)
        sent = await _sent("openai", Request((Message("user", "q"), made.message(), Message("user", "and?"))))
        assert ("reasoning_content" in sent["messages"][1]) is goes


async def _sent(scheme: str, request: Request) -> dict[str, Any]:
    """Return the body that a request is sent as."""
    client = client_over(scheme, httpx.Response(200))
    made = body_of(client, request)
    await client.aclose()
    return made


async def test_log_probabilities_are_those_of_the_answer_alone() -> None:
    tokens = [{"token": token, "logprob": value} for token, value in (("<think>", -9.0), ("a", -9.0), ("</think>", -9.0), ("24", -1.0))]
    choice = {"message": {"content": "<think>a</think>24"}, "finish_reason": "stop", "logprobs": {"content": tokens}}
    made = await once(
        "openai", json.dumps({"choices": [choice]}).encode(), streamed=False, request=Request(REQUEST.messages, Sampling(logprobs=True))
    )
    assert (made.text, made.mean_logprob) == ("24", -1.0)
