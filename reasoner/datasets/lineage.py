"""The lineage of a row as it is written: the same keys, each of one type, in every file of a kind.

    complete("conversation", {"run": "r", "trajectory": "t", "calls": ["ab"], "level": None, ...})
        -> {"run": "r", "trajectory": "t", "calls": ["ab"], ..., "level": -1, ..., "judged_by": "", "reasoning": False, "divided": "", ...}

Loaders take a column's type from the first rows of the first file. A key that is missing or null there and a number later, in this file or in
the next, ends the loading; so nothing is null: a text that says nothing is empty, a problem without levels has level -1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.datasets.records import Kind

NO_LEVEL = -1
FROM_TREE = "tree"
FROM_REPLIES = "replies"

_BASE: dict[str, Any] = {
    "run": "", "trajectory": "", "calls": "", "problem": "", "solver": "", "instance": "", "level": NO_LEVEL, "strategy": "", "model": "",
    "judged_by": "",
}  # fmt: skip
_SAID: dict[str, Any] = {**_BASE, "reasoning": False, "divided": ""}
"""With what an import needs to undo where thoughts were written: whether the model told them apart, and the blanks at which a reply was divided."""
SHAPES: dict[Kind, dict[str, Any]] = {
    "conversation": {**_SAID, "answer": "", "written_as": ""},
    "label": {**_SAID, "labels_from": FROM_REPLIES},
    "pair": {**_SAID, "labels_from": FROM_REPLIES},
    "steps": {**_BASE, "labels_from": FROM_REPLIES},
    "prompt": {**_SAID},
    "group": {**_BASE, "reasoning": False},
}
_OF_MANY: frozenset[Kind] = frozenset({"prompt", "group"})
"""Rows that stand for many trajectories: what a person says of one of them is not said of the row."""
_OF_TREE: dict[Kind, dict[str, Any]] = {
    "label": {"thought": ""},
    "pair": {"chosen_thought": "", "rejected_thought": ""},
}


def complete(kind: Kind, lineage: Mapping[str, Any], *, annotated: bool = False) -> dict[str, Any]:
    """Return a lineage with all keys of its kind, in their order, none of them null. That of a document is returned as it is.

    `annotated`: a trajectory of the export has an annotation, so that all rows have the key.
    """
    shape = SHAPES.get(kind)
    if shape is None:
        return dict(lineage)
    made = _filled(shape, lineage)
    if kind == "pair":
        other = lineage.get("rejected")
        made["rejected"] = _filled(_SAID, other if isinstance(other, dict) else lineage)
    if kind == "group":
        made["trajectories"] = [str(name) for name in lineage.get("trajectories") or [made["trajectory"]]]
    if is_of_tree(lineage):
        made["labels_from"] = FROM_TREE
        made |= _filled(_OF_TREE.get(kind, {}), lineage)
        if kind == "steps":
            made["thoughts"] = [str(name) for name in lineage.get("thoughts") or [""]]
    if annotated and kind not in _OF_MANY:
        made["annotation"] = _annotation(lineage)
        if kind == "pair":
            made["rejected"]["annotation"] = _annotation(lineage.get("rejected"))
    return made


def _annotation(lineage: Any) -> dict[str, str]:
    found = lineage.get("annotation") if isinstance(lineage, dict) else None
    return {name: value if isinstance(found, dict) and isinstance(value := found.get(name), str) else "" for name in ("label", "note")}


def is_of_tree(lineage: Mapping[str, Any]) -> bool:
    """Tell whether a row is a step or the beginning of a reply, out of a tree; otherwise it is a whole reply."""
    return lineage.get("labels_from") == FROM_TREE or any(
        lineage.get(name) for name in ("thought", "thoughts", "chosen_thought", "rejected_thought")
    )


def level_of(lineage: Mapping[str, Any]) -> int | None:
    """Return the level a lineage names, None where the problem has none."""
    level = lineage.get("level")
    return level if isinstance(level, int) and not isinstance(level, bool) and level != NO_LEVEL else None


def _filled(shape: Mapping[str, Any], lineage: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, default in shape.items():
        value = lineage.get(name)
        if name == "calls":
            made[name] = list(map(str, value)) if isinstance(value, list) and value else [""]
        else:
            made[name] = value if type(value) is type(default) else default
    return made
