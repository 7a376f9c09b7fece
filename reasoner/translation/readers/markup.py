"""XML: TMX 1.1 to 1.4, TBX 2 and 3, XLIFF 1.2 and 2.0. Inline codes are no text; several texts of one language give a row each.

    read_tmx(Path("memory.tmx"), Wanted({"Italian": "it", "Ladin": "lld"}))

Entity declarations are refused. An XLIFF unit counts if its translation is there and no state says that a person should look at it.
"""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING
from xml.parsers import expat

from reasoner.errors import CorruptRecord
from reasoner.translation.readers._opening import opened_bytes
from reasoner.translation.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reasoner.translation.rows import Kind, Wanted

MAX_FORMS = 64
"""Combinations of one entry's texts that are read."""
NATIVE = frozenset({"bpt", "ept", "it", "ph", "ut"})
"""Elements of TMX and XLIFF 1.2 that hold native code."""
DOUBTFUL_STATES = frozenset({"new", "initial", "needs-translation", "needs-adaptation", "needs-l10n", "needs-review-adaptation",
                             "needs-review-l10n", "needs-review-translation"})  # fmt: skip


class _Reader:
    """Follows a parser through a file: `entry` begins a row, `language` says whose texts follow, `text` holds one."""

    entries: frozenset[str]
    texts: frozenset[str]

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.path, self.wanted = path, wanted
        self.rows: list[Row] = []
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler, self.parser.EndElementHandler = self._start, self._end
        self.parser.CharacterDataHandler, self.parser.EntityDeclHandler = self._text, self._refuse
        self._line = 0
        self._found: list[list[str]] = []
        self._language: int | None = None
        self._pieces: list[str] | None = None
        self._native = 0

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name in self.entries:
            self._line, self._found = self.parser.CurrentLineNumber, [[] for _ in self.wanted.languages]
            self._language = None
        self._native += self._pieces is not None and (name in NATIVE or self._native > 0)
        self._opens(name, attributes)
        if name in self.texts and self._found and self._language is not None and self._pieces is None:
            self._pieces, self._native = [], 0

    def _opens(self, name: str, attributes: dict[str, str]) -> None:
        """Look at an element that begins."""

    def _speaks(self, code: str) -> None:
        """Note whose texts follow."""
        self._language = self.wanted.side(code)
        if code:
            self.wanted.saw(code)

    def _text(self, text: str) -> None:
        if self._pieces is not None and not self._native:
            self._pieces.append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if self._native:
            self._native -= 1
        elif name in self.texts and self._pieces is not None and self._language is not None:
            self._found[self._language].append(" ".join("".join(self._pieces).split()))
            self._pieces = None
        elif name in self.entries:
            self._close()

    def _close(self, fault: Kind | None = None, what: str = "") -> None:
        """Make the rows of an entry."""
        lacking = [language for language, texts in zip(self.wanted.languages, self._found, strict=True) if not texts]
        if fault or lacking:
            self.rows.append(Row(str(self.path), self._line, fault=fault or "empty side", what=what or f"no {lacking[0]}"))
        else:
            different = (dict.fromkeys(texts) for texts in self._found)
            self.rows += [Row(str(self.path), self._line, cells) for cells in islice(product(*different), MAX_FORMS)]
        self._found = []

    def _refuse(self, *_: object) -> None:
        raise CorruptRecord(self.path, self.parser.CurrentLineNumber, "it declares entities, which such a file has no need of")

    def read(self) -> Iterator[Row]:
        """Yield the rows as the file is read.

        Raises:
            CorruptRecord: it is not well-formed, or declares entities.
            DataError: it cannot be opened.
        """
        try:
            with opened_bytes(self.path) as file:
                while chunk := file.read(1 << 16):
                    self.parser.Parse(chunk, False)  # noqa: FBT003 - the parser's own signature
                    yield from self.rows
                    self.rows.clear()
                self.parser.Parse(b"", True)  # noqa: FBT003
        except expat.ExpatError as error:
            raise CorruptRecord(self.path, error.lineno, f"not well-formed XML: {expat.ErrorString(error.code)}") from error
        yield from self.rows


class _Tmx(_Reader):
    """`tu` with `tuv` (`xml:lang`, in 1.1 `lang`) and `seg`."""

    entries, texts = frozenset({"tu"}), frozenset({"seg"})

    def _opens(self, name: str, attributes: dict[str, str]) -> None:
        if name == "tuv":
            self._speaks(attributes.get("xml:lang") or attributes.get("lang") or "")


class _Tbx(_Reader):
    """`termEntry` with `langSet` (TBX 2) or `conceptEntry` with `langSec` (TBX 3)."""

    entries, texts = frozenset({"termEntry", "conceptEntry"}), frozenset({"term"})

    def _opens(self, name: str, attributes: dict[str, str]) -> None:
        if name in {"langSet", "langSec"}:
            self._speaks(attributes.get("xml:lang") or "")


class _Xliff(_Reader):
    """`trans-unit` (1.2) or `segment` (2.0) with `source` and `target`; the languages stand at `file` or `xliff`."""

    entries, texts = frozenset({"trans-unit", "segment"}), frozenset({"source", "target"})

    def __init__(self, path: Path, wanted: Wanted) -> None:
        super().__init__(path, wanted)
        self._codes = {"source": "", "target": ""}
        self._state = ""
        self._alternatives = 0

    def _opens(self, name: str, attributes: dict[str, str]) -> None:
        if name in {"file", "xliff"}:
            for side, names in (("source", ("source-language", "srcLang")), ("target", ("target-language", "trgLang"))):
                self._codes[side] = next((attributes[each] for each in names if each in attributes), self._codes[side])
        elif name in self.entries:
            self._state = attributes.get("state", "") if name == "segment" else ""
        elif name == "alt-trans":
            self._alternatives += 1
        elif name in self.texts and self._pieces is None:
            self._speaks(self._codes[name] or name)
            if self._language is None:
                self._language = self.wanted.side(name)
            if self._alternatives:
                self._language = None
            elif name == "target":
                self._state = self._state or attributes.get("state", "")

    def _end(self, name: str) -> None:
        self._alternatives -= name.rpartition(":")[2] == "alt-trans"
        super()._end(name)

    def _close(self, fault: Kind | None = None, what: str = "") -> None:
        empty = any(not any(texts) for texts in self._found)
        if self._state in DOUBTFUL_STATES:
            fault, what = ("untranslated", "no translation") if empty else ("in doubt", f"state {self._state}")
        super()._close(fault, what)


def read_tmx(path: Path, wanted: Wanted) -> Iterator[Row]:
    """Read a TMX file; names are values of `xml:lang`.

    Raises:
        DataError: the file cannot be opened, or is no well-formed XML.
    """
    yield from _Tmx(path, wanted).read()


def read_tbx(path: Path, wanted: Wanted) -> Iterator[Row]:
    """Read a TBX file; names are values of `xml:lang`. A concept with several terms of a language gives a row for each combination.

    Raises:
        DataError: the file cannot be opened, or is no well-formed XML.
    """
    yield from _Tbx(path, wanted).read()


def read_xliff(path: Path, wanted: Wanted) -> Iterator[Row]:
    """Read an XLIFF file; names are language codes, or `source` and `target`.

    Raises:
        DataError: the file cannot be opened, or is no well-formed XML.
    """
    yield from _Xliff(path, wanted).read()
