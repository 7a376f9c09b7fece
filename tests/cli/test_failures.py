"""Every way a user can go wrong ends in one clear line and the right exit code, on the real command line, with nothing lost."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reasoner.store import Store


def reasoner(*args: str | Path, cwd: Path, env: dict[str, str] | None = None, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("REASONER_", "OPENAI_"))} | {"REASONER_THREADS": "1"}
    command = [sys.executable, "-m", "reasoner", *map(str, args)]
    return subprocess.run(command, cwd=cwd, env={**clean, **(env or {})}, capture_output=True, text=True, timeout=timeout_s, check=False)


def one_line(done: subprocess.CompletedProcess[str], code: int, *says: str) -> None:
    """The promise itself: exit code, one line on standard error, no traceback, and the words that help."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert "Traceback" not in done.stderr + done.stdout
    for word in says:
        assert word in lines[0], lines[0]


@contextmanager
def server(status: int, body: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}/v1"
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def reply(text: str) -> str:
    return json.dumps(
        {
            "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }
    )


SOLVE = ("solve", "game24", "4 9 10 13")


def test_solved(tmp_path: Path) -> None:
    done = reasoner(*SOLVE, "--model", "teacher", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["correct"] is True
    assert done.stderr == ""


def test_answered_wrong(tmp_path: Path) -> None:
    with server(200, reply("Answer: 4 + 9 + 10 + 13 = 24")) as url:
        done = reasoner(*SOLVE, "--model", "openai:m", "--base-url", url, "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["correct"] is False


@pytest.mark.parametrize(
    "text", ["9" * 1_000_000, "Answer: " + "(" * 100_000 + "4" + ")" * 100_000, "Answer: " + "-" * 100_000 + "4", "Answer: " + "9" * 10_000]
)
def test_huge_answers(tmp_path: Path, text: str) -> None:
    with server(200, reply(text)) as url:
        done = reasoner(*SOLVE, "--strategy", "cot", "--model", "openai:m", "--base-url", url, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stderr == ""
    assert "not correct" in done.stdout
    assert len(done.stdout) < 5000
    with Store.open(tmp_path / "trajectories.db") as store:
        assert store.rows("SELECT state FROM calls") == [{"state": "done"}]


def test_terminal_escapes_of_a_model_do_not_reach_the_terminal(tmp_path: Path) -> None:
    with server(200, reply("1: a \x1b[2J\x1b]0;owned\x07 -> b (\u202eevil)\nAnswer: \x1b[31mred")) as url:
        solved = reasoner(*SOLVE, "--model", "openai:m", "--base-url", url, cwd=tmp_path)
    for command in (("tree",), ("show",), ("runs",)):
        solved.stdout += reasoner(*command, cwd=tmp_path).stdout
    assert "evil" in solved.stdout
    assert not re.search("[\x1b\x07\u202e]", solved.stdout)


def test_unknown_names(tmp_path: Path) -> None:
    one_line(reasoner("solve", "gane24", "1 2 3 4", cwd=tmp_path), 2, "gane24", "game24")
    one_line(reasoner(*SOLVE, "--strategy", "atz", "--model", "teacher", cwd=tmp_path), 2, "atz", "'ats'")
    one_line(reasoner(*SOLVE, "--model", "opnai:x", cwd=tmp_path), 2, "opnai", "openai")
    one_line(reasoner("bench", "game24", "--level", "77", "--model", "teacher", cwd=tmp_path), 2, "77", "levels")


def test_malformed_instance(tmp_path: Path) -> None:
    one_line(reasoner("solve", "game24", "4 9 ten 13", "--model", "teacher", cwd=tmp_path), 2, "4 9 ten 13", "4 9 10 13")
    one_line(reasoner("solve", "number_path", "99999999 1 2", "--model", "teacher", cwd=tmp_path), 2, "99999999")


def test_template_with_an_undefined_variable(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "ats"
    folder.mkdir(parents=True)
    (folder / "bfs.jinja").write_text('+++\nversion = 1\nvariables = ["statement"]\n+++\n\n{% block user %}{{ statment }}{% endblock %}\n')
    one_line(reasoner(*SOLVE, "--model", "teacher", "--prompts", tmp_path / "mine", cwd=tmp_path), 2, "bfs.jinja", "line 6", "statment")
    one_line(reasoner(*SOLVE, "--model", "teacher", "--prompts", tmp_path / "nope", cwd=tmp_path), 2, "nope")


def test_wrong_key(tmp_path: Path) -> None:
    secret = "sk-canary-1234567890abcdef"
    with server(401, json.dumps({"error": {"message": f"bad key {secret}"}})) as url:
        done = reasoner(*SOLVE, "--model", "openai:m", "--base-url", url, cwd=tmp_path, env={"OPENAI_API_KEY": secret})
    one_line(done, 3, "401", "OPENAI_API_KEY")
    assert secret not in done.stderr + done.stdout
    for path in tmp_path.iterdir():
        assert secret.encode() not in path.read_bytes()
    one_line(reasoner(*SOLVE, "--model", "openai:m", "--base-url", "http://models.invalid/v1", cwd=tmp_path), 2, "OPENAI_API_KEY")


def test_unreachable_server(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        done = reasoner(*SOLVE, "--model", "openai:m", "--base-url", f"http://127.0.0.1:{port}/v1", cwd=tmp_path)
    one_line(done, 3, f"127.0.0.1:{port}", "--base-url")


def test_corrupt_and_missing_model_files(tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + b"\xff" * 5000)
    one_line(reasoner(*SOLVE, "--model", "bad.gguf", cwd=tmp_path), 2, "bad.gguf")
    (tmp_path / "text.gguf").write_text("not a model")
    one_line(reasoner(*SOLVE, "--model", "text.gguf", cwd=tmp_path), 2, "text.gguf")
    one_line(reasoner(*SOLVE, "--model", "gone.gguf", cwd=tmp_path), 2, "gone.gguf")


def test_a_missing_extra_names_its_install_line(tmp_path: Path) -> None:
    code = (
        "import importlib.util as u, sys\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name.partition('.')[0] == 'llama_cpp' else real(name, *a)\n"
        "sys.argv = ['reasoner', 'solve', 'game24', '4 9 10 13']\n"
        "from reasoner.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    one_line(done, 2, "llama-cpp-python", "reasoner-llm[local]")


def test_database_places(tmp_path: Path) -> None:
    teacher = ("--model", "teacher")
    one_line(reasoner(*SOLVE, *teacher, "--db", tmp_path, cwd=tmp_path), 4, "directory", "--db")
    one_line(reasoner(*SOLVE, *teacher, "--db", tmp_path / "no" / "such" / "x.db", cwd=tmp_path), 4, "x.db")
    one_line(reasoner(*SOLVE, *teacher, "--db", "/proc/x.db", cwd=tmp_path), 4, "/proc/x.db", "writable")
    (tmp_path / "text.db").write_text("hello, I am not a database at all, only some text" * 50)
    one_line(reasoner(*SOLVE, *teacher, "--db", "text.db", cwd=tmp_path), 4, "text.db", "not a database")
    one_line(reasoner("runs", cwd=tmp_path), 4, "trajectories.db")


def test_full_disk(tmp_path: Path) -> None:
    """A file-size limit stands for a full disk: both make a write fail in the middle of a run. What was committed is kept."""
    bench = ("bench", "number_path", "game24", "--model", "teacher", "-n", "60", "--db", "x.db")
    command = f"ulimit -f 3000; exec {sys.executable} -m reasoner {' '.join(bench)}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    one_line(done, 4, "x.db")
    with Store.open(tmp_path / "x.db") as store:
        kept = store.rows("SELECT count(*) AS n FROM trajectories WHERE status = 'closed'")[0]["n"]
        assert store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    again = reasoner(*bench, "--json", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert sum(row["correct"] for row in json.loads(again.stdout)["rows"]) == 240
    with Store.open(tmp_path / "x.db") as store:
        assert kept > 0
        # Only calls under way when the disk was full may be made again: the teacher takes 8 at once, and twice as many trajectories run.
        assert store.rows("SELECT count(*) AS n FROM calls WHERE attempt > 0")[0]["n"] <= 16
        assert store.rows("SELECT count(*) AS n FROM trajectories WHERE status = 'closed'") == [{"n": 240}]


def test_usage_errors(tmp_path: Path) -> None:
    for args in (("solve",), ("solve", "game24"), ("bench", "game24", "-n", "0"), ("frobnicate",), (*SOLVE, "--no-such-option")):
        done = reasoner(*args, cwd=tmp_path)
        assert done.returncode == 2, args
        assert "Traceback" not in done.stderr
    one_line(reasoner(*SOLVE, "--model", "teacher", "--temperature", "7", cwd=tmp_path), 2, "--temperature", "7")
    one_line(reasoner(*SOLVE, "--model", "teacher", "--max-calls", "-1", cwd=tmp_path), 2, "--max-calls -1")
    one_line(reasoner(*SOLVE, "--model", "teacher", "--timeout", "0", cwd=tmp_path), 2, "--timeout 0")
    one_line(reasoner(*SOLVE, "--model", "openai:m", "--base-url", "ftp://x", cwd=tmp_path), 2, "ftp://x")


def test_budget_is_told(tmp_path: Path) -> None:
    done = reasoner(*SOLVE, "--model", "teacher", "--max-calls", "0", cwd=tmp_path)
    assert done.returncode == 1
    assert "--max-calls" in done.stdout


@pytest.mark.model
def test_prompt_longer_than_the_context(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "cot"
    folder.mkdir(parents=True)
    (folder / "answer.jinja").write_text(
        '+++\nversion = 1\nvariables = ["statement"]\n+++\n{% block user %}{% for i in range(900) %}word {% endfor %}{{ statement }}{% endblock %}'
    )
    done = reasoner(*SOLVE, "--strategy", "cot", "--n-ctx", "256", "--prompts", "mine", cwd=tmp_path)
    one_line(done, 3, "context 256", "n_ctx")
    assert re.search(r"prompt has 1?\d\d\d tokens", done.stderr), done.stderr
    with Store.open(tmp_path / "trajectories.db") as store:
        assert store.rows("SELECT status, error_kind FROM trajectories") == [{"status": "failed", "error_kind": "ContextTooLong"}]
