"""Exact search over merging numbers: take two, put back their sum, difference, product or quotient, until one is left.

Numbers are normalised `(numerator, denominator)` pairs, several times faster than `Fraction`.

    reachable(((4, 1), (9, 1), (10, 1), (13, 1)), (24, 1))  ->  True, by (10 - 4) * (13 - 9)
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

Rational = tuple[int, int]
"""A normalised fraction: positive denominator, no common factor."""
Rationals = tuple[Rational, ...]

CACHE_SIZE = 1 << 17


def rational(numerator: int, denominator: int = 1) -> Rational:
    """Return the normalised pair; the denominator is not zero."""
    common = gcd(numerator, denominator)
    if denominator < 0:
        common = -common
    return numerator // common, denominator // common


def results(a: Rational, b: Rational) -> list[Rational]:
    """Return a + b, b - a, a - b, a * b, a / b, b / a, without divisions by zero and, where a == b, without the mirror images."""
    (an, ad), (bn, bd) = a, b
    if ad == 1 and bd == 1:
        found = [(an + bn, 1), (bn - an, 1), (an - bn, 1), (an * bn, 1)]
    else:
        left, right, below = an * bd, bn * ad, ad * bd
        found = [rational(left + right, below), rational(right - left, below), rational(left - right, below), rational(an * bn, below)]
    if bn:
        found.append(rational(an * bd, ad * bn))
    if an:
        found.append(rational(bn * ad, bd * an))
    if a == b:
        del found[2]
        if an:
            del found[-1]
    return found


def merged(state: Rationals) -> list[Rationals]:
    """Return every state one merge away, sorted inside; a merge of equal values is listed once, results that happen to agree are not."""
    found: list[Rationals] = []
    seen: set[tuple[Rational, Rational]] = set()
    for i in range(len(state)):
        for j in range(i + 1, len(state)):
            pair = (state[i], state[j])
            if pair not in seen:
                seen.add(pair)
                rest = state[:i] + state[i + 1 : j] + state[j + 1 :]
                found += [tuple(sorted((*rest, value))) for value in results(*pair)]
    return found


@lru_cache(maxsize=CACHE_SIZE)
def reachable(state: Rationals, goal: Rational) -> bool:
    """Tell whether merging all numbers can give the goal. `state` is sorted."""
    if len(state) == 1:
        return state[0] == goal
    if len(state) == 2:
        return goal in results(*state)
    return any(reachable(after, goal) for after in merged(state))


@lru_cache(maxsize=CACHE_SIZE)
def n_ways(state: Rationals, goal: Rational) -> int:
    """Count the sequences of merges that give the goal. `state` is sorted."""
    if len(state) == 1:
        return int(state[0] == goal)
    if len(state) == 2:
        return results(*state).count(goal)
    return sum(n_ways(after, goal) for after in merged(state))


@lru_cache(maxsize=CACHE_SIZE)
def values(state: Rationals) -> frozenset[Rational]:
    """Return every value that merging all numbers can give. `state` is sorted."""
    if len(state) == 1:
        return frozenset(state)
    if len(state) == 2:
        return frozenset(results(*state))
    return frozenset().union(*(values(after) for after in merged(state)))
