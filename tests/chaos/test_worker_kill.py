"""kill -9 of the model's worker in the middle of completions, seen from the real command line: the run finishes all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reasoner.store import Store

KILLS = 3


def worker_of(parent: int) -> int | None:
    """Return the pid of the worker a process has started, None when there is none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (
                    int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent
                    and b"llamacpp.worker" in (entry / "cmdline").read_bytes()
                ):
                    return int(entry.name)
            except OSError:
                continue
    return None


@pytest.mark.model
@pytest.mark.slow
def test_the_run_finishes_when_its_worker_is_killed(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "reasoner",
        "bench",
        "number_path",
        "--strategy",
        "cot",
        "-n",
        "4",
        "--max-tokens",
        "150",
        "--exact",
        "--json",
    ]
    plain = subprocess.run([*command, "--db", "plain.db"], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True)
    child = subprocess.Popen([*command, "--db", "killed.db"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    killed: set[int] = set()
    while child.poll() is None and len(killed) < KILLS:
        worker = worker_of(child.pid)
        if worker is not None and worker not in killed and _asked(tmp_path / "killed.db", done=len(killed)):
            time.sleep(0.3)  # in the middle of a completion: the model is loaded and has been asked
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
        time.sleep(0.05)
    out, said = child.communicate(timeout=300)
    assert child.returncode == 0, said
    assert len(killed) >= 1
    assert "Traceback" not in said

    def table(text: str) -> list[dict[str, object]]:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(text)["rows"]]

    assert table(out) == table(plain.stdout), "greedy answers must not depend on a worker's death"
    with Store.open(tmp_path / "killed.db") as store:
        assert store.rows("SELECT state, count(*) AS n FROM calls GROUP BY state") == [{"state": "done", "n": 4}]


def _asked(db: Path, *, done: int) -> bool:
    """Tell whether a call is under way after so many are done, so that no request is struck three times."""
    if not db.exists():
        return False
    with Store.open(db) as store:
        states = [row["state"] for row in store.rows("SELECT state FROM calls")]
    return states.count("done") >= done and "intent" in states
