"""Gettext files (PO): `msgid` is one language, `msgstr` the other, plural forms apart; fuzzy and empty entries are left out.

read_po(Path("lld.po"), Wanted({"English": "msgid", "Ladin": "msgstr"}))
read_po(Path("lld.po"), Wanted({"English": "en", "Ladin": "lld"}))          the head says `Language: lld`; the other one is msgid
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reasoner.files.decoding import decode
from reasoner.files.lines import ENDS
from reasoner.translation.po import declared_text, entries_of
from reasoner.translation.readers._opening import opened_bytes
from reasoner.translation.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reasoner.translation.rows import Wanted


def read_po(path: Path, wanted: Wanted) -> Iterator[Row]:
    """Read the translated entries of a PO file.

    Raises:
        DataError: the file cannot be opened, or a line is none of a PO file.
    """
    with opened_bytes(path) as file:
        data = file.read()
    made = declared_text(data, path) or decode(data)
    entries = entries_of(ENDS.split(made.text), path)
    head = next((entry.texts.get("msgstr", "") for entry in entries if entry.texts.get("msgid") == ""), "")
    language = re.search(r"^Language:[^\S\n]*([\w@-]+)", head, flags=re.MULTILINE)
    for name in ("msgid", "msgstr", *([language[1]] if language else [])):
        wanted.saw(name)
    sides = _sides(wanted, language[1] if language else "")
    for entry in entries if sides else ():
        for keyword, source, text in entry.translations():
            line = entry.lines["msgid"][0] + 1
            if entry.is_fuzzy or not text:
                yield Row(str(path), line, fault="in doubt" if text else "untranslated", what=keyword)
            else:
                yield Row(str(path), line, tuple(" ".join((source, text)[side].split()) for side in sides))


def _sides(wanted: Wanted, language: str) -> list[int]:
    """Return for each language whether it is the source (0) or the translation (1); empty where the file has another pair."""
    if len(wanted.languages) != 2:
        return []
    target = wanted.side("msgstr")
    target = wanted.side("target") if target is None else target
    if target is None and language:
        target = wanted.side(language)
    if target is None and ((source := wanted.side("msgid")) is not None or (source := wanted.side("source")) is not None):
        target = 1 - source
    return [] if target is None else [int(number == target) for number in range(2)]
