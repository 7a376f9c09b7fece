"""A full disk, a directory or file that cannot be written, and a clock that jumps: one clear line, nothing lost, and the run goes on after.

`REASONER_DISK_POINTS` sets at how many sizes the file-size limit strikes; the seed is printed.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from model_server import ModelServer

from reasoner.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forks import Ended, Forks

POINTS = int(os.environ.get("REASONER_DISK_POINTS", "6"))
BENCH = ("bench", "number_path", "arithmetic", "-n", "25", "--strategy", "cot,ats", "--json", "--concurrency", "4")
N_CALLS = 100

LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"
"""A file may not grow past this: the write fails as it does on a full disk."""
NOBODY = "import os; (os.setgid(65534), os.setuid(65534)) if os.getuid() == 0 else None"
"""The permission bits mean nothing to root."""


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: f"A step.\n{'x' * 3000}\nAnswer: {len(asked)}") as made:
        yield made


def table(ended: Ended) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(ended.out)["rows"]]


def one_line(ended: Ended, *says: str) -> None:
    assert ended.code == 4, ended
    assert ended.err.count("\n") == 1, ended.err
    assert ended.err.startswith("error: ")
    for word in says:
        assert re.search(word, ended.err), ended.err


def committed(db: Path) -> dict[str, int]:
    with Store.open(db) as store:
        assert store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        return {row["key"]: row["reply_id"] for row in store.rows("SELECT key, reply_id FROM calls WHERE state = 'done'")}


@pytest.mark.slow
def test_a_full_disk_at_any_moment(tmp_path: Path, server: ModelServer, forks: Forks) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    full = said = 0
    plain = forks.run([*BENCH, "--model", "openai:m", "--base-url", server.url("plain"), "--db", "plain.db"], cwd=tmp_path)
    assert plain.code == 0, plain.err
    for number in range(POINTS):
        name = f"d{number}"
        args = [*BENCH, "--model", "openai:m", "--base-url", server.url(name), "--db", f"{name}.db"]
        limited = forks.run(args, cwd=tmp_path, prelude=LIMIT.format(rng.randrange(4096, 1_400_000)))
        db = tmp_path / f"{name}.db"
        if limited.code != 0:
            one_line(limited, "full|I/O", "space")
            full += 1
        before = committed(db)
        said += len(before)
        asked = dict(server.ledger(name).asked)
        assert set(before) <= set(asked)
        again = forks.run(args, cwd=tmp_path)
        assert again.code == 0, again.err
        assert table(again) == table(plain)
        after = committed(db)
        assert before.items() <= after.items()
        assert len(after) == N_CALLS
        assert all(server.ledger(name).asked[key] == asked[key] for key in before), "what is committed is not asked again"
    print(f"{full} of {POINTS} limits struck, {said} calls were committed before")  # noqa: T201 - the measure of the full run
    assert full >= POINTS // 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a file system of 8 MiB cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_disk_of_eight_mebibytes(small_disk: Path, tmp_path: Path, server: ModelServer, forks: Forks) -> None:
    (small_disk / "ballast").write_bytes(bytes(7_900_000))  # what is left holds a part; the whole, with a log of up to 4 MB, needs it gone
    args = [*BENCH, "-n", "8", "--model", "openai:m", "--base-url", server.url("small"), "--db", str(small_disk / "t.db")]
    one_line(forks.run(args, cwd=tmp_path), "full|I/O", "space")
    (small_disk / "ballast").unlink()
    before = committed(small_disk / "t.db")
    again = forks.run(args, cwd=tmp_path)
    assert again.code == 0, again.err
    assert before.items() <= committed(small_disk / "t.db").items()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory that `NOBODY` may enter and, at first, write."""
    made = tmp_path / "theirs"
    made.mkdir(mode=0o777)
    made.chmod(0o777)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.name.startswith(("pytest-", "test_", "popen-")) and parent.stat().st_uid == os.getuid():
            parent.chmod(parent.stat().st_mode | 0o055)
    return made


def test_a_directory_that_cannot_be_written(folder: Path, server: ModelServer, forks: Forks) -> None:
    folder.chmod(0o555)
    args = ["bench", "number_path", "-n", "2", "--strategy", "cot", "--model", "teacher", "--db", str(folder / "t.db")]
    ended = forks.run(args, cwd=folder, prelude=NOBODY)
    one_line(ended, "cannot create the database", "ermission denied", "--db")
    folder.chmod(0o777)
    assert forks.run(args, cwd=folder, prelude=NOBODY).code == 0


@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_database_that_became_read_only(folder: Path, forks: Forks, what: str) -> None:
    args = ["bench", "number_path", "-n", "2", "--strategy", "cot", "--model", "teacher", "--db", str(folder / "t.db"), "--json"]
    first = forks.run(args, cwd=folder, prelude=NOBODY)
    assert first.code == 0, first.err
    (folder / "t.db" if what == "file" else folder).chmod(0o444 if what == "file" else 0o555)
    ended = forks.run([*args, "--new"], cwd=folder, prelude=NOBODY)
    one_line(ended, "t.db", "writable|--db")
    folder.chmod(0o777)
    for path in folder.glob("t.db*"):  # SQLite makes the log with the mode of the file
        path.chmod(0o666)
    assert table(forks.run(args, cwd=folder, prelude=NOBODY)) == table(first)


CLOCK = """
import datetime, time, threading
real_time, real_datetime, passed = time.time, datetime.datetime, [0]
def moved():
    passed[0] += 1
    return {jump} if passed[0] > 40 else 0
class Moved(real_datetime):
    @classmethod
    def now(cls, tz=None):
        return real_datetime.now(tz) + datetime.timedelta(seconds=moved())
time.time = lambda: real_time() + moved()
datetime.datetime = Moved
import reasoner.store.times
reasoner.store.times.datetime = Moved
"""


@pytest.mark.parametrize("jump", [86400, -86400, 10 * 365 * 86400])
def test_a_clock_that_jumps_in_the_middle(tmp_path: Path, server: ModelServer, forks: Forks, jump: int) -> None:
    def bench(part: str, db: str) -> list[str]:
        return [*BENCH, "--model", "openai:m", "--base-url", server.url(part), "--db", db]

    plain = forks.run(bench(f"steady{jump}", "steady.db"), cwd=tmp_path)
    part = f"jump{jump}"
    killed = forks.run(bench(part, "t.db"), cwd=tmp_path, prelude=CLOCK.format(jump=jump), env={"REASONER_CRASH_AT": "before_done:60"})
    assert killed.code == -9, killed
    before = committed(tmp_path / "t.db")
    with Store.open(tmp_path / "t.db") as store:
        times = store.rows("SELECT min(created) AS first, max(created) AS last FROM calls")[0]
        assert times["first"][:10] != times["last"][:10], "the clock has jumped"
    ended = forks.run(bench(part, "t.db"), cwd=tmp_path, prelude=CLOCK.format(jump=-jump))
    assert ended.code == 0, ended.err
    assert ended.err == ""
    assert table(ended) == table(plain)
    assert before.items() <= committed(tmp_path / "t.db").items()
    assert all(n == 1 or key not in before for key, n in server.ledger(part).asked.items())
