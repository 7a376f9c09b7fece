"""How fast fragments are found, and what that costs, against four other ways to do it; every answer is compared.

Made-up corpora of about 24 words a line (Zipf words, stretches copied from line to line so that long fragments exist, seed 2505). Each
engine runs in a process of its own and answers the same held-out queries: window 7, three examples a fragment.

    scripts/bench fragments [--json] [--sizes 18k,500k,2m]

`size_mib` is what serves the search, without the texts: the index's sections, the database file, or how much the process grew. An engine
that would need more than MAX_GIB, extrapolated from the size before, is left out and says so. A slow engine answers fewer queries.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _report import report

SIZES = {"18k": 18_000, "500k": 500_000, "2m": 2_000_000}
ENGINES = ("reasoner disk", "reasoner memory", "scan", "dict", "fts5", "suffix array")
SEED = 2505
WINDOW, K = 7, 3
VOCABULARY = 400_000
N_QUERIES = 300
QUERY_SECONDS = 10.0
MAX_GIB = 6.0
Segment = tuple[int, int, list[int]]


def make(folder: Path, n_lines: int) -> None:
    """Write the corpus (source.txt, target.txt) and the queries (queries.txt)."""
    rng = np.random.default_rng(SEED)
    n_all = n_lines + N_QUERIES
    lengths = rng.integers(16, 33, n_all)
    n_words = int(lengths.sum())
    weights = np.cumsum(1 / np.arange(1, VOCABULARY + 1) ** 1.05)
    words = np.searchsorted(weights, rng.random(n_words) * weights[-1])
    n_copies = n_all // 2
    for size, to, source in zip(
        rng.integers(3, 10, n_copies), rng.integers(0, n_words - 10, n_copies), rng.integers(0, n_words - 10, n_copies), strict=True
    ):
        words[to : to + size] = words[source : source + size]
    names = [f"w{number:x}" for number in range(VOCABULARY)]
    ends = np.cumsum(lengths)
    held_out = set(np.linspace(0, n_all - 1, N_QUERIES).astype(int).tolist())
    with (
        (folder / "source.txt").open("w") as source,
        (folder / "target.txt").open("w") as target,
        (folder / "queries.txt").open("w") as queries,
    ):
        for number in range(n_all):
            line = words[ends[number] - lengths[number] : ends[number]].tolist()
            text = " ".join([names[word] for word in line])
            if number in held_out:
                queries.write(text + "\n")
            else:
                source.write(text + "\n")
                target.write(text.replace("w", "v") + "\n")


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file."""
    return path.read_text().splitlines()


def greedy(words: list[str], find: Callable[[list[str]], list[int]]) -> list[Segment]:
    """Cut a sentence the published way over any engine that finds up to K lines with given words."""
    taken = [False] * len(words)
    found: list[Segment] = []
    for size in range(min(WINDOW, len(words)), 0, -1):
        for start in range(len(words) - size + 1):
            if not any(taken[start : start + size]) and (held := find(words[start : start + size])):
                taken[start : start + size] = [True] * size
                found.append((start, size, held))
    return sorted(found)


def rss_mib() -> float:
    """Return how much memory this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def peak_rss_mib() -> float:
    """Return the most memory this process has held; unlike `ru_maxrss` it starts at zero with the program."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def scan_engine(folder: Path) -> tuple[Callable[[str], list[Segment]], float]:
    """Look through the whole text for every window."""
    before = rss_mib()
    text = "\n " + (folder / "source.txt").read_text().replace("\n", " \n ")
    starts = np.flatnonzero(np.frombuffer(text.encode(), dtype=np.uint8) == 10)

    def find(words: list[str]) -> list[int]:
        wanted, at, held = f" {' '.join(words)} ", 0, []
        while len(held) < K and (at := text.find(wanted, at)) >= 0:
            held.append(int(np.searchsorted(starts, at, side="right")) - 1)
            at = text.find("\n", at)
        return held

    return lambda query: greedy(query.split(), find), rss_mib() - before


def dict_engine(folder: Path) -> tuple[Callable[[str], list[Segment]], float]:
    """Keep every window of one to seven words in a dictionary."""
    lines = [line.split() for line in lines_of(folder / "source.txt")]
    before = rss_mib()
    held: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, words in enumerate(lines):
        for size in range(1, WINDOW + 1):
            for window in {tuple(words[start : start + size]) for start in range(len(words) - size + 1)}:
                held[window].append(number)
    size_mib = rss_mib() - before
    return lambda query: greedy(query.split(), lambda words: held.get(tuple(words), [])[:K]), size_mib


