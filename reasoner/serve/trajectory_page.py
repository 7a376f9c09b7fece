"""What the page of a trajectory shows: question and answer, the tree or a part of it, the way to the answer, drawings, actions.

trajectory_values(store, "9f3c...") -> {"row": {...}, "question": "...", "plan": Plan(...), "path": [...], ...}
"""

from __future__ import annotations

import json
from collections import OrderedDict
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from reasoner.errors import UnknownName
from reasoner.serve import drawings
from reasoner.serve.tree import Box, Shape, layout
from reasoner.store import queries
from reasoner.store.actions import actions_of
from reasoner.store.queries import load_trajectory, trajectory_row
from reasoner.text import answer_line
from reasoner.types import SIGNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.serve.tree import Plan
    from reasoner.store import Store

MAX_DRAWN = 2_500
"""Thoughts that are drawn at once; a larger tree is drawn in parts, as they come into view."""
WINDOW = (7_300, 6_400)
"""The size of such a part, in the units of the drawing: 25 thoughts deep, 80 below each other."""
MAX_SHAPES = 8
MAX_ACTIONS = 500
"""Actions that the page of a trajectory lists."""
MAX_PATH = 60
"""Thoughts of the way to the answer that stand above the tree; the tree has all."""


def trajectory_values(
    store: Store, trajectory_id: str, *, corner: tuple[int, int] | None = None, tree: bool = True
) -> dict[str, Any] | None:
    """Return what a trajectory's page shows, None when it is not there. Of a large tree it is the part at a corner, at first at its root.

    Without `tree`, what is drawn of the search is left out.
    """
    row = trajectory_row(store, trajectory_id)
    if row is None:
        return None
    n = queries.n_thoughts(store, trajectory_id)
    shown: dict[str, Any] = {
        "row": row, "actions": actions_of(store, trajectory_id, limit=MAX_ACTIONS), "plan": None, "drawing": None, "dialogue": [],
        "fragments": None, "path": [], "n_thoughts": n, "question": question_of(store, row), "answer": short_answer(row),
    }  # fmt: skip
    if n and not tree:
        shown["drawing"] = drawings.drawing(row)
    elif n > MAX_DRAWN:
        plan = window(store, trajectory_id, corner)
        shown |= {"plan": plan, "drawing": drawings.drawing(row), "path": _path(store, plan.best if plan else ())}
    elif n:
        try:
            dag = load_trajectory(store, trajectory_id)
        except UnknownName:  # taken away since it was counted
            return shown
        plan = layout(dag, row["answer_thought"])
        shown |= {
            "plan": plan, "drawing": drawings.drawing(row), "path": _path(store, plan.best), "dialogue": drawings.dialogue(dag),
            "fragments": drawings.fragments(row, dag),
        }  # fmt: skip
    return shown


def question_of(store: Store, row: dict[str, Any]) -> str:
    """Return what was asked in words: of a problem that is written as JSON its question or last message, else how the search began."""
    line = str(row["line"])
    if not line.startswith("{"):
        return line
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        fields = {}
    said = fields.get("messages") if isinstance(fields, dict) else None
    if isinstance(fields, dict) and isinstance(fields.get("question"), str):
        choices = fields["choices"][:26] if isinstance(fields.get("choices"), list) else []
        return "\n".join([fields["question"], *(f"{chr(65 + at)}) {one}" for at, one in enumerate(choices))])
    if isinstance(said, list):
        asked = [turn.get("content") for turn in said if isinstance(turn, dict) and turn.get("role") == "user"]
        return str(asked[-1]) if asked else line
    return queries.root_text(store, row["id"]) or line


def short_answer(row: dict[str, Any]) -> str:
    """Return the answer itself where it is marked, else all that was answered."""
    text = row["answer"] or ""
    return answer_line(text) or text


def _path(store: Store, best: Sequence[str]) -> list[dict[str, Any]]:
    """Return the thoughts of the way to the answer without the root; of a search that names its steps, these and the last."""
    ids = best[1:] if len(best) <= MAX_PATH else (*best[1 : MAX_PATH // 2], *best[-MAX_PATH // 2 :])
    rows = queries.thoughts_of(store, ids)
    ids = [name for name in ids if name in rows]  # what an earlier version imported has ids of another making
    named = [name for name in ids if rows[name]["operation"]]
    if len(named) > 1:
        ids = named if named[-1] == ids[-1] else [*named, ids[-1]]
    found = []
    for name in ids:
        row = rows[name]
        state = row["state"] if isinstance(row["state"], str) else ""
        said = row["operation"] or state or in_words(row["text"] or "") or row["role"]
        found.append(row | {"sign": SIGNS[row["status"]], "said": said})
    return found


def in_words(text: str) -> str:
    """Return what a reply in the form of JSON says: the texts of its fields; any other text, and one that was cut, as it is."""
    try:
        fields = json.loads(text) if text.lstrip().startswith("{") else None
    except ValueError:
        return text
    said = [value for value in fields.values() if isinstance(value, str) and value.strip()] if isinstance(fields, dict) else []
    return " · ".join(said) or text


def aligned(one: Sequence[dict[str, Any]], other: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Set the steps of two ways to an answer beside each other: `rows` of (number, step, step, are they the same), and the `first` that differs."""
    pairs = list(zip_longest(one, other))
    rows = [(at, a, b, a is not None and b is not None and a["said"] == b["said"]) for at, (a, b) in enumerate(pairs, start=1)]
    return {"rows": rows, "first": next((at for at, _, _, same in rows if not same), None)}


def window(store: Store, trajectory_id: str, corner: tuple[int, int] | None) -> Plan | None:
    """Return the part of a tree at a corner, at its root without one; None where the trajectory is not there."""
    shape = _shape(store, trajectory_id)
    if shape is None:
        return None
    x, y = corner if corner is not None else (0, shape.root_y)
    # Parts lie on a grid, so that the same one is asked for once and none overlaps another.
    box = Box(x // WINDOW[0] * WINDOW[0], y // WINDOW[1] * WINDOW[1], *WINDOW)
    return shape.plan(box, queries.thoughts_of(store, shape.inside(box, most=MAX_DRAWN)))


_SHAPES: OrderedDict[tuple[str, str], Shape] = OrderedDict()
"""Shapes of trajectories that are closed, by file and id: they no longer change, and moving over a tree asks for each again and again."""


def _shape(store: Store, trajectory_id: str) -> Shape | None:
    key = (str(store.path.absolute()), trajectory_id)
    if (known := _SHAPES.get(key)) is not None:
        return known
    row = trajectory_row(store, trajectory_id)
    places = queries.skeleton(store, trajectory_id) if row is not None else []
    if row is None or not places:
        return None
    shape = Shape(places, row["answer_thought"])
    if row["status"] == "closed":
        _SHAPES[key] = shape
        while len(_SHAPES) > MAX_SHAPES:
            _SHAPES.popitem(last=False)
    return shape
