"""The Anthropic Messages format: writing requests, reading answers whole or streamed.

Knows bytes and fields. Does not open connections, read settings or wait; `remote` does. Whose fault a status is, `endpoint` knows.

    {"model": "m", "max_tokens": 4096, "system": "Be brief.", "messages": [{"role": "user", "content": "4 9 10 13"}]}

What the format has no word for: a seed, log-probabilities, min_p, a repeat penalty. The first two are left out; the others, which would
change the answer, are an error. The blocks of an answer that holds a thought go back unchanged and in order.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reasoner.clients._wire import thinking
from reasoner.clients._wire.dialect import (
    Reading,
    extra_body,
    json_event,
    json_value,
    merged,
    messages_of,
    no_answer,
    read_reply,
    schema_of,
    sent,
    went_on,
)
from reasoner.clients._wire.said import (
    MAX_COUNT,
    Counts,
    Said,
    completion_of,
    count,
    json_text,
    mapping,
    objects,
    opaque_items,
    unreadable,
    words,
)
from reasoner.errors import BadConfig
from reasoner.types import Completion, Message, Request, ToolCall

if TYPE_CHECKING:
    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile
    from reasoner.clients._wire.sse import Event

VERSION = "2023-06-01"
TOOL = "answer"
FORM = "anthropic"
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_THOUGHTS = ("thinking", "redacted_thinking")


class AnthropicDialect:
    """`POST {base_url}/messages`."""

    def headers(self, key: str) -> dict[str, str]:
        """Return the version of the interface, and the header that carries the key."""
        return {"anthropic-version": VERSION} | ({"x-api-key": key} if key else {})

    def body(self, request: Request, *, model: str, profile: Profile, stream: bool) -> dict[str, Any]:
        """Return the body of a request: what is set, and a bound, which the format wants.

        Raises:
            BadConfig: it holds what this format cannot say.
        """
        sampling = sent(request.sampling, profile, bounded=True)
        if sampling.min_p or sampling.repeat_penalty not in {None, 1.0} or (sampling.temperature or 0.0) > 1.0:
            raise BadConfig(
                "the Anthropic format has no min_p, no repeat penalty and no temperature above 1", hint="leave them at their defaults"
            )
        messages = messages_of(request, profile)
        body: dict[str, Any] = {"model": model, "max_tokens": sampling.max_tokens, "messages": _turns(messages)}
        if instructions := "\n\n".join(m.content for m in messages if m.role == "system"):
            body["system"] = instructions
        if sampling.temperature is not None:
            body["temperature"] = sampling.temperature
        # Newer models refuse temperature and top_p together: what is at its default is not said.
        body |= {"top_p": sampling.top_p} if sampling.top_p not in {None, 1.0} else {}
        body |= {"top_k": sampling.top_k} if sampling.top_k else {}
        if sampling.stop:
            body["stop_sequences"] = list(sampling.stop)
        if profile.reasoning_effort:
            body["output_config"] = {"effort": profile.reasoning_effort}
        body = merged(body, thinking.fields(sampling.thinking, profile, max_tokens=sampling.max_tokens))
        if stream:
            body["stream"] = True
        body = merged(body, _tool_fields(request) | _schema_fields(request, profile))
        return merged(body, extra_body(sampling.extra_body))

    def completion(self, endpoint: Endpoint, request: Request, body: bytes, *, seconds: float, profile: Profile) -> Completion:
        """Read a success body.

        Raises:
            BadResponse: it is not one whole message.
            ClientError: it says itself what is wrong (no quota left, too many requests).
        """
        reply = read_reply(endpoint, body)
        if not isinstance(reply.get("content"), list):
            raise no_answer(endpoint, "its content is not a list of blocks")
        said = read_blocks(endpoint, objects(reply["content"]))
        said.finish = words(reply.get("stop_reason")) or None
        said.counts = read_usage(reply.get("usage"))
        said.model = words(reply.get("model"))
        return completion_of(endpoint, request, profile, said, form=FORM, seconds=seconds)

    def reading(self, endpoint: Endpoint, request: Request, *, profile: Profile) -> AnthropicReading:
        """Begin to read a streamed answer."""
        return AnthropicReading(endpoint, request, profile)


def _schema_fields(request: Request, profile: Profile) -> dict[str, Any]:
    schema = schema_of(request, profile)
    if schema is None or profile.schema_by == "prompt":
        return {}
    if profile.schema_by == "tool":
        tool = {"name": TOOL, "description": "Give the answer.", "input_schema": schema}
        return {"tools": [tool], "tool_choice": {"type": "tool", "name": TOOL}}
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def _tool_fields(request: Request) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if request.tools:
        made["tools"] = [
            {"name": tool.name, "input_schema": json_value(tool.parameters, f"the schema of {tool.name}")}
            | ({"description": tool.description} if tool.description else {})
            for tool in request.tools
        ]
    if request.tool_choice:
        kind, _, name = request.tool_choice.partition(":")
        made["tool_choice"] = {"type": "tool", "name": name} if kind == "tool" else {"type": _CHOICES.get(kind, "auto")}
    return made


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Write the turns of a conversation; the results of tools that were called at once stand in one turn."""
    made: list[dict[str, Any]] = []
    answering = False
    for message in messages:
        if message.role == "system":
            continue
        if message.role == "tool":
            result = {"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}
            if answering:
                made[-1]["content"].append(result)
            else:
                made.append({"role": "user", "content": [result]})
            answering = True
            continue
        answering = False
        made.append({"role": message.role, "content": _content(message)})
    return made


def _content(message: Message) -> Any:
    """Write the content of a turn: a text, or blocks where there are others."""
    kept = [block for block in opaque_items(message.opaque, FORM) if isinstance(block, dict)]
    if kept and "".join(words(block.get("text")) for block in kept if block.get("type") == "text") == message.content:
        return kept  # unchanged and in order: signatures hold for just this
    blocks: list[dict[str, Any]] = [block for block in kept if words(block.get("type")) in _THOUGHTS]
    blocks += [_image(url) for url in message.images]
    if not blocks and not message.tool_calls:
        return message.content
    blocks += [{"type": "text", "text": message.content}] if message.content.strip() else []
    return blocks + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _input_of(call.arguments)} for call in message.tool_calls
    ]


