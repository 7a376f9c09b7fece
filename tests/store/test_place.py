"""The file goes away, is not ours, or is no place for a database: against the file system and the sqlite3 module."""

from __future__ import annotations

import hashlib
import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reasoner.errors import FileGone, StoreError
from reasoner.store import Store
from reasoner.store.connection import explain, sqlite_version
from reasoner.store.connection import sqlite3 as chosen
from reasoner.store.migrations import STEPS

ADD = "INSERT INTO messages (hash, role, content) VALUES (?, 'user', ?)"


def add(store: Store, text: str) -> None:
    store.write_now(lambda c: c.execute(ADD, (text, text)))


def texts(path: Path) -> list[str]:
    with sqlite3.connect(path) as c:
        assert c.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [text for (text,) in c.execute("SELECT content FROM messages ORDER BY id").fetchall()]


def remove(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replace(path: Path) -> None:
    other = path.with_name("other.db")
    with Store.open(other) as store:
        add(store, "of another file")
    other.replace(path)


def remove_all(path: Path) -> None:
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()


@pytest.mark.parametrize("how", [remove, move, replace, remove_all])
def test_nothing_is_acknowledged_once_the_file_is_gone_and_what_was_is_kept(tmp_path: Path, how: Callable[[Path], None]) -> None:
    path = tmp_path / "t.db"
    store = Store.open(path)
    add(store, "before")
    how(path)
    with pytest.raises(FileGone, match=r"kept in .*t\.db\.rescued; no further call was made; put it back \(mv ") as told:
        add(store, "an answer that was paid for")
    assert ("replaced" in str(told.value)) == (how is replace)
    with pytest.raises(FileGone):
        add(store, "what came later")
    store.close()
    rescued = tmp_path / "t.db.rescued"
    assert texts(rescued) == ["before", "an answer that was paid for", "what came later"]
    assert rescued.stat().st_mode & 0o777 == 0o600
    if how is replace:
        assert not list(tmp_path.glob("t.db-*")), "the other file must not take our log for its own"
        assert texts(path) == ["of another file"]
    rescued.replace(path)
    with Store.open(path) as again:
        add(again, "and on")


def test_a_log_that_is_removed_is_written_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with Store.open(path) as store:
        add(store, "before")
        (tmp_path / "t.db-wal").unlink()
        with pytest.raises(FileGone, match=r"the log .*t\.db-wal .* was removed .* kept in .*t\.db itself"):
            add(store, "after")
    assert texts(path) == ["before", "after"]


def test_the_name_of_a_copy_that_is_there_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "t.db.rescued").write_text("somebody's")
    with Store.open(tmp_path / "t.db") as store:
        remove(tmp_path / "t.db")
        with pytest.raises(FileGone, match=r"rescued2"):
            add(store, "x")
    assert (tmp_path / "t.db.rescued").read_text() == "somebody's"


def test_a_folder_that_is_removed_leaves_the_copy_where_the_command_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, here = tmp_path / "gone", tmp_path / "here"
    folder.mkdir()
    here.mkdir()
    monkeypatch.chdir(here)
    with Store.open(folder / "t.db") as store:
        remove_all(folder / "t.db")
        folder.rmdir()
        with pytest.raises(FileGone, match="rescued"):
            add(store, "x")
    assert texts(here / "t.db.rescued") == ["x"]


