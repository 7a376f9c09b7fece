"""Conversations on the embedded model, for real: their turns go on in streams of their own, and say what they would say in one cache."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import llama_cpp
import pytest
from local_model import open_local

from reasoner.clients.llamacpp import LlamaCppClient, bundled_model
from reasoner.clients.llamacpp.worker.model import STREAMS_BATCH, Model
from reasoner.types import Completion, Message, Request, Sampling

pytestmark = pytest.mark.model

RULES = Message("system", "Answer in one short sentence. " + "Keep to the facts and leave nothing out. " * 12)


@pytest.fixture(scope="module")
def client() -> Iterator[LlamaCppClient]:
    client = open_local(n_ctx=1024)
    yield client
    asyncio.run(client.aclose())


def first(i: int, *, continued: bool = True, **sampling: Any) -> Request:
    question = Message("user", f"Tell me something about the number {i}.")
    return Request((RULES, question), Sampling(**{"temperature": 0.0, "max_tokens": 12, **sampling}), continued=continued)


def after(request: Request, reply: Completion) -> Request:
    return replace(request, messages=(*request.messages, Message("assistant", reply.text), Message("user", "And what else?")))


async def talks(client: LlamaCppClient, requests: list[Request], *, turns: int = 3) -> list[list[Completion]]:
    async def talk(request: Request) -> list[Completion]:
        replies = []
        for _ in range(turns):
            replies.append(await client.complete(request))
            request = after(request, replies[-1])
        return replies

    return list(await asyncio.gather(*map(talk, requests)))


def test_turns_go_on_where_the_one_before_ended(client: LlamaCppClient) -> None:
    async def main() -> None:
        said = await talks(client, [first(i) for i in range(4)])
        assert (await client.info())["n_streams"] >= 4
        for one, following in (pair for replies in said for pair in pairwise(replies)):
            assert following.usage.cached_tokens >= one.usage.prompt_tokens - 1
        heads = sorted(replies[0].usage.cached_tokens for replies in said)
        assert heads[1] > 100, "the rules are read once"

    asyncio.run(main())


def test_more_conversations_than_streams_are_all_held(client: LlamaCppClient) -> None:
    async def main() -> None:
        said = await talks(client, [first(i) for i in range(20)])
        assert all(reply.text for replies in said for reply in replies)
        assert (await client.info())["running"] == 0

    asyncio.run(main())


def test_a_conversation_says_in_a_stream_what_it_says_in_one_cache(client: LlamaCppClient) -> None:
    async def main() -> None:
        for i in range(3):
            ((ours, *_),) = await talks(client, [first(100 + i, logprobs=True)], turns=1)
            ((theirs, *_),) = await talks(client, [first(100 + i, continued=False, logprobs=True)], turns=1)
            assert ours.text == theirs.text
            assert ours.mean_logprob == pytest.approx(theirs.mean_logprob, abs=0.02)

    asyncio.run(main())


def test_what_fits_in_no_stream_is_answered_all_the_same() -> None:
    client = open_local(n_ctx=8192)

    async def main() -> None:
        short, long = await asyncio.gather(client.complete(first(1)), client.complete(first(2, max_tokens=5000, stop=("number",))))
        assert short.text
        assert long.finish_reason == "stop"
        await client.aclose()

    asyncio.run(main())


def test_long_prompts_that_share_little_are_read_in_streams_and_branches_of_one_tree_are_not() -> None:
    client = open_local(n_ctx=2048)
    sampling = Sampling(temperature=0.0, max_tokens=3)

    def long(i: int) -> Message:
        return Message("user", " ".join(f"{i} times {n} is {i * n}." for n in range(60)))

    async def n_streams() -> int:
        return int((await client.info())["n_streams"])

    async def main() -> None:
        root = await client.complete(Request((long(1),), sampling))
        assert root.usage.prompt_tokens > 400
        value = (long(1), Message("assistant", root.text), Message("user", "Is that right?"))
        await asyncio.gather(*(client.complete(Request(value, sampling, seed, discard_cache=True)) for seed in range(3)))
        assert await n_streams() == 0
        replies = await asyncio.gather(*(client.complete(Request((long(i),), sampling, discard_cache=True)) for i in (2, 3, 2)))
        assert await n_streams() >= 4
        assert replies[0].text == replies[2].text
        assert replies[2].usage.cached_tokens > 300, "the second of the same prompt waits for the first"
        await client.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(("continued", "n_at_once"), [(False, 8), (False, 2), (None, 8)])
def test_single_questions_go_to_streams_where_several_are_under_way(continued: bool | None, n_at_once: int) -> None:
    client = open_local(n_ctx=1024)
    requests = [replace(first(i, max_tokens=6), continued=continued) for i in range(n_at_once)]

    async def main() -> None:
        replies = await asyncio.gather(*map(client.complete, requests))
        in_streams = (await client.info())["n_streams"] > 0
        assert in_streams == (continued is False and n_at_once == 8)
        assert all(reply.text for reply in replies)
        await client.aclose()

    asyncio.run(main())


def test_what_is_kept_is_kept_as_long_as_reading_it_anew_would_take() -> None:
    path = bundled_model()
    model = Model.load({"path": str(path), "n_ctx": 256, "threads": 1})
    assert 2_600 < model.patience_tokens() < 2_900, "measured with this file: 2,700 tokens"
    model.close()


def test_with_prefixes_on_disk_all_stay_in_one_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONER_PREFIXES", str(tmp_path))
    client = open_local(n_ctx=1024, keep_prefixes=True)

    async def main() -> None:
        await client.complete(first(1))
        assert (await client.info())["n_streams"] == 0
        await client.aclose()

    asyncio.run(main())


def test_a_batch_has_room_for_a_token_of_every_idle_stream() -> None:
    model = Model.load({"path": str(bundled_model()), "n_ctx": 512, "threads": 1})
    streams = model.streams_beside({"path": str(bundled_model()), "threads": 1})
    assert streams is not None
    assert llama_cpp.llama_n_batch(streams.context) >= STREAMS_BATCH + streams.n_sequences


def test_exact_answers_stay_in_a_cache_of_their_own() -> None:
    client = open_local(n_ctx=1024, exact=True)

    async def main() -> None:
        await client.complete(first(1))
        assert (await client.info())["n_streams"] == 0
        await client.aclose()

    asyncio.run(main())


def test_a_worker_killed_between_and_within_turns_costs_nothing_but_time(client: LlamaCppClient) -> None:
    async def main() -> None:
        before = await talks(client, [first(7)])
        talk = asyncio.create_task(talks(client, [first(7), first(8)]))
        for _ in range(2):
            await asyncio.sleep(0.3)
            pid = client.worker_pid
            if pid is not None and not talk.done():
                os.kill(pid, signal.SIGKILL)
        after_kills = await talk
        assert len(after_kills[0]) == len(before[0])
        assert all(reply.text for replies in after_kills for reply in replies)

    asyncio.run(main())


def test_a_cancelled_turn_gives_its_stream_back(client: LlamaCppClient) -> None:
    async def main() -> None:
        long = asyncio.create_task(client.complete(first(9, max_tokens=700)))
        await asyncio.sleep(0.5)
        long.cancel()
        with pytest.raises(asyncio.CancelledError):
            await long
        assert (await client.complete(first(10))).text
        assert (await client.info())["running"] == 0

    asyncio.run(main())
