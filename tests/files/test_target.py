"""A file that is written whole or not at all; every command that names one says at once when it cannot be written."""

from __future__ import annotations

import errno
import shlex
from pathlib import Path

import pytest
from forks import Forks

from reasoner.errors import DataError
from reasoner.files import target
from reasoner.files.target import Target, writable, write_text

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


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A folder with a run, rows and a folder; no case changes it."""
    made = tmp_path_factory.mktemp("ground")
    (made / "folder").mkdir()
    (made / "rows.tsv").write_text("A\tB\none\tuno\n", encoding="utf-8")
    (made / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n', encoding="utf-8")
    assert forks.run(shlex.split("bench sum -n 1 --strategy cot --model teacher"), cwd=made).code == 0
    return made


@pytest.mark.parametrize("name", [".", "folder"])
@pytest.mark.parametrize(
    "line",
    [
        "report last --output {}", "export sft {}", "export sft {} --split 0.8:0.1:0.1", "export sft {} --dry-run", "compare sum -s cot --model teacher -n 1 --markdown {}",
        "translate 'The river sleeps.' --from English --to Selvan --model teacher --out {}", "corpus build {} rows.tsv -l A -l B", "tune rows.jsonl --out {}",
        "corpus build made.corpus rows.tsv -l A -l B --report {}",
    ],
)  # fmt: skip
def test_a_command_says_at_once_that_its_file_is_a_folder(ground: Path, forks: Forks, line: str, name: str) -> None:
    before = sorted(p.name for p in ground.rglob("*"))
    ended = forks.run(shlex.split(line.format(name)), cwd=ground)
    assert ended.code == 2, ended
    assert ended.err.startswith("error: cannot write "), ended.err
    assert "it is a folder" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert sorted(p.name for p in ground.rglob("*")) == before
