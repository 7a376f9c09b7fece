"""Shards of a run on Ray against a server that sleeps: orchestration only, no model. `scripts/bench scale [--json]`.

A cluster of two nodes with eight places each, on this machine; 1, 2, 4, 8 and 16 shards of one run, each with `--concurrency` calls at once against a server that
answers after `--latency` ms. The ideal is shards x concurrency / latency. The rate is that of the time in which all shards were at work, as the server saw it:
what it takes to start processes is not in it, and stands beside it. The processes share the machine's cores with each other and with whatever else runs there.

Then one shard against one process with a server that answers at once: what a call costs more. And the memory of the coordinator.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "helpers"))

from _report import print_report
from model_server import ModelServer
from ray_nodes import RayNodes


class Watched(ModelServer):
    """A server that keeps when it was asked, by the process that asked (its connections' prompts tell the shard)."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(lambda asked: f"Answer: {len(asked)}", keyed=True, delay_s=delay_s)
        self.times: list[tuple[float, int]] = []
        self._noting = threading.Lock()

    def respond(self, part: str, key: str, body: dict[str, object]) -> tuple[int, bytes]:
        """Note the number of the question, and when it came."""
        messages = body["messages"]
        assert isinstance(messages, list)
        number = int(re.findall(r"Say number (\d+) again", str(messages[-1]["content"]))[-1])
        with self._noting:
            self.times.append((time.monotonic(), number))
        return super().respond(part, key, body)


def line(folder: Path, url: str, db: str, n: int, concurrency: int, *more: str) -> list[str]:
    """Return the command of a run of n questions, one call each."""
    questions = folder / f"q{n}.jsonl"
    if not questions.exists():
        questions.write_text("".join(json.dumps({"question": f"Say number {i} again", "answer": "1"}) + "\n" for i in range(n)))
    told = [
        "bench",
        f"question:{questions}",
        "-n",
        "all",
        "--strategy",
        "direct",
        "--model",
        "openai:m",
        "--base-url",
        url,
        "--db",
        str(folder / db),
    ]
    return [sys.executable, "-m", "reasoner", *told, "--concurrency", str(concurrency), *more]


def run(command: list[str], env: dict[str, str], folder: Path) -> tuple[float, float]:
    """Carry a command out; return its seconds, and its memory at most in MiB."""
    began = time.monotonic()
    with (folder / "bench.log").open("ab") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit((folder / "bench.log").read_text()[-2000:])
    return time.monotonic() - began, used.ru_maxrss / 1024


def while_all_work(times: list[tuple[float, int]], shards: int) -> tuple[float, float]:
    """Return calls a second, and for how many seconds, from when the last shard began to when the first ended. Question i is of shard i mod shards."""
    first: dict[int, float] = {}
    last: dict[int, float] = {}
    for at, number in times:
        shard = number % shards
        first.setdefault(shard, at)
        last[shard] = at
    begin, end = max(first.values()), min(last.values())
    n = sum(begin <= at < end for at, _ in times)
    return (n / (end - begin), end - begin) if end > begin else (0.0, 0.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="bench scale")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--latency", type=float, default=1000.0, help="milliseconds the server sleeps")
    parser.add_argument("--concurrency", type=int, default=2, help="calls at once, of each shard")
    parser.add_argument("--seconds", type=float, default=30.0, help="about how long each shard is to work")
    parser.add_argument("--calls", type=int, default=1000, help="calls of the comparison with one process")
    parser.add_argument("--shards", default="1,2,4,8,16")
    told = parser.parse_args()
    latency_s = told.latency / 1000
    rows: list[dict[str, object]] = []
    bars: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as name, Watched(latency_s) as server:
        folder = Path(name)
        with RayNodes(folder, nodes=2, cpus=8) as cluster:
            on = ["--on", f"ray:{cluster.address}"]
            for shards in map(int, told.shards.split(",")):
                server.times.clear()
                n = shards * max(2, int(told.seconds / latency_s) * told.concurrency)
                command = line(folder, server.url(f"s{shards}"), f"s{shards}.db", n, told.concurrency, *on, "--shards", str(shards))
                seconds, mib = run(command, cluster.env, folder)
                rate, window_s = while_all_work(server.times, shards)
                ideal = shards * told.concurrency / latency_s
                row = {
                    "shards": shards,
                    "calls": n,
                    "calls_per_s": round(rate, 2),
                    "ideal": round(ideal, 2),
                    "share_of_ideal": round(rate / ideal, 3),
                }
                rows.append(row | {"window_s": round(window_s, 1), "wall_s": round(seconds, 1), "coordinator_mib": round(mib)})
                bars["coordinator_mib"] = max(bars.get("coordinator_mib", 0.0), round(mib))
                if shards == 8:
                    bars["share_of_ideal_at_8"] = round(rate / ideal, 3)
            server.delay_s = 0.0
            each = {}
            for kind, more in (("one process", []), ("one shard", [*on, "--shards", "1"])):
                server.times.clear()
                run(line(folder, server.url(kind[4:]), f"{kind[4:]}.db", told.calls, 1, *more), cluster.env, folder)
                times = sorted(at for at, _ in server.times)
                each[kind] = 1000 * (times[-1] - times[0]) / (len(times) - 1)
                rows.append({"what": kind, "calls": told.calls, "ms_per_call": round(each[kind], 3)})
            bars["ms_per_call_over_local"] = round(each["one shard"] - each["one process"], 3)
    notes = {
        "measures": "orchestration only: no model, one machine",
        "own_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    print_report("scale", rows=rows, bars=bars, as_json=told.json, packages=("ray",), notes=notes)


if __name__ == "__main__":
    main()
