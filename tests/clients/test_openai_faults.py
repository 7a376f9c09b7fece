"""The remote client against a server that misbehaves: every outcome is the right fault, and none is taken for an answer."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import time
import zlib
from typing import Any

import pytest
from ends import ends
from fault_server import Fault, FaultServer, chat, error_body
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.calling.retry import Fail, RetryPolicy, classify
from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.endpoint import MAX_BODY_BYTES
from reasoner.clients._wire.waits import retry_after_s
from reasoner.errors import (
    BadResponse,
    ClientError,
    ConnectFailed,
    ContextTooLong,
    KeyRefused,
    QuotaExhausted,
    RateLimited,
    ReasonerError,
    Refused,
    ServerFailed,
    TimedOut,
    UnreadableAnswer,
)
from reasoner.types import Completion, Constraint, Message, Request, Usage

REQUEST = Request((Message("user", "a question"),))
QUOTA = error_body("You exceeded your current quota", type="insufficient_quota", code="insufficient_quota")
OPENAI_CONTEXT = error_body(
    "This model's maximum context length is 2048 tokens. However, you requested 3051 tokens (3031 in the messages, 20 in the completion).",
    code="context_length_exceeded",
)
LLAMA_CONTEXT = error_body(
    "the request exceeds the available context size", type="exceed_context_size_error", n_prompt_tokens=3031, n_ctx=2048
)


def ask(server: FaultServer, *faults: Fault, request: Request = REQUEST, **options: Any) -> Completion:
    server.script(*faults)

    async def main() -> Completion:
        settings: dict[str, Any] = {"base_url": server.url, "timeout_s": 20} | options
        client = open_client("openai:some-model", ClientOptions(**settings))
        try:
            return await client.complete(request)
        finally:
            await client.aclose()

    return asyncio.run(main())


def fails(server: FaultServer, *faults: Fault, **options: Any) -> ReasonerError:
    with pytest.raises(ClientError) as caught:
        ask(server, *faults, **options)
    return caught.value


STATUSES: list[tuple[int, bytes, type[ClientError]]] = [
    *((status, error_body("down"), ServerFailed) for status in (409, 425, 500, 502, 503, 504, 529)),
    (408, error_body("slow"), TimedOut),
    (429, error_body("slow down", type="requests", code="rate_limit_exceeded"), RateLimited),
    (429, b"", RateLimited),
    (429, QUOTA, QuotaExhausted),
    (429, b'{"detail": "insufficient_quota: top up"}', QuotaExhausted),
    (500, b'{"error": {"code": NaN}}', ServerFailed),
    (402, error_body("pay"), QuotaExhausted),
    *((status, error_body("no"), Refused) for status in (400, 404, 405, 422)),
    *((status, b"", Refused) for status in (300, 304, 400, 404)),
    *((status, body, KeyRefused) for status in (401, 403) for body in (b"", error_body("no"))),
    (400, OPENAI_CONTEXT, ContextTooLong),
    (400, LLAMA_CONTEXT, ContextTooLong),
    (500, LLAMA_CONTEXT, ContextTooLong),
    (413, b"<html>too large</html>", ContextTooLong),
    (422, error_body("`inputs` tokens + `max_new_tokens` must be <= 4096"), ContextTooLong),
    (400, b'{"detail": "prompt is too long"}', ContextTooLong),
    (400, b'{"error": "maximum context reached"}', ContextTooLong),
    (502, b"<html>Bad Gateway</html>", ServerFailed),
    (503, b"\xff\xfe\x00", ServerFailed),
    (500, b"[1, 2]", ServerFailed),
    (500, b'{"error": {"message": 7, "code": 9}}', ServerFailed),
    (500, b"[" * 100_000, ServerFailed),
]


@pytest.mark.parametrize(("status", "body", "kind"), STATUSES)
def test_each_status_is_its_fault(fault_server: FaultServer, status: int, body: bytes, kind: type[ClientError]) -> None:
    error = fails(fault_server, Fault(body, status))
    assert type(error) is kind
    assert str(status) in str(error)
    assert error.hint
    assert "\n" not in str(error)
    assert len(str(error)) < 700
    assert len(fault_server.received) == 1


@pytest.mark.parametrize("body", [OPENAI_CONTEXT, LLAMA_CONTEXT])
def test_context_errors_carry_both_numbers(fault_server: FaultServer, body: bytes) -> None:
    error = fails(fault_server, Fault(body, 400))
    assert isinstance(error, ContextTooLong)
    assert (error.prompt_tokens, error.context_tokens) == (3031, 2048)


def test_a_server_without_json_schema_is_a_refusal_and_not_asked_again(fault_server: FaultServer) -> None:
    body = error_body("'response_format', 'type': Input should be 'text' or 'json_object', input: 'json_schema'")
    request = Request(REQUEST.messages, constraint=Constraint.schema({"type": "object"}))
    error = fails(fault_server, Fault(body, 500), request=request)
    assert isinstance(error, Refused)
    assert "takes no JSON schema" in str(error)
    assert isinstance(fails(fault_server, Fault(body, 500)), ServerFailed)


def test_an_exhausted_quota_stops_the_run_and_a_rate_limit_says_when(fault_server: FaultServer) -> None:
    refused = fails(fault_server, Fault(QUOTA, 429))
    assert refused.stops_run
    assert not refused.retryable
    limited = fails(fault_server, Fault(error_body("wait"), 429, {"Retry-After": "17"}))
    assert isinstance(limited, RateLimited)
    assert limited.retry_after_s == 17.0
    failed = fails(fault_server, Fault(error_body("wait"), 503, {"retry-after-ms": "1500", "Retry-After": "9"}))
    assert isinstance(failed, ServerFailed)
    assert failed.retry_after_s == 1.5


def test_a_wait_over_the_cap_stands_in_the_message_and_is_not_retried(fault_server: FaultServer) -> None:
    error = fails(fault_server, Fault(error_body("wait"), 429, {"Retry-After": "3600"}))
    assert "3600 s" in str(error)
    assert isinstance(classify(error, 1, RetryPolicy()), Fail)


NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "nan", "retry-after": "3"}, 3.0),
        ({"retry-after-ms": "later", "retry-after": "3"}, 3.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 -0000"}, 30.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, None),
        *(({"retry-after": text}, None) for text in ("nan", "inf", "-inf", "-1", "", "soon", "1e999", "()", "Tue, 99 Nov 2023")),
        ({"retry-after": "9" * 5000}, 1e100),  # read up to a bound; far over any cap all the same
        ({}, None),
    ],
)
def test_retry_after_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=NOW) == seconds


@given(st.text(max_size=40))
def test_no_retry_after_text_raises_or_gives_a_senseless_wait(text: str) -> None:
    seconds = retry_after_s({"retry-after": text, "retry-after-ms": text}, now=NOW)
    assert seconds is None or 0 <= seconds < float("inf")


def _with(path: str, value: Any) -> bytes:
    body = json.loads(chat())
    place: Any = body
    *parents, last = path.split(".")
    for step in parents:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return json.dumps(body).encode()


NO_COUNTS: list[Any] = ["twelve", -1, True, None, 0, float("nan"), float("inf"), 10**30, []]
SENSELESS = [
    b"",
    b" ",
    b"null",
    b"[]",
    b"{}",
    b"7",
    b'"text"',
    b"<!doctype html><title>Welcome</title>",
    b"\xff\xfe",
    chat()[:-1],
    chat() + b"}",
    b"[" * 100_000,
    error_body("something", code=429),
    chat(error={"message": "overloaded"}),
    chat(error="overloaded"),
    chat(None, usage={"prompt_tokens": 12, "completion_tokens": 0}),
    chat(None, usage=None),
    chat(choices=[]),
    chat(choices=None),
    chat(choices={}),
    chat(choices=["hi"]),
    chat(choices=[{"finish_reason": "stop"}]),
    chat(choices=[{"message": None, "finish_reason": "stop"}]),
    chat(choices=[{"message": {"content": None, "tool_calls": []}, "finish_reason": "tool_calls"}], usage=None),
]
NO_TEXT = [
    chat(choices=[{"message": {"content": 7}, "finish_reason": "stop"}]),
    chat(choices=[{"message": {"content": [7]}, "finish_reason": "stop"}]),
    chat(choices=[{"message": {"content": [{"type": "text", "text": 7}]}, "finish_reason": "stop"}]),
]
PAID = [
    (chat(choices=[{"message": {"content": ["hi"]}, "finish_reason": "stop"}]), "hi", "stop"),
    (chat(choices=[{"message": {"content": "hi"}, "finish_reason": 7}]), "hi", "truncated"),
    (chat(None), "", "stop"),
    (chat(model=7), "hi", "stop"),
    (chat().replace(b'"hi"', b'"\\ud800"'), "?", "stop"),
    (b"\xef\xbb\xbf" + chat(), "hi", "stop"),
]
NO_USAGE = [
    chat(usage=None),
    chat(usage="many"),
    chat(usage=[1]),
    *(chat(usage={"prompt_tokens": value, "completion_tokens": 3}) for value in NO_COUNTS),
    *(chat(usage={"prompt_tokens": 12, "completion_tokens": value}) for value in NO_COUNTS),
]


@pytest.mark.parametrize("body", SENSELESS)
def test_a_senseless_success_is_a_bad_response(fault_server: FaultServer, body: bytes) -> None:
    error = fails(fault_server, Fault(body))
    assert type(error) is BadResponse
    assert "\n" not in str(error)


@pytest.mark.parametrize("body", NO_TEXT)
def test_a_paid_answer_whose_text_is_none_is_not_asked_again(fault_server: FaultServer, body: bytes) -> None:
    error = fails(fault_server, Fault(body))
    assert type(error) is UnreadableAnswer
    assert isinstance(classify(error, 1, RetryPolicy()), Fail)


@pytest.mark.parametrize(("body", "text", "finish"), PAID)
def test_a_paid_answer_is_kept_for_its_text_and_its_end(fault_server: FaultServer, body: bytes, text: str, finish: str) -> None:
    made = ask(fault_server, Fault(body))
    assert (made.text, made.finish_reason) == (text, finish)


@pytest.mark.parametrize("body", NO_USAGE)
def test_usage_that_cannot_be_read_is_marked(fault_server: FaultServer, body: bytes) -> None:
    made = ask(fault_server, Fault(body))
    assert made.text == "hi"
    assert made.usage.estimated


@pytest.mark.parametrize("value", NO_COUNTS)
def test_a_total_tells_the_part_that_cannot_be_read(fault_server: FaultServer, value: Any) -> None:
    for name in ("prompt_tokens", "completion_tokens"):
        assert ask(fault_server, Fault(_with(f"usage.{name}", value))).usage == Usage(12, 3)


def test_what_a_total_holds_beyond_its_parts_was_thought(fault_server: FaultServer) -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 115}
    assert ask(fault_server, Fault(chat(usage=usage))).usage == Usage(12, 103, reasoning_tokens=100)
    apart = {"prompt_tokens": 12, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 50}}
    assert ask(fault_server, Fault(chat(usage=apart))).usage == Usage(12, 53, reasoning_tokens=50)


def test_usage_that_can_be_read_is_not(fault_server: FaultServer) -> None:
    floats = {"prompt_tokens": 12.0, "completion_tokens": "3", "prompt_tokens_details": {"cached_tokens": "all"}}
    assert ask(fault_server, Fault(chat(usage=floats))).usage == Usage(12, 3)


def test_a_number_json_does_not_have_is_no_fault_where_nobody_reads_it(fault_server: FaultServer) -> None:
    assert ask(fault_server, Fault(_with("choices.0.logprobs", float("nan")))).text == "hi"


def test_a_quota_error_inside_a_success_stops_the_run(fault_server: FaultServer) -> None:
    assert isinstance(fails(fault_server, Fault(QUOTA)), QuotaExhausted)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_mutated_body_is_a_fault_of_ours(data: st.DataObject) -> None:
    from reasoner.clients import openai

    client = openai.open_client("m", ClientOptions(base_url="http://127.0.0.1:9/v1"))
    assert isinstance(client, openai.OpenAIClient)
    body = bytearray(chat())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 6))] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"null", b"[]", b"{}", b"-1", b'""', b"NaN"])
        )
    try:
        completion = client._dialect.completion(client._endpoint, REQUEST, bytes(body), seconds=0.0, profile=client.profile)
    except ClientError as error:
        assert isinstance(error, BadResponse)
    else:
        assert isinstance(json.loads(body), dict)
        assert isinstance(completion.text, str)


def test_a_body_cut_at_any_byte_is_never_an_answer(fault_server: FaultServer) -> None:
    body = chat("a longer answer")
    for announce_length in (True, False):
        for cut_at in range(0, len(body), 7):
            error = fails(fault_server, Fault(body, cut_at=cut_at, announce_length=announce_length))
            assert isinstance(error, ServerFailed if announce_length else BadResponse)
    assert ask(fault_server, Fault(body, announce_length=False)).text == "a longer answer"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(raw=b""), ServerFailed),
        (Fault(raw=b"\x00\x01garbage\r\n\r\n"), ServerFailed),
        (Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Le"), ServerFailed),
        (Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"), ServerFailed),
        (Fault(raw=b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"), ServerFailed),
        (Fault(content_length=10_000, half_close=True), ServerFailed),
        (Fault(content_length=10), BadResponse),
        (Fault(error_body("no"), 401, cut_at=3), KeyRefused),
        (Fault(headers={"Content-Encoding": "gzip"}), BadResponse),
        (Fault(gzip.compress(chat())[:-30], headers={"Content-Encoding": "gzip"}), BadResponse),
    ],
)
def test_a_broken_transport_is_a_fault(fault_server: FaultServer, fault: Fault, kind: type[ClientError]) -> None:
    assert type(fails(fault_server, fault, timeout_s=5)) is kind


@pytest.mark.parametrize(
    "fault", [Fault(delay_s=30), Fault(drip_s=0.02), Fault(content_length=10_000, headers={"Connection": "keep-alive"}, drip_s=0.01)]
)
def test_silence_and_drip_end_at_the_total_deadline(fault_server: FaultServer, fault: Fault) -> None:
    with ends(fault, 25, time.monotonic):  # without the deadline they take thirty seconds and more
        error = fails(fault_server, fault, timeout_s=0.5)
    assert type(error) is TimedOut
    assert "0.5 s" in str(error)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (chat("x" * MAX_BODY_BYTES), {}),
        (gzip.compress(b" " * (200 * 1024 * 1024), compresslevel=1), {"Content-Encoding": "gzip"}),
        (zlib.compress(chat("x" * MAX_BODY_BYTES)), {"Content-Encoding": "deflate"}),
    ],
    ids=["plain", "gzip-bomb", "deflate-bomb"],
)
def test_a_body_over_the_bound_is_cut(fault_server: FaultServer, body: bytes, headers: dict[str, str]) -> None:
    error = fails(fault_server, Fault(body, headers=headers))
    assert type(error) is UnreadableAnswer
    assert str(MAX_BODY_BYTES) in str(error)


def test_a_compressed_answer_is_read_although_none_is_asked_for(fault_server: FaultServer) -> None:
    assert ask(fault_server, Fault(gzip.compress(chat("packed")), headers={"Content-Encoding": "gzip"})).text == "packed"
    assert fault_server.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(fault_server: FaultServer, status: int) -> None:
    error = fails(fault_server, Fault(b"", status, {"Location": f"{fault_server.url}/elsewhere"}), Fault())
    assert isinstance(error, Refused)
    assert "redirects are not followed" in str(error)
    assert len(fault_server.received) == 1


def test_nothing_listening_is_said_with_the_address(fault_server: FaultServer) -> None:
    import socket

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    error = fails(fault_server, base_url=f"http://127.0.0.1:{port}/v1")
    assert type(error) is ConnectFailed
    assert f"127.0.0.1:{port}" in str(error)
    assert "`base_url`" in error.hint


def test_tls_to_a_plain_server_is_a_failed_connection(fault_server: FaultServer) -> None:
    assert type(fails(fault_server, base_url=f"https://127.0.0.1:{fault_server.port}/v1")) is ConnectFailed


def test_cancellation_passes_through(fault_server: FaultServer) -> None:
    fault_server.script(Fault(delay_s=30))

    async def main() -> None:
        client = open_client("openai:m", ClientOptions(base_url=fault_server.url))
        task = asyncio.create_task(client.complete(REQUEST))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.aclose()

    asyncio.run(main())


def test_the_proxies_of_the_environment_are_not_used_on_this_machine(fault_server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HTTP_PROXY", "http://127.0.0.1:1")
    assert ask(fault_server, Fault()).text == "hi"
