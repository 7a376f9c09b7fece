"""`POST /v1/responses`, in the shape of OpenAI's Responses API: what it gives. Thoughts are a reasoning item, tool calls items of their own.

    {"id": "resp_3f0c", "status": "completed", "output": [{"type": "reasoning", ...}, {"type": "message", ...}], "usage": {...}}

Knows that wire format.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from reasoner.serve.answers import Sent, reply_of, spent_of, thought_tokens, thoughts_of
from reasoner.serve.faults import Fault, error_body
from reasoner.serve.order import Done, Order, Piece, Said, Started
from reasoner.serve.responses_request import FORM, PACKED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from reasoner.serve.answers import Reply
    from reasoner.serve.order import Event
    from reasoner.types import ToolCall

PATH = "/v1/responses"


def answer(order: Order, started: Started, done: Done, said: list[Said]) -> dict[str, Any]:
    """Return the whole answer."""
    reply = reply_of(order, done, 0)
    thoughts = reply.reasoning if order.plain else thoughts_of(said, 0)
    kept = [item for item in reply.items(FORM) if isinstance(item, dict)]
    output = kept or [_reasoning(started, thoughts, reply)] * bool(thoughts or reply.opaque)
    output += [_message(started, reply.text)] * bool(reply.text or not reply.tool_calls)
    output += [_call(call) for call in reply.tool_calls]
    return _response(order, started) | _ended(reply, done) | {"output": output}


def _response(order: Order, started: Started) -> dict[str, Any]:
    return {
        "id": f"resp_{started.run}", "object": "response", "created_at": int(time.time()), "status": "in_progress", "model": order.target.name,
        "output": [], "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
        "temperature": order.sampling.temperature, "top_p": order.sampling.top_p, "tool_choice": "auto", "tools": [], "store": False,
    }  # fmt: skip


def _ended(reply: Reply, done: Done) -> dict[str, Any]:
    reasons = {"length": "max_output_tokens", "content_filter": "content_filter"}
    spent = spent_of(done)
    usage = {
        "input_tokens": spent.prompt_tokens, "input_tokens_details": {"cached_tokens": spent.cached_tokens},
        "output_tokens": spent.completion_tokens, "output_tokens_details": {"reasoning_tokens": thought_tokens(done)},
        "total_tokens": spent.tokens,
    }  # fmt: skip
    ended = {"status": "completed", "incomplete_details": None, "usage": usage, "metadata": dict(done.metadata[0]) if done.metadata else {}}
    return ended | ({"status": "incomplete", "incomplete_details": {"reason": reasons[reply.finish]}} if reply.finish in reasons else {})


def _reasoning(started: Started, text: str, reply: Reply | None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "reasoning",
        "id": f"rs_{started.run}",
        "summary": [{"type": "summary_text", "text": text}] if text else [],
    }
    return made | ({"encrypted_content": f"{PACKED}{reply.opaque}"} if reply is not None and reply.opaque else {})


def _message(started: Started, text: str, status: str = "completed") -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}] if status == "completed" else []
    return {"type": "message", "id": f"msg_{started.run}", "role": "assistant", "status": status, "content": content}


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call.id}",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
        "status": "completed",
    }


class _Writer:
    """The items of a stream: which is open, and what has been said in it."""

    def __init__(self, started: Started) -> None:
        self._started = started
        self._number = -1
        self._open = ""
        self._text = ""
        self.output: list[dict[str, Any]] = []

    def event(self, kind: str, **fields: Any) -> str:
        """Write one event with its number."""
        self._number += 1
        return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': self._number, **fields}, ensure_ascii=True)}\n\n"

    def add(self, kind: str, text: str) -> Iterator[str]:
        """Add a piece to the item of a kind, which is opened where another one is open."""
        if self._open != kind:
            yield from self.close()
            self._open, self._text = kind, ""
            at = {"output_index": len(self.output)}
            item = _message(self._started, "", "in_progress") if kind == "message" else _reasoning(self._started, "", None)
            yield self.event("response.output_item.added", item=item, **at)
            if kind == "message":
                part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": []}
                yield self.event("response.content_part.added", item_id=item["id"], content_index=0, part=part, **at)
            else:
                part = {"type": "summary_text", "text": ""}
                yield self.event("response.reasoning_summary_part.added", item_id=item["id"], summary_index=0, part=part, **at)
        self._text += text
        if text:
            yield self._piece("delta", delta=text)

    def _piece(self, what: str, **fields: Any) -> str:
        at: dict[str, Any] = {"output_index": len(self.output)}
        if self._open == "message":
            at |= {"item_id": f"msg_{self._started.run}", "content_index": 0, "logprobs": []}
            return self.event(f"response.output_text.{what}", **at, **fields)
        at |= {"item_id": f"rs_{self._started.run}", "summary_index": 0}
        return self.event(f"response.reasoning_summary_text.{what}", **at, **fields)

    def close(self, reply: Reply | None = None) -> Iterator[str]:
        """Close what is open."""
        if not self._open:
            return
        at = {"output_index": len(self.output)}
        yield self._piece("done", text=self._text)
        if self._open == "message":
            item = _message(self._started, self._text)
            part = {"type": "output_text", "text": self._text, "annotations": []}
            yield self.event("response.content_part.done", item_id=item["id"], content_index=0, part=part, **at)
        else:
            item = _reasoning(self._started, self._text, reply)
            part = {"type": "summary_text", "text": self._text}
            yield self.event("response.reasoning_summary_part.done", item_id=item["id"], summary_index=0, part=part, **at)
        yield self.event("response.output_item.done", item=item, **at)
        self.output.append(item)
        self._open = ""

    def end_thought(self, reply: Reply) -> Iterator[str]:
        """Close a thought that is open, with what its provider wants back; a thought that text has followed is closed without it."""
        if self._open == "reasoning" or (reply.opaque and not self._open):
            yield from self.add("reasoning", "")
            yield from self.close(reply)

    def call(self, call: ToolCall) -> Iterator[str]:
        """Send a tool call at once."""
        yield from self.close()
        item, at = _call(call), {"output_index": len(self.output)}
        yield self.event("response.output_item.added", item=item | {"arguments": "", "status": "in_progress"}, **at)
        yield self.event("response.function_call_arguments.delta", item_id=item["id"], delta=call.arguments, **at)
        yield self.event("response.function_call_arguments.done", item_id=item["id"], arguments=call.arguments, name=call.name, **at)
        yield self.event("response.output_item.done", item=item, **at)
        self.output.append(item)


async def stream(order: Order, _: object, started: Started, events: AsyncIterator[Event]) -> AsyncIterator[str]:
    """Write the events of an order as server-sent events; a plain model's thought and text while they are written."""
    out, sent = _Writer(started), Sent()
    yield out.event("response.created", response=_response(order, started))
    yield out.event("response.in_progress", response=_response(order, started))
    async for event in events:
        lines: Iterator[str] = iter(())
        if isinstance(event, Said) and not order.plain:
            lines = out.add("reasoning", event.shown() + "\n\n")
        elif isinstance(event, Piece) and (new := sent.new(event)):
            lines = out.add("message" if event.part == "text" else "reasoning", new)
        elif isinstance(event, Done):
            lines = _end(order, started, event, out, sent)
        for line in lines:
            yield line


def _end(order: Order, started: Started, done: Done, out: _Writer, sent: Sent) -> Iterator[str]:
    """Send what of a reply was not sent while it was written, and the whole of it."""
    reply = reply_of(order, done, 0)
    if thoughts := sent.rest("reasoning", reply.reasoning):
        yield from out.add("reasoning", thoughts)
    yield from out.end_thought(reply)
    text = sent.rest("text", reply.text)
    if text or not (reply.tool_calls or reply.text):
        yield from out.add("message", text)
    for call in reply.tool_calls:
        yield from out.call(call)
    yield from out.close(reply)
    ended = _ended(reply, done)
    whole = _response(order, started) | ended | {"output": out.output}
    yield out.event("response.incomplete" if ended["status"] == "incomplete" else "response.completed", response=whole)


def broken(fault: Fault) -> str:
    """Write a fault into a stream that has begun."""
    error = error_body(PATH, fault)["error"]
    fields = {"type": "error", "code": error["code"], "message": error["message"], "param": error["param"], "sequence_number": 0}
    return f"event: error\ndata: {json.dumps(fields, ensure_ascii=True)}\n\n"
