"""Run the chaos tests and say what each row of the table has shown: its count, its faults, how long it took, beside what load.

A row is a promise, the tests that try to break it, and how much of it each tier does; the tests read their size and their seed from the
environment. The full tier cuts long rows into parts with seeds of their own, which together do the whole count, and works on two parts at a
time (`--jobs`); rows that hold a clock to something run alone, at the end. `--into FILE` notes each part when it has ended, and the same
command goes on from there. To add a row, add it to `ROWS`.

    scripts/chaos --only kills --tier full --seed 6
    scripts/chaos --tier full --seed 6 --into chaos.jsonl --json
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Row:
    """One promise. `full` are the counts of the full tier; the short tier is the tests' own default.

    `parts` are how many processes share the counts of the full tier, but for those that are `whole`: how many do a thing at once is no sum.
    `alone` rows run while nothing else does; `about_s` is what a part lasts, roughly: what lasts longest begins first.
    """

    name: str
    promise: str
    tests: str
    full: dict[str, int] = field(default_factory=dict)
    parts: int = 1
    whole: frozenset[str] = frozenset()
    alone: bool = False
    about_s: int = 30


ROWS = (
    Row(
        "kills",
        "kill -9 loses no committed call and pays none twice",
        "tests/chaos/test_kill9.py",
        {"REASONER_KILLS": 1000},
        parts=2,
        about_s=200,
    ),
    Row(
        "actions",
        "kill -9 does no action twice and loses none that is committed",
        "tests/chaos/test_action_kill.py",
        {"REASONER_ACTION_KILLS": 1000},
        parts=4,
        about_s=300,
    ),
    Row("wal", "a torn log recovers to a prefix of its commits", "tests/chaos/test_torn_wal.py", {"REASONER_WAL_IMAGES": 1000}),
    Row("disk", "full or read-only disk, jumping clock: one line, nothing lost", "tests/chaos/test_disk.py", {"REASONER_DISK_POINTS": 50}),
    Row("arithmetic", "no expression escapes, is wrong or runs away", "tests/chaos/test_expressions.py", {"REASONER_EXPRESSIONS": 100000}),
    Row("templates", "no template runs away", "tests/chaos/test_templates.py"),
    Row("secrets", "a key is nowhere but in its header", "tests/cli/test_canaries.py"),
    Row(
        "commands",
        "no command line, file, variable or signal ends in a traceback",
        "tests/chaos/test_command_line.py tests/cli/test_endings.py",
        {"REASONER_LINES": 500, "REASONER_SIGNALS": 100},
        parts=4,
        about_s=200,
    ),
    Row("terminal", "nothing a model or a file says steers a terminal", "tests/cli/test_terminal.py"),
    Row(
        "engine",
        "no kill, grammar, template or file ends a run with a local model",
        "tests/chaos/test_engine.py tests/chaos/test_worker_kill.py",
        {"REASONER_ENGINE_KILLS": 200, "REASONER_MUTANTS": 200},
        parts=4,
        about_s=70,
    ),
    Row("gguf", "the header check refuses or reads, and never fails", "tests/chaos/test_gguf_header.py", {"REASONER_HEADERS": 5000}),
    Row(
        "state", "the store agrees with a model of it", "tests/chaos/test_state_machine.py", {"REASONER_STATE_EXAMPLES": 2000}, about_s=400
    ),
    Row(
        "processes",
        "no budget is passed, many processes write one file, no zombie commits, poison is set aside",
        "tests/chaos/test_durability.py",
        {"REASONER_BUDGET_TRIALS": 200, "REASONER_WRITERS": 64, "REASONER_ZOMBIES": 100},
        parts=4,
        whole=frozenset({"REASONER_WRITERS"}),
        about_s=500,
    ),
    Row(
        "responses",
        "no malformed response or cut stream is taken for an answer",
        "tests/clients/test_malformed.py tests/clients/test_streams.py",
        {"REASONER_MALFORMED": 30000},
    ),
    Row(
        "gone",
        "a database that is taken away stops the paying, and nothing committed is lost",
        "tests/chaos/test_file_gone.py",
        {"REASONER_GONE": 200},
        parts=4,
        about_s=60,
    ),
    Row(
        "containers",
        "who cannot be seen is not taken for dead",
        "tests/chaos/test_containers.py",
        {"REASONER_NAMESPACES": 100, "REASONER_HOSTNAMES": 20},
        parts=4,
        about_s=200,
    ),
    Row(
        "leaving", "no call is begun for a client that has left", "tests/chaos/test_leaving_clients.py", {"REASONER_LEAVING": 1000}, parts=2
    ),
    Row("hangup", "SIGHUP parks a run", "tests/chaos/test_hangup.py", {"REASONER_HANGUPS": 100}, parts=2),
    Row(
        "idle",
        "idle and slow connections leave a client that asks under a second",
        "tests/chaos/test_idle_sockets.py tests/serve/test_connections.py",
        {"REASONER_IDLE": 1000, "REASONER_IDLE_SECONDS": 1},
        alone=True,
    ),
    Row(
        "shards",
        "no kill, pause, lost folder or torn segment changes what the shards of a run come to",
        "tests/chaos/test_shard_faults.py",
        {"REASONER_SHARD_FAULTS": 100},
        parts=4,
        about_s=150,
    ),
    Row("limits", "a server's limit is found and kept to", "tests/calling/test_pacing.py tests/calling/test_retry_table.py"),
)


@dataclass(frozen=True)
class Part:
    """One process of a row: its number, its seed and its share of the counts."""

    row: Row
    number: int
    seed: int
    counts: dict[str, int]

    @property
    def key(self) -> str:
        """What it is found again by in a file of results."""
        return f"{self.row.name} {self.number} of {self.row.parts}: {self.shown()}"

    def shown(self) -> str:
        """The command that repeats it."""
        counts = " ".join(f"{name}={value}" for name, value in self.counts.items())
        return f"REASONER_CHAOS_SEED={self.seed} {counts} python -m pytest {self.row.tests}".replace("  ", " ")


@dataclass(frozen=True)
class Result:
    """What a part has come to."""

    key: str
    name: str
    command: str
    counts: dict[str, int]
    ok: bool
    faults: int
    figure: str
    seconds: float
    load: float


def parts(row: Row, tier: str, seed: int) -> list[Part]:
    """Cut a row into parts; their counts add up to the row's."""
    if tier == "short":
        return [Part(row, 0, seed, {})]
    n = row.parts
    shares = [{name: _share(count, k, 1 if name in row.whole else n) for name, count in row.full.items()} for k in range(n)]
    return [Part(row, k, seed if n == 1 else seed * 100 + k, share) for k, share in enumerate(shares)]


