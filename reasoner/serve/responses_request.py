"""The body of `POST /v1/responses`, in the shape of OpenAI's Responses API, and what it asks for.

    order_of(ResponsesRequest(model="cot/local", input="What is 2 + 2?"), names, settings) -> Order(...)

Nothing is kept between requests: whoever asks sends the whole conversation, as with `store: false`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from reasoner.serve.answers import opaque_of
from reasoner.serve.chat_request import ANY_OBJECT, choice_of, told_of
from reasoner.serve.faults import invalid
from reasoner.serve.order import Order, within
from reasoner.serve.parameters import bound_of, checked_choice, effort_of, json_text, one_call, refuse_unknown, tool_of
from reasoner.serve.parts import MAX_TEXT_CHARS, content_of
from reasoner.types import Message, Sampling, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.serve.model_names import ModelNames
    from reasoner.serve.settings import Settings

FORM = "responses"
"""The format of the reasoning items a provider wants back."""
PACKED = "reasoner:"
"""How the encrypted content of an item begins that packs what a provider of another format wants back."""
_NEUTRAL = {"truncation": ("disabled",), "background": (False,), "top_logprobs": (0,)}


class ResponsesRequest(BaseModel):
    """The body of `POST /v1/responses`."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    model: str = Field(max_length=400, description="MODEL, or STRATEGY/MODEL", examples=["cot/local"])
    input: str | list[dict[str, Any]] = Field(min_length=1, max_length=MAX_TEXT_CHARS)
    instructions: str | None = None
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_output_tokens: int | None = Field(default=None, ge=-1, le=1_000_000)
    reasoning: dict[str, Any] | None = None
    text: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    include: list[str] | None = None
    parallel_tool_calls: bool | None = None


def order_of(request: ResponsesRequest, model_names: ModelNames, settings: Settings, *, key: str = "") -> Order:
    """Read a request.

    Raises:
        Refused: it asks for what cannot be done.
        UnknownName: there is no such model or strategy.
    """
    refuse_unknown(request.model_extra, _NEUTRAL)
    if wrong := next((name for name in request.include or () if name != "reasoning.encrypted_content"), None):
        raise invalid(f"include of {wrong[:60]!r} is not supported", param="include", code="unsupported_parameter")
    tools = []
    for at, tool in enumerate(request.tools or ()):
        if tool.get("type") != "function":
            raise invalid(
                f"tools.{at}: a tool is a function, and this is {str(tool.get('type'))[:40]!r}", param="tools", code="unsupported_parameter"
            )
        tools.append(tool_of(tool.get("name"), tool.get("description"), tool.get("parameters"), f"tools.{at}"))
    effort = (request.reasoning or {}).get("effort")
    sampling = within(
        Sampling(thinking=effort_of(effort if isinstance(effort, str) else None, "reasoning.effort")), settings,
        temperature=request.temperature, top_p=request.top_p, max_tokens=bound_of(request.max_output_tokens, "max_output_tokens"),
    )  # fmt: skip
    schema, told = _form(request.text)
    head = (Message("system", request.instructions),) if request.instructions else ()
    choice = checked_choice(choice_of(request.tool_choice), tools)
    return Order(
        model_names.resolve(request.model), (*head, *_messages(request.input)), sampling, key=key, tools=tuple(tools),
        tool_choice=choice, output_schema=schema, schema_told=told,
        extra=one_call(wanted=request.parallel_tool_calls is False, choice=choice, tools=tools),
    )  # fmt: skip


def _form(text: Mapping[str, Any] | None) -> tuple[str, str]:
    form: Any = (text or {}).get("format") or {"type": "text"}
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return "", ""
    if kind == "json_object":
        return ANY_OBJECT, '{"type": "json_object"}'
    if kind == "json_schema" and isinstance(form.get("schema"), dict):
        name, words, strict = form.get("name"), form.get("description"), form.get("strict")
        told = told_of(
            name if isinstance(name, str) else "answer",
            words if isinstance(words, str) else None,
            strict=strict if isinstance(strict, bool) else None,
        )
        return json_text(form["schema"], "text.format"), told
    raise invalid("text.format is of type text, json_object, or json_schema with a schema", param="text")


def _messages(given: str | list[dict[str, Any]]) -> list[Message]:
    if isinstance(given, str):
        return [Message("user", given)]
    made: list[Message] = []
    thought, opaque, calls = "", "", list[ToolCall]()

    def called() -> None:
        nonlocal thought, opaque
        if calls:
            made.append(Message("assistant", "", thought, tuple(calls), opaque))
            calls.clear()
            thought = opaque = ""

    for at, item in enumerate(given):
        where = f"input.{at}"
        kind = item.get("type", "message")
        if kind == "reasoning":
            called()
            thought, opaque = _thought(item)
        elif kind == "function_call":
            if not isinstance(item.get("name"), str):
                raise invalid(f"{where}: a function_call names its function", param=where)
            calls.append(ToolCall(str(item.get("call_id", "")), item["name"], str(item.get("arguments", "{}"))))
        elif kind == "function_call_output":
            called()
            output = item.get("output")
            text, _ = content_of(output if isinstance(output, str | list) else json_text(output, where), where)
            made.append(Message("tool", text, tool_call_id=str(item.get("call_id", ""))))
        elif kind == "message":
            called()
            made.append(_message(item, where, thought, opaque))
            thought = opaque = ""
        else:
            raise invalid(f"{where}: an item of type {str(kind)[:40]!r} is not supported", param=where, code="unsupported_content")
    called()
    if not made:
        raise invalid("input holds no message", param="input")
    return made


def _message(item: dict[str, Any], where: str, thought: str, opaque: str) -> Message:
    role, content = item.get("role"), item.get("content")
    if role not in {"user", "assistant", "system", "developer"} or not isinstance(content, str | list):
        raise invalid(f"{where}: a message has a role and a content", param=where)
    text, images = content_of(content, where)
    if role == "assistant":
        return Message("assistant", text, thought, opaque=opaque)
    return Message("user", text, images=images) if role == "user" else Message("system", text)


def _thought(item: dict[str, Any]) -> tuple[str, str]:
    """Return the text of a reasoning item, and what its provider wants back."""
    parts = [part for name in ("content", "summary") for part in (item.get(name) or ()) if isinstance(part, dict)]
    text = "\n\n".join(part["text"] for part in parts if isinstance(part.get("text"), str))
    sealed = item.get("encrypted_content")
    if isinstance(sealed, str) and sealed.startswith(PACKED):
        return text, sealed.removeprefix(PACKED)
    return text, opaque_of(FORM, [item]) if sealed else ""
