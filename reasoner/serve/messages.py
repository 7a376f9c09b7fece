"""`POST /v1/messages`, in the shape of Anthropic's API: what it gives. Thoughts are `thinking` blocks, tool calls `tool_use` blocks.

    {"id": "msg_9a", "content": [{"type": "thinking", ...}, {"type": "text", "text": "4"}], "stop_reason": "end_turn", "usage": {...}}

Knows that wire format. `usage` is the sum over all calls; `input_tokens` leaves out what was read from a cache, as there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.serve.answers import Sent, reply_of, spent_of, thoughts_of
from reasoner.serve.faults import Fault, error_body
from reasoner.serve.messages_request import FORM, PACKED
from reasoner.serve.order import Done, Order, Piece, Said, Started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from reasoner.serve.answers import Reply
    from reasoner.serve.order import Event
    from reasoner.types import ToolCall

PATH = "/v1/messages"
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def answer(order: Order, started: Started, done: Done, said: list[Said]) -> dict[str, Any]:
    """Return the whole answer."""
    reply = reply_of(order, done, 0)
    thoughts = reply.reasoning if order.plain else thoughts_of(said, 0)
    blocks = _kept(reply) or [{"type": "thinking", "thinking": thoughts, "signature": _signature(reply)}] * bool(thoughts or reply.opaque)
    if reply.text or not reply.tool_calls:
        blocks.append({"type": "text", "text": reply.text})
    blocks += [_use(call, _input(call)) for call in reply.tool_calls]
    return _message(order, started, blocks) | _stop(reply) | {"usage": usage(done)} | _metadata(done)


def _message(order: Order, started: Started, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{started.trajectories[0]}",
        "type": "message",
        "role": "assistant",
        "model": order.target.name,
        "content": blocks,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 0, "output_tokens": 0},
    }


def _kept(reply: Reply) -> list[dict[str, Any]]:
    """Return the thoughts as their provider signed them."""
    return [block for block in reply.items(FORM) if isinstance(block, dict) and str(block.get("type")) in {"thinking", "redacted_thinking"}]


def _signature(reply: Reply) -> str:
    return f"{PACKED}{reply.opaque}" if reply.opaque and not reply.items(FORM) else ""


def _use(call: ToolCall, given: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": given}


def _input(call: ToolCall) -> dict[str, Any]:
    try:
        value = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"arguments": call.arguments}


def _stop(reply: Reply) -> dict[str, Any]:
    reason = "stop_sequence" if reply.stopped_by else _STOPS[reply.finish]
    return {"stop_reason": reason, "stop_sequence": reply.stopped_by or None}


def _metadata(done: Done) -> dict[str, Any]:
    return {"metadata": dict(done.metadata[0])} if done.metadata and done.metadata[0] else {}


def usage(done: Done) -> dict[str, int]:
    """Return the sum over every call."""
    spent = spent_of(done)
    return {
        "input_tokens": spent.prompt_tokens - spent.cached_tokens,
        "cache_read_input_tokens": spent.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": spent.completion_tokens,
    }


class _Blocks:
    """The blocks of a stream: which is open, and at what place."""

    def __init__(self) -> None:
        self._n = 0
        self._open = ""

    def add(self, kind: str, field: str, text: str) -> Iterator[str]:
        """Add a piece to the block of a kind, which is opened where another one is open."""
        if self._open != kind:
            yield from self.close()
            self._open = kind
            empty = {"type": kind, field: ""} | ({"signature": ""} if kind == "thinking" else {})
            yield _event("content_block_start", index=self._n, content_block=empty)
        if text:
            yield _event("content_block_delta", index=self._n, delta={"type": f"{kind}_delta", field: text})

    def signed(self, signature: str) -> Iterator[str]:
        """Sign the thought that is open."""
        if signature and self._open == "thinking":
            yield _event("content_block_delta", index=self._n, delta={"type": "signature_delta", "signature": signature})

    def whole(self, block: dict[str, Any], delta: dict[str, Any] | None) -> Iterator[str]:
        """Send a block at once."""
        yield from self.close()
        yield _event("content_block_start", index=self._n, content_block=block)
        if delta is not None:
            yield _event("content_block_delta", index=self._n, delta=delta)
        self._open = "whole"
        yield from self.close()

    def close(self) -> Iterator[str]:
        """Close what is open."""
        if self._open:
            yield _event("content_block_stop", index=self._n)
            self._n += 1
            self._open = ""


async def stream(order: Order, _: object, started: Started, events: AsyncIterator[Event]) -> AsyncIterator[str]:
    """Write the events of an order as server-sent events; a plain model's thought and text while they are written."""
    yield _event("message_start", message=_message(order, started, []))
    blocks, sent = _Blocks(), Sent()
    async for event in events:
        if isinstance(event, Said) and not order.plain:
            for line in blocks.add("thinking", "thinking", event.shown() + "\n\n"):
                yield line
        elif isinstance(event, Piece) and (new := sent.new(event)):
            kind, field = ("text", "text") if event.part == "text" else ("thinking", "thinking")
            for line in blocks.add(kind, field, new):
                yield line
        elif isinstance(event, Done):
            for line in _end(reply_of(order, event, 0), blocks, sent):
                yield line
            reply = reply_of(order, event, 0)
            yield _event("message_delta", delta=_stop(reply), usage=usage(event), **_metadata(event))
    yield _event("message_stop")


def _end(reply: Reply, blocks: _Blocks, sent: Sent) -> Iterator[str]:
    """Send what of a reply was not sent while it was written."""
    kept = _kept(reply)
    if thoughts := sent.rest("reasoning", reply.reasoning):
        yield from blocks.add("thinking", "thinking", thoughts)
    if len(kept) == 1 and kept[0].get("type") == "thinking":
        yield from blocks.signed(str(kept[0].get("signature", "")))
    else:
        yield from blocks.signed(_signature(reply))
    for block in kept:
        if block.get("type") == "redacted_thinking":
            yield from blocks.whole(block, None)
    if (text := sent.rest("text", reply.text)) or not (reply.tool_calls or reply.text):
        yield from blocks.add("text", "text", text)
    for call in reply.tool_calls:
        delta = {"type": "input_json_delta", "partial_json": json.dumps(_input(call))}
        yield from blocks.whole(_use(call, {}), delta)
    yield from blocks.close()


def broken(fault: Fault) -> str:
    """Write a fault into a stream that has begun."""
    return f"event: error\ndata: {json.dumps(error_body(PATH, fault), ensure_ascii=True)}\n\n"


def _event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=True)}\n\n"
