"""Open an index and look fragments up in it, from memory or from the file as it lies on disk.

    index = Index.open(Path("selvan.corpus"))
    side = index.side("English")
    side.runs(side.numbers(["the", "old", "river"]), window=7)

A fragment's places stand side by side in the sorted list, so it is a pair (first, last) there; each further word narrows the pair by
two binary searches. Knows numbers, words and lines; does not know what makes a good example.
"""

from __future__ import annotations

import json
import mmap
import sys
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, CorruptRecord, DataError
from reasoner.translation.build import FORMAT, MAGIC
from reasoner.translation.normalise import VERSIONS, Normalisation, check, readings, words
from reasoner.translation.stems import Stems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MAX_HEAD_BYTES = 1 << 20
MAX_KNOWN = 1 << 16
MIN_NEAR, NEAR_SHARE = 4, 0.6
"""Letters, and share of the longer word, with which a word must begin like another to stand for it."""

Run = tuple[int, int]
"""A fragment's places: first and last (exclusive) in the sorted list."""


@dataclass(frozen=True)
class Side:
    """One language that can be searched."""

    word_bytes: memoryview
    word_offsets: memoryview[int]
    tokens: memoryview[int]
    starts: memoryview[int]
    places: memoryview[int]
    first: memoryview[int]
    label: Callable[[str], str] = str
    """What a word is looked up by: itself, its lemma or its stem."""
    takes_near: bool = False
    """Whether a word that no line has stands for the one that begins most like it."""
    known: dict[str, int] = field(default_factory=dict)
    """Numbers that were looked up before, at most MAX_KNOWN."""

    @property
    def n_words(self) -> int:
        """How many different words there are."""
        return len(self.word_offsets) - 1

    @property
    def n_tokens(self) -> int:
        """How many words the lines have in all."""
        return len(self.places)

    def number(self, word: str) -> int:
        """Return a word's number, 0 when no line has it."""
        if (known := self.known.get(word)) is not None:
            return known
        wanted = self.label(word).encode("utf-8", "replace")
        low, high = 0, self.n_words
        offsets, data = self.word_offsets, self.word_bytes
        while low < high:
            middle = (low + high) // 2
            if bytes(data[offsets[middle] : offsets[middle + 1]]) < wanted:
                low = middle + 1
            else:
                high = middle
        found = low < self.n_words and bytes(data[offsets[low] : offsets[low + 1]]) == wanted
        number = low + 1 if found else self._near(word, low) if self.takes_near else 0
        if len(self.known) < MAX_KNOWN:
            self.known[word] = number
        return number

    def _near(self, word: str, place: int) -> int:
        """Return the number of the word that begins most like one that would stand at `place`; 0 where none does for most of its letters."""
        best, n_best = 0, 0
        for number in (place, place + 1):
            if not 1 <= number <= self.n_words:
                continue
            other = self.word(number)
            n_same = next((at for at, (a, b) in enumerate(zip(word, other, strict=False)) if a != b), min(len(word), len(other)))
            if n_same > n_best and n_same >= max(MIN_NEAR, NEAR_SHARE * max(len(word), len(other))):
                best, n_best = number, n_same
        return best

    def word(self, number: int) -> str:
        """Return the word of a number."""
        return bytes(self.word_bytes[self.word_offsets[number - 1] : self.word_offsets[number]]).decode()

    def numbers(self, words: Sequence[str]) -> list[int]:
        """Return the words' numbers."""
        return [self.number(word) for word in words]

    def runs(self, numbers: Sequence[int], *, window: int) -> list[list[Run]]:
        """Return for every place of a query the runs of the fragments that start there: of one word, of two, ... while any is found.

        Raises:
            IndexError: the index is damaged; `sound` says so.
        """
        made: list[list[Run]] = []
        n = len(numbers)
        first = self.first
        for start in range(n):
            number = numbers[start]
            here: list[Run] = []
            if number:
                run = (first[number], first[number + 1])
                if not 0 <= run[0] <= run[1] <= self.n_tokens:
                    raise IndexError(run)
                here.append(run)
                for depth in range(1, min(window, n - start)):
                    number = numbers[start + depth]
                    if not number:
                        break
                    low, high = self.narrow(run[0], run[1], depth, number)
                    if low == high:
                        break
                    run = (low, high)
                    here.append(run)
            made.append(here)
        return made

    def narrow(self, low: int, high: int, depth: int, number: int) -> Run:
        """Return the part of a run whose word at `depth` is `number`; low == high when there is none."""
        places, tokens = self.places, self.tokens
        end = high
        while low < high:
            middle = (low + high) >> 1
            if tokens[places[middle] + depth] < number:
                low = middle + 1
            else:
                high = middle
        if low == end or tokens[places[low] + depth] != number:
            return low, low
        first, last = low, low + 1
        step = 1
        # The end is mostly near: gallop to it before searching.
        while last + step < end and tokens[places[last + step] + depth] == number:
            last += step
            step <<= 1
        high = min(end, last + step)
        while last < high:
            middle = (last + high) >> 1
            if tokens[places[middle] + depth] == number:
                last = middle + 1
            else:
                high = middle
        return first, last

    def whole_lines(self, numbers: Sequence[int], *, window: int) -> frozenset[int]:
        """Return the lines whose words are exactly these; `window` is that of the index."""
        depth = min(len(numbers), window)
        runs = self.runs(numbers[:depth], window=depth)[0] if depth else []
        if not depth or len(runs) < depth:
            return frozenset()
        wanted, made = list(numbers), set()
        for at in range(*runs[-1]):
            place = self.places[at]
            if place and self.tokens[place - 1]:
                continue  # not the beginning of a line
            end = place + len(wanted)
            if end < len(self.tokens) and self.tokens[end] == 0 and self.tokens[place:end].tolist() == wanted:
                made.add(self.line_of(place))
        return frozenset(made)

    def line_of(self, place: int) -> int:
        """Return the line a token stands in."""
        return bisect_right(self.starts, place) - 1

    def line_numbers(self, line: int) -> list[int]:
        """Return a line's words as numbers."""
        return self.tokens[self.starts[line] : self.starts[line + 1] - 1].tolist()


