"""The remote client against a real OpenAI-compatible server with a real small model, on this machine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest
from real_servers import N_CTX, llama_server

from reasoner.clients import ClientOptions, open_client
from reasoner.errors import ContextTooLong, Refused, ServerFailed
from reasoner.types import Completion, Constraint, Message, Request, Sampling

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with llama_server(tmp_path_factory.mktemp("server")) as url:
        yield url


def ask(
    base_url: str, text: str, sampling: Sampling, constraint: Constraint | None = None, *, stream: bool = False, profile: str = ""
) -> Completion:
    async def main() -> Completion:
        options = ClientOptions(base_url=base_url, timeout_s=120, stream=stream, profile=profile)
        client = open_client("openai:smollm2", options)
        try:
            return await client.complete(Request((Message("user", text),), sampling, seed=3, constraint=constraint, key="k"))
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_a_plain_chat_with_usage_and_the_same_text_again(base_url: str) -> None:
    first = ask(base_url, "What is the capital of France?", Sampling(max_tokens=40))
    assert "Paris" in first.text
    assert first.finish_reason == "stop"
    assert first.usage.prompt_tokens > 5
    assert 1 <= first.usage.completion_tokens <= 40
    assert (first.usage.cost, first.constraint_applied) == (None, "none")
    assert first.seconds > 0
    assert ask(base_url, "What is the capital of France?", Sampling(max_tokens=40)).text == first.text


def test_a_streamed_answer_is_the_same_text_and_this_server_does_not_count_it(base_url: str) -> None:
    whole = ask(base_url, "What is the capital of France?", Sampling(max_tokens=40))
    streamed = ask(base_url, "What is the capital of France?", Sampling(max_tokens=40), stream=True)
    assert (streamed.text, streamed.finish_reason, streamed.model) == (whole.text, "stop", "smollm2")
    assert streamed.usage.completion_tokens in {0, whole.usage.completion_tokens}
    assert ask(base_url, "Write a long story about a fox.", Sampling(max_tokens=8), stream=True).finish_reason == "length"
    with pytest.raises(ServerFailed, match="before anything of an answer"):  # it closes such a stream without a word of why
        ask(base_url, "word " * 3000, Sampling(max_tokens=20), stream=True)


def test_a_schema_it_does_take_when_the_profile_says_how(base_url: str) -> None:
    schema = Constraint.schema({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
    made = ask(base_url, "What is the capital of France?", Sampling(max_tokens=60), schema, profile="schema=json_object")
    assert made.constraint_applied == "json_schema"
    assert list(json.loads(made.text)) == ["city"]


def test_a_stop_string_ends_the_text(base_url: str) -> None:
    whole = ask(base_url, "What is the capital of France?", Sampling(max_tokens=40))
    cut = ask(base_url, "What is the capital of France?", Sampling(max_tokens=40, stop=("Paris",)))
    assert cut.text == whole.text.split("Paris")[0]
    assert cut.finish_reason == "stop"


def test_max_tokens_cuts_and_says_so(base_url: str) -> None:
    completion = ask(base_url, "Write a long story about a fox.", Sampling(max_tokens=8))
    assert completion.finish_reason == "length"
    assert completion.usage.completion_tokens == 8


def test_a_prompt_over_the_context_is_refused_with_both_numbers(base_url: str) -> None:
    with pytest.raises(ContextTooLong) as caught:
        ask(base_url, "word " * 3000, Sampling(max_tokens=20))
    assert caught.value.context_tokens == N_CTX
    assert caught.value.prompt_tokens is not None
    assert caught.value.prompt_tokens > 3000


def test_a_schema_this_server_does_not_take_is_a_refusal_not_a_silent_prose_answer(base_url: str) -> None:
    with pytest.raises(Refused, match="takes no JSON schema"):
        ask(base_url, "Say hello.", Sampling(max_tokens=20), Constraint.schema({"type": "object"}))


def test_a_wrong_path_is_refused_with_the_address(base_url: str) -> None:
    with pytest.raises(Refused, match="answered 404") as caught:
        ask(base_url + "/nowhere", "hi", Sampling(max_tokens=4))
    assert "`base_url`" in caught.value.hint
    assert f"{base_url}/nowhere/chat/completions" in str(caught.value)


def test_a_server_of_one_model_answers_to_any_name_and_the_row_says_what_it_said(base_url: str) -> None:
    async def main() -> Completion:
        client = open_client("openai:no-such-model", ClientOptions(base_url=base_url, timeout_s=120))
        try:
            return await client.complete(Request((Message("user", "hi"),), Sampling(max_tokens=4)))
        finally:
            await client.aclose()

    assert asyncio.run(main()).model == "no-such-model"
