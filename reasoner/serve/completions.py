"""`POST /v1/chat/completions` and `GET /v1/models`: what they give.

A plain model's reply comes with its parts: `content`, `reasoning_content` (and the same as `reasoning`), `tool_calls`. Of a strategy,
`reasoning_content` is what the model said on the way, each reply under the name of its prompt, and `content` is the answer.

    {"id": "chatcmpl-3f0c", "choices": [{"message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}], "usage": {...}}
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from reasoner.serve.answers import Sent, reply_of, spent_of, thought_tokens, thoughts_of
from reasoner.serve.chat_request import DETAILS, ChatRequest
from reasoner.serve.faults import Fault, error_body
from reasoner.serve.order import Done, Order, Piece, Said, Started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from reasoner.serve.answers import Reply
    from reasoner.serve.model_names import ModelNames
    from reasoner.serve.order import Event
    from reasoner.types import ToolCall

PATH = "/v1/chat/completions"


def answer(order: Order, started: Started, done: Done, said: list[Said]) -> dict[str, Any]:
    """Return the whole answer."""
    choices = []
    for index in range(len(done.results)):
        reply = reply_of(order, done, index)
        thoughts = reply.reasoning if order.plain else thoughts_of(said, index)
        message: dict[str, Any] = {"role": "assistant", "content": reply.text if reply.text or not reply.tool_calls else None}
        message |= thought(thoughts)
        if reply.tool_calls:
            message["tool_calls"] = calls_of(reply.tool_calls)
        if details := details_of(reply):
            message["reasoning_details"] = details
        choice = {"index": index, "message": message, "finish_reason": reply.finish, "logprobs": logprobs_of(order, done, index)}
        choices.append(choice | metadata_of(done, index))
    made = {
        "id": f"chatcmpl-{started.run}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": order.target.name,
        "choices": choices,
        "usage": usage(done),
    }
    return made | ({"verdicts": _verdicts(done)} if order.solver else {})


def thought(text: str) -> dict[str, str]:
    """Return a thought under both names that clients know."""
    return {"reasoning_content": text, "reasoning": text} if text else {}


def calls_of(calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
    """Return tool calls as the format writes them."""
    return [{"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in calls]


def details_of(reply: Reply) -> list[Any]:
    """Return what the provider wants back in the next turn: as it came, or packed where its format is another one."""
    if not reply.opaque:
        return []
    return reply.items(DETAILS) or [{"type": "reasoning.encrypted", "format": "reasoner", "data": reply.opaque}]


def metadata_of(done: Done, sample: int) -> dict[str, Any]:
    """Return the votes and scores of a sample's search, where it has any."""
    found = done.metadata[sample] if done.metadata else {}
    return {"metadata": dict(found)} if found else {}


def logprobs_of(order: Order, done: Done, sample: int) -> dict[str, Any] | None:
    """Return the log probabilities of a reply's tokens, None where the client does not tell them."""
    reply = done.replies[sample]
    if not order.sampling.logprobs or reply is None or not reply.token_logprobs:
        return None
    tokens = [
        {"token": token, "logprob": value, "bytes": list(token.encode("utf-8", "replace")), "top_logprobs": []}
        for token, value in reply.token_logprobs
    ]
    return {"content": tokens, "refusal": None}


def _verdicts(done: Done) -> list[dict[str, Any] | None]:
    return [
        None if o.verdict is None else {"correct": o.verdict.correct, "score": o.verdict.score, "reason": o.verdict.reason}
        for o in done.results
    ]


def usage(done: Done) -> dict[str, Any]:
    """Return the sum over every call of every trajectory."""
    spent = spent_of(done)
    return {
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "total_tokens": spent.tokens,
        "prompt_tokens_details": {"cached_tokens": spent.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": thought_tokens(done)},
    }


async def stream(order: Order, request: ChatRequest, started: Started, events: AsyncIterator[Event]) -> AsyncIterator[str]:
    """Write the events of an order as chunks: thoughts as they arrive, then `content`; of a plain model both while they are written."""
    head = {"id": f"chatcmpl-{started.run}", "object": "chat.completion.chunk", "created": int(time.time()), "model": order.target.name}

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None, **more}
        return _data({**head, "choices": [choice]})

    sent = [Sent() for _ in range(order.n)]
    for index in range(order.n):
        yield chunk(index, {"role": "assistant", "content": ""})
    async for event in events:
        if isinstance(event, Said) and not order.plain:
            yield chunk(event.sample, thought(event.shown() + "\n\n"))
        elif isinstance(event, Piece):
            if new := sent[event.sample].new(event):
                yield chunk(event.sample, {"content": new} if event.part == "text" else thought(new))
        elif isinstance(event, Done):
            for index in range(order.n):
                for delta in _rest(order, event, index, sent[index]):
                    yield chunk(index, delta)
                more = {"logprobs": logprobs_of(order, event, index)} | metadata_of(event, index)
                yield chunk(index, {}, reply_of(order, event, index).finish, **more)
            if request.stream_options is not None and request.stream_options.include_usage:
                yield _data({**head, "choices": [], "usage": usage(event)})
    yield "data: [DONE]\n\n"


def _rest(order: Order, done: Done, index: int, sent: Sent) -> list[dict[str, Any]]:
    """Return the deltas of what of a sample was not sent while it was written."""
    reply = reply_of(order, done, index)
    deltas: list[dict[str, Any]] = []
    if thoughts := sent.rest("reasoning", reply.reasoning):
        deltas.append(thought(thoughts))
    if details := details_of(reply):
        deltas.append({"reasoning_details": details})
    if text := sent.rest("text", reply.text):
        deltas.append({"content": text})
    deltas += [{"tool_calls": [{"index": at, **call}]} for at, call in enumerate(calls_of(reply.tool_calls))]
    return deltas


def broken(fault: Fault) -> str:
    """Write a fault into a stream that has begun."""
    return _data(error_body(PATH, fault))


def _data(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=True)}\n\n"


def model_list(model_names: ModelNames) -> dict[str, Any]:
    """Return the answer of `GET /v1/models`."""
    return {"object": "list", "data": [model_card(name) for name in model_names.names()]}


def model_card(name: str) -> dict[str, Any]:
    """Return one entry of the list."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "reasoner"}
