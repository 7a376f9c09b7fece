"""A trajectory as a drawing: every thought a card, its depth to the right, its branch below the one before.

    plan = layout(dag);  plan.nodes[0].x, plan.nodes[0].y, plan.nodes[0].status

Laid out from the networkx graph in one pass over it, without recursion. Knows graphs; the SVG stands in `pages/tree.html`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.text import clean, shorten
from reasoner.trajectory import SIGNS

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole drawing and its size."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int

    @property
    def statuses(self) -> dict[str, int]:
        """How many thoughts there are of each status."""
        return {status: n for status in SIGNS if (n := sum(node.status == status for node in self.nodes))}


def layout(dag: Trajectory) -> Plan:
    """Place every thought: leaves below each other in the order of the search, a parent at the middle of its children."""
    rows = _rows(dag)
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


def _rows(dag: Trajectory) -> dict[str, float]:
    """Give every thought a row: children before parents, by an explicit stack since a search may be thousands deep."""
    rows: dict[str, float] = {}
    next_row = 0
    stack = [(dag.root, False)]
    while stack:
        thought, seen = stack.pop()
        if thought.id in rows:
            continue
        children = dag.children(thought)
        if seen or not children:
            placed = [rows[child.id] for child in children if child.id in rows]
            if placed:
                rows[thought.id] = (placed[0] + placed[-1]) / 2
            else:
                rows[thought.id] = next_row
                next_row += 1
        else:
            stack.append((thought, True))
            stack.extend((child, False) for child in reversed(children))
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
