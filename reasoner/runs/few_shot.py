"""Worked examples for few-shot prompts, from `corpora/shots/<solver>.jsonl` or from verified answers of the store.

A line: `{"kind": "cot", "instance": "4 9 41", "answer": "... Answer: 9 -> 10 -> ..."}`. Every shipped one verifies with its own
solver (a test checks it). The question is rendered when it is used, so an overridden statement template is used for it too.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from pydantic import ValidationError

from reasoner.assets import asset_dir
from reasoner.errors import BadConfig, CorruptRecord, MissingAsset
from reasoner.files import complaint, read_lines
from reasoner.layouts.worked_search import write_search
from reasoner.solver import Searchable
from reasoner.types import Demonstration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reasoner.prompts import Prompts
    from reasoner.solver import Solver

MAX_SHOTS = 4
SEARCHES: dict[str, Literal["bfs", "dfs"]] = {"ats-bfs": "bfs", "ats-dfs": "dfs"}
"""Kinds of worked examples that are searches, and their order."""


def statement(solver: Solver[Any], instance: Any, prompts: Prompts) -> str:
    """Render a problem as a model is shown it."""
    return prompts.get(f"solvers/{solver.name}").render_text(solver.statement_variables(instance))


def from_store(
    solver: Solver[Any], answers: Iterable[tuple[str, str, str]], n: int, *, exclude: Any, prompts: Prompts
) -> list[Demonstration]:
    """Return the first n of (instance as JSON, answer, reply) whose answers still verify, of different problems, leaving out the problem itself.

    Raises:
        BadConfig: there are not that many.
    """
    found: list[Demonstration] = []
    seen = {solver.canonical(exclude)}
    for data, answer, reply in answers:
        try:
            instance = solver.Instance.model_validate_json(data)
        except ValidationError:
            continue  # stored by another version of the solver
        key = solver.canonical(instance)
        if key not in seen and solver.verify(instance, answer).correct:
            seen.add(key)
            found.append(Demonstration(statement(solver, instance, prompts), reply))
        if len(found) == n:
            return found
    raise BadConfig(
        f"{n} worked examples were asked for and the store holds {len(found)} verified answers of earlier runs to this prompt, on"
        f" other problems of {solver.name}",
        hint="run the strategy without shots, then this with `mode=fresh`; or use shots_from=corpora",
    )


def demonstrations(solver: Solver[Any], kind: str, n: int, *, exclude: Any, prompts: Prompts) -> list[Demonstration]:
    """Return the first n worked examples of a kind, leaving out the problem itself.

    Raises:
        MissingAsset: the solver has no file of examples.
        CorruptRecord: a line of it cannot be read.
        BadConfig: there are not that many.
    """
    if n == 0:
        return []
    if (worked := _worked(solver, kind)) is not None:
        found = [
            Demonstration(statement(solver, instance, prompts), answer)
            for instance, answer in worked
            if solver.family(instance) != solver.family(exclude)  # the mended form of a function must not be shown with another fault of it
        ][:n]
        return found if len(found) == n else _too_few(solver, kind, n, len(found))
    path = asset_dir("corpora") / "shots" / f"{solver.name}.jsonl"
    if not path.is_file():
        raise MissingAsset(f"there are no worked examples for {solver.name} (looked for {path})", hint="use shots=0")
    found = []
    lines, damaged = read_lines(path)
    if damaged:
        raise complaint(path, damaged, len(lines) + len(damaged))
    for line in lines:
        try:
            row = json.loads(line.text)
            if row["kind"] != kind:
                continue
            instance = solver.parse(row["instance"])
            answer = str(row["answer"])
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptRecord(path, line.number, f"not a worked example: {error}") from error
        if solver.canonical(instance) != solver.canonical(exclude):
            found.append(Demonstration(statement(solver, instance, prompts), answer))
        if len(found) == n:
            return found
    return _too_few(solver, kind, n, len(found))


def _worked(solver: Solver[Any], kind: str) -> Sequence[tuple[Any, str]] | None:
    """Return a family's own worked examples. Searches (`ats-bfs`, `ats-dfs`) that it has not are written around the steps of its solutions."""
    worked = solver.worked(kind)
    if worked is None or worked or kind not in SEARCHES or isinstance(solver, Searchable):
        return worked
    return [
        (each, write_search(steps, solver.right_answer(each) or "", SEARCHES[kind], dead_ends=solver.dead_ends(each)))
        for each, _ in solver.worked("cot") or ()
        if (steps := solver.explain(each))
    ]


def _too_few(solver: Solver[Any], kind: str, n: int, n_found: int) -> NoReturn:
    raise BadConfig(f"{n} worked examples of kind {kind!r} were asked for and {solver.title} has {n_found}", hint=f"use shots={n_found}")
