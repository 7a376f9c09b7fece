"""Worked examples of families that draw them: right in every layout, true in every step, never of the problem's own kind."""

from __future__ import annotations

import random
from typing import Any

import pytest

from reasoner import registry
from reasoner.layouts.outline import parse
from reasoner.prompts import Prompts
from reasoner.runs.few_shot import demonstrations
from solvers.code import functions
from solvers.sql import KINDS, SqlTask

FAMILIES = ("code", "review", "sql", "words", "extract")
LAYOUTS = ("direct", "cot", "ats-bfs", "ats-dfs")


def fresh(name: str, seed: int, level: int = 1) -> Any:
    return registry.solver(name).generate(random.Random(seed), level)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_worked_example_is_right(name: str, layout: str) -> None:
    solver, asked = registry.solver(name), fresh(name, 1)
    shots = demonstrations(solver, layout, 5, exclude=asked, prompts=Prompts())
    by_statement = {shot.question: shot.answer for shot in shots}
    prompts = Prompts()
    found = 0
    for each, _ in solver.worked("cot"):
        statement = prompts.get(f"solvers/{solver.name}").render_text(solver.statement_variables(each))
        if statement in by_statement:
            found += 1
            assert solver.verify(each, by_statement[statement]).correct
    assert found == len(shots) == 5
    if layout.startswith("ats"):
        for shot in shots:
            outline = parse(shot.answer)
            assert outline.goal_index is not None
            assert all(entry.dead for place, entry in enumerate(outline.entries) if place not in outline.path(outline.goal_index))


@pytest.mark.parametrize("name", ["code", "review"])
def test_no_function_is_shown_mended_before_another_fault_of_it_is_asked(name: str) -> None:
    solver = registry.solver(name)
    shown = {each.function for each, _ in solver.worked("direct")}
    for seed in range(60):
        asked = fresh(name, seed)
        if asked.function not in shown:
            continue
        left = sum(each.function != asked.function for each, _ in solver.worked("direct"))
        shots = demonstrations(solver, "direct", left, exclude=asked, prompts=Prompts())
        assert len(shots) == left
        assert not [shot for shot in shots if f"def {asked.function}(" in shot.answer or f"def {asked.function}(" in shot.question]
        return
    pytest.fail("no problem drawn is of a function that is shown")


@pytest.mark.parametrize("level", [1, 2, 3])
def test_the_steps_of_code_mend_the_function(level: int) -> None:
    solver = registry.solver("code")
    for seed in range(6):
        asked = fresh("code", seed, level)
        lines = asked.broken.splitlines()
        for step in solver.explain(asked):
            place, stands, wanted = (
                step.split("`")[0],
                step.split("`, should be `")[0].split(", `", 1)[1],
                step.split("`, should be `")[1][:-1],
            )
            number = int(place.split()[1].rstrip(",")) - 1
            assert lines[number].strip() == stands
            lines[number] = lines[number].replace(stands, wanted)
        assert "\n".join(lines) == functions()[asked.function].text
        assert all("is as it should be" in step for step in solver.dead_ends(asked))
    assert solver.explain(fresh("code", 0, 4)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_steps_of_sql_are_parts_of_the_query(kind: str) -> None:
    solver = registry.solver("sql")
    asked = SqlTask(theme="shop", made_from="5f3a90c1", kind=kind)
    query = solver.right_answer(asked)
    steps = solver.explain(asked)
    assert steps[0].startswith("take ")
    assert steps[-1].startswith("give ")
    assert all(table in query for table in steps[0].removeprefix("take ").split(", "))
    for step in steps[1:-1]:
        clause = step.split(" ", 3)[-1] if step.startswith("keep") else step.split(" ", 2)[-1]
        assert clause in query
        assert clause.count("(") == clause.count(")")
    assert all(dead.removeprefix("take ") not in steps[0].split(", ") for dead in solver.dead_ends(asked))
