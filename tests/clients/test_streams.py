"""Streams: what a whole one is read as, and that a cut one never counts as whole, wherever it was cut."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import httpx
import pytest
from canned import REQUEST, TEXT, anthropic_events, ask, openai_events, responses_events, stream
from fault_server import Fault, FaultServer
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.sse import MAX_LINE_BYTES, EventReader, StreamTooLarge
from reasoner.errors import (
    BadResponse,
    ClientError,
    ContextTooLong,
    QuotaExhausted,
    RateLimited,
    ServerFailed,
    StreamCut,
    TimedOut,
    UnreadableAnswer,
)
from reasoner.types import Completion, Constraint, Request, Sampling, Usage

STREAMS = {
    "openai": ("openai", stream(openai_events())),
    "openai-crlf": ("openai", b": keep-alive\r\n\r\n" + stream(openai_events(usage=False), newline=b"\r\n")),
    "anthropic": ("anthropic", stream(anthropic_events())),
    "responses": ("responses", stream(responses_events())),
}
SSE = {"Content-Type": "text/event-stream"}


@pytest.mark.parametrize("name", STREAMS)
async def test_a_whole_stream_is_the_answer_however_it_is_cut_into_pieces(name: str) -> None:
    scheme, body = STREAMS[name]
    for size in (1, 2, 3, 7, 64, len(body)):
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        completion = await ask(scheme, body, pieces=pieces, streamed=True)
        assert (completion.text, completion.finish_reason, completion.model) == (TEXT, "stop", "served-model")
    expected = {"openai": Usage(12, 9), "openai-crlf": Usage(estimated=True), "anthropic": Usage(12, 9, 4), "responses": Usage(12, 9)}
    assert completion.usage == expected[name]


@pytest.mark.parametrize("breaks", [False, True], ids=["ended", "broken"])
@pytest.mark.parametrize("name", STREAMS)
async def test_cut_at_every_byte_it_is_never_passed_on_as_complete(name: str, breaks: bool) -> None:
    scheme, body = STREAMS[name]
    n_cut = 0
    # Once it has said how the answer ended, all of the text has come: what is missing are counts at most. An event is over with its blank
    # line or, where the response came to an orderly end, with the last brace of its object.
    ends = {"openai": b'"finish_reason": "stop"', "anthropic": b'"stop_reason": "end_turn"', "responses": b'"type": "response.completed"'}
    said = body.index(ends[scheme])
    line_end = b"\r\n" if b"\r\n" in body else b"\n"
    over = body.index(line_end, said)
    for at in range(len(body)):
        if at >= over + (2 * len(line_end) - (len(line_end) == 2) if breaks else 0):
            made = await ask(scheme, body[:at], streamed=True, breaks=breaks)
            assert (made.text, made.finish_reason) == (TEXT, "stop")
            continue
        with pytest.raises(ClientError) as caught:
            await ask(scheme, body[:at], streamed=True, breaks=breaks)
        if isinstance(caught.value, StreamCut):
            n_cut += 1
            partial = caught.value.partial
            assert partial.finish_reason == "truncated"
            assert TEXT.startswith(partial.text)
            assert partial.text
            assert partial.usage.estimated or scheme == "anthropic"
            assert partial.model
        else:  # nothing of the answer had come
            assert caught.value.retryable
    assert n_cut > len(body) / 2


def test_cut_at_many_bytes_of_a_real_connection(fault_server: FaultServer) -> None:
    async def main() -> None:
        for scheme, body in STREAMS.values():
            client = open_client(f"{scheme}:m", ClientOptions(base_url=fault_server.url, stream=True, timeout_s=20))
            for at in range(0, len(body) // 2, 97):
                for announced in (True, False):
                    fault_server.script(Fault(body, cut_at=at, announce_length=announced, headers=SSE))
                    with pytest.raises(ClientError):
                        await client.complete(REQUEST)
            fault_server.script(Fault(body, headers=SSE))
            assert (await client.complete(REQUEST)).text == TEXT
            await client.aclose()

    asyncio.run(main())


def test_what_is_sent_for_a_stream_and_a_server_that_does_not_stream(fault_server: FaultServer) -> None:
    async def main() -> Completion:
        client = open_client("openai:m", ClientOptions(base_url=fault_server.url, stream=True))
        fault_server.script(Fault())
        completion = await client.complete(REQUEST)
        await client.aclose()
        return completion

    assert asyncio.run(main()).text == "hi"
    sent = fault_server.received[0]
    assert (sent.json["stream"], sent.json["stream_options"]) == (True, {"include_usage": True})
    assert "text/event-stream" in sent.headers["accept"]


def test_a_connection_is_used_again_after_a_stream(fault_server: FaultServer) -> None:
    async def main() -> int:
        client: Any = open_client("openai:m", ClientOptions(base_url=fault_server.url, stream=True))
        fault_server.script(*[Fault(STREAMS["openai"][1], headers=SSE)] * 3)
        for _ in range(3):
            await client.complete(REQUEST)
        n_open = len(fault_server.connections)
        await client.aclose()
        return n_open

    assert asyncio.run(main()) == 1


def test_silence_in_a_stream_ends_at_the_idle_timeout_and_keeps_what_came(fault_server: FaultServer) -> None:
    body = STREAMS["openai"][1]

    async def main(fault: Fault, **options: Any) -> ClientError:
        given: dict[str, Any] = {"base_url": fault_server.url, "stream": True, "timeout_s": 20} | options
        client = open_client("openai:m", ClientOptions(**given))
        fault_server.script(fault)
        with pytest.raises(ClientError) as caught:
            await client.complete(REQUEST)
        await client.aclose()
        return caught.value

    hung = asyncio.run(main(Fault(body, headers=SSE, drip_s=0.4), idle_timeout_s=0.2))
    assert type(hung) is TimedOut
    silent = asyncio.run(main(Fault(body, headers=SSE, stall_at=700), idle_timeout_s=0.3))
    assert isinstance(silent, StreamCut)
    assert isinstance(silent.__cause__, httpx.ReadTimeout)
    late = asyncio.run(main(Fault(body, headers=SSE, drip_s=0.004), timeout_s=2))
    assert isinstance(late, StreamCut)
    assert "2 s" in str(late)


def event(**fields: Any) -> bytes:
    return stream([fields])


OPENAI_BEGUN = stream(openai_events()[:4])
ANTHROPIC_BEGUN = stream(anthropic_events()[:5])
INNER: list[tuple[str, bytes, type[ClientError]]] = [
    ("openai", event(error={"message": "slow down", "code": "rate_limit_exceeded"}), RateLimited),
    ("openai", event(error={"message": "no", "code": "insufficient_quota"}), QuotaExhausted),
    ("openai", event(error={"message": "too long", "code": "context_length_exceeded"}), ContextTooLong),
    ("openai", event(error={"message": "oops"}), BadResponse),
    ("openai", OPENAI_BEGUN + event(error={"message": "oops"}), StreamCut),
    ("openai", OPENAI_BEGUN + b"data: {nonsense\n\n", StreamCut),
    ("openai", OPENAI_BEGUN + b"data: [DONE]\n\n", StreamCut),
    ("openai", b"data: [DONE]\n\n", ServerFailed),
    ("openai", b"data: 7\n\n", BadResponse),
    ("openai", b"<html>welcome</html>", ServerFailed),
    ("openai", stream([*openai_events()[:-2], openai_events()[2], "[DONE]"]), StreamCut),  # more after the end of the answer
    ("anthropic", stream([*anthropic_events()[:-1], anthropic_events()[3], anthropic_events()[-1]]), StreamCut),
    ("anthropic", event(type="error", error={"type": "overloaded_error", "message": "Overloaded"}), ServerFailed),
    ("anthropic", ANTHROPIC_BEGUN + event(type="error", error={"type": "overloaded_error", "message": "Overloaded"}), ServerFailed),
    ("anthropic", ANTHROPIC_BEGUN + event(type="error", error={"type": "api_error", "message": "oops"}), StreamCut),
    ("anthropic", stream(anthropic_events()[-1:]), ServerFailed),
    ("anthropic", stream([e for e in anthropic_events() if e["type"] != "message_delta"]), StreamCut),
    ("responses", event(type="error", code="rate_limit_exceeded", message="slow down"), RateLimited),
    ("responses", event(type="response.failed", response={"error": {"code": "server_error", "message": "oops"}}), BadResponse),
    ("responses", stream(responses_events()[:4]) + event(type="error", code="x", message="oops"), StreamCut),
    ("responses", stream(responses_events()[:-1]), StreamCut),
    ("responses", stream(responses_events()[:2]), ServerFailed),
]


@pytest.mark.parametrize(("scheme", "body", "kind"), INNER)
async def test_an_error_inside_a_stream_is_that_error(scheme: str, body: bytes, kind: type[ClientError]) -> None:
    with pytest.raises(ClientError) as caught:
        await ask(scheme, body, streamed=True)
    assert type(caught.value) is kind


async def test_a_server_that_never_says_done_has_said_how_the_answer_ended() -> None:
    assert (await ask("openai", stream(openai_events()[:-1]), streamed=True)).text == TEXT
    assert (await ask("openai", stream(openai_events()).rstrip(b"\n"), streamed=True)).usage == Usage(12, 9)
    with pytest.raises(StreamCut):
        await ask("openai", stream(openai_events()[:5]), streamed=True)


async def test_a_stream_that_does_not_say_it_is_one_is_read_as_one() -> None:
    assert (await ask("openai", stream(openai_events()))).text == TEXT
    assert (await ask("anthropic", stream(anthropic_events()))).text == TEXT
    with pytest.raises(StreamCut):
        await ask("openai", stream(openai_events()[:5]))


async def test_a_reply_without_content_is_no_empty_answer() -> None:
    called = [{"choices": [{"index": 0, "delta": {"tool_calls": []}, "finish_reason": "tool_calls"}]}, "[DONE]"]
    with pytest.raises(BadResponse, match="without content"):
        await ask("openai", stream(called), streamed=True)


async def test_refusals_lengths_and_logprobs_are_read_from_streams_too() -> None:
    def one(**choice: Any) -> bytes:
        return stream([{"choices": [{"index": 0} | choice]}, "[DONE]"])

    assert (await ask("openai", one(delta={"refusal": "no"}, finish_reason="stop"), streamed=True)).finish_reason == "content_filter"
    assert (await ask("openai", one(delta={"content": "a"}, finish_reason="length"), streamed=True)).finish_reason == "length"
    wanted = Request(REQUEST.messages, Sampling(logprobs=True))
    body = one(delta={"content": "a"}, finish_reason="stop", logprobs={"content": [{"logprob": -0.5}, {"logprob": -1.5}]})
    assert (await ask("openai", body, streamed=True, request=wanted)).mean_logprob == -1.0
    assert (await ask("openai", body, streamed=True)).mean_logprob is None


async def test_a_schema_by_tool_is_read_from_the_tools_arguments() -> None:
    request = Request(REQUEST.messages, constraint=Constraint.schema({"type": "object"}))
    pieces = [{"tool_calls": [{"index": 0, "function": {"name": "answer", "arguments": part}}]} for part in ('{"a"', ": 1}")]
    chunks: list[Any] = [{"choices": [{"index": 0, "delta": delta}]} for delta in pieces]
    chunks += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}, "[DONE]"]
    made = await ask("openai", stream(chunks), streamed=True, request=request, profile="schema=tool")
    assert (made.text, made.finish_reason, made.constraint_applied) == ('{"a": 1}', "stop", "json_schema")


def responses_with(*, output: Any = None, items: bool = True, pieces: str = "all", garbled: bool = False) -> bytes:
    """A streamed response with damage: to what the last event says of the output, without items, without or with odd pieces, an event of no JSON."""
    created, added, *deltas, done, completed = responses_events()
    if pieces == "odd":
        deltas[1] = deltas[1] | {"delta": None}
    whole = completed["response"] if output is None else completed["response"] | {"output": output}
    events = [created, added, *(deltas if pieces else []), *([done] if items else []), {"type": "response.completed", "response": whole}]
    body = stream(events)
    return body.replace(b"event: response.output_item.added", b"data: {nonsense\n\nevent: response.output_item.added") if garbled else body


NO_TEXT = [{"type": "message", "content": [{"type": "output_text", "text": None}]}]


@pytest.mark.parametrize(
    "body",
    [
        responses_with(output=[]), responses_with(output=[], items=False), responses_with(output="no", items=False), responses_with(output=NO_TEXT),
        responses_with(output=NO_TEXT, pieces=""), responses_with(pieces="odd"), responses_with(output=[], pieces="odd"), responses_with(garbled=True),
        responses_with(items=False, pieces=""),
        responses_with().replace(b"event: response.completed", b"event: response.completed\ndata: ]}}\n\nevent: response.completed"),
    ],
)  # fmt: skip
async def test_what_one_place_of_a_streamed_response_lacks_is_taken_from_another(body: bytes) -> None:
    made = await ask("responses", body, streamed=True)
    assert (made.text, made.finish_reason, made.usage) == (TEXT, "stop", Usage(12, 9))


@pytest.mark.parametrize(
    "body",
    [
        responses_with(output=[], items=False, pieces="odd"), responses_with(output=[], items=False, garbled=True),
        responses_with(output=[], garbled=True), responses_with(output=NO_TEXT, items=False, pieces=""),
    ],
)  # fmt: skip
async def test_a_streamed_response_that_is_whole_in_no_place_is_no_answer(body: bytes) -> None:
    with pytest.raises(ClientError) as caught:
        await ask("responses", body, streamed=True)
    assert isinstance(caught.value, UnreadableAnswer | StreamCut)


async def test_streams_are_bounded() -> None:
    for body in (b"data: " + b"x" * (MAX_LINE_BYTES + 1), b"data: {}\n" * 4 * 1024 * 1024):
        with pytest.raises(BadResponse, match="more than"):
            await ask("openai", body, streamed=True)
    bomb = gzip.compress(b" " * (64 * 1024 * 1024), compresslevel=1)
    with pytest.raises(ClientError):
        await ask("openai", bomb, streamed=True, headers={"content-encoding": "gzip"})
    whole = gzip.compress(STREAMS["openai"][1])
    assert (await ask("openai", whole, streamed=True, headers={"content-encoding": "gzip"})).text == TEXT
    with pytest.raises(ClientError):
        await ask("openai", b"no gzip", streamed=True, headers={"content-encoding": "gzip"})


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["", "a"]), st.lists(st.text(alphabet="xyz: ", max_size=4), min_size=1, max_size=3)), max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 7),
)
def test_events_are_read_alike_with_every_line_end_and_in_every_cut(events: list[tuple[str, list[str]]], end: str, size: int) -> None:
    text = "".join(
        (f"event: {name}{end}" if name else "") + "".join(f"data: {line}{end}" for line in lines) + end for name, lines in events
    )
    data, reader = text.encode(), EventReader()
    found = [event for i in range(0, len(data), size) for event in reader.feed(data[i : i + size])]
    assert [(e.name, e.data.decode()) for e in found] == [(name, "\n".join(lines)) for name, lines in events]


def test_a_byte_order_mark_comments_and_unfinished_events_are_no_events() -> None:
    reader = EventReader()
    assert [e.data for e in reader.feed(b"\xef\xbb\xbfdata: 1\n\n: note\nid: 4\n\ndata:2\n\ndata: 3\n")] == [b"1", b"2"]
    with pytest.raises(StreamTooLarge):
        reader.feed(b"x" * (MAX_LINE_BYTES + 1))