def _share(count: int, k: int, n: int) -> int:
    """Return the k-th of n shares of a count; what is not shared is the first part's, and a little of it the others'."""
    return count * (k + 1) // n - count * k // n if k < n else 2


def run(part: Part) -> Result:
    """Run a part."""
    settings = {"REASONER_CHAOS_SEED": str(part.seed), "REASONER_MALFORMED_SEED": str(part.seed)}
    settings |= {name: str(value) for name, value in part.counts.items()}
    command = [sys.executable, "-m", "pytest", "-q", "-rN", "-s", "-p", "no:cacheprovider", *part.row.tests.split()]
    started, before = time.monotonic(), os.getloadavg()[0]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    ok = done.returncode == 0
    if not ok:
        print(f"{part.shown()}\n{done.stdout[-6000:]}{done.stderr[-2000:]}", file=sys.stderr)
    failed = sum(int(n) for n in re.findall(r"(\d+) (?:failed|error)", done.stdout[-200:]))
    return Result(
        part.key, part.row.name, part.shown(), part.counts, ok, failed if failed or ok else 1, figure(done.stdout),
        round(time.monotonic() - started, 1), round((before + os.getloadavg()[0]) / 2, 1),
    )  # fmt: skip


def figure(output: str) -> str:
    """Return what the tests printed of their measure, and pytest's own count."""
    lines = [re.sub(r"^[.sxF]+(?=\S)", "", line).strip() for line in output.partition("= FAILURES =")[0].splitlines()]
    lines += output.splitlines()[-1:]
    said = [line for line in lines if line and not line.startswith(("REASONER_CHAOS_SEED", "=")) and re.search(r"\d", line)]
    whole = "; ".join(dict.fromkeys(line for line in said if not re.fullmatch(r"[.sxF]*\s*\[ *\d+%\]", line)))
    return whole if len(whole) <= 600 else f"{whole[:400]} … {whole[-180:]}"