def test_a_new_file_does_not_take_the_log_of_one_that_was_removed_and_both_live(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    old = Store.open(path)
    add(old, "old")
    path.unlink()
    with Store.open(path) as new:
        add(new, "new")
        with pytest.raises(FileGone, match="replaced"):
            add(old, "more")
        old.close()
        add(new, "newer")
    assert texts(path) == ["new", "newer"]
    assert texts(tmp_path / "t.db.rescued") == ["old", "more"]


@pytest.mark.parametrize("opening", [Store.open, Store.read], ids=["to write", "to read"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "directory", "hard link"])
def test_what_is_no_place_for_a_database_is_named(tmp_path: Path, opening: Any, kind: str) -> None:
    path = tmp_path / "t.db"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "device":
        path = Path("/dev/null")
    elif kind == "directory":
        path = tmp_path
    else:
        Store.open(path).close()
        os.link(path, tmp_path / "second.db")
    with pytest.raises(StoreError, match=r"FIFO|socket|device|directory|hard links") as told:
        opening(path)
    assert "disk" not in str(told.value)
    assert kind.rsplit(maxsplit=1)[-1] in str(told.value).lower()


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    Store.open(tmp_path / "t.db").close()
    (tmp_path / "inside").mkdir()
    place = tmp_path / "inside" / "with space.db"
    place.touch()
    done = subprocess.run(["mount", "--bind", tmp_path / "t.db", place], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a file cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize("opening", [Store.open, Store.read], ids=["to write", "to read"])
def test_a_file_that_is_mounted_alone_is_refused(mounted: Path, opening: Any) -> None:
    with pytest.raises(StoreError, match="mount the folder it stands in"):
        opening(mounted)


def _foreign(path: Path, how: str) -> None:
    c = sqlite3.connect(path)
    if how == "its log":
        c.execute("PRAGMA journal_mode = WAL")
    c.execute("CREATE TABLE theirs (x)")
    c.execute("INSERT INTO theirs VALUES (1)")
    if how == "application id":
        c.execute("PRAGMA application_id = 252006673")
    if how == "migrations of another":
        c.execute("CREATE TABLE _sqlite_migrations (migration_set TEXT, name TEXT, applied_at TEXT)")
        c.execute("INSERT INTO _sqlite_migrations VALUES ('theirs', 'm001_initial', 'x')")
    c.commit()
    if how == "its log":
        copy = path.with_name("copy.db")
        for part in ("", "-wal"):  # as a crash leaves it: everything but an empty first page is in the log
            Path(f"{copy}{part}").write_bytes(Path(f"{path}{part}").read_bytes())
        c.close()
        for part in ("", "-wal"):
            Path(f"{copy}{part}").replace(f"{path}{part}")
        return
    c.close()


@pytest.mark.parametrize("opening", [Store.open, Store.read], ids=["to write", "to read"])
@pytest.mark.parametrize("how", ["tables", "application id", "migrations of another", "its log"])
def test_a_file_of_another_program_is_refused_and_not_changed(tmp_path: Path, opening: Any, how: str) -> None:
    path = tmp_path / "f.db"
    _foreign(path, how)
    before = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in tmp_path.glob("f.db*") if not p.name.endswith("-shm")}
    with pytest.raises(StoreError, match=r"of another program .*; it was not changed"):
        opening(path)
    after = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in tmp_path.glob("f.db*") if not p.name.endswith("-shm")}
    assert after == before


def test_ours_say_so_and_an_empty_file_becomes_ours(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    path.touch()
    Store.open(path).close()
    assert path.read_bytes()[68:72] == b"RSNR"


@pytest.mark.parametrize("name", ["file:u.db?mode=rwc", ":memory:", "file::memory:"])
def test_a_name_that_looks_like_a_uri_is_the_name_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open(name) as store:
        add(store, "x")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    with Store.read(name) as store:
        assert store.rows("SELECT content FROM messages") == [{"content": "x"}]


def test_reading_changes_nothing_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with Store.open(path) as store:
        add(store, "x")
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    with Store.read(path) as store:
        assert store.rows("SELECT count(*) AS n FROM messages") == [{"n": 1}]
        with pytest.raises(StoreError, match="opened for reading"):
            add(store, "y")
        with pytest.raises(StoreError):
            store.rows("DELETE FROM messages")
        assert [p.name for p in tmp_path.iterdir()] == ["t.db"]
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_a_reader_sees_what_a_writer_adds_while_it_reads(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    Store.open(path).close()
    with Store.read(path) as reading:
        assert reading.rows("SELECT count(*) AS n FROM messages") == [{"n": 0}]
        for expected in (1, 2):
            with Store.open(path) as store:
                add(store, f"x{expected}")
                assert reading.rows("SELECT count(*) AS n FROM messages") == [{"n": expected}]
            assert reading.rows("SELECT count(*) AS n FROM messages") == [{"n": expected}]


def test_a_file_of_an_earlier_version_is_brought_up_to_date_to_be_read(tmp_path: Path) -> None:
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    first = Migrations("reasoner")
    first(name="m001_initial")(STEPS["m001_initial"])
    plain = sqlite3.connect(tmp_path / "t.db")
    first.apply(Database(plain))
    plain.commit()
    plain.close()
    with Store.read(tmp_path / "t.db") as store:
        assert [row["name"] for row in store.rows("SELECT name FROM _sqlite_migrations ORDER BY rowid")] == list(STEPS)


def test_a_failed_read_is_not_called_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    Store.open(path).close()

    def said(name: str) -> str:
        error = chosen.OperationalError("disk I/O error")
        error.sqlite_errorname = name
        return str(explain(error, path))

    assert "full" not in said("SQLITE_IOERR_READ")
    assert "full" not in said("SQLITE_IOERR_SHMMAP")
    assert "full" in said("SQLITE_IOERR_WRITE")
    if sqlite_version() >= (3, 51, 3):
        assert "log" in said("SQLITE_IOERR_SHORT_READ")
    path.unlink()
    assert "removed" in said("SQLITE_IOERR_READ")
