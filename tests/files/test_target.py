"""A file that is written whole or not at all; every command that names one says at once when it cannot be written."""

from __future__ import annotations

import errno
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from forks import Forks
from tiny_gguf import STRING, gguf_of, pair, text

from reasoner.errors import DataError
from reasoner.files import target
from reasoner.files.target import Target, replaceable, writable, write_text

FOLDERS = (".", "..", "/", "folder", "./folder/", "folder/..")


@pytest.mark.parametrize("name", FOLDERS)
def test_the_name_of_a_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for refused in (writable, Target, lambda path: write_text(path, "x")):
        with pytest.raises(DataError, match="it is a folder"):
            refused(Path(name))
    assert [p.name for p in tmp_path.rglob("*")] == ["folder"]


def test_a_text_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "one")
    write_text(path, "ü\ud800")
    assert path.read_bytes() == "ü?".encode()
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_system_refuses_is_one_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Target) -> None:
        raise target.cannot(self.path, OSError(errno.ENOSPC, "No space left on device"))

    with pytest.raises(DataError, match="No such file"):
        write_text(tmp_path / "no" / "a.txt", "x")
    with pytest.raises(DataError, match="cannot write"):
        write_text(tmp_path / ("x" * 300), "x")
    monkeypatch.setattr(Target, "sync", full)
    with pytest.raises(DataError, match="No space left"):
        write_text(tmp_path / "a.txt", "x")
    assert list(tmp_path.iterdir()) == []


KEPT = {"t.db": b"SQLite format 3\0rows", "x.gguf": b"GGUF\3\0\0\0", "x.corpus": b"reasoner-corpus\n..."}


@pytest.mark.parametrize("name", KEPT)
def test_what_a_run_or_a_training_has_cost_is_not_replaced_by_a_slip(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(KEPT[name])
    (tmp_path / "link").symlink_to(path)
    for given in (path, tmp_path / "link"):
        for refused in (writable, replaceable, Target, lambda place: write_text(place, "x")):
            with pytest.raises(DataError, match="which would be lost"):
                refused(given)
    assert path.read_bytes() == KEPT[name]
    place = Target(path, over=target.KEPT)
    place.commit()
    place.close()
    assert path.read_bytes() == b""


def test_a_look_at_a_database_leaves_the_locks_that_this_process_has_on_it(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    own = sqlite3.connect(path, isolation_level=None)
    own.execute("CREATE TABLE t (x)")
    own.execute("BEGIN IMMEDIATE")
    for _ in range(2):
        with pytest.raises(DataError, match="which would be lost"):
            write_text(path, "x")
    other = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    done = subprocess.run([sys.executable, "-c", other, path], capture_output=True, text=True, check=False)
    assert "database is locked" in done.stderr
    own.close()


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A folder with a run, rows and a folder; no case changes it."""
    made = tmp_path_factory.mktemp("ground")
    (made / "folder").mkdir()
    (made / "rows.tsv").write_text("A\tB\none\tuno\n", encoding="utf-8")
    (made / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n', encoding="utf-8")
    (made / "model.gguf").write_bytes(gguf_of([pair("general.architecture", STRING, text("llama"))], []))
    assert forks.run(shlex.split("bench sum -n 1 --strategy cot --model teacher"), cwd=made).code == 0
    return made


LINES = (
        "report last --output {}", "export sft {}", "export sft {} --split 0.8:0.1:0.1", "export sft {} --dry-run", "compare sum -s cot --model teacher -n 1 --markdown {}",
        "translate 'The river sleeps.' --from English --to Selvan --model teacher --out {}", "corpus build {} rows.tsv -l A -l B", "tune rows.jsonl --out {}",
        "corpus build made.corpus rows.tsv -l A -l B --report {}",
)  # fmt: skip


@pytest.mark.parametrize("name", ["trajectories.db", "model.gguf"])
@pytest.mark.parametrize("line", LINES)
def test_a_command_that_is_told_to_write_over_its_own_data_refuses(ground: Path, forks: Forks, line: str, name: str) -> None:
    before = {path: path.read_bytes() for path in (ground / "trajectories.db", ground / "model.gguf")}
    ended = forks.run(shlex.split(line.format(name)), cwd=ground)
    assert ended.code == 2, ended
    assert ended.err.startswith(f"error: cannot write {name}: it is a"), ended.err
    assert ended.err.endswith("which would be lost; name another file\n")
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize("name", [".", "folder"])
@pytest.mark.parametrize("line", LINES)
def test_a_command_says_at_once_that_its_file_is_a_folder(ground: Path, forks: Forks, line: str, name: str) -> None:
    before = sorted(p.name for p in ground.rglob("*"))
    ended = forks.run(shlex.split(line.format(name)), cwd=ground)
    assert ended.code == 2, ended
    assert ended.err.startswith("error: cannot write "), ended.err
    assert "it is a folder" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert sorted(p.name for p in ground.rglob("*")) == before
