"""Number Path: reach a number from another in exactly N steps, each of which doubles or adds one.

    "4 9 41"  ->  "Answer: 9 -> 10 -> 20 -> 40 -> 41"

Source: arXiv 2310.10686 (Number Path).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field, model_validator

from reasoner.constraint import Constraint
from reasoner.drawing import Chain, Stop
from reasoner.errors import Unparseable
from reasoner.solver import FanLayout, Outlook, Searchable
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers._instance import Numbers, read

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

MAX_START = 20
_FAMILIAR_STEPS = 4
_EXAMPLES = ("2 -> 4 -> 5", "3 -> 4 -> 5 -> 10")
_LONE_NUMBER = re.compile(r"\(\s*([0-9]{1,9})\s*\)")
_REMARK = re.compile(r"\([^()]*\)")
_NUMBER = re.compile(r"[0-9]+")


class NumberPath(Numbers):
    """Reach `target` from `start` in exactly `steps` steps."""

    steps: int = Field(ge=1, le=20)
    start: int = Field(ge=1, le=10_000)
    target: int = Field(ge=1, le=10_000)

    @model_validator(mode="after")
    def _grows(self) -> NumberPath:
        if self.target <= self.start:
            raise ValueError(f"the target {self.target} is not above the start {self.start}, and every step grows")
        return self


class Reached(NamedTuple):
    """The number reached, and how many steps are left."""

    value: int
    steps_left: int


def max_target(steps: int) -> int:
    """Return the largest target the generator draws: 100 up to four steps as published, then twice as much per further step."""
    return 100 << max(0, steps - _FAMILIAR_STEPS)


@cache
def _pool(steps: int) -> tuple[NumberPath, ...]:
    """Return every solvable instance of a level, each once, sorted."""
    found: list[NumberPath] = []
    for start in range(1, MAX_START + 1):
        ends = {start}
        for _ in range(steps):
            ends = {after for value in ends for after in (2 * value, value + 1)}
        found += [NumberPath(steps=steps, start=start, target=end) for end in sorted(ends) if end <= max_target(steps)]
    return tuple(found)


class NumberPathSolver(Searchable[NumberPath, Reached], FanLayout[NumberPath, Reached]):
    """Doubling and adding one, a fixed number of times."""

    name = "number_path"
    summary = "reach a number from another in exactly N steps, each doubling or adding one"
    syntax = "N S T, e.g. '4 9 41': reach 41 from 9 in exactly 4 steps"
    Instance = NumberPath
    levels: ClassVar[Mapping[int, str]] = {
        n: f"{n} step{'s' * (n > 1)}, start 1..{MAX_START}, target up to {max_target(n)}" for n in range(1, 9)
    }
    default_level = 4

    def parse(self, line: str) -> NumberPath:
        """Read `N S T`; N is 1..20, the numbers 1..10,000."""
        return read(self, NumberPath, line)

    def format(self, instance: NumberPath) -> str:
        """Write `N S T`."""
        return instance.line()

    def generate(self, rng: random.Random, level: int) -> NumberPath:
        """Draw evenly from all solvable instances of the level."""
        return rng.choice(_pool(level))

    def statement_variables(self, instance: NumberPath) -> Mapping[str, Any]:
        """Return `steps`, `start`, `target` and a format `example` that does not solve the instance."""
        example = next(e for e in _EXAMPLES if not self.verify(instance, f"Answer: {e}").correct)
        return {"steps": instance.steps, "start": instance.start, "target": instance.target, "example": example}

    def verify(self, instance: NumberPath, text: str) -> Verdict:
        """Check start, every step, the number of steps and the end."""
        try:
            path = _read_path(answers.find(text))
        except Unparseable as error:
            return answers.unread(error.message)
        if path[0] != instance.start:
            return answers.wrong(f"the path starts at {path[0]}, not at {instance.start}")
        for n, (before, after) in enumerate(pairwise(path), start=1):
            if after != 2 * before and after != before + 1:  # no set: it would cost more than the step
                return answers.wrong(f"step {n}: {before} -> {after} is neither doubling ({2 * before}) nor adding one ({before + 1})")
        if len(path) - 1 != instance.steps:
            return answers.wrong(f"the number of steps is {len(path) - 1}, not {instance.steps}")
        if path[-1] != instance.target:
            return answers.wrong(f"the path ends at {path[-1]}, not at {instance.target}")
        return answers.right(f"{instance.start} reaches {instance.target} (steps: {instance.steps})")

    def drawing(self, instance: NumberPath, text: str) -> Chain | None:
        """Draw the numbers of an answer with the step between each two, `?` where it is no legal one."""
        try:
            numbers = [int(found) for found in _NUMBER.findall(answers.find(text)) if len(found) <= answers.MAX_DIGITS]
        except Unparseable:
            return None
        steps = ["", *("× 2" if b == 2 * a else "+ 1" if b == a + 1 else "?" for a, b in pairwise(numbers))]
        stops = tuple(Stop(str(n), by, marked=n == instance.target) for n, by in zip(numbers, steps, strict=False))
        return Chain(f"The path to {instance.target}", stops) if stops else None

    def start(self, instance: NumberPath) -> Reached:
        """Return the start with all steps left."""
        return Reached(instance.start, instance.steps)

    def moves(self, instance: NumberPath, state: Reached) -> list[Move[Reached]]:  # noqa: ARG002 - the state says it all here
        """Return doubling, then adding one, while steps are left."""
        value, left = state
        if left <= 0:
            return []
        return [
            Move(f"{value} * 2 = {2 * value}", Reached(2 * value, left - 1)),
            Move(f"{value} + 1 = {value + 1}", Reached(value + 1, left - 1)),
        ]

    def is_goal(self, instance: NumberPath, state: Reached) -> bool:
        """Tell whether all steps are used and the target is reached."""
        return state.steps_left == 0 and state.value == instance.target

    def show(self, instance: NumberPath, state: Reached) -> str:  # noqa: ARG002 - the state says it all here
        """Write the number; how many steps are left follows from where it stands."""
        return str(state.value)

    def outlook(self, instance: NumberPath, state: Reached) -> Outlook:
        """Call a number dead from which even adding one in each step that is left goes past the target."""
        return "dead" if state.value + state.steps_left > instance.target else "open"

    def answer(self, instance: NumberPath, path: Sequence[Move[Reached]]) -> str:
        """Write the numbers with arrows between them."""
        return "Answer: " + " -> ".join(map(str, [instance.start, *(move.state.value for move in path)]))

    def answer_constraint(self, instance: NumberPath) -> Constraint:
        """Return the pattern of a path from the start, as long as the paths are."""
        return Constraint.regex(f"Answer: {instance.start}(?: -> [0-9]{{1,9}}){{{instance.steps}}}", after_thought=True)

    def solve(self, instance: NumberPath) -> list[Move[Reached]] | None:
        """Search level by level; every path has the same length, and a number above the target never comes down."""
        paths: dict[Reached, list[Move[Reached]]] = {self.start(instance): []}
        for _ in range(instance.steps):
            longer: dict[Reached, list[Move[Reached]]] = {}
            for state, path in paths.items():
                for move in self.moves(instance, state):
                    if move.state.value <= instance.target and move.state not in longer:
                        longer[move.state] = [*path, move]
            paths = longer
        return paths.get(Reached(instance.target, 0))


def _read_path(line: str) -> list[int]:
    """Read the numbers of a path; a remark in brackets beside a number is skipped."""
    path: list[int] = []
    for piece in answers.pieces(line):
        if piece.isascii() and piece.isdigit() and len(piece) <= answers.MAX_DIGITS:  # what the patterns below would make of it
            path.append(int(piece))
            continue
        number = _REMARK.sub("", _LONE_NUMBER.sub(r"\1", piece)).strip(" []{}*_.,")
        if not _NUMBER.fullmatch(number) or len(number) > answers.MAX_DIGITS:
            raise Unparseable(f"{answers.shown(piece)} is not a whole number; the answer is numbers with -> between them")
        path.append(int(number))
    if len(path) < 2:
        raise Unparseable(f"{answers.shown(line)} is no path; the answer is numbers with -> between them")
    return path
