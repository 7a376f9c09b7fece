"""The two seams of the scheduler: what it needs of a model, and how it sees a request.

decoder.decode([Slice(seq=3, start=0, tokens=(1, 4093), wants_logits=True)]) -> [1]   # the row of its logits
task.take(1) -> False                                                               # it drew a token, and goes on
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from reasoner.clients.llamacpp.worker.prefix_files import Found
from reasoner.clients.llamacpp.worker.prefix_tree import Cells


class OutOfCells(Exception):
    """The decoder has no room for a batch."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Tokens of one sequence to be decoded: they take the positions from `start` on. Logits are wanted of the last one, or of none."""

    seq: int
    start: int
    tokens: Sequence[int]
    wants_logits: bool


class Decoder(Cells, Protocol):
    """What the scheduler needs of a model."""

    n_cells: int
    shares_prefixes: bool

    def decode(self, slices: Sequence[Slice]) -> list[int | None]:
        """Put a batch through; return the row of each slice's logits, None where none were wanted.

        Raises:
            OutOfCells: there is no room; nothing was changed.
        """

    def copy(self, source: int, target: int, length: int) -> None:
        """Let a sequence begin with the first tokens of another."""

    def clear(self) -> None:
        """Drop all sequences."""

    def state(self, seq: int) -> bytes:
        """Return what the cache holds of a sequence; empty where it cannot be written."""

    def restore(self, seq: int, state: bytes) -> bool:
        """Let a sequence hold such a state; False, and nothing held, where that is not possible."""


class Prefixes(Protocol):
    """Prefixes on disk, see `reasoner.clients.llamacpp.worker.prefix_files`."""

    def longest(self, tokens: Sequence[int]) -> Found | None:
        """Return the file that has the most first tokens in common with these."""

    def wants(self, tokens: Sequence[int]) -> bool:
        """Tell whether a shared prefix is worth a file."""

    def keep(self, tokens: Sequence[int], state: bytes) -> None:
        """Write a prefix."""

    def read(self, found: Found) -> bytes | None:
        """Return the state of a file, None where it is damaged."""

    def forget(self, found: Found) -> None:
        """Do not find a file again."""


class Task(Protocol):
    """One request as the scheduler sees it."""

    prompt: list[int]
    n_opening: int
    """How many tokens at its end open the reply; some templates write them otherwise in the next turn."""
    max_tokens: int
    written: list[int]
    alone: bool
    """Whether nothing else may run beside it: it is suspected of having brought a worker down."""
    discard_cache: bool
    """Whether nobody will continue its answer: nothing of it is kept that no other request shares."""
    continued: bool
    """Whether somebody will most likely continue its answer at once."""
    n_cached: int
    """How much of its prompt was found in the cache; set when it is let in."""

    def take(self, row: int) -> bool:
        """Draw the next token from a row of logits, and tell whether the answer is complete.

        The token is appended to `written`, and after it those that leave no choice; none when it ends the answer.
        """
