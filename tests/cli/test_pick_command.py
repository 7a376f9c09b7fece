"""`reasoner pick` on the command line: its tables, its JSON, and how wrong use ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reasoner.cli.app import app

TOLD = ["pick", "number_path", "--model", "teacher", "-s", "direct,cot,iot", "-n", "4", "--test", "3"]


def test_the_choice_its_table_and_its_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, [*TOLD, "-T", "150"])
    assert shown.exit_code == 0, shown.output
    assert "use --strategy 'direct'" in shown.output
    assert "on 3 other problems direct is +0.0 points from cot" in shown.output
    assert "too many tokens" in shown.output
    read = CliRunner().invoke(app, [*TOLD, "-T", "150", "--json"])
    made = json.loads(read.stdout)
    assert (made["chosen"], [each["strategy"] for each in made["contenders"]]) == ("direct", ["direct", "cot", "iot"])
    assert made["test"]["tests"][0]["problems"] == 3


def test_where_nothing_is_right_nothing_is_recommended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "replies.jsonl"
    script.write_text('{"text": "Answer: 1"}\n' * 20)
    shown = CliRunner().invoke(
        app, ["pick", "number_path", "--model", f"scripted:{script}", "-s", "direct,cot", "-n", "2", "--test", "1", "-T", "500"]
    )
    assert shown.exit_code == 0, shown.output
    assert "no strategy got an answer right" in " ".join(shown.output.split())
    assert "use --strategy" not in shown.output


def test_too_few_tokens_are_refused_with_what_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, [*TOLD, "-T", "20"])
    assert shown.exit_code == 2
    assert "--tokens-per-answer 100 is enough" in " ".join(shown.output.split())
