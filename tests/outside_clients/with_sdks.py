"""The SDKs of OpenAI and Anthropic."""

from __future__ import annotations

import json
from typing import Any

from anthropic import Anthropic
from cases import MODELS, QUESTION, TOKEN, URL, Product, case, multiply, tell
from openai import OpenAI

ASK: Any = [{"role": "user", "content": QUESTION}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}, "required": ["a", "b"]}
openai: Any = OpenAI(base_url=f"{URL}/v1", api_key=TOKEN, max_retries=0)
anthropic: Any = Anthropic(base_url=URL, api_key=TOKEN, max_retries=0)


def chat_stream(model: str) -> Any:
    with openai.chat.completions.stream(model=model, messages=ASK) as stream:
        return stream.get_final_completion().choices[0].message.content


def chat_tools(model: str) -> Any:
    tools: Any = [{"type": "function", "function": {"name": "multiply", "parameters": SCHEMA}}]
    message = openai.chat.completions.create(model=model, messages=ASK, tools=tools).choices[0].message
    call: Any = (message.tool_calls or [])[0]
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": str(multiply(**json.loads(call.function.arguments)))}
    return openai.chat.completions.create(model=model, messages=[*ASK, message, result], tools=tools).choices[0].message.content


def responses_stream(model: str) -> Any:
    with openai.responses.stream(model=model, input=ASK) as stream:
        return stream.get_final_response().output_text


def responses_tools(model: str) -> Any:
    tools: Any = [{"type": "function", "name": "multiply", "parameters": SCHEMA, "strict": True}]
    made = openai.responses.create(model=model, input=ASK, tools=tools)
    call: Any = made.output[-1]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": str(multiply(**json.loads(call.arguments)))}
    turns: Any = [*ASK, *made.output, result]
    return openai.responses.create(model=model, input=turns, tools=tools).output_text


def messages_stream(model: str) -> Any:
    with anthropic.messages.stream(model=model, messages=ASK, max_tokens=64) as stream:
        return stream.get_final_text()


def messages_tools(model: str) -> Any:
    asked: Any = {"model": model, "max_tokens": 64, "tools": [{"name": "multiply", "input_schema": SCHEMA}]}
    first = anthropic.messages.create(messages=ASK, **asked)
    call: Any = first.content[-1]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": str(multiply(**call.input))}
    turns: Any = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    return anthropic.messages.create(messages=turns, **asked).content[-1].text


def thinking(model: str) -> Any:
    """The thought comes in a block of its own, and goes back in the second turn."""
    asked: Any = {"model": model, "max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    first = anthropic.messages.create(messages=ASK, **asked)
    kinds = [block.type for block in first.content]
    if kinds != ["thinking", "text"]:
        raise ValueError(kinds)
    turns: Any = [*ASK, {"role": "assistant", "content": first.content}, {"role": "user", "content": "Are you sure?"}]
    return anthropic.messages.create(messages=turns, **asked).content[-1].text


for name in MODELS:
    case(name, "chat", lambda: openai.chat.completions.create(model=name, messages=ASK).choices[0].message.content)
    case(name, "chat, stream", lambda: chat_stream(name))
    case(
        name,
        "chat, parse",
        lambda: openai.chat.completions.parse(model=name, messages=ASK, response_format=Product).choices[0].message.parsed,
    )
    case(name, "chat, tools", lambda: chat_tools(name))
    case(name, "responses", lambda: openai.responses.create(model=name, input=QUESTION).output_text)
    case(name, "responses, stream", lambda: responses_stream(name))
    case(name, "responses, parse", lambda: openai.responses.parse(model=name, input=ASK, text_format=Product).output_parsed)
    case(name, "responses, tools", lambda: responses_tools(name))
    case(name, "messages", lambda: anthropic.messages.create(model=name, messages=ASK, max_tokens=64).content[-1].text)
    case(name, "messages, stream", lambda: messages_stream(name))
    case(name, "messages, tools", lambda: messages_tools(name))
    case(name, "messages, thinking, second turn", lambda: thinking(name))
tell()