def fts5_engine(folder: Path) -> tuple[Callable[[str], list[Segment]], float]:
    """Ask SQLite's full-text index for phrases."""
    import sqlite3

    path = folder / "fts5.db"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE VIRTUAL TABLE t USING fts5(s, content='', tokenize=\"unicode61 remove_diacritics 0\")")
    with (folder / "source.txt").open() as file:
        connection.executemany("INSERT INTO t(rowid, s) VALUES (?, ?)", enumerate(file))
    connection.execute("INSERT INTO t(t) VALUES ('optimize')")
    connection.commit()

    def find(words: list[str]) -> list[int]:
        return [row[0] for row in connection.execute("SELECT rowid FROM t WHERE t MATCH ? LIMIT ?", (f'"{" ".join(words)}"', K))]

    return lambda query: greedy(query.split(), find), path.stat().st_size / 2**20


def suffix_engine(folder: Path) -> tuple[Callable[[str], list[Segment]], float]:
    """Search a plain suffix array over word numbers, every window anew."""
    from array import array
    from bisect import bisect_left, bisect_right

    from pydivsufsort import divsufsort

    before = rss_mib()
    numbers: dict[str, int] = {}
    tokens, starts = array("i"), array("i")
    with (folder / "source.txt").open() as file:
        for line in file:
            starts.append(len(tokens))
            tokens.extend(numbers.setdefault(word, len(numbers) + 1) for word in line.split())
            tokens.append(0)
    places = array("i")
    places.frombytes(divsufsort(np.frombuffer(tokens, dtype=np.int32)).astype(np.int32).tobytes())

    def find(words: list[str]) -> list[int]:
        sought = array("i", [numbers.get(word, -1) for word in words])
        if -1 in sought:
            return []
        n = len(sought)
        low = bisect_left(places, sought, key=lambda place: tokens[place : place + n])
        high = (
            bisect_right(places, sought, lo=low, key=lambda place: tokens[place : place + n])
            if places and low < len(places) and tokens[places[low] : places[low] + n] == sought
            else low
        )
        held: dict[int, None] = {}
        for at in range(low, high):
            held[bisect_right(starts, places[at]) - 1] = None
            if len(held) == K:
                break
        return list(held)

    return lambda query: greedy(query.split(), find), rss_mib() - before


def ours(folder: Path, *, on_disk: bool) -> tuple[Callable[[str], list[Segment]], float, dict[str, float]]:
    """Build an index, then open it and search it."""
    from reasoner.translation.build import Builder
    from reasoner.translation.cover import Query, Search
    from reasoner.translation.index import Index

    path = folder / "bench.corpus"
    began = time.perf_counter()
    data = b""
    with Builder(("source", "target"), normalisation="full", searched=("source",), folder=folder if on_disk else None) as builder:
        with (folder / "source.txt").open() as source, (folder / "target.txt").open() as target:
            for cells in zip(source, target, strict=True):
                builder.add([cell.rstrip("\n") for cell in cells])
        if on_disk:
            builder.write(path)
        else:
            data = builder.in_memory()
    build_s = time.perf_counter() - began
    began = time.perf_counter()
    index = Index.open(path) if on_disk else Index.of_bytes(data, "bench")
    open_s = time.perf_counter() - began

    def answer(query: str) -> list[Segment]:
        cover = Search(index, Query(query, "source", "target", window=WINDOW, k=K)).cover()
        return [(f.start, len(f.words), [pair.line for pair in f.pairs]) for f in cover.fragments]

    return answer, index.search_bytes / 2**20, {"build_s": build_s, "open_s": open_s}


def child(engine: str, folder: Path) -> None:
    """Build one engine, answer the queries, print what it took."""
    began = time.perf_counter()
    extra: dict[str, float] = {}
    if engine.startswith("reasoner"):
        answer, size, extra = ours(folder, on_disk=engine.endswith("disk"))
    else:
        peers = {"scan": scan_engine, "dict": dict_engine, "fts5": fts5_engine, "suffix array": suffix_engine}
        answer, size = peers[engine](folder)
    built = {"build_s": time.perf_counter() - began, "peak_rss_mib": peak_rss_mib(), **extra}
    times, answers = [], []
    deadline = time.perf_counter() + QUERY_SECONDS
    for query in lines_of(folder / "queries.txt"):
        began = time.perf_counter()
        answers.append(answer(query))
        times.append(1000 * (time.perf_counter() - began))
        if time.perf_counter() > deadline:
            break
    times.sort()
    found = {"p50_ms": statistics.median(times), "p99_ms": times[min(len(times) - 1, int(0.99 * len(times)))], "queries": len(times)}
    print(json.dumps({**built, **found, "size_mib": size, "answers": answers}))


