"""Drop Water: measure an amount with two jugs by filling, emptying and pouring.

    "5 7 2 2"  ->  "Answer: 0/5 0/7 -> 0/5 7/7 -> 5/5 2/7"

Source: arXiv 2310.10686 (Drop Water).
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import Field, model_validator

from reasoner.drawing import Vessel, Vessels
from reasoner.errors import Unparseable
from reasoner.solver import FanLayout, Searchable
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers._instance import Numbers, read

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Mapping, Sequence

CAPACITIES = range(5, 30)
"""What the generator draws both capacities from, as published."""
_EXAMPLES = ("0/2 0/3 -> 0/2 3/3 -> 2/2 1/3", "0/3 0/4 -> 3/3 0/4 -> 0/3 3/4")
_SEEN = re.compile(r"(?<![0-9])([0-9]{1,9})\s*/\s*([0-9]{1,9})[\s,;|]+([0-9]{1,9})\s*/\s*([0-9]{1,9})")
"""What looks like a state, whatever stands around it."""
_QUADRUPLE = re.compile(r"([0-9]+)\s*/\s*([0-9]+)[\s,;|]*([0-9]+)\s*/\s*([0-9]+)")


class DropWater(Numbers):
    """Get exactly `goal` litres into either jug, of capacities `a` < `b`, in at most `max_moves` moves."""

    a: int = Field(ge=1, le=1000)
    b: int = Field(ge=1, le=1000)
    goal: int = Field(ge=1, le=1000)
    max_moves: int = Field(ge=1, le=20)

    @model_validator(mode="after")
    def _fits(self) -> DropWater:
        if self.a >= self.b:
            raise ValueError(f"the first jug ({self.a}) is not smaller than the second ({self.b})")
        if self.goal > self.b:
            raise ValueError(f"the goal {self.goal} fits in neither jug ({self.a}, {self.b})")
        return self


class Jugs(NamedTuple):
    """What both jugs hold, and how many moves are left."""

    a: int
    b: int
    moves_left: int


def pours(a_max: int, b_max: int, a: int, b: int) -> list[tuple[str, int, int]]:
    """Return the moves that change something, as (words, volume in A, volume in B)."""
    to_b = min(a, b_max - b)
    to_a = min(b, a_max - a)
    every = [
        ("fill A", a_max, b),
        ("fill B", a, b_max),
        ("empty A", 0, b),
        ("empty B", a, 0),
        ("pour A into B", a - to_b, b + to_b),
        ("pour B into A", a + to_a, b - to_a),
    ]
    return [move for move in every if move[1:] != (a, b)]


def distances(a_max: int, b_max: int, *, limit: int) -> dict[int, int]:
    """Return the fewest moves after which a jug can hold a volume, for every volume within `limit` moves of two empty jugs."""
    found = {0: 0}
    seen = {(0, 0)}
    edge = [(0, 0)]
    for distance in range(1, limit + 1):
        after = {(x, y) for a, b in edge for _, x, y in pours(a_max, b_max, a, b)} - seen
        seen |= after
        edge = sorted(after)
        for state in edge:
            for volume in state:
                found.setdefault(volume, distance)
    return found


@cache
def _pool(level: int) -> tuple[DropWater, ...]:
    """Return every instance whose shortest solution has exactly `level` moves."""
    return tuple(
        DropWater(a=a, b=b, goal=volume, max_moves=level)
        for a in CAPACITIES
        for b in CAPACITIES
        if a < b
        for volume, distance in sorted(distances(a, b, limit=level).items())
        if distance == level
    )


class DropWaterSolver(Searchable[DropWater, Jugs], FanLayout[DropWater, Jugs]):
    """Two jugs without marks, a tap and a drain."""

    name = "drop_water"
    summary = "measure an amount of water with two jugs"
    syntax = "A B G D, e.g. '5 7 2 2': get 2 litres with jugs of 5 and 7 in at most 2 moves"
    Instance = DropWater
    levels: ClassVar[Mapping[int, str]] = {n: f"exactly {n} moves needed, capacities 5..29" for n in (2, 4, 6, 8)}
    default_level = 4

    def parse(self, line: str) -> DropWater:
        """Read `A B G D`; A < B <= 1,000, G at most B, D is 1..20."""
        return read(self, DropWater, line)

    def format(self, instance: DropWater) -> str:
        """Write `A B G D`."""
        return instance.line()

    def generate(self, rng: random.Random, level: int) -> DropWater:
        """Draw evenly from all instances of the level; D is the exact shortest distance."""
        return rng.choice(_pool(level))

    def statement_variables(self, instance: DropWater) -> Mapping[str, Any]:
        """Return `a`, `b`, `goal`, `max_moves` and a format `example` that does not solve the instance."""
        example = next(e for e in _EXAMPLES if not self.verify(instance, f"Answer: {e}").correct)
        return {"a": instance.a, "b": instance.b, "goal": instance.goal, "max_moves": instance.max_moves, "example": example}

    def verify(self, instance: DropWater, text: str) -> Verdict:
        """Check whole states, capacities too: both empty first, every move legal, the goal in a jug last, at most D moves."""
        try:
            states = _read_states(answers.find(text))
        except Unparseable as error:
            return answers.unread(error.message)
        capacities = (instance.a, instance.b)
        for n, (a, a_max, b, b_max) in enumerate(states):
            if (a_max, b_max) != capacities:
                return answers.wrong(f"state {n}: the capacities are {a_max} and {b_max}, not {instance.a} and {instance.b}")
            if a > a_max or b > b_max:
                return answers.wrong(f"state {n}: {a}/{a_max} {b}/{b_max} holds more than fits")
        volumes = [(a, b) for a, _, b, _ in states]
        if volumes[0] != (0, 0):
            return answers.wrong(f"the jugs start with {volumes[0][0]} and {volumes[0][1]} litres, not empty")
        for n, (before, after) in enumerate(pairwise(volumes), start=1):
            if after not in {(a, b) for _, a, b in pours(*capacities, *before)}:
                return answers.wrong(f"move {n}: no move leads from {_state(instance, *before)} to {_state(instance, *after)}")
        if len(volumes) - 1 > instance.max_moves:
            return answers.wrong(f"the number of moves is {len(volumes) - 1}, at most {instance.max_moves} allowed")
        if instance.goal not in volumes[-1]:
            return answers.wrong(f"at the end no jug holds {instance.goal}: {_state(instance, *volumes[-1])}")
        return answers.right(f"a jug holds {instance.goal} (moves: {len(volumes) - 1})")

    def drawing(self, instance: DropWater, text: str) -> Vessels | None:
        """Draw the jugs of all states that an answer names, true or not."""
        try:
            found = _SEEN.findall(answers.find(text))
        except Unparseable:
            return None
        numbers = [tuple(map(int, state)) for state in found]
        states = [tuple(Vessel(holds, size, holds == instance.goal) for holds, size in (state[:2], state[2:])) for state in numbers]
        return Vessels(f"The jugs, wanted: {instance.goal} litres", tuple(states)) if states else None

    def start(self, instance: DropWater) -> Jugs:
        """Return both jugs empty, with all moves left."""
        return Jugs(0, 0, instance.max_moves)

    def moves(self, instance: DropWater, state: Jugs) -> list[Move[Jugs]]:
        """Return fill, empty and pour moves that change something; none at the goal or when no moves are left."""
        if state.moves_left <= 0 or self.is_goal(instance, state):
            return []
        found = pours(instance.a, instance.b, state.a, state.b)
        return [Move(words, Jugs(a, b, state.moves_left - 1)) for words, a, b in found]

    def is_goal(self, instance: DropWater, state: Jugs) -> bool:
        """Tell whether either jug holds the goal."""
        return instance.goal in (state.a, state.b)

    def show(self, instance: DropWater, state: Jugs) -> str:
        """Write volume/capacity of both jugs."""
        return _state(instance, state.a, state.b)

    def brief(self, instance: DropWater, state: Jugs) -> str:  # noqa: ARG002 - the capacities stand in the problem
        """Write what both jugs hold, without the capacities."""
        return f"{state.a},{state.b}"

    def brief_move(self, instance: DropWater, state: Jugs, move: Move[Jugs]) -> str:
        """Write what both jugs hold after a move; of a pour also how that is worked out: `17,28-17=11`, `5+9=14,0`, `17,8+20=28-17=11`."""
        a, b = move.state.a, move.state.b
        if state.a == a or state.b == b:  # filled or emptied
            return self.brief(instance, move.state)
        into_a = a > state.a
        filled, rest = (a, b) if into_a else (b, a)
        total = f"{state.a}+{state.b}={a + b}" if state.a and state.b else f"{a + b}"
        into, out_of = (f"{filled}", f"{total}-{filled}={rest}") if rest else (total, "0")
        return f"{into},{out_of}" if into_a else f"{out_of},{into}"

    def place(self, instance: DropWater, state: Jugs) -> Hashable:  # noqa: ARG002 - the state says it all here
        """Return the volumes: what was reached with more moves left is looked into already."""
        return (state.a, state.b)

    def answer(self, instance: DropWater, path: Sequence[Move[Jugs]]) -> str:
        """Write the states with arrows between them."""
        return "Answer: " + " -> ".join(self.show(instance, s) for s in [self.start(instance), *(move.state for move in path)])

    def solve(self, instance: DropWater) -> list[Move[Jugs]] | None:
        """Search breadth first."""
        edge: list[tuple[Jugs, list[Move[Jugs]]]] = [(self.start(instance), [])]
        seen = {(0, 0)}
        while edge:
            further: list[tuple[Jugs, list[Move[Jugs]]]] = []
            for state, path in edge:
                if self.is_goal(instance, state):
                    return path
                for move in self.moves(instance, state):
                    if (volumes := (move.state.a, move.state.b)) not in seen:
                        seen.add(volumes)
                        further.append((move.state, [*path, move]))
            edge = further
        return None


def _state(instance: DropWater, a: int, b: int) -> str:
    return f"{a}/{instance.a} {b}/{instance.b}"


def _read_states(line: str) -> list[tuple[int, int, int, int]]:
    """Read the states of an answer as (volume A, capacity A, volume B, capacity B)."""
    states: list[tuple[int, int, int, int]] = []
    for piece in answers.pieces(line):
        match = _QUADRUPLE.fullmatch(answers.without_brackets(answers.without_remarks(piece)).strip(" *_.,"))
        if match is None or any(len(number) > answers.MAX_DIGITS for number in match.groups()):
            raise Unparseable(f"{answers.shown(piece)} is no state; a state is volume/capacity of both jugs, like 0/5 7/7")
        a, a_max, b, b_max = map(int, match.groups())
        states.append((a, a_max, b, b_max))
    if len(states) < 2:
        raise Unparseable(f"{answers.shown(line)} holds a single state; the answer is states with -> between them")
    return states