def _input_of(arguments: str) -> Any:
    """Return the arguments of a call as the object the format wants; what a model wrote wrong stands in one field."""
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"arguments": arguments}


def _image(url: str) -> dict[str, Any]:
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    return {"type": "image", "source": {"type": "base64", "media_type": head[5:-7], "data": data}}


def read_blocks(endpoint: Endpoint, blocks: Sequence[dict[str, Any]]) -> Said:
    """Return what the blocks of a message say. Where one holds a thought, all of them are kept to go back as they are.

    Raises:
        UnreadableAnswer: the text of one is none.
    """
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[ToolCall] = []
    for block in blocks:
        match block.get("type"):
            case "text":
                if not isinstance(block.get("text", ""), str):
                    raise unreadable(endpoint, "the text of a block", block["text"])
                texts.append(block.get("text", ""))
            case "thinking":
                thoughts.append(words(block.get("thinking")))
            case "tool_use":
                given = block.get("input")
                arguments = given if isinstance(given, str) else json_text({} if given is None else given)
                calls.append(ToolCall(words(block.get("id")) or f"call_{len(calls)}", words(block.get("name")), arguments))
    kept = list(blocks) if any(words(block.get("type")) in _THOUGHTS for block in blocks) else []
    return Said(
        text="".join(texts) if texts else None, reasoning="\n\n".join(filter(None, thoughts)), tool_calls=calls, opaque=kept
    )  # fmt: skip


