"""Tools of models that have no field for them: how a request offers them, and how a text asks for one.

A chat template that knows tools writes them itself. For one that does not they are told in words (`prompts/clients/tools.jinja`), and calls and results are
written between tags. What a model writes is read in the forms that are in use, and is data: a name is looked up, arguments stay text.

    read_calls('<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>', names={"add"}, n_before=0)
        -> ("", (ToolCall("call_0", "add", '{"a": 1}'),))

| form | who |
|---|---|
| `<tool_call>{"name": ..., "arguments": {...}}</tool_call>` | Qwen, Hermes, SmolLM, and the form in words |
| `<tool_call><function=NAME><parameter=KEY>value</parameter></function></tool_call>` | Qwen3-Coder |
| `[TOOL_CALLS][{"name": ..., "arguments": {...}}]`, `[TOOL_CALLS]NAME[ARGS]{...}` | Mistral |
| `{"name": ..., "parameters": {...}}`, alone or behind `<|python_tag|>` | Llama |
| `{"name": ..., "arguments": {...}}`, alone, in a fence or between `<tools>`: only where every name is that of a tool | Qwen2.5-Coder |
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

from reasoner.errors import BadConfig
from reasoner.prompts.templates import Prompts
from reasoner.types import Constraint, Message, Request, ToolCall, ToolSpec

TEMPLATE = "clients/tools"
MAX_CALLS = 64

_TAGGED = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_FENCED = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?```", re.DOTALL)
_TOOLS_TAG = re.compile(r"<tools?>(.*?)(?:</tools?>|\Z)", re.DOTALL)
_FUNCTION = re.compile(r"<function=([^>\s]{1,128})>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\s]{1,128})>\n?(.*?)\n?</parameter>", re.DOTALL)
_NAMED_ARGUMENTS = re.compile(r"([A-Za-z0-9_.-]{1,128})(?:\[CALL_ID\][^\[]*)?(?:\[ARGS\])?(?=\{)")
_NAME = re.compile(r'"name"\s*:\s*"([^"\\]{1,128})"')
_ARGUMENTS = re.compile(r'"(?:arguments|parameters)"\s*:')


def specs(tools: Sequence[ToolSpec]) -> list[dict[str, Any]]:
    """Return the tools as chat templates are given them.

    Raises:
        BadConfig: the schema of a tool is no JSON.
    """
    made = []
    for tool in tools:
        try:
            parameters = json.loads(tool.parameters)
        except (ValueError, RecursionError) as error:
            raise BadConfig(f"the schema of the tool {tool.name!r} is no JSON: {error}", hint="give a JSON schema") from error
        made.append({"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": parameters}})
    return made


def in_words(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[Message, ...]:
    """Return the messages for a template that knows no tools: these in a system message, calls and results between tags."""
    result = [_without_parts(message) for message in messages]
    if tools:
        told = [json.dumps(spec["function"], ensure_ascii=False) for spec in specs(tools)]
        words = Prompts().get(TEMPLATE).render_text({"tools": told}).strip()
        at = next((i for i, m in enumerate(result) if m.role == "system"), None)
        if at is None:
            result.insert(0, Message("system", words))
        else:
            result[at] = Message("system", f"{result[at].content}\n\n{words}")
    return tuple(result)


def chosen(request: Request) -> Constraint | None:
    """Return the constraint that makes the model call a tool where it must; None where it is free, or has a constraint of its own.

    Raises:
        BadConfig: there is no such tool.
    """
    kind, _, name = request.tool_choice.partition(":")
    if kind not in {"required", "tool"} or request.constraint is not None:
        return request.constraint
    wanted = [tool for tool in request.tools if kind == "required" or tool.name == name]
    if not wanted:
        raise BadConfig(f"tool_choice is {request.tool_choice!r}, and no such tool is offered", hint="offer it, or leave tool_choice out")
    schemas = []
    for index, spec in enumerate(specs(wanted)):
        function = spec["function"]
        where = f"#/anyOf/{index}/properties/arguments"
        call = {"name": {"const": function["name"]}, "arguments": _moved(function["parameters"] or {"type": "object"}, where)}
        schemas.append({"type": "object", "properties": call, "required": ["name", "arguments"], "additionalProperties": False})
    return Constraint.schema({"anyOf": schemas}, after_thought=True)


def read_calls(text: str, *, names: Collection[str], n_before: int) -> tuple[str, tuple[ToolCall, ...]]:
    """Return what is left of a text without its calls, and these, numbered on from those of earlier turns.

    A call whose arguments do not parse is one all the same: the model is to be told.
    """
    rest, pairs = text, list[tuple[str, str]]()
    if "<tool_call>" in text:
        rest = _TAGGED.sub("", text)
        pairs = [pair for match in _TAGGED.finditer(text) for pair in _read_tagged(match[1].strip())]
    elif "[TOOL_CALLS]" in text:
        rest, _, asked = text.partition("[TOOL_CALLS]")
        pairs = list(_read_mistral(asked.replace("[TOOL_CALLS]", "").strip()))
    elif (alone := _alone(text)).startswith(("{", "[")):
        found = [pair for body in _bodies(alone) for pair in _read_object(body)]
        if found and all(name in names for name, _ in found):
            rest, pairs = "", found
    calls = tuple(ToolCall(f"call_{n_before + index}", name, arguments) for index, (name, arguments) in enumerate(pairs[:MAX_CALLS]))
    return (rest.strip(), calls) if calls else (text, ())


def _alone(text: str) -> str:
    """Return a text without what some models put around a call: a tag, or a fence around all of it."""
    alone = text.strip().removeprefix("<|python_tag|>").lstrip()
    for pattern in (_FENCED, _TOOLS_TAG):
        if (found := pattern.fullmatch(alone)) is not None:
            return found[1].strip()
    return alone


def _bodies(text: str) -> list[str]:
    """Return the JSON values of a text that is nothing but such, one after the other; the whole text where it is anything else."""
    decoder = json.JSONDecoder()
    bodies, at = list[str](), 0
    while at < len(text) and len(bodies) < MAX_CALLS:
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return [text]
        bodies.append(text[at:end])
        at = end
        while at < len(text) and text[at] in " \t\r\n;,":
            at += 1
    return bodies


def _read_tagged(body: str) -> Iterator[tuple[str, str]]:
    for function in _FUNCTION.finditer(body):
        arguments = {key: _value(value) for key, value in _PARAMETER.findall(function[2])}
        yield function[1], json.dumps(arguments, ensure_ascii=False)
    if not body.startswith("<function="):
        yield from _read_object(body)


def _read_object(body: str) -> Iterator[tuple[str, str]]:
    """Read one call, or a list of them; of one that does not parse the name and what stands for its arguments.

    What follows a whole value is left out: small models go on talking before they close the tag.
    """
    value = _first_value(body)
    for call in value if isinstance(value, list) else [value]:
        if isinstance(call, dict) and isinstance(call.get("name"), str):
            arguments = call.get("arguments", call.get("parameters", {}))
            yield call["name"], arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    if isinstance(value, str) and (name := _NAME.search(body)) is not None:
        key = _ARGUMENTS.search(body)
        yield name[1], _arguments(body[key.end() :].strip()) if key else ""


def _arguments(rest: str) -> str:
    """Return what stands for the arguments of a call that does not parse: a whole object, else everything but the brace that ends the call."""
    try:
        value, end = json.JSONDecoder().raw_decode(rest)
    except (ValueError, RecursionError):
        return rest.removesuffix("}").rstrip()
    return rest[:end] if isinstance(value, dict) else rest.removesuffix("}").rstrip()


def _read_mistral(body: str) -> Iterator[tuple[str, str]]:
    if body.startswith(("[", "{")):
        yield from _read_object(body)
        return
    decoder = json.JSONDecoder()
    at = 0
    while (named := _NAMED_ARGUMENTS.match(body, at)) is not None:
        try:
            arguments, at = decoder.raw_decode(body, named.end())
        except (ValueError, RecursionError):
            yield named[1], body[named.end() :]
            return
        yield named[1], json.dumps(arguments, ensure_ascii=False)
        while at < len(body) and body[at].isspace():
            at += 1


def _first_value(text: str) -> Any:
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return text


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _without_parts(message: Message) -> Message:
    content = message.content
    if message.role == "tool":
        return Message("user", f"<tool_response>\n{content}\n</tool_response>")
    for call in message.tool_calls:
        arguments = _value(call.arguments)
        asked = json.dumps({"name": call.name, "arguments": arguments}, ensure_ascii=False)
        content += f"{'' if not content else chr(10)}<tool_call>\n{asked}\n</tool_call>"
    return replace(message, content=content, tool_calls=(), opaque="", tool_call_id="")


def _moved(schema: Any, where: str) -> Any:
    """Return a schema whose references to itself lead to where it stands within another."""
    if isinstance(schema, list):
        return [_moved(inner, where) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {key: value if key in {"const", "enum", "default", "examples"} else _moved(value, where) for key, value in schema.items()}
    ref = schema.get("$ref")
    if isinstance(ref, str) and ref.startswith("#"):
        moved["$ref"] = where + ref[1:]
    return moved
