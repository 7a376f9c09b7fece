"""What every registered client must do; a new client says in RECIPES how it can be opened offline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reasoner import registry
from reasoner.clients import ClientOptions, open_client
from reasoner.errors import UsageError
from reasoner.runs.problems import problem_from_line
from reasoner.types import About, Client, Completion, Message, Request, Sampling

CLIENTS = registry.names("client")
REQUEST = Request(
    (Message("system", "Be brief."), Message("user", "Say one word.")),
    Sampling(max_tokens=8),
    seed=3,
    key="k",
    about=About(problem_from_line("game24", "4 9 10 13"), "direct/answer"),
)


def anthropic(_folder: Path, server: Any) -> tuple[str, ClientOptions]:
    from canned import message
    from fault_server import Fault

    server.script(*[Fault(message("hi"))] * 2)
    return "anthropic:m", ClientOptions(base_url=server.url)


def anthropic_streamed(_folder: Path, server: Any) -> tuple[str, ClientOptions]:
    from canned import anthropic_events, stream
    from fault_server import Fault

    server.script(*[Fault(stream(anthropic_events("hi")), headers={"Content-Type": "text/event-stream"})] * 2)
    return "anthropic:m", ClientOptions(base_url=server.url, stream=True)


def openai(_folder: Path, server: Any) -> tuple[str, ClientOptions]:
    from fault_server import Fault

    server.script(*[Fault()] * 2)
    return "openai:m", ClientOptions(base_url=server.url)


def openai_streamed(_folder: Path, server: Any) -> tuple[str, ClientOptions]:
    from canned import openai_events, stream
    from fault_server import Fault

    server.script(*[Fault(stream(openai_events("hi")), headers={"Content-Type": "text/event-stream"})] * 2)
    return "openai:m", ClientOptions(base_url=server.url, stream=True)


def responses(_folder: Path, server: Any) -> tuple[str, ClientOptions]:
    from canned import response
    from fault_server import Fault

    server.script(*[Fault(response("hi"))] * 2)
    return "responses:m", ClientOptions(base_url=server.url)


def responses_streamed(_folder: Path, server: Any) -> tuple[str, ClientOptions]:
    from canned import responses_events, stream
    from fault_server import Fault

    server.script(*[Fault(stream(responses_events("hi")), headers={"Content-Type": "text/event-stream"})] * 2)
    return "responses:m", ClientOptions(base_url=server.url, stream=True)


def scripted(folder: Path, _server: Any) -> tuple[str, ClientOptions]:
    path = folder / "replies.jsonl"
    path.write_text('"one"\n"one"\n')
    return f"scripted:{path}", ClientOptions()


RECIPES: dict[str, Callable[[Path, Any], tuple[str, ClientOptions]]] = {
    "anthropic": anthropic,
    "llamacpp": lambda _folder, _server: ("local", ClientOptions(threads=1, n_ctx=512, exact=True)),
    "openai": openai,
    "responses": responses,
    "scripted": scripted,
    "teacher": lambda _folder, _server: ("teacher", ClientOptions()),
}
MODES = {"anthropic, streamed": anthropic_streamed, "openai, streamed": openai_streamed, "responses, streamed": responses_streamed}
"""Further ways a client works, each held to the same."""


def test_every_client_has_a_recipe() -> None:
    assert set(CLIENTS) <= set(RECIPES), "say in RECIPES how the new client can be opened offline"


@pytest.fixture(params=[pytest.param(n, marks=pytest.mark.model if n == "llamacpp" else ()) for n in [*CLIENTS, *MODES]])
def opened(request: pytest.FixtureRequest, tmp_path: Path, fault_server: Any) -> Client:
    model, options = (RECIPES | MODES)[request.param](tmp_path, fault_server)
    return open_client(model, options)


def test_it_says_what_it_is(opened: Client) -> None:
    assert isinstance(opened, Client)
    assert opened.name
    assert opened.fingerprint
    assert isinstance(opened.paid, bool)
    assert opened.concurrency >= 1
    asyncio.run(opened.aclose())


async def test_it_answers_counts_and_closes_twice(opened: Client) -> None:
    first = await opened.complete(REQUEST)
    second = await opened.complete(replace(REQUEST, key="k2"))
    for completion in (first, second):
        assert isinstance(completion, Completion)
        assert completion.text
        assert completion.finish_reason in {"stop", "length"}
        assert completion.usage.prompt_tokens > 0
        assert completion.usage.completion_tokens > 0
        assert completion.constraint_applied == "none"
        assert completion.model
    assert first.text == second.text, "the same question with the same seed, greedily"
    await opened.aclose()
    await opened.aclose()


@pytest.mark.parametrize("model", ["", "nobody:x", "gone.gguf", "scripted:gone.jsonl", "openai:", "anthropic:", "responses:"])
def test_what_cannot_be_opened_is_the_caller_s_fault(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1/v1")
    from reasoner.errors import DataError

    with pytest.raises((UsageError, DataError)) as refused:
        open_client(model)
    assert "\n" not in str(refused.value)
