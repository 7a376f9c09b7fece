"""Names: what a script registers, what packages offer, and what is said of a package that cannot be loaded."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import dedent
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, BrokenPlugin, MissingAsset, UnknownName
from reasoner.prompts import Prompts
from reasoner.runs.problems import problem_from_line
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.serve.model_names import ModelNames
from reasoner.session import Session
from reasoner.solver import Solver
from reasoner.strategies import Strategy
from reasoner.types import Answer, Verdict
from solvers.question import QuestionSolver

ROOT = Path(__file__).parent.parent


class Twice(Strategy):
    """Asks twice."""

    name = "twice"
    summary = "ask twice"

    async def run(self, session: Session) -> Answer:
        """Ask, and ask again."""
        await session.ask("direct/answer")
        thought = await session.ask("direct/answer")
        return session.offer(thought.text, thought)


class Colour(BaseModel):
    name: str


class Colours(Solver[Colour]):
    """Name the colour."""

    name = "colours"
    summary = "name the colour"
    syntax = "NAME"
    Instance = Colour
    levels: ClassVar[Mapping[int, str]] = {1: "all"}
    default_level = 1

    def __init__(self, accepted: str = "red") -> None:
        self.accepted = accepted

    def parse(self, line: str) -> Colour:
        return Colour(name=line)

    def format(self, instance: Colour) -> str:
        return instance.name

    def generate(self, rng: random.Random, level: int) -> Colour:
        return Colour(name=rng.choice(["red", "blue"]))

    def statement_variables(self, instance: Colour) -> Mapping[str, Any]:
        return {"name": instance.name}

    def verify(self, instance: Colour, text: str) -> Verdict:
        right = text.endswith(self.accepted)
        return Verdict(correct=right, score=float(right), reason="compared")

    def right_answer(self, instance: Colour) -> str:
        return f"Answer: {self.accepted}"


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    registry.forget()


def test_a_registered_strategy_runs_by_its_name(tmp_path: Path) -> None:
    assert reasoner.register(Twice) is Twice
    assert "twice" in registry.names("strategy")
    result = reasoner.solve("game24", "4 9 10 13", strategy="twice", model="teacher", db=tmp_path / "t.db")
    assert result.spent.calls == 2
    with pytest.raises(UnknownName, match="did you mean 'twice'"):
        registry.find("strategy", "twise")


def test_an_instance_registers_its_class_and_a_solver_stays_that_instance() -> None:
    registry.register(Twice(Twice.Params()))
    assert registry.find("strategy", "twice") is Twice
    mine = Colours("green")
    registry.register(mine)
    assert registry.solver("colours") is mine
    assert registry.find("solver", "colours") is Colours
    with pytest.raises(BadConfig, match="takes no source"):
        registry.solver("colours:file")


def test_a_class_defined_anew_takes_the_place_of_the_earlier_one() -> None:
    class Again(Twice):
        """The same name, another class."""

    registry.register(Twice)
    registry.register(Colours("green"))
    assert registry.find("strategy", "twice") is Twice
    registry.register(Again)
    registry.register(Colours)
    assert registry.find("strategy", "twice") is Again
    assert registry.solver("colours").accepted == "red"


def test_what_ships_cannot_be_replaced_and_may_be_named_again() -> None:
    class Mine(Twice):
        name = "cot"

    with pytest.raises(BadConfig, match="cot is already the name of an installed strategy; give Mine another name"):
        registry.register(Mine)
    assert registry.register(QuestionSolver("mine.jsonl")).source == "mine.jsonl"
    assert registry.solver("question").source == ""


def test_what_cannot_be_registered() -> None:
    class Unfinished(Solver[Colour]):
        name = "unfinished"

    class Odd(Twice):
        name = "two words:x=1"

    class Nameless(Strategy):
        async def run(self, session: Session) -> Answer:
            raise NotImplementedError

    for thing, what in (
        (Unfinished, "lacks format, generate, parse, right_answer, statement_variables, verify"),
        (Odd, "two words:x=1.*cannot be registered"),
        (Nameless, "name None"),
        (int, "int is no strategy, solver or format"),
        (7, "int is no strategy, solver or format"),
    ):
        with pytest.raises(BadConfig, match=what):
            registry.register(thing)
    assert not {"unfinished", "two words:x=1"} & {*registry.names("solver"), *registry.names("strategy")}


def test_forgetting_drops_what_was_registered() -> None:
    registry.register(Twice)
    registry.register(Colours)
    registry.solver("colours")
    registry.forget()
    with pytest.raises(UnknownName):
        registry.find("strategy", "twice")
    with pytest.raises(UnknownName):
        registry.solver("colours")


PLUGIN = {
    "echo_pack/__init__.py": '''
        """Two strategies."""
        from reasoner.strategies import Strategy

        class Echo(Strategy):
            name = "echo"
            summary = "ask for the answer in a prompt of its own"

            async def run(self, session):
                thought = await session.ask("echo/ask")
                return session.offer(thought.text, thought)

        class Bare:
            """A format as it was written for version 0.1."""

        class Far(Echo):
            name = "far"
            summary = "the same, its prompt elsewhere"

            async def run(self, session):
                thought = await session.ask("far/ask")
                return session.offer(thought.text, thought)
        ''',
    "echo_pack/prompts/echo/ask.jinja": """
        +++
        version = 1
        variables = ["statement"]
        +++
        {% block user %}From the pack: {{ statement }}{% endblock %}
        """,
    "echo_pack/prompts/cot/answer.jinja": """
        +++
        version = 1
        +++
        {% block user %}hijacked{% endblock %}
        """,
    "echo_pack/templates/far/ask.jinja": """
        +++
        version = 1
        variables = ["statement"]
        +++
        {% block user %}From afar: {{ statement }}{% endblock %}
        """,
    "broken_pack.py": "raise RuntimeError('no such luck')",
    "echo_pack-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: echo-pack\nVersion: 1.0\n",
    "echo_pack-1.0.dist-info/entry_points.txt": """
        [reasoner.strategies]
        echo = echo_pack:Echo
        far = echo_pack:Far
        broken = broken_pack:Broken
        no_class = echo_pack:__doc__

        [reasoner.formats]
        bare = echo_pack:Bare

        [reasoner.prompts]
        far = echo_pack.templates
        lost = no_such_package
        """,
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that holds an installed package with strategies and prompts, and one that raises when it is imported."""
    folder = tmp_path / "site"
    for name, text in PLUGIN.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return folder


