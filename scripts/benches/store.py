"""What a large store costs to look at, to export and to go on with, and how much memory a large bench takes.

    scripts/bench store [--json]        200,000 trajectories, a chain of 20,000 thoughts, a bench of 100,000 problems
                                        (REASONER_BENCH_TRAJECTORIES, REASONER_BENCH_CHAIN and REASONER_BENCH_PROBLEMS name other sizes)

Commands are measured as a user meets them: a process each, from its start to its end. Pages are measured in a process that serves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "tests" / "helpers")]

from _report import report  # noqa: E402
from large_store import fill_chain, fill_many  # noqa: E402
from starlette.requests import Request  # noqa: E402

from reasoner.serve.settings import Settings  # noqa: E402
from reasoner.serve.viewer import Viewer  # noqa: E402
from reasoner.store import Store  # noqa: E402

TRAJECTORIES = int(os.environ.get("REASONER_BENCH_TRAJECTORIES", "200000"))
CHAIN = int(os.environ.get("REASONER_BENCH_CHAIN", "20000"))
PROBLEMS = int(os.environ.get("REASONER_BENCH_PROBLEMS", "100000"))
FEW = 1_000
"""Problems of the bench whose memory is taken off that of the large one: `rss_mib_100k` is what 99,000 more problems take, at most 32 MiB."""
STOPPED_AFTER = 200
"""Calls after which the bench that is resumed is interrupted."""
TIMES = 3
ROOT = Path(__file__).parents[2]

_RUN = """
import os, sys, threading, time
from pathlib import Path
begun = time.perf_counter()
import reasoner
from reasoner.types import Completion, Usage
what, file, db, n, stop = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
first, calls = [], 0
class Answering:  # it keeps nothing, so that what is measured is the program's
    name = fingerprint = "bench"
    paid, concurrency = False, 4
    async def complete(self, request):
        global calls
        calls += 1
        if calls == 1:
            first.append((time.perf_counter() - begun, time.process_time()))
        if calls == stop:
            raise KeyboardInterrupt
        return Completion("Answer: " + str(calls), usage=Usage(40, 3), model="bench")
    async def aclose(self):
        pass
client = Answering()
try:
    if what == "resume":
        reasoner.resume("last", models=[client], db=db)
    else:
        reasoner.bench("question:" + file, strategy="direct", model=client, n=n, db=db)
except KeyboardInterrupt:
    pass
peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
import json
wall, cpu = first[0] if first else (0, 0)
print(json.dumps({"first_call_s": round(wall, 2), "first_call_cpu_s": round(cpu, 2), "calls": calls, "wall_s": round(time.perf_counter() - begun, 1), "rss_mib": round(peak, 1)}))
"""


def command(*words: str) -> dict[str, float]:
    """Run a command several times; return the medians of its wall and CPU seconds."""
    seen = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        child = subprocess.Popen([sys.executable, "-m", "reasoner", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"reasoner {' '.join(words)} ended with {child.returncode}")
        seen.append((time.perf_counter() - begun, used.ru_utime + used.ru_stime))
    wall, cpu = (sorted(values)[TIMES // 2] for values in zip(*seen, strict=True))
    return {"wall_s": round(wall, 3), "cpu_s": round(cpu, 3)}


def page(pages: Viewer, name: str, path: dict[str, str], query: str = "") -> tuple[float, float]:
    """Return the seconds of a page when it is first asked for, and the median of the next ones."""
    request = Request({"type": "http", "path_params": path, "query_string": query.encode(), "headers": []})
    times = []
    for _ in range(1 + TIMES):
        begun = time.perf_counter()
        getattr(pages, name)(request)
        times.append(time.perf_counter() - begun)
    return times[0], sorted(times[1:])[TIMES // 2]


def run(what: str, file: Path, db: Path, n: int, *, stop: int = 0) -> dict[str, Any]:
    """Run or resume a bench of n problems in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _RUN, what, str(file), str(db), str(n), str(stop)], capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        raise SystemExit(f"the bench of {n} problems failed: {done.stderr[-400:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def questions(path: Path, n: int) -> None:
    """Write a file of n questions."""
    with path.open("w") as file:
        for index in range(n):
            file.write(
                json.dumps({"question": f"How many legs have {index} hens, and how many have they together?", "answer": str(2 * index)})
                + "\n"
            )


def main() -> None:
    """Measure and report."""
    rows: list[dict[str, Any]] = []
    bars: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "many.db"
        fill_many(db, TRAJECTORIES)
        chain = fill_chain(db, CHAIN)
        rows.append({"what": "store", "trajectories": TRAJECTORIES, "chain": CHAIN, "mb": round(db.stat().st_size / 1e6)})
        asked = {
            "runs_s_200k": ("runs",), "show_s_200k": ("show", "many"), "show_last_page_s_200k": ("show", "many", "--page", str(TRAJECTORIES // 100)),
            "show_chain_s_20k": ("show", chain), "tree_s_20k": ("tree", chain),
        }  # fmt: skip
        for bar, words in asked.items():
            measured = command(*words, "--db", str(db))
            rows.append({"what": f"reasoner {' '.join(words)}", **measured})
            bars[bar] = measured["wall_s"]
        exported = command("export", "sft", str(folder / "x.jsonl"), "--db", str(db))
        rows.append({"what": "reasoner export sft", **exported})
        bars["export_rows_per_s_200k"] = round(TRAJECTORIES / exported["wall_s"])
        with Store.read(db) as store:
            pages = Viewer(store, Settings("t" * 32))
            for what, path, query in (
                ("runs", {}, ""), ("run", {"run": "many"}, ""), ("run", {"run": "many"}, f"page={TRAJECTORIES // 50 - 1}"),
                ("run", {"run": "many"}, "strategy=cot"), ("trajectory", {"trajectory": chain}, ""), ("window", {"trajectory": chain}, "x=60000&y=0"),
            ):  # fmt: skip
                first, rest = page(pages, what, path, query)
                rows.append(
                    {"what": f"page {what} {' '.join(path.values())} {query}", "first_ms": round(1000 * first), "ms": round(1000 * rest)}
                )
                if what == "trajectory":
                    bars["tree_page_s_20k"] = round(first, 3)
                elif what in {"runs", "run"}:
                    bars["list_page_ms_200k"] = max(bars.get("list_page_ms_200k", 0.0), round(1000 * rest, 1))
        db.unlink()
        file = folder / "questions.jsonl"
        questions(file, PROBLEMS)
        stopped = run("bench", file, folder / "run.db", PROBLEMS, stop=STOPPED_AFTER)
        resumed = run("resume", file, folder / "run.db", PROBLEMS, stop=STOPPED_AFTER)
        rows.append({"what": f"bench of {PROBLEMS} problems, interrupted", **stopped})
        rows.append({"what": "reasoner resume of it, until it is interrupted again", **resumed})
        whole = run("bench", file, folder / "whole.db", PROBLEMS)
        questions(folder / "few.jsonl", FEW)
        small = run("bench", folder / "few.jsonl", folder / "small.db", FEW)
        rows += [{"what": f"bench of {PROBLEMS} problems", **whole}, {"what": f"bench of {FEW} problems", **small}]
        bars |= {
            "first_call_s_100k": whole["first_call_s"], "resume_first_call_s": resumed["first_call_s"], "rss_mib_100k": round(whole["rss_mib"] - small["rss_mib"], 1),
        }  # fmt: skip
    report("store", rows=rows, bars=bars, packages=("sqlite-utils", "pysqlite3"))


if __name__ == "__main__":
    main()
