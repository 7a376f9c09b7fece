"""A translator's file through a run: what is asked, what is left, what is marked, and that an interrupted one goes on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from reasoner.api.documents import translate_document
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, BadInstance
from reasoner.translation.build import Builder
from reasoner.types import Request

PO = (
    'msgid ""\nmsgstr "Language: it\\n"\n\n'
    'msgid "Open %s now"\nmsgstr ""\n\n'
    'msgid "The old river sleeps"\nmsgstr ""\n\n'
    'msgid "In the corpus."\nmsgstr ""\n\n'
    'msgid "Refused"\nmsgstr ""\n\n'
    'msgid "Odd ||| line"\nmsgstr ""\n\n'
    'msgid "Done"\nmsgstr "Fatto"\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Builder(("English", "Italian"), folder=tmp_path) as builder:
        builder.add(("In the corpus.", "Nel corpus."))
        builder.write(tmp_path / "t.corpus")
    (tmp_path / "a.po").write_text(PO)
    return tmp_path


def reply(request: Request) -> str:
    asked = request.messages[-1].content
    if "English: Open" in asked:
        assert "English: Open {1} now" in asked
        assert "keep each of them once" in asked
        return "Answer: Apri ora"
    assert "{1}" not in asked
    return "I'm sorry, I cannot translate this." if "Refused" in asked else "Answer: The old river sleeps"


def test_each_unit_is_asked_taken_marked_or_left(folder: Path) -> None:
    client = ScriptedClient(reply)
    settings: dict[str, Any] = {"source": "English", "target": "Italian", "strategy": f"fragment_shot:corpus={folder / 't.corpus'}"}
    made = translate_document(folder / "a.po", **settings, model=client, db=folder / "t.db")
    assert made.data.decode() == (
        'msgid ""\nmsgstr "Language: it\\n"\n\n'
        '#, fuzzy\nmsgid "Open %s now"\nmsgstr "Apri ora%s"\n\n'
        '#, fuzzy\nmsgid "The old river sleeps"\nmsgstr "The old river sleeps"\n\n'
        'msgid "In the corpus."\nmsgstr "Nel corpus."\n\n'
        'msgid "Refused"\nmsgstr ""\n\n'
        'msgid "Odd ||| line"\nmsgstr ""\n\n'
        'msgid "Done"\nmsgstr "Fatto"\n'
    )
    assert made.doubtful == ("line 4: a tag or placeholder lacked, or was out of place", "line 7: a copy of the source")
    assert made.left == (
        "line 16 cannot be translated: a sentence has no blanks around it and no ||| in it",
        "line 13: the model refused",
    )
    assert [item.line for item in made.made.items] == [4, 7, 10, 13], "an item's line is that of the file"
    assert (made.n_filled, len(client.requests)) == (3, 3)
    again = translate_document(folder / "a.po", **settings, model=client, db=folder / "t.db")
    assert (again.data, len(client.requests)) == (made.data, 3), "the run is resumed, and nothing asked twice"


def test_a_file_with_nothing_to_do_or_nothing_that_can_be_asked_is_told(folder: Path) -> None:
    (folder / "done.po").write_text('msgid "a"\nmsgstr "b"\n')
    (folder / "odd.po").write_text('\n\nmsgid "a ||| b"\nmsgstr ""\n')
    settings: dict[str, Any] = {"source": "English", "target": "Italian", "db": folder / "t.db"}
    with pytest.raises(BadConfig, match="nothing in"):
        translate_document(folder / "done.po", **settings, model=ScriptedClient([]))
    with pytest.raises(BadInstance, match="line 3 cannot"):
        translate_document(folder / "odd.po", **settings, model=ScriptedClient([]))


def test_the_command_line_writes_the_file_and_explains_faults(tmp_path: Path) -> None:
    (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nThe river sleeps.\n\n2\n00:00:03,000 --> 00:00:04,000\nZebra xyz.\n")

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "reasoner", "translate", *args, "--from", "English", "--to", "Selvan", "--model", "teacher"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    done = run("a.srt", "--out", "b.srt")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    made = (tmp_path / "b.srt").read_text()
    assert made.startswith("1\n00:00:01,000 --> 00:00:02,000\nMeris tudasas.\n\n2\n00:00:03,000 --> 00:00:04,000\n")
    assert "b.srt: 2 translated" in done.stderr
    for args, says in ((("a.srt",), "--out"), (("gone.po", "--out", "x.po"), "no file gone.po"), (("Notes.txt",), "no file Notes.txt")):
        done = run(*args)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert says in done.stderr
