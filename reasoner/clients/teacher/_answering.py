"""Writers of strategies that draft, criticise, repair and program: `draft`, `refine`, `repair`, `program`.

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
}
