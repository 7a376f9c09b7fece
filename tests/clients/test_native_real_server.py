"""All three dialects against llama.cpp's own server with a small model whose template thinks, on this machine: thoughts, streams, counts, loading."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from real_servers import free_port, native_server, native_server_command

from reasoner.calling.retry import RetryPolicy, with_retry
from reasoner.clients import ClientOptions, open_client
from reasoner.errors import ContextTooLong
from reasoner.types import Completion, Constraint, Message, Request, Sampling

pytestmark = pytest.mark.model
SCHEMES = ("openai", "responses", "anthropic")
ASKED = (Message("user", "What is the capital of France?"),)
GRAMMAR = r'root ::= "The " [a-z ]{5,30} "</think>" "\n\n" "Paris" [a-z ,]{0,20}'
THINKS = json.dumps({"grammar": GRAMMAR})
"""A small model does not end a thought by itself, so the server makes it."""


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with native_server(tmp_path_factory.mktemp("native")) as url:
        yield url


def ask(
    url: str,
    scheme: str,
    *,
    stream: bool,
    messages: tuple[Message, ...] = ASKED,
    profile: str = "",
    constraint: Any = None,
    **sampling: Any,
) -> Completion:
    async def main() -> Completion:
        client = open_client(f"{scheme}:m", ClientOptions(base_url=url, timeout_s=120, stream=stream, profile=profile))
        try:
            return await client.complete(Request(messages, Sampling(**sampling), 3, constraint, key="k"))
        finally:
            await client.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scheme", ["openai", "responses"])
def test_the_thought_is_apart_from_the_answer_and_all_of_it_is_counted(base_url: str, scheme: str, stream: bool) -> None:
    made = ask(base_url, scheme, stream=stream, max_tokens=60, extra_body=THINKS)
    assert made.reasoning.startswith("The ")
    assert made.text.startswith("Paris")
    assert "think>" not in made.text + made.reasoning
    assert made.finish_reason == "stop"
    assert made.usage.prompt_tokens == 20
    assert 10 < made.usage.completion_tokens <= 60
    assert not made.usage.estimated


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_limit_inside_the_thought_gives_no_answer(base_url: str, scheme: str, stream: bool) -> None:
    made = ask(base_url, scheme, stream=stream, max_tokens=4)
    assert (made.text, made.finish_reason, made.inside_thought) == ("", "length", True)
    assert made.reasoning
    assert made.usage.completion_tokens == 4


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_thinking_off_is_the_switch_of_the_template(base_url: str, stream: bool) -> None:
    made = ask(base_url, "openai", stream=stream, max_tokens=8, thinking="off")
    assert (bool(made.text), made.reasoning, made.usage.prompt_tokens) == (True, "", 25)


def test_a_stream_that_is_told_to_count_nothing_is_counted_as_estimated(base_url: str) -> None:
    quiet = json.dumps({"stream_options": {"include_usage": False}})
    made = ask(base_url, "openai", stream=True, max_tokens=8, thinking="off", extra_body=quiet)
    assert made.text
    assert made.usage.estimated


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_log_probabilities_and_a_schema(base_url: str, stream: bool) -> None:
    made = ask(base_url, "openai", stream=stream, max_tokens=8, thinking="off", logprobs=True)
    assert made.mean_logprob is not None
    assert made.mean_logprob < 0
    assert "".join(token for token, _ in made.token_logprobs) == made.text
    schema = Constraint.schema(
        {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"], "additionalProperties": False}
    )
    bound = ask(base_url, "openai", stream=stream, max_tokens=60, thinking="off", constraint=schema)
    assert list(json.loads(bound.text)) == ["sure"]
    assert bound.constraint_applied == "json_schema"


@pytest.mark.parametrize("scheme", ["openai", "responses"])
def test_a_thought_goes_back_and_the_conversation_goes_on(base_url: str, scheme: str) -> None:
    first = ask(base_url, scheme, stream=True, max_tokens=60, extra_body=THINKS)
    made = ask(base_url, scheme, stream=False, messages=(*ASKED, first.message(), Message("user", "And of Italy?")), max_tokens=8)
    assert made.usage.prompt_tokens > 20 + len(first.text.split())
    assert made.reasoning


def test_a_prompt_over_the_context_is_that_error_with_its_numbers(base_url: str) -> None:
    for stream in (False, True):
        with pytest.raises(ContextTooLong) as caught:
            ask(base_url, "openai", stream=stream, messages=(Message("user", "word " * 1500),), max_tokens=8)
        assert caught.value.context_tokens == 1024
        assert (caught.value.prompt_tokens or 0) > 1500


def test_a_server_that_is_asked_while_it_starts_answers_in_the_end() -> None:
    port = free_port()
    process = subprocess.Popen(native_server_command(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    async def main() -> Completion:
        client = open_client("openai:m", ClientOptions(base_url=f"http://127.0.0.1:{port}/v1", timeout_s=120))
        try:
            policy = RetryPolicy(attempts=200, first_wait_s=0.05, max_wait_s=0.5)
            return await with_retry(lambda: client.complete(Request(ASKED, Sampling(max_tokens=4))), policy, rng=random.Random(0))
        finally:
            await client.aclose()

    try:
        assert asyncio.run(main()).usage.completion_tokens == 4
    finally:
        process.kill()
        process.wait(10)
