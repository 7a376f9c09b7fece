"""`show` and `tree` of much: a page at a time, bounded, and what is left out is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from large_store import fill_chain, fill_many
from typer.testing import CliRunner

from reasoner.cli.app import app
from reasoner.cli.browse import n_below
from reasoner.store.queries import Place


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browse") / "t.db"
    fill_many(path, 250)
    fill_chain(path, 400)
    return path


@pytest.fixture
def run(db: Path) -> Callable[..., Any]:
    return lambda *words: CliRunner().invoke(app, [*words, "--db", str(db)])


def test_a_run_is_shown_a_page_at_a_time(run: Callable[..., Any]) -> None:
    first = run("show", "many")
    assert first.exit_code == 0
    assert len(first.stdout.splitlines()) == 1 + 100, "one line a trajectory"
    assert "trajectories 1 to 100 of 250; --page 2 shows further ones" in first.stderr
    last = run("show", "many", "--page", "3")
    assert len(last.stdout.splitlines()) == 1 + 50
    assert "trajectories 201 to 250 of 250" in last.stderr
    assert "further" not in last.stderr
    told = json.loads(run("show", "many", "--json", "--page", "13", "--limit", "20").stdout)
    assert (told["n_trajectories"], len(told["trajectories"])) == (250, 10)
    pages = [json.loads(run("show", "many", "--json", "--page", str(n), "--limit", "90").stdout)["trajectories"] for n in (1, 2, 3)]
    assert len({row["id"] for page in pages for row in page}) == 250


def test_a_trajectory_is_shown_a_page_at_a_time(run: Callable[..., Any]) -> None:
    shown = run("show", "chain0000000000", "--page", "4", "--limit", "120")
    assert "call 361 done" in shown.stdout
    assert "call 399 done" in shown.stdout
    assert "calls 361 to 399 of 399" in shown.stderr
    told = json.loads(run("show", "chain0000000000", "--json").stdout)
    assert (told["n_calls"], len(told["call_rows"]), told["call_rows"][0]["reply"][:10]) == (399, 100, "Thought 1:")


def test_a_tree_is_bounded_and_says_what_it_leaves_out(run: Callable[..., Any]) -> None:
    shown = run("tree", "chain", "--depth", "5")
    assert "Thought 5:" in shown.stdout
    assert "Thought 6:" not in shown.stdout
    assert "… 394 thoughts below (--depth)" in shown.stdout
    assert len(json.loads(run("tree", "chain", "--json").stdout)["thoughts"]) == 400
    many = run("tree", "many")
    assert many.exit_code != 0
    assert "run many has 250 trajectories" in many.stderr


def test_thoughts_below_are_counted() -> None:
    places = [Place(name, parent, 0, "open") for name, parent in (("a", None), ("b", "a"), ("c", "b"), ("d", "a"), ("e", "b"))]
    assert n_below(places) == {"a": 4, "b": 2, "c": 0, "d": 0, "e": 0}
