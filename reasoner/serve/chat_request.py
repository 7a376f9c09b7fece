"""The body of `POST /v1/chat/completions`, and what it asks for.

    order_of(ChatRequest(model="cot/local", messages=[...]), names, settings) -> Order(...)

What would change the meaning of a request and cannot be done is refused by its name; `parameters.HARMLESS` are ignored.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoner.serve.answers import opaque_of
from reasoner.serve.faults import invalid
from reasoner.serve.order import Order, within
from reasoner.serve.parameters import bound_of, checked_choice, effort_of, json_text, one_call, refuse_unknown, stops_of, tool_of
from reasoner.serve.parts import MAX_TEXT_CHARS, content_of
from reasoner.types import Message, Sampling, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.serve.model_names import ModelNames
    from reasoner.serve.settings import Settings

MAX_N = 8
ANY_OBJECT = '{"type":"object"}'
"""The schema of `json_object`."""
DETAILS = "openrouter"
"""The format of `reasoning_details`, see `reasoner.clients`."""
_Strict = ConfigDict(strict=True, frozen=True, extra="allow")
_NEUTRAL = {
    "modalities": (["text"],), "verbosity": ("medium",), "best_of": (1,), "echo": (False,), "top_logprobs": (0,),
    "repetition_penalty": (1,), "typical_p": (1,),
}  # fmt: skip


class FunctionCall(BaseModel):
    """What a model asked for."""

    model_config = _Strict

    name: str = Field(max_length=200)
    arguments: str = Field(default="{}", max_length=MAX_TEXT_CHARS)


class Call(BaseModel):
    """One call of a tool in an earlier turn."""

    model_config = _Strict

    id: str = Field(default="", max_length=400)
    type: Literal["function"] = "function"
    function: FunctionCall


class ChatMessage(BaseModel):
    """One message of the conversation."""

    model_config = _Strict

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = Field(default=None, max_length=400)
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None


class Function(BaseModel):
    """A function that may be called."""

    model_config = _Strict

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ChatTool(BaseModel):
    """A tool; functions alone."""

    model_config = _Strict

    type: Literal["function"]
    function: Function


class JsonSchema(BaseModel):
    """The schema a reply has to follow."""

    model_config = _Strict

    name: str = Field(default="answer", max_length=64)
    description: str | None = None
    strict: bool | None = None
    schema_: dict[str, Any] = Field(alias="schema")


class ResponseFormat(BaseModel):
    """`text`, any JSON object, or one that follows a schema."""

    model_config = _Strict

    type: Literal["text", "json_object", "json_schema"]
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
    top_k: int | None = Field(default=None, ge=0, le=100_000)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repeat_penalty: float | None = Field(default=None, gt=0, le=10)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = Field(default=None, ge=-1, le=1_000_000)
    max_completion_tokens: int | None = Field(default=None, ge=-1, le=1_000_000)
    reasoning_effort: str | None = Field(default=None, max_length=20)
    stop: str | list[str] | None = None
    seed: int | None = Field(default=None, ge=-(2**63), le=2**63 - 1)
    tools: list[ChatTool] | None = None
    tool_choice: str | dict[str, Any] | None = None
    response_format: ResponseFormat | None = None
    solver: str | None = Field(
        default=None, max_length=80, description="take the last message for a problem of this family, and verify the answer"
    )


def order_of(request: ChatRequest, model_names: ModelNames, settings: Settings, *, key: str = "") -> Order:
    """Read a request.

    Raises:
        Refused: it asks for what cannot be done.
        UnknownName: there is no such model or strategy.
    """
    refuse_unknown(request.model_extra, _NEUTRAL)
    target = model_names.resolve(request.model)
    schema, told = schema_of(request.response_format)
    tools = [
        tool_of(t.function.name, t.function.description, t.function.parameters, f"tools.{i}") for i, t in enumerate(request.tools or ())
    ]
    bound = bound_of(request.max_completion_tokens, "max_completion_tokens") or bound_of(request.max_tokens, "max_tokens")
    sampling = within(
        Sampling(thinking=effort_of(request.reasoning_effort, "reasoning_effort"), logprobs=bool(request.logprobs)), settings,
        temperature=request.temperature, top_p=request.top_p, top_k=request.top_k, min_p=request.min_p,
        repeat_penalty=request.repeat_penalty, max_tokens=bound,
    )  # fmt: skip
    wanted = {
        "frequency_penalty": request.frequency_penalty, "presence_penalty": request.presence_penalty, "logit_bias": request.logit_bias,
    }  # fmt: skip
    choice = checked_choice(choice_of(request.tool_choice), tools)
    extra = {name: value for name, value in wanted.items() if value}
    extra |= one_call(wanted=request.parallel_tool_calls is False, choice=choice, tools=tools)
    return Order(
        target, tuple(_message(message, i) for i, message in enumerate(request.messages)), sampling, request.n or 1, request.seed,
        request.solver or "", schema, told, key, stops_of(request.stop, "stop"), tuple(tools),
        choice, extra,
    )  # fmt: skip


def schema_of(wanted: ResponseFormat | None) -> tuple[str, str]:
    """Return the schema a reply has to follow and what a provider is told beside it, both as JSON text; empty where any text will do.

    Raises:
        Refused: the schema is missing.
    """
    if wanted is None or wanted.type == "text":
        return "", ""
    if wanted.type == "json_object":
        return ANY_OBJECT, json.dumps({"type": "json_object"})
    given = wanted.json_schema
    if given is None:
        raise invalid("response_format of type json_schema needs json_schema", param="response_format")
    return json_text(given.schema_, "response_format"), told_of(given.name, given.description, strict=given.strict)


def told_of(name: str, description: str | None, *, strict: bool | None) -> str:
    """Return name, description and strictness of a schema as JSON text, without those that were not given."""
    told = {"name": name, "description": description, "strict": strict}
    return json.dumps({field: value for field, value in told.items() if value is not None}, sort_keys=True)


def choice_of(given: str | Mapping[str, Any] | None) -> str:
    """Return a choice of tools as `reasoner.types.Request` says it.

    Raises:
        Refused: it is none.
    """
    if given is None or given in ("auto", "none", "required"):
        return str(given or "")
    if isinstance(given, dict) and given.get("type") == "function":
        function = given.get("function", given)
        if isinstance(function, dict) and isinstance(function.get("name"), str):
            return f"tool:{function['name']}"
    raise invalid("tool_choice is auto, none, required, or names one function", param="tool_choice")


def _message(message: ChatMessage, at: int) -> Message:
    where = f"messages.{at}"
    text, images = content_of(message.content, where)
    if message.role in {"system", "developer"}:
        return Message("system", text)
    if message.role == "user":
        return Message("user", text, images=images)
    if images:
        raise invalid(f"{where}: images may only be in a user's message", param=where, code="unsupported_content")
    if message.role == "tool":
        if not message.tool_call_id:
            raise invalid(f"{where}: the result of a tool names its tool_call_id", param=where)
        return Message("tool", text, tool_call_id=message.tool_call_id)
    calls = tuple(
        ToolCall(call.id or f"call_{i}", call.function.name, call.function.arguments) for i, call in enumerate(message.tool_calls or ())
    )
    opaque, details = _kept(message.reasoning_details or ())
    return Message("assistant", text, message.reasoning_content or message.reasoning or "", calls, opaque or opaque_of(DETAILS, details))


def _kept(details: Sequence[dict[str, Any]]) -> tuple[str, list[Any]]:
    """Return what another provider than that of `reasoning_details` wants back, and what is left of them; see `completions.details_of`."""
    for item in details:
        if item.get("type") == "reasoning.encrypted" and item.get("format") == "reasoner" and isinstance(item.get("data"), str):
            return item["data"], []
    return "", list(details)
