"""`POST /v1/messages`, in the shape of Anthropic's API: thoughts are a `thinking` block, the answer is a `text` block.

    {"model": "cot/local", "max_tokens": 256, "messages": [...]} -> {"content": [{"type": "thinking", ...}, {"type": "text", ...}], ...}

Knows that wire format. `usage` is the sum over all calls; `input_tokens` leaves out what was read from a cache, as there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoner.serve.answers import content_of, finish_of, spent_of, text_of
from reasoner.serve.completions import TextPart
from reasoner.serve.executor import Done, Order, Said, Started, within
from reasoner.serve.faults import Fault, error_body, invalid
from reasoner.types import Message, Sampling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reasoner.serve.executor import Event
    from reasoner.serve.model_names import ModelNames
    from reasoner.serve.settings import Settings

PATH = "/v1/messages"
_Strict = ConfigDict(strict=True, frozen=True, extra="allow")


class InputMessage(BaseModel):
    """One message of the conversation."""

    model_config = _Strict

    role: Literal["user", "assistant"]
    content: str | list[TextPart]


class MessagesRequest(BaseModel):
    """The body of `POST /v1/messages`."""

    model_config = _Strict

    model: str = Field(max_length=400, description="MODEL, or STRATEGY/MODEL", examples=["cot/local"])
    max_tokens: int = Field(ge=1, le=1_000_000)
    messages: list[InputMessage] = Field(min_length=1, max_length=1000)
    system: str | list[TextPart] | None = None
    temperature: float | None = Field(default=None, ge=0, le=1)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=100_000)
    stop_sequences: list[str] | None = None
    stream: bool | None = None


def order_of(request: MessagesRequest, model_names: ModelNames, settings: Settings, *, key: str = "") -> Order:
    """Read a request.

    Raises:
        Refused: it asks for what cannot be done.
        UnknownName: there is no such model or strategy.
    """
    for name in ("tools", "tool_choice", "mcp_servers"):
        if (request.model_extra or {}).get(name):
            raise invalid(f"{name} is not supported", param=name)
    stop = tuple(request.stop_sequences or ())
    if len(stop) > 16 or any(not 0 < len(text) <= 200 for text in stop):
        raise invalid("stop_sequences takes at most 16 texts of 1 to 200 characters")
    sampling = within(
        Sampling(stop=stop), settings, temperature=request.temperature, top_p=request.top_p, top_k=request.top_k, max_tokens=request.max_tokens
    )  # fmt: skip
    head = (Message("system", text_of(request.system)),) if request.system else ()
    messages = (*head, *(Message(m.role, text_of(m.content)) for m in request.messages))
    return Order(model_names.resolve(request.model), messages, sampling, key=key)


def answer(order: Order, started: Started, done: Done, said: list[Said]) -> dict[str, Any]:
    """Return the whole answer."""
    result = done.results[0]
    blocks: list[dict[str, Any]] = []
    if order.target.spec.name != "plain":
        blocks.append({"type": "thinking", "thinking": "\n\n".join(f"[{one.role}]\n{one.text}" for one in said), "signature": ""})
    blocks.append({"type": "text", "text": content_of(order, result)})
    return _message(order, started, blocks) | {"stop_reason": _stop(done), "usage": usage(done)}


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


def _stop(done: Done) -> str:
    return "max_tokens" if finish_of(done, 0) == "length" else "end_turn"


def usage(done: Done) -> dict[str, int]:
    """Return the sum over every call."""
    spent = spent_of(done)
    return {
        "input_tokens": spent.prompt_tokens - spent.cached_tokens,
        "cache_read_input_tokens": spent.cached_tokens,
        "cache_creation_input_tokens": 0,
        "output_tokens": spent.completion_tokens,
    }


async def stream(order: Order, started: Started, events: AsyncIterator[Event]) -> AsyncIterator[str]:
    """Write the events of an order as server-sent events."""
    yield _event("message_start", message=_message(order, started, []))
    index = 0
    thinks = order.target.spec.name != "plain"
    if thinks:
        yield _event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""})
    async for event in events:
        if isinstance(event, Said) and thinks:
            delta = {"type": "thinking_delta", "thinking": f"[{event.role}]\n{event.text}\n\n"}
            yield _event("content_block_delta", index=0, delta=delta)
        elif isinstance(event, Done):
            if thinks:
                yield _event("content_block_stop", index=0)
                index = 1
            yield _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
            text = content_of(order, event.results[0])
            yield _event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})
            yield _event("content_block_stop", index=index)
            yield _event("message_delta", delta={"stop_reason": _stop(event), "stop_sequence": None}, usage=usage(event))
    yield _event("message_stop")


def broken(fault: Fault) -> str:
    """Write a fault into a stream that has begun."""
    return f"event: error\ndata: {json.dumps(error_body(PATH, fault), ensure_ascii=True)}\n\n"


def _event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=True)}\n\n"
