"""The contenders of the overhead bench that are not ours, each in a process of its own, pinned to one core.

    python _overhead_peers.py httpx 41234 0     # NAME PORT CORE

Then one JSON object a line comes in, `{"n": 200, "width": 1, "latency_ms": 0}`, and one goes out: `{"seconds": 0.21}`. Imports the standard
library and the one package it measures, so that it runs in an environment without reasoner. Every prompt is a new one: no cache answers.
Retries are off, connections are kept alive, logs and caches on where the bench says so.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Round = Callable[[int, int, int], Awaitable[None]]
"""Make n calls, at most so many at once, on the server with that latency in ms."""

MAX_TOKENS = 1024
WIDEST = 64
_serial = itertools.count()


def prompt() -> str:
    """Return a prompt as long as ours, never the same."""
    return (
        f"Use the four numbers 4 9 10 {next(_serial)} to make 24. Use each of them exactly once. You may add, subtract, multiply, divide and use "
        "brackets.\n\nExample of one operation: from 2 3 5 you can go to 5 6 (2 * 3 = 6).\n\nEnd with one line that gives a single expression, in "
        "this form:\nAnswer: (1 + 2 + 3) * 4\n\nWork it out step by step, one numbered step per line. Then write the last line in the format asked "
        "for above."
    )


def messages() -> list[dict[str, str]]:
    """Return one conversation."""
    return [{"role": "user", "content": prompt()}]


def base_url(port: int, latency_ms: int) -> str:
    """Return the address of the stub with a latency."""
    return f"http://127.0.0.1:{port}/{latency_ms}/v1"


def each(ask: Callable[[int], Awaitable[Any]]) -> Round:
    """Make a round of a function that asks once: so many workers, each asking as soon as its last answer is there."""

    async def work(left: itertools.count[int], n: int, latency_ms: int) -> None:
        while next(left) < n:
            await ask(latency_ms)

    async def round_(n: int, width: int, latency_ms: int) -> None:
        left = itertools.count()
        await asyncio.gather(*(work(left, n, latency_ms) for _ in range(width)))

    return round_


async def raw_httpx(port: int, _folder: Path, *, pool: int = 100) -> Round:
    """One client with the default limits of httpx (100 connections, 20 kept alive), or with a pool of another size."""
    import httpx

    limits = httpx.Limits(max_connections=100, max_keepalive_connections=20) if pool == 100 else httpx.Limits(max_connections=pool)
    client = httpx.AsyncClient(trust_env=False, timeout=60, limits=limits)

    async def ask(latency_ms: int) -> None:
        body = {"model": "stub", "messages": messages(), "max_tokens": MAX_TOKENS, "temperature": 0.0, "top_p": 1.0, "seed": next(_serial)}
        answer = await client.post(base_url(port, latency_ms) + "/chat/completions", json=body, headers={"Authorization": "Bearer none"})
        answer.json()["choices"][0]["message"]["content"]

    return each(ask)


async def raw_aiohttp(port: int, _folder: Path) -> Round:
    """aiohttp, whose parser is C: for comparison."""
    import aiohttp

    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))

    async def ask(latency_ms: int) -> None:
        body = {"model": "stub", "messages": messages(), "max_tokens": MAX_TOKENS, "temperature": 0.0, "top_p": 1.0, "seed": next(_serial)}
        url = base_url(port, latency_ms) + "/chat/completions"
        async with session.post(url, json=body, headers={"Authorization": "Bearer none"}) as answer:
            (await answer.json())["choices"][0]["message"]["content"]

    return each(ask)


async def openai_sdk(port: int, _folder: Path) -> Round:
    """The official client."""
    from openai import AsyncOpenAI

    clients = {ms: AsyncOpenAI(base_url=base_url(port, ms), api_key="none", max_retries=0) for ms in (0, 50)}

    async def ask(latency_ms: int) -> None:
        made = await clients[latency_ms].chat.completions.create(
            model="stub", messages=messages(), max_tokens=MAX_TOKENS, temperature=0.0, seed=next(_serial)
        )  # type: ignore[call-overload]
        assert made.choices[0].message.content

    return each(ask)


async def dspy_cached(port: int, folder: Path) -> Round:
    """DSPy: `LM.acall` with its disk cache and history."""
    import dspy

    dspy.configure_cache(enable_disk_cache=True, enable_memory_cache=True, disk_cache_dir=str(folder / "dspy"))
    models = {
        ms: dspy.LM(
            "openai/stub", api_base=base_url(port, ms), api_key="none", num_retries=0, cache=True, max_tokens=MAX_TOKENS, temperature=0.0
        )
        for ms in (0, 50)
    }

    async def ask(latency_ms: int) -> None:
        await models[latency_ms].acall(messages=messages())

    return each(ask)


async def litellm_cached(port: int, folder: Path) -> Round:
    """LiteLLM: `acompletion` with its cache: on disk where the version has that, in memory since it was removed (1.110)."""
    import litellm
    from litellm.caching import Cache

    try:
        litellm.cache = Cache(type="disk", disk_cache_dir=str(folder / "litellm"))  # type: ignore[arg-type]
    except ValueError:
        litellm.cache = Cache(type="local")  # type: ignore[arg-type]
    litellm.suppress_debug_info = True

    async def ask(latency_ms: int) -> None:
        made = await litellm.acompletion(
            model="openai/stub", api_base=base_url(port, latency_ms), api_key="none", messages=messages(), max_tokens=MAX_TOKENS,
            temperature=0.0, seed=next(_serial), caching=True, num_retries=0, max_retries=0,
        )  # fmt: skip
        assert made.choices[0].message.content

    return each(ask)


async def inspect_logged(port: int, folder: Path) -> Round:
    """Inspect: an evaluation of n samples with its log on; a sample is one call."""
    from inspect_ai import Task, eval_async
    from inspect_ai.dataset import Sample
    from inspect_ai.model import get_model
    from inspect_ai.solver import generate

    async def round_(n: int, width: int, latency_ms: int) -> None:
        model = get_model("openai-api/stub/stub", base_url=base_url(port, latency_ms), api_key="none")
        task = Task(dataset=[Sample(input=prompt()) for _ in range(n)], solver=generate())
        logs = await eval_async(
            task, model=model, log_dir=str(folder / "inspect"), max_connections=width, max_samples=width,
            max_retries=0, max_tokens=MAX_TOKENS, temperature=0.0, fail_on_error=True,
        )  # fmt: skip
        assert logs[0].status == "success", logs[0].error

    return round_


async def llm_logged(port: int, folder: Path) -> Round:
    """Simon Willison's llm: an asynchronous model, every response logged to its database as its command line does."""
    import sqlite_utils
    from llm.default_plugins.openai_models import AsyncChat
    from llm.migrations import migrate

    database = sqlite_utils.Database(str(folder / "logs.db"))
    migrate(database)
    models = {ms: AsyncChat("stub", model_name="stub", api_base=base_url(port, ms)) for ms in (0, 50)}
    for model in models.values():
        model.key = "none"

    async def ask(latency_ms: int) -> None:
        response = models[latency_ms].prompt(prompt(), stream=False, max_tokens=MAX_TOKENS, temperature=0.0)
        await response.text()
        (await response.to_sync_response()).log_to_db(database)

    return each(ask)


