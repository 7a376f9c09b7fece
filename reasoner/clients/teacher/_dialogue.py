"""Writers of dialogues and ratings: both voices of `iot`, and the rating of `best_of_n`.

    {"thought": "Your last response is complete and correct.", "stop": true}

A response is judged by the exact verifier.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reasoner.clients.teacher._chain import numbered, steps

if TYPE_CHECKING:
    from reasoner.clients.teacher._task import Task, Writer

RIGHT = "Your last response is complete and correct."
WRONG = "Your last response does not hold. Go back to the start, and check each step against what the problem allows."
BEGIN = "Go from the start step by step. Keep only steps from which the goal can still be reached, and write every state down."


def _guide(task: Task) -> str:
    turns = task.about.params["turns"]
    right = bool(turns) and task.solver.verify(task.instance, turns[-1]["response"]).correct
    return json.dumps({"thought": RIGHT if right else WRONG if turns else BEGIN, "stop": right})


def _respond(task: Task) -> str:
    return json.dumps({"response": numbered(task), "done": True}, ensure_ascii=False)


def _think(task: Task) -> str:
    return json.dumps({"response": "\n".join(steps(task))}, ensure_ascii=False)


def _final(task: Task) -> str:
    return json.dumps({"explanation": " ".join(steps(task)), "response": task.answer}, ensure_ascii=False)


def _rate(task: Task) -> str:
    verdict = task.solver.verify(task.instance, task.about.params["answer"])
    return f"Checked exactly: {verdict.reason}.\nRating: {10 if verdict.correct else 0}"


WRITERS: dict[str, Writer] = {
    "iot/guide": _guide,
    "iot/respond": _respond,
    "iot/think": _think,
    "iot/final": _final,
    "best_of_n/rate": _rate,
}
