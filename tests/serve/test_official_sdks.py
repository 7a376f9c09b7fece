"""The SDKs of OpenAI and Anthropic against the endpoint: responses, streams, parsed forms, tools, thinking and second turns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import openai
import pytest
from loopback import TOKEN, Loopback
from pydantic import BaseModel

from reasoner.clients.scripted import ScriptedClient
from reasoner.serve.app import application
from reasoner.serve.settings import Settings
from reasoner.store import Store
from reasoner.types import Completion, Message, Request, ToolCall, Usage

ASK: list[Any] = [{"role": "user", "content": "What is 6 times 7?"}]
PARAMETERS = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


class Product(BaseModel):
    """What is asked for as a form."""

    answer: int


def script(request: Request) -> Completion:
    """Call the tool where there is one and it was not called yet; give the form where one is wanted; else say it."""
    if request.constraint is not None:
        return Completion('{"answer": 42}', usage=Usage(5, 4))
    if request.tools and request.messages[-1].role != "tool":
        return Completion("", "tool_calls", Usage(5, 4), reasoning="six sevens", tool_calls=(ToolCall("c1", "add", '{"a": 42}'),))
    return Completion("Answer: 42", usage=Usage(5, 4), reasoning="six sevens")


@pytest.fixture
def client(store: Store) -> ScriptedClient:
    return ScriptedClient(script, name="scripted")


@pytest.fixture
def server(store: Store, client: ScriptedClient) -> Iterator[Any]:
    with Loopback(application(store, Settings(TOKEN), clients=[client])) as running:
        yield running


@contextmanager
def gpt(server: Any) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=TOKEN, base_url=f"{server.url}/v1", max_retries=0) as made:
        yield made


@contextmanager
def claude(server: Any) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=TOKEN, base_url=server.url, max_retries=0) as made:
        yield made


@pytest.mark.parametrize(("model", "said"), [("scripted", "Answer: 42"), ("cot/scripted", "42")])
def test_responses_whole_and_streamed(server: Any, client: ScriptedClient, model: str, said: str) -> None:
    with gpt(server) as api:
        made = api.responses.create(model=model, input="What is 6 times 7?", instructions="Be brief.")
        assert (made.status, made.output_text) == ("completed", said)
        assert [item.type for item in made.output] == ["reasoning", "message"]
        assert made.usage is not None
        assert made.usage.total_tokens == 9
        assert client.requests[-1].messages[0].content.startswith("Be brief.")
        events = [*api.responses.create(model=model, input=ASK, stream=True)]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == said
        last = events[-1]
        assert last.type == "response.completed"
        assert last.response.output_text == said
        with api.responses.stream(model=model, input=ASK) as stream:
            assert stream.get_final_response().output_text == said


def test_responses_tools_and_a_second_turn(server: Any, client: ScriptedClient) -> None:
    tools: Any = [{"type": "function", "name": "add", "parameters": PARAMETERS, "strict": True}]
    with gpt(server) as api:
        made = api.responses.create(model="scripted", input=ASK, tools=tools)
        call = made.output[-1]
        assert call.type == "function_call"
        assert (call.name, json.loads(call.arguments)) == ("add", {"a": 42})
        turns: Any = [*ASK, *made.output, {"type": "function_call_output", "call_id": call.call_id, "output": "42"}]
        assert api.responses.create(model="scripted", input=turns, tools=tools).output_text == "Answer: 42"
        assert client.requests[-1].messages == (
            Message("user", "What is 6 times 7?"),
            Message("assistant", "", reasoning="six sevens", tool_calls=(ToolCall("c1", "add", '{"a": 42}'),)),
            Message("tool", "42", tool_call_id="c1"),
        )
        events = [*api.responses.create(model="scripted", input=ASK, tools=tools, stream=True)]
        assert any(event.type == "response.function_call_arguments.done" for event in events)
        with pytest.raises(openai.BadRequestError, match="without a strategy"):
            api.responses.create(model="cot/scripted", input=ASK, tools=tools)
        with pytest.raises(openai.BadRequestError, match="previous_response_id"):
            api.responses.create(model="scripted", input=ASK, previous_response_id="resp_1")
        with pytest.raises(openai.BadRequestError, match="web_search"):
            api.responses.create(model="scripted", input=ASK, tools=[{"type": "web_search"}])


@pytest.mark.parametrize("model", ["scripted", "cot/scripted"])
def test_a_form_is_parsed(server: Any, model: str) -> None:
    with gpt(server) as api:
        chat = api.chat.completions.parse(model=model, messages=ASK, response_format=Product)
        assert chat.choices[0].message.parsed == Product(answer=42)
        assert api.responses.parse(model=model, input=ASK, text_format=Product).output_parsed == Product(answer=42)


def test_chat_tools_streamed_and_whole(server: Any) -> None:
    tools: Any = [{"type": "function", "function": {"name": "add", "parameters": PARAMETERS}}]
    with gpt(server) as api:
        message = api.chat.completions.create(model="scripted", messages=ASK, tools=tools).choices[0].message
        assert message.tool_calls is not None
        result: Any = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "42"}
        turns: Any = [*ASK, message, result]
        assert api.chat.completions.create(model="scripted", messages=turns, tools=tools).choices[0].message.content == "Answer: 42"
        with api.chat.completions.stream(model="scripted", messages=ASK, tools=tools) as stream:
            final = stream.get_final_completion().choices[0]
        assert final.finish_reason == "tool_calls"
        assert final.message.tool_calls is not None
        assert final.message.tool_calls[0].function.arguments == '{"a": 42}'


def test_messages_tools_thinking_and_a_second_turn(server: Any, client: ScriptedClient) -> None:
    tools: Any = [{"name": "add", "input_schema": PARAMETERS}]
    asked: dict[str, Any] = {
        "model": "scripted",
        "max_tokens": 2000,
        "tools": tools,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    with claude(server) as api:
        with api.messages.stream(messages=ASK, **asked) as stream:
            first = stream.get_final_message()
        assert [block.type for block in first.content] == ["thinking", "tool_use"]
        assert first.stop_reason == "tool_use"
        assert client.requests[-1].sampling.thinking == "1024"
        result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "42"}]}
        turns: Any = [*ASK, {"role": "assistant", "content": first.content}, result]
        second = api.messages.create(messages=turns, **asked)
        assert second.content[-1].text == "Answer: 42"
        assert client.requests[-1].messages[1].reasoning == "six sevens"
        assert api.messages.count_tokens(model="scripted", messages=ASK).input_tokens > 0
