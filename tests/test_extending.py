"""The one-file recipes of docs/guides/extending.md, taken from the page, added as files, and used."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import reasoner
from reasoner import registry
from reasoner.clients import ClientOptions, open_client
from reasoner.datasets.export import export
from reasoner.datasets.imports import read_path
from reasoner.errors import BadConfig
from reasoner.runs.pool import ModelPool
from reasoner.store import Store
from reasoner.strategies import Strategy
from reasoner.types import Adapted, Client, Paced

PAGE = (Path(__file__).parent.parent / "docs" / "guides" / "extending.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w/.]+)`[^\n]*\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PACKAGES = {
    "reasoner/strategies": "reasoner.strategies",
    "solvers": "solvers",
    "reasoner/clients": "reasoner.clients",
    "reasoner/datasets/formats": "reasoner.datasets.formats",
    "reasoner/datasets/imports": "reasoner.datasets.imports",
}


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Add the files of the page to their packages, as if they stood in the checkout."""
    assert len(FILES) == 7
    for name, code in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code, encoding="utf-8")
    for folder, package in PACKAGES.items():
        module = importlib.import_module(package)
        monkeypatch.setattr(module, "__path__", [*module.__path__, str(tmp_path / folder)])
    registry.forget()
    monkeypatch.setenv("REASONER_PROMPTS", str(tmp_path / "prompts"))
    yield tmp_path
    for name in list(sys.modules):
        if name.rpartition(".")[2] in {Path(f).stem for f in FILES}:
            monkeypatch.delitem(sys.modules, name)
    registry.forget()


def test_a_strategy_and_a_client(added: Path) -> None:
    result = reasoner.solve(
        "game24", "4 9 10 13", strategy="second_look:looks=2", model="constant:Answer: (10 - 4) * (13 - 9) = 24", db=added / "t.db"
    )
    assert result.correct
    assert result.spent.calls == 3
    assert result.trajectory is not None
    assert [result.trajectory.mark_of(t).status for t in result.trajectory.thoughts()] == ["open", "pruned", "pruned", "final"]


def test_a_client_of_six_members_is_neither_paced_nor_adapted(added: Path) -> None:
    client = open_client("constant:x")
    assert isinstance(client, Client)
    assert not isinstance(client, Paced | Adapted)
    assert ModelPool().limiter(client).n == 8
    assert isinstance(open_client("openai:m", ClientOptions(base_url="http://127.0.0.1:1/v1")), Paced)
    assert isinstance(open_client("local"), Adapted)


def test_parameters_that_do_not_derive_are_refused_where_they_are_written() -> None:
    with pytest.raises(BadConfig, match=r"Bare.Params does not derive from Strategy.Params; write class Params\(Strategy.Params\)"):

        class Bare(Strategy):
            class Params(BaseModel):
                looks: int = 1


def test_a_puzzle(added: Path) -> None:
    made = reasoner.bench(
        "halving",
        strategy="direct,cot,ats,ats:order=dfs",
        model="teacher",
        n=8,
        db=added / "t.db",
        sampling=reasoner.Sampling(max_tokens=4000),
    )
    assert [row.correct for row in made.rows] == [8, 8, 8, 8]


def test_a_puzzle_passes_the_contract(added: Path) -> None:
    """The contract tests, told of the new solver only by its file."""
    code = (
        "import sys, pytest, solvers, reasoner.prompts.templates as p\n"
        "solvers.__path__.append(sys.argv[1])\n"
        "made = p.Prompts.__init__\n"
        "p.Prompts.__init__ = lambda self, override=None: made(self, override or sys.argv[2])\n"
        "sys.exit(pytest.main(['-q', '-k', 'halving', 'tests/contract/test_solvers.py', '-p', 'no:cacheprovider']))"
    )
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", code, str(added / "solvers"), str(added / "prompts")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\d+ passed", done.stdout)


def test_a_kind_of_log(added: Path) -> None:
    (added / "in.jsonl").write_text('{"ask": "q", "say": "a", "tokens": 7}\n{"ask": "q", "say": "", "tokens": 0}\n')
    with Store.open(added / "t.db") as store:
        found = read_path(store, added / "in.jsonl")
        assert (found.taken, found.kinds, found.skipped) == (1, {"paper-log": 1}, {"there is no answer": 1})
        assert store.tuples("SELECT answer, completion_tokens FROM trajectories") == [("a", 7)]
    assert "paper-log" in registry.names("importer")


def test_a_format(added: Path) -> None:
    reasoner.solve("game24", "4 9 10 13", strategy="cot", model="teacher", db=added / "t.db")
    with Store.open(added / "t.db") as store:
        assert export(store, "plain-text", added / "out.jsonl").taken == 1
    assert json.loads((added / "out.jsonl").read_text())["text"].startswith("user: Use the four numbers")


def test_the_listing_picks_them_up(added: Path) -> None:
    assert "second_look" in registry.names("strategy")
    assert "halving" in registry.names("solver")
    assert "constant" in registry.names("client")
    assert "plain-text" in registry.names("format")


def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    from reasoner.strategies.cot import ChainOfThought

    point = EntryPoint("my_cot", "reasoner.strategies.cot:ChainOfThought", "reasoner.strategies")
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == "reasoner.strategies" else [])
    registry.forget()
    try:
        assert "my_cot" in registry.names("strategy")
        assert registry.find("strategy", "my_cot") is ChainOfThought
    finally:
        registry.forget()
