"""`reasoner list tools` and the sandboxes of `reasoner doctor`: what can be named, and whether it can be used here."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from reasoner import registry
from reasoner.cli import tool_rows
from reasoner.cli.app import app
from reasoner.errors import MissingDependency, SandboxMissing
from reasoner.sandbox import bubblewrap, monty


def listed() -> dict[str, dict[str, str]]:
    made = CliRunner().invoke(app, ["list", "tools", "--json"])
    assert made.exit_code == 0, made.output
    return {row["name"]: row for row in json.loads(made.stdout)["tools"]}


def test_every_tool_is_listed_with_what_it_needs() -> None:
    rows = listed()
    assert set(rows) == set(registry.names("tool")) >= {"calculator", "python", "shell", "full_python", "sql", "search", "submit"}
    assert rows["calculator"]["usable"] == "yes"
    assert rows["sql"]["usable"] == "yes, as sql:FILE.sqlite"
    assert rows["search"]["usable"] == "yes, as search:FOLDER"
    assert all(row["effect"] in {"pure", "once", "approve"} and row["summary"] for row in rows.values())


def test_a_machine_without_bubblewrap_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise SandboxMissing("bubblewrap (bwrap) is not on this machine", hint=bubblewrap.INSTALL)

    monkeypatch.setattr(bubblewrap, "find", missing)
    rows = listed()
    for name in ("shell", "full_python"):
        assert rows[name]["usable"].startswith("no: bubblewrap")
        assert "apt install bubblewrap" in rows[name]["usable"]
    assert "apt install bubblewrap" in (tool_rows.sandboxes()["bubblewrap"] or "")


def test_a_machine_whose_kernel_refuses_sandboxes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused() -> None:
        raise SandboxMissing("bubblewrap cannot make a sandbox here: no permissions", hint=bubblewrap.INSTALL)

    monkeypatch.setattr(bubblewrap, "find", lambda: "/usr/bin/bwrap")
    monkeypatch.setattr(bubblewrap, "interpreter", lambda: "/usr/bin/python3")
    monkeypatch.setattr(bubblewrap, "check", refused)
    assert listed()["shell"]["usable"].startswith("no: bubblewrap cannot make a sandbox here")
    assert (tool_rows.sandboxes()["bubblewrap"] or "").startswith("no: bubblewrap cannot")


def test_without_monty_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise MissingDependency("pydantic-monty, the sandbox for Python,", extra="tools")

    monkeypatch.setattr(monty.Interpreter, "__init__", missing)
    assert "reasoner-llm[tools]" in listed()["python"]["usable"]


def test_an_unknown_list_names_those_there_are() -> None:
    made = CliRunner().invoke(app, ["list", "toolz"])
    assert made.exit_code == 2
    assert "reasoner list tools" in made.output
