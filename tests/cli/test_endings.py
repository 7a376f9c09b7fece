"""How a command ends: output that cannot be written or encoded, closed streams, and a signal at any moment; the real command line."""

from __future__ import annotations

import os
import random
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from forks import plain_environment

SIGNALS = int(os.environ.get("REASONER_SIGNALS", "6"))


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("endings") / "t.db"
    done = run(f"bench number_path -n 1 --strategy cot --model teacher --db {path}")
    assert done.returncode == 0, done.stderr
    return path


def run(line: str, *, redirect: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    command = f"{shlex.quote(sys.executable)} -m reasoner {line} {redirect}"
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, errors="replace", timeout=120, check=False, env=plain_environment() | env
    )


@pytest.mark.parametrize("redirect", [">&-", ">/dev/full"])
@pytest.mark.parametrize("line", ["runs --json --db {}", "tree --db {}"])
def test_output_that_cannot_be_written_is_told_in_one_line(db: Path, line: str, redirect: str) -> None:
    done = run(line.format(db), redirect=redirect)
    assert done.returncode == 5, done
    assert re.fullmatch(r"error: standard output (is closed|cannot be written: No space left on device); [^\n]*\n", done.stderr), (
        done.stderr
    )


@pytest.mark.parametrize("redirect", ["2>&-", "2>/dev/full", "<&-"])
def test_a_closed_error_stream_or_input_ends_nothing(db: Path, redirect: str) -> None:
    assert run(f"runs --db {db}", redirect=redirect).returncode == 0
    assert run("runs --db /nowhere/t.db", redirect=redirect).returncode == 4


def test_nothing_is_printed_into_a_file_that_took_the_place_of_a_closed_stream(db: Path, tmp_path: Path) -> None:
    done = run(f"export sft {tmp_path / 'x.jsonl'} --db {db}", redirect=">&- 2>&- <&-")
    assert done.returncode in {0, 5}
    assert all(line.startswith("{") for line in (tmp_path / "x.jsonl").read_text().splitlines())


def test_whoever_reads_the_output_may_leave(db: Path) -> None:
    done = run(f"tree --db {db} --json", redirect="| head -c 1; exit ${PIPESTATUS:-0}")
    assert done.stderr == ""


@pytest.mark.parametrize("line", ["--help", "list", "tree --db {}"])
@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_what_an_encoding_does_not_have_is_written_as_an_escape(db: Path, line: str, encoding: str) -> None:
    done = run(line.format(db), PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_that_native_code_swallows_is_heard_all_the_same() -> None:
    lines = (
        "import signal, time",
        "signal.signal(signal.SIGINT, signal.default_int_handler)",
        "from reasoner.cli.ending import hear_lost_interrupts",
        "hear_lost_interrupts()",
        "class Lost:",
        "    def __init__(self, error): self.error = error",
        "    def __del__(self): raise self.error",
        "Lost(ValueError('another fault is told as before'))",
        "Lost(KeyboardInterrupt())",
        "try: time.sleep(100)",
        "except KeyboardInterrupt: print('heard')",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60, check=False, env=plain_environment()
    )
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
    assert "told as before" in done.stderr
    assert "KeyboardInterrupt" not in done.stderr


def test_a_signal_at_any_moment_ends_a_command_in_one_line_at_most(db: Path, tmp_path: Path) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    lines = (
        "list",
        f"tree --db {db}",
        f"export sft {tmp_path}/x.jsonl --db {db}",
        f"bench number_path -n 40 --model teacher --new --db {tmp_path}/s.db",
    )
    start = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); from reasoner.cli import main; main()"
    for _ in range(SIGNALS):
        sent, wait_s, line = rng.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)), rng.uniform(0.3, 2.0), rng.choice(lines)
        child = subprocess.Popen(
            [sys.executable, "-c", start, *shlex.split(line)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env=plain_environment(),
        )  # fmt: skip
        time.sleep(wait_s)
        child.send_signal(sent)
        if rng.random() < 0.3:
            time.sleep(rng.uniform(0, 0.2))
            child.send_signal(sent)
        _, said = child.communicate(timeout=120)
        # While the interpreter starts and ends, the signal itself ends the process; a shell says 130 or 143 of that.
        assert child.returncode in {0, 130, -sent}, (line, sent, wait_s, said)
        # Before `main` has begun, while Python loads it, Python says itself what an interrupt is.
        assert "Traceback" not in said or "in main\n" not in said, (line, sent, wait_s, said)
        assert "Exception" not in said, (line, sent, wait_s, said)
