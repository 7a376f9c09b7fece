"""What a logged call through a strategy costs, against raw httpx, the OpenAI SDK, and peers with their logs or disk caches on.

    scripts/bench overhead --peers /path/to/venv/bin/python

One stub server on loopback, on a core of its own; every contender in a process of its own, on one other core; rounds in turn, medians. The
peers pin much and want an environment of their own, see docs/results.md; those that cannot be imported are left out and said so.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from _report import print_report

HERE = Path(__file__).parent
OURS = "reasoner"
LOGGING = ("DSPy", "LiteLLM", "Inspect", "llm")
WIDTH, LATENCY_MS = 64, 50
IDEAL = WIDTH / (LATENCY_MS / 1000)
SLOW = {
    "Inspect": 10,
    "llm": 20,
    "LiteLLM": 8,
    "DSPy": 4,
    "httpx": 2,
    "httpx, pool of 72": 10,
    "OpenAI SDK": 2,
    "aiohttp": 2,
    "reasoner, one call each": 2,
}
"""By how much fewer calls a contender makes in a round than the others: a round should take about a second."""
CONTENDERS = ("httpx", "httpx, pool of 72", "OpenAI SDK", *LOGGING, OURS, "reasoner, one call each")
PACKAGES = {
    "httpx": "httpx",
    "aiohttp": "aiohttp",
    "OpenAI SDK": "openai",
    "DSPy": "dspy",
    "LiteLLM": "litellm",
    "Inspect": "inspect-ai",
    "llm": "llm",
}


class Contender:
    """One process that waits for rounds."""

    def __init__(self, name: str, port: int, core: int, python: str) -> None:
        self.name = name
        ours = name.startswith(OURS)
        script = HERE / ("_overhead_ours.py" if ours else "_overhead_peers.py")
        environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        self._process = subprocess.Popen(
            [sys.executable if ours else python, str(script), name, str(port), str(core)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE if not os.environ.get("OVERHEAD_DEBUG") else None,
            text=True, env={**environment, "PYTHONPATH": str(HERE.parent.parent), "PYTHONWARNINGS": "ignore"},
        )  # fmt: skip

    def round(self, n: int, width: int, latency_ms: int) -> dict[str, float]:
        """Have n calls made and return how long that took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended, and says why below
            self._process.stdin.write(json.dumps({"n": n, "width": width, "latency_ms": latency_ms}) + "\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            said = self._process.stderr.read().strip().splitlines() if self._process.stderr else []
            raise RuntimeError(f"{self.name} ended: {said[-1] if said else 'it said nothing'}")
        answer: dict[str, float] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def peak(port: int) -> dict[str, int]:
    """Ask the stub for the calls it had and the most at once."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/peak")
    found: dict[str, int] = json.loads(connection.getresponse().read())
    connection.close()
    return found


def measure(names: list[str], options: argparse.Namespace, port: int) -> list[dict[str, Any]]:
    """Run the rounds and return one row for each contender."""
    client_core = min(os.sched_getaffinity(0))
    running = [Contender(name, port, client_core, options.peers) for name in names]
    taken: dict[tuple[str, str], list[float]] = {}
    cpu: dict[str, list[float]] = {}
    at_once: dict[str, int] = {}
    left_out: dict[str, str] = {}
    for number in range(options.rounds + 1):
        for contender in running:
            if contender.name in left_out:
                continue
            try:
                once(contender, number, options, port, taken, cpu, at_once)
            except RuntimeError as error:
                left_out[contender.name] = str(error)
                print(f"left out: {error}", file=sys.stderr)
    for contender in running:
        contender.close()
    rows = []
    for name in names:
        if name in left_out:
            rows.append({"contender": name, "left_out": left_out[name][:200]})
            continue
        alone, wide = taken[name, "alone"], taken[name, "wide"]
        rows.append({
            "contender": name, "sequential_ms": round(statistics.median(alone), 3), "calls_per_s_at_64": round(1000 / statistics.median(wide), 1),
            "sequential_range_ms": [round(min(alone), 3), round(max(alone), 3)],
            "range_at_64": [round(1000 / max(wide), 1), round(1000 / min(wide), 1)],
            "cpu_ms_at_64": round(statistics.median(cpu[name]), 3), "most_at_once": at_once[name],
        })  # fmt: skip
    return rows


def once(contender: Contender, number: int, options: argparse.Namespace, port: int, taken: Any, cpu: Any, at_once: Any) -> None:
    """Run one round of one contender, both measures; the first round warms up and does not count."""
    name, share = contender.name, SLOW.get(contender.name, 1)
    n, wide_n = max(20, options.calls // min(share, 10)), max(2 * WIDTH, options.wide // share // (2 * WIDTH) * 2 * WIDTH)
    if number == 0:
        n, wide_n = max(10, n // 4), 2 * WIDTH
    alone = contender.round(n, 1, 0)
    peak(port)
    wide = contender.round(wide_n, WIDTH, LATENCY_MS)
    seen = peak(port)
    if seen["peak"] > WIDTH or seen["calls"] < wide_n:
        raise RuntimeError(f"{name} was to make {wide_n} calls, {WIDTH} at once, and the server saw {seen}")
    at_once[name] = max(at_once.get(name, 0), seen["peak"])
    if number:
        taken.setdefault((name, "alone"), []).append(1000 * alone["seconds"] / n)
        taken.setdefault((name, "wide"), []).append(1000 * wide["seconds"] / wide_n)
        cpu.setdefault(name, []).append(1000 * wide["cpu_s"] / wide_n)


def bars(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Compute what is to be reached; a bar is left out when a contender it needs is."""
    found = {row["contender"]: row for row in rows if "left_out" not in row}
    made: dict[str, float] = {}
    if OURS in found and "httpx" in found:
        made["ms_over_httpx_sequential"] = round(found[OURS]["sequential_ms"] - found["httpx"]["sequential_ms"], 3)
    if OURS in found:
        made["share_of_ideal_at_64"] = round(found[OURS]["calls_per_s_at_64"] / IDEAL, 3)
    if OURS in found and all(name in found for name in LOGGING):
        fastest = max(found[name]["calls_per_s_at_64"] for name in LOGGING)
        made["fastest_logging_peer_over_ours"] = round(found[OURS]["calls_per_s_at_64"] / fastest, 2)
    return made


def peer_versions(python: str, packages: Iterable[str] = PACKAGES.values()) -> dict[str, str]:
    """Ask the peers' Python for the versions it has."""
    code = (
        "import json, sys; from importlib.metadata import distributions\n"
        f"print(json.dumps({{d.name: d.version for d in distributions() if d.name.lower().replace('_', '-') in {sorted(packages)!r}}}))"
    )
    found: dict[str, str] = json.loads(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout)
    return found


def main() -> None:
    """Start the stub, run the contenders, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--peers", default=os.environ.get("REASONER_BENCH_PEERS", sys.executable), help="the Python that has the peers")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count, after one that does not")
    parser.add_argument("--calls", type=int, default=300, help="calls in a sequential round (fewer for slow contenders)")
    parser.add_argument("--wide", type=int, default=2560, help="calls in a round at concurrency 64 (fewer for slow contenders)")
    parser.add_argument("--only", default="", help="contenders to run, separated by semicolons")
    options = parser.parse_args()
    names = [name.strip() for name in options.only.split(";") if name.strip()] or list(CONTENDERS)
    server_core = max(os.sched_getaffinity(0))
    stub = subprocess.Popen(
        [sys.executable, str(HERE / "_overhead_server.py"), str(server_core)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert stub.stdout is not None
        rows = measure(names, options, int(stub.stdout.readline()))
    finally:
        stub.kill()
        stub.communicate()
    print_report(
        "overhead", rows=rows, bars=bars(rows), as_json=options.json, packages=("httpx", "h11", "pysqlite3"),
        notes={"peers": peer_versions(options.peers), "rounds": options.rounds, "ideal_calls_per_s": IDEAL},
    )  # fmt: skip


if __name__ == "__main__":
    main()
