"""Trials of several processes on one file, run as a program so that processes can be forked cheaply from one that has no threads.

    python tests/chaos/durability.py budget --n 5 --seed 1      one JSON object a trial, on standard output

`budget`: 64 workers in four processes share a run's budget, some are killed; a server's ledger says what was really billed. `writers`: many
processes write, one reads, all race to migrate an old file. `zombies`: a process is stopped past its lease and goes on when its work is
another's. `poison`: a problem that kills whoever works on it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import reasoner
from reasoner.api.bench import arun
from reasoner.api.settings import RunSettings
from reasoner.clients import ClientOptions
from reasoner.prompts import Prompts
from reasoner.registry import solver as find
from reasoner.runs.few_shot import statement
from reasoner.runs.problems import draw, instance_of
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.store import Store, migrations
from reasoner.store.spending import used
from reasoner.types import Completion, Usage

PRICE = reasoner.Price(prompt_per_million=1.0, completion_per_million=1.0)
PROCESSES, CONCURRENCY = 4, 16
MAX_TOKENS = 60


def child(work: Callable[[], Any]) -> int:
    """Fork a process that does something and ends with 0, or says why not and ends with 3."""
    pid = os.fork()
    if pid:
        return pid
    code = 0
    try:
        work()
    except BaseException:  # noqa: BLE001 - nothing of a child may run on in what it was forked from
        traceback.print_exc()
        code = 3
    os._exit(code)


def tell(found: dict[str, Any]) -> None:
    """Write one line of results."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def ended(pid: int) -> int:
    """Wait for a process and return its exit code, negative where a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


async def _serve(ready: Path, ledger: Path) -> None:
    """Bill every request in the ledger, then answer it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                body = await reader.readexactly(length)
                asked = sum(len(m["content"]) for m in json.loads(body)["messages"])
                reply = 1 + sum(body) % MAX_TOKENS
                with ledger.open("a") as file:
                    file.write(f"{asked} {reply}\n")
                await asyncio.sleep(0.01)
                message = {"message": {"role": "assistant", "content": "Answer: no"}, "finish_reason": "stop"}
                data = json.dumps({"choices": [message], "usage": {"prompt_tokens": asked, "completion_tokens": reply}}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    (ready.with_suffix(".part")).write_text(str(server.sockets[0].getsockname()[1]))
    ready.with_suffix(".part").rename(ready)
    await server.serve_forever()


def budget(n: int, rng: random.Random, folder: Path) -> None:
    """Let processes share a budget while some are killed, and compare the server's ledger with the cap."""
    ready, ledger = folder / "port", folder / "ledger"
    server = child(lambda: asyncio.run(_serve(ready, ledger)))
    try:
        while not ready.exists():
            time.sleep(0.01)
        url = f"http://127.0.0.1:{ready.read_text()}/v1"
        problems = draw("number_path", n=60, seed=1)
        for trial in range(n):
            ledger.write_text("")
            tell(_budget_trial(trial, rng, folder, url, problems, ledger))
    finally:
        os.kill(server, signal.SIGKILL)
        ended(server)


def _budget_trial(trial: int, rng: random.Random, folder: Path, url: str, problems: Any, ledger: Path) -> dict[str, Any]:
    db = folder / f"budget{trial}.db"
    cap = rng.uniform(0.004, 0.015)
    Store.open(db).close()

    def work() -> None:
        setup = RunSettings(
            db=db, run_limits=reasoner.Limits(cost=cap), prices={"openai:m": PRICE}, sampling=reasoner.Sampling(max_tokens=MAX_TOKENS),
            options=ClientOptions(base_url=url, concurrency=CONCURRENCY), retry_poisoned=True,
        )  # fmt: skip
        asyncio.run(arun(problems, parse_strategies("direct"), ["openai:m"], **setup))

    began = time.monotonic()
    pids = [child(work) for _ in range(PROCESSES)]
    killed = 0
    for _ in range(2):
        enough, latest = len(ledger.read_text().splitlines()) + rng.randrange(1, 8), time.monotonic() + 5
        while len(ledger.read_text().splitlines()) < enough and time.monotonic() < latest:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.01))
        victim = pids.pop(rng.randrange(PROCESSES))
        os.kill(victim, signal.SIGKILL)
        killed += ended(victim) == -signal.SIGKILL
        pids.append(child(work))
    codes = [ended(pid) for pid in [*pids, child(work)]]
    billed = [tuple(map(int, line.split())) for line in ledger.read_text().splitlines()]
    with Store.open(db) as store:
        (run,) = store.rows("SELECT id, used_calls, used_tokens, used_cost FROM runs")
        counted = store.write_now(lambda c: used(c, run["id"]))
        states = {row["state"]: row["n"] for row in store.rows("SELECT state, count(*) AS n FROM calls GROUP BY state")}
        leaked = store.rows("SELECT count(*) AS n FROM calls WHERE reserved_tokens IS NOT NULL OR reserved_cost IS NOT NULL")[0]["n"]
        owned = store.rows("SELECT count(*) AS n FROM trajectories WHERE owner IS NOT NULL")[0]["n"]
    cost = sum(PRICE.cost(prompt_tokens=a, completion_tokens=b) for a, b in billed)
    return {
        "trial": trial, "cap": cap, "billed": cost, "requests": len(billed), "killed": killed, "codes": codes, "states": states,
        "leaked": leaked, "owned": owned, "books_agree": abs(counted[3] - run["used_cost"]) < 1e-12 and counted[0] == run["used_calls"],
        "known": states.get("done", 0) + states.get("unknown", 0), "used": run["used_cost"], "seconds": round(time.monotonic() - began, 2),
    }  # fmt: skip


