"""One process, or a node, is killed in the middle of a run, ours and peers': how many questions were asked again, what was lost, what had to be done by hand.

    scripts/bench faults_peers --peers VENV/bin/python

VENV is an environment of the peers' own, with `ray[data]`, `inspect-ai` and `openai`; `REASONER_BENCH_PEERS` names it as well. Every program asks the same
questions, eight at once, of a loopback server that bills each request and knows no idempotency keys. When half of them are answered, a worker, a node (one
of two, with all its processes; it does not come back) or the program itself is killed (SIGKILL), and goes on in its own way: by itself, or by the commands of `by_hand`. Nothing here says how fast anybody is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "helpers"))

from _faults_peers import BATCH, CALLS_EACH, WORKERS
from _report import print_report
from model_server import ModelServer
from overhead import peer_versions
from ray_nodes import ClusterEnded, RayNodes, processes, wait_until

DELAY_S = 0.5
WIDTH = WORKERS * CALLS_EACH
NODES = 2
PATIENCE_S = 300.0
OURS = "map rows.jsonl --prompt ask.jinja --out out.jsonl --model openai:m --db t.db"
PEER, TASK = (Path(__file__).resolve().with_name(name) for name in ("_faults_peers.py", "_faults_task.py"))


class Server(ModelServer):
    """Counts by question, and answers in full: peers read fields that we do not."""

    def respond(self, part: str, key: str, body: dict[str, Any]) -> tuple[int, bytes]:
        """Return status and body, having written the ledger."""
        found = re.search(r"What is (\d+) \+", str(body["messages"][-1]["content"]))
        status, data = super().respond(part, found[1] if found else key, body)
        made = json.loads(data)
        made |= {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
        made["choices"][0]["index"] = 0
        made["usage"]["total_tokens"] = made["usage"]["prompt_tokens"] + made["usage"]["completion_tokens"]
        return status, json.dumps(made).encode()


@dataclass
class Ground:
    """What a contender is given: a folder with the questions, the server's address, the peers' Python."""

    folder: Path
    url: str
    n: int
    python: str
    answered: Callable[[], int]

    @property
    def env(self) -> dict[str, str]:
        """The environment of peers: nothing of ours, no proxy."""
        own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        own = {name: value for name, value in own.items() if not name.startswith(("REASONER_", "RAY_", "INSPECT_", "PYTHON"))}
        return own | {"OPENAI_API_KEY": "x", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0", "HOME": str(self.folder)}

    def start(self, command: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=env, stdout=log, stderr=log, start_new_session=True)

    def until_half(self, program: subprocess.Popen[bytes]) -> None:
        """Wait until half of the questions are answered."""
        wait_until(lambda: self.answered() >= self.n // 2 or program.poll() is not None, patience_s=PATIENCE_S)
        if program.poll() is not None:
            raise RuntimeError(f"it ended with {program.returncode} before half was answered: {self.said()}")

    def finish(self, command: list[str], env: dict[str, str]) -> int:
        """Run a command to its end and return its exit code."""
        program = self.start(command, env)
        try:
            return program.wait(PATIENCE_S)
        finally:
            end(program)

    def said(self) -> str:
        """Return the end of what was printed."""
        return (self.folder / "log").read_text(errors="replace")[-600:]


def below(pid: int) -> dict[int, str]:
    """Return the processes that come from one, with their command lines."""
    there = processes()
    found = {pid}
    while more := {child for child, parent, _ in there if parent in found} - found:
        found |= more
    return {each: words for each, _, words in there if each in found - {pid}}


def end(program: subprocess.Popen[bytes]) -> None:
    """Kill a program and all that comes from it."""
    own = below(program.pid)
    program.kill()
    program.wait()
    time.sleep(0.5)
    left = {pid: words for pid, _, words in processes()}
    for pid, words in own.items():
        if left.get(pid) == words:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


# -- contenders: each returns the ids it has an answer to at the end, one for each row, and what was done by hand


def ours(ground: Ground, fault: str) -> tuple[list[str], list[str]]:
    """Run `reasoner map --on ray` and kill a process of it."""
    (ground.folder / "ask.jinja").write_text("{{ question }}")
    nodes = NODES if fault == "node" else 1
    with RayNodes(ground.folder, nodes=nodes, cpus=WORKERS // nodes) as cluster:
        rows = ground.folder / "rows.jsonl"
        rows.write_text("".join(path.read_text() for path in sorted((ground.folder / "questions").glob("*.jsonl"))))
        command = [sys.executable, "-m", "reasoner", *OURS.split()]
        command += ["--base-url", ground.url, "--concurrency", str(CALLS_EACH), "--on", f"ray:{cluster.address}"]
        command += ["--shards", str(WORKERS), "--shared", str(ground.folder / "shared")]
        env = cluster.env | {"OPENAI_API_KEY": "x"}
        program = ground.start(command, env)
        by_hand = []
        try:
            ground.until_half(program)
            if fault == "worker":
                os.kill(min(cluster.workers()), signal.SIGKILL)
            elif fault == "node":
                cluster.kill_node(0)
            else:
                end(program)
                by_hand = ["the same command"]
                program = ground.start(command, env)
            if program.wait(PATIENCE_S):
                raise RuntimeError(ground.said())
        finally:
            end(program)
    return [json.loads(line)["id"] for line in (ground.folder / "out.jsonl").read_text().splitlines()], by_hand


def ray_data(ground: Ground, fault: str, *more: str) -> tuple[list[str], list[str]]:
    """Run `map_batches` and kill a process of it."""
    command = [ground.python, str(PEER), "ray-data", str(ground.folder), ground.url, *more]
    if fault == "node":
        return ray_data_on_nodes(ground, command)
    program = ground.start(command, ground.env)
    by_hand = []
    try:
        ground.until_half(program)
        if fault == "worker":
            at_work = [pid for pid, words in below(program.pid).items() if re.match(r"ray::(\w+->)*(MapBatches|MapWorker|ReadJSON)", words)]
            os.kill(min(at_work), signal.SIGKILL)
        else:
            end(program)
            by_hand = ["the same script"]
            program = ground.start(command, ground.env)
        if program.wait(PATIENCE_S):
            raise RuntimeError(ground.said())
    finally:
        end(program)
    return written(ground, by_hand)


def ray_data_on_nodes(ground: Ground, command: list[str]) -> tuple[list[str], list[str]]:
    """Run it on a cluster and kill a node of that."""
    with RayNodes(ground.folder, nodes=NODES, cpus=WORKERS // NODES, python=ground.python) as cluster:
        program = ground.start(command, ground.env | {"RAY_ADDRESS": cluster.address})
        try:
            ground.until_half(program)
            cluster.kill_node(0)
            if program.wait(PATIENCE_S):
                raise RuntimeError(ground.said())
        finally:
            end(program)
    return written(ground, [])


def written(ground: Ground, by_hand: list[str]) -> tuple[list[str], list[str]]:
    """Return the ids that Ray Data's files hold, and what is to be done with them by hand."""
    files = sorted((ground.folder / "out").glob("*.json*"))
    ids = [json.loads(line)["id"] for path in files for line in path.read_text().splitlines()]
    if len(ids) > len(set(ids)):
        by_hand.append("rows that stand twice taken out")
    return ids, by_hand


