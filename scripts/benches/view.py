# ruff: noqa: S608 - the SQL is put together from constants of this file
"""How fast the pages and the endpoint are: trees of 2,000 and 5,000 thoughts in a real browser, the runs of 100,000 trajectories, and what HTTP adds.

scripts/bench view [--json]      needs chromium and chromedriver for the first
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "tests" / "helpers")]

from _report import report  # noqa: E402
from browser import CHROMIUM, DRIVER, open_browser  # noqa: E402
from loopback import TOKEN, Loopback  # noqa: E402
from stores import grow  # noqa: E402

from reasoner.budget import Limits  # noqa: E402
from reasoner.clients.scripted import ScriptedClient  # noqa: E402
from reasoner.runs.options import RunOptions  # noqa: E402
from reasoner.runs.pool import ModelPool  # noqa: E402
from reasoner.serve.app import application  # noqa: E402
from reasoner.serve.executor import Executor, Order  # noqa: E402
from reasoner.serve.model_names import ModelNames  # noqa: E402
from reasoner.serve.settings import Settings  # noqa: E402
from reasoner.serve.viewer import Viewer  # noqa: E402
from reasoner.store import Store  # noqa: E402
from reasoner.types import Message, Sampling  # noqa: E402

N_PAIRS = 40
N_PAGES = 7
N_TRAJECTORIES = 100_000
SETTINGS = Settings(TOKEN)


def tree_in_browser(folder: Path, n_thoughts: int) -> list[float]:
    """Return seconds from asking for the page of so many thoughts until it is drawn and its script is ready."""
    found = grow(folder / "tree.db", n_thoughts, label=f"grown {n_thoughts}")
    made = []
    with (
        Store.open(folder / "tree.db") as store,
        Loopback(application(store, SETTINGS, pages=Viewer(store, SETTINGS).routes())) as server,
        open_browser() as browser,
    ):
        for _ in range(N_PAGES):
            browser.get("about:blank")
            browser.get(f"{server.url}/view/{SETTINGS.page_key}/t/{found}")
            drawn = browser.execute_async_script(
                "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())))"
            )
            # Counted from the page's own start: the server's answer and the last layout before the frame are in it.
            made.append(drawn / 1000)
    return made


def fill(path: Path) -> None:
    """Make a store of 100,000 judged trajectories: half of them in one run, the others in 500 runs of a hundred."""
    when = "2026-01-01T00:00:00.000+00:00"
    runs = [*((f"run{i:04d}", 100) for i in range(N_TRAJECTORIES // 200)), ("bench", N_TRAJECTORIES // 2)]  # the large one is the newest
    manifest = '{"solvers":["number_path"],"strategies":[["cot","{}"],["ats","{}"]],"models":[["bench","bench"]]}'

    def job(c: Any) -> int:
        c.executemany(
            "INSERT INTO runs (id, manifest, manifest_hash, ordinal, status, epoch, command, version, created, updated)"
            f" VALUES (?, '{manifest}', ?, 0, 'finished', 1, 'reasoner bench', 'bench', '{when}', '{when}')", [(run, run) for run, _ in runs],
        )  # fmt: skip
        c.executemany("INSERT INTO problems VALUES (?, 'number_path', '{}', ?, 4)", [(f"p{i}", f"4 {i} 99") for i in range(1000)])
        rows = [(f"{run}-{i}", run, f"p{i % 1000}", ("cot", "ats")[i % 2], i) for run, n in runs for i in range(n)]
        c.executemany(
            "INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, answer, calls,"
            f" prompt_tokens, completion_tokens, created, finished) VALUES (?, ?, ?, ?, '{{}}', 'bench', 'bench', ?, 'closed',"
            f" 'Answer: 4 -> 5', 3, 120, 90, '{when}', '{when}')", rows,
        )  # fmt: skip
        c.executemany(
            f"INSERT INTO verdicts (trajectory_id, correct, score, reason, unparsed, created) VALUES (?, ?, 1.0, 'it holds', 0, '{when}')",
            [(row[0], i % 2) for i, row in enumerate(rows)],
        )
        return len(rows)

    with Store.open(path) as store:
        assert store.write_now(job, durable=False) == N_TRAJECTORIES


def runs_page(folder: Path) -> dict[str, list[float]]:
    """Return seconds of the pages over 100,000 trajectories."""
    fill(folder / "big.db")
    made: dict[str, list[float]] = {}
    with Store.open(folder / "big.db") as store, Loopback(application(store, SETTINGS, pages=Viewer(store, SETTINGS).routes())) as server:
        base = f"{server.url}/view/{SETTINGS.page_key}"
        with httpx.Client(trust_env=False, timeout=60) as client:
            for name, page in {
                "runs": "/",
                "run": "/run/bench",
                "run, last page": "/run/bench?page=1999",
                "search": "/search?q=Answer",
            }.items():
                for _ in range(N_PAGES):
                    begun = time.perf_counter()
                    assert client.get(base + page).status_code == 200
                    made.setdefault(name, []).append(time.perf_counter() - begun)
    return made


def endpoint(folder: Path) -> tuple[list[float], list[float]]:
    """Return seconds of a strategy through HTTP and of the same by a call, in turns, each pair on the same store."""
    body = {"model": "self_consistency/scripted", "messages": [{"role": "user", "content": "six times seven"}]}
    served, called = [], []
    with Store.open(folder / "e.db") as store:
        client = ScriptedClient(lambda _: "Answer: 42", name="scripted")
        pool = ModelPool()
        pool.give("scripted", client)
        executor = Executor(store, ModelNames(["scripted"]), SETTINGS, pool=pool, options=RunOptions(), limits=Limits(calls=500))
        order = Order(executor.model_names.resolve("self_consistency/scripted"), (Message("user", "six times seven"),), Sampling())

        async def direct() -> None:
            async for _ in executor.run(order):
                pass

        # One loop for all direct calls: what the executor limits is bound to the loop it was first asked in.
        app = application(store, SETTINGS, clients=[client])
        with Loopback(app) as server, httpx.Client(trust_env=False, timeout=60) as http, asyncio.Runner() as loop:
            for _ in range(N_PAIRS):
                begun = time.perf_counter()
                done = http.post(f"{server.url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {TOKEN}"})
                served.append(time.perf_counter() - begun)
                assert done.status_code == 200
                called.append(loop.run(_timed(direct)))
    return served, called


async def _timed(work: Any) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


def main() -> None:
    """Measure and print."""
    rows: list[dict[str, Any]] = []
    bars: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if CHROMIUM and DRIVER:
            for n_thoughts in (2_000, 5_000):
                bars[f"tree of {n_thoughts:,} thoughts, s"] = round(statistics.median(tree_in_browser(folder, n_thoughts)), 3)
        served, called = endpoint(folder)
        bars["endpoint adds, ms"] = round(1000 * (statistics.median(served) - statistics.median(called)), 2)
        rows.append({"what": "strategy through HTTP, ms", "median": round(1000 * statistics.median(served), 2)})
        rows.append({"what": "the same by a call, ms", "median": round(1000 * statistics.median(called), 2)})
        for page, seconds in runs_page(folder).items():
            first, rest = seconds[0], statistics.median(seconds[1:])
            rows.append(
                {"what": f"page of 100,000 trajectories: {page}, ms", "first": round(1000 * first, 1), "median": round(1000 * rest, 1)}
            )
            bars.setdefault("runs page, ms", round(1000 * rest, 1))
    report("view", rows=rows, bars=bars, packages=("starlette", "uvicorn"))


main()
