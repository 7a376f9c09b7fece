"""A trajectory as a drawing: every thought a card, its depth to the right, its branch below the one before.

    plan = layout(dag);  plan.nodes[0].x, plan.nodes[0].y, plan.nodes[0].status

A search of many thousands is laid out from its shape alone (`Shape`), and only the cards of the part that is seen are read and drawn.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from reasoner.text import clean, shorten
from reasoner.types import SIGNS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.store.queries import Place
    from reasoner.trajectory import Thought, Trajectory

CARD_WIDTH = 196
CARD_HEIGHT = 40
STEP_X = 244
STEP_Y = 50
MAX_CHARS = 25


@dataclass(frozen=True, slots=True)
class Node:
    """One card. `first` and `second` are its two lines; they, the sign and the status are what a screen reader says."""

    id: str
    parent: str
    status: str
    sign: str
    first: str
    second: str
    x: int
    y: int
    n_children: int


@dataclass(frozen=True, slots=True)
class Edge:
    """One line between two cards."""

    child: str
    status: str
    path: str


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


def layout(dag: Trajectory) -> Plan:
    """Place every thought: leaves below each other in the order of the search, a parent at the middle of its children."""
    children = {thought.id: [child.id for child in dag.children(thought)] for thought in dag.thoughts()}
    rows = _rows(dag.root.id, children)
    at = {thought.id: (dag.graph.nodes[thought.id]["depth"] * STEP_X, round(rows[thought.id] * STEP_Y)) for thought in dag.thoughts()}
    nodes: list[Node] = []
    edges: list[Edge] = []
    for thought in dag.thoughts():
        x, y = at[thought.id]
        parents = dag.parents(thought)
        mark = dag.mark_of(thought)
        nodes.append(_node(thought, mark, parents[0].id if parents else "", x, y, dag.graph.out_degree(thought.id)))
        edges.extend(Edge(thought.id, mark.status, _curve(at[parent.id], (x, y))) for parent in parents)
    width = max(x for x, _ in at.values()) + CARD_WIDTH
    height = max(y for _, y in at.values()) + CARD_HEIGHT
    return Plan(tuple(nodes), tuple(edges), width, height)


class Shape:
    """Where every thought of a search stands, known without its text."""

    def __init__(self, places: Sequence[Place]) -> None:
        children: dict[str, list[str]] = {place.id: [] for place in places}
        for place in places:
            if place.parent in children:
                children[place.parent].append(place.id)
        rows = _rows(places[0].id, children)
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
        for name, row in rows.items():
            place, (x, y) = self._places[name], self._at[name]
            first, second = card(
                role=row["role"],
                label=row["label"],
                operation=row["operation"],
                state=row["state"],
                score=row["score"],
                text=row["text"] or "",
            )
            nodes.append(Node(name, place.parent or "", place.status, SIGNS[place.status], first, second, x, y, self._n_children[name]))
            if place.parent in self._at:
                edges.append(Edge(name, place.status, _curve(self._at[place.parent], (x, y))))
        return Plan(tuple(nodes), tuple(edges), self.width, self.height, box, self.counts)


def _rows(root: str, children: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Give every thought a row: children before parents, by an explicit stack since a search may be thousands deep."""
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
            if placed:
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


def _node(thought: Thought, mark: Any, parent: str, x: int, y: int, n_children: int) -> Node:
    first, second = card(
        role=thought.role, label=thought.label, operation=thought.operation, state=mark.state, score=mark.score, text=thought.text
    )
    return Node(thought.id, parent, mark.status, SIGNS[mark.status], first, second, x, y, n_children)


def card(*, role: str, label: str, operation: str, state: Any, score: float | None, text: str) -> tuple[str, str]:
    """Return the two lines of a card: what it is, and what it says."""
    head = f"{label}  {role}" if label else role
    if score is not None:
        score_text = f"{score:.3g}"
        head = f"{shorten(clean(head), MAX_CHARS - len(score_text) - 3)}  [{score_text}]"
    said = operation or (state if isinstance(state, str) else "") or text
    if not said and state is not None:
        said = json.dumps(state, ensure_ascii=False)
    return shorten(clean(head), MAX_CHARS), shorten(clean(said), MAX_CHARS)
