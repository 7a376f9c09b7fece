r"""Write a search that took many calls as one reply in the layout of autonomous tree search, so that it can be learned in one call.

    a tree search over five calls ->  Step 1
                                      1: 9 -> 10 (9 + 1 = 10)
                                      2: 9 -> 18 (9 * 2 = 18) x
                                      Step 2
                                      1.1: 9 -> 10 -> 20 (10 * 2 = 20)
                                      Goal: 1.1
                                      Answer: 9 -> 10 -> 20

Only steps that read as legal moves are written, so every line is true of the puzzle; `x` marks a line the search gave up or from which
nothing follows. Attempts that were whole replies (rounds of an iteration) become branches. What is written parses back (`reasoner.layouts.outline`) and verifies, or
it is not written at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from reasoner.layouts.outline import parse, write_back, write_goal, write_heading, write_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.datasets.moves import Moves
    from reasoner.datasets.tree import StepTree
    from reasoner.layouts.outline import Label

Order = Literal["bfs", "dfs"]

NO_MOVES = "no step of the search can be read as a legal move"
NO_GOAL = "the steps that can be read do not reach the goal"
NOT_READ_BACK = "the search written as text does not read back as it was"


@dataclass(slots=True, eq=False)
class _Line:
    label: Label
    moves: tuple[Any, ...]
    shown: tuple[str, ...]
    children: list[_Line] = field(default_factory=list)
    pruned: bool = False


def write_search(tree: StepTree, order: Order) -> tuple[str | None, str]:
    """Return (text, "") or (None, why it cannot be written). The same tree gives the same text."""
    moves = tree.moves
    if moves is None:
        return None, NO_MOVES
    top = _lines(tree, moves)
    if not top.children:
        return None, NO_MOVES
    goal = next((line for line in _all(top, order) if moves.is_goal(line.moves) and moves.verifies(line.moves)), None)
    if goal is None:
        return None, NO_GOAL
    written = list(_until(top, order, goal))
    body = _breadth_first(written, moves) if order == "bfs" else _depth_first(written, moves)
    text = "\n".join([*body, write_goal(goal.label), moves.solver.answer(moves.instance, goal.moves)])
    return (text, "") if _reads_back(text, written, goal, moves) else (None, NOT_READ_BACK)


def _lines(tree: StepTree, moves: Moves) -> _Line:
    """Put every readable path of the tree into one tree of moves, in the order they were thought."""
    top = _Line((), (), (moves.solver.show(moves.instance, moves.start),))
    for node in tree.nodes:
        at = top
        for n, move in enumerate(node.moves or ()):
            found = next((child for child in at.children if child.moves[n].state == move.state), None)
            if found is None:
                shown = moves.solver.show(moves.instance, move.state)
                found = _Line((*at.label, len(at.children) + 1), (*at.moves, move), (*at.shown, shown))
                at.children.append(found)
            at = found
        if node.moves:
            at.pruned = node.status == "pruned"
    return top


def _all(top: _Line, order: Order) -> Iterator[_Line]:
    if order == "bfs":
        level = top.children
        while level:
            yield from level
            level = [child for line in level for child in line.children]
        return
    pending = top.children[::-1]
    while pending:
        line = pending.pop()
        yield line
        pending.extend(line.children[::-1])


def _until(top: _Line, order: Order, goal: _Line) -> Iterator[_Line]:
    for line in _all(top, order):
        yield line
        if line is goal:
            return


def _write(line: _Line, moves: Moves) -> str:
    ended = not line.children and not moves.is_goal(line.moves) and (line.pruned or moves.is_over(line.moves))
    return write_line(line.label, line.shown, line.moves[-1].operation, dead=ended)


def _breadth_first(lines: list[_Line], moves: Moves) -> list[str]:
    text: list[str] = []
    depth = 0
    for line in lines:
        if len(line.label) > depth:
            depth = len(line.label)
            text.append(write_heading(depth))
        text.append(_write(line, moves))
    return text


def _depth_first(lines: list[_Line], moves: Moves) -> list[str]:
    text: list[str] = []
    before: Label = ()
    for line in lines:
        if text and line.label[:-1] != before:
            text.append(write_back(line.label[:-1]))
        text.append(_write(line, moves))
        before = line.label
    return text


def _reads_back(text: str, lines: list[_Line], goal: _Line, moves: Moves) -> bool:
    read = parse(text)
    same = [(entry.label, entry.chain) for entry in read.entries] == [(line.label, line.shown) for line in lines]
    return same and read.goal == goal.label and bool(moves.solver.verify(moves.instance, text).correct)
