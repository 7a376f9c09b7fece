"""Read the values of logs as they are: content as text or parts, tool calls in five spellings, usage under a dozen names.

    message({"role": "human", "content": [{"type": "text", "text": "hi"}]}) -> [Message("user", "hi")]

Strict on what a message says, lenient on everything beside it. Nothing of a row is believed: texts are bounded and storable, numbers checked.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reasoner.clients._thoughts import split
from reasoner.datasets.imports._seam import Unusable
from reasoner.datasets.records import Label, Origin, Pair, Steps
from reasoner.types import Message, Role, ToolCall, ToolSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "prompter": "user", "assistant": "assistant", "gpt": "assistant",
    "chatgpt": "assistant", "bing": "assistant", "bard": "assistant", "ai": "assistant", "model": "assistant", "bot": "assistant",
    "agent": "assistant", "function_call": "assistant", "tool": "tool", "function": "tool", "observation": "tool", "function_response": "tool",
    "ipython": "tool", "tool_response": "tool", "environment": "tool",
}  # fmt: skip
MAX_TOKENS = 10**12
MAX_DOLLARS = 1e9
PROMPT = ("prompt_tokens", "input_tokens", "promptTokens", "inputTokens", "input")
COMPLETION = ("completion_tokens", "output_tokens", "completionTokens", "outputTokens", "output")
CACHED = (
    "prompt_tokens_details.cached_tokens", "input_tokens_details.cached_tokens", "cache_read_input_tokens", "input_tokens_cache_read",
    "cached_tokens", "cache_read",
)  # fmt: skip
REASONING = ("completion_tokens_details.reasoning_tokens", "output_tokens_details.reasoning_tokens", "reasoning_tokens", "reasoning")
FINISHES = {
    "stop": "stop", "end_turn": "stop", "stop_sequence": "stop", "eos": "stop", "eos_token": "stop", "length": "length", "max_tokens": "length",
    "model_length": "length", "tool_calls": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls", "tool-calls": "tool_calls",
    "content_filter": "content_filter", "refusal": "content_filter", "safety": "content_filter",
}  # fmt: skip


def at(value: Any, path: str) -> Any:
    """Return what stands at a dotted path of objects and lists, None where nothing does."""
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.lstrip("-").isdecimal() and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def first(value: Any, paths: Iterable[str]) -> Any:
    """Return what stands at the first of some paths that holds something."""
    return next((found for path in paths if (found := at(value, path)) is not None), None)


def text(value: Any) -> str:
    """Return a value as text: text as it is, None as nothing, others as JSON."""
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def parsed(value: Any) -> Any:
    """Return what a text that is JSON holds; any other value as it is."""
    if not isinstance(value, str) or value.lstrip()[:1] not in {"[", "{"}:
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def role_of(value: Any) -> Role:
    """Return the role a log calls by one of many names.

    Raises:
        Unusable: it is none of them.
    """
    role = ROLES.get(value.lower()) if isinstance(value, str) else None
    if role is None:
        raise Unusable("a message has a role that is not known")
    return role


def message(value: Any, *, told: bool = False) -> list[Message]:
    """Return the messages in one of a log: mostly one; results of tools that stand inside a user's message are messages of their own.

    `told`: a thought that stands in the text of an assistant, in tags or channels, is told apart.

    Raises:
        Unusable: it has no role or content that can be read.
    """
    if not isinstance(value, dict):
        raise Unusable("a message is not an object")
    role = role_of(value.get("role", value.get("from", value.get("type"))))
    content = value.get("content", value.get("value", value.get("text", value.get("message"))))
    if isinstance(content, dict) and "parts" in content:
        content = content["parts"]
    pieces = _Pieces()
    pieces.read(parsed_parts(content) if isinstance(content, (list, dict)) else content)
    thought = next((value[name] for name in ("reasoning_content", "reasoning", "thinking") if isinstance(value.get(name), str)), "")
    calls = [
        *pieces.calls,
        *tool_calls(value.get("tool_calls")),
        *tool_calls([value["function_call"]] if value.get("function_call") else None),
    ]
    made = Message(
        role, pieces.text, reasoning="\n\n".join(filter(None, (thought, *pieces.thoughts))), tool_calls=tuple(calls) if role == "assistant" else (),
        tool_call_id=text(value.get("tool_call_id") or value.get("call_id") or ""), images=tuple(pieces.images),
    )  # fmt: skip
    if role == "assistant" and told and not made.reasoning:
        made = told_apart(made)
    alone = not made.content and not made.parts()
    if pieces.results and alone:
        return pieces.results
    if alone and content is None and role not in {"assistant", "tool"}:
        raise Unusable("a message has no content")
    return [*pieces.results, made]


def told_apart(made: Message) -> Message:
    """Return a reply with its thought apart from its text, where the text holds both."""
    parts = split(made.content)
    if not parts.reasoning and not parts.tool_calls:
        return made
    return replace(made, content=parts.text, reasoning=parts.reasoning, tool_calls=(*made.tool_calls, *parts.tool_calls))


def parsed_parts(content: Any) -> list[Any]:
    """Return content as a list of parts."""
    return content if isinstance(content, list) else [content]


class _Pieces:
    """What the content of a message holds, by what it is."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.calls: list[ToolCall] = []
        self.results: list[Message] = []
        self.images: list[str] = []

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    def read(self, content: Any) -> None:
        if content is None:
            return
        if isinstance(content, str):
            self.texts.append(content)
            return
        if not isinstance(content, list):
            raise Unusable("the content of a message is neither a text nor a list of parts")
        for part in content:
            if isinstance(part, str):
                self.texts.append(part)
            elif isinstance(part, dict):
                self._part(part)
            else:
                raise Unusable("a part of a message is neither text nor an object")

    def _part(self, part: dict[str, Any]) -> None:
        kind = str(part.get("type", "text"))
        if kind in {"thinking", "reasoning", "thought"}:
            self.thoughts += [thought for thought in _thoughts(part) if thought]
        elif kind in {"tool_use", "tool_call", "tool-call", "function_call"}:
            self.calls += tool_calls([part])
        elif kind in {"tool_result", "tool_call_response", "tool-result", "function_response"}:
            inner = _Pieces()
            inner.read(_result(part))
            place = part.get("tool_use_id") or part.get("tool_call_id") or part.get("toolCallId") or part.get("id")
            self.results.append(Message("tool", inner.text, tool_call_id=text(place or "")))
        elif kind in {"image", "image_url", "input_image"}:
            self.images.append(_image(part))
        elif kind not in {"redacted_thinking", "redacted_reasoning"}:
            found = first(part, ("text", "content", "refusal", "value"))
            self.texts.append(found if isinstance(found, str) else f"[{kind}]")


