"""XLIFF 1.2 and 2.0: units without a translation; inline codes are spans, states are set, all other bytes stay.

    <trans-unit id="1"><source>Open <g id="1">now</g></source></trans-unit>
    -> ... <target state="translated">Apri <g id="1">ora</g></target> ...          1.2: the state stands at the target
    -> <segment state="translated"><source>...                                     2.0: at the segment

In 1.2 `bpt ept it ph` hold native code and are one span with what is in them. A unit that says `translate="no"`, or has a translation in a
state other than new or initial, stays. Where the codes of a translation lack or are wrongly nested, they are put at its end, and the state asks for
review (1.2: `needs-review-translation`; 2.0: `initial`, with the translation in place).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from xml.parsers import expat
from xml.sax.saxutils import escape, unescape

from reasoner.errors import CorruptRecord
from reasoner.translation.documents._spans import MARKER, Filled, Unit, decoded, has_words, put_back

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PIECE = re.compile(r"<!\[CDATA\[(.*?)\]\]>|(<!--.*?-->|<\?.*?\?>)|(<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>)|([^<]+)", re.DOTALL)
_PARTS = frozenset({"source", "target", "seg-source"})
_NATIVE = frozenset({"bpt", "ept", "it", "ph"})
_NAMED = {"&quot;": '"', "&apos;": "'"}
_OPEN_STATES = frozenset({"", "new", "needs-translation", "initial"})
_CHAR = re.compile(r"&#(x[\da-fA-F]{1,6}|\d{1,7});")


@dataclass
class _Part:
    """One element: where its tags begin and end, in bytes, and its attributes."""

    start: int
    attributes: dict[str, str]
    inner: tuple[int, int] = (0, 0)
    end: int = 0


@dataclass
class _Segment:
    """A unit or segment on the way through the file."""

    line: int
    holder: _Part
    name: str
    translates: bool
    parts: dict[str, _Part] = field(default_factory=dict)


class _Reader:
    """Finds units by their byte offsets."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.data, self.path = data, path
        self.version = ""
        self.found: list[_Segment] = []
        self._open: list[tuple[str, bool]] = []
        self._segment: _Segment | None = None
        self._part: tuple[str, int, _Part] | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._refuse
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - the parser's own signature
        except expat.ExpatError as error:
            raise CorruptRecord(path, error.lineno, f"not well-formed XML: {expat.ErrorString(error.code)}") from error
        if not self.version:
            raise CorruptRecord(path, 1, "it is no XLIFF file: its first element is not xliff")

    def _refuse(self, *_: object) -> None:
        raise CorruptRecord(self.path, self._parser.CurrentLineNumber, "it declares entities, which an XLIFF file has no need of")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        at = self._parser.CurrentByteIndex
        if not self._open:
            self.version = attributes.get("version", "1.2") if name == "xliff" else ""
        inherited = self._open[-1][1] if self._open else True
        translates = {"yes": True, "no": False}.get(attributes.get("translate", ""), inherited)
        self._open.append((name, translates))
        if self._part is not None:
            return
        if name in ({"segment"} if self.version.startswith("2") else {"trans-unit"}):
            self._segment = _Segment(self._parser.CurrentLineNumber, _Part(at, attributes, (tag_end(self.data, at), 0)), name, translates)
        elif self._segment is not None and name in _PARTS - self._segment.parts.keys() and self._open[-2][0] == self._segment.name:
            # Its own, not that of an alternative translation.
            self._part = (name, len(self._open), _Part(at, attributes, (tag_end(self.data, at), 0)))

    def _end(self, name: str) -> None:
        depth = len(self._open)
        self._open.pop()
        at = self._parser.CurrentByteIndex
        if self._part is not None and depth == self._part[1]:
            part_name, _, part = self._part
            empty = self.data[part.inner[0] - 2 : part.inner[0]] == b"/>"
            part.inner = (part.inner[0], part.inner[0] if empty else at)
            part.end = part.inner[0] if empty else tag_end(self.data, at)
            if self._segment is not None:
                self._segment.parts[part_name] = part
            self._part = None
        elif self._segment is not None and name.rpartition(":")[2] == self._segment.name:
            self.found.append(self._segment)
            self._segment = None


def tag_end(data: bytes, at: int) -> int:
    """Return where the tag that begins at a place ends; quoted values may hold its sign."""
    quote = 0
    while at < len(data):
        byte = data[at]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return at + 1
        at += 1
    return at


def checked_text(data: bytes, path: Path) -> None:
    """Check that an XML file is UTF-8 and says nothing else.

    Raises:
        CorruptRecord: it is not, or does.
    """
    text = decoded(data, path)
    if (told := re.match(r"\ufeff?<\?xml[^>]*encoding\s*=\s*[\"']([^\"']+)", text)) and told[1].lower() not in {
        "utf-8",
        "us-ascii",
        "ascii",
    }:
        raise CorruptRecord(path, 1, f"it is written in {told[1][:20]}, and only UTF-8 is read")


