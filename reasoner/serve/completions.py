"""`POST /v1/chat/completions` and `GET /v1/models`: what they take and give.

Thoughts are `reasoning_content` (the model's replies on the way, each under the name of its prompt), the answer is `content`. What would
change the meaning of a request and cannot be done (tools, images, penalties) is refused; what changes nothing here is ignored.

    {"model": "cot/local", "messages": [{"role": "user", "content": "..."}]} -> {"choices": [{"message": {"content": "..."}}], "usage": {...}}
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoner.errors import BadConfig
from reasoner.serve.answers import content_of, finish_of, spent_of, text_of
from reasoner.serve.executor import Done, Order, Said, Started, within
from reasoner.serve.faults import Fault, error_body, invalid
from reasoner.types import Message, Sampling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from reasoner.serve.executor import Event
    from reasoner.serve.model_names import ModelNames
    from reasoner.serve.settings import Settings

PATH = "/v1/chat/completions"
MAX_N = 8
_Strict = ConfigDict(strict=True, frozen=True, extra="allow")


class TextPart(BaseModel):
    """One piece of a message; only text is taken, nothing is ever fetched."""

    model_config = _Strict

    type: Literal["text"]
    text: str = Field(max_length=1_000_000)


class ChatMessage(BaseModel):
    """One message of the conversation."""

    model_config = _Strict

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]


class JsonSchema(BaseModel):
    """The schema a reply has to follow."""

    model_config = _Strict

    name: str = ""
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """`text`, or `json_schema` for a model without a strategy."""

    model_config = _Strict

    type: Literal["text", "json_schema"]
    json_schema: JsonSchema | None = None


class StreamOptions(BaseModel):
    """Options of a stream."""

    model_config = _Strict

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """The body of `POST /v1/chat/completions`."""

    model_config = _Strict

    model: str = Field(max_length=400, description="MODEL, or STRATEGY/MODEL, or STRATEGY:key=value/MODEL", examples=["cot/local"])
    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    n: int | None = Field(default=None, ge=1, le=MAX_N)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    stop: str | list[str] | None = None
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    response_format: ResponseFormat | None = None
    solver: str | None = Field(
        default=None, max_length=80, description="take the last message for a problem of this family, and verify the answer"
    )


_REFUSED = ("tools", "functions", "tool_choice", "function_call", "audio", "logprobs", "logit_bias", "prediction", "web_search_options")


def order_of(request: ChatRequest, model_names: ModelNames, settings: Settings, *, key: str = "") -> Order:
    """Read a request.

    Raises:
        Refused: it asks for what cannot be done.
        UnknownName: there is no such model or strategy.
    """
    extra = request.model_extra or {}
    for name in _REFUSED:
        if extra.get(name) and not (name == "tool_choice" and extra[name] == "none"):
            raise invalid(f"{name} is not supported", param=name, code="unsupported_parameter")
    for name in ("frequency_penalty", "presence_penalty"):
        if extra.get(name):
            raise invalid(f"{name} is not supported", param=name, code="unsupported_parameter")
    target = model_names.resolve(request.model)
    schema = ""
    if request.response_format is not None and request.response_format.type == "json_schema":
        if request.response_format.json_schema is None:
            raise invalid("response_format of type json_schema needs json_schema", param="response_format")
        if target.spec.name != "plain":
            raise BadConfig("response_format needs a model without a strategy", hint=f"ask {target.model!r}")
        schema = json.dumps(request.response_format.json_schema.schema_)
    stop = (request.stop,) if isinstance(request.stop, str) else tuple(request.stop or ())
    if len(stop) > 16 or any(not 0 < len(text) <= 200 for text in stop):
        raise invalid("stop takes at most 16 texts of 1 to 200 characters", param="stop")
    sampling = within(
        Sampling(stop=stop), settings, temperature=request.temperature, top_p=request.top_p,
        max_tokens=request.max_completion_tokens or request.max_tokens,
    )  # fmt: skip
    messages = tuple(_message(message) for message in request.messages)
    return Order(target, messages, sampling, request.n or 1, request.seed, request.solver or "", schema, key)


def _message(message: ChatMessage) -> Message:
    role: Literal["system", "user", "assistant"] = "system" if message.role == "developer" else message.role
    return Message(role, text_of(message.content))


def answer(order: Order, started: Started, done: Done, said: list[Said]) -> dict[str, Any]:
    """Return the whole answer."""
    choices = []
    for index, result in enumerate(done.results):
        message: dict[str, Any] = {"role": "assistant", "content": content_of(order, result)}
        if order.target.spec.name != "plain":
            message["reasoning_content"] = "\n\n".join(_thought(one) for one in said if one.sample == index)
        choices.append({"index": index, "message": message, "finish_reason": finish_of(done, index), "logprobs": None})
    made = {
        "id": f"chatcmpl-{started.run}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": order.target.name,
        "choices": choices,
        "usage": usage(done),
    }
    return made | ({"verdicts": _verdicts(done)} if order.solver else {})


def _thought(said: Said) -> str:
    return f"[{said.role}]\n{said.text}"


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
    }


async def stream(order: Order, request: ChatRequest, started: Started, events: AsyncIterator[Event]) -> AsyncIterator[str]:
    """Write the events of an order as chunks: `reasoning_content` as thoughts arrive, then `content`."""
    head = {"id": f"chatcmpl-{started.run}", "object": "chat.completion.chunk", "created": int(time.time()), "model": order.target.name}

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": index, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _data({**head, "choices": [choice]})

    for index in range(order.n):
        yield chunk(index, {"role": "assistant", "content": ""})
    async for event in events:
        if isinstance(event, Said) and order.target.spec.name != "plain":
            yield chunk(event.sample, {"reasoning_content": _thought(event) + "\n\n"})
        elif isinstance(event, Done):
            for index, result in enumerate(event.results):
                yield chunk(index, {"content": content_of(order, result)})
                yield chunk(index, {}, finish_of(event, index))
            if request.stream_options is not None and request.stream_options.include_usage:
                yield _data({**head, "choices": [], "usage": usage(event)})
    yield "data: [DONE]\n\n"


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
