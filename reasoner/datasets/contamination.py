"""Contamination: whether a row holds a question of files a model will be evaluated on, or shares a run of n words with their texts.

    Evaluation.read([Path("eval.jsonl")], n=13).touches("... a question of the evaluation, word for word ...") -> True

Questions of one family share their wording, and differ in their numbers: a run of words that stands in three or more *different* texts of the
evaluation is taken for wording, not for a leak. Questions that are shorter than a run, or hold nothing but such wording, are compared whole: with
a row's texts, their paragraphs and their lines. What cannot be compared is counted. Runs are kept as hashes of eight bytes.
"""

from __future__ import annotations

import re
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self

from reasoner.datasets.duplicates import Seen, shingles, words_of
from reasoner.errors import BadConfig, DataError
from reasoner.files import complaint, read_lines, read_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

COMMON = 3
"""A run of words in this many different evaluation texts is their common wording."""
LEAST_WORDS = 4
"""A shorter question (`24?`) is a line of many texts that have nothing to do with the evaluation."""
QUESTIONS = frozenset({
    "question", "problem", "prompt", "input", "instruction", "query", "body", "text", "statement", "question_content", "turns", "messages", "conversations",
})  # fmt: skip
"""Columns that are asked. Where a row has none of them, every text in it is taken; answers alone (`yes`, `18`) give nothing away."""
TABLES = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet", ".xml", ".gz")
_LABEL = re.compile(r"^\s*(?:question|problem|q|task|input|instruction|user)\s*\d{0,4}\s*[:.)]\s*", re.IGNORECASE)


class Evaluation:
    """What gives an evaluation away: its runs of words, and its short questions."""

    def __init__(self, texts: Iterable[str], *, n: int) -> None:
        if not 3 <= n <= 100:
            raise BadConfig(f"runs of {n} words cannot be compared", hint="give 3 to 100, 13 is usual")
        self._n = n
        self._runs = Seen()
        self._whole = Seen()
        self.n_texts = self.n_repeated = self.n_too_short = 0
        distinct = Seen()
        counted: Counter[int] = Counter()
        kept: list[tuple[int, tuple[int, ...]]] = []
        for text in texts:
            self.n_texts += 1
            words = words_of(_LABEL.sub("", text))
            own = _hash(" ".join(words))
            if not distinct.add_hash(own):
                self.n_repeated += 1
            elif len(words) < LEAST_WORDS:
                self.n_too_short += 1
            elif len(words) < n:
                self._whole.add_hash(own)
            else:
                runs = tuple({_hash(run) for run in shingles(text, n)})
                counted.update(runs)
                kept.append((own, runs))
        for own, runs in kept:
            telling = [run for run in runs if counted[run] < COMMON]
            for run in telling:
                self._runs.add_hash(run)
            if not telling:
                self._whole.add_hash(own)

    @classmethod
    def read(cls, paths: Sequence[Path], *, n: int) -> Self:
        """Read files of rows (JSON Lines, JSON, CSV, TSV, Parquet; also packed) or of plain text, a line a text.

        Raises:
            DataError: a file cannot be read.
            CorruptRecord: a row cannot be read; an evaluation that is read in part would let through what stands in the rest.
        """
        return cls((text for path in paths for text in _texts(path)), n=n)

    def touches(self, text: str) -> bool:
        """Tell whether a text shares a telling run of words with the evaluation, or holds one of its short questions."""
        if any(self._runs.has(_bytes(run)) for run in shingles(text, self._n)):
            return True
        return self._whole.count > 0 and any(self._whole.has(_bytes(piece)) for piece in _pieces(text))

    def report(self) -> dict[str, int]:
        """Return what of the evaluation could not be compared, or only as a whole."""
        told = {
            f"evaluation texts of fewer than {LEAST_WORDS} words, not compared": self.n_too_short,
            f"evaluation texts compared as a whole only (fewer than {self._n} words, or wording that {COMMON} others share)": self._whole.count,
            "evaluation texts that stand there more than once, compared once": self.n_repeated,
        }
        return {what: n for what, n in told.items() if n}


def _pieces(text: str) -> Iterator[str]:
    """Yield a text, its paragraphs and its lines, as words with single spaces and without a label before them."""
    pieces = dict.fromkeys([text, *text.split("\n\n"), *text.split("\n")])
    for piece in pieces:
        words = words_of(_LABEL.sub("", piece))
        if len(words) >= LEAST_WORDS:
            yield " ".join(words)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _hash(run: str) -> int:
    return int.from_bytes(blake2b(_bytes(run), digest_size=8).digest(), "little") or 1


def _texts(path: Path) -> Iterator[str]:
    hint = "give a file of rows (.jsonl, .json, .csv, .tsv, .parquet) or of text"
    if not path.is_file():
        raise DataError(f"cannot read {path}: there is no such file", hint=hint)
    if not path.name.lower().endswith(TABLES):
        lines, _ = read_lines(path, hint=hint)
        yield from (line.text for line in lines if line.text.strip())
        return
    found = read_records(path, hint=hint)
    if found.faults:
        raise complaint(path, found.faults, found.n_rows)
    for record in found.rows:
        asked = {name: value for name, value in record.values.items() if str(name).lower() in QUESTIONS}
        yield from _strings(asked or record.values)


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
