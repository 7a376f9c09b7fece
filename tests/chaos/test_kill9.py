"""kill -9 of the real command line at random moments: no committed call is made twice, and the table comes out the same.

The model is a loopback server that answers from the prompt alone and keeps a ledger of what it was asked. The seed of the
moments is printed; `REASONER_CHAOS_SEED` repeats it, `REASONER_KILLS` sets how often.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reasoner.plan import draw, instance_of
from reasoner.prompts import Prompts
from reasoner.registry import solver as find_solver
from reasoner.shots import statement
from reasoner.store import Store

KILLS = int(os.environ.get("REASONER_KILLS", "20"))
N = 30
SOLVERS = ("number_path", "arithmetic")


def right_answers() -> dict[str, str]:
    """The right answer line by statement, for every second problem of the bench."""
    found = {}
    for name in SOLVERS:
        solver = find_solver(name)
        for problem in draw(name, n=N, seed=0)[::2]:
            instance = instance_of(solver, problem)
            path = solver.solve(instance)
            found[statement(solver, instance, Prompts())] = solver.answer(instance, path)
    return found


@contextmanager
def server(delay_s: float) -> Iterator[tuple[str, Counter[str]]]:
    """Answer every second problem rightly, after a delay; count what each idempotency key was asked."""
    answers = right_answers()
    ledger: Counter[str] = Counter()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                ledger[self.headers["Idempotency-Key"]] += 1
            time.sleep(delay_s)
            asked = body["messages"][-1]["content"]
            text = next((line for question, line in answers.items() if question in asked), "Answer: I do not know")
            message = {"message": {"role": "assistant", "content": f"1: some step (try)\n{text}"}, "finish_reason": "stop"}
            data = json.dumps({"choices": [message], "usage": {"prompt_tokens": len(asked), "completion_tokens": len(text)}}).encode()
            try:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                return  # the client was killed while it waited

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}/v1", ledger
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def bench(url: str, db: Path) -> list[str]:
    options = [
        "-n",
        str(N),
        "--strategy",
        "cot,ats",
        "--model",
        "openai:m",
        "--base-url",
        url,
        "--db",
        str(db),
        "--json",
        "--concurrency",
        "4",
        # Here whoever kills does so at random: nothing is to be set aside for it.
        "--retry-poisoned",
    ]
    return [sys.executable, "-m", "reasoner", "bench", *SOLVERS, *options]


def table(output: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(output)["rows"]]


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    with server(0.0) as (url, _):
        plain = subprocess.run(bench(url, tmp_path / "plain.db"), capture_output=True, text=True, timeout=120, check=True)
    killed = rounds = 0
    with server(0.3) as (url, ledger):
        while killed < KILLS:
            db = tmp_path / f"killed{rounds}.db"
            child = subprocess.Popen(bench(url, db), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            # Start-up takes most of a second; some kills fall into it, most into the run.
            time.sleep(rng.uniform(0.5, 2.0))
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
                killed += 1
            child.communicate()
            if child.returncode == 0:  # it got to its end between two kills: check it, and go on with a new file
                _finish(url, db, ledger, table(plain.stdout))
                ledger.clear()
                rounds += 1
            elif db.exists():
                _check(db, ledger)
        _finish(url, tmp_path / f"killed{rounds}.db", ledger, table(plain.stdout))


def _finish(url: str, db: Path, ledger: Counter[str], wanted: list[dict[str, Any]]) -> None:
    """Let the bench come to its end and compare it with the one that was never killed."""
    done = subprocess.run(bench(url, db), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert table(done.stdout) == wanted
    assert sum(row["correct"] for row in wanted) == 2 * len(SOLVERS) * N // 2
    _check(db, ledger)
    with Store.open(db) as store:
        assert store.rows("SELECT count(*) AS n FROM calls WHERE state = 'done'") == [{"n": 2 * len(SOLVERS) * N}]
        assert store.rows("SELECT count(*) AS n FROM runs") == [{"n": 1}]


def _check(db: Path, ledger: Counter[str]) -> None:
    """Every key was asked at most once more than it has attempts that ended in `unknown`; the file is sound."""
    with Store.open(db) as store:
        assert store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        rows = store.rows("SELECT key, sum(state = 'done') AS done, sum(state <> 'done') AS other FROM calls GROUP BY key")
    asked = dict(ledger)
    for row in rows:
        assert row["done"] <= 1
        assert asked.get(row["key"], 0) <= row["done"] + row["other"], "asked more often than the journal knows"
    assert set(asked) <= {row["key"] for row in rows}, "asked without an intent"


@pytest.mark.parametrize(
    ("sent", "sigint"),
    [(signal.SIGINT, "SIG_DFL"), (signal.SIGTERM, "SIG_DFL"), (signal.SIGTERM, "SIG_IGN")],
    ids=["ctrl-c", "terminated", "terminated as a background job"],
)
def test_an_interrupt_leaves_a_resumable_run(tmp_path: Path, sent: signal.Signals, sigint: str) -> None:
    # What a process does at SIGINT is inherited, and tests may themselves run in the background: say it.
    start = f"import os, signal, sys; signal.signal(signal.SIGINT, signal.{sigint}); os.execv(sys.argv[1], sys.argv[1:])"
    with server(0.15) as (url, ledger):
        command = [sys.executable, "-c", start, *bench(url, tmp_path / "c.db")]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while sum(ledger.values()) < 8 and child.poll() is None:
            time.sleep(0.05)
        child.send_signal(sent)
        _, said = child.communicate(timeout=60)
        assert child.returncode == 130, said
        assert "interrupted" in said
        assert "same command" in said
        assert "Traceback" not in said
        with Store.open(tmp_path / "c.db") as store:
            assert store.rows("SELECT status FROM runs") == [{"status": "interrupted"}]
            done = store.rows("SELECT count(*) AS n FROM calls WHERE state = 'done'")[0]["n"]
            assert store.rows("SELECT count(*) AS n FROM calls WHERE state = 'intent'") == [{"n": 0}]
        before = sum(ledger.values())
        again = subprocess.run(bench(url, tmp_path / "c.db"), capture_output=True, text=True, timeout=300, check=False)
        assert again.returncode == 0, again.stderr
        assert sum(ledger.values()) == before + 4 * N - done