PEERS: dict[str, Callable[[int, Path], Awaitable[Round]]] = {
    "httpx": raw_httpx,
    "httpx, pool of 72": lambda port, folder: raw_httpx(port, folder, pool=72),
    "aiohttp": raw_aiohttp,
    "OpenAI SDK": openai_sdk,
    "DSPy": dspy_cached,
    "LiteLLM": litellm_cached,
    "Inspect": inspect_logged,
    "llm": llm_logged,
}


async def serve(made: Round) -> None:
    """Time one round for every line of standard input."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        started, used = time.perf_counter(), time.process_time()
        await made(asked["n"], asked["width"], asked["latency_ms"])
        print(json.dumps({"seconds": time.perf_counter() - started, "cpu_s": time.process_time() - used}), file=ANSWERS, flush=True)


ANSWERS = os.fdopen(os.dup(1), "w")
"""What standard output was; whatever else a package prints goes to standard error."""


def settle(core: int) -> None:
    """Pin this process to a core, and keep what it prints apart from what it answers."""
    os.sched_setaffinity(0, {core})
    os.dup2(2, 1)


async def main(name: str, port: int, core: int) -> None:
    """Set a contender up and serve its rounds."""
    settle(core)
    with tempfile.TemporaryDirectory(prefix="overhead-", dir=os.environ.get("OVERHEAD_DIR")) as folder:
        os.environ |= {
            "LLM_USER_PATH": folder,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "OPENAI_API_KEY": "none",
            "DSPY_CACHEDIR": folder,
            "INSPECT_DISPLAY": "none",
        }
        await serve(await PEERS[name](port, Path(folder)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
