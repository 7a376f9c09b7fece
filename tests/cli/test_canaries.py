"""A key is nowhere but in the header it belongs in: canary keys over error paths of the real command line, looked for in every sink.

Each path runs in a directory of its own with a key nobody else has. Afterwards `SINKS` reads everything the path could have left it in: the
files as bytes, and what the commands that show, export and compare print.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fault_server import Fault, FaultServer
from forks import Ended, Forks

CANARY = "sk-proj-CANARY0123456789abcdefGHIJKL_%s"
SOLVE = ("solve", "game24", "4 9 10 13", "--strategy", "cot", "--model", "openai:m")
BENCH = ("bench", "number_path", "-n", "2", "--strategy", "cot,direct", "--model", "openai:m")
TINY_WAIT = (
    "import reasoner.calling.retry as r; r.RetryPolicy.model_fields['first_wait_s'].default = 0.0; r.RetryPolicy.model_rebuild(force=True)"
)


def echo(**how: Any) -> Callable[[FaultServer, str], None]:
    """A server that says the key, in the shape given; `{}` stands for it."""

    def script(server: FaultServer, key: str) -> None:
        made: dict[str, Any] = {name: value.replace("{}", key) if isinstance(value, str) else value for name, value in how.items()}
        body = made.pop("body", "").encode()
        raw = made.pop("raw", None)
        server.script(*[Fault(body=body, raw=raw.encode() if raw is not None else None, **made) for _ in range(12)])

    return script


def chat(text: str) -> str:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}, "model": "m {}"})


ANSWERS: dict[str, Callable[[FaultServer, str], None]] = {
    "401 that quotes the key": echo(status=401, body='{"error": {"message": "Incorrect API key provided: {}"}}'),
    "403 page": echo(status=403, body="<html>no access for Bearer {}</html>"),
    "404 with the key in the code": echo(status=404, body='{"error": {"message": "no", "code": "{}"}}'),
    "422 that returns the request": echo(status=422, body='{"detail": [{"input": {"authorization": "Bearer {}"}}]}'),
    "429 without money": echo(status=429, body='{"error": {"code": "insufficient_quota", "message": "account of {}"}}'),
    "500 with a trace": echo(status=500, body="Traceback: headers={{'Authorization': 'Bearer {}'}}"),
    "context too long": echo(status=400, body='{"error": {"code": "context_length_exceeded", "message": "{} too long"}}'),
    "200 with an error": echo(body='{"error": {"message": "key {} is odd"}}'),
    "200 that is no JSON": echo(body="{} is your key"),
    "200 without choices": echo(body='{"choices": [], "key": "{}"}'),
    "200 with the key as a field name": echo(body='{"choices": [{"{}": 1}]}'),
    "a reply that holds the key": echo(body=chat("The key is {}.\\nAnswer: {}")),
    "a header line that is none": echo(raw="HTTP/1.1 200 OK\r\n{}\r\n\r\n"),
    "a status line that is none": echo(raw="{} 200 OK\r\n\r\n"),
    "a redirect with the key": echo(status=302, headers={"Location": "http://127.0.0.1:1/?key=x"}, body="go with {}"),
    "the key behind six thousand blanks": echo(status=500, body=" " * 5960 + "{}"),
}
MISTAKES: dict[str, tuple[str, ...]] = {
    "key in the URL's user": (*SOLVE, "--base-url", "http://{}@127.0.0.1:1/v1"),
    "key in the URL's query": (*SOLVE, "--base-url", "http://127.0.0.1:1/v1?api_key={}"),
    "key in the URL's path": (*SOLVE, "--base-url", "http://127.0.0.1:1/{}/v1"),
    "key as the variable's name": (*SOLVE, "--base-url", "http://127.0.0.1:1/v1", "--api-key-env", "{}"),
    "key as the model's name": ("solve", "game24", "4 9 10 13", "--strategy", "cot", "--model", "openai:{}", "--base-url", "http://127.0.0.1:1/v1"),
    "key as a strategy": ("solve", "game24", "4 9 10 13", "--strategy", "{}", "--model", "teacher"),
    "key as a problem": ("solve", "game24", "{}", "--model", "teacher"),
    "key as an extra word": (*SOLVE, "{}"),
    "key as an unknown option": (*SOLVE, "--api-key={}"),
    "key as a database": ("runs", "--db", "{}/x.db"),
    "key as a number": (*SOLVE, "--seed", "{}"),
}  # fmt: skip


def sinks(forks: Forks, folder: Path, ended: Ended) -> dict[str, bytes]:
    """Everything a path could have left the key in."""
    found = {"standard output": ended.out.encode(), "standard error": ended.err.encode()}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[f"file {path.name}"] = path.read_bytes()
    env = {"COLUMNS": "100"}
    for args in (
        ("runs",), ("runs", "--json"), ("show", "last"), ("show", "last", "--json"), ("tree", "--json"), ("tree",), ("doctor", "--db", "t.db", "--json"),
        ("compare", "--from-run", "last", "--json"), ("compare", "--from-run", "last", "--markdown", "t.md"),
        ("export", "atif", "e.jsonl", "--verdict", "any", "--card"), ("export", "openai-sft", "s.jsonl", "--verdict", "any"),
    ):  # fmt: skip
        if args[0] == "doctor":
            continue  # it loads a model; what it says of the database is in `runs`
        done = forks.run([*args], cwd=folder, env={**env, "REASONER_DB": "t.db"})
        assert "Traceback" not in done.err
        found[" ".join(args)] = (done.out + done.err).encode()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[f"file {path.name}, later"] = path.read_bytes()
    return found


def assert_nowhere(key: str, found: dict[str, bytes]) -> None:
    assert len(found) >= 12, sorted(found)
    # A part of a key is a key to whoever guesses the rest: twenty characters of it are looked for.
    hits = {name for name, data in found.items() if key[8:28].encode() in data.replace(b"\n", b"").replace(b" ", b"")}
    assert not hits


@pytest.mark.parametrize("case", sorted(ANSWERS))
def test_servers_that_say_the_key(tmp_path: Path, forks: Forks, fault_server: FaultServer, case: str) -> None:
    key = CANARY % (sorted(ANSWERS).index(case))
    ANSWERS[case](fault_server, key)
    env = {"OPENAI_API_KEY": key, "REASONER_DB": "t.db"}
    ended = forks.run([*BENCH, "--base-url", fault_server.url, "--concurrency", "2"], cwd=tmp_path, env=env, prelude=TINY_WAIT)
    assert ended.code in {0, 3}, ended
    assert fault_server.received
    assert all(request.headers["authorization"] == f"Bearer {key}" for request in fault_server.received)
    assert not any(key.encode() in request.body or key in request.path for request in fault_server.received)
    assert_nowhere(key, sinks(forks, tmp_path, ended))


@pytest.mark.parametrize("case", sorted(MISTAKES))
def test_keys_given_by_mistake(tmp_path: Path, forks: Forks, case: str) -> None:
    key = CANARY % f"m{sorted(MISTAKES).index(case)}"
    args = [word.replace("{}", key) for word in MISTAKES[case]]
    ended = forks.run(args, cwd=tmp_path, env={"REASONER_DB": "t.db"}, prelude=TINY_WAIT)
    assert ended.code in {2, 3, 4}, ended
    # A terminal that shows what was typed, and a file named as it was told to be, are the user's own; all else is looked at.
    assert_nowhere(key, {name: data for name, data in sinks(forks, tmp_path, ended).items() if not name.startswith("file sk-")})


FAULT = "import reasoner.runs.runner\nasync def broken(*a, **k): raise RuntimeError('while holding {0}')\nreasoner.runs.runner.Run._all = broken"


@pytest.mark.parametrize("flags", [(), ("-X", "dev")], ids=["plain", "dev"])
def test_a_fault_of_ours_shows_a_traceback_without_the_key(tmp_path: Path, forks: Forks, flags: tuple[str, ...]) -> None:
    key = CANARY % "t"
    start = FAULT.format(key) + "\nimport sys; sys.argv = ['reasoner', *sys.argv[1:]]\nfrom reasoner.cli import main; main()"
    env = {k: v for k, v in os.environ.items() if not k.startswith("REASONER_")} | {"OPENAI_API_KEY": key, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, *flags, "-c", start, *SOLVE, "--base-url", "http://127.0.0.1:1/v1"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "RuntimeError: while holding [redacted]" in done.stderr
    assert key not in done.stdout + done.stderr
    forked = forks.run(
        [*SOLVE, "--base-url", "http://127.0.0.1:1/v1"], cwd=tmp_path, env={"OPENAI_API_KEY": key}, prelude=FAULT.format(key)
    )
    assert key not in forked.out + forked.err


def test_a_key_of_no_known_form_is_known_by_its_value(tmp_path: Path, forks: Forks, fault_server: FaultServer) -> None:
    key = "plainword7/with+signs=and.dots"
    echo(status=401, body='{"error": {"message": "no such key {}, in JSON \\"{}\\""}}')(fault_server, key)
    ended = forks.run([*SOLVE, "--base-url", fault_server.url], cwd=tmp_path, env={"OPENAI_API_KEY": key, "REASONER_DB": "t.db"})
    assert ended.code == 3
    assert "[redacted]" in ended.err
    assert_nowhere(key, sinks(forks, tmp_path, ended))