def writers(n: int, rng: random.Random, folder: Path) -> None:
    """Let n processes race to migrate an old file and then make 50 read-modify-write transactions each, while one reads."""
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    db = folder / "writers.db"
    first = Migrations("reasoner")
    first(name="m001_initial")(migrations.STEPS["m001_initial"])
    plain = sqlite3.connect(db)
    first.apply(Database(plain))
    plain.execute("INSERT INTO messages (id, hash, role, content) VALUES (1, '0', 'user', '0')")
    plain.commit()
    plain.close()
    seed = rng.randrange(1 << 30)

    def step(c: Any) -> None:
        (value,) = c.execute("SELECT content FROM messages WHERE id = 1").fetchone()
        c.execute("UPDATE messages SET content = ? WHERE id = 1", (str(int(value) + 1),))

    def write(number: int) -> None:
        waits = []
        with Store.open(db) as store:
            time.sleep(random.Random(seed + number).uniform(0, 0.05))
            for _ in range(50):
                began = time.monotonic()
                store.write_now(step)
                waits.append(time.monotonic() - began)
        (folder / f"waits{number}").write_text(json.dumps(waits))

    def read() -> None:
        with Store.open(db) as store:
            while not (folder / "stop").exists():
                store.rows("SELECT content FROM messages")
                time.sleep(0.01)

    began = time.monotonic()
    reader = child(read)
    pids = [child(lambda number=number: write(number)) for number in range(n)]  # type: ignore[misc]
    codes = [ended(pid) for pid in pids]
    (folder / "stop").touch()
    codes.append(ended(reader))
    waits = sorted(wait for file in folder.glob("waits*") for wait in json.loads(file.read_text()))
    with Store.open(db) as store:
        count = int(store.rows("SELECT content FROM messages WHERE id = 1")[0]["content"])
        sound = store.rows("PRAGMA integrity_check")[0]["integrity_check"]
        steps = [row["name"] for row in store.rows("SELECT name FROM _sqlite_migrations ORDER BY rowid")]
    tell({
                "writers": n, "count": count, "failed": sum(code != 0 for code in codes), "integrity": sound, "migrations": steps == list(migrations.STEPS),
                "p99_wait_s": round(waits[int(len(waits) * 0.99)], 3), "seconds": round(time.monotonic() - began, 2),
            })  # fmt: skip