def ray_data_checkpoint(ground: Ground, fault: str) -> tuple[list[str], list[str]]:
    """Run `map_batches` with checkpoints."""
    return ray_data(ground, fault, str(ground.folder / "checkpoint"))


def inspect(ground: Ground, _: str, *, recover: bool = False) -> tuple[list[str], list[str]]:
    """Run `inspect eval`, kill it, and have it go on by its own commands."""
    tool = str(Path(ground.python).with_name("inspect"))
    log = ["--log-dir", str(ground.folder / "logs")]
    asked = ["--model", "openai/m", "--model-base-url", ground.url, "-M", "responses_api=false", "--max-connections", str(WIDTH)]
    asked += ["--display", "plain", *log]
    program = ground.start([tool, "eval", f"{TASK}@questions", "-T", f"folder={ground.folder}", *asked], ground.env)
    try:
        ground.until_half(program)
    finally:
        end(program)
    by_hand = []
    (there,) = (ground.folder / "logs").glob("*.eval")
    if recover:
        by_hand.append("inspect log recover")
        if ground.finish([tool, "log", "recover", str(there), "--overwrite", *log], ground.env):
            raise RuntimeError(ground.said())
    by_hand.append("inspect eval-retry")
    if ground.finish([tool, "eval-retry", str(there), "--max-connections", str(WIDTH), "--display", "plain", *log], ground.env):
        raise RuntimeError(ground.said())
    told = subprocess.run(
        [ground.python, str(PEER), "inspect-log", str(ground.folder)], env=ground.env, capture_output=True, text=True, check=True
    )
    found = json.loads(told.stdout.splitlines()[-1])
    return [str(each) for each in found["ids"]], by_hand


