"""The remote clients against a LiteLLM proxy over llama.cpp's servers, on this machine: another project's view of the dialects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_servers import LITELLM, MASTER_KEY, litellm_proxy, llama_server, native_server

from reasoner.clients import ClientOptions, open_client
from reasoner.errors import ClientError, ContextTooLong, Refused
from reasoner.types import Completion, Constraint, Message, Request, Sampling, ToolSpec

pytestmark = pytest.mark.model
KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY", "responses": "OPENAI_API_KEY"}
CAPITAL = "What is the capital of France?"


def command() -> str:
    if LITELLM is None:
        pytest.skip(
            "no litellm command; give it an environment of its own: python -m venv .venv-litellm &&"
            " .venv-litellm/bin/pip install 'litellm[proxy]', then REASONER_LITELLM=.venv-litellm/bin/litellm"
        )
    return LITELLM


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("servers")
    with llama_server(folder) as upstream, litellm_proxy(command(), upstream, folder) as url:
        yield url


@pytest.fixture(params=["openai", "openai streamed", "anthropic", "anthropic streamed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, bool]:
    scheme, _, streamed = request.param.partition(" ")
    monkeypatch.setenv(KEYS[scheme], MASTER_KEY)
    return scheme, bool(streamed)


def ask(
    url: str, way: tuple[str, bool], text: str, sampling: Sampling, *, profile: str = "", constraint: Constraint | None = None
) -> Completion:
    async def main() -> Completion:
        options = ClientOptions(base_url=url, timeout_s=120, stream=way[1], profile=profile)
        client = open_client(f"{way[0]}:smol", options)
        try:
            messages = (Message("system", "Answer in one short sentence."), Message("user", text))
            return await client.complete(Request(messages, sampling, seed=3, constraint=constraint, key="k"))
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_a_question_is_answered_and_counted(proxy: str, way: tuple[str, bool]) -> None:
    completion = ask(proxy, way, CAPITAL, Sampling(max_tokens=40))
    assert "Paris" in completion.text
    assert completion.finish_reason == "stop"
    assert completion.usage.prompt_tokens > 5
    assert 1 <= completion.usage.completion_tokens <= 40
    assert completion.model


def test_max_tokens_and_stop_strings(proxy: str, way: tuple[str, bool]) -> None:
    cut = ask(proxy, way, "Write a long story about a fox.", Sampling(temperature=0.0, max_tokens=8))
    assert cut.finish_reason == "length"
    whole = ask(proxy, way, CAPITAL, Sampling(temperature=0.0, max_tokens=40)).text
    stopped = ask(proxy, way, CAPITAL, Sampling(temperature=0.0, max_tokens=40, stop=("Paris",)))
    assert stopped.text.rstrip() == whole.split("Paris")[0].rstrip()


def test_a_prompt_over_the_context_is_that_error(proxy: str, way: tuple[str, bool]) -> None:
    with pytest.raises(ClientError) as caught:
        ask(proxy, way, "word " * 3000, Sampling(max_tokens=20))
    if not way[1]:  # the server behind it closes a stream without a word of why
        assert isinstance(caught.value, ContextTooLong)
        assert caught.value.context_tokens == 2048


def test_a_model_that_is_not_there_and_a_wrong_key_are_refused(proxy: str, way: tuple[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> ClientError:
        client = open_client(f"{way[0]}:nobody", ClientOptions(base_url=proxy, timeout_s=60, stream=way[1]))
        with pytest.raises(ClientError) as caught:
            await client.complete(Request((Message("user", "hi"),), Sampling(max_tokens=4)))
        await client.aclose()
        return caught.value

    assert isinstance(asyncio.run(main()), Refused)
    monkeypatch.setenv(KEYS[way[0]], "sk-wrong-0123456789abcdef")
    with pytest.raises(Refused) as refused:
        ask(proxy, way, "hi", Sampling(max_tokens=4))
    assert "sk-wrong-0123456789abcdef" not in str(refused.value)


def test_a_schema_in_words_is_recorded_as_what_it_was(proxy: str, way: tuple[str, bool]) -> None:
    schema = Constraint.schema({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
    completion = ask(proxy, way, CAPITAL, Sampling(max_tokens=60), profile="schema=prompt", constraint=schema)
    assert completion.constraint_applied in {"prompt", "none"}  # a small model may or may not do as it is told
    assert completion.text


def request_once(url: str, scheme: str, request: Request, *, stream: bool) -> Completion:
    async def main() -> Completion:
        client = open_client(f"{scheme}:smol", ClientOptions(base_url=url, timeout_s=120, stream=stream))
        try:
            return await client.complete(request)
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_a_thought_comes_through_in_every_dialect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grammar = json.dumps({"grammar": r'root ::= "The " [a-z ]{5,30} "</think>" "\n\n" "Paris" [a-z ,]{0,20}'})
    with native_server(tmp_path) as upstream, litellm_proxy(command(), upstream, tmp_path) as url:
        for scheme, variable in KEYS.items():
            monkeypatch.setenv(variable, MASTER_KEY)
            for stream in (False, True):
                made = request_once(url, scheme, Request((Message("user", CAPITAL),), Sampling(max_tokens=4), 3), stream=stream)
                assert (made.text, made.finish_reason, made.inside_thought) == ("", "length", True), (scheme, stream)
                assert made.reasoning
                if scheme != "responses":  # where the proxy passes on no field that it does not know
                    whole = Request((Message("user", CAPITAL),), Sampling(max_tokens=60, extra_body=grammar), 3)
                    made = request_once(url, scheme, whole, stream=stream)
                    assert made.reasoning.startswith("The "), (scheme, stream)
                    assert made.text.startswith("Paris")
                    assert made.finish_reason == "stop"


def test_a_tool_is_called_in_both_dialects_and_its_arguments_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = '{"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}, "required": ["city"]}'
    tools = (ToolSpec("get_weather", "Weather of a city", schema),)
    request = Request(
        (Message("user", "What is the weather in Paris?"),), Sampling(max_tokens=40), 3, tools=tools, tool_choice="tool:get_weather"
    )
    with llama_server(tmp_path, chat_format="chatml-function-calling") as upstream, litellm_proxy(command(), upstream, tmp_path) as url:
        for scheme, base_url in (("openai", upstream), ("openai", url), ("anthropic", url)):
            monkeypatch.setenv(KEYS[scheme], MASTER_KEY)
            for stream in (False, True):
                made = request_once(base_url, scheme, request, stream=stream)
                assert made.finish_reason == "tool_calls"
                (call,) = made.tool_calls
                assert (call.name, list(json.loads(call.arguments))) == ("get_weather", ["city"])
