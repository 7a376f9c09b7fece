"""Arguments for the functions of the family `code`, drawn as their file says.

drawn(("ints 0 3 1 9", "int 0 5"), 7)  ->  "[3, 7], 0"
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

WORDS = ("apple", "river", "Stone", "ox", "window", "a", "Echo", "blue", "night", "tea", "garden", "Ivy", "z", "copper", "leaf")


def drawn(arguments: Sequence[str], seed: int) -> str:
    """Return the arguments of one call as they are written in Python."""
    rng = random.Random(seed)
    return ", ".join(repr(_value(rng, *argument.split())) for argument in arguments)


def _value(rng: random.Random, kind: str, *bounds: str) -> Any:
    numbers = [int(bound) for bound in bounds]
    if kind == "int":
        return rng.choice((*numbers, rng.randint(*numbers), rng.randint(*numbers)))
    if kind in {"ints", "sorted", "different"}:
        fewest, most, low, high = numbers
        values = [rng.randint(low, high) for _ in range(rng.randint(fewest, most))]
        return values if kind == "ints" else sorted(values) if kind == "sorted" else sorted(set(values))
    if kind == "words":
        return [rng.choice(WORDS) for _ in range(rng.randint(*numbers))]
    if kind == "year":
        return rng.choice((rng.randint(1, 25) * 100, rng.randint(1, 25) * 100, rng.randint(1583, 2400), 4 * rng.randint(400, 600)))
    if kind == "mirror":
        half = rng.choice(WORDS)
        return rng.choice((half + half[::-1], half + half[-2::-1], half, half + "x" + half[::-1], half[:-1] + "q" + half[::-1]))
    if kind == "brackets":
        return (
            "".join(rng.choice("()[]a") for _ in range(rng.randint(0, 6)))
            if rng.random() < 0.5
            else rng.choice(("([a])", "()[]", "((", "([)]", "(]", "a", "[()]("))
        )
    if kind == "text":
        words = [rng.choice(WORDS) for _ in range(rng.randint(0, 4))]
        return rng.choice((" ", "  ")).join(words)
    raise ValueError(f"there are no arguments of the kind {kind!r}")
