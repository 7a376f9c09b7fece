"""What `reasoner serve` parks, `reasoner resume` goes on with: both as the commands they are, with a model behind a real socket."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from forks import plain_environment
from model_server import ModelServer

TOKEN = "a-token-of-the-tests"
REPLY = '{"thought": "go on", "response": "Answer: 42", "stop": false, "done": true}'


def served(server: ModelServer, db: Path) -> tuple[subprocess.Popen[str], str]:
    command = [
        sys.executable, "-m", "reasoner", "serve", "--model", "openai:m", "--base-url", server.url(), "--port", "0", "--db", str(db), "--drain", "1",
    ]  # fmt: skip
    child = subprocess.Popen(command, env=plain_environment() | {"REASONER_TOKEN": TOKEN}, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    for line in child.stderr:
        if found := re.search(r"(http://[\d.]+:\d+/v1)", line):
            return child, found[1]
    raise AssertionError("the server did not say where it is")


def status(db: Path) -> list[tuple[str, str]]:
    c = sqlite3.connect(db)
    rows = c.execute("SELECT r.status, t.status FROM runs r JOIN trajectories t ON t.run_id = r.id").fetchall()
    c.close()
    return rows


@pytest.mark.slow
def test_resume_goes_on_with_what_serve_parked(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        model.delay_s = 0 if len(asked) == 1 or stopped else 60  # the second call is under way when the service ends
        return REPLY

    stopped: list[bool] = []
    with ModelServer(answer) as model:
        child, address = served(model, db)
        body = {"model": "iot/openai:m", "messages": [{"role": "user", "content": "What is six times seven?"}]}
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}/chat/completions", json=body, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=4, trust_env=False)
        child.send_signal(signal.SIGTERM)
        said = child.communicate(timeout=60)[1]
        assert "Traceback" not in said, said
        assert len(asked) == 2
        assert status(db) == [("interrupted", "open")]
        stopped.append(True)
        model.delay_s = 0
        done = subprocess.run(
            [sys.executable, "-m", "reasoner", "resume", "last", "--db", str(db), "--json"],
            env=plain_environment(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"][0]["n"] == 1
    assert status(db) == [("finished", "closed")]
    assert asked[0] not in asked[1:], "the committed call is not made again"
