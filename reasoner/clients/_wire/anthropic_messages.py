"""The Anthropic Messages format: writing requests, reading answers whole or streamed.

Knows bytes and fields. Does not open connections, read settings or wait; `_remote` does. Whose fault a status is, `_endpoint` knows.

    {"model": "m", "max_tokens": 64, "system": "Be brief.", "messages": [{"role": "user", "content": "4 9 10 13"}], "temperature": 0.0}

What the format has no word for: a seed, log-probabilities, min_p, a repeat penalty. The first two are left out; the others, which would
change the answer, are an error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import Field, StrictStr, ValidationError

from reasoner.clients._wire.dialect import (
    Count,
    Wire,
    applied,
    bad_fields,
    json_bytes,
    json_event,
    messages_of,
    read_reply,
    schema_of,
    went_on,
)
from reasoner.errors import BadConfig, BadResponse
from reasoner.types import Completion, FinishReason, Request, Usage

if TYPE_CHECKING:
    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile
    from reasoner.clients._wire.sse import Event

VERSION = "2023-06-01"
TOOL = "answer"

_FINISH: dict[str | None, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class AnthropicDialect:
    """`POST {base_url}/messages`."""

    def headers(self, key: str) -> dict[str, str]:
        """Return the version of the interface, and the header that carries the key."""
        return {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})

    def body(self, request: Request, *, model: str, profile: Profile, stream: bool) -> bytes:
        """Write the JSON body of a request.

        Raises:
            BadConfig: it holds what this format cannot say, or a number JSON cannot carry.
        """
        sampling = request.sampling.numbers
        if sampling.min_p or sampling.repeat_penalty != 1.0 or sampling.temperature > 1.0:
            raise BadConfig(
                "the Anthropic format has no min_p, no repeat penalty and no temperature above 1", hint="leave them at their defaults"
            )
        messages = messages_of(request, profile)
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": sampling.max_tokens,
            "messages": [{"role": m.role, "content": m.content} for m in messages if m.role != "system"],
        }
        if instructions := "\n\n".join(m.content for m in messages if m.role == "system"):
            body["system"] = instructions
        if profile.sampling:
            body["temperature"] = sampling.temperature
            # Newer models refuse temperature and top_p together: what is at its default is not said.
            body |= {"top_p": sampling.top_p} if sampling.top_p != 1.0 else {}
            body |= {"top_k": sampling.top_k} if sampling.top_k else {}
        if request.sampling.stop:
            body["stop_sequences"] = list(request.sampling.stop)
        if profile.reasoning_effort:
            body["output_config"] = {"effort": profile.reasoning_effort}
        if stream:
            body["stream"] = True
        schema = schema_of(request, profile)
        if schema is not None and profile.schema_by == "tool":
            body["tools"] = [{"name": TOOL, "description": "Give the answer.", "input_schema": schema}]
            body["tool_choice"] = {"type": "tool", "name": TOOL}
        elif schema is not None and profile.schema_by in {"json_schema", "json_object"}:
            body["output_config"] = body.get("output_config", {}) | {"format": {"type": "json_schema", "schema": schema}}
        return json_bytes(body)

    def completion(self, endpoint: Endpoint, request: Request, body: bytes, *, seconds: float, profile: Profile) -> Completion:
        """Read a success body.

        Raises:
            BadResponse: it is not one whole message.
            ClientError: it says itself what is wrong (no quota left, too many requests).
        """
        reply = read_reply(endpoint, body, _Reply)
        texts = [block.text for block in reply.content if block.type == "text"]
        tools = [json.dumps(block.input, ensure_ascii=False) for block in reply.content if block.type == "tool_use"]
        return _completion(endpoint, request, profile, texts=texts, tools=tools, rest=reply, seconds=seconds)

    def reading(self, endpoint: Endpoint, request: Request, *, profile: Profile) -> AnthropicReading:
        """Begin to read a streamed answer."""
        return AnthropicReading(endpoint, request, profile)


class _Block(Wire):
    type: StrictStr
    text: StrictStr = ""
    input: Any = None


class _Usage(Wire):
    input_tokens: Count | None = None
    output_tokens: Count | None = None
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None


class _Rest(Wire):
    model: StrictStr | None = None
    stop_reason: StrictStr | None = None
    usage: _Usage = _Usage()


class _Reply(_Rest):
    content: list[_Block]


class _Start(Wire):
    message: _Rest


class _BlockStart(Wire):
    index: Count
    content_block: _Block


class _Piece(Wire):
    type: StrictStr
    text: StrictStr = ""
    partial_json: StrictStr = ""


class _BlockDelta(Wire):
    index: Count
    delta: _Piece


class _Reason(Wire):
    stop_reason: StrictStr | None = None


class _MessageDelta(Wire):
    delta: _Reason
    usage: _Usage = Field(default_factory=_Usage)


class AnthropicReading:
    """One streamed message: its blocks piece by piece, then stop_reason and usage, then `message_stop`."""

    def __init__(self, endpoint: Endpoint, request: Request, profile: Profile) -> None:
        self._endpoint = endpoint
        self._request = request
        self._profile = profile
        self._texts: dict[int, list[str]] = {}
        self._tools: dict[int, list[str]] = {}
        self._rest = _Rest()
        self._begun = self._done = False

    @property
    def whole(self) -> bool:
        """Whether a message has begun, said why it stopped, and stopped."""
        return self._begun and self._rest.stop_reason is not None and self._done

    @property
    def ended(self) -> bool:
        """Whether the end was announced."""
        return self._done

    @property
    def text(self) -> str:
        """What has come of the answer."""
        return "".join(piece for pieces in (*self._texts.values(), *self._tools.values()) for piece in pieces)

    def take(self, event: Event) -> None:
        """Take one event; kinds that are not known are skipped, as the format asks.

        Raises:
            ClientError: it is no part of a message, or reports a fault.
        """
        value = json_event(self._endpoint, event.data, begun=bool(self._texts))
        try:
            match value.get("type"):
                case "message_start":
                    self._rest, self._begun = _Start.model_validate(value).message, True
                case "content_block_start":
                    self._open(_BlockStart.model_validate(value))
                case "content_block_delta":
                    self._add(_BlockDelta.model_validate(value))
                case "message_delta":
                    self._settle(_MessageDelta.model_validate(value))
                case "message_stop":
                    self._done = True
        except ValidationError as error:
            raise bad_fields(self._endpoint, error) from error

    def _open(self, start: _BlockStart) -> None:
        if start.content_block.type == "text":
            self._texts[start.index] = [start.content_block.text]
        elif start.content_block.type == "tool_use":
            self._tools[start.index] = []

    def _add(self, part: _BlockDelta) -> None:
        if self._rest.stop_reason is not None:
            raise went_on(self._endpoint)
        if part.delta.type == "text_delta":
            self._texts.setdefault(part.index, []).append(part.delta.text)
        elif part.delta.type == "input_json_delta":
            self._tools.setdefault(part.index, []).append(part.delta.partial_json)

    def _settle(self, end: _MessageDelta) -> None:
        told = {name: count for name, count in end.usage.model_dump().items() if count is not None}
        usage = self._rest.usage.model_copy(update=told)
        reason = end.delta.stop_reason or self._rest.stop_reason
        self._rest = self._rest.model_copy(update={"usage": usage, "stop_reason": reason})

    def closed(self) -> None:
        """Hear that the response has ended; only `message_stop` ends a message."""

    def completion(self, *, seconds: float) -> Completion:
        """Return the answer, once it is whole."""
        texts = ["".join(pieces) for pieces in self._texts.values()]
        tools = ["".join(pieces) or "{}" for pieces in self._tools.values()]
        return _completion(self._endpoint, self._request, self._profile, texts=texts, tools=tools, rest=self._rest, seconds=seconds)

    def usage(self) -> Usage:
        """Return the usage as far as the server has told it."""
        return _usage(self._rest.usage)


def _completion(
    endpoint: Endpoint, request: Request, profile: Profile, *, texts: list[str], tools: list[str], rest: _Rest, seconds: float
) -> Completion:
    by_tool = profile.schema_by == "tool" and request.constraint is not None and bool(tools)
    finish = "stop" if by_tool and rest.stop_reason == "tool_use" else _FINISH.get(rest.stop_reason, "truncated")
    # An answer may be empty, but even that takes a token: without one, a proxy has made a success of a failure behind it.
    nothing = not by_tool and finish not in {"length", "content_filter"} and not any(texts)
    if nothing and (finish != "stop" or not rest.usage.output_tokens):
        raise BadResponse(
            f"{endpoint.url} answered without content (stop_reason {endpoint.said(str(rest.stop_reason), 40)})",
            hint="the model may have called a tool instead of answering",
        )
    text = endpoint.redacted(tools[0] if by_tool else "".join(texts))
    return Completion(
        text=text,
        finish_reason=finish,
        usage=_usage(rest.usage),
        model=endpoint.said(rest.model or "", 200) or endpoint.model,
        constraint_applied=applied(request, text, profile, whole=finish == "stop"),
        seconds=seconds,
    )


def _usage(usage: _Usage) -> Usage:
    """Add up what the format counts apart: the prompt is what was read anew, what was put into the cache, and what came from it."""
    cached = usage.cache_read_input_tokens or 0
    prompt = (usage.input_tokens or 0) + (usage.cache_creation_input_tokens or 0) + cached
    return Usage(prompt, usage.output_tokens or 0, cached)