def disagreements(answers: dict[str, list[list[Segment]]], folder: Path) -> dict[str, int]:
    """Count queries on which an engine cuts otherwise, gives another number of examples, or an example without the fragment."""
    queries = [line.split() for line in lines_of(folder / "queries.txt")]
    wanted = {line for of_engine in answers.values() for segments in of_engine for *_, held in segments for line in held}
    with (folder / "source.txt").open() as file:
        texts = {number: f" {line.strip()} " for number, line in enumerate(file) if number in wanted}
    reference = answers["reasoner disk"]
    wrong = {}
    for engine, of_engine in answers.items():
        wrong[engine] = 0
        for query, segments, other in zip(queries, of_engine, reference, strict=False):
            same = [(s, n, len(held)) for s, n, held in segments] == [(s, n, len(held)) for s, n, held in other]
            true = all(f" {' '.join(query[s : s + n])} " in texts[line] for s, n, held in segments for line in held)
            wrong[engine] += not (same and true)
    return wrong


def measure(size: str, before: dict[str, float]) -> list[dict[str, Any]]:
    """Run every engine on one size; `before` is each engine's memory in GiB per line at the size before."""
    rows: list[dict[str, Any]] = []
    answers: dict[str, list[list[Segment]]] = {}
    with tempfile.TemporaryDirectory(prefix="fragments-") as name:
        folder = Path(name)
        make(folder, SIZES[size])
        for engine in ENGINES:
            expected = before.get(engine, 0.0) * SIZES[size]
            if expected > MAX_GIB:
                rows.append({"size": size, "engine": engine, "not run": f"it would need about {expected:.0f} GiB"})
                continue
            done = subprocess.run([sys.executable, __file__, "--child", engine, name], check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout)
            answers[engine] = found.pop("answers")
            before[engine] = found["peak_rss_mib"] / 1024 / SIZES[size]
            rows.append(
                {"size": size, "engine": engine, **{key: round(value, 6 if key == "open_s" else 3) for key, value in found.items()}}
            )
        wrong = disagreements(answers, folder)
    for row in rows:
        if row["engine"] in wrong:
            row["answers_differ"] = wrong[row["engine"]]
    return rows


def faster_and_smaller(rows: list[dict[str, Any]]) -> int:
    """Count the peers that beat the index on disk in both at one size."""
    ours_at = {row["size"]: row for row in rows if row["engine"] == "reasoner disk"}
    peers = [row for row in rows if not row["engine"].startswith("reasoner") and "p50_ms" in row]
    return sum(row["p50_ms"] < ours_at[row["size"]]["p50_ms"] and row["size_mib"] < ours_at[row["size"]]["size_mib"] for row in peers)


def main() -> None:
    """Measure and report."""
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]))
        return
    sizes = list(SIZES)
    if "--sizes" in sys.argv:
        at = sys.argv.index("--sizes")
        sizes = sys.argv[at + 1].split(",")
        del sys.argv[at : at + 2]
    before: dict[str, float] = {}
    rows = [row for size in sizes for row in measure(size, before)]
    disk = {row["size"]: row for row in rows if row["engine"] == "reasoner disk"}
    bars: dict[str, float] = {}
    if "18k" in disk:
        bars["p50_ms_18k"] = disk["18k"]["p50_ms"]
    if "2m" in disk:
        largest = disk["2m"]
        bars |= {
            "p50_ms_2m": largest["p50_ms"],
            "build_s_2m": largest["build_s"],
            "rss_mib_2m": largest["peak_rss_mib"],
            "open_s_2m": largest["open_s"],
        }
    bars["peers_faster_and_smaller"] = faster_and_smaller(rows)
    bars["answers_differ"] = sum(row.get("answers_differ", 0) for row in rows)
    report("fragments", rows=rows, bars=bars, packages=("numpy", "pydivsufsort"))


if __name__ == "__main__":
    main()
