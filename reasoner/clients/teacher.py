"""The teacher: a client that runs the exact solver and writes its search down the way a prompt asks for it.

    the template `ats/dfs` on number_path `3 3 8` (from 3 to 8 in three steps), with seed 2:

    1: 3 -> 4 (3 + 1 = 4)
    1.1: 3 -> 4 -> 8 (4 * 2 = 8)
    1.1.1: 3 -> 4 -> 8 -> 16 (8 * 2 = 16) x
    Back to 1.1
    1.1.2: 3 -> 4 -> 8 -> 9 (8 + 1 = 9) x
    Back to the start
    2: 3 -> 6 (3 * 2 = 6)
    2.1: 3 -> 6 -> 7 (6 + 1 = 7)
    2.1.1: 3 -> 6 -> 7 -> 14 (7 * 2 = 14) x
    Back to 2.1
    2.1.2: 3 -> 6 -> 7 -> 8 (7 + 1 = 8)
    Goal: 2.1.2
    Answer: 3 -> 6 -> 7 -> 8

Knows the templates in `WRITERS` and the layout of `reasoner.outline`; knows no particular puzzle, and reads `request.about` instead of
the prompt. It is no language model: what it answers says nothing about any model's skill. Deterministic: the same request, the same
text. Tokens are counted as words between white space, and `max_tokens` cuts at that many words.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from reasoner import registry
from reasoner.clients import ClientOptions
from reasoner.errors import BadConfig, BadInstance
from reasoner.invented import translate
from reasoner.outline import Label, write_back, write_goal, write_heading, write_line
from reasoner.text import shorten
from reasoner.types import About, Completion, FinishReason, Move, Request, Solver, Usage, digest

FORMAT_VERSION = 1
"""Part of the fingerprint: raise it whenever the same request would be answered differently."""

NO_ANSWER = "Answer: none"
GAVE_UP = "No line reached the goal."

MAX_WIDTH = 8
MAX_BFS_LINES = 32
MAX_DFS_WRONG_LINES = 10
MAX_BLIND_DEPTH = 6
"""How deep the search for a problem without a solution is written down."""

_WORD = re.compile(r"\S+")

AnyMove = Move[Any]


@dataclass(frozen=True, slots=True)
class Task:
    """What a writer is given: the problem with its solver, one shortest solution (None: there is none), and a seeded rng."""

    solver: Solver[Any, Any]
    instance: Any
    solution: Sequence[AnyMove] | None
    about: About
    rng: random.Random

    @property
    def answer(self) -> str:
        """The answer line of the solution; where there is no search space, the right answer itself."""
        if not self.solver.searchable:
            return self.solver.right_answer(self.instance) or NO_ANSWER
        return NO_ANSWER if self.solution is None else self.solver.answer(self.instance, self.solution)


Writer = Callable[[Task], str]


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
        start = task.solver.start(task.instance)
        self.root = _Node((), start, (self._show(start),), (), on_route=bool(self.solution))
        self.depth = len(self.solution) or MAX_BLIND_DEPTH
        self.seen = {start}
        self.lines: list[str] = []
        self.n_wrong = 0

    def _show(self, state: Any) -> str:
        return self.task.solver.show(self.task.instance, state)

    def onward(self, node: _Node) -> AnyMove | None:
        """Return the solution's next move where the node lies on it."""
        return self.solution[len(node.moves)] if node.on_route and len(node.moves) < len(self.solution) else None

    def new(self, node: _Node) -> list[AnyMove]:
        """Return the moves that lead to something new: a state not written yet, and none that looks like one of the chain's."""
        if len(node.moves) >= self.depth:
            return []
        moves = self.task.solver.moves(self.task.instance, node.state)
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
        goal = self.task.solver.is_goal(self.task.instance, node.state)
        dead = not goal and self.onward(node) is None and not self.new(node)
        self.lines.append(write_line(node.label, node.chain, node.moves[-1].operation, dead=dead))
        if goal:
            self.lines += [write_goal(node.label), self.task.solver.answer(self.task.instance, node.moves)]
        return goal

    def text(self, *, found: bool) -> str:
        """Return what was written; a search without a goal says so."""
        return "\n".join(self.lines if found else [*self.lines, GAVE_UP, NO_ANSWER])


def _direct(task: Task) -> str:
    return task.answer