class Xliff:
    """One XLIFF file."""

    left = ()

    def __init__(self, data: bytes, path: Path) -> None:
        """Read it.

        Raises:
            CorruptRecord: it is no XLIFF, not well-formed, declares entities, or is not UTF-8.
        """
        checked_text(data, path)
        self._data = data
        reader = _Reader(data, path)
        self._is_2 = reader.version.startswith("2")
        self.units: list[Unit] = []
        self._segments: list[_Segment] = []
        for segment in reader.found:
            source, target = segment.parts.get("source"), segment.parts.get("target")
            if source is None or not segment.translates or self._is_done(segment, target):
                continue
            unit = unit_of(self._raw(source), segment.line, native=frozenset() if self._is_2 else _NATIVE)
            if has_words(unit):
                self.units.append(unit)
                self._segments.append(segment)

    def _raw(self, part: _Part) -> str:
        return self._data[part.inner[0] : part.inner[1]].decode()

    def _is_done(self, segment: _Segment, target: _Part | None) -> bool:
        state = (segment.holder if self._is_2 else target or segment.holder).attributes.get("state", "")
        if state not in _OPEN_STATES or segment.holder.attributes.get("approved") == "yes":
            return True
        return target is not None and bool(self._raw(target).strip())

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        changes: list[tuple[int, int, bytes]] = []
        for number, translation in filled.items():
            unit, segment = self.units[number], self._segments[number]
            text, complete = put_back(translation.text, unit.spans, spelt=escape)
            if not is_sound(text):
                plain = escape(" ".join(MARKER.sub(" ", translation.text).split()))
                text, complete = plain + "".join(unit.spans), False
            changes += self._changes(segment, text, translation, is_sure=complete and translation.is_sure)
        made, at = [], 0
        for start, end, data in sorted(changes, key=lambda change: change[:2]):
            made += [self._data[at:start], data]
            at = end
        return b"".join([*made, self._data[at:]])

    def _changes(self, segment: _Segment, text: str, translation: Filled, *, is_sure: bool) -> list[tuple[int, int, bytes]]:
        """Return what to put where: (start, end, bytes)."""
        target, source = segment.parts.get("target"), segment.parts["source"]
        made: list[tuple[int, int, bytes]] = []
        if self._is_2:
            tag, state = b"<target>", "translated" if is_sure else "initial"
            start, end = segment.holder.start, segment.holder.inner[0]
            made.append((start, end, _with(self._data[start:end], "state", state)))
        else:
            state = "translated" if is_sure else "needs-review-translation"
            qualifier = "exact-match" if translation.from_memory else "leveraged-mt"
            tag = _with(_with(b"<target>", "state", state), "state-qualifier", qualifier)
        if target is None:
            prefix = re.match(rb"<([\w.-]+:)?", self._data[source.start : source.start + 80])
            name = (prefix[1] if prefix and prefix[1] else b"") + b"target"
            after = max(part.end for part in segment.parts.values())
            before = re.search(rb"\s*$", self._data[segment.holder.inner[0] : source.start])
            indent = before[0] if before else b""
            made.append((after, after, indent + tag.replace(b"<target", b"<" + name) + text.encode() + b"</" + name + b">"))
            return made
        own = self._data[target.start : target.inner[0]]
        name = re.match(rb"<([^\s/>]+)", own)[1]  # type: ignore[index]
        own = own[:-2].rstrip() + b">" if own.endswith(b"/>") else own
        if not self._is_2:
            own = _with(_with(own, "state", state), "state-qualifier", qualifier)
        made.append((target.start, target.end, own + text.encode() + b"</" + name + b">"))
        return made


def _with(tag: bytes, name: str, value: str) -> bytes:
    """Return an opening tag with an attribute set."""
    found = re.search(rb"\s" + name.encode() + rb"\s*=\s*(\"[^\"]*\"|'[^']*')", tag)
    if found:
        return tag[: found.start(1)] + f'"{value}"'.encode() + tag[found.end(1) :]
    return tag[:-1] + f' {name}="{value}">'.encode()


def unit_of(raw: str, line: int, *, native: frozenset[str]) -> Unit:
    """Return a source as a unit: markup becomes spans, each element of a `native` name with what is in it as one."""
    pieces: list[str] = []
    spans: list[str] = []
    depth, code = 0, ""
    for cdata, other, tag, text in (found.groups() for found in _PIECE.finditer(raw)):
        written = other or tag or (f"<![CDATA[{cdata}]]>" if text is None else text)
        name = re.match(r"</?(?:[\w.-]+:)?([\w.-]+)", tag)[1] if tag else ""  # type: ignore[index]
        if depth or (name in native and not tag.endswith("/>")):
            code += written
            depth += 0 if not tag or tag.endswith("/>") else -1 if tag.startswith("</") else 1
            if not depth:
                spans.append(code)
                pieces.append(f"{{{len(spans)}}}")
                code = ""
        elif other or tag:
            spans.append(written)
            pieces.append(f"{{{len(spans)}}}")
        else:
            plain = cdata if text is None else _CHAR.sub(_character, unescape(text, _NAMED))
            for at, piece in enumerate(re.split(r"(\{\d{1,4}\})", plain)):
                if at % 2:
                    spans.append(escape(piece))
                    piece = f"{{{len(spans)}}}"  # noqa: PLW2901 - what looks like a marker is put away like one
                pieces.append(piece)
    return Unit(line, " ".join("".join(pieces).split()), tuple(spans))


def _character(found: re.Match[str]) -> str:
    code = int(found[1][1:], 16) if found[1].startswith("x") else int(found[1])
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else found[0]


def is_sound(text: str) -> bool:
    """Tell whether a translation's markup is nested as XML asks."""
    try:
        expat.ParserCreate().Parse(f"<t>{text}</t>".encode(), True)  # noqa: FBT003 - the parser's own signature
    except expat.ExpatError:
        return False
    return True
