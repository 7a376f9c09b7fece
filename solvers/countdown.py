"""Countdown: make a target from four to six numbers, each used exactly once, where every result on the way is a whole number.

    "82 from 3 7 25 50"  ->  "Answer: 7 + 3 * (50 - 25) = 82"

A result below zero is not allowed, and a division has to come out even: these are the rules of the published generator. An answer is one expression, or its
operations one after the other. What can be seen of an answer without the target (`visible_check`) is whether it keeps to the rules.

Source: Gandhi et al., "Stream of Search", arXiv 2404.03683 (targets 10 to 100; four numbers there).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasoner.constraint import Constraint
from reasoner.drawing import Chain, Stop
from reasoner.errors import BadInstance, Unparseable
from reasoner.grading.expression import Operation, Undefined, evaluate
from reasoner.solver import Searchable, Seen
from reasoner.text import clean, shorten
from reasoner.types import Move, Verdict
from solvers import _answer as answers
from solvers import _merging as merging
from solvers._record import why

if TYPE_CHECKING:
    import random
    from collections.abc import Hashable, Iterator, Mapping, Sequence

LOWEST, HIGHEST = 10, 100
_LINE = re.compile(r"([0-9]{1,5}) from ([0-9]{1,5}(?: [0-9]{1,5}){3,5})")
_SEPARATOR = re.compile(r"->|[,;]")
_EXAMPLES = ("(11 + 5) * 2 - 13 = 19", "(12 - 8) * 9 + 14 = 50")
_LEVELS = {1: (4, 10), 2: (4, 50), 3: (5, 50), 4: (6, 50)}
"""How many numbers, and up to which."""

Numbers = tuple[int, ...]
"""The numbers that are left, sorted."""


class Countdown(BaseModel):
    """Make `target` from `numbers`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    numbers: tuple[int, ...] = Field(min_length=4, max_length=6)
    target: int = Field(ge=1, le=10_000)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says: its operations, the number they end at, what breaks the rules (empty: nothing), and what it is said to be worth."""

    steps: tuple[Operation, ...]
    value: Fraction
    broken: str = ""
    said: tuple[Fraction, ...] = ()


class CountdownSolver(Searchable[Countdown, Numbers]):
    """Four to six numbers, one target."""

    name = "countdown"
    summary = "make a target from four to six numbers, using each once"
    syntax = "TARGET from n n n n, e.g. '82 from 3 7 25 50': four to six numbers"
    Instance = Countdown
    levels: ClassVar[Mapping[int, str]] = {
        level: f"{n} numbers of 1..{most}, targets {LOWEST}..{HIGHEST}" for level, (n, most) in _LEVELS.items()
    }
    default_level = 1

    def parse(self, line: str) -> Countdown:
        """Read `TARGET from n n n n`; the instance need not be solvable."""
        found = _LINE.fullmatch(" ".join(line[:200].split())) if len(line) <= 200 else None
        fault = "it has another form"
        if found is not None:
            try:
                return Countdown(numbers=tuple(map(int, found[2].split())), target=int(found[1]))
            except ValidationError as error:
                fault = why(error)
        raise BadInstance(f"countdown: cannot use the instance '{shorten(clean(line), 60)}': {fault}", hint=f"the syntax is {self.syntax}")

    def format(self, instance: Countdown) -> str:
        """Write `TARGET from n n n n`."""
        return f"{instance.target} from {' '.join(map(str, instance.numbers))}"

    def canonical(self, instance: Countdown) -> Hashable:
        """Return the sorted numbers and the target: their order makes no other puzzle."""
        return (*sorted(instance.numbers), instance.target)

    def generate(self, rng: random.Random, level: int) -> Countdown:
        """Draw numbers, and merge them at random until what is left is a target."""
        n, most = _LEVELS[level]
        while True:
            numbers = tuple(rng.randint(1, most) for _ in range(n))
            for _ in range(10):
                state = tuple(sorted(numbers))
                while len(state) > 1:
                    state = rng.choice(_moves(state)).state
                if LOWEST <= state[0] <= HIGHEST:
                    return Countdown(numbers=numbers, target=state[0])

    def statement_variables(self, instance: Countdown) -> Mapping[str, Any]:
        """Return `numbers`, `target` and a format `example` that does not solve the instance."""
        example = next(e for e in _EXAMPLES if not self.verify(instance, f"Answer: {e}").correct)
        return {"numbers": list(instance.numbers), "target": instance.target, "example": example}

    def answer_constraint(self, instance: Countdown) -> Constraint:
        """Return the pattern of an expression that is said to be worth the target."""
        return Constraint.regex(rf"Answer: [0-9(][0-9+*/() -]{{6,100}} = {instance.target}", after_thought=True)

    def verify(self, instance: Countdown, text: str) -> Verdict:
        """Check that each number is used once, that every result is whole and not below zero, and that the last is the target."""
        try:
            reading = _read(instance, answers.without_remarks(answers.find(text)))
        except Unparseable as error:
            return answers.unread(error.message)
        if reading.broken:
            return answers.wrong(reading.broken)
        if reading.value != instance.target:
            return answers.wrong(f"the numbers make {_short(reading.value)}, not {instance.target}")
        if (other := next((said for said in reading.said if said != instance.target), None)) is not None:
            return answers.wrong(f"the expression is said to be {_short(other)}, not {instance.target}")
        return answers.right(f"each number is used once and makes {instance.target}")

    def visible_check(self, instance: Countdown, text: str) -> Seen:
        """Check the rules, and not whether the target is met."""
        try:
            reading = _read(instance, answers.without_remarks(answers.find(text)))
        except Unparseable as error:
            return Seen(passed=False, told=error.message)
        return Seen(not reading.broken, reading.broken or "each number is used once, and every result is a whole number")

    def start(self, instance: Countdown) -> Numbers:
        """Return the numbers, sorted."""
        return tuple(sorted(instance.numbers))

    def moves(self, instance: Countdown, state: Numbers) -> Sequence[Move[Numbers]]:  # noqa: ARG002 - the state says it all here
        """Return every merge of two numbers that gives a whole number, not below zero."""
        return _moves(state)

    def is_goal(self, instance: Countdown, state: Numbers) -> bool:
        """Tell whether the one number left is the target."""
        return state == (instance.target,)

    def show(self, instance: Countdown, state: Numbers) -> str:  # noqa: ARG002 - the state says it all here
        """Write the numbers left."""
        return " ".join(map(str, state))

    def answer(self, instance: Countdown, path: Sequence[Move[Numbers]]) -> str:
        """Write the path as one expression; one that stops short of a single number, as its operations."""
        if len(path) < len(instance.numbers) - 1:
            return f"Answer: {'; '.join(move.operation for move in path) or '?'}"
        made = merging.expression(merging.numbers(instance.numbers), [move.operation for move in path])
        return f"Answer: {made} = {path[-1].state[0]}"

    def solve(self, instance: Countdown) -> list[Move[Numbers]] | None:
        """Search exactly, depth first; all paths are equally long."""
        state = self.start(instance)
        if not _reaches(state, instance.target):
            return None
        path: list[Move[Numbers]] = []
        while len(state) > 1:
            path.append(next(move for move in _moves(state) if _reaches(move.state, instance.target)))
            state = path[-1].state
        return path

    def drawing(self, instance: Countdown, text: str) -> Chain | None:
        """Draw what is left after every operation that was written down."""
        try:
            reading = _read(instance, answers.without_remarks(answers.find(text)))
        except Unparseable:
            return None
        state: Numbers | None = self.start(instance)
        stops = [Stop(" ".join(map(str, self.start(instance))))]
        for step in reading.steps:
            state = _after(state, step) if state is not None else None
            if state is None:
                return None
            stops.append(Stop(shorten(" ".join(map(str, state)), 60), by=f"{_short(step.left)} {step.operator} {_short(step.right)}"))
        last = stops[-1]
        stops[-1] = Stop(last.text, last.by, marked=state == (instance.target,))
        return Chain(f"{instance.target} from {len(instance.numbers)} numbers", tuple(stops))


def _merges(state: Numbers) -> Iterator[tuple[int, str, int, int, Numbers]]:
    """Yield the legal merges (left, sign, right, result, what is left then): for each pair a <= b those of a + b, b - a, a * b, b / a."""
    for i in range(len(state)):
        for j in range(i + 1, len(state)):
            a, b = state[i], state[j]
            rest = (*state[:i], *state[i + 1 : j], *state[j + 1 :])
            made = [(a, "+", b, a + b), (b, "-", a, b - a), (a, "*", b, a * b)]
            if a and b % a == 0:
                made.append((b, "/", a, b // a))
            for left, sign, right, result in made:
                yield left, sign, right, result, tuple(sorted((*rest, result)))


@lru_cache(maxsize=1 << 15)
def _moves(state: Numbers) -> tuple[Move[Numbers], ...]:
    """Return the legal merges, those in the same words once."""
    found: dict[str, Move[Numbers]] = {}
    for left, sign, right, result, after in _merges(state):
        words = f"{left} {sign} {right} = {result}"
        found.setdefault(words, Move(words, after))
    return tuple(found.values())


@lru_cache(maxsize=1 << 19)
def _reaches(state: Numbers, target: int) -> bool:
    """Tell whether merging all numbers can give the target."""
    if len(state) == 1:
        return state[0] == target
    if len(state) == 2:
        a, b = state
        return target in (a + b, b - a, a * b) or (a > 0 and b % a == 0 and b // a == target)
    return any(_reaches(after, target) for after in dict.fromkeys(after for *_, after in _merges(state)))


def _read(instance: Countdown, line: str) -> Reading:
    """Read an expression, with or without what it is said to be worth, or equations one after the other.

    Raises:
        Unparseable: it is neither.
    """
    pieces = [piece.strip() for piece in _SEPARATOR.split(line)]
    if len(pieces) == 1:
        expression, *said = line.split("=")
        steps, value, literals, broken = _evaluated(expression)
        if not broken and sorted(literals) != sorted(instance.numbers):
            shown = shorten(" ".join(map(_short, literals)), 60)
            broken = f"the expression uses {shown}, not {' '.join(map(str, instance.numbers))}"
        return Reading(steps, value, broken, tuple(_evaluated(side)[1] for side in said))
    return _chained(instance, pieces)


def _chained(instance: Countdown, pieces: Sequence[str]) -> Reading:
    """Follow equations; lists of numbers between them are passed over."""
    state: Numbers = tuple(sorted(instance.numbers))
    steps: tuple[Operation, ...] = ()
    for piece in pieces:
        if merging.read_numbers(piece) is not None:
            continue
        left_side, equals, right_side = piece.strip("() ").partition("=") if piece.count("(") == piece.count(")") else ("", "", "")
        if not equals:
            raise Unparseable(f"{answers.shown(piece)} is neither an equation nor a list of numbers")
        made, value, _, broken = _evaluated(left_side)
        if len(made) != 1 and not broken:
            raise Unparseable(f"{answers.shown(piece)} is not one operation of two numbers")
        claimed = _evaluated(right_side)[1]
        if broken or claimed != value:
            return Reading(steps, Fraction(0), broken or f"{answers.shown(piece)} does not hold: it is {_short(value)}")
        after = _after(state, made[0])
        if after is None:
            return Reading(
                steps, Fraction(0), f"{answers.shown(piece)}: these are not both left of {shorten(' '.join(map(str, state)), 60)}"
            )
        steps, state = (*steps, made[0]), after
    if len(state) != 1:
        return Reading(steps, Fraction(0), f"{shorten(' '.join(map(str, state)), 60)} are left at the end, not one number")
    return Reading(steps, Fraction(state[0]))


def _after(state: Numbers, step: Operation) -> Numbers | None:
    """Return what is left after an operation, None where its numbers are not there."""
    rest = list(state)
    for operand in (int(step.left), int(step.right)):
        if operand not in rest:
            return None
        rest.remove(operand)
    return tuple(sorted((*rest, int(step.result))))


def _evaluated(text: str) -> tuple[tuple[Operation, ...], Fraction, tuple[Fraction, ...], str]:
    """Work out an expression; (operations, value, numbers written, what breaks the rules).

    Raises:
        Unparseable: it is no expression.
    """
    try:
        made = evaluate(text)
    except Undefined as error:
        return (), Fraction(0), (), error.message
    for left, operator, right, result in made.operations:
        if result.denominator != 1:
            return made.operations, made.value, made.literals, f"{_short(left)} / {_short(right)} is no whole number"
        if min(left, right, result) < 0:
            below = min(left, right)
            told = f"{_short(left)} {operator} {_short(right)}" if below >= 0 else _short(below)
            return made.operations, made.value, made.literals, f"{told} is below zero"
    return made.operations, made.value, made.literals, f"{_short(made.value)} is below zero" if made.value < 0 else ""


def _short(value: Fraction) -> str:
    return str(value) if value.numerator.bit_length() + value.denominator.bit_length() < 60 else "a huge number"
