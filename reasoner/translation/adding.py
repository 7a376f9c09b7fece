"""Put corrected translations into an index, where they come before all other examples.

    add_preferred(Path("ladin.corpus"), [{"Italian": "Il cane corre.", "Ladin": "L cian cor."}], source="Italian")

The index is written anew, whole or not at all; a preferred line of the same source sentence is replaced. A line need not have all languages of
the corpus. Knows indexes; does not know who corrected what.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig, DataError
from reasoner.files.signatures import CORPUS
from reasoner.files.target import replaceable
from reasoner.translation.build import Builder
from reasoner.translation.index import Index, sound
from reasoner.translation.memory import plain
from reasoner.translation.rows import MAX_CELL_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Added:
    """What came of it: lines that are new, lines that took the place of an earlier one, lines that were there as they are, and lines in all."""

    n_new: int
    n_replaced: int
    n_known: int
    n_lines: int


def add_preferred(path: Path, lines: Sequence[Mapping[str, str]], *, source: str) -> Added:
    """Add lines (language to text) to the index at `path`, before all others as examples. Of several with the same source text the last counts.

    Raises:
        BadConfig: the corpus lacks a language, a line lacks the source or any translation, or a text is empty, too long, or not one line.
        DataError: there is no index, it is damaged, it changed meanwhile, or it cannot be written.
    """
    index = Index.open(replaceable(path, over=(CORPUS,)))
    state = path.stat()
    index.column(source)
    new = {_key(line, source): dict(_checked(index, line, source)) for line in lines}
    with sound(index):
        before = {_key(line, source): line for line in _preferred(index)}
        known = [key for key, line in new.items() if before.get(key) == line]
        todo = {key: line for key, line in new.items() if before.get(key) != line}
        if not todo:
            return Added(0, 0, len(known), index.n_lines)
        with Builder(
            index.languages,
            normalisation=index.normalisation,
            window=index.window,
            searched=index.searched,
            folder=replaceable(path, over=(CORPUS,)).parent,
        ) as builder:
            for number in range(index.n_lines):
                cells, is_preferred = _cells(index, number), number in index.preferred
                if not (is_preferred and _key(dict(zip(index.languages, cells, strict=True)), source) in todo):
                    builder.add(cells, preferred=is_preferred)
            for line in todo.values():
                builder.add([line.get(language, "") for language in index.languages], preferred=True)
            now = path.stat()
            if (now.st_ino, now.st_mtime_ns) != (state.st_ino, state.st_mtime_ns):
                raise DataError(f"{path} was written by another process meanwhile", hint="add the lines again")
            builder.write(path, notes=index.notes)
            n_lines = builder.n_lines
    n_replaced = sum(key in before for key in todo)
    return Added(len(todo) - n_replaced, n_replaced, len(known), n_lines)


def _cells(index: Index, line: int) -> list[str]:
    return [index.text(line, column) for column in range(len(index.languages))]


def _preferred(index: Index) -> Iterator[dict[str, str]]:
    """Yield the preferred lines, each with the languages that it has."""
    for number in sorted(index.preferred):
        yield {language: cell for language, cell in zip(index.languages, _cells(index, number), strict=True) if cell}


def _key(line: Mapping[str, str], source: str) -> tuple[str, frozenset[str]]:
    """Return what two lines must share for one to replace the other: the source text, and the languages that they have."""
    return plain(line.get(source, "")), frozenset(language for language, text in line.items() if text.strip())


def _checked(index: Index, line: Mapping[str, str], source: str) -> Iterator[tuple[str, str]]:
    """Yield the languages and texts of a line.

    Raises:
        BadConfig: it cannot be a line of the corpus.
    """
    if not line.get(source, "").strip() or len(line) < 2:
        raise BadConfig(f"a line needs a text of {source} and one of another language", hint="leave the line out")
    for language, text in line.items():
        index.column(language)
        if len(text) > MAX_CELL_CHARS or not text.strip() or any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in text):
            raise BadConfig(
                f"the {language} text {text[:40]!r} is empty, too long, or not one line", hint="give one line of text, or leave it out"
            )
        yield language, text.strip()
