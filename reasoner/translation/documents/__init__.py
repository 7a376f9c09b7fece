"""Files of translators, read and written so that nothing in them changes but the translations.

    document = open_document(Path("de.po"))
    document.units[0].text                            'Open {1}'     with {1} for %s
    document.written({0: Filled("Apri {1}", is_sure=True)})          the file's bytes with that translation in its place

A unit is what stands untranslated in the file. What is no text in it (tags, inline codes, placeholders, addresses) is a span: the text has `{1}`,
`{2}`, ... in its place, and a translation must have each of these once. Where it has not, the spans that lack are put at its end, and the file
says that the unit needs a person (fuzzy, needs review). Knows files; does not know models.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig, DataError
from reasoner.translation.documents._gettext import Gettext
from reasoner.translation.documents._spans import Filled, Unit
from reasoner.translation.documents._subrip import Subrip
from reasoner.translation.documents._xliff import Xliff

if TYPE_CHECKING:
    from reasoner.translation.documents._spans import Document

__all__ = ["ENDINGS", "Filled", "Unit", "is_document", "open_document"]

ENDINGS: dict[str, type[Document]] = {".po": Gettext, ".pot": Gettext, ".xlf": Xliff, ".xliff": Xliff, ".srt": Subrip}
MAX_BYTES = 1 << 28


def is_document(path: Path) -> bool:
    """Tell whether a file's ending is one of those that are read here."""
    return path.suffix.lower() in ENDINGS


def open_document(path: Path) -> Document:
    """Read a file by its ending.

    Raises:
        DataError: it cannot be read, is not UTF-8, or is damaged.
        BadConfig: its ending is not known.
    """
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise BadConfig(f"cannot translate {path}: its ending is not known", hint=f"known: {', '.join(ENDINGS)}")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is larger than {MAX_BYTES >> 20} MiB", hint="split it")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}", hint="name a file that exists") from error
    return kind(data, path)