class Index:
    """An opened index. Safe to read from several threads; nothing in it changes."""

    def __init__(self, data: Any, head: dict[str, Any], name: str) -> None:
        self._data = memoryview(data)
        self._head = head
        self.name = name
        self.languages: tuple[str, ...] = tuple(head["languages"])
        self.searched: tuple[str, ...] = tuple(head["searched"])
        self.n_lines: int = head["lines"]
        self.window: int = head["window"]
        self.normalisation: Normalisation = check(head["normalisation"])
        self.fingerprint: str = head["fingerprint"]
        self.notes: dict[str, Any] = head["notes"]
        try:
            self._text = self._section("text")
            self._offsets = self._section("offsets").cast("q")
            self._sides = {language: self._open_side(number) for number, language in enumerate(self.searched)}
            self.preferred = frozenset(self._section("preferred").cast("i")) if "preferred" in head["sections"] else frozenset[int]()
            """Lines that come first wherever they are examples: what a person corrected."""
        except (KeyError, TypeError) as error:
            raise DataError(f"{name} is damaged: a section is missing or cut", hint="build it again") from error
        self._check()

    @classmethod
    def open(cls, path: Path) -> Index:
        """Map an index file; only what is asked for is read.

        Raises:
            DataError: there is no such file, it is no index, it is damaged, or another version made it.
        """
        try:
            with path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is empty"
            raise DataError(f"cannot open the corpus {path}: {why}", hint="make one with 'reasoner corpus build'") from error
        return cls(data, _read_head(data, str(path)), str(path))

    @classmethod
    def of_bytes(cls, data: bytes, name: str) -> Index:
        """Open an index that is held in memory.

        Raises:
            DataError: it is damaged.
        """
        return cls(data, _read_head(data, name), name)

    @property
    def size_bytes(self) -> int:
        """How long the index is."""
        return len(self._data)

    @property
    def search_bytes(self) -> int:
        """How much of it serves the search; the rest is the texts themselves and their offsets."""
        return sum(size for name, (_, size) in self._head["sections"].items() if name not in {"text", "offsets"})

    def side(self, language: str) -> Side:
        """Return a language's searchable side.

        Raises:
            BadConfig: the corpus has no such language, or it was not indexed.
        """
        if language in self._sides:
            return self._sides[language]
        self.column(language)
        raise BadConfig(
            f"{self.name}: {language} was not indexed", hint=f"indexed: {', '.join(self.searched)}; build it again without `search`"
        )

    def column(self, language: str) -> int:
        """Return the number of a language.

        Raises:
            BadConfig: the corpus has no such language.
        """
        if language not in self.languages:
            raise BadConfig(f"{self.name} has no language {language[:40]!r}", hint=f"it has: {', '.join(self.languages)}")
        return self.languages.index(language)

    def words(self, text: str, language: str) -> list[str]:
        """Return the words of a text as they were cut when the index was made."""
        return words(text, self.normalisation, language)

    def readings(self, text: str, language: str) -> list[list[str]]:
        """Return the ways a query may match; see `normalise`."""
        return readings(text, self.normalisation, language)

    def text(self, line: int, column: int) -> str:
        """Return one line of one language as it was read."""
        at = line * len(self.languages) + column
        return bytes(self._text[self._offsets[at] : self._offsets[at + 1]]).decode("utf-8", "replace")

    def _section(self, name: str) -> memoryview:
        at, size = self._head["sections"][name]
        return self._data[at : at + size]

    def _check(self) -> None:
        """Check that the sections are as long as each other asks for, so that no number in the head makes a search endless.

        Raises:
            DataError: they are not.
        """
        n_tails = self.window
        as_told = len(self._offsets) == self.n_lines * len(self.languages) + 1 and all(
            len(side.starts) == self.n_lines + 1
            and len(side.first) == side.n_words + 2
            and len(side.tokens) == len(side.places) + self.n_lines + n_tails
            for side in self._sides.values()
        )
        if self.n_lines < 1 or not as_told or any(not 0 <= line < self.n_lines for line in self.preferred):
            raise DataError(f"{self.name} is damaged: its sections do not fit each other", hint="build it again")

    def _open_side(self, number: int) -> Side:
        def numbers(name: str) -> memoryview[int]:
            return self._section(f"{number}.{name}").cast("i")

        stems = f"{number}.stems"
        label = Stems.from_json(bytes(self._section(stems)), self.name).of if stems in self._head["sections"] else str
        return Side(
            self._section(f"{number}.words"),
            numbers("word_offsets"),
            numbers("tokens"),
            numbers("starts"),
            numbers("places"),
            numbers("first"),
            label,
            self.normalisation == "subword",
        )


