r"""The entries of a gettext file (PO, POT): their texts, the lines these stand on, and whether they are fuzzy.

    entries_of(['msgid "Open %s"', 'msgstr "Apri %s"'], path)[0].translations()  ->  ("msgstr", "Open %s", "Apri %s")

Serves the reader of corpora and the writer of files alike; does not know which entries count for them.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reasoner.errors import CorruptRecord
from reasoner.files.decoding import BYTE_ORDER_MARKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_STRING = re.compile(r'\s*(?:(msgctxt|msgid_plural|msgid|msgstr(?:\[\d{1,2}\])?)\s*)?"((?:[^"\\]|\\.)*)"\s*')
_CHARSET = re.compile(rb'^"Content-Type:[^\n"]{0,80}charset=([\w.:+-]{1,40})', re.MULTILINE | re.IGNORECASE)
_CHARSETS = re.compile(
    r"ascii|iso8859-\d{1,2}|koi8-[rut]|cp\d{3,4}|gb2312|gbk|gb18030|big5|big5hkscs|euc_jp|euc_kr|shift_jis|johab|tis-620"
)
"""The character sets that gettext knows, by Python's names of them."""
_LOOKED_AT = 1 << 16
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}


@dataclass
class Entry:
    """One entry: the texts by keyword, the lines of each, and where it begins."""

    first: int
    texts: dict[str, str] = field(default_factory=dict)
    lines: dict[str, list[int]] = field(default_factory=dict)
    flags: int | None = None
    """The line of its flags."""
    is_fuzzy: bool = False

    def translations(self) -> Iterator[tuple[str, str, str]]:
        """Yield each translation, an empty one too, as its keyword, the text it is of, and its own text; nothing for the head of a file.

        `msgstr` and `msgstr[0]` are of `msgid`, the other plural forms of `msgid_plural`.
        """
        singular = self.texts.get("msgid", "")
        for keyword, text in self.texts.items():
            if singular and keyword.startswith("msgstr"):
                yield keyword, singular if keyword in {"msgstr", "msgstr[0]"} else self.texts.get("msgid_plural", singular), text


@dataclass(frozen=True, slots=True)
class Declared:
    """The text of a PO file in the character set that its head names: as Python calls it, and as the head does."""

    text: str
    charset: str
    name: str


def declared_text(data: bytes, path: Path) -> Declared | None:
    """Return the text of a PO file whose head names another character set than UTF-8; None where it names that or none, or has a byte order mark.

    Raises:
        CorruptRecord: it names one that gettext does not know, or the file is not in the one it names.
    """
    found = None if data.startswith(BYTE_ORDER_MARKS) else _CHARSET.search(data[:_LOOKED_AT])
    name = found[1].decode("ascii", "replace") if found else ""
    if found is None or name.upper() in {"CHARSET", "UTF-8", "UTF8"}:
        return None
    try:
        charset = codecs.lookup(name).name
    except LookupError:
        charset = ""
    if not _CHARSETS.fullmatch(charset):
        raise CorruptRecord(path, data.count(b"\n", 0, found.start()) + 1, f"the character set {name!r} is not known")
    try:
        return Declared(data.decode(charset), charset, name)
    except UnicodeDecodeError as error:
        raise CorruptRecord(path, data.count(b"\n", 0, error.start) + 1, f"it is not {name}, as its head says") from error


def entries_of(lines: Sequence[str], path: Path) -> list[Entry]:
    """Return the entries of a PO file, its head among them.

    Raises:
        CorruptRecord: a line is none of a PO file.
    """
    made: list[Entry] = []
    entry, keyword = Entry(0), ""
    for number, line in enumerate(lines):
        text = line.strip().removeprefix("\ufeff")
        if not text or text.startswith("#"):
            if entry.texts:
                made.append(entry)
                entry = Entry(number)
            if text.startswith("#,"):
                entry.flags = number
                entry.is_fuzzy = "fuzzy" in re.split(r"[,\s]+", text)
            keyword = ""
            continue
        found = _STRING.fullmatch(text)
        if found is None or not (found[1] or keyword):
            raise CorruptRecord(path, number + 1, "it is no line of a PO file")
        if found[1] in {"msgid", "msgctxt"} and "msgstr" in "".join(entry.texts):
            made.append(entry)
            entry = Entry(number)
        keyword = found[1] or keyword
        if found[1] in entry.texts:
            raise CorruptRecord(path, number + 1, f"a second {keyword} in one entry")
        if not entry.texts:
            entry.first = number
        entry.texts[keyword] = entry.texts.get(keyword, "") + _unescaped(found[2])
        entry.lines.setdefault(keyword, []).append(number)
    return [*made, entry] if entry.texts else made


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text)
