"""Translation memories (TMX 1.1 to 1.4): units without a segment of the target language get one; all other bytes stay.

    <tu><tuv xml:lang="en"><seg>Open <bpt i="1">*</bpt>now<ept i="1">*</ept></seg></tuv></tu>
    -> <tu> ... <tuv xml:lang="lld"><seg>Giaurì <bpt i="1">*</bpt>ades<ept i="1">*</ept></seg></tuv></tu>

`bpt ept it ph ut` hold native code and are one span with what is in them; `hi` is a pair of spans. A memory has no states: the command's
report names what a person should look at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat
from xml.sax.saxutils import escape

from reasoner.errors import BadConfig, CorruptRecord
from reasoner.text import clean, shorten
from reasoner.translation.documents._spans import MARKER, Filled, Unit, has_words, put_back
from reasoner.translation.documents._xliff import checked_text, is_sound, tag_end, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NATIVE = frozenset({"bpt", "ept", "it", "ph", "ut"})


@dataclass
class _Variant:
    """One `tuv`: its code, its opening tag, its end, and the inside and end of its segment, in bytes."""

    code: str
    start: int
    end: int = 0
    segment: tuple[int, int] = (0, 0)
    segment_start: int = 0
    segment_end: int = 0


@dataclass
class _TransUnit:
    line: int
    variants: list[_Variant] = field(default_factory=list)


class _Reader:
    """Finds units and variants by their byte offsets."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.data, self.path = data, path
        self.source = ""
        self.units: list[_TransUnit] = []
        self._root = ""
        self._in_segment = False
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        self._parser.EntityDeclHandler = self._refuse
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - the parser's own signature
        except expat.ExpatError as error:
            raise CorruptRecord(path, error.lineno, f"not well-formed XML: {expat.ErrorString(error.code)}") from error
        if self._root != "tmx":
            raise CorruptRecord(path, 1, "it is no TMX file: its first element is not tmx")

    def _refuse(self, *_: object) -> None:
        raise CorruptRecord(self.path, self._parser.CurrentLineNumber, "it declares entities, which a TMX file has no need of")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._root = self._root or name
        at = self._parser.CurrentByteIndex
        if name == "header":
            self.source = attributes.get("srclang", "")
        elif name == "tu":
            self.units.append(_TransUnit(self._parser.CurrentLineNumber))
        elif name == "tuv" and self.units:
            self.units[-1].variants.append(_Variant(attributes.get("xml:lang") or attributes.get("lang") or "", at))
        elif name == "seg" and self.units and self.units[-1].variants:
            after = tag_end(self.data, at)
            self.units[-1].variants[-1].segment_start = at
            self.units[-1].variants[-1].segment = (after, after)

    def _end(self, name: str) -> None:
        if name not in {"seg", "tuv"} or not (self.units and self.units[-1].variants):
            return
        at, variant = self._parser.CurrentByteIndex, self.units[-1].variants[-1]
        begins = variant.segment[0] if name == "seg" else tag_end(self.data, variant.start)
        is_closed = self.data[begins - 2 : begins] == b"/>"
        end = begins if is_closed else tag_end(self.data, at)
        if name == "seg":
            variant.segment, variant.segment_end = (begins, begins if is_closed else at), end
        else:
            variant.end = end


class Tmx:
    """One translation memory."""

    left = ()

    def __init__(self, data: bytes, path: Path, *, source: str, target: str) -> None:
        """Read it; `source` and `target` are codes of the file, or names that are none: then its `srclang` and its only other code.

        Raises:
            BadConfig: its languages cannot be told.
            CorruptRecord: it is no TMX, not well-formed, declares entities, or is not UTF-8.
        """
        checked_text(data, path)
        self._data = data
        reader = _Reader(data, path)
        codes = list(dict.fromkeys(variant.code for unit in reader.units for variant in unit.variants))
        self._codes = _pair(path, codes, reader.source, source, target)
        self.units: list[Unit] = []
        self._places: list[tuple[_TransUnit, _Variant]] = []
        for found in reader.units:
            own = next((variant for variant in found.variants if _same(variant.code, self._codes[0]) and variant.segment_end), None)
            if own is None or any(_same(v.code, self._codes[1]) and self._raw(v).strip() for v in found.variants):
                continue
            unit = unit_of(self._raw(own), found.line, native=NATIVE)
            if has_words(unit):
                self.units.append(unit)
                self._places.append((found, own))

    def _raw(self, variant: _Variant) -> str:
        return self._data[variant.segment[0] : variant.segment[1]].decode()

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        changes: list[tuple[int, int, bytes]] = []
        for number, translation in filled.items():
            unit = self.units[number]
            text, _ = put_back(translation.text, unit.spans, spelt=escape)
            if not is_sound(text):
                text = escape(" ".join(MARKER.sub(" ", translation.text).split())) + "".join(unit.spans)
            changes.append(self._change(*self._places[number], text.encode()))
        made, at = [], 0
        for start, end, data in sorted(changes, key=lambda change: change[:2]):
            made += [self._data[at:start], data]
            at = end
        return b"".join([*made, self._data[at:]])

    def _change(self, unit: _TransUnit, own: _Variant, text: bytes) -> tuple[int, int, bytes]:
        """Return what to put where: into the empty segment of the target, or a new variant after the last one."""
        segment = b"<seg>" + text + b"</seg>"
        empty = next((variant for variant in unit.variants if _same(variant.code, self._codes[1]) and variant.segment_end), None)
        if empty:
            return empty.segment_start, empty.segment_end, segment
        last = unit.variants[-1].end
        space = re.search(rb"\s*\Z", self._data[max(0, own.start - 200) : own.start])
        tag = self._data[own.start : tag_end(self._data, own.start)]
        name = b"xml:lang" if re.search(rb"\sxml:lang\s*=", tag) else b"lang"
        variant = b"<tuv " + name + b'="' + self._codes[1].encode() + b'">' + segment + b"</tuv>"
        return last, last, (space[0] if space else b"") + variant


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
