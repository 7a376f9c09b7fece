"""The endpoint as clients nobody here wrote see it, and as the database records it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest
from loopback import TOKEN, Loopback

from reasoner.errors import BadConfig, EngineLost
from reasoner.serve.faults import Refused
from reasoner.serve.model_names import ModelNames
from reasoner.serve.order import Done, Order, Started
from reasoner.serve.settings import Settings
from reasoner.store import Store
from reasoner.store.queries import prompt_of
from reasoner.types import Completion, Message, Request, Sampling, Usage

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
ASK: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is six times seven?"}]


opened: list[Any] = []


@pytest.fixture(autouse=True)
def _close_clients() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


def gpt(server: Any) -> openai.OpenAI:
    opened.append(openai.OpenAI(api_key=TOKEN, base_url=f"{server.url}/v1", max_retries=0))
    made: openai.OpenAI = opened[-1]
    return made


def claude(server: Any, token: str = TOKEN) -> anthropic.Anthropic:
    opened.append(anthropic.Anthropic(api_key=token, base_url=server.url, max_retries=0))
    made: anthropic.Anthropic = opened[-1]
    return made


def totals(store: Store, trajectory: str) -> tuple[int, int]:
    row = store.row(
        "SELECT sum(prompt_tokens) p, sum(completion_tokens) c FROM calls WHERE trajectory_id = ? AND state = 'done'", (trajectory,)
    )
    assert row is not None
    return row["p"], row["c"]


@pytest.mark.parametrize(
    "model",
    [
        "scripted",
        "cot/scripted",
        "ats:order=dfs/scripted",
        "iot:guided,rounds=2/scripted",
        "self_consistency(ats):n=3/scripted",
        "tot:breadth=1,value_samples=1/scripted",
    ],
)
def test_the_openai_sdk_gets_the_answer_and_the_true_sum(server: Any, store: Store, model: str) -> None:
    raw = gpt(server).chat.completions.with_raw_response.create(model=model, messages=ASK)
    made = raw.parse()
    trajectory = raw.headers["x-reasoner-trajectory"]
    assert made.usage is not None
    assert (made.usage.prompt_tokens, made.usage.completion_tokens) == totals(store, trajectory)
    assert made.usage.prompt_tokens > 0
    row = store.row("SELECT * FROM trajectories WHERE id = ?", (trajectory,))
    assert row is not None
    assert row["status"] == "closed"
    assert store.row("SELECT * FROM verdicts WHERE trajectory_id = ?", (trajectory,)) is None
    (choice,) = made.choices
    assert choice.finish_reason == "stop"
    thoughts = getattr(choice.message, "reasoning_content", None)
    if model == "scripted":
        assert choice.message.content == "1: a -> b (x)\nValue: sure\nBest: 1\nAnswer: 42"
        assert thoughts is None
    else:
        assert choice.message.content == "42"
        assert thoughts


def test_a_plain_model_sees_the_messages_as_they_are_with_their_sampling(server: Any, store: Store) -> None:
    gpt(server).chat.completions.create(model="scripted", messages=ASK, temperature=0.3, top_p=0.9, max_tokens=7, stop=["x"], seed=5)
    (call,) = store.rows("SELECT * FROM call_details")
    assert [(m.role, m.content) for m in prompt_of(store, call["context_id"])] == [(m["role"], m["content"]) for m in ASK]
    sampling = json.loads(call["sampling"])
    assert (sampling["temperature"], sampling["top_p"], sampling["max_tokens"], sampling["stop"]) == (0.3, 0.9, 7, ["x"])


def test_the_openai_sdk_streams_thoughts_then_the_answer(server: Any) -> None:
    stream = gpt(server).chat.completions.create(
        model="self_consistency:n=3/scripted", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    thoughts: list[str] = []
    content: list[str] = []
    finishes: list[str] = []
    usage: Any = None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            thought = getattr(choice.delta, "reasoning_content", None)
            if thought:
                assert not content, "thoughts come before the answer"
                thoughts.append(thought)
            if choice.delta.content:
                content.append(choice.delta.content)
            if choice.finish_reason:
                finishes.append(choice.finish_reason)
    assert len(thoughts) == 3
    assert content == ["42"]
    assert finishes == ["stop"]
    assert usage is not None
    assert usage.total_tokens > 0


def test_thoughts_arrive_while_the_trajectory_runs(app: Callable[..., Any]) -> None:
    import threading

    go = threading.Event()
    calls = []

    def slow(request: Request) -> str:
        calls.append(request)
        if len(calls) > 1:
            assert go.wait(20), "the first thought never reached the client"
        return '{"thought": "go on", "response": "Answer: 42", "stop": true, "done": true}'

    with Loopback(app(slow)) as server:
        stream = gpt(server).chat.completions.create(model="iot/scripted", messages=ASK, stream=True)
        for chunk in stream:
            if chunk.choices and getattr(chunk.choices[0].delta, "reasoning_content", None):
                go.set()
    assert len(calls) == 2


def test_several_answers_are_several_trajectories(server: Any, store: Store) -> None:
    raw = gpt(server).chat.completions.with_raw_response.create(model="cot/scripted", messages=ASK, n=3)
    ids = raw.headers["x-reasoner-trajectory"].split(",")
    made = raw.parse()
    assert [c.index for c in made.choices] == [0, 1, 2]
    assert made.usage is not None
    assert made.usage.total_tokens == sum(sum(totals(store, i)) for i in ids)


def test_the_anthropic_sdk(server: Any, store: Store) -> None:
    raw = claude(server).messages.with_raw_response.create(
        model="cot/scripted", max_tokens=100, system="Be brief.", messages=[{"role": "user", "content": "six times seven"}]
    )
    made = raw.parse()
    assert [block.type for block in made.content] == ["thinking", "text"]
    assert made.content[-1].text == "42"  # type: ignore[union-attr]
    assert made.stop_reason == "end_turn"
    assert (made.usage.input_tokens, made.usage.output_tokens) == totals(store, raw.headers["x-reasoner-trajectory"])


def test_the_anthropic_sdk_streams(server: Any) -> None:
    ask: Any = [{"role": "user", "content": "six times seven"}]
    with claude(server).messages.stream(model="self_consistency:n=2/scripted", max_tokens=100, messages=ask) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_message()
    assert kinds.count("thinking") == 2
    assert final.content[-1].text == "42"  # type: ignore[union-attr]
    assert final.usage.output_tokens > 0


def test_the_list_holds_models_and_strategies(server: Any) -> None:
    names = [model.id for model in gpt(server).models.list()]
    assert {"scripted", "ats/scripted", "tot/scripted"} <= set(names)
    assert not any("fragment" in name or name.startswith("plain") for name in names)
    assert gpt(server).models.retrieve("ats/scripted").id == "ats/scripted"


def test_errors_are_in_the_dialects_own_shape(server: Any) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        gpt(server).chat.completions.create(model="cot/nobody", messages=ASK)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="nothing is fetched"):
        gpt(server).chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x"}}]}]
        )
    with pytest.raises(openai.BadRequestError, match="tools"):
        gpt(server).chat.completions.create(
            model="cot/scripted", messages=ASK, tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]
        )
    with pytest.raises(anthropic.NotFoundError) as gone:
        claude(server).messages.create(model="nobody", max_tokens=5, messages=[{"role": "user", "content": "x"}])
    body: Any = gone.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == "not_found_error"
    with pytest.raises(anthropic.AuthenticationError):
        claude(server, "wrong").messages.create(model="scripted", max_tokens=5, messages=[{"role": "user", "content": "x"}])


@pytest.mark.parametrize(
    "model",
    [
        "fragment_shot:corpus=/etc/passwd/scripted",
        "fragment_shot:glossary=/etc/passwd/scripted",
        "fragment_shot_pivot:pivot_corpus=/etc/passwd/scripted",
        "cot:nothing=1/scripted",
        "/etc/passwd",
        "../scripted",
        "x" * 500,
        "",
        "/scripted/",
        "cot,ats/scripted",
        "cot((/scripted",
        "beam:score=prm:/etc/passwd.gguf/scripted",
        "beam:score=prm:openai:gpt/scripted",
        "self_consistency(mcts:score=prm:teacher):n=2/scripted",
    ],
)
def test_names_are_looked_up_and_never_paths(server: Any, model: str) -> None:
    done = httpx.post(f"{server.url}/v1/chat/completions", json={"model": model, "messages": ASK}, headers=HEADERS, trust_env=False)
    assert done.status_code in {400, 404}, done.text
    assert "root:" not in done.text
    assert ("=/etc" in model) == ("names a file" in done.text), "a file is refused before anything is opened"


def test_what_scores_is_a_model_of_the_server() -> None:
    names = ModelNames(["scripted", "small.gguf"], opened={"small.gguf": "/models/small.gguf"})
    assert names.resolve("beam:score=prm:scripted/small.gguf").model == "small.gguf"
    for other in ("small.gguf", "/models/small.gguf", "teacher", "openai:gpt"):
        with pytest.raises(BadConfig, match="no model that this server was started with"):
            names.resolve(f"best_of_n(beam:score=prm:{other})/scripted")


def test_a_solvers_problem_is_verified(server: Any, store: Store) -> None:
    body = {"model": "cot/scripted", "messages": [{"role": "user", "content": "2 9 20"}], "solver": "number_path"}
    done = httpx.post(f"{server.url}/v1/chat/completions", json=body, headers=HEADERS, trust_env=False)
    assert done.json()["verdicts"][0]["correct"] is False
    assert store.row("SELECT * FROM verdicts WHERE trajectory_id = ?", (done.headers["x-reasoner-trajectory"],)) is not None
    for solver in ("question:/etc/passwd", "chat", "nobody"):
        assert httpx.post(
            f"{server.url}/v1/chat/completions", json=body | {"solver": solver}, headers=HEADERS, trust_env=False
        ).status_code in {400, 404}


def test_a_failed_model_is_told_and_recorded(app: Callable[..., Any], store: Store) -> None:
    def fails(_: Request) -> str:
        raise EngineLost("the worker died")

    with Loopback(app(fails)) as server:
        with pytest.raises(openai.InternalServerError, match="the worker died") as failed:
            gpt(server).chat.completions.create(model="cot/scripted", messages=ASK)
        assert failed.value.status_code == 502
        assert failed.value.response.headers["x-reasoner-trajectory"] == store.rows("SELECT id FROM trajectories")[0]["id"]
        with pytest.raises(openai.APIError, match="the worker died"):
            [*gpt(server).chat.completions.create(model="cot/scripted", messages=ASK, stream=True)]
        with pytest.raises(anthropic.APIStatusError, match="the worker died"):
            claude(server).messages.create(model="cot/scripted", max_tokens=5, messages=[{"role": "user", "content": "x"}])
    assert {row["status"] for row in store.rows("SELECT status FROM trajectories")} == {"failed"}


def test_a_cut_reply_ends_with_length(app: Callable[..., Any]) -> None:
    with Loopback(app(lambda _: Completion("cut o", finish_reason="length", usage=Usage(3, 2)))) as server:
        made = gpt(server).chat.completions.create(model="scripted", messages=ASK, max_tokens=2)
        assert made.choices[0].finish_reason == "length"
        small = claude(server).messages.create(model="scripted", max_tokens=2, messages=[{"role": "user", "content": "x"}])
        assert small.stop_reason == "max_tokens"


def order(app: Any, **fields: Any) -> Order:
    return Order(app.executor.model_names.resolve("iot/scripted"), (Message("user", "six times seven"),), Sampling(), **fields)


async def test_what_is_closed_early_is_parked_and_finished_later(app: Callable[..., Any], store: Store) -> None:
    asked: list[Request] = []
    hang = asyncio.Event()

    def script(request: Request) -> str:
        asked.append(request)
        return '{"thought": "go on", "response": "Answer: 42", "stop": false, "done": true}'

    served = app(script)
    client = served.executor._pool.open("scripted")
    complete = client.complete

    async def second_hangs(request: Request) -> Completion:
        if len(asked) == 1:
            await hang.wait()
        made: Completion = await complete(request)
        return made

    client.complete = second_hangs
    events = served.executor.run(order(served, client="curl/8.5.0"))
    started = await anext(events)
    assert isinstance(started, Started)
    await anext(events)  # the first thought
    await asyncio.sleep(0.05)
    await events.aclose()
    row = store.row("SELECT t.status, r.status AS run FROM trajectories t JOIN runs r ON r.id = t.run_id")
    assert row == {"status": "open", "run": "interrupted"}
    assert not served.executor.under_way
    hang.set()
    (report,) = await served.executor.finish_parked()
    assert report.run_id == started.run
    assert report.results[0].status == "closed"
    assert len(asked) == 2, "the committed call is not made again"


async def test_an_idempotency_key_finds_its_run_again(app: Callable[..., Any], store: Store) -> None:
    served = app()

    async def run(key: str) -> tuple[str, int]:
        events = [event async for event in served.executor.run(order(served, key=key))]
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Done)
        return events[0].run, events[-1].results[0].new_calls

    first, again, other = await run("k-1"), await run("k-1"), await run("k-2")
    assert first[0] == again[0] != other[0]
    assert again[1] == 0
    unkeyed = {(await run(""))[0] for _ in range(2)}
    assert len(unkeyed) == 2


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("OpenAI/Python 1.109.1", "OpenAI/Python"),
        ("python-httpx/0.28.1", "python-httpx/0.28.1"),
        ("<script>alert(1)</script>", "serve"),
        ("", "serve"),
        ("x" * 5000, "x" * 40),
    ],
)
def test_the_page_of_requests_names_the_program_that_asked(server: Any, told: str, shown: str) -> None:
    body = {"model": "iot/scripted", "messages": [{"role": "user", "content": "six times seven"}]}
    answered = httpx.post(f"{server.url}/v1/chat/completions", json=body, headers={**HEADERS, "User-Agent": told}, trust_env=False)
    assert answered.status_code == 200
    page = httpx.get(f"{server.url}/view/{Settings(TOKEN).page_key}/requests", trust_env=False).text
    assert f'data-name="By">{shown}</td>' in page
    assert "alert(1)" not in page


async def test_too_many_requests_are_refused(app: Callable[..., Any]) -> None:
    served = app(max_requests=1)
    events = served.executor.run(order(served))
    await anext(events)
    with pytest.raises(Refused) as full:
        await anext(served.executor.run(order(served)))
    assert full.value.fault.status == 429
    await events.aclose()
    served.executor.stopping = True
    with pytest.raises(Refused) as stopping:
        await anext(served.executor.run(order(served)))
    assert stopping.value.fault.status == 503


def test_the_description_is_served(server: Any) -> None:
    made = httpx.get(f"{server.url}/openapi.json", headers=HEADERS, trust_env=False).json()
    assert set(made["paths"]) == {
        "/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/v1/responses", "/v1/models", "/v1/models/{model}", "/health",
        "/v1/actions", "/v1/actions/{action}", "/v1/trajectories/{trajectory}",
    }  # fmt: skip
