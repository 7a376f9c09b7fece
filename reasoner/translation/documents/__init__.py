"""Files of translators, read and written so that nothing in them changes but the translations.

    document = open_document(Path("de.po"))
    document.units[0].text                            'Open {1}'     with {1} for %s
    document.written({0: Filled("Apri {1}", is_sure=True)})          the file's bytes with that translation in its place

A unit is what stands untranslated in the file. What is no text in it (tags, inline codes, placeholders, addresses) is a span: the text has `{1}`,
`{2}`, ... in its place, and a translation must have each of these once. Where it has not, the spans that lack are put at its end, and the file
says that the unit needs a person (fuzzy, needs review). Knows files; does not know models.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig, DataError
from reasoner.files.devices import ending
from reasoner.translation.documents._docx import Docx
from reasoner.translation.documents._gettext import Gettext
from reasoner.translation.documents._markdown import Markdown
from reasoner.translation.documents._spans import MARKER, SPAN, Filled, Unit, bare
from reasoner.translation.documents._subrip import Subrip
from reasoner.translation.documents._table import Table
from reasoner.translation.documents._text import Text
from reasoner.translation.documents._tmx import Tmx
from reasoner.translation.documents._xliff import Xliff

if TYPE_CHECKING:
    from collections.abc import Callable

    from reasoner.translation.documents._spans import Document

__all__ = ["ENDINGS", "MARKER", "SPAN", "Filled", "Unit", "bare", "is_document", "open_document"]

ENDINGS: dict[str, Callable[[bytes, Path], Document]] = {
    ".po": Gettext,
    ".pot": Gettext,
    ".xlf": Xliff,
    ".xliff": Xliff,
    ".srt": Subrip,
    ".md": Markdown,
    ".docx": Docx,
}
TABLES = frozenset({".csv", ".tsv"})
MAX_BYTES = 1 << 28


def is_document(path: Path, *, column: str = "", sentences: bool = False) -> bool:
    """Tell whether a file's ending is one of those that are read here; a table where a column is to be filled, a text where it is cut into sentences."""
    ending = path.suffix.lower()
    return ending in ENDINGS or ending == ".tmx" or bool(column and ending in TABLES) or (sentences and ending == ".txt")


def open_document(
    path: Path, *, source: str = "", target: str = "", column: str = "", codes: str = "", sentences: bool = False
) -> Document:
    """Read a file by its ending.

    Args:
        path: the file.
        source: the language of the texts; in a table the column that holds them.
        target: the language of the translations.
        column: the column of a table to fill, `ladin`, or both columns, `english=ladin`.
        codes: the language codes of a TMX file, `en:lld`.
        sentences: whether a text file is cut into sentences, each of its lines a paragraph.

    Raises:
        DataError: it cannot be read, is not UTF-8, or is damaged.
        BadConfig: its ending is not known, it has no such column, or its languages cannot be told.
    """
    kind = ENDINGS.get(path.suffix.lower())
    if column:
        if path.suffix.lower() not in TABLES:
            raise BadConfig(f"{path} is no table, and has no column {column[:40]!r}", hint="leave `column` out")
        first, equals, second = column.partition("=")
        kind = partial(Table, source=first if equals else source, column=second if equals else column)
    elif path.suffix.lower() == ".tmx":
        first, equals, second = codes.partition(":")
        if codes and not (first and second):
            raise BadConfig(f"{codes[:40]!r} is no pair of codes", hint="give both with `codes`, en:lld")
        kind = partial(Tmx, source=first if equals else source, target=second if equals else target)
    elif sentences and path.suffix.lower() == ".txt":
        kind = partial(Text, language=source)
    if kind is None:
        known = ", ".join([*ENDINGS, ".tmx", "with `column` .csv, .tsv, and with `sentences` .txt"])
        raise BadConfig(f"cannot translate {path}: its ending is not known", hint=f"known: {known}")
    try:
        if ending(path).stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is larger than {MAX_BYTES >> 20} MiB", hint="split it")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint="name a file that exists") from error
    return kind(data, path)
