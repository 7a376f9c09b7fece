"""`--tool`, `reasoner actions`, `approve` and `deny`: a person decides between two commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forks import Forks

ANSWER = "3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18"
TOOLS = """
import reasoner
from pathlib import Path

@reasoner.tool(effect="approve")
def order(item: str) -> str:
    "Order something."
    with Path("ledger").open("a") as file:
        file.write(item + "\\n")
    return "ordered " + item
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(TOOLS, encoding="utf-8")
    lines = [
        {"text": "", "tool_calls": [{"name": "order", "arguments": {"item": "salt\x1b[2J"}}]},
        {"text": "", "tool_calls": [{"name": "submit", "arguments": {"answer": ANSWER}}]},
    ]
    (tmp_path / "script.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "rest.jsonl").write_text(json.dumps(lines[1]) + "\n", encoding="utf-8")
    return tmp_path


def solving(script: str) -> list[str]:
    return [
        "solve",
        "arithmetic",
        "3 4 6 18",
        "-s",
        "react",
        "--tool",
        "mine.py",
        "--model",
        f"scripted:{script}",
        "--db",
        "t.db",
        "--json",
    ]


def test_a_person_decides_between_two_commands(folder: Path, forks: Forks) -> None:
    parked = forks.run(solving("script.jsonl"), cwd=folder)
    assert parked.code == 1
    assert json.loads(parked.out)["status"] == "open"
    assert "reasoner approve 1" in json.loads(parked.out)["error"]
    listed = forks.run(["actions", "--db", "t.db"], cwd=folder)
    assert listed.code == 0
    assert "salt" in listed.out
    assert "\x1b[2J" not in listed.out
    assert forks.run(["approve", "7", "--db", "t.db"], cwd=folder).code == 2
    allowed = forks.run(["approve", "1", "--db", "t.db", "--json"], cwd=folder)
    assert (allowed.code, json.loads(allowed.out)["state"]) == (0, "approved")
    again = forks.run(["deny", "1", "--db", "t.db"], cwd=folder)
    assert again.code == 2
    assert "does not wait" in again.err
    assert not (folder / "ledger").exists(), "nothing is done before the run goes on"
    gone_on = forks.run(["resume", "last", "--db", "t.db", "--json"], cwd=folder)
    assert (folder / "ledger").read_text(encoding="utf-8").count("salt") == 1
    assert gone_on.code in {0, 1}, "the script begins anew, and asks a second time"
    assert json.loads(forks.run(["actions", "--db", "t.db", "--json"], cwd=folder).out)["actions"]


def test_wrong_tools_are_told_in_one_line(folder: Path, forks: Forks) -> None:
    for named, says in (
        ("calculater", "did you mean 'calculator'"),
        ("none.py", "no file none.py"),
        ("mine.py:x", "unknown tool 'x'"),
        ("sql", "sql:FILE"),
    ):
        ended = forks.run(
            ["solve", "arithmetic", "3 4 6 18", "-s", "react", "--tool", named, "--model", "teacher", "--db", "t.db"], cwd=folder
        )
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
        assert says in ended.err
    (folder / "mcp.json").write_text('{"mcpServers": {"a": {"command": "no-such-program"}}}', encoding="utf-8")
    ended = forks.run(
        ["solve", "arithmetic", "3 4 6 18", "-s", "react", "--mcp", "mcp.json", "--model", "teacher", "--db", "t.db"], cwd=folder
    )
    assert ended.code == 2
    assert "cannot be started" in ended.err


def test_limits_of_actions_are_options(folder: Path, forks: Forks) -> None:
    ended = forks.run(
        ["solve", "text_rooms", '{"doors": [["1", "2"], ["2", "3"]], "start": "1", "goal": "3"}', "-s", "react", "--model", "teacher", "--db", "t.db", "--max-actions", "1", "--json"],
        cwd=folder,
    )  # fmt: skip
    assert ended.code == 1
    assert "--max-actions" in json.loads(ended.out)["error"] or "max_actions" in json.loads(ended.out)["error"]
