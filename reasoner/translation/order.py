"""Sort the places of a token sequence by what follows: the suffix array, to a bounded depth.

    order(array("i", [3, 1, 3, 2, 0, 0]), window=2, n_words=3) -> array("i", [1, 3, 0, 2])      1 3 | 2 0 | 3 1 | 3 2

Knows whole numbers only. Ties (equal to `window` tokens) stay in the order of the text, so both roads give the same result: plain
Python for little, numpy for much, in parts, so that memory stays near twelve bytes a token.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from reasoner.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterator

PYTHON_TOKENS = 200_000
"""Up to here plain Python is quick enough."""
MAX_PYTHON_TOKENS = 3_000_000
"""From here on plain Python would take minutes, and numpy is demanded."""
PART_TOKENS = 1 << 22
"""Places sorted at once, so that the keys of a corpus of fifty million tokens need not stand in memory together."""
_KEY_BITS = 63


def order(tokens: array[int], *, window: int, n_words: int, with_numpy: bool | None = None) -> array[int] | Any:
    """Return the places of all tokens but 0, sorted by the `window` tokens that start there; an array of 32-bit numbers.

    `tokens` must end with `window` zeros; `n_words` is the largest token. `with_numpy` forces one road (tests compare them).

    Raises:
        MissingDependency: there are too many tokens for plain Python, and numpy is not installed.
    """
    if with_numpy is None:
        with_numpy = len(tokens) > PYTHON_TOKENS and _numpy_or(len(tokens)) is not None
    if with_numpy:
        return _numpy_order(tokens, window, n_words)
    places = [place for place, token in enumerate(tokens) if token]
    places.sort(key=lambda place: tokens[place : place + window].tolist())
    return array("i", places)


def _numpy_or(n_tokens: int) -> Any:
    try:
        import numpy as np  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        if n_tokens > MAX_PYTHON_TOKENS:
            raise MissingDependency(f"numpy, which an index of {n_tokens:,} words needs,", extra="translation") from error
        return None
    return np


def _numpy_order(tokens: array[int], window: int, n_words: int) -> Any:
    import numpy as np  # noqa: PLC0415 - an optional dependency

    view = np.frombuffer(tokens, dtype=np.int32)
    bits = max(1, int(n_words).bit_length())
    per_key = max(1, _KEY_BITS // bits)
    counts = np.bincount(view, minlength=n_words + 1)
    made = np.empty(int(counts[1:].sum()), dtype=np.int32)
    at = 0
    for first, last in _parts(counts):
        places = np.flatnonzero((view >= first) & (view < last)).astype(np.int32)
        made[at : at + len(places)] = places[_sorted_part(np, view, places, window, bits, per_key)]
        at += len(places)
    return made


def _sorted_part(np: Any, view: Any, places: Any, window: int, bits: int, per_key: int) -> Any:
    """Return the order of some places: stable sorts by packed keys, from the last tokens to the first."""
    ordering = None
    for start in range((window - 1) // per_key * per_key, -1, -per_key):
        key = np.zeros(len(places), dtype=np.int64)
        for offset in range(start, min(start + per_key, window)):
            key <<= bits
            key |= view[places + offset]
        ordering = np.argsort(key, kind="stable") if ordering is None else ordering[np.argsort(key[ordering], kind="stable")]
    return ordering


def _parts(counts: Any) -> Iterator[tuple[int, int]]:
    """Cut the words into ranges [first, last) that have at most PART_TOKENS places, or are one word."""
    first, held = 1, 0
    for word in range(1, len(counts)):
        n = int(counts[word])
        if held and held + n > PART_TOKENS:
            yield first, word
            first, held = word, 0
        held += n
    if first < len(counts):
        yield first, len(counts)
