"""Translation memories (TMX 1.1 to 1.4): units without a segment of the target language get one; all other bytes stay.

    <tu><tuv xml:lang="en"><seg>Open <bpt i="1">*</bpt>now<ept i="1">*</ept></seg></tuv></tu>
    -> <tu> ... <tuv xml:lang="lld"><seg>Giaurì <bpt i="1">*</bpt>ades<ept i="1">*</ept></seg></tuv></tu>

`bpt ept it ph ut` hold native code and are one span with what is in them; `hi` is a pair of spans. A memory has no states: the command's
report names what a person should look at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

from reasoner.errors import BadConfig
from reasoner.text import clean, shorten
from reasoner.translation.documents._spans import Filled, has_words, spliced
from reasoner.translation.documents._xml import NATIVE, Element, ElementReader, XmlDocument, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass
class _Variant:
    """One `tuv`, and its segment."""

    tuv: Element
    segment: Element | None = None

    @property
    def code(self) -> str:
        """Its language."""
        return self.tuv.attributes.get("xml:lang") or self.tuv.attributes.get("lang") or ""


class _Reader(ElementReader):
    """Finds units, each a list of variants."""

    kind = "TMX"

    def __init__(self, data: bytes, path: Path) -> None:
        self.source = ""
        self.units: list[list[_Variant]] = []
        super().__init__(data, path)

    def _begins(self, element: Element) -> None:
        if element.name == "header":
            self.source = element.attributes.get("srclang", "")
        elif element.name == "tu":
            self.units.append([])
        elif element.name == "tuv" and self.units:
            self.units[-1].append(_Variant(element))

    def _ends(self, element: Element) -> None:
        if element.name == "seg" and self.units and self.units[-1]:
            self.units[-1][-1].segment = element


class Tmx(XmlDocument):
    """One translation memory."""

    def __init__(self, data: bytes, path: Path, *, source: str, target: str) -> None:
        """Read it; `source` and `target` are codes of the file, or names that are none: then its `srclang` and its only other code.

        Raises:
            BadConfig: its languages cannot be told.
            CorruptRecord: it is no TMX, not well-formed, declares entities, or is not UTF-8.
        """
        super().__init__(data)
        reader = _Reader(data, path)
        codes = list(dict.fromkeys(variant.code for variants in reader.units for variant in variants))
        self._codes = _pair(path, codes, reader.source, source, target)
        self._places: list[tuple[Element, Element, Element | None]] = []
        """Of each unit the variant of the source, the last one, and the empty segment of the target where there is one."""
        for variants in reader.units:
            own, empty = (self._first(variants, code) for code in self._codes)
            if own is None or own.segment is None:
                continue
            if filled := next((variant for variant in variants if self._is_filled(variant)), None):
                self._note_done(own.segment, filled.segment, native=NATIVE)
                continue
            unit = unit_of(self._raw(own.segment), own.tuv.line, native=NATIVE)
            if has_words(unit):
                self.units.append(unit)
                self._places.append((own.tuv, variants[-1].tuv, empty.segment if empty else None))

    def _first(self, variants: Sequence[_Variant], code: str) -> _Variant | None:
        return next((variant for variant in variants if _same(variant.code, code) and variant.segment), None)

    def _is_filled(self, variant: _Variant) -> bool:
        return bool(_same(variant.code, self._codes[1]) and variant.segment and self._raw(variant.segment).strip())

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        return spliced(self._data, (self._change(number, self.put_back(number, each.text)[0]) for number, each in filled.items()))

    def _change(self, number: int, text: str) -> tuple[int, int, bytes]:
        """Return what to put where: into the empty segment of the target, or a new variant after the last one."""
        own, last, empty = self._places[number]
        segment = b"<seg>" + text.encode() + b"</seg>"
        if empty:
            return empty.start, empty.end, segment
        space = re.search(rb"\s*\Z", self._data[max(0, own.start - 200) : own.start])
        name = b"xml:lang" if "xml:lang" in own.attributes else b"lang"
        variant = b"<tuv " + name + b"=" + quoteattr(self._codes[1]).encode() + b">" + segment + b"</tuv>"
        return last.end, last.end, (space[0] if space else b"") + variant


def _same(code: str, wanted: str) -> bool:
    return code.lower().replace("_", "-") == wanted.lower().replace("_", "-")


def _pair(path: Path, codes: list[str], told: str, source: str, target: str) -> tuple[str, str]:
    """Return the codes of source and target.

    Raises:
        BadConfig: they cannot be told.
    """
    first = next((code for code in (source, told) if any(_same(code, each) for each in codes)), "")
    others = [code for code in codes if not _same(code, first)]
    is_code = re.fullmatch(r"[a-z]{2,3}([-_][A-Za-z0-9]{1,8})*", target) is not None
    second = target if is_code else others[0] if len(others) == 1 else ""
    if not first or not second or _same(first, second):
        known = shorten(clean(", ".join(codes)), 100) or "none"
        raise BadConfig(f"cannot tell which languages of {path} are meant: it has {known}", hint="give its codes with `codes`, en:lld")
    return first, second