class Slow:
    """A model that tells when it is asked and answers after a while."""

    name, fingerprint, paid, concurrency = "slow", "slow", False, 1

    def __init__(self, asked: Path, *, wait_s: float = 0.0, deadly: str = "") -> None:
        self.asked, self.wait_s, self.deadly = asked, wait_s, deadly

    async def complete(self, request: Any) -> Completion:
        self.asked.touch()
        if self.deadly and self.deadly in request.messages[-1].content:
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(self.wait_s)
        return Completion(f"Answer: by {os.getpid()}", usage=Usage(1, 1))

    async def aclose(self) -> None:
        """Do nothing."""


def zombies(n: int, rng: random.Random, folder: Path) -> None:
    """Stop a process past its lease, let another take its work, wake it, and see what it may still write."""
    problems = draw("number_path", n=1, seed=1)
    for trial in range(n):
        db, asked, code = folder / f"z{trial}.db", folder / f"asked{trial}", folder / f"code{trial}"
        Store.open(db).close()

        def stopped(db: Path = db, asked: Path = asked, code: Path = code) -> None:
            try:
                asyncio.run(arun(problems, parse_strategies("direct"), [Slow(asked, wait_s=0.05)], db=db, lease_s=0.2))
            except reasoner.ReasonerError as error:
                code.write_text(f"{type(error).__name__}: {error}")

        def other(db: Path = db, asked: Path = asked) -> None:
            asyncio.run(arun(problems, parse_strategies("direct"), [Slow(asked)], db=db))

        pid = child(stopped)
        while not asked.exists():
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.02))
        os.kill(pid, signal.SIGSTOP)
        successor = child(other)
        took = ended(successor)
        os.kill(pid, signal.SIGCONT)
        ended(pid)
        with Store.open(db) as store:
            done = store.rows("SELECT c.state, m.content FROM calls c LEFT JOIN messages m ON m.id = c.reply_id ORDER BY c.id")
        tell({
                    "trial": trial, "successor": took, "said": code.read_text() if code.exists() else "", "states": [row["state"] for row in done],
                    "by_successor": done[-1]["content"] == f"Answer: by {successor}",
                })  # fmt: skip


def poison(n: int, rng: random.Random, folder: Path) -> None:
    """Give a run with one deadly problem to process after process until one comes to its end."""
    problems = draw("number_path", n=6, seed=1)
    deadly = statement(find("number_path"), instance_of(find("number_path"), problems[rng.randrange(6)]), Prompts())
    db = folder / "poison.db"
    Store.open(db).close()

    def work(**more: Any) -> int:
        client = Slow(folder / "asked", deadly=deadly)
        return ended(child(lambda: asyncio.run(arun(problems, parse_strategies("direct"), [client], db=db, **more))))

    codes: list[int] = []
    while len(codes) < n and (not codes or codes[-1] != 0):
        codes.append(work())
    with Store.open(db) as store:
        rows = store.rows("SELECT status, error, error_kind FROM trajectories ORDER BY status")
        unknown = store.rows("SELECT count(*) AS n FROM calls WHERE state = 'unknown'")[0]["n"]
    tell({"codes": codes, "rows": rows, "unknown": unknown, "again": work(), "retried": work(retry_poisoned=True)})  # fmt: skip


def main() -> None:
    """Run one kind of trial."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("budget", "writers", "zombies", "poison"))
    parser.add_argument("--n", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    told = parser.parse_args()
    os.environ.setdefault("OPENAI_API_KEY", "none")
    with tempfile.TemporaryDirectory() as folder:
        globals()[told.kind](told.n, random.Random(told.seed), Path(folder))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
