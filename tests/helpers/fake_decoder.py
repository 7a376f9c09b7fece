"""A model that is a hash, for those who decide what is decoded when: it refuses what llama.cpp would get wrong, and every answer is known beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from reasoner.clients.llamacpp.worker.decoder import OutOfCells, Slice

END = 0
N_VOCAB = 50


def next_token(tokens: Sequence[int]) -> int:
    """The 'model': the next token is a hash of all before it."""
    return int(hashlib.sha256(repr(tuple(tokens)).encode()).hexdigest(), 16) % N_VOCAB


def alone(prompt: Sequence[int], max_tokens: int) -> list[int]:
    written: list[int] = []
    while len(written) < max_tokens:
        token = next_token([*prompt, *written])
        if token == END:
            break
        written.append(token)
    return written


class FakeModel:
    """Sequences as lists of (cell, token): a copied cell is the same cell."""

    def __init__(self, n_cells: int = 10_000, *, shares_prefixes: bool = True) -> None:
        self.n_cells = n_cells
        self.shares_prefixes = shares_prefixes
        self.held: dict[int, list[tuple[int, int]]] = {}
        self.rows: list[tuple[int, ...]] = []
        self.n_decoded = 0
        self._last_cell = 0

    def cells(self) -> set[int]:
        return {cell for held in self.held.values() for cell, _ in held}

    def decode(self, slices: Sequence[Slice]) -> list[int | None]:
        n_new = sum(len(piece.tokens) for piece in slices)
        assert n_new > 0
        if len(self.cells()) + n_new > self.n_cells:
            raise OutOfCells
        self.rows = []
        found: list[int | None] = []
        for piece in slices:
            held = self.held.setdefault(piece.seq, [])
            assert piece.start == len(held), "a slice must continue what its sequence holds"
            for token in piece.tokens:
                self._last_cell += 1
                held.append((self._last_cell, token))
            self.n_decoded += len(piece.tokens)
            if piece.wants_logits:
                self.rows.append(tuple(token for _, token in held))
            found.append(len(self.rows) - 1 if piece.wants_logits else None)
        return found

    def copy(self, source: int, target: int, length: int) -> None:
        assert not self.held.get(target), "a sequence that is in use was given out"
        assert len(self.held[source]) >= length
        self.held[target] = self.held[source][:length]

    def share(self, source: int, target: int, length: int) -> None:
        ours, theirs = self.held[target], self.held[source]
        assert [token for _, token in ours[:length]] == [token for _, token in theirs[:length]]
        ours[:length] = theirs[:length]

    def trim(self, seq: int, length: int) -> None:
        assert len(self.held[seq]) >= length
        del self.held[seq][length:]

    def free(self, seq: int) -> None:
        self.held.pop(seq, None)

    def clear(self) -> None:
        self.held.clear()


class FakeTask:
    def __init__(self, model: FakeModel, prompt: Sequence[int], max_tokens: int = 8, *, alone: bool = False, n_forced: int = 0) -> None:
        self.model = model
        self.n_forced = n_forced
        self.prompt = list(prompt)
        self.n_opening = 0
        self.max_tokens = max_tokens
        self.written: list[int] = []
        self.alone = alone
        self.discard_cache = False
        self.continued = False
        self.n_cached = 0

    def take(self, row: int) -> bool:
        token = next_token(self.model.rows[row])
        if token == END:
            return True
        self.written.append(token)
        # As a constraint does that leaves no choice: what follows is known without being read first.
        known = self.model.rows[row]
        for _ in range(self.n_forced):
            known = (*known, self.written[-1])
            if len(self.written) >= self.max_tokens or (following := next_token(known)) == END:
                break
            self.written.append(following)
        return len(self.written) >= self.max_tokens


def check(tasks: Sequence[FakeTask]) -> None:
    for task in tasks:
        assert task.written == alone(task.prompt, task.max_tokens)
