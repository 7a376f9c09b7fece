"""A database is removed, moved or replaced under a running bench: no further call is paid, nothing committed is lost, and the copy goes on.

`REASONER_GONE` sets how often (full tier: 200); half of the times the file is removed or moved, half another takes its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from model_server import ModelServer

from reasoner.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forks import Ended, Forks

GONE = int(os.environ.get("REASONER_GONE", "6"))
CONCURRENCY = 4
ANNOUNCED = CONCURRENCY + CONCURRENCY // 2
"""How many calls may be announced at once: those that were when the file went may still be sent."""
BENCH = ("bench", "number_path", "arithmetic", "-n", "5", "--strategy", "cot,ats", "--json", "--concurrency", str(CONCURRENCY))


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: f"A step.\nAnswer: {len(asked)}", delay_s=0.02) as made:
        yield made


def table(ended: Ended) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(ended.out)["rows"]]


def rows(db: Path) -> tuple[set[str], set[str]]:
    """The keys of all calls, and of those that are committed."""
    with sqlite3.connect(db) as c:
        assert c.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = c.execute("SELECT key, state FROM calls").fetchall()
    return {key for key, _ in found}, {key for key, state in found if state == "done"}


def take_away(how: str, db: Path) -> str:
    """Take the file away; return what is then at its place, as a hash, empty where there is nothing."""
    if how == "rm":
        db.unlink()
    elif how == "rm all":
        for path in db.parent.glob(f"{db.name}*"):
            path.unlink(missing_ok=True)
    elif how == "mv":
        db.rename(db.with_suffix(".moved"))
    else:
        shutil.copy(db.parent / ("ours.db" if how == "ours instead" else "foreign.db"), db.with_suffix(".next"))
        db.with_suffix(".next").replace(db)
        return hashlib.sha256(db.read_bytes()).hexdigest()
    return ""


@pytest.mark.slow
def test_no_call_is_paid_that_cannot_be_kept(tmp_path: Path, server: ModelServer, forks: Forks) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    Store.open(tmp_path / "ours.db").close()
    with sqlite3.connect(tmp_path / "foreign.db") as c:
        c.execute("CREATE TABLE theirs (x)")
    c.close()
    plain = forks.run([*BENCH, "--model", "openai:m", "--base-url", server.url("plain"), "--db", "plain.db"], cwd=tmp_path)
    assert plain.code == 0, plain.err
    seen: Counter[str] = Counter()
    after = most = 0
    for number in range(GONE):
        how = rng.choice(("rm", "rm all", "mv")) if number % 2 else rng.choice(("ours instead", "theirs instead"))
        folder = tmp_path / f"g{number}"
        folder.mkdir()
        for name in ("ours.db", "foreign.db"):
            shutil.copy(tmp_path / name, folder / name)
        db, ledger = folder / "t.db", server.ledger(f"g{number}")
        args: list[str | Path] = [*BENCH, "--model", "openai:m", "--base-url", server.url(f"g{number}"), "--db", db]
        child = forks.start(args, cwd=folder)
        enough, latest = rng.randrange(1, 14), time.monotonic() + 60
        while sum(ledger.asked.values()) < enough and time.monotonic() < latest:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.02))
        there = take_away(how, db)
        before = sum(ledger.asked.values())
        ended = child.wait()
        more = sum(ledger.asked.values()) - before
        assert ended.code == 4, (how, ended)
        assert ended.err.count("\n") == 1, ended.err
        kept = re.search(r"kept in (\S+\.rescued)", ended.err)
        assert kept, ended.err
        assert more <= ANNOUNCED, (how, before, more)
        assert not there or hashlib.sha256(db.read_bytes()).hexdigest() == there, "the file that took its place is changed"
        assert not list(folder.glob("t.db-*")), "a log is left that is not of the file beside it"
        announced, done = rows(Path(kept[1]))
        assert set(ledger.asked) <= announced, "a call was made that nothing tells of"
        asked = dict(ledger.asked)
        shutil.move(kept[1], db)
        again = forks.run(args, cwd=folder)
        assert again.code == 0, again.err
        assert table(again) == table(plain)
        assert all(ledger.asked[key] == asked[key] for key in done), "what was committed is asked again"
        seen[how] += 1
        after, most = after + more, max(most, more)
    print(json.dumps({"taken away": GONE, "calls after it": after, "at most": most, **seen}))  # noqa: T201 - the measure of the full run


def bound(inside: str, *, folder: bool) -> list[str]:
    """Return a command that runs another where a file, or the folder it stands in, is mounted a second time."""
    what, place = ("data", "mnt") if folder else ("data/t.db", "mnt/t.db")
    return ["unshare", "--mount", "sh", "-c", f'mount --bind {what} {place} && {inside} exec "$@"', "sh"]


@pytest.mark.slow
@pytest.mark.parametrize("readonly", [False, True], ids=["writable", "read-only"])
def test_a_file_that_is_mounted_alone_is_refused_and_a_folder_is_not(tmp_path: Path, forks: Forks, readonly: bool) -> None:
    import sys

    from forks import plain_environment

    for name in ("data", "mnt"):
        (tmp_path / name).mkdir()
    bench = ["bench", "number_path", "-n", "2", "--strategy", "cot", "--model", "teacher", "--db"]
    assert forks.run([*bench, "data/t.db"], cwd=tmp_path).code == 0
    (tmp_path / "mnt/t.db").touch()
    before = (tmp_path / "data/t.db").read_bytes()
    reader = ["runs", "--json", "--db", "mnt/t.db"]
    again = "mount -o remount,bind,ro mnt/t.db &&" if readonly else ""

    def run(prefix: list[str], args: list[str]) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-m", "reasoner", *args]
        return subprocess.run(command, cwd=tmp_path, env=plain_environment() | {"PYTHONPATH": str(Path.cwd())}, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip

    if run([*bound("", folder=False)[:4], "true"], []).returncode != 0:
        pytest.skip("namespaces cannot be made here")
    for args in (reader, [*bench, "mnt/t.db", "--new"]):
        ended = run(bound(again, folder=False), args)
        assert (ended.returncode, ended.stdout) == (4, ""), ended
        assert "mount the folder" in ended.stderr
    assert (tmp_path / "data/t.db").read_bytes() == before
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["t.db"]
    whole = run(bound(again.replace("mnt/t.db", "mnt"), folder=True), reader)
    assert whole.returncode == 0, whole.stderr
    assert len(json.loads(whole.stdout)) == 1
