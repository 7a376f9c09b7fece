"""A package of two files, a strategy and its prompt, built and installed by pip: it works on the command line by its name alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "second-opinion"
version = "1.0"

[project.entry-points."reasoner.strategies"]
second_opinion = "second_opinion:SecondOpinion"
"""
CODE = """
from reasoner.strategies import Strategy


class SecondOpinion(Strategy):
    name = "second_opinion"
    summary = "one call with a prompt of its own"

    async def run(self, session):
        thought = await session.ask("second_opinion/ask")
        return session.offer(thought.text, thought)
"""
PROMPT = '+++\nversion = 1\nvariables = ["statement"]\n+++\n{% block user %}A second opinion, please. {{ statement }}{% endblock %}\n'


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder the package is installed in."""
    source, target = tmp_path_factory.mktemp("second-opinion"), tmp_path_factory.mktemp("site")
    package = source / "second_opinion"
    (package / "prompts/second_opinion").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (package / "__init__.py").write_text(CODE, encoding="utf-8")
    (package / "prompts/second_opinion/ask.jinja").write_text(PROMPT, encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, str(source)], check=True, capture_output=True, text=True)
    return target


def run(site: Path, cwd: Path, *args: str) -> str:
    env = {key: value for key, value in os.environ.items() if key != "REASONER_PROMPTS"} | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-m", "reasoner", *args], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_listed_solves_and_is_recorded(site: Path, tmp_path: Path) -> None:
    listed = json.loads(run(site, tmp_path, "list", "--json"))
    assert "second_opinion" in [strategy["name"] for strategy in listed["strategies"]]
    (tmp_path / "replies.jsonl").write_text('"Answer: (10 - 4) * (13 - 9) = 24"\n', encoding="utf-8")
    solve = ["solve", "game24", "4 9 10 13", "--strategy", "second_opinion", "--model", "scripted:replies.jsonl", "--db", "t.db", "--json"]
    assert json.loads(run(site, tmp_path, *solve))["correct"]
    (shown,) = json.loads(run(site, tmp_path, "show", "last", "--db", "t.db", "--json"))["trajectories"]
    assert "A second opinion, please. Use the four numbers" in run(site, tmp_path, "show", shown["id"], "--db", "t.db", "--json")
