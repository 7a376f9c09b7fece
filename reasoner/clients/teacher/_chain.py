"""Writers of answers and of chains of steps: `direct`, and `cot` in each of its layouts.

    1: 9 -> 10 (9 + 1 = 10)
    Answer: 9 -> 10

A family without a search space gets the steps it explains, and its answer without any where it explains none.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reasoner.layouts.outline import write_line

if TYPE_CHECKING:
    from reasoner.clients.teacher._task import Task, Writer

NO_SOLUTION = "The exact search finds no moves that reach the goal."


def direct(task: Task) -> str:
    """Write the answer line alone."""
    return task.answer


def numbered(task: Task) -> str:
    """Write one numbered line per move, then the answer line."""
    if task.search is None:
        return "\n".join([*(f"{n}: {step}" for n, step in enumerate(task.solver.explain(task.instance), start=1)), task.answer])
    if task.solution is None:
        return f"{NO_SOLUTION}\n{task.answer}"
    lines = [write_line((n,), (before, after), operation) for n, (before, operation, after) in enumerate(_moves(task), start=1)]
    return "\n".join([*lines, task.answer])


def steps(task: Task) -> list[str]:
    """Return the solution in words, one sentence per move."""
    if task.search is None:
        return [f"{step}." for step in task.solver.explain(task.instance)] or ["The answer is known without a search."]
    if task.solution is None:
        return [NO_SOLUTION]
    return [f"From {before} I go to {after}: {operation}." for before, operation, after in _moves(task)]


def _moves(task: Task) -> list[tuple[str, str, str]]:
    """Return (state before, operation, state after) for every move of the solution."""
    solution, search = task.solution or (), task.searched
    states = [search.start(task.instance), *(move.state for move in solution)]
    shown = [search.show(task.instance, state) for state in states]
    return [(before, move.operation, after) for before, after, move in zip(shown, shown[1:], solution, strict=False)]


def _plain(task: Task) -> str:
    return "\n".join([*steps(task), task.answer])


def _irac(task: Task) -> str:
    parts = [
        "Issue: a way from the start to the goal has to be found.",
        "Rule: only the moves that the problem allows may be used.",
        "Application:",
        *steps(task),
        "Conclusion: the last of these states is where the problem ends.",
    ]
    return "\n".join([*parts, task.answer])


def _answer_first(task: Task) -> str:
    return "\n".join([task.answer, "", "Why this holds:", *steps(task)])


def _markdown(task: Task) -> str:
    return "\n".join(["## Steps", *(f"- {step}" for step in steps(task)), "", "## Result", task.answer])


def _json(task: Task) -> str:
    return json.dumps({"steps": steps(task), "answer": task.answer}, ensure_ascii=False)


WRITERS: dict[str, Writer] = {
    "direct/answer": direct,
    "cot/answer": numbered,
    "cot/plain": _plain,
    "cot/irac": _irac,
    "cot/explanation_first": _plain,
    "cot/answer_first": _answer_first,
    "cot/markdown": _markdown,
    "cot/json": _json,
}