def run(site: Path, *args: str) -> subprocess.CompletedProcess[str]:
    env = {key: value for key, value in os.environ.items() if key != "REASONER_PROMPTS"} | {"PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
    return subprocess.run([sys.executable, *args], cwd=site.parent, env=env, capture_output=True, text=True, check=False)


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The same packages, on the path of this process."""
    monkeypatch.syspath_prepend(str(site))
    registry.forget()
    yield site
    for name in ("echo_pack", "broken_pack"):
        sys.modules.pop(name, None)


def test_prompts_stand_beside_the_module_or_where_an_entry_point_says(installed: Path) -> None:
    db = installed.parent / "t.db"
    for strategy, opening in (("echo", "From the pack: "), ("far", "From afar: ")):
        client = ScriptedClient(["Answer: (10 - 4) * (13 - 9) = 24"])
        result = reasoner.solve("game24", "4 9 10 13", strategy=strategy, model=client, db=db)
        assert result.correct
        assert client.requests[0].messages[-1].content.startswith(opening)
    with reasoner.Store.open(db) as store:
        manifests = [json.loads(row["manifest"]) for row in store.rows("SELECT manifest FROM runs ORDER BY rowid")]
    nothing = Prompts().fingerprint("nobody/")
    hashes = [manifest["prompts"][strategy] for manifest, strategy in zip(manifests, ("echo", "far"), strict=True)]
    assert len({*hashes, nothing}) == 3


def test_a_changed_prompt_of_a_package_is_another_fingerprint(installed: Path) -> None:
    prompts = Prompts()
    before = [prompts.fingerprint(name) for name in ("echo/", "far/", "cot/")]
    assert "echo_pack" not in str(prompts.get("cot/answer").path)  # a package cannot change what ships
    path = installed / "echo_pack/prompts/echo/ask.jinja"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    after = [prompts.fingerprint(name) for name in ("echo/", "far/", "cot/")]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True]
    registry.forget()
    assert before[2] == Prompts().fingerprint("cot/")


def test_a_package_that_raises_is_named_and_left_out_of_listings(installed: Path) -> None:
    strategies, formats = registry.load_all("strategy"), registry.load_all("format")
    assert {"echo", "far", "cot"} <= set(strategies.things)
    assert not {"broken", "no_class"} & set(strategies.things)
    told = [str(fault) for fault in (*strategies.broken, *formats.broken)]
    assert told == [
        "the strategy broken of the package echo-pack 1.0 cannot be loaded: RuntimeError: no such luck; update or uninstall echo-pack",
        "the entry point no_class of the package echo-pack 1.0 is no strategy class (echo_pack:__doc__); correct it",
        "the entry point bare of the package echo-pack 1.0 is no format class (echo_pack:Bare); correct it",
    ]
    with pytest.raises(BrokenPlugin, match="no such luck"):
        parse_strategies("broken")
    assert {"echo/scripted", "far/scripted"} <= set(ModelNames([ScriptedClient([]).name]).names())


def test_the_doctor_tells_of_what_cannot_be_loaded(installed: Path) -> None:
    from reasoner.cli import doctor

    told = doctor._plugins()["broken"]
    assert len(told) == 3
    assert "no such luck" in told[0]


def test_the_command_line_names_what_it_leaves_out(site: Path) -> None:
    listed = run(site, "-m", "reasoner", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert [fault.split(" of the")[0] for fault in json.loads(listed.stdout)["broken"]] == [
        "the strategy broken", "the entry point no_class", "the entry point bare"
    ]  # fmt: skip
    plain = run(site, "-m", "reasoner", "list")
    assert plain.returncode == 0
    assert "left out: the strategy broken of the package echo-pack 1.0" in plain.stderr


def test_a_prompts_package_that_is_not_there_is_named(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_prompts_points", lambda: {"lost": EntryPoint("lost", "no_such_package", "reasoner.prompts")})
    with pytest.raises(BrokenPlugin, match="the prompts of lost are in the package no_such_package, which cannot be found"):
        Prompts().get("lost/ask")
    assert "cot/answer" in Prompts().names()


def test_a_script_has_its_prompts_beside_it(tmp_path: Path) -> None:
    (tmp_path / "prompts/solvers").mkdir(parents=True)
    (tmp_path / "prompts/solvers/colours.jinja").write_text(
        '+++\nversion = 1\nvariables = ["name"]\n+++\n{% block text %}What colour is {{ name }}?{% endblock %}', encoding="utf-8"
    )
    own = Path(__file__).read_text(encoding="utf-8")
    body = own[own.index("class Colour(") : own.index("@pytest.fixture(autouse=True)")]
    head = own[own.index("import json") : own.index("import pytest")] + "from pydantic import BaseModel\nimport reasoner\n"
    head += "from reasoner.solver import Solver\nfrom reasoner.types import Verdict\n"
    tail = """
reasoner.register(Colours)
from reasoner.prompts import Prompts
print(Prompts().get("solvers/colours").render_text({"name": "red"}))
print("solvers/colours" in Prompts().names())
"""
    for how in (["mine.py"], ["-c", head + body + tail]):  # a script, and what has no file, as a notebook
        (tmp_path / "mine.py").write_text(head + body + tail, encoding="utf-8")
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, *how], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.stdout == "What colour is red?\nTrue\n", done.stderr


def test_a_template_that_was_not_brought_along_is_said_with_its_place() -> None:
    registry.register(Twice)
    wanted = Path(__file__).parent / "prompts" / "twice" / "ask.jinja"
    with pytest.raises(MissingAsset, match=rf"the template twice/ask is not there; write it to {wanted}, or"):
        Prompts().get("twice/ask")


def test_a_registered_solver_is_drawn_by_name() -> None:
    registry.register(Colours)
    assert problem_from_line("colours", "red").solver == "colours"
