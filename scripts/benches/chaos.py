"""Run the chaos tests, one row of the table after another, and say what each has shown.

A row is a promise, the tests that try to break it, and how much of it each tier does; the tests read their size and their seed from the
environment. A row whose tests are not there is left out and said so. To add one, add it to `ROWS`.

    scripts/chaos --only kills --tier full --seed 6
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Row:
    """One promise. `full` are the settings of the full tier; the short tier is the tests' own default."""

    name: str
    promise: str
    tests: str
    full: dict[str, str] = field(default_factory=dict)


ROWS = (
    Row("kills", "kill -9 loses no committed call and pays none twice", "tests/chaos/test_kill9.py", {"REASONER_KILLS": "1000"}),
    Row("wal", "a torn log recovers to a prefix of its commits", "tests/chaos/test_torn_wal.py", {"REASONER_WAL_IMAGES": "1000"}),
    Row(
        "disk", "full or read-only disk, jumping clock: one line, nothing lost", "tests/chaos/test_disk.py", {"REASONER_DISK_POINTS": "50"}
    ),
    Row("arithmetic", "no expression escapes, is wrong or slow", "tests/chaos/test_expressions.py", {"REASONER_EXPRESSIONS": "100000"}),
    Row("templates", "no template runs away", "tests/chaos/test_templates.py"),
    Row("secrets", "a key is nowhere but in its header", "tests/cli/test_canaries.py"),
    Row(
        "commands",
        "no command line, file, variable or signal ends in a traceback",
        "tests/chaos/test_command_line.py tests/cli/test_endings.py",
        {"REASONER_LINES": "500", "REASONER_SIGNALS": "100"},
    ),
    Row("terminal", "nothing a model or a file says steers a terminal", "tests/cli/test_terminal.py"),
    Row(
        "engine",
        "no kill, grammar, template or file ends a run with a local model",
        "tests/chaos/test_engine.py tests/chaos/test_worker_kill.py",
        {"REASONER_ENGINE_KILLS": "200", "REASONER_MUTANTS": "200"},
    ),
    Row("gguf", "the header check refuses or reads, and never fails", "tests/chaos/test_gguf_header.py", {"REASONER_HEADERS": "5000"}),
    Row("state", "the store agrees with a model of it", "tests/chaos/test_state_machine.py", {"REASONER_STATE_EXAMPLES": "2000"}),
    Row(
        "processes",
        "no budget is passed, many processes write one file, no zombie commits, poison is set aside",
        "tests/chaos/test_durability.py",
        {"REASONER_BUDGET_TRIALS": "200", "REASONER_WRITERS": "64", "REASONER_ZOMBIES": "100"},
    ),
    Row(
        "responses",
        "no malformed response or cut stream is taken for an answer",
        "tests/clients/test_malformed.py tests/clients/test_streams.py",
        {"REASONER_MALFORMED": "10000"},
    ),
    Row(
        "gone",
        "a database that is taken away stops the paying, and nothing committed is lost",
        "tests/chaos/test_file_gone.py",
        {"REASONER_GONE": "200"},
    ),
    Row(
        "containers",
        "who cannot be seen is not taken for dead",
        "tests/chaos/test_containers.py",
        {"REASONER_NAMESPACES": "100", "REASONER_HOSTNAMES": "20"},
    ),
    Row("leaving", "no call is begun for a client that has left", "tests/chaos/test_leaving_clients.py", {"REASONER_LEAVING": "1000"}),
    Row("hangup", "SIGHUP parks a run", "tests/chaos/test_hangup.py", {"REASONER_HANGUPS": "100"}),
    Row(
        "idle",
        "idle and slow connections leave a client that asks under a second",
        "tests/chaos/test_idle_sockets.py tests/serve/test_connections.py",
        {"REASONER_IDLE": "1000"},
    ),
    Row("limits", "a server's limit is found and kept to", "tests/calling/test_pacing.py tests/calling/test_retry_table.py"),
)


@dataclass(frozen=True)
class Result:
    """What a row has come to."""

    name: str
    promise: str
    command: str
    seed: int
    ok: bool
    figure: str
    seconds: float


def run(row: Row, tier: str, seed: int) -> Result | None:
    """Run a row's tests; None when they are not there."""
    paths = [path for path in row.tests.split() if (ROOT / path).exists()]
    if not paths:
        return None
    settings = {"REASONER_CHAOS_SEED": str(seed)} | (row.full if tier == "full" else {})
    command = [sys.executable, "-m", "pytest", "-q", "-rN", "-s", *paths]
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    shown = " ".join([*(f"{name}={value}" for name, value in settings.items()), "python -m pytest", *paths])
    if done.returncode != 0:
        print(done.stdout[-6000:], done.stderr[-2000:], file=sys.stderr)
    return Result(row.name, row.promise, shown, seed, done.returncode == 0, figure(done.stdout), round(time.monotonic() - started, 1))


def figure(output: str) -> str:
    """Return what the tests printed of their measure, and pytest's own count."""
    lines = [re.sub(r"^[.sx]+(?=\S)", "", line).strip() for line in output.splitlines()]
    said = [line for line in lines if line and not line.startswith(("REASONER_CHAOS_SEED", "=")) and re.search(r"\d", line)]
    whole = "; ".join(dict.fromkeys(line for line in said if not re.fullmatch(r"[.sxF]*\s*\[ *\d+%\]", line)))
    return whole if len(whole) <= 600 else f"{whole[:400]} … {whole[-180:]}"


def main() -> int:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tier", choices=("short", "full"), default="full")
    parser.add_argument("--only", action="append", metavar="NAME", choices=[row.name for row in ROWS])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    print(f"seed {given.seed}, repeated with: scripts/chaos --tier {given.tier} --seed {given.seed}", file=sys.stderr)
    results = []
    for row in ROWS:
        if given.only and row.name not in given.only:
            continue
        result = run(row, given.tier, given.seed)
        if result is None:
            print(f"{row.name}: {row.tests} is not there", file=sys.stderr)
            continue
        results.append(result)
        if not given.json:
            print(f"{'held' if result.ok else 'BROKEN':6} {result.name:10} {result.promise}  {result.seconds} s\n       {result.figure}")
            print(f"       {shlex.join(result.command.split())}", flush=True)
    if given.json:
        print(json.dumps({"tier": given.tier, "seed": given.seed, "rows": [vars(result) for result in results]}, indent=2))
    else:
        print(f"{sum(r.ok for r in results)} of {len(results)} promises held, {sum(r.seconds for r in results):.0f} s")
    return 0 if results and all(result.ok for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
