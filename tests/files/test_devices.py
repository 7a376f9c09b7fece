"""What is no file: a device or a pipe is written into and keeps its name, a link leads to its file, and what never ends is not read."""

from __future__ import annotations

import os
import shlex
import stat
import threading
from pathlib import Path

import pytest
from forks import Forks

from reasoner.errors import DataError, MissingAsset
from reasoner.files.decoding import read_text
from reasoner.files.devices import ending, in_place
from reasoner.files.target import replaceable, write_text


def node(path: Path, kind: int, minor: int) -> Path:
    """Make a device of one's own, so that a test that fails takes none of the machine's."""
    try:
        os.mknod(path, kind | 0o600, os.makedev(1, minor))
        path.open("rb").close()
    except OSError as error:
        pytest.skip(f"no device can be made here: {error.strerror}")
    return path


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """`/dev/full`: it reads as zeros without an end, and takes nothing."""
    return node(tmp_path / "full", stat.S_IFCHR, 7)


def test_a_full_device_is_one_line_and_stays_a_device(full: Path) -> None:
    with pytest.raises(DataError, match=r"full: No space left on device"):
        write_text(full, "text")
    assert stat.S_ISCHR(full.stat().st_mode)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("export sft full", "No space left on device"), ("export atif full", "No space left on device"), ("report last --output full", "No space left on device"),
        ("compare sum -s cot --model teacher -n 1 --markdown full", "No space left on device"), ("corpus build full rows.tsv -l A -l B", "it is a device or a pipe"),
        ("translate lines.txt --from English --to Selvan --model teacher --out full", "No space left on device"),
        ("corpus build made.corpus rows.tsv -l A -l B --report full", "No space left on device"), ("tune rows.jsonl --out full", "it is a device or a pipe"),
        ("import full", "it is a device"), ("tune full --out a.gguf", "it is a device"), ("bench question:full -n 1 --model teacher", "it is a device"),
        ("check full", "it is a device"), ("solve sum '1 2' --model teacher --prices full", "it is a device"), ("ask x --model teacher --schema full", "it is a device"),
        ("corpus build made.corpus A=full B=rows.tsv -l A -l B", "it is a device"),
    ],
)  # fmt: skip
def test_every_command_leaves_a_device_a_device_and_does_not_read_it_for_ever(full: Path, forks: Forks, line: str, said: str) -> None:
    place = full.parent
    (place / "rows.tsv").write_text("A\tB\none\teins\ntwo\tzwei\nlonely\t\n")
    (place / "lines.txt").write_text("The river sleeps.\n")
    (place / "rows.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    if line.split(maxsplit=1)[0] in {"export", "report"}:
        assert forks.run(shlex.split("bench sum -n 1 --strategy cot --model teacher"), cwd=place).code == 0
    ended = forks.run(shlex.split(line), cwd=place)
    assert stat.S_ISCHR(full.stat().st_mode)
    assert ended.code in {2, 4}, ended
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_nothing_is_lost_in_the_empty_device(tmp_path: Path) -> None:
    null = node(tmp_path / "null", stat.S_IFCHR, 3)
    write_text(null, "text")
    assert stat.S_ISCHR(null.stat().st_mode)
    assert read_text(null).text == ""


def test_a_pipe_gets_the_whole_text(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert in_place(pipe)
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "long " * 100_000)
    reader.join()
    assert found == ["long " * 100_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    with pytest.raises(DataError, match="it is a device or a pipe"):
        replaceable(pipe)


def test_behind_a_link_its_file_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(folder / "file.txt")
    for text in ("one", "two"):
        write_text(link, text)
        assert link.is_symlink()
        assert (folder / "file.txt").read_text() == text
    assert [path.name for path in folder.iterdir()] == ["file.txt"]
    assert replaceable(link) == folder / "file.txt"


def test_what_has_no_end_is_not_read(full: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingAsset, match="full cannot be read: it is a device"):
        read_text(full)
    assert ending(Path("/dev/stdin")) == Path("/dev/stdin") or not os.isatty(0)
    assert ending(tmp_path / "nothing") == tmp_path / "nothing"
    assert ending(Path("a\0b")) == Path("a\0b")
