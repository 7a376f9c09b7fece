"""A trajectory as a drawing: every thought a card, its depth to the right, its branch below the one before.

    plan = layout(dag);  plan.nodes[0].x, plan.nodes[0].y, plan.nodes[0].status

A search of many thousands is laid out from its shape alone (`Shape`), and only the cards of the part that is seen are read and drawn.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from reasoner.text import clean, shorten
from reasoner.types import SIGNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from reasoner.store.queries import Place
    from reasoner.trajectory import Thought, Trajectory

CARD_WIDTH = 240
CARD_HEIGHT = 66
STEP_X = 292
STEP_Y = 80
MAX_CHARS = 29
"""Characters of one line of a card; those of double width count twice."""


@dataclass(frozen=True, slots=True)
class Node:
    """One card. `first` says what it is, `second` and `third` are the two lines of what it says; a screen reader says them, the sign and the status.

    `best` are those on the way to the answer.
    """

    id: str
    parent: str
    status: str
    sign: str
    first: str
    second: str
    third: str
    x: int
    y: int
    n_children: int
    best: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """One line between two cards."""

    child: str
    status: str
    path: str
    best: bool = False


class Box(NamedTuple):
    """A part of a drawing, in its own units."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole drawing and its size."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int
    box: Box | None = None
    """The part of it that `nodes` and `edges` are; None where they are all."""
    counts: Mapping[str, int] | None = None
    """Thoughts of each status in all, where `nodes` are a part."""
    best: tuple[str, ...] = ()
    """The thoughts on the way to the answer, from the root; empty where there is none."""

    @property
    def statuses(self) -> dict[str, int]:
        """How many thoughts there are of each status."""
        if self.counts is not None:
            return {status: n for status in SIGNS if (n := self.counts.get(status, 0))}
        return {status: n for status in SIGNS if (n := sum(node.status == status for node in self.nodes))}

    @property
    def total(self) -> int:
        """How many thoughts there are in all."""
        return sum(self.statuses.values())


def best_path(parents: Mapping[str, str | None], statuses: Mapping[str, str], answer: str | None) -> tuple[str, ...]:
    """Return the way from the root to the thought of the answer, else to the last final one; empty where there is neither."""
    last: str | None = answer if answer in parents else None
    if last is None:
        last = next((name for name in reversed(list(statuses)) if statuses[name] == "final"), None)
    way: list[str] = []
    while last is not None and last in parents and last not in way[-1:]:
        way.append(last)
        last = parents[last]
    return tuple(reversed(way))


def layout(dag: Trajectory, answer: str | None = None) -> Plan:
    """Place every thought: leaves below each other in the order of the search, a parent at the middle of its children.

    The way to the `answer` (its thought's id, else the last final thought) is one straight line.
    """
    children = {thought.id: [child.id for child in dag.children(thought)] for thought in dag.thoughts()}
    first_parents = {thought.id: next((parent.id for parent in dag.parents(thought)), None) for thought in dag.thoughts()}
    best = best_path(first_parents, {thought.id: dag.mark_of(thought).status for thought in dag.thoughts()}, answer)
    on_way = set(best)
    rows = _rows(dag.root.id, children, on_way)
    at = {thought.id: (dag.graph.nodes[thought.id]["depth"] * STEP_X, round(rows[thought.id] * STEP_Y)) for thought in dag.thoughts()}
    nodes: list[Node] = []
    edges: list[Edge] = []
    for thought in dag.thoughts():
        x, y = at[thought.id]
        mark = dag.mark_of(thought)
        n_children = dag.graph.out_degree(thought.id)
        nodes.append(_node(thought, mark, first_parents[thought.id] or "", x, y, n_children, best=thought.id in on_way))
        edges.extend(
            Edge(thought.id, mark.status, _curve(at[parent.id], (x, y)), thought.id in on_way and parent.id in on_way)
            for parent in dag.parents(thought)
        )
    width = max(x for x, _ in at.values()) + CARD_WIDTH
    height = max(y for _, y in at.values()) + CARD_HEIGHT
    return Plan(tuple(nodes), tuple(edges), width, height, best=best)