def _chain_of_thought(task: Task) -> str:
    if not task.solver.searchable:
        return task.answer
    if task.solution is None:
        return f"The exact search finds no moves that reach the goal.\n{NO_ANSWER}"
    states = [task.solver.start(task.instance), *(move.state for move in task.solution)]
    shown = [task.solver.show(task.instance, state) for state in states]
    steps = zip(shown, shown[1:], task.solution, strict=False)
    lines = [write_line((n,), (before, after), move.operation) for n, (before, after, move) in enumerate(steps, start=1)]
    return "\n".join([*lines, task.answer])


def _breadth_first(task: Task) -> str:
    """Write level by level; the solution is always among the few lines a level shows, the others are drawn."""
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


def _depth_first(task: Task) -> str:
    """Write depth first: at some nodes one or two wrong moves and what follows them, then back to the solution."""
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


def _by_the_rules(task: Task) -> str:
    """Translate by the dictionary and the grammar of the invented languages; the reference is not looked at."""
    given = task.instance
    if task.solver.name != "translation":
        raise BadConfig(f"the template {task.about.template!r} asks for a translation, and {task.solver.name} is no translation")
    try:
        return f"Answer: {translate(given.sentence, given.source, given.target)}"
    except BadInstance:
        return NO_ANSWER


WRITERS: dict[str, Writer] = {
    "direct/answer": _direct,
    "cot/answer": _chain_of_thought,
    "ats/bfs": _breadth_first,
    "ats/dfs": _depth_first,
    "example_shot/translate": _by_the_rules,
    "fragment_shot/line": _by_the_rules,
    "fragment_shot/translate": _by_the_rules,
    "fragment_shot_pivot/translate": _by_the_rules,
}
"""Which templates the teacher can answer, and how. A strategy with a prompt of its own adds its writer here."""


@dataclass
class TeacherClient:
    """Answers a request by what it is about. Costs nothing and is quick; `max_tokens` and stop strings are honoured."""

    name: str = "teacher"
    fingerprint: str = f"teacher:{FORMAT_VERSION}"
    paid: bool = False
    concurrency: int = 8
    writers: dict[str, Writer] = field(default_factory=lambda: WRITERS, repr=False)

    async def complete(self, request: Request) -> Completion:
        """Write the answer to one request.

        Raises:
            BadConfig: the request does not say what it is about, or its template is none the teacher can answer.
        """
        text = self._text(request)
        stops = [at for stop in request.sampling.stop if stop and (at := text.find(stop)) >= 0]
        text = text[: min(stops, default=len(text))]
        words = list(_WORD.finditer(text))
        finish: FinishReason = "stop"
        if len(words) > request.sampling.max_tokens:
            finish = "length"
            words = words[: request.sampling.max_tokens]
            text = text[: words[-1].end()] if words else ""
        n_prompt = sum(len(_WORD.findall(message.content)) for message in request.messages)
        return Completion(text, finish, Usage(n_prompt, len(words), cost=0.0), model=self.name)

    def _text(self, request: Request) -> str:
        about = request.about
        if about is None:
            raise BadConfig("the teacher was sent a request that does not say which problem it is about", hint="ask it through a session")
        writer = self.writers.get(about.template)
        if writer is None:
            raise BadConfig(
                f"the teacher cannot answer the template {about.template!r}", hint=f"it knows: {', '.join(sorted(self.writers))}"
            )
        solver: Solver[Any, Any] = registry.solver(about.problem.solver)
        try:
            instance = solver.Instance.model_validate_json(about.problem.instance)
        except ValidationError as error:
            shown = shorten(about.problem.instance, 80)
            raise BadConfig(f"the teacher cannot read the {solver.name} instance {shown!r}", hint=shorten(str(error), 200)) from error
        rng = random.Random(int(digest("teacher", str(request.seed), about.problem.id, about.template), 16))
        return writer(Task(solver, instance, solver.solve(instance) if solver.searchable else None, about, rng))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release."""


def open_client(name: str, options: ClientOptions) -> TeacherClient:  # noqa: ARG001 - the signature every client module has
    """Open the teacher. It takes no model name, and no option concerns it.

    Raises:
        BadConfig: a model name was given.
    """
    if name:
        raise BadConfig(f"the teacher has no model named {shorten(name, 80)!r}", hint="write teacher")
    return TeacherClient()