def inspect_recover(ground: Ground, fault: str) -> tuple[list[str], list[str]]:
    """Have Inspect recover its log from its buffer first."""
    return inspect(ground, fault, recover=True)


CONTENDERS: tuple[tuple[str, str, Callable[[Ground, str], tuple[list[str], list[str]]]], ...] = (
    ("reasoner --on ray", "worker", ours),
    ("reasoner --on ray", "node", ours),
    ("reasoner --on ray", "program", ours),
    ("Ray Data", "worker", ray_data),
    ("Ray Data", "node", ray_data),
    ("Ray Data", "program", ray_data),
    ("Ray Data, checkpoints", "worker", ray_data_checkpoint),
    ("Ray Data, checkpoints", "node", ray_data_checkpoint),
    ("Ray Data, checkpoints", "program", ray_data_checkpoint),
    ("Inspect", "program", inspect),
    ("Inspect, log recover", "program", inspect_recover),
)


@contextmanager
def ground_of(server: Server, number: int, n: int, python: str) -> Iterator[Ground]:
    """Make the folder of a contender, with the questions in it."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        (folder / "questions").mkdir()
        for first in range(0, n, BATCH):
            rows = ({"id": str(each), "question": f"What is {each} + {each}?"} for each in range(first, min(n, first + BATCH)))
            (folder / "questions" / f"{first:06d}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        part = f"c{number}"
        yield Ground(folder, server.url(part), n, python, lambda: len(server.ledger(part).answers))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def row_of(server: Server, number: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run one contender through one fault."""
    name, fault, run = CONTENDERS[number]
    told: dict[str, Any] = {"program": name, "killed": fault}
    with ground_of(server, number, options.questions, options.peers) as ground:
        try:
            ids, by_hand = run(ground, fault)
        except (RuntimeError, AssertionError, OSError, ValueError, ClusterEnded, subprocess.SubprocessError) as error:
            return told | {"left_out": str(error)[-options.said :]}
    asked = server.ledger(f"c{number}").asked
    twice = sum(count - 1 for count in Counter(ids).values())
    return told | {
        "questions": options.questions, "asked": sum(asked.values()), "asked_again": sum(asked.values()) - len(asked),
        "lost": options.questions - len(set(ids)), "rows_twice": twice, "by_hand": ", then ".join(by_hand) or "nothing",
    }  # fmt: skip


def main() -> None:
    """Kill every contender once for each fault, and print what that came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--peers", default=os.environ.get("REASONER_BENCH_PEERS", sys.executable), help="the Python that has the peers")
    parser.add_argument("--questions", type=int, default=240)
    parser.add_argument("--only", default="", help="programs to run, separated by semicolons")
    parser.add_argument("--killed", default="worker,node,program", help="what is killed")
    parser.add_argument("--said", type=int, default=200, help="characters of what a program said that is left out")
    options = parser.parse_args()
    wanted = [name.strip() for name in options.only.split(";") if name.strip()]
    rows = []
    with Server(lambda asked: f"Answer: {len(asked)}", delay_s=DELAY_S) as server:
        for number, (name, fault, _) in enumerate(CONTENDERS):
            if (not wanted or name in wanted) and fault in options.killed.split(","):
                rows.append(row_of(server, number, options))
                print(rows[-1], file=sys.stderr)
    whole = {f"{row['program']}, {row['killed']}": row for row in rows if "left_out" not in row}
    own = [row for name, row in whole.items() if name.startswith("reasoner")]
    bars = {name: float(sum(row[name] for row in own)) for name in ("lost", "rows_twice", "asked_again")} if own else {}
    if own:
        bars["most_asked_again"] = float(max(row["asked_again"] for row in own))
    print_report(
        "faults_peers", rows=rows, bars=bars, as_json=options.json, packages=("ray",),
        notes={"peers": peer_versions(options.peers, ("ray", "inspect-ai", "openai")), "calls_at_once": WIDTH, "seconds_a_call": DELAY_S},
    )  # fmt: skip


if __name__ == "__main__":
    main()
