"""Remote clients over canned bytes: no socket, so that ten thousand answers cost seconds. And streams to spoil.

completion = await ask("openai", stream(OPENAI_EVENTS), streamed=True)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx

from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.anthropic_messages import AnthropicDialect
from reasoner.clients._wire.dialect import Dialect
from reasoner.clients._wire.openai_chat import OpenAIDialect
from reasoner.clients._wire.responses_items import ResponsesDialect
from reasoner.types import Completion, Message, Request

REQUEST = Request((Message("system", "be brief"), Message("user", "a question of some length")), seed=7)
TEXT = "9 + 1 = 10, wörds. Answer: 24"


def openai_events(text: str = TEXT, *, usage: bool = True) -> list[Any]:
    """The chunks of a sound OpenAI stream; `[DONE]` is the last."""

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "c1", "object": "chat.completion.chunk", "model": "served-model", "choices": [choice]}

    pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
    events: list[Any] = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": p}) for p in pieces), chunk({}, "stop")]
    if usage:
        events.append({"model": "served-model", "choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 9}})
    return [*events, "[DONE]"]


def anthropic_events(text: str = TEXT) -> list[Any]:
    """The events of a sound Anthropic stream."""
    pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
    start: dict[str, Any] = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "served-model",
        "content": [],
        "stop_reason": None,
    }
    usage = {"input_tokens": 5, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3, "output_tokens": 1}
    return [
        {"type": "message_start", "message": start | {"usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": p}} for p in pieces),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]


def stream(events: Sequence[Any], *, newline: bytes = b"\n") -> bytes:
    """Write events as the bytes of a stream."""
    lines: list[bytes] = []
    for event in events:
        if isinstance(event, dict) and "type" in event:
            lines.append(f"event: {event['type']}".encode())
        data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
        lines += [f"data: {data}".encode(), b""]
    return newline.join([*lines, b""])


def message(text: str = TEXT, **changes: Any) -> bytes:
    """The body of a sound Anthropic answer; `changes` replaces top-level fields."""
    usage = {"input_tokens": 12, "output_tokens": 9}
    body = {"id": "m1", "type": "message", "role": "assistant", "model": "served-model", "content": [{"type": "text", "text": text}]}
    return json.dumps(body | {"stop_reason": "end_turn", "usage": usage} | changes).encode()


def response(text: str = TEXT, **changes: Any) -> bytes:
    """The body of a sound response; `changes` replaces top-level fields."""
    return json.dumps(_response(text) | changes).encode()


def _response(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "i1", "role": "assistant", "status": "completed", "content": [part]}
    usage = {"input_tokens": 12, "output_tokens": 9, "total_tokens": 21}
    return {
        "id": "r1",
        "object": "response",
        "status": "completed",
        "model": "served-model",
        "output": [item],
        "usage": usage,
        "error": None,
    }


def responses_events(text: str = TEXT) -> list[Any]:
    """The events of a sound streamed response."""
    whole = _response(text)
    pieces = [text[i : i + 7] for i in range(0, len(text), 7)]
    where = {"item_id": "i1", "output_index": 0, "content_index": 0}
    return [
        {"type": "response.created", "response": whole | {"status": "in_progress", "output": [], "usage": None}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "i1", "content": []}},
        *({"type": "response.output_text.delta", "delta": piece} | where for piece in pieces),
        {"type": "response.output_item.done", "output_index": 0, "item": whole["output"][0]},
        {"type": "response.completed", "response": whole},
    ]


class _Bytes(httpx.AsyncByteStream):
    def __init__(self, pieces: Sequence[bytes], *, breaks: bool) -> None:
        self._pieces = pieces
        self._breaks = breaks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._breaks:
            raise httpx.ReadError("the connection was reset")


DIALECTS: dict[str, Dialect] = {"openai": OpenAIDialect(), "responses": ResponsesDialect(), "anthropic": AnthropicDialect()}


def body_of(client: Any, request: Request) -> dict[str, Any]:
    """Return the body that a client sends a request as."""
    return DIALECTS[client.name.partition(":")[0]].body(request, model="m", profile=client.profile, stream=False)


def client_over(scheme: str, answer: httpx.Response, **options: Any) -> Any:
    """Open a client whose every request gets one response; call it inside the event loop."""
    client: Any = open_client(f"{scheme}:m", ClientOptions(**({"base_url": "http://127.0.0.1:9/v1"} | options)))
    client._pools[asyncio.get_running_loop()] = httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: answer))
    return client


async def ask(
    scheme: str,
    body: bytes,
    *,
    streamed: bool = False,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    pieces: Sequence[bytes] | None = None,
    breaks: bool = False,
    request: Request = REQUEST,
    **options: Any,
) -> Completion:
    """Ask once and get these bytes: in `pieces` where given; `breaks` ends them with a broken connection."""
    kind = "text/event-stream" if streamed else "application/json"
    response = httpx.Response(
        status, headers={"content-type": kind} | dict(headers or {}), stream=_Bytes([body] if pieces is None else pieces, breaks=breaks)
    )
    client = client_over(scheme, response, stream=streamed, **options)
    try:
        completion: Completion = await client.complete(request)
    finally:
        await client.aclose()
    return completion