class AnthropicReading(Reading):
    """One streamed message: its blocks piece by piece, then stop_reason and usage, then `message_stop`."""

    form = FORM

    def __init__(self, endpoint: Endpoint, request: Request, profile: Profile) -> None:
        super().__init__(endpoint, request, profile)
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[int, dict[str, list[str]]] = {}
        self._usage: dict[str, Any] = {}
        self._model = ""

    @property
    def begun(self) -> bool:
        """Whether anything of an answer has come."""
        return super().begun or any(words(block.get("type")) in {"tool_use", "redacted_thinking"} for block in self._blocks.values())

    def take(self, event: Event) -> None:
        """Take one event; kinds that are not known are skipped, as the format asks.

        Raises:
            ClientError: it is no part of a message, or reports a fault.
        """
        value = json_event(self, event.data)
        match value.get("type"):
            case "message_start":
                message = mapping(value.get("message"))
                self._usage |= mapping(message.get("usage"))
                self._model = words(message.get("model"))
                self.finish = words(message.get("stop_reason")) or self.finish
            case "content_block_start":
                self._open(self._at(value.get("index")), mapping(value.get("content_block")))
            case "content_block_delta":
                self._add(self._at(value.get("index")), mapping(value.get("delta")))
            case "message_delta":
                self._usage |= {name: told for name, told in mapping(value.get("usage")).items() if count(told) is not None}
                self.finish = words(mapping(value.get("delta")).get("stop_reason")) or self.finish
            case "message_stop":
                self.done = self.finish is not None  # one that comes before the reason is no end

    def _at(self, index: Any) -> int:
        """Return the block an event is about; where that cannot be read, the last one that was opened."""
        return index if type(index) is int and 0 <= index <= MAX_COUNT else max(self._blocks, default=0)

    def _open(self, index: int, block: dict[str, Any]) -> None:
        if self.finish is not None:
            raise went_on(self.endpoint)
        self._blocks[index] = block
        self._pieces[index] = {}
        if block.get("type") == "text" and not isinstance(block.get("text", ""), str):
            raise unreadable(self.endpoint, "the text of a block", block["text"])
        for name in ("text", "thinking"):
            if isinstance(block.get(name), str) and block[name]:
                self._piece(index, name, block[name])

    def _add(self, index: int, delta: dict[str, Any]) -> None:
        if self.finish is not None:
            raise went_on(self.endpoint)
        names = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature", "input_json_delta": "partial_json"}
        name = names.get(words(delta.get("type")))
        if name is None:
            return
        kind = {"text": "text", "partial_json": "tool_use"}.get(name, "thinking")
        self._blocks.setdefault(index, {"type": kind})
        piece = delta.get(name, "")
        if not isinstance(piece, str):
            if name == "text":
                raise unreadable(self.endpoint, "a piece of the text", piece)
            return
        self._piece(index, name, piece)

    def _piece(self, index: int, name: str, piece: str) -> None:
        self._pieces.setdefault(index, {}).setdefault(name, []).append(piece)
        if piece and name in {"text", "thinking"}:
            (self.texts if name == "text" else self.thoughts).append(piece)

    def said(self) -> Said:
        """Return what has come. Some proxies open a block for every piece of a tool's arguments: blocks of one id that follow each other are one call."""
        blocks: list[dict[str, Any]] = []
        for index, block in self._blocks.items():
            pieces = {name: "".join(found) for name, found in self._pieces.get(index, {}).items()}
            partial = pieces.pop("partial_json", None)
            if partial is None and block.get("type") != "tool_use":
                blocks.append(block | pieces)
            elif blocks and block.get("id") and blocks[-1].get("id") == block["id"]:
                blocks[-1]["input"] += partial or ""
            else:
                blocks.append(block | {"input": partial or (json_text(block["input"]) if block.get("input") else "")})
        for block in blocks:
            if block.get("type") == "tool_use":
                block["input"] = block["input"] or "{}"
        said = read_blocks(self.endpoint, blocks)
        said.opaque = [b | {"input": _input_of(words(b.get("input")))} if b.get("type") == "tool_use" else b for b in said.opaque]
        said.counts, said.model = read_usage(self._usage), self._model
        return said


def read_usage(value: Any) -> Counts:
    """Add up what the format counts apart: the prompt is what was read anew, what was put into the cache, and what came from it."""
    usage = mapping(value)
    fresh, cached = count(usage.get("input_tokens")), count(usage.get("cache_read_input_tokens")) or 0
    written = count(usage.get("cache_creation_input_tokens")) or 0
    prompt = None if fresh is None and not cached and not written else (fresh or 0) + written + cached
    details = mapping(usage.get("output_tokens_details"))
    reasoning = count(details.get("thinking_tokens")) or count(details.get("reasoning_tokens"))
    return Counts(prompt, count(usage.get("output_tokens")), cached, reasoning)
