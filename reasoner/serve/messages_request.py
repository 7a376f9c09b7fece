"""The body of `POST /v1/messages` and of `/v1/messages/count_tokens`, in the shape of Anthropic's API, and what it asks for.

    order_of(MessagesRequest(model="cot/local", max_tokens=256, messages=[...]), names, settings) -> Order(...)

Blocks of earlier turns that hold a thought go back to the provider as they came where it signed them; others are read as the thought they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoner.serve.answers import opaque_of
from reasoner.serve.faults import invalid
from reasoner.serve.order import Order, within
from reasoner.serve.parameters import bound_of, checked_choice, effort_of, json_text, one_call, refuse_unknown, stops_of, tool_of
from reasoner.serve.parts import MAX_TEXT_CHARS, image_of
from reasoner.types import Message, Sampling, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.serve.model_names import ModelNames
    from reasoner.serve.settings import Settings

FORM = "anthropic"
"""The format of the blocks a provider wants back."""
PACKED = "reasoner:"
"""How the signature of a thought begins whose provider speaks another format: what it wants back is packed into it."""
_Strict = ConfigDict(strict=True, frozen=True, extra="allow")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class Block(BaseModel):
    """One block of a message: text, image, thinking, redacted_thinking, tool_use or tool_result."""

    model_config = _Strict

    type: str = Field(max_length=40)
    text: str | None = Field(default=None, max_length=MAX_TEXT_CHARS)


class InputMessage(BaseModel):
    """One message of the conversation."""

    model_config = _Strict

    role: Literal["user", "assistant"]
    content: str | list[Block]


class InputTool(BaseModel):
    """A tool of the client's own."""

    model_config = _Strict

    type: Literal["custom"] | None = None
    name: str
    description: str | None = None
    input_schema: dict[str, Any]


class TokensRequest(BaseModel):
    """The body of `POST /v1/messages/count_tokens`."""

    model_config = _Strict

    model: str = Field(max_length=400, description="MODEL, or STRATEGY/MODEL", examples=["cot/local"])
    messages: list[InputMessage] = Field(min_length=1, max_length=1000)
    system: str | list[Block] | None = None
    tools: list[InputTool] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


class MessagesRequest(TokensRequest):
    """The body of `POST /v1/messages`."""

    max_tokens: int = Field(ge=-1, le=1_000_000)
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
    refuse_unknown(request.model_extra)
    tools = [tool_of(tool.name, tool.description, tool.input_schema, f"tools.{i}") for i, tool in enumerate(request.tools or ())]
    sampling = within(
        Sampling(thinking=_thinking(request.thinking, request.output_config)), settings, temperature=request.temperature,
        top_p=request.top_p, top_k=request.top_k, max_tokens=bound_of(request.max_tokens, "max_tokens"),
    )  # fmt: skip
    choice = checked_choice(_choice(request.tool_choice), tools)
    return Order(
        model_names.resolve(request.model), messages_of(request), sampling, key=key, stop=stops_of(request.stop_sequences, "stop_sequences"),
        tools=tuple(tools), tool_choice=choice, output_schema=_schema(request.output_config),
        extra=one_call(wanted=bool((request.tool_choice or {}).get("disable_parallel_tool_use")), choice=choice, tools=tools),
    )  # fmt: skip


def messages_of(request: TokensRequest) -> tuple[Message, ...]:
    """Return the conversation: the instructions as one system message, and a message of its own for each result of a tool.

    Raises:
        Refused: a block cannot be used.
    """
    system = request.system if isinstance(request.system, str) else "\n".join(_text(block, "system") for block in request.system or ())
    made = [Message("system", system)] if system else []
    for at, message in enumerate(request.messages):
        if isinstance(message.content, str):
            made.append(Message(message.role, message.content))
        elif message.role == "user":
            made += _asked(message.content, f"messages.{at}")
        else:
            made.append(_answered(message.content, f"messages.{at}"))
    return tuple(made)


def _text(block: Block, where: str) -> str:
    if block.type != "text" or block.text is None:
        raise invalid(f"{where}: a block of type {block.type!r} cannot stand here; it is 'text'", param=where, code="unsupported_content")
    return block.text


