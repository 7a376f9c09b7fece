"""The client of Anthropic's Messages format: what is sent, what is read, how it is opened, which fault an error is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from canned import anthropic_events, ask, message, stream
from fault_server import Fault, FaultServer, error_body

from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.anthropic_messages import VERSION
from reasoner.errors import (
    BadConfig,
    BadResponse,
    ClientError,
    ContextTooLong,
    KeyRefused,
    QuotaExhausted,
    RateLimited,
    Refused,
    ServerFailed,
    TimedOut,
    UnreadableAnswer,
    UsageError,
)
from reasoner.types import About, Completion, Constraint, Message, Problem, Request, Sampling, Usage

CANARY = "sk-ant-canary-0123456789"
REQUEST = Request((Message("system", "be brief"), Message("user", "q"), Message("assistant", "a"), Message("user", "r")), seed=7)
SCHEMA = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "string"}}, "required": ["b", "a"]}
ASKED = Request(REQUEST.messages, constraint=Constraint.schema(SCHEMA))


def send(server: FaultServer, *faults: Fault, request: Request = REQUEST, **options: Any) -> Completion:
    server.script(*faults)

    async def main() -> Completion:
        given: dict[str, Any] = {"base_url": server.url, "timeout_s": 20} | options
        client = open_client("anthropic:some-model", ClientOptions(**given))
        try:
            return await client.complete(request)
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_a_plain_request_and_its_answer(fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    usage = {"input_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3, "output_tokens": 9}
    completion = send(fault_server, Fault(message("Answer: 24", usage=usage)))
    sent = fault_server.received[0]
    assert (sent.method, sent.path) == ("POST", "/v1/messages")
    assert sent.json == {
        "model": "some-model",
        "max_tokens": 4096,
        "system": "be brief",
        "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": "r"}],
    }
    assert (sent.headers["x-api-key"], sent.headers["anthropic-version"]) == (CANARY, VERSION)
    assert "authorization" not in sent.headers
    assert CANARY not in sent.body.decode() + sent.path
    assert completion == Completion("Answer: 24", usage=Usage(12, 9, 4), model="served-model", seconds=completion.seconds)


def test_sampling_stops_key_and_nothing_it_is_about(fault_server: FaultServer) -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=40, max_tokens=5, stop=("\n\n", "4"))
    about = About(Problem("game24", '{"secret-instance": 1}', "secret-line"), "secret-template", state="secret-state")
    send(fault_server, Fault(message()), request=Request(REQUEST.messages, sampling, key="ab12", about=about))
    sent = fault_server.received[0]
    wanted = {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "max_tokens": 5, "stop_sequences": ["\n\n", "4"]}
    assert wanted.items() <= sent.json.items()
    assert "seed" not in sent.json
    assert sent.headers["idempotency-key"] == "ab12"
    assert "secret" not in sent.body.decode() + repr(sent.headers)
    assert "x-api-key" not in sent.headers


@pytest.mark.parametrize("sampling", [Sampling(min_p=0.1), Sampling(repeat_penalty=1.1), Sampling(temperature=1.5)])
def test_what_the_format_cannot_say_is_refused_before_it_is_sent(fault_server: FaultServer, sampling: Sampling) -> None:
    with pytest.raises(BadConfig):
        send(fault_server, request=Request(REQUEST.messages, sampling))
    with pytest.raises(BadConfig, match="grammar"):
        send(fault_server, request=Request(REQUEST.messages, constraint=Constraint("grammar", "root ::= x")))
    assert fault_server.received == []


async def test_a_schema_goes_out_as_the_one_tool_and_what_was_applied_is_what_came_back(fault_server: FaultServer) -> None:
    tool = message(content=[{"type": "tool_use", "id": "t", "name": "answer", "input": {"b": 1, "a": "x"}}], stop_reason="tool_use")
    made = await ask("anthropic", tool, request=ASKED)
    assert (json.loads(made.text), made.finish_reason, made.constraint_applied) == ({"b": 1, "a": "x"}, "stop", "json_schema")
    prose = await ask("anthropic", message("Sure! It is 1."), request=ASKED)
    assert (prose.text, prose.constraint_applied) == ("Sure! It is 1.", "none")
    unasked = await ask("anthropic", message('{"a": 1}'))
    assert unasked.constraint_applied == "none"
    called = await ask("anthropic", tool)  # a tool nobody offered
    assert (called.text, called.finish_reason, called.tool_calls[0].name) == ("", "tool_calls", "answer")
    await asyncio.to_thread(send, fault_server, Fault(tool), request=ASKED)
    sent = fault_server.received[0].json
    assert [t["name"] for t in sent["tools"]] == ["answer"]
    assert sent["tools"][0]["input_schema"] == SCHEMA
    assert sent["tool_choice"] == {"type": "tool", "name": "answer"}


async def test_a_schema_by_tool_is_streamed_as_json_pieces() -> None:
    start, *_, reason, stop = anthropic_events()
    reason = reason | {"delta": {"stop_reason": "tool_use"}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "id": "t", "name": "answer", "input": {}}}
    pieces = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": part}}
        for part in ("", '{"b"', ": 1}")
    ]
    made = await ask("anthropic", stream([start, block, *pieces, reason, stop]), streamed=True, request=ASKED)
    assert (made.text, made.finish_reason, made.constraint_applied) == ('{"b": 1}', "stop", "json_schema")


def test_other_ways_to_ask_for_a_schema(fault_server: FaultServer) -> None:
    made = send(fault_server, Fault(message('{"a": 1}')), request=ASKED, profile="schema=json_schema")
    assert fault_server.received[0].json["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert made.constraint_applied == "json_schema"
    made = send(fault_server, Fault(message('{"a": 1}')), request=ASKED, profile="schema=prompt")
    sent = fault_server.received[1].json
    assert not {"tools", "output_config"} & set(sent)
    assert sent["messages"][-1]["content"].startswith("r\n\nReply with one JSON object")
    assert ASKED.constraint is not None
    assert ASKED.constraint.value in sent["messages"][-1]["content"]
    assert made.constraint_applied == "prompt"
    with pytest.raises(BadConfig, match="no JSON schema"):
        send(fault_server, request=ASKED, profile="schema=none")


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "truncated"),
        ("tool_use", "tool_calls"),
        ("something_new", "truncated"),
        (None, "truncated"),
    ],
)
async def test_stop_reasons(reason: str | None, finish: str) -> None:
    assert (await ask("anthropic", message(stop_reason=reason))).finish_reason == finish


def shaped(kind: str, text: str = "no", **more: Any) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": text} | more, "request_id": "r"}).encode()


ERRORS: list[tuple[int, bytes, type[ClientError]]] = [
    (400, shaped("invalid_request_error", "max_tokens: field required"), Refused),
    (400, shaped("invalid_request_error", "prompt is too long: 205000 tokens > 200000 maximum"), ContextTooLong),
    (400, shaped("invalid_request_error", "Your credit balance is too low to access the Anthropic API."), QuotaExhausted),
    (400, shaped("invalid_request_error", "You have reached your specified API usage limits."), QuotaExhausted),
    (401, shaped("authentication_error", "invalid x-api-key"), KeyRefused),
    (402, shaped("billing_error"), QuotaExhausted),
    (403, shaped("permission_error"), KeyRefused),
    (404, shaped("not_found_error"), Refused),
    (413, shaped("request_too_large"), ContextTooLong),
    (429, shaped("rate_limit_error"), RateLimited),
    (429, shaped("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}), QuotaExhausted),
    (500, shaped("api_error"), ServerFailed),
    (504, shaped("timeout_error"), ServerFailed),
    (529, shaped("overloaded_error", "Overloaded"), ServerFailed),
    (408, shaped("timeout_error"), TimedOut),
    (200, shaped("overloaded_error", "Overloaded"), ServerFailed),
    (200, shaped("rate_limit_error"), RateLimited),
    (200, shaped("billing_error"), QuotaExhausted),
    (200, shaped("api_error"), BadResponse),
    (200, error_body("no"), BadResponse),
    (200, b"<html>", BadResponse),
    (200, message(content=None), BadResponse),
    (200, message(content="text"), BadResponse),
    (200, message(content=[], stop_reason="tool_use", usage={}), BadResponse),
    (200, message(content=[{"type": "text", "text": 7}]), UnreadableAnswer),
    (200, message("", usage={"input_tokens": 5, "output_tokens": 0}), BadResponse),
    (200, message(content=[], usage={}), BadResponse),
]


@pytest.mark.parametrize(("status", "body", "kind"), ERRORS)
async def test_errors_in_its_shape_are_their_fault(status: int, body: bytes, kind: type[ClientError]) -> None:
    with pytest.raises(ClientError) as caught:
        await ask("anthropic", body, status=status)
    assert type(caught.value) is kind
    assert caught.value.hint
    if status == 529:
        assert isinstance(caught.value, ServerFailed)
        assert caught.value.overload
    if isinstance(caught.value, ContextTooLong) and status == 400:
        assert (caught.value.prompt_tokens, caught.value.context_tokens) == (205000, 200000)


async def test_an_answer_may_be_empty_when_it_took_a_token() -> None:
    assert (await ask("anthropic", message(content=[]))).text == ""


async def test_a_key_in_a_server_s_words_never_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    for streamed, body in ((False, message(f"your key is {CANARY}")), (True, stream(anthropic_events(f"your key is {CANARY}")))):
        assert (await ask("anthropic", body, streamed=streamed)).text == "your key is [redacted]"
    with pytest.raises(ClientError) as caught:
        await ask("anthropic", stream(anthropic_events(f"{CANARY} is your key, and more"))[:-250], streamed=True)
    assert CANARY not in repr(caught.value.__dict__)
    with pytest.raises(KeyRefused) as refused:
        await ask("anthropic", shaped("authentication_error", f"bad key {CANARY}"), status=401)
    assert CANARY not in str(refused.value)


def test_how_it_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no key for api\.anthropic\.com"):
        open_client("anthropic:m")
    with pytest.raises(UsageError, match="names no model"):
        open_client("anthropic:", ClientOptions(base_url="http://127.0.0.1:1/v1"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", CANARY)
    client = open_client("anthropic:m")
    assert client.fingerprint == "anthropic:m@https://api.anthropic.com/v1"
    assert client.paid
    assert CANARY not in repr(vars(client))
    for given in ("http://127.0.0.1:1", "http://127.0.0.1:1/v1/"):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", given)
        assert open_client("anthropic:m").fingerprint == "anthropic:m@http://127.0.0.1:1/v1"
