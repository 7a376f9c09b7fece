"""Nothing that a model, a server or a file says steers the terminal: escape sequences, C1 controls, bidirectional overrides, in every output."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from forks import Forks
from model_server import ModelServer
from rich.table import Table

from reasoner.cli import output
from reasoner.cli.output import shown

EVIL = {
    "clear": "\x1b[2J\x1b[H", "title": "\x1b]0;owned\x07", "link": "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\", "colour": "\x1b[31mred", "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "reset": "\x1bc", "c1 csi": "\x9b2J", "c1 osc": "\x9d0;owned\x9c", "bell": "\x07", "backspace": "ok\x08\x08no", "return": "good\revil", "override": "\u202eevil\u202c",
    "isolate": "\u2066evil\u2069", "mark": "\u200fevil", "zero width": "e\u200bvil", "null": "e\x00vil", "delete": "e\x7fvil", "answerback": "\x05", "line separator": "a\u2028\x1b[2Kb",
    "tag": "\U000e0041evil", "query": "\x1b[6n", "shift": "\x0e", "surrogate": "\udc9b2J",
}  # fmt: skip
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Path:
    """A directory with a run whose every reply is hostile."""
    folder = tmp_path_factory.mktemp("evil")
    everything = "".join(EVIL.values()).encode("utf-8", "replace").decode()
    with ModelServer(lambda _: f"1: {everything} -> 8 ({everything})\nAnswer: {everything}") as server:
        ended = forks.run(
            ["bench", "number_path", "-n", "1", "--strategy", "cot,ats,tot:depth=1", "--model", "openai:m", "--base-url", server.url(), "--db", "t.db"],
            cwd=folder,
        )  # fmt: skip
    assert ended.code == 0, ended.err
    assert not FORBIDDEN.search(ended.out + ended.err)
    return folder


COMMANDS = (
    ("runs",), ("runs", "--json"), ("show", "last"), ("show", "last", "--json"), ("compare", "--from-run", "last"), ("compare", "--from-run", "last", "--json"),
    ("compare", "--from-run", "last", "--markdown", "t.md"), ("export", "atif", "t.jsonl", "--verdict", "any", "--dry-run"), ("show", "\x1b[2Jx"), ("tree", "\u202ex"),
    ("solve", "\x1b[2Jx", "1"), ("solve", "game24", "\x9b2J 4 \u202e"), ("solve", "game24", "1 2 3 4", "--strategy", "\x1b]0;x\x07"), ("runs", "\x1b[2J"), ("runs", "--\x1b[2J"),
    ("solve", "game24", "1 2 3 4", "--prompts", "\x1b[2J"), ("solve", "game24", "1 2 3 4", "--model", "openai:\x1b[2J"), ("bench", "game24", "--prices", "\x1b[31m.toml"),
    ("import", "\x1b[31m.jsonl"), ("trace", "\x1b[31m.jsonl:1"), ("translate", "\x1b[2J", "--from", "English", "--to", "\u202eSelvan", "--model", "teacher"),
)  # fmt: skip


@pytest.mark.parametrize("args", COMMANDS, ids=lambda a: " ".join(a).encode("ascii", "backslashreplace").decode()[:60])
def test_no_command_lets_it_through(recorded: Path, forks: Forks, args: tuple[str, ...]) -> None:
    ended = forks.run(args, cwd=recorded, env={"REASONER_DB": "t.db"})
    assert ended.out + ended.err
    assert not FORBIDDEN.search(ended.out + ended.err)


def test_every_trajectory_shown_and_drawn(recorded: Path, forks: Forks) -> None:
    listed = json.loads(forks.run(["show", "last", "--json", "--db", "t.db"], cwd=recorded).out)["trajectories"]
    for row in listed:
        for args in (("show", row["id"], "--full"), ("show", row["id"], "--json"), ("tree", row["id"]), ("tree", row["id"], "--json")):
            ended = forks.run([*args, "--db", "t.db"], cwd=recorded)
            assert ended.code == 0, ended.err
            assert not FORBIDDEN.search(ended.out + ended.err)
            assert "evil" in ended.out, "what can be shown is shown"


def on_a_terminal(args: list[str], cwd: Path) -> str:
    """Run the executed command line on a pseudo-terminal and return what it writes there."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "reasoner", *args], cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, env=os.environ | {"TERM": "xterm"}
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(ours, 65536):
            said += piece
    except OSError:  # the other end is closed
        pass
    child.wait()
    os.close(ours)
    return said.decode("utf-8", "replace")


def test_on_a_terminal_only_our_own_colours_remain(recorded: Path) -> None:
    said = on_a_terminal(["show", "last", "--db", "t.db"], recorded) + on_a_terminal(["runs", "--db", "t.db", "\x1b]0;owned\x07"], recorded)
    assert "\x1b[1m" in said, "a terminal has colours"
    assert not FORBIDDEN.search(re.sub(r"\x1b\[[0-9;]*m|\r\n", "", said))


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_a_cell_that_nobody_cleaned(monkeypatch: pytest.MonkeyPatch, evil: str) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    table = Table(title=evil.encode("utf-8", "replace").decode())
    table.add_column("x")
    table.add_row(evil.encode("utf-8", "replace").decode())
    output.out.print(table)
    assert not FORBIDDEN.search(stream.getvalue())
    assert not FORBIDDEN.search(shown(evil))


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_the_streams_of_the_process_are_guarded(evil: str) -> None:
    stream = io.StringIO()
    guarded = output._Guarded(stream)
    guarded.write(f"a{evil}b\n")
    guarded.writelines([evil, "c"])
    assert not FORBIDDEN.search(stream.getvalue())
    assert stream.getvalue().startswith("a")


@pytest.mark.parametrize("data", ["می\u200cخواهم", "شلوم\u200f", "👩\u200d🚀", "\U000e0041", "\ue000"])
def test_data_goes_into_a_pipe_as_it_is_and_is_cleaned_for_a_terminal(data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    piped = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output._Guarded(piped))
    output.put(data)
    assert piped.getvalue() == data + "\n"
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdout", output._Guarded(screen))
    output.put(data + "\x1b[2J\u202e")
    assert not FORBIDDEN.search(screen.getvalue())