def _asked(blocks: Sequence[Block], where: str) -> list[Message]:
    made: list[Message] = []
    texts: list[str] = []
    images: list[str] = []
    for block in blocks:
        extra = block.model_extra or {}
        if block.type == "tool_result":
            content = extra.get("content", "")
            parts = content if isinstance(content, list) else []
            text = content if isinstance(content, str) else "\n".join(_text(_block(part, where), where) for part in parts)
            made.append(Message("tool", text, tool_call_id=str(extra.get("tool_use_id", ""))))
        elif block.type == "image":
            images.append(_image(extra.get("source"), where))
        else:
            texts.append(_text(block, where))
    if texts or images or not made:
        made.append(Message("user", "\n".join(texts), images=tuple(images)))
    return made


def _block(part: Any, where: str) -> Block:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str) or not isinstance(part.get("text"), str | None):
        raise invalid(f"{where}: the content of a tool_result is text", param=where, code="unsupported_content")
    return Block(type=part["type"], text=part.get("text"))


def _image(source: Any, where: str) -> str:
    if not isinstance(source, dict) or source.get("type") != "base64":
        raise invalid(f"{where}: an image comes as base64; nothing is fetched from an address", param=where, code="unsupported_content")
    return image_of(f"data:{source.get('media_type')};base64,{source.get('data')}", where)


def _answered(blocks: Sequence[Block], where: str) -> Message:
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    opaque = ""
    is_signed = False
    for block in blocks:
        extra = block.model_extra or {}
        match block.type:
            case "thinking":
                signature = str(extra.get("signature") or "")
                thoughts.append(str(extra.get("thinking", "")))
                is_signed = is_signed or (bool(signature) and not signature.startswith(PACKED))
                opaque = signature.removeprefix(PACKED) if signature.startswith(PACKED) else opaque
            case "redacted_thinking":
                is_signed = True
            case "tool_use":
                name, given = extra.get("name"), extra.get("input", {})
                if not isinstance(name, str):
                    raise invalid(f"{where}: a tool_use names its tool", param=where)
                calls.append(ToolCall(str(extra.get("id", "")), name, json_text(given, where)))
            case _:
                texts.append(_text(block, where))
    if is_signed:
        opaque = opaque_of(FORM, [block.model_dump(exclude_none=True) for block in blocks])
    return Message("assistant", "".join(texts), "\n\n".join(filter(None, thoughts)), tuple(calls), opaque)


def _choice(given: Mapping[str, Any] | None) -> str:
    if given is None:
        return ""
    kind = given.get("type")
    if kind == "tool" and isinstance(given.get("name"), str):
        return f"tool:{given['name']}"
    if isinstance(kind, str) and kind in _CHOICES:
        return _CHOICES[kind]
    raise invalid("tool_choice is of type auto, any, none, or tool with a name", param="tool_choice")


def _thinking(thinking: Mapping[str, Any] | None, config: Mapping[str, Any] | None) -> str:
    """Return how much is to be thought: a budget, `off`, a level, or empty where the model decides."""
    effort = (config or {}).get("effort")
    match (thinking or {}).get("type"):
        case "disabled":
            return "off"
        case "enabled":
            budget = (thinking or {}).get("budget_tokens")
            if type(budget) is not int or not 0 < budget <= 1_000_000:
                raise invalid("thinking: budget_tokens is a number of tokens", param="thinking")
            return str(budget)
        case None | "adaptive":
            return effort_of(effort if isinstance(effort, str) else None, "output_config.effort")
        case _:
            raise invalid("thinking is of type enabled, adaptive or disabled", param="thinking")


def _schema(config: Mapping[str, Any] | None) -> str:
    form: Any = (config or {}).get("format")
    if form is None:
        return ""
    if not isinstance(form, dict) or form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        raise invalid("output_config.format is of type json_schema, with a schema", param="output_config")
    return json_text(form["schema"], "output_config.format")


def n_tokens(request: TokensRequest) -> int:
    """Return about how many tokens a conversation has: four bytes of its text are counted as one, four tokens as the frame of a message.

    Raises:
        Refused: a block cannot be used.
    """
    messages = messages_of(request)
    n_bytes = sum(
        len(json.dumps([m.content, m.reasoning, [c.arguments for c in m.tool_calls]], ensure_ascii=False).encode()) for m in messages
    )
    n_bytes += sum(len(json.dumps(tool.model_dump(mode="json"))) for tool in request.tools or ())
    return max(1, n_bytes // 4 + 4 * len(messages))
