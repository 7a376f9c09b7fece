"""How near our shards, Ray Data and Inspect come to the calls a second that a server allows, and what a call costs each of them. Orchestration only, no model.

    scripts/bench scale_peers --peers VENV/bin/python

VENV is the environment of `faults_peers`. Every program asks questions of a loopback server that sleeps `--latency` ms: `--workers` of two calls each (Inspect: one process
of twice as many connections). The ideal is their product over the latency; the rate is that of the middle half of all questions as the server saw them, so that neither
starting processes nor the last batches are in it. Then one worker of one call at a time and a server that answers at once: milliseconds a call, of the same middle half.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "helpers"))

from _faults_peers import BATCH
from _report import print_report
from faults_peers import OURS, PEER, TASK, Ground, Server, end
from overhead import peer_versions
from ray_nodes import ClusterEnded, RayNodes


class Watched(Server):
    """A server that keeps when it was asked."""

    def __init__(self, delay_s: float) -> None:
        super().__init__(lambda asked: f"Answer: {len(asked)}", delay_s=delay_s)
        self.times: list[float] = []
        self._noting = threading.Lock()

    def respond(self, part: str, key: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Note the time."""
        with self._noting:
            self.times.append(time.monotonic())
        return super().respond(part, key, body)


def ours(ground: Ground, workers: int, calls: int) -> None:
    """Run `reasoner map --on ray`, a shard for each worker."""
    (ground.folder / "ask.jinja").write_text("{{ question }}")
    rows = ground.folder / "rows.jsonl"
    rows.write_text("".join(path.read_text() for path in sorted((ground.folder / "questions").glob("*.jsonl"))))
    with RayNodes(ground.folder, nodes=2, cpus=(workers + 1) // 2) as cluster:
        command = [sys.executable, "-m", "reasoner", *OURS.split(), "--base-url", ground.url, "--concurrency", str(calls)]
        command += ["--on", f"ray:{cluster.address}", "--shards", str(workers), "--shared", str(ground.folder / "shared")]
        whole(ground, command, cluster.env | {"OPENAI_API_KEY": "x"})


def ours_alone(ground: Ground, workers: int, calls: int) -> None:
    """Run `reasoner map` in one process."""
    (ground.folder / "ask.jinja").write_text("{{ question }}")
    rows = ground.folder / "rows.jsonl"
    rows.write_text("".join(path.read_text() for path in sorted((ground.folder / "questions").glob("*.jsonl"))))
    command = [sys.executable, "-m", "reasoner", *OURS.split(), "--base-url", ground.url, "--concurrency", str(workers * calls)]
    whole(ground, command, os.environ | {"OPENAI_API_KEY": "x"})


def ray_data(ground: Ground, workers: int, calls: int) -> None:
    """Run `map_batches`."""
    env = ground.env | {"PEER_WORKERS": str(workers), "PEER_CALLS": str(calls)}
    whole(ground, [ground.python, str(PEER), "ray-data", str(ground.folder), ground.url], env)


def inspect(ground: Ground, workers: int, calls: int) -> None:
    """Run `inspect eval`."""
    asked = ["--model", "openai/m", "--model-base-url", ground.url, "-M", "responses_api=false", "--max-connections", str(workers * calls)]
    asked += ["--max-samples", str(workers * calls), "--display", "plain", "--log-dir", str(ground.folder / "logs")]
    whole(
        ground,
        [str(Path(ground.python).with_name("inspect")), "eval", f"{TASK}@questions", "-T", f"folder={ground.folder}", *asked],
        ground.env,
    )


def whole(ground: Ground, command: list[str], env: dict[str, str]) -> None:
    """Carry a command out, to its end."""
    program = ground.start(command, env)
    try:
        if program.wait(1200):
            raise RuntimeError(ground.said())
    finally:
        end(program)


CONTENDERS: dict[str, Callable[[Ground, int, int], None]] = {
    "reasoner --on ray": ours, "reasoner, one process": ours_alone, "Ray Data": ray_data, "Inspect": inspect,
}  # fmt: skip


def middle_half(times: list[float]) -> tuple[int, float]:
    """Return how many questions came in the middle half, and in how many seconds."""
    ordered = sorted(times)
    first, last = len(ordered) // 4, 3 * len(ordered) // 4
    return last - first, ordered[last] - ordered[first]


def measured(server: Watched, options: argparse.Namespace, name: str, n: int, workers: int, calls: int) -> dict[str, Any]:
    """Have a program ask n questions; return a row with the calls and seconds of the middle half, and the seconds of the whole command."""
    told: dict[str, Any] = {"program": name, "workers": workers, "calls_at_once": workers * calls}
    folder = Path(tempfile.mkdtemp(prefix="scale-peers-"))
    server.times.clear()
    began = time.monotonic()
    try:
        (folder / "questions").mkdir()
        for first in range(0, n, BATCH):
            rows = ({"id": str(each), "question": f"What is {each} + {each}?"} for each in range(first, min(n, first + BATCH)))
            (folder / "questions" / f"{first:06d}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        CONTENDERS[name](Ground(folder, server.url(folder.name), n, options.peers, lambda: 0), workers, calls)
    except (RuntimeError, OSError, ClusterEnded, subprocess.SubprocessError) as error:
        return told | {"left_out": str(error)[-300:]}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    n_middle, window_s = middle_half(server.times)
    return told | {"n": n_middle, "window_s": round(window_s, 3), "wall_s": round(time.monotonic() - began, 1)}


def main() -> None:
    """Measure every program at every number of workers, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--peers", default=os.environ.get("REASONER_BENCH_PEERS", sys.executable), help="the Python that has the peers")
    parser.add_argument("--latency", type=float, default=1000.0, help="milliseconds the server sleeps")
    parser.add_argument("--seconds", type=float, default=30.0, help="about how long each worker is to work")
    parser.add_argument("--calls", type=int, default=600, help="calls of the comparison one at a time")
    parser.add_argument("--workers", default="4,8,16")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    bars: dict[str, float] = {}

    def note(row: dict[str, Any]) -> None:
        rows.append(row)
        print(row, file=sys.stderr)

    latency_s = options.latency / 1000
    with Watched(latency_s) as server:
        for name in CONTENDERS:
            for workers in map(int, options.workers.split(",")):
                ideal = 2 * workers / latency_s
                row = measured(server, options, name, BATCH * round(ideal * options.seconds / BATCH), workers, 2)
                if "n" in row:
                    row |= {
                        "calls_per_s": round(row["n"] / row["window_s"], 2),
                        "share_of_ideal": round(row["n"] / row["window_s"] / ideal, 3),
                    }
                    if name == "reasoner --on ray":
                        bars[f"share_of_ideal_at_{workers}"] = row["share_of_ideal"]
                note(row)
        server.delay_s = 0.0
        for name in CONTENDERS:
            row = measured(server, options, name, options.calls, 1, 1)
            note(row | ({"ms_per_call": round(1000 * row["window_s"] / row["n"], 2)} if "n" in row else {}))
    print_report(
        "scale_peers", rows=rows, bars=bars, as_json=options.json, packages=("ray",),
        notes={"peers": peer_versions(options.peers, ("ray", "inspect-ai", "openai")), "measures": "orchestration only: no model, one machine"},
    )  # fmt: skip


if __name__ == "__main__":
    main()
