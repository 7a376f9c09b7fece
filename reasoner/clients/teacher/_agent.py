"""How the teacher acts: what a family shows of its way to the answer is done with the tools that are there, then the answer is submitted.

    calculator(expression="(10 - 4) * (13 - 9)"), then submit(answer="(10 - 4) * (13 - 9) = 24")

A family that shows no way (`Acted`) has its answer worked out on the calculator where it is an equation, and submitted at once where not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.environment import Acted
from reasoner.errors import Unparseable
from reasoner.grading.expression import evaluate
from reasoner.types import ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.clients.teacher._task import Task
    from reasoner.types import Request

TEMPLATES = frozenset({"react/native", "react/text", "code_act/act"})

Step = tuple[str, dict[str, Any]]
"""A tool's name and its arguments."""


def reply(task: Task, request: Request) -> tuple[str, tuple[ToolCall, ...]]:
    """Return the text and the tool calls of one turn."""
    taken = sum(message.role == "assistant" for message in request.messages)
    template = task.about.template
    if template == "react/native" and (not request.tools or request.tool_choice == "none"):
        return task.answer, ()
    steps = _steps(task, _names(task, request))
    name, arguments = steps[min(taken, len(steps) - 1)]
    thought = "Now I know the answer." if name == "submit" else f"I use {name}."
    if template == "react/native":
        return thought, (ToolCall(f"call_{taken}", name, json.dumps(arguments)),)
    if template == "react/text":
        return json.dumps({"thought": thought, "tool": name, "arguments": arguments}, ensure_ascii=False), ()
    written = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    call = f"{name}({written})" if name == "submit" else f"print({name}({written}))"
    return f"{thought}\n```python\n{call}\n```", ()


def _names(task: Task, request: Request) -> set[str]:
    if request.tools:
        return {tool.name for tool in request.tools}
    described = task.about.params.get("described", ())
    return {str(tool.get("name") or tool["signature"].partition("(")[0]) for tool in described}


def _steps(task: Task, names: set[str]) -> Sequence[Step]:
    shown: list[Step] = []
    if isinstance(task.solver, Acted):
        shown = [step for step in task.solver.actions(task.instance) if step[0] in names]
    elif "calculator" in names and (expression := _expression(task.answer)):
        shown = [("calculator", {"expression": expression})]
    return [*shown, ("submit", {"answer": task.answer.removeprefix("Answer:").strip()})]


def _expression(answer: str) -> str:
    """Return the left side of an answer that is an equation, empty where it is none."""
    left, equals, _ = answer.removeprefix("Answer:").partition("=")
    try:
        evaluate(left)
    except Unparseable:
        return ""
    return left.strip() if equals else ""
