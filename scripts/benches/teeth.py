"""Take guards away one at a time and see that the tests notice. A test that stays green without its guard proves nothing.

The guards stand in `tests/teeth.toml`. Each is removed in a copy of the checkout, so that nothing here is ever left changed, and two are
tried at a time, each in a copy of its own. What has been seen is kept by guard and code (`REASONER_TEETH`, else a file in the directory for temporary files), so that a run goes on where
it stopped and repeats only what has changed.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import queue
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "helpers"))

import guards  # noqa: E402 - shared with the tests

TIMEOUT_S = 180
NO_TEST_RAN = {4, 5}
"""What pytest returns when it was told to run what is not there."""


def removed(text: str, guard: dict[str, Any]) -> str:
    """Return a file's text without a guard.

    Raises:
        SystemExit: the guard is not there any more.
    """
    try:
        return guards.removed(text, guard["change"])
    except guards.NotThere as error:
        raise SystemExit(f"{guard['file']}: the guard {guard['name']!r}: {error}; correct tests/teeth.toml") from error


def copy_of(root: Path, folder: Path) -> None:
    """Copy what git knows of, as it stands."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.decode().split("\0")
    for name in filter(None, names):
        source = root / name
        if source.is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)


def identity(guard: dict[str, Any]) -> str:
    """A hash over the guard, its file and the tests it names: what was seen holds while these are as they were."""
    made = hashlib.sha256(json.dumps(guard, sort_keys=True).encode())
    for name in [guard["file"], *(word for word in shlex.split(guard["tests"]) if word.endswith(".py"))]:
        path = ROOT / name
        made.update(path.read_bytes() if path.exists() else b"none")
    return made.hexdigest()[:16]


def bitten(folder: Path, guard: dict[str, Any]) -> tuple[str, float]:
    """Remove a guard, run its tests, put it back: `caught`, `survived`, or why it says nothing."""
    path = folder / guard["file"]
    whole = path.read_text(encoding="utf-8")
    words = [word for word in shlex.split(guard["tests"]) if not word.endswith(".py") or (folder / word.split("::")[0]).exists()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *words]
    started = time.monotonic()
    try:
        path.write_text(removed(whole, guard), encoding="utf-8")
        env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "REASONER_CHAOS_SEED": "6"}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        # It may hang for want of its guard, or the machine may be busy: no verdict, to be tried again.
        return f"no verdict within {TIMEOUT_S} s", time.monotonic() - started
    finally:
        path.write_text(whole, encoding="utf-8")
    seconds = time.monotonic() - started
    if done.returncode in NO_TEST_RAN:
        return f"no test ran: {done.stdout[-300:]}", seconds
    return ("survived" if done.returncode == 0 else "caught"), seconds


def tried(wanted: list[dict[str, Any]], seen: dict[str, str], kept: Path, jobs: int) -> dict[str, str]:
    """Remove each guard that was not yet seen to be caught, so many at a time; return what came of all, by name, in their order."""
    found: dict[str, str] = {}

    def told(guard: dict[str, Any], how: str, seconds: float) -> None:
        found[guard["name"]] = how
        print(f"{how:9} {seconds:6.1f} s  {guard['name']}", file=sys.stderr, flush=True)

    open_ones = [guard for guard in wanted if seen.get(identity(guard)) != "caught"]
    for guard in wanted:
        if guard not in open_ones:
            told(guard, "caught", 0.0)
    copies: queue.SimpleQueue[Path] = queue.SimpleQueue()

    def one(guard: dict[str, Any]) -> tuple[dict[str, Any], str, float]:
        folder = copies.get()
        try:
            return guard, *bitten(folder, guard)
        finally:
            copies.put(folder)

    with contextlib.ExitStack() as folders, concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for _ in range(min(jobs, len(open_ones))):
            folder = Path(folders.enter_context(tempfile.TemporaryDirectory()))
            copy_of(ROOT, folder)
            copies.put(folder)
        for future in concurrent.futures.as_completed([pool.submit(one, guard) for guard in open_ones]):
            guard, how, seconds = future.result()
            seen[identity(guard)] = how
            kept.write_text(json.dumps(seen), encoding="utf-8")
            told(guard, how, seconds)
    return {guard["name"]: found[guard["name"]] for guard in wanted}


def main() -> int:
    """Take away what was asked for and report the survivors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORDS")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), metavar="N", help="how many at a time")
    given = parser.parse_args()
    known = tomllib.loads((ROOT / "tests" / "teeth.toml").read_text(encoding="utf-8"))["guard"]
    kept = Path(os.environ.get("REASONER_TEETH") or Path(tempfile.gettempdir()) / f"reasoner-teeth-{os.getuid()}.json")
    seen: dict[str, str] = {} if given.again or not kept.exists() else json.loads(kept.read_text(encoding="utf-8"))
    results = tried([guard for guard in known if given.only in guard["name"]], seen, kept, max(1, given.jobs))
    survivors = [name for name, how in results.items() if how != "caught"]
    if given.json:
        print(json.dumps({"guards": len(results), "caught": len(results) - len(survivors), "survivors": survivors}, indent=2))
    else:
        print(f"{len(results) - len(survivors)} of {len(results)} guards have teeth behind them")
    return 1 if survivors or not results else 0


if __name__ == "__main__":
    raise SystemExit(main())