def _thoughts(part: Mapping[str, Any]) -> list[str]:
    found = first(part, ("thinking", "reasoning", "text", "content", "summary"))
    if isinstance(found, list):
        return [text(one.get("text")) if isinstance(one, dict) else text(one) for one in found]
    return [text(found)]


def _result(part: Mapping[str, Any]) -> Any:
    found = first(part, ("content", "response", "result", "output", "text"))
    return found if isinstance(found, (str, list)) or found is None else json.dumps(found, default=str)


def _image(part: Mapping[str, Any]) -> str:
    source = part.get("source")
    if isinstance(source, dict) and isinstance(source.get("data"), str):
        return f"data:{source.get('media_type', 'image/png')};base64,{source['data']}"
    found = first(part, ("image_url.url", "image_url", "image", "source.url", "source.path", "url"))
    return found if isinstance(found, str) else "[image]"


def tool_calls(value: Any) -> tuple[ToolCall, ...]:
    """Return calls of tools as OpenAI, Anthropic, Inspect, ATIF and OpenTelemetry write them."""
    found = []
    for call in value if isinstance(value, list) else ():
        if not isinstance(call, dict):
            continue
        function = call.get("function")
        inner = function if isinstance(function, dict) else call
        name = function if isinstance(function, str) else first(inner, ("name", "function_name", "toolName", "tool_name"))
        arguments = first(inner, ("arguments", "input", "args", "parameters"))
        place = first(call, ("id", "tool_call_id", "call_id", "toolCallId"))
        found.append(
            ToolCall(text(place), text(name), arguments if isinstance(arguments, str) else json.dumps(arguments or {}, default=str))
        )
    return tuple(found)


