"""The Python face: names, laziness, solve and bench, plans and specs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.comparison import wilson
from reasoner.errors import BadConfig, BadInstance, Refused, UnknownName
from reasoner.runs.problems import draw
from reasoner.runs.strategy_spec import parse_strategies


def test_public_names_are_exactly_the_exported_ones() -> None:
    assert list(reasoner._HOME) == reasoner.__all__
    for name in reasoner.__all__:
        assert getattr(reasoner, name) is not None
    assert set(reasoner.__all__) <= set(dir(reasoner))
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = reasoner.nothing_of_the_kind


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ["networkx", "pydantic", "httpx", "sqlite_utils", "jinja2", "tenacity", "typer", "rich", "llama_cpp"]
    code = f"import sys, reasoner; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_help_loads_nothing_that_only_runs_need() -> None:
    heavy = [
        "networkx",
        "pydantic",
        "httpx",
        "sqlite_utils",
        "jinja2",
        "tenacity",
        "asyncio",
        "llama_cpp",
        "reasoner.comparison",
        "reasoner.runs",
    ]
    code = f"import sys, reasoner.cli.app; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_solve_and_bench(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    result = reasoner.solve("game24", "4 9 10 13", strategy="ats", model="teacher", db=db)
    assert result.correct
    assert result.trajectory is not None
    assert any(result.trajectory.mark_of(t).status == "final" for t in result.trajectory.thoughts())
    table = reasoner.bench(["number_path", "game24"], strategy="direct,cot", model="teacher", n=3, db=db)
    assert [(row.solver, row.strategy, row.n, row.correct) for row in table.rows] == [
        ("number_path", "direct", 3, 3), ("game24", "direct", 3, 3), ("number_path", "cot", 3, 3), ("game24", "cot", 3, 3),
    ]  # fmt: skip
    keys = {
        "solver",
        "strategy",
        "model",
        "level",
        "n",
        "correct",
        "accuracy",
        "ci95",
        "unparsed",
        "calls",
        "prompt_tokens",
        "completion_tokens",
        "seconds",
    }
    assert keys <= set(table.as_dict()["rows"][0])


def test_samples_are_told_apart(tmp_path: Path) -> None:
    made = reasoner.bench("number_path", strategy="ats", model="teacher", n=2, samples=3, db=tmp_path / "t.db")
    assert len({o.trajectory_id for o in made.report.results}) == 6
    assert made.rows[0].n == 6


def test_a_changed_anything_is_another_run(tmp_path: Path) -> None:
    db = tmp_path / "t.db"

    def run(**more: Any) -> str:
        return reasoner.solve("number_path", "4 9 41", strategy="cot", model="teacher", db=db, **more).run_id

    first = run()
    assert run() == first
    prompts = tmp_path / "prompts" / "cot"
    prompts.mkdir(parents=True)
    (prompts / "answer.jinja").write_text(
        '+++\nversion = 2\nvariables = ["statement"]\n+++\n{% block user %}{{ statement }}!{% endblock %}'
    )
    others = [
        run(seed=1),
        run(limits=reasoner.Limits(calls=9)),
        run(sampling=reasoner.Sampling(temperature=1.0)),
        run(prompts=tmp_path / "prompts"),
        run(mode="fresh"),
    ]
    assert len({first, *others}) == 6


def test_a_fault_every_problem_would_meet_stops_the_run_and_leaves_it_resumable(tmp_path: Path) -> None:
    from reasoner.clients.scripted import ScriptedClient

    def replies(request: reasoner.Request) -> str:
        if len(client.requests) > 3:
            raise Refused("401 for everybody")
        return "Answer: none"

    client = ScriptedClient(replies)
    with pytest.raises(Refused):
        reasoner.bench("number_path", strategy="cot", model=client, n=10, db=tmp_path / "t.db")
    assert len(client.requests) < 10
    with reasoner.Store.open(tmp_path / "t.db") as store:
        assert store.rows("SELECT status FROM runs") == [{"status": "failed"}]
    more = ScriptedClient(lambda _request: "Answer: none")
    more.fingerprint = client.fingerprint
    made = reasoner.bench("number_path", strategy="cot", model=more, n=10, db=tmp_path / "t.db")
    assert made.report.resumed
    assert len(more.requests) == 7


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("cot,ats", ["cot", "ats"]),
        ("ats:order=dfs,shots=1,cot", ["ats:order=dfs,shots=1", "cot"]),
        ("ats:order=bfs", ["ats"]),
        (" cot , ats:shots=2 ", ["cot", "ats:shots=2"]),
    ],
)
def test_strategy_specs(text: str, labels: list[str]) -> None:
    assert [s.label for s in parse_strategies(text)] == labels


@pytest.mark.parametrize(
    ("text", "fault", "says"),
    [
        ("atz", UnknownName, "'ats'"),
        ("ats:order=zigzag", BadConfig, "order='zigzag'"),
        ("ats:depth=3", BadConfig, "order, layout, shots"),
        ("ats:order", BadConfig, "key=value"),
        ("shots=1", BadConfig, "no strategy before"),
        ("cot,cot", BadConfig, "twice"),
        (",", BadConfig, "no strategy"),
        ("cot:shots=65", BadConfig, "shots='65'"),
    ],
)
def test_bad_strategy_specs(text: str, fault: type[Exception], says: str) -> None:
    with pytest.raises(fault, match=says.replace("'", ".")):
        parse_strategies(text)


def test_drawing_is_deterministic_distinct_and_disjoint_by_seed() -> None:
    one = [p.line for p in draw("game24", n=40, seed=42)]
    assert one == [p.line for p in draw("game24", n=40, seed=42)]
    assert one[:10] == [p.line for p in draw("game24", n=10, seed=42)]
    assert len(set(one)) == 40
    two = [p.line for p in draw("game24", n=40, seed=43)]
    assert one[1:11] != two[:10], "index i + 1 of a seed must not be index i of the next"
    assert len(set(one) & set(two)) < 20


def test_drawing_says_when_a_level_is_exhausted() -> None:
    with pytest.raises(BadConfig, match="only"):
        draw("number_path", n=5000, seed=0, level=1)
    with pytest.raises(BadConfig, match="no level 99"):
        draw("number_path", n=1, seed=0, level=99)


def test_bad_instances_name_the_syntax() -> None:
    with pytest.raises(BadInstance, match="4 9 10 13"):
        reasoner.solve("game24", "4 9 ten", model="teacher")


def test_wilson_against_published_values() -> None:
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    for (correct, n), (low, high) in {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }.items():
        found = wilson(correct, n)
        assert found[0] == pytest.approx(low, abs=5e-5)
        assert found[1] == pytest.approx(high, abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 3)[0] == 0.0
    assert wilson(3, 3)[1] == 1.0


def test_registry_lists_without_importing_and_suggests() -> None:
    assert {"direct", "cot", "ats"} <= set(registry.names("strategy"))
    with pytest.raises(UnknownName, match="number_path"):
        registry.find("solver", "number_pth")
