"""How fast two forms of one model are on this machine, in the same seconds: in tokens per second of one core.

    speeds_of([model, converted]) -> [Speed(read=51.3, alone=22.9, together=59.7), Speed(...)]

One thread computes, and its CPU time is what counts, so that other programs on the machine hardly change the figures; the models take turns, for
the rest. Knows models that decode.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from reasoner.clients.llamacpp.worker.decoder import Slice
from reasoner.clients.llamacpp.worker.model import Model

READ_TOKENS = 128
ROUNDS = 3
STEPS = 5
WIDTH = 8
MIN_GAIN = 1.1
MIN_SHARE = 0.9
"""`auto` takes a form that is so many times as fast in the mean of reading, writing alone and writing together, and in none slower than this."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens per second of one core: reading a prompt, writing one answer, writing several at once."""

    read: float
    alone: float
    together: float

    def over(self, other: Speed) -> tuple[float, ...]:
        """Return how many times as fast this is, figure by figure."""
        return self.read / other.read, self.alone / other.alone, self.together / other.together


def gain(ratios: Sequence[float]) -> float:
    """Return the geometric mean of ratios, 0 where one of them is too slow to be made up for."""
    return 0.0 if min(ratios) < MIN_SHARE else math.prod(ratios) ** (1 / len(ratios))


def speeds_of(models: Sequence[Model], *, width: int = WIDTH) -> list[Speed]:
    """Measure models that have one thread each, writing so many answers at once; leaves empty caches."""
    taken: list[list[tuple[float, float, float]]] = [[] for _ in models]
    for turn in range(ROUNDS + 1):
        for model, rounds in zip(models, taken, strict=True):
            measured = _once(model, width)
            if turn:  # the first warms up
                rounds.append(measured)
    return [Speed(*(statistics.median(column) for column in zip(*rounds, strict=True))) for rounds in taken]


def _once(model: Model, width: int) -> tuple[float, float, float]:
    n_read = min(READ_TOKENS, model.n_ctx // 2)
    tokens = [1 + (7919 * i) % 199 for i in range(n_read)]
    width = width if model.shares_prefixes and model.n_sequences > width else 1
    model.clear()
    read = n_read / _cpu_s(model, [Slice(0, 0, tokens, wants_logits=True)])
    steps = range(n_read, n_read + STEPS)
    alone = 1 / statistics.median(_cpu_s(model, [Slice(0, at, tokens[:1], wants_logits=True)]) for at in steps)
    model.trim(0, n_read)
    for seq in range(1, width):
        model.copy(0, seq, n_read)
    many = [[Slice(seq, at, tokens[:1], wants_logits=True) for seq in range(width)] for at in steps]
    together = width / statistics.median(_cpu_s(model, slices) for slices in many)
    model.clear()
    return read, alone, together


def _cpu_s(model: Model, slices: Sequence[Slice]) -> float:
    started = time.process_time()
    model.decode(slices)
    return max(time.process_time() - started, 1e-9)
