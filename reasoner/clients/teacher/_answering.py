"""Writers of strategies that draft, criticise, repair, program and go step by step: `draft`, `refine`, `repair`, `program`, `beam`, `mcts`.

    ```python
    def solve():
        return '9 -> 10 -> 20'
    ```

The program of the teacher holds the answer and works nothing out; what is shown is the form.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reasoner.clients.teacher._chain import numbered, steps

if TYPE_CHECKING:
    from reasoner.clients.teacher._task import Task, Writer


def _body(task: Task) -> str:
    return task.answer.removeprefix("Answer:").strip()


def _think(task: Task) -> str:
    return "\n".join(steps(task))


def _write(task: Task) -> str:
    return task.answer


def _object(task: Task) -> str:
    return json.dumps({"answer": _body(task)}, ensure_ascii=False)


def _critique(task: Task) -> str:
    verdict = task.solver.verify(task.instance, task.about.params["answer"])
    return f"Checked exactly: {verdict.reason}.\nVerdict: {'right' if verdict.correct else 'wrong'}"


def _program(task: Task) -> str:
    return f"```python\ndef solve():\n    return {_body(task)!r}\n```"


def _lines(task: Task) -> list[str]:
    """Return the steps of the solution, a line each, and its answer line."""
    return [*numbered(task).removesuffix(task.answer).splitlines(), task.answer]


def _next_step(task: Task) -> str:
    """Write the step that follows those that the request names; the answer where they are none of the solution's."""
    lines, taken = _lines(task), task.about.params["steps"]
    return lines[len(taken)] if taken == lines[: len(taken)] and len(taken) < len(lines) else task.answer


def _right_so_far(task: Task) -> bool:
    taken = task.about.params["steps"]
    return taken == _lines(task)[: len(taken)] or (
        task.about.params["done"] and task.solver.verify(task.instance, taken[-1]).correct is True
    )


def _value(task: Task) -> str:
    return "yes" if _right_so_far(task) else "no"


def _reward(task: Task) -> str:
    return "+" if _right_so_far(task) else "-"


_STEPWISE: dict[str, Writer] = {"step": _next_step, "value": _value, "reward": _reward, "answer": _write}
WRITERS: dict[str, Writer] = {
    "draft/think": _think,
    "draft/write": _write,
    "draft/object": _object,
    "draft/once": numbered,
    "repair/fix": numbered,
    "refine/critique": _critique,
    "refine/revise": numbered,
    "program/write": _program,
    "program/fix": _program,
    **{f"{name}/{part}": writer for name in ("beam", "mcts") for part, writer in _STEPWISE.items()},
}
