"""A Ray cluster of a few nodes on this machine, in a process of its own, each node with a local disk (a folder) of its own.

    with RayNodes(tmp_path, nodes=2) as cluster:
        cluster.address           "127.0.0.1:40123"
        cluster.kill_raylet(0); cluster.add(); cluster.workers()   -> pids of processes that work on shards

Does not know shards. Everything is ended by its pid.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self

START_S = 240
OBJECT_STORE_BYTES = 80 << 20


class ClusterEnded(Exception):
    """Ray could not start a node: on a machine that is too busy its helpers are later than it waits for them."""


class RayNodes:
    """Starts a head, which runs no shards, and nodes with `cpus` places each."""

    def __init__(self, folder: Path, *, nodes: int = 2, cpus: int = 2, disks: Path | None = None, python: str = sys.executable) -> None:
        self.folder = folder
        self.disks = disks or folder
        self._n = nodes
        self._cpus = cpus
        self._python = python
        self._made = 0
        self.env = ray_environment(folder)

    def __enter__(self) -> Self:
        with (self.folder / "ray.log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._python, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self.env,
                cwd=self.folder,  # what workers rescue of a disk that was wiped goes there
                start_new_session=True,
            )
        try:
            told = self._ask(do="head")
            self.address, self.gcs = str(told["address"]), int(told["gcs"])
            self.raylets: list[int] = [self.add() for _ in range(self._n)]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, ValueError):
            self._process.stdin.close()  # type: ignore[union-attr]
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def add(self, disk: int | None = None) -> int:
        """Add a node, with a disk of its own or that of one that is gone; return the pid of its raylet."""
        if disk is None:
            self._made += 1
        there = self.disks / f"disk{self._made if disk is None else disk + 1}"
        there.mkdir(exist_ok=True)
        return int(self._ask(do="node", disk=str(there), cpus=self._cpus)["raylet"])

    def replace(self, number: int) -> None:
        """Start a machine again, whose raylet is gone: another node to Ray, with the same disk."""
        self.raylets[number] = self.add(number)

    def _ask(self, **told: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ClusterEnded((self.folder / "ray.log").read_text()[-2000:])
        made: dict[str, Any] = json.loads(line)
        return made

    def workers(self) -> dict[int, int]:
        """Return the processes that work on a shard now: pid, and the pid of its raylet."""
        return {pid: parent for pid, parent, words in processes() if words.startswith("ray::reasoner") and parent in self.raylets}

    def kill_raylet(self, number: int) -> None:
        """Kill a node's raylet; its workers find out and end."""
        os.kill(self.raylets[number], signal.SIGKILL)

    def kill_node(self, number: int) -> None:
        """Kill a node's raylet and all that it started, as when its machine is lost."""
        raylet = self.raylets[number]
        for pid in (raylet, *(pid for pid, parent, _ in processes() if parent == raylet)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_head(self) -> None:
        """Kill what the nodes and the coordinator register with."""
        os.kill(self.gcs, signal.SIGKILL)


def ray_environment(folder: Path) -> dict[str, str]:
    """Return the environment of Ray's processes: quick to start, and quick to give up a head that is gone."""
    quick = folder / "quick"
    quick.mkdir(exist_ok=True)
    # jsonschema, which Ray loads in every process, builds a grammar of IRIs for seconds where this package is installed.
    (quick / "rfc3987_syntax.py").write_text('raise ImportError("not needed here")\n')
    root = str(Path(__file__).resolve().parents[2])
    before = {name: value for name, value in os.environ.items() if not name.startswith(("REASONER_", "RAY_"))}
    return before | {
        "PYTHONPATH": os.pathsep.join([str(quick), root, *filter(None, [os.environ.get("PYTHONPATH")])]),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "RAY_gcs_rpc_server_reconnect_timeout_s": "5",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_failure_threshold": "5",
        "REASONER_THREADS": "1",
    }


def processes() -> list[tuple[int, int, str]]:
    """Return pid, parent and command line of every process of this machine."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError, IndexError, ValueError):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                found.append((int(entry.name), parent, words))
    return found


def wait_until(what: Any, *, patience_s: float = 120) -> Any:
    """Wait until a function returns something true, and return that."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if made := what():
            return made
        time.sleep(0.1)
    raise AssertionError("it did not come to that")


def tried(start: Callable[[], Any]) -> Any:
    """Start something of Ray's, again where the machine was too busy for Ray's patience."""
    for left in (2, 1, 0):
        try:
            return start()
        except Exception:
            if not left:
                raise
    return None


def serve() -> None:
    """Hold a cluster: a line of JSON asks for something, a line answers."""
    from ray._private.node import Node
    from ray.cluster_utils import Cluster

    # A raylet ends itself when its helpers need more than 15 s, which they do on a busy machine: nothing is started that no test needs.
    Node.start_api_server = lambda self, **_: setattr(self, "_webui_url", "")
    with suppress(PermissionError):
        os.nice(-5)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints goes to the log
    cluster: Any = None
    try:
        for line in sys.stdin:
            told = json.loads(line)
            if told["do"] == "head":
                args = {"num_cpus": 0, "object_store_memory": OBJECT_STORE_BYTES, "include_log_monitor": False, "no_monitor": True}
                cluster = tried(partial(Cluster, initialize_head=True, head_node_args=args))
                gcs = cluster.head_node.all_processes["gcs_server"][0].process.pid
                answer: dict[str, Any] = {"address": cluster.address, "gcs": gcs}
            else:
                env = {"REASONER_SCRATCH": told["disk"]}
                more = {"num_cpus": told["cpus"], "object_store_memory": OBJECT_STORE_BYTES, "env_vars": env}
                node = tried(partial(cluster.add_node, **more))
                answer = {"raylet": node.all_processes["raylet"][0].process.pid}
            out.write(json.dumps(answer) + "\n")
            out.flush()
    finally:
        if cluster is not None:
            cluster.shutdown()


if __name__ == "__main__":
    serve()
