"""Writers of whole searches (`ats`): breadth first and depth first, in the layout of `reasoner.layouts.outline`.

    1: 9 -> 10 (9 + 1 = 10)
    1.1: 9 -> 10 -> 20 (10 * 2 = 20)
    Goal: 1.1

Every line is a legal move, and every mark on it is true of the search. A family without moves gets the steps that it explains, and wrong
ones beside them; one that explains none has no search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reasoner.clients.teacher._task import MAX_BLIND_DEPTH, NO_ANSWER, AnyMove, Task
from reasoner.layouts.outline import Label, write_back, write_goal, write_heading, write_line
from reasoner.layouts.worked_search import write_search

GAVE_UP = "No line reached the goal."

MAX_WIDTH = 8
MAX_BFS_LINES = 32
MAX_DFS_WRONG_LINES = 10


@dataclass(frozen=True, slots=True)
class _Node:
    """One line of a search: where it stands and how it was reached. `on_route`: its state is the solution's at its depth."""

    label: Label
    state: Any
    chain: tuple[str, ...]
    moves: tuple[AnyMove, ...]
    on_route: bool


class _Search:
    """The growing text of one search. Every move it shows is legal, and every mark on it is true of the search."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.solution = task.solution or ()
        self.solver = task.searched
        start = self.solver.start(task.instance)
        self.root = _Node((), start, (self._show(start),), (), on_route=bool(self.solution))
        self.depth = len(self.solution) or MAX_BLIND_DEPTH
        self.seen = {start}
        self.lines: list[str] = []
        self.n_wrong = 0

    def _show(self, state: Any) -> str:
        return self.solver.show(self.task.instance, state)

    def onward(self, node: _Node) -> AnyMove | None:
        """Return the solution's next move where the node lies on it."""
        return self.solution[len(node.moves)] if node.on_route and len(node.moves) < len(self.solution) else None

    def new(self, node: _Node) -> list[AnyMove]:
        """Return the moves that lead to something new: a state not written yet, and none that looks like one of the chain's."""
        if len(node.moves) >= self.depth:
            return []
        moves = self.solver.moves(self.task.instance, node.state)
        return [move for move in moves if move.state not in self.seen and self._show(move.state) not in node.chain]

    def others(self, node: _Node) -> list[AnyMove]:
        """Return the new moves that stay off the solution; those that join it where nothing else is left."""
        moves = self.new(node)
        route = [move.state for move in self.solution]
        return [move for move in moves if move.state not in route] or ([] if node.on_route else moves)

    def child(self, node: _Node, move: AnyMove, number: int) -> _Node:
        """Return the node a move leads to, and count its state as written."""
        self.seen.add(move.state)
        depth = len(node.moves)
        on_route = depth < len(self.solution) and move.state == self.solution[depth].state
        return _Node((*node.label, number), move.state, (*node.chain, self._show(move.state)), (*node.moves, move), on_route)

    def write(self, node: _Node) -> bool:
        """Write a node's line; True when it reached the goal."""
        goal = self.solver.is_goal(self.task.instance, node.state)
        dead = not goal and self.onward(node) is None and not self.new(node)
        self.lines.append(write_line(node.label, node.chain, node.moves[-1].operation, dead=dead))
        if goal:
            self.lines += [write_goal(node.label), self.solver.answer(self.task.instance, node.moves)]
        return goal

    def text(self, *, found: bool) -> str:
        """Return what was written; a search without a goal says so."""
        return "\n".join(self.lines if found else [*self.lines, GAVE_UP, NO_ANSWER])


def breadth_first(task: Task) -> str:
    """Write level by level, where there are moves; the solution is always among the few lines a level shows, the others are drawn."""
    if task.search is None and (steps := task.solver.explain(task.instance)):
        return write_search(steps, task.answer, "bfs", dead_ends=task.solver.dead_ends(task.instance))
    search = _Search(task)
    width = max(2, min(MAX_WIDTH, MAX_BFS_LINES // search.depth))
    level = [search.root]
    for step in range(1, search.depth + 1):
        right = [(node, move) for node in level if (move := search.onward(node)) is not None]
        taken = {move.state for _, move in right}
        offered: dict[Any, tuple[_Node, AnyMove]] = {}
        for node in level:
            for move in search.others(node):
                if move.state not in taken:
                    offered.setdefault(move.state, (node, move))
        n_drawn = min(len(offered), width - len(right))
        shown = [*right, *task.rng.sample(list(offered.values()), n_drawn)]
        if not shown:
            break
        search.lines.append(write_heading(step))
        further: list[_Node] = []
        for node in level:
            moves = [move for parent, move in shown if parent is node]
            task.rng.shuffle(moves)
            further += [search.child(node, move, number) for number, move in enumerate(moves, start=1)]
        for node in further:
            if search.write(node):
                return search.text(found=True)
        level = further
    return search.text(found=False)


def depth_first(task: Task) -> str:
    """Write depth first, where there are moves: at some nodes one or two wrong moves and what follows them, then back to the solution."""
    if task.search is None and (steps := task.solver.explain(task.instance)):
        return write_search(steps, task.answer, "dfs", dead_ends=task.solver.dead_ends(task.instance))
    search = _Search(task)
    return search.text(found=_descend(search, search.root))


def _descend(search: _Search, node: _Node) -> bool:
    """Try moves out of a node, each to its end; True when the goal was reached."""
    rng = search.task.rng
    onward = search.onward(node)
    left = MAX_DFS_WRONG_LINES - search.n_wrong
    if left < search.depth:
        n_tries = 0 if node.on_route else 1
    elif node.on_route:
        n_tries = rng.randint(0 if node.label else 1, 2)  # at the start at least one, so that there is something to come back from
    else:
        n_tries = 2 if not search.solution or len(node.moves) == search.depth - 1 else 1
    others = search.others(node)
    moves = rng.sample(others, min(len(others), n_tries))
    if onward is not None:
        moves.append(onward)
    number = 0
    for move in moves:
        if move.state in search.seen:
            continue  # a branch tried before this one came by there
        if number:
            search.lines.append(write_back(node.label))
        number += 1
        child = search.child(node, move, number)
        search.n_wrong += not child.on_route
        if search.write(child) or _descend(search, child):
            return True
    return False
