"""Duplicates: exact ones by hash, in a table of eight bytes a slot; near ones by MinHash.

    seen = Seen()
    seen.add(b"a"), seen.add(b"a") -> True, False

Exact: 16 to 32 bytes an entry; two different texts share a 64-bit hash with a chance of about
one in 40 million for a million entries. Near: `datasketch` (extra `data`), which keeps about 3 kB a row.
"""

from __future__ import annotations

import re
from array import array
from hashlib import blake2b
from typing import Any

from reasoner.errors import BadConfig, MissingDependency

_WORD = re.compile(r"\w+|[^\w\s]")
_SHINGLE = 3
_PERMUTATIONS = 128


class Seen:
    """A set of hashes with open addressing: what a Python set would hold in 100 bytes an entry stands here in 16 to 32."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * 1024))
        self._mask = 1023
        self.count = 0

    def add(self, data: bytes) -> bool:
        """Add what `data` hashes to; True when it was not there yet."""
        return self.add_hash(int.from_bytes(blake2b(data, digest_size=8).digest(), "little"))

    def add_hash(self, value: int) -> bool:
        """Add a 64-bit hash; True when it was not there yet."""
        value = value or 1  # zero marks a free slot
        slots, mask = self._slots, self._mask
        at = value & mask
        while (found := slots[at]) != 0:
            if found == value:
                return False
            at = (at + 1) & mask
        slots[at] = value
        self.count += 1
        if self.count * 2 > mask:
            self._grow()
        return True

    def has(self, data: bytes) -> bool:
        """Tell whether what `data` hashes to is there."""
        value = int.from_bytes(blake2b(data, digest_size=8).digest(), "little") or 1
        at = value & self._mask
        while (found := self._slots[at]) != 0:
            if found == value:
                return True
            at = (at + 1) & self._mask
        return False

    def _grow(self) -> None:
        old = self._slots
        self._mask = 2 * self._mask + 1
        slots = self._slots = array("Q", bytes(8 * (self._mask + 1)))
        mask = self._mask
        for value in old:
            if value:
                at = value & mask
                while slots[at]:
                    at = (at + 1) & mask
                slots[at] = value


class NearDuplicates:
    """Texts that share most of their three-word shingles with one that was taken."""

    def __init__(self, threshold: float) -> None:
        if not 0.5 <= threshold < 1.0:
            raise BadConfig(
                f"a near-duplicate threshold of {threshold} cannot be", hint="give a Jaccard similarity from 0.5 to below 1, 0.9 say"
            )
        try:
            from datasketch import MinHash, MinHashLSH  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingDependency("datasketch, which finds near duplicates,", extra="data") from error
        self._minhash: Any = MinHash
        self._index: Any = MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS)
        self._kept: dict[int, Any] = {}
        self._threshold = threshold

    def add(self, text: str) -> bool:
        """Take a text; True when nothing like it was taken before."""
        signature = self._minhash(num_perm=_PERMUTATIONS, seed=1)
        signature.update_batch([s.encode("utf-8", "surrogatepass") for s in shingles(text, _SHINGLE)])
        near = self._index.query(signature)
        if any(self._kept[key].jaccard(signature) >= self._threshold for key in near):
            return False
        self._kept[len(self._kept)] = signature
        self._index.insert(len(self._kept) - 1, signature)
        return True


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; numbers and signs are words."""
    return _WORD.findall(text.lower())


def shingles(text: str, n: int) -> set[str]:
    """Return all runs of n words (numbers and signs are words); the whole text where it has fewer."""
    words = words_of(text)
    if len(words) <= n:
        return {" ".join(words)}
    return {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}