def tools(value: Any) -> tuple[ToolSpec, ...]:
    """Return the tools a log says were offered; what is none is left out."""
    made = []
    for tool in parsed(value) if isinstance(parsed(value), list) else ():
        inner = tool.get("function", tool) if isinstance(tool, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            schema = first(inner, ("parameters", "input_schema", "inputSchema"))
            made.append(
                ToolSpec(inner["name"], text(inner.get("description")), schema if isinstance(schema, str) else json.dumps(schema or {}))
            )
    return tuple(made)


def messages(values: Any, *, told: bool = False) -> list[Message]:
    """Return the messages of a list.

    Raises:
        Unusable: it is no list, an empty one, or one of them cannot be read.
    """
    if not isinstance(values, list) or not values:
        raise Unusable("there is no list of messages")
    return [made for value in values for made in message(value, told=told)]


def prompt(value: Any, system: Any = None) -> list[Message]:
    """Return a prompt given as text or as messages, with a system text before it."""
    before = [Message("system", system)] if isinstance(system, str) and system else []
    value = parsed(value)
    if isinstance(value, list):
        return [*before, *messages(value)]
    if isinstance(value, str) and value:
        return [*before, Message("user", value)]
    raise Unusable("there is no prompt")


def cut_at_reply(found: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Return the messages up to the last reply, and what stands behind it.

    Raises:
        Unusable: there is no reply, or nothing before it.
    """
    last = max((place for place, m in enumerate(found) if m.role == "assistant"), default=0)
    if last < 1:
        raise Unusable("there is no reply of an assistant to anything")
    return list(found[: last + 1]), list(found[last + 1 :])


def replies(found: Sequence[Message]) -> list[int]:
    """Return the places of all that an assistant said to something.

    Raises:
        Unusable: there is none.
    """
    places = [place for place, m in enumerate(found) if m.role == "assistant" and place]
    if not places:
        raise Unusable("there is no reply of an assistant to anything")
    return places


def usage(value: Any, *, cost: Any = None, seconds: Any = None) -> tuple[dict[str, Any], int]:
    """Return the columns of a call that hold its usage, and how many numbers were left out because they cannot be right."""
    found: dict[str, Any] = {}
    bad = 0
    if isinstance(value, dict):
        for column, paths in (
            ("prompt_tokens", PROMPT), ("completion_tokens", COMPLETION), ("cached_tokens", CACHED), ("reasoning_tokens", REASONING),
        ):  # fmt: skip
            number = first(value, paths)
            if number is None or isinstance(number, (dict, list)):
                continue
            if is_count(number):
                found[column] = int(number)
            else:
                bad += 1
    for column, number, most in (("cost", cost, MAX_DOLLARS), ("seconds", seconds, 1e9)):
        if number is None:
            continue
        if isinstance(number, (int, float)) and not isinstance(number, bool) and 0 <= number <= most:
            found[column] = float(number)
        else:
            bad += 1
    return found, bad


def is_count(number: Any) -> bool:
    """Tell whether a value can be a count of tokens."""
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return False
    return 0 <= number <= MAX_TOKENS and (isinstance(number, int) or (math.isfinite(number) and number == int(number)))


def finish(value: Any) -> dict[str, str]:
    """Return the column of how a reply ended, empty where it is not known."""
    known = FINISHES.get(str(value).lower())
    return {"finish_reason": known} if known else {}


def facts(value: Mapping[str, Any], *, but: Iterable[str] = ()) -> dict[str, Any]:
    """Return what a row says besides what was read from it."""
    left = set(but)
    return {str(name): inner for name, inner in value.items() if name not in left and inner not in (None, "", [], {})}


def one_reply(value: Any) -> Message:
    """Return a completion given as text, as a message or as a list of one message.

    Raises:
        Unusable: it is none of these.
    """
    value = parsed(value) if not isinstance(value, str) else value
    if isinstance(value, str):
        return told_apart(Message("assistant", value))
    found = messages(value if isinstance(value, list) else [value], told=True)
    if len(found) != 1 or found[0].role != "assistant":
        raise Unusable("a completion is more than one message of an assistant")
    return found[0]


def _origin(model: str) -> Origin:
    return Origin("imported", "", None, (model or "imported",), ("imported",))


def pair(asked: Sequence[Message], chosen: Message, rejected: Message, *, model: str = "", **columns: Any) -> Pair:
    """Return a preference; its lineage is filled in when it is stored."""
    if chosen.tool_calls or rejected.tool_calls:
        raise Unusable("one of two completions calls tools, which a preference has no place for")
    if (chosen.content, chosen.reasoning) == (rejected.content, rejected.reasoning):
        raise Unusable("its two completions are the same")
    lineage = {"reasoning": True} if chosen.reasoning or rejected.reasoning or any(m.reasoning for m in asked) else {}
    return Pair(
        _origin(model), lineage, tuple(asked), chosen.content, rejected.content, chosen.reasoning, rejected.reasoning, columns=dict(columns)
    )


def label(asked: Sequence[Message], completion: Message, *, good: bool, model: str = "", **columns: Any) -> Label:
    """Return one labelled completion."""
    lineage = {"reasoning": True} if completion.reasoning or any(m.reasoning for m in asked) else {}
    return Label(_origin(model), lineage, tuple(asked), completion.content, good, completion.reasoning, columns=dict(columns))


def steps(asked: str, texts: Sequence[str], labels: Sequence[bool], *, model: str = "", **columns: Any) -> Steps:
    """Return a chain of labelled steps.

    Raises:
        Unusable: there is none.
    """
    if not asked or not texts:
        raise Unusable("there is no prompt, or no step")
    return Steps(_origin(model), {}, asked, list(texts), list(labels), columns=dict(columns))


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def first_of(value: Mapping[str, Any], names: Iterable[str]) -> Any:
    """Return the value of the first of some names that has one; a dot in a name is a part of it."""
    return next((value[name] for name in names if value.get(name) is not None), None)


def with_thought(reply: Message, thought: str) -> Message:
    """Return a reply with what was thought before it."""
    return replace(reply, reasoning=thought)