def known(path: Path | None) -> dict[str, Result]:
    """Return the parts that a file of results holds and that held, by key."""
    if path is None or not path.exists():
        return {}
    found = [Result(**json.loads(line)) for line in path.read_text().splitlines()]
    return {result.key: result for result in found if result.ok}


def carry_out(todo: list[Part], jobs: int, into: Path | None) -> list[Result]:
    """Run the parts, those of rows that go alone after all others; what `into` holds already is taken from there."""
    there, lock = known(into), threading.Lock()

    def one(part: Part) -> Result:
        if part.key in there:
            return there[part.key]
        result = run(part)
        with lock:
            print(
                f"{'held' if result.ok else 'BROKEN':6} {part.key}  {result.seconds} s\n       {result.figure}", file=sys.stderr, flush=True
            )
            if into is not None:
                with into.open("a") as file:
                    file.write(json.dumps(asdict(result)) + "\n")
        return result

    together = sorted((part for part in todo if not part.row.alone), key=lambda part: -part.row.about_s)
    with ThreadPoolExecutor(jobs) as pool:
        made = list(pool.map(one, together))
    return made + [one(part) for part in todo if part.row.alone]


def summed(row: Row, results: list[Result]) -> dict[str, object]:
    """Return the line of the table for a row."""
    met = {name: [result.counts.get(name, 0) for result in results] for name in row.full}
    counts = {name.removeprefix("REASONER_").lower(): max(each) if name in row.whole else sum(each) for name, each in met.items()}
    return {
        "name": row.name,
        "promise": row.promise,
        "held": all(result.ok for result in results),
        "counts": {name: n for name, n in counts.items() if n},
        "faults": sum(result.faults for result in results),
        "seconds": round(sum(result.seconds for result in results), 1),
        "load": round(sum(result.load for result in results) / len(results), 1),
        "figures": [result.figure for result in results],
        "commands": [result.command for result in results],
    }


def main() -> int:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tier", choices=("short", "full"), default="full")
    parser.add_argument("--only", action="append", metavar="NAME", choices=[row.name for row in ROWS])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--into", type=Path, metavar="FILE", help="note each part here when it has ended, and leave out those that held")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    print(f"seed {given.seed}, repeated with: scripts/chaos --tier {given.tier} --seed {given.seed}", file=sys.stderr)
    rows = [row for row in ROWS if not given.only or row.name in given.only]
    started = time.monotonic()
    results = carry_out([part for row in rows for part in parts(row, given.tier, given.seed)], max(1, given.jobs), given.into)
    lines = [summed(row, [result for result in results if result.name == row.name]) for row in rows]
    wall = round(time.monotonic() - started, 1)
    held = sum(bool(line["held"]) for line in lines)
    if given.json:
        print(json.dumps({"tier": given.tier, "seed": given.seed, "jobs": given.jobs, "seconds": wall, "rows": lines}, indent=2))
    else:
        print("| row | promise | count | faults | seconds | load |\n|---|---|---|---|---|---|")
        for line in lines:
            counts = ", ".join(f"{n:,} {name}" for name, n in line["counts"].items()) if isinstance(line["counts"], dict) else ""
            mark = "" if line["held"] else "**BROKEN** "
            print(
                f"| {line['name']} | {mark}{line['promise']} | {counts or 'as in the suite'} | {line['faults']} | {line['seconds']} | {line['load']} |"
            )
        print(f"\n{held} of {len(lines)} promises held; {wall:.0f} s on {os.cpu_count()} cores, {given.jobs} at a time, seed {given.seed}")
    return 0 if held == len(lines) else 1


if __name__ == "__main__":
    raise SystemExit(main())