class Shape:
    """Where every thought of a search stands, known without its text."""

    def __init__(self, places: Sequence[Place], answer: str | None = None) -> None:
        children: dict[str, list[str]] = {place.id: [] for place in places}
        for place in places:
            if place.parent in children:
                children[place.parent].append(place.id)
        self.best = best_path({place.id: place.parent for place in places}, {place.id: place.status for place in places}, answer)
        rows = _rows(places[0].id, children, set(self.best))
        self._at = {place.id: (place.depth * STEP_X, round(rows.get(place.id, 0) * STEP_Y)) for place in places}
        self._places = {place.id: place for place in places}
        self._n_children = {name: len(found) for name, found in children.items()}
        self.width = max(x for x, _ in self._at.values()) + CARD_WIDTH
        self.height = max(y for _, y in self._at.values()) + CARD_HEIGHT
        self.root_y = self._at[places[0].id][1]
        self.counts: Counter[str] = Counter(place.status for place in places)

    def inside(self, box: Box, *, most: int) -> list[str]:
        """Return the thoughts whose cards begin in a part of the drawing, in the order of the search, `most` of them."""
        right, bottom = box.x + box.width, box.y + box.height
        found = (name for name, (x, y) in self._at.items() if box.x <= x < right and box.y <= y < bottom)
        return list(islice(found, most))

    def plan(self, box: Box, rows: Mapping[str, Mapping[str, Any]]) -> Plan:
        """Return the drawing of a part, from the rows of its thoughts (`queries.thoughts_of`)."""
        nodes: list[Node] = []
        edges: list[Edge] = []
        on_way = set(self.best)
        for name, row in rows.items():
            place, (x, y) = self._places[name], self._at[name]
            lines = card(
                role=row["role"],
                label=row["label"],
                operation=row["operation"],
                state=row["state"],
                score=row["score"],
                text=row["text"] or "",
            )
            best = name in on_way
            nodes.append(Node(name, place.parent or "", place.status, SIGNS[place.status], *lines, x, y, self._n_children[name], best))
            if place.parent in self._at:
                edges.append(Edge(name, place.status, _curve(self._at[place.parent], (x, y)), best))
        return Plan(tuple(nodes), tuple(edges), self.width, self.height, box, self.counts, self.best)


def _rows(root: str, children: Mapping[str, Sequence[str]], on_way: AbstractSet[str]) -> dict[str, float]:
    """Give every thought a row: children before parents, by an explicit stack since a search may be thousands deep.

    A parent stands at the middle of its children; the way to the answer is one straight line.
    """
    rows: dict[str, float] = {}
    next_row = 0
    stack = [(root, False)]
    while stack:
        name, seen = stack.pop()
        if name in rows:
            continue
        below = children[name]
        if seen or not below:
            placed = [rows[child] for child in below if child in rows]
            straight = next((rows[child] for child in below if child in on_way and child in rows), None) if name in on_way else None
            if straight is not None:
                rows[name] = straight
            elif placed:
                rows[name] = (placed[0] + placed[-1]) / 2
            else:
                rows[name] = next_row
                next_row += 1
        else:
            stack.append((name, True))
            stack.extend((child, False) for child in reversed(below))
    return rows


def _curve(start: tuple[int, int], end: tuple[int, int]) -> str:
    x1, y1 = start[0] + CARD_WIDTH, start[1] + CARD_HEIGHT // 2
    x2, y2 = end[0], end[1] + CARD_HEIGHT // 2
    middle = (x1 + x2) // 2
    return f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}"


def _node(thought: Thought, mark: Any, parent: str, x: int, y: int, n_children: int, *, best: bool) -> Node:
    lines = card(role=thought.role, label=thought.label, operation=thought.operation, state=mark.state, score=mark.score, text=thought.text)
    return Node(thought.id, parent, mark.status, SIGNS[mark.status], *lines, x, y, n_children, best)


def card(*, role: str, label: str, operation: str, state: Any, score: float | None, text: str) -> tuple[str, str, str]:
    """Return the lines of a card: what it is, and two of what it says."""
    head = f"{label}  {role}" if label else role
    if score is not None:
        score_text = f"{score:.3g}"
        head = f"{_fitting(clean(head), MAX_CHARS - len(score_text) - 3)[0]}  [{score_text}]"
    said = clean(shorten(operation or (state if isinstance(state, str) else "") or text, 4 * MAX_CHARS))
    if not said and state is not None:
        said = clean(shorten(json.dumps(state, ensure_ascii=False), 4 * MAX_CHARS))
    line, rest = _fitting(said, MAX_CHARS, words=True)
    return _fitting(clean(head), MAX_CHARS)[0], line, _fitting(rest, MAX_CHARS)[0]


def _fitting(text: str, n: int, *, words: bool = False) -> tuple[str, str]:
    """Return the beginning of a text that is at most `n` wide, and the rest; cut between `words`, or with an ellipsis where there is no rest wanted."""
    widths = accumulate(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    at = sum(width <= n for width in widths)
    if at >= len(text):
        return text, ""
    if not words:
        return text[: max(at - 1, 0)] + "…", ""
    blank = text.rfind(" ", 1, at + 1)
    cut = blank if blank > at // 2 else at
    return text[:cut].rstrip(), text[cut:].lstrip()
