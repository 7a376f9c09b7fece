"""A 400 that names a field: what nobody asked for is left out once and never sent again; what the user set is an error that names the option."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from canned import REQUEST, message
from fault_server import Fault, FaultServer, chat, error_body

from reasoner.calling.retry import Fail, Retry, RetryPolicy, classify, with_retry
from reasoner.clients import ClientOptions, open_client
from reasoner.clients._wire.objections import objection
from reasoner.errors import ClientError, Refused, ServerFailed
from reasoner.types import Completion, Request, Sampling

SEED = error_body("Unknown parameter: 'seed'", param="seed")


def ask(server: FaultServer, *faults: Fault, model: str = "openai:m", times: int = 1, request: Request = REQUEST, **options: Any) -> Any:
    server.script(*faults)

    async def main() -> tuple[list[Completion | ClientError], list[str]]:
        client: Any = open_client(model, ClientOptions(**({"base_url": server.url} | options)))
        found: list[Completion | ClientError] = []
        for _ in range(times):
            try:
                found.append(await client.complete(request))
            except ClientError as error:
                found.append(error)
        await client.aclose()
        return found, client.notes

    return asyncio.run(main())


def test_what_is_sent_by_default_is_left_out_once_and_never_sent_again(fault_server: FaultServer) -> None:
    made, notes = ask(fault_server, Fault(SEED, 400), Fault(chat("a")), Fault(chat("b")), times=2)
    assert [each.text for each in made] == ["a", "b"]
    assert ["seed" in received.json for received in fault_server.received] == [True, False, False]
    assert notes == ["openai:m refused 'seed', which is sent by default: it is left out from now on"]


def test_it_is_asked_once_more_and_no_oftener(fault_server: FaultServer) -> None:
    made, notes = ask(fault_server, Fault(SEED, 400), Fault(SEED, 400))
    assert isinstance(made[0], Refused)
    assert len(fault_server.received) == 2
    assert notes == []


OTHER_NAME = error_body(
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", param="max_tokens"
)


def test_a_bound_goes_out_under_its_other_name(fault_server: FaultServer) -> None:
    request = replace(REQUEST, sampling=Sampling(max_tokens=9))
    made, notes = ask(fault_server, Fault(OTHER_NAME, 400), Fault(chat("a")), Fault(chat("b")), times=2, request=request)
    assert [each.text for each in made] == ["a", "b"]
    assert [received.json.get("max_completion_tokens") for received in fault_server.received] == [None, 9, 9]
    assert "max_tokens" not in fault_server.received[2].json
    assert "sent as 'max_completion_tokens'" in notes[0]


@pytest.mark.parametrize(
    ("text", "param"),
    [
        ("max_tokens is too large: 99999. This model supports at most 4096", "max_tokens"),
        ("'max_tokens' must be less than 8192", None),
    ],
)
def test_a_bound_that_is_too_large_is_the_user_s(fault_server: FaultServer, text: str, param: str | None) -> None:
    request = replace(REQUEST, sampling=Sampling(max_tokens=99999))
    made, _ = ask(fault_server, Fault(error_body(text, param=param), 400), request=request)
    assert isinstance(made[0], Refused)
    assert "leave `max_tokens` out" in str(made[0])
    assert len(fault_server.received) == 1


def test_what_the_user_set_is_an_error_that_names_the_option_and_what_the_strategy_set_is_left_out(fault_server: FaultServer) -> None:
    body = error_body("Unsupported value: 'temperature' does not support 0.7 with this model.", param="temperature")
    request = replace(REQUEST, sampling=Sampling(temperature=0.7))
    made, _ = ask(fault_server, Fault(body, 400), request=request)
    assert "leave `temperature` out" in str(made[0])
    by_user = replace(request, by_user=frozenset({"temperature"}))
    made, _ = ask(fault_server, Fault(body, 400), request=by_user)
    assert "leave `temperature` out" in str(made[0])
    by_strategy = replace(request, by_user=frozenset({"max_tokens"}))
    made, notes = ask(fault_server, Fault(body, 400), Fault(chat("a")), request=by_strategy)
    assert made[0].text == "a"
    assert "temperature" not in fault_server.received[-1].json
    assert "'temperature'" in notes[0]


def test_extra_fields_and_thinking_are_named_as_their_options(fault_server: FaultServer) -> None:
    request = replace(REQUEST, sampling=Sampling(extra_body='{"top_a": 1}', thinking="low"))
    made, _ = ask(fault_server, Fault(error_body("Extra inputs are not permitted: top_a"), 422), request=request)
    assert "leave `extra_body` out" in str(made[0])
    made, _ = ask(fault_server, Fault(error_body("unknown field `chat_template_kwargs`"), 400), request=request)
    assert "leave `thinking` out" in str(made[0])


def test_the_bound_that_anthropic_s_format_wants_is_never_left_out(fault_server: FaultServer) -> None:
    made, _ = ask(fault_server, Fault(error_body("max_tokens: 4096 is not supported"), 400), model="anthropic:m")
    assert isinstance(made[0], Refused)
    assert len(fault_server.received) == 1
    made, _ = ask(fault_server, Fault(message("a")), model="anthropic:m")
    assert made[0].text == "a"


def test_a_thought_that_may_not_go_back_is_left_out(fault_server: FaultServer) -> None:
    from reasoner.types import Message, ToolCall

    turn = Message("assistant", "", reasoning="hm", tool_calls=(ToolCall("c", "add", "{}"),))
    request = Request((*REQUEST.messages, turn, Message("tool", "3", tool_call_id="c")))
    body = error_body("messages[2]: unknown field reasoning_content")
    made, _ = ask(fault_server, Fault(body, 400), Fault(chat("a")), request=request)
    assert made[0].text == "a"
    assert ["reasoning_content" in received.json["messages"][2] for received in fault_server.received] == [True, False]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (error_body("x", param="seed"), "seed"),
        (error_body("x", param="messages[0].content"), ""),
        (error_body("x", param="stream_options.include_usage"), ""),
        (b'{"detail": [{"loc": ["body", "seed"], "msg": "extra fields not permitted"}]}', "seed"),
        (b'{"detail": "Unrecognized request argument supplied: seed"}', "seed"),
        (error_body("please stop sending so much"), ""),
        (error_body("'stop' is not supported"), "stop"),
        (error_body("the model is not found"), ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_what_an_error_objects_to(body: bytes, name: str) -> None:
    asked = {"model": "m", "messages": [], "seed": 7, "stop": ["x"], "stream_options": {}}
    assert objection(body, asked) == name


LOADING = [
    error_body("Loading model", code=503),
    b'{"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}',
    b'{"detail": "The model is still warming up"}',
]


@pytest.mark.parametrize("body", LOADING)
def test_a_server_that_loads_its_model_is_waited_for_up_to_a_minute(fault_server: FaultServer, body: bytes) -> None:
    fault_server.script(*[Fault(body, 503)] * 7, Fault(chat("up")))
    slept: list[float] = []

    async def main() -> Completion:
        client = open_client("openai:m", ClientOptions(base_url=fault_server.url))

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        try:
            return await with_retry(
                lambda: client.complete(REQUEST), RetryPolicy(), rng=random.Random(0), sleep=sleep, clock=lambda: sum(slept)
            )
        finally:
            await client.aclose()

    assert asyncio.run(main()).text == "up"
    assert slept == [2.0] * 7, "more than the attempts that other faults get"


def test_it_is_not_waited_for_longer_nor_when_it_says_how_long(fault_server: FaultServer) -> None:
    error = ServerFailed("loading", loading=True)
    assert not error.unknown_outcome
    assert isinstance(classify(error, 30, RetryPolicy(), elapsed_s=58.0), Retry)
    assert isinstance(classify(error, 1, RetryPolicy(), elapsed_s=58.1), Fail)
    made, _ = ask(fault_server, Fault(LOADING[0], 503, {"Retry-After": "3"}))
    assert isinstance(made[0], ServerFailed)
    assert not made[0].loading
    assert made[0].retry_after_s == 3.0
    made, _ = ask(fault_server, Fault(error_body("overloaded"), 503))
    assert isinstance(made[0], ServerFailed)
    assert not made[0].loading
