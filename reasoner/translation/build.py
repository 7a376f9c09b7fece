"""Write a parallel corpus as one index file: texts, words, and the places of every fragment.

    with Builder(("English", "Selvan"), normalisation="full") as builder:
        builder.add(("the river sleeps", "loma nu"))
        builder.write(Path("selvan.corpus"))

The file is what memory holds, byte for byte, so an index in memory and one on disk are searched by the same code:

    magic (16 bytes) | sections, each aligned to 8 bytes | head as JSON | length of the head (8 bytes) | magic

Sections: the lines of all languages as UTF-8 and their offsets; for every language that can be searched its words (sorted), the words
of the lines as numbers with a 0 after each line, where lines start, the places sorted by the `window` words that follow, and where each
word's places start; with the normalisation `lemma` what words are looked up by; where there are any, the numbers of the preferred lines. Knows the layout; does not know where lines come from.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tempfile
from array import array
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, DataError
from reasoner.files.signatures import CORPUS
from reasoner.files.target import replaceable
from reasoner.translation.normalise import VERSIONS, Normalisation, language_of, words
from reasoner.translation.order import order
from reasoner.translation.stems import Stems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self

MAGIC = CORPUS
FORMAT = 1
MAX_TOKENS = 2**31 - 64
"""Places are 32-bit numbers."""
MAX_WINDOW = 16
DEFAULT_WINDOW = 7


class _Numbers(dict[str, int]):
    """A number for every word, in the order they are met, from 1."""

    def __missing__(self, word: str) -> int:
        self[word] = made = len(self) + 1
        return made


@dataclass
class _Side:
    """One language that can be searched, while it is being read."""

    numbers: _Numbers = field(default_factory=_Numbers)
    tokens: array[int] = field(default_factory=lambda: array("i"))
    starts: array[int] = field(default_factory=lambda: array("i"))


class Builder:
    """Takes aligned lines one by one and writes the index. Texts go straight to the file: only numbers are kept in memory."""

    def __init__(
        self,
        languages: Sequence[str],
        *,
        normalisation: Normalisation = "full",
        window: int = DEFAULT_WINDOW,
        searched: Sequence[str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Begin an index; `searched` are the languages whose fragments can be looked up (all of them), `folder` where it will be written.

        Raises:
            BadConfig: fewer than two languages, one named twice, or a window out of range.
        """
        if len(languages) < 2 or len(set(languages)) != len(languages):
            raise BadConfig(f"a parallel corpus has two or more different languages, not {', '.join(languages) or 'none'}")
        if not 1 <= window <= MAX_WINDOW:
            raise BadConfig(f"a window of {window} words", hint=f"it is between 1 and {MAX_WINDOW}")
        chosen = tuple(languages) if searched is None else tuple(searched)
        if not chosen or not set(chosen) <= set(languages):
            raise BadConfig(f"cannot search {', '.join(chosen) or 'nothing'}", hint=f"the languages are: {', '.join(languages)}")
        self.languages = tuple(languages)
        self.normalisation = normalisation
        self.window = window
        self.n_lines = 0
        self._sides = {language: _Side() for language in chosen}
        self._preferred = array("i")
        self._offsets = array("q", [0])
        self._hash = hashlib.sha256()
        self._file: Any = io.BytesIO() if folder is None else tempfile.NamedTemporaryFile(dir=folder, prefix=".corpus-", delete=False)  # noqa: SIM115 - closed in __exit__
        self._sections: dict[str, tuple[int, int]] = {}
        self._put(MAGIC)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Throw away what was not written."""
        self._file.close()
        if isinstance(name := getattr(self._file, "name", None), str):
            Path(name).unlink(missing_ok=True)

    def add(self, cells: Sequence[str], *, preferred: bool = False) -> None:
        """Add one line of every language, in the order of `languages`; none may hold a line break.

        A `preferred` line comes first wherever it is an example; a cell of it may be empty, in a language that it does not have.

        Raises:
            DataError: the index is full.
        """
        end = self._offsets[-1]
        for language, cell in zip(self.languages, cells, strict=True):
            data = cell.encode("utf-8", "replace")
            self._put(data)
            self._hash.update(b"%d:" % len(data) + data)
            end += len(data)
            self._offsets.append(end)
            side = self._sides.get(language)
            if side is not None:
                side.starts.append(len(side.tokens))
                side.tokens.extend(map(side.numbers.__getitem__, words(cell, self.normalisation, language)))
                side.tokens.append(0)
                if len(side.tokens) > MAX_TOKENS:
                    raise DataError(f"more than {MAX_TOKENS:,} words of {language}", hint="build two indexes and search both")
        if preferred:
            self._preferred.append(self.n_lines)
        self.n_lines += 1

    def write(self, path: Path, *, notes: dict[str, Any] | None = None) -> None:
        """Finish the index and put it at `path`, whole or not at all.

        Raises:
            DataError: there is no line in it, or it cannot be written.
        """
        place = replaceable(path, over=(CORPUS,))
        self._finish(notes)
        self._file.flush()
        os.fsync(self._file.fileno())
        try:
            Path(self._file.name).replace(place)
        except OSError as error:
            raise DataError(f"cannot write the index {path}: {error.strerror}") from error

    def in_memory(self) -> bytes:
        """Finish the index and return what the file would hold.

        Raises:
            DataError: there is no line in it.
        """
        self._finish(None)
        return self._file.getvalue() if isinstance(self._file, io.BytesIO) else Path(self._file.name).read_bytes()

    def _finish(self, notes: dict[str, Any] | None) -> None:
        if not self.n_lines:
            raise DataError("the corpus has no line that could be used", hint="see the report of what was wrong with them")
        self._sections["text"] = (len(MAGIC), self._offsets[-1])
        self._section("offsets", self._offsets)
        for number, language in enumerate(self._sides):
            self._finish_side(number, language, self._sides[language])
            self._sides[language] = _Side()  # its numbers are written; let the memory go before the next one is sorted
        if self._preferred:
            self._section("preferred", self._preferred)
            self._hash.update(b"preferred:" + self._preferred.tobytes())
        self._hash.update(json.dumps([self.languages, self.normalisation, VERSIONS[self.normalisation], self.window]).encode())
        head = {
            "format": FORMAT, "byteorder": sys.byteorder, "languages": self.languages, "searched": list(self._sides), "lines": self.n_lines,
            "normalisation": self.normalisation, "normalisation_version": VERSIONS[self.normalisation], "window": self.window,
            "fingerprint": self._hash.hexdigest(), "sections": self._sections, "notes": notes or {},
        }  # fmt: skip
        data = json.dumps(head).encode()
        self._put(data + len(data).to_bytes(8, "little") + MAGIC)

    def _finish_side(self, number: int, language: str, side: _Side) -> None:
        stems = self._stems(number, language, side)
        labels = ((stems.of(word) if stems else word, old) for word, old in side.numbers.items())
        in_order = sorted((label.encode("utf-8", "replace"), old) for label, old in labels)
        new = array("i", bytes(4 * (len(in_order) + 1)))
        different: list[bytes] = []
        for label, old in in_order:
            if not (stems and different and different[-1] == label):
                different.append(label)
            new[old] = len(different)
        self._section(f"{number}.word_offsets", array("i", accumulate(map(len, different), initial=0)))
        self._section(f"{number}.words", b"".join(different))
        n_words = len(different)
        side.numbers.clear()
        del in_order, different
        tokens = renumbered(side.tokens, new)
        side.starts.append(len(tokens))
        tokens.extend([0] * self.window)
        side.tokens = tokens
        places = order(tokens, window=self.window, n_words=n_words)
        self._section(f"{number}.places", places)
        self._section(f"{number}.first", _firsts(tokens, n_words))
        self._section(f"{number}.tokens", tokens)
        self._section(f"{number}.starts", side.starts)

    def _stems(self, number: int, language: str, side: _Side) -> Stems | None:
        """Return what the words are looked up by, and keep it in the index; None where it is themselves."""
        if self.normalisation != "lemma":
            return None
        rules = language_of(language)
        stems = Stems.of_language(rules.lemmas) if rules and rules.lemmas else Stems.learned(side.numbers)
        self._section(f"{number}.stems", stems.to_json())
        return stems

    def _section(self, name: str, data: Any) -> None:
        at = self._file.tell()
        self._put(bytes(-at % 8))
        view = memoryview(data).cast("B") if len(data) else memoryview(b"")
        self._sections[name] = (self._file.tell(), len(view))
        self._put(view)

    def _put(self, data: Any) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            raise DataError(f"cannot write the index: {error.strerror}", hint="is the disk full?") from error


def renumbered(tokens: array[int], new: array[int]) -> array[int]:
    """Return the tokens under their new numbers."""
    made = array("i")
    if len(tokens) < 1 << 16:
        made.extend(map(new.__getitem__, tokens))
        return made
    try:
        import numpy as np  # noqa: PLC0415 - an optional dependency
    except ImportError:
        made.extend(map(new.__getitem__, tokens))
        return made
    mapping = np.frombuffer(new, dtype=np.int32)
    source = np.frombuffer(tokens, dtype=np.int32)
    for start in range(0, len(source), 1 << 22):
        made.frombytes(mapping[source[start : start + (1 << 22)]].tobytes())
    return made


def _firsts(tokens: array[int], n_words: int) -> array[int]:
    """Return where each word's places start: word w has the places first[w] to first[w + 1]."""
    counts = [0] * (n_words + 1)
    if len(tokens) < 1 << 16:
        for token in tokens:
            counts[token] += 1
    else:
        counts = _counted(tokens, counts)
    counts[0] = 0
    return array("i", accumulate(counts, initial=0))


def _counted(tokens: array[int], counts: list[int]) -> list[int]:
    try:
        import numpy as np  # noqa: PLC0415 - an optional dependency
    except ImportError:
        for token in tokens:
            counts[token] += 1
        return counts
    made: list[int] = np.bincount(np.frombuffer(tokens, dtype=np.int32), minlength=len(counts)).tolist()
    return made
