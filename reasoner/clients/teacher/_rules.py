"""The teacher's translations: by the dictionary and the grammar of the invented languages. The reference is not looked at."""

from __future__ import annotations

from reasoner.clients.teacher._task import NO_ANSWER, Task, Writer
from reasoner.errors import BadConfig, BadInstance
from reasoner.invented import translate


def _by_the_rules(task: Task) -> str:
    given = task.instance
    if task.solver.name != "translation":
        raise BadConfig(f"the template {task.about.template!r} asks for a translation, and {task.solver.name} is no translation")
    state = task.about.state
    text = state["part"] if isinstance(state, dict) and "part" in state else given.sentence
    try:
        return f"Answer: {translate(text, given.source, given.target)}"
    except BadInstance:
        return NO_ANSWER


def _in_brackets(task: Task) -> str:
    return f"[[{_by_the_rules(task).removeprefix('Answer: ')}]]"


WRITERS: dict[str, Writer] = {
    **dict.fromkeys(
        ("example_shot/translate", "fragment_shot/line", "fragment_shot/translate", "fragment_shot_pivot/translate"), _by_the_rules
    ),
    "fragment_shot/published": _in_brackets,
}