def _read_head(data: Any, name: str) -> dict[str, Any]:
    """Read the head from the end of an index and check that the sections lie inside it."""
    n_bytes = len(data)
    tail = len(MAGIC) + 8
    if n_bytes < len(MAGIC) + tail or bytes(data[: len(MAGIC)]) != MAGIC or bytes(data[n_bytes - len(MAGIC) :]) != MAGIC:
        raise DataError(f"{name} is not a corpus index, or was cut off", hint="make one with 'reasoner corpus build'")
    length = int.from_bytes(data[n_bytes - tail : n_bytes - tail + 8], "little")
    if length > min(MAX_HEAD_BYTES, n_bytes - tail):
        raise DataError(f"{name} is damaged: its head cannot be {length} bytes long", hint="build it again")
    try:
        head: dict[str, Any] = json.loads(bytes(data[n_bytes - tail - length : n_bytes - tail]))
        made_by = (head["format"], head["byteorder"], head["normalisation"], head["normalisation_version"])
        sections = {key: (int(at), int(size)) for key, (at, size) in head["sections"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptRecord(name, 1, "the head of the index cannot be read") from error
    if made_by != (FORMAT, sys.byteorder, made_by[2], VERSIONS.get(str(made_by[2]))):
        raise DataError(f"{name} was made by another version or on another kind of machine {made_by}", hint="build it again")
    if not _is_head(head):
        raise DataError(f"{name} is damaged: its head lacks what a search needs", hint="build it again")
    if any(at < 0 or size < 0 or at + size > n_bytes - tail - length for at, size in sections.values()):
        raise DataError(f"{name} is damaged: a section lies outside the file", hint="build it again")
    return head


def _is_head(head: dict[str, Any]) -> bool:
    """Tell whether the values of a head are of the kinds that are read."""
    names = [head.get("languages"), head.get("searched")]
    return (
        all(isinstance(each, list) and each and all(isinstance(name, str) for name in each) for each in names)
        and set(head["searched"]) <= set(head["languages"])
        and all(isinstance(head.get(name), int) and not isinstance(head[name], bool) for name in ("lines", "window"))
        and isinstance(head.get("fingerprint"), str)
        and isinstance(head.get("notes"), dict)
    )


@contextmanager
def sound(index: Index) -> Iterator[None]:
    """Say that an index is damaged where a number in it leads nowhere; opening it reads only its head.

    Raises:
        DataError: it is.
    """
    try:
        yield
    except (IndexError, UnicodeDecodeError) as error:
        raise DataError(f"{index.name} is damaged: a number in it leads nowhere", hint="build it again") from error
