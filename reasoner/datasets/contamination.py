"""Contamination: whether a row shares a run of n words with files a model will be evaluated on.

    Evaluation.read([Path("eval.jsonl")], n=13).touches("... a question of the evaluation, word for word ...") -> True

Questions of one family share their wording, and differ in their numbers: a run of words that stands in three or more of the
evaluation's texts is taken for wording, not for a leak. Runs are kept as hashes of eight bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

from reasoner.datasets.duplicates import Seen, shingles
from reasoner.errors import BadConfig, CorruptRecord, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

COMMON = 3
"""A run of words in this many evaluation texts is their common wording."""
MIN_CHARS = 20
"""Shorter texts of an evaluation file (`yes`, `24`) are no sign of anything."""


class Evaluation:
    """The runs of words that give an evaluation away."""

    def __init__(self, texts: Iterator[str], *, n: int) -> None:
        if not 3 <= n <= 100:
            raise BadConfig(f"runs of {n} words cannot be compared", hint="give 3 to 100, 13 is usual")
        self._n = n
        self._runs = Seen()
        counted: Counter[int] = Counter()
        self.n_texts = 0
        for text in texts:
            self.n_texts += 1
            counted.update({_hash(run) for run in shingles(text, n)})
        for run, count in counted.items():
            if count < COMMON:
                self._runs.add_hash(run)

    @classmethod
    def read(cls, paths: Sequence[Path], *, n: int) -> Self:
        """Read files of JSON lines (every string in them counts) or of plain text (every line counts).

        Raises:
            DataError: a file cannot be read, or a line of a `.jsonl` file is no JSON.
        """
        return cls((text for path in paths for text in _texts(path)), n=n)

    def touches(self, text: str) -> bool:
        """Tell whether a text shares a telling run of words with the evaluation."""
        return any(self._runs.has(run.encode("utf-8", "surrogatepass")) for run in shingles(text, self._n))


def _hash(run: str) -> int:
    return int.from_bytes(blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1


def _texts(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                if path.suffix == ".jsonl":
                    try:
                        strings = _strings(json.loads(line))
                    except (ValueError, RecursionError) as error:
                        raise CorruptRecord(path, number, f"no JSON: {error}") from error
                else:
                    strings = [line]
                yield from (s for s in strings if len(s) >= MIN_CHARS)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}", hint="give a file of JSON lines or of text") from error


def _strings(value: Any) -> list[str]:
    found: list[str] = []
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, dict):
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return found
