"""The lineage of a row as it is written: the same keys, each of one type, in every file of a kind.

    complete("conversation", {"run": "r", "trajectory": "t", "calls": ["ab"], "level": None, ...})
        -> {"run": "r", "trajectory": "t", "calls": ["ab"], ..., "level": -1, ..., "judged_by": "", "reasoning": False, "divided": "", ...}

Loaders take a column's type from the first rows of the first file. A key that is missing or null there and a number later, in this file or in
the next, ends the loading; so nothing is null: a text that says nothing is empty, a problem without levels has level -1.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quoted
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from reasoner.datasets.write import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reasoner.datasets.records import Kind

NO_LEVEL = -1
FROM_TREE = "tree"
FROM_REPLIES = "replies"
FROM_EDITS = "edits"
"""A person's edit stands against what it was made of."""

_BASE: dict[str, Any] = {
    "run": "", "trajectory": "", "calls": [""], "problem": "", "solver": "", "instance": "", "level": NO_LEVEL, "strategy": "", "model": "",
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
        made["trajectories"] = _names(lineage.get("trajectories"), made["trajectory"])
    if is_of_tree(lineage):
        made["labels_from"] = FROM_TREE
        made |= _filled(_OF_TREE.get(kind, {}), lineage)
        if kind == "steps":
            made["thoughts"] = _names(lineage.get("thoughts"), "")
    if annotated and kind not in _OF_MANY:
        made["annotation"] = _annotation(lineage)
        if kind == "pair":
            made["rejected"]["annotation"] = _annotation(lineage.get("rejected"))
    return made


def _annotation(lineage: Any) -> dict[str, str]:
    found = lineage.get("annotation") if isinstance(lineage, dict) else None
    return {name: value if isinstance(found, dict) and isinstance(value := found.get(name), str) else "" for name in ("label", "note")}


_THOUGHTS = frozenset({"thought", "thoughts", "chosen_thought", "rejected_thought"})


def is_of_tree(lineage: Mapping[str, Any]) -> bool:
    """Tell whether a row is a step or the beginning of a reply, out of a tree; otherwise it is a whole reply."""
    if lineage.get("labels_from") == FROM_TREE:
        return True
    return not _THOUGHTS.isdisjoint(lineage) and any(lineage.get(name) for name in _THOUGHTS)


def level_of(lineage: Mapping[str, Any]) -> int | None:
    """Return the level a lineage names, None where the problem has none."""
    level = lineage.get("level")
    return level if isinstance(level, int) and not isinstance(level, bool) and level != NO_LEVEL else None


def _filled(shape: Mapping[str, Any], lineage: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {**shape, **lineage}
    if list(map(type, made.values())) != list(map(type, shape.values())) or len(made) != len(shape):
        for name in made.keys() - shape.keys():
            del made[name]
        for name, default in shape.items():
            if type(made[name]) is not type(default):
                made[name] = default
    if "calls" in made:
        made["calls"] = _names(made["calls"], "")
    return made


def _names(value: Any, default: str) -> list[str]:
    return list(map(str, value)) if isinstance(value, list) and value else [default]


_OWN: dict[str, type] = {"trajectory": str, "calls": list, "problem": str, "instance": str}
"""What differs from row to row, in the order of the shapes, and the types of it."""
_SIMPLE: frozenset[Kind] = frozenset({"conversation", "label", "steps", "prompt"})
"""Kinds whose lineages say what differs in one place each."""
_PLAIN_TYPES = frozenset({str, int, bool, type(None)})

Form = tuple[tuple[str, ...], tuple[type, ...]]
"""The keys of a lineage and the types of their values."""


class LineageTexts:
    """Lineages as JSON, each as `encode(complete(...))` writes it: what the rows of a run have in common is written once.

    Knows the lineages of one kind.
    """

    MAX_KEPT = 1_000

    def __init__(self, kind: Kind, *, annotated: bool) -> None:
        self._kind, self._annotated = kind, annotated
        self._forms: dict[Form, Callable[[Mapping[str, Any]], tuple[Any, ...]]] = {}
        """What lineages of a form may have in common."""
        self.kept: dict[tuple[Form, tuple[Any, ...]], list[str]] = {}
        """Texts around what differs, by what lineages of a form have in common."""

    def text(self, lineage: Mapping[str, Any]) -> str:
        """Return a lineage with all keys of its kind as JSON."""
        form = (tuple(lineage), tuple(map(type, lineage.values())))
        shared = self._forms.get(form)
        if shared is None and self._is_simple(form):
            shared = self._forms[form] = itemgetter(*(name for name in SHAPES[self._kind] if name in lineage and name not in _OWN))
        if shared is None or not lineage["calls"]:
            return encode(complete(self._kind, lineage, annotated=self._annotated))
        key = form, shared(lineage)
        parts = self.kept.get(key)
        if parts is None:
            if len(self.kept) >= self.MAX_KEPT:
                self.kept.clear()
                self._forms.clear()
            parts = self.kept[key] = self._between(complete(self._kind, lineage, annotated=self._annotated))
        a, b, c, d, e = parts
        calls = ", ".join(map(quoted, map(str, lineage["calls"])))
        return f"{a}{quoted(lineage['trajectory'])}{b}[{calls}]{c}{quoted(lineage['problem'])}{d}{quoted(lineage['instance'])}{e}"

    def _is_simple(self, form: Form) -> bool:
        """Tell whether what differs stands in lineages of this form, and all else is plain values of keys of the kind."""
        types = dict(zip(*form, strict=True))
        if self._kind not in _SIMPLE or len(types) < len(_OWN) + 2:  # `itemgetter` gives a tuple for two keys or more
            return False
        return all(types.get(name) is kind for name, kind in _OWN.items()) and all(
            name in SHAPES[self._kind] and kind in _PLAIN_TYPES for name, kind in types.items() if name not in _OWN
        )

    @staticmethod
    def _between(made: dict[str, Any]) -> list[str]:
        """Return the five texts around what differs."""
        texts = ["{"]
        for n, (name, value) in enumerate(made.items()):
            texts[-1] += f"{', ' if n else ''}{quoted(name)}: "
            if name in _OWN:
                texts.append("")
            else:
                texts[-1] += encode(value)
        return [*texts[:-1], texts[-1] + "}"]
