"""Agents on a local model, their turns in streams and in one cache: `scripts/bench conversations --model FILE --form FORM`.

Every conversation begins with the same rules and a task of its own; each turn adds an answer of fixed length (the tokens that end one are ruled out) and an observation. The same
conversations are held as turns that go on (streams) and as any other requests (one cache), in turn, each round in a worker of its own; the seconds of loading are not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import sys
import time
from typing import Any

from _report import print_report

from reasoner.clients import ClientOptions
from reasoner.clients.llamacpp import LlamaCppClient, open_client
from reasoner.types import Message, Request, Sampling

LAYOUTS = ("streams", "one")
RULES = "You work on a task step by step. " + " ".join(f"Rule {i}: write what step {i} gave before you go on." for i in range(1, 21))
N_SEEN = 20
TOOL_S = 0.05


async def talk(client: LlamaCppClient, number: int, told: argparse.Namespace, sampling: Sampling, *, continued: bool) -> list[Any]:
    """Hold one conversation and return what its turns used."""
    rng = random.Random(number)
    messages = [Message("system", RULES), Message("user", f"Task {number}: {_numbers(rng, told.task)}")]
    used = []
    for _ in range(told.turns):
        reply = await client.complete(Request(tuple(messages), sampling, seed=number, continued=continued))
        used.append(reply.usage)
        await asyncio.sleep(TOOL_S)
        messages += [Message("assistant", reply.text), Message("user", f"Observation: {_numbers(rng, N_SEEN)}")]
    return used


def _numbers(rng: random.Random, n: int) -> str:
    return " ".join(str(rng.randrange(1000)) for _ in range(n))


async def measure(layout: str, told: argparse.Namespace) -> dict[str, Any]:
    """Hold all conversations in one layout."""
    client = open_client(told.model, ClientOptions(n_ctx=4096, threads=told.threads, form=told.form))
    try:
        info = await client.info()
        sampling = Sampling(max_tokens=told.write, logit_bias=tuple((token, -100.0) for token in info["end_tokens"]))
        started = time.perf_counter()
        talks = (talk(client, i, told, sampling, continued=layout == "streams") for i in range(told.conversations))
        used = [usage for one in await asyncio.gather(*talks) for usage in one]
        seconds = time.perf_counter() - started
        n_streams = (await client.info())["n_streams"]
    finally:
        await client.aclose()
    prompt, cached = sum(usage.prompt_tokens for usage in used), sum(usage.cached_tokens for usage in used)
    return {
        "layout": layout, "seconds": round(seconds, 1), "prompt": prompt, "read": prompt - cached,
        "written": sum(usage.completion_tokens for usage in used), "streams": n_streams,
    }  # fmt: skip


def main() -> None:
    """Measure both layouts in every round, and print medians."""
    parser = argparse.ArgumentParser(description="bench conversations")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--model", default="local", help="`local` or a .gguf")
    parser.add_argument("--form", default="as-is", help="the form of its weights")
    parser.add_argument("--conversations", type=int, default=16)
    parser.add_argument("--task", type=int, default=30, help="numbers in a task, of some four tokens")
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--write", type=int, default=40, help="tokens of an answer")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    told = parser.parse_args()
    rounds: dict[str, list[dict[str, Any]]] = {layout: [] for layout in LAYOUTS}
    for _ in range(told.rounds):
        for layout in LAYOUTS:
            rounds[layout].append(asyncio.run(measure(layout, told)))
            print(rounds[layout][-1], file=sys.stderr)
    rows = []
    for found in rounds.values():
        seconds = [row["seconds"] for row in found]
        rows.append({**found[0], "seconds": statistics.median(seconds), "fastest": min(seconds), "slowest": max(seconds)})
    ratios = [one["seconds"] / streams["seconds"] for streams, one in zip(rounds["streams"], rounds["one"], strict=True)]
    print_report(
        "conversations", rows=rows, bars={"streams_over_one": statistics.median(ratios)}, as_json=told.json, packages=("llama-cpp-python",)
    )


if __name__ == "__main__":
    main()
