"""What XLIFF, TMX and Word files share: elements by their byte offsets, markup as spans, and translations that are nested as XML asks.

    unit_of('Open <g id="1">now</g>', 3, native=NATIVE)      'Open {1}now{2}', ('<g id="1">', '</g>')

A file is changed at byte offsets, so that all that is not changed stays. Knows XML; does not know which elements a format has.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar
from xml.parsers import expat
from xml.sax.saxutils import escape, unescape

from reasoner.errors import CorruptRecord
from reasoner.translation.documents._spans import MARKER, Document, Done, Unit, bare, decoded, put_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

NATIVE = frozenset({"bpt", "ept", "it", "ph", "ut"})
"""Elements of TMX and XLIFF 1.2 that hold native code."""
_TAG = re.compile(rb"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")
_PIECE = re.compile(r"<!\[CDATA\[(.*?)\]\]>|(<!--.*?-->|<\?.*?\?>)|(<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>)|([^<]+)", re.DOTALL)
_NAMED = {"&quot;": '"', "&apos;": "'"}
_CHAR = re.compile(r"&#(x[\da-fA-F]{1,6}|\d{1,7});")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML file may have (XML 1.0, section 2.2), such as control characters."""


@dataclass(slots=True)
class Element:
    """One element: its name without a prefix, the line it begins on, and in bytes where it, what is in it, and its end are."""

    name: str
    line: int
    start: int
    attributes: dict[str, str]
    inner: tuple[int, int]
    """Equal where nothing is in it, `<seg/>` included; `inner[0]` is the end of its opening tag."""
    end: int = 0


class ElementReader(ABC):
    """Follows a parser through a file and says which elements begin and end."""

    kind: ClassVar[str]
    """What the format is called; its root element is that in lower case."""

    def __init__(self, data: bytes, path: Path) -> None:
        """Read the file.

        Raises:
            CorruptRecord: it is of another kind, not well-formed, declares entities, or is not UTF-8.
        """
        checked_text(data, path)
        self._data, self._path = data, path
        self._open: list[Element] = []
        self._root = ""
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler, self._parser.EndElementHandler = self._start, self._end
        self._parser.EntityDeclHandler = self._refuse
        try:
            self._parser.Parse(data, True)  # noqa: FBT003 - the parser's own signature
        except expat.ExpatError as error:
            raise CorruptRecord(path, error.lineno, f"not well-formed XML: {expat.ErrorString(error.code)}") from error
        if self._root != self.kind.lower():
            raise CorruptRecord(path, 1, f"it is no {self.kind} file: its first element is not {self.kind.lower()}")

    def _refuse(self, *_: object) -> None:
        line = self._parser.CurrentLineNumber
        raise CorruptRecord(self._path, line, f"it declares entities, which {self.kind} has no need of")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name, at = name.rpartition(":")[2], self._parser.CurrentByteIndex
        self._root = self._root or name
        after = self._tag_end(at)
        self._open.append(Element(name, self._parser.CurrentLineNumber, at, attributes, (after, after)))
        self._begins(self._open[-1])

    def _end(self, _: str) -> None:
        element, at = self._open.pop(), self._parser.CurrentByteIndex
        after = element.inner[0]
        is_closed = self._data[after - 2 : after] == b"/>"
        element.inner = (after, after if is_closed else at)
        element.end = after if is_closed else self._tag_end(at)
        self._ends(element)

    def _tag_end(self, at: int) -> int:
        found = _TAG.match(self._data, at)
        return found.end() if found else len(self._data)

    @abstractmethod
    def _begins(self, element: Element) -> None:
        """Note an element that begins; it is the last one of `_open`."""

    @abstractmethod
    def _ends(self, element: Element) -> None:
        """Note an element that ends; the last one of `_open` is the one around it."""


class XmlDocument(Document):
    """One opened file of XML."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.units: list[Unit] = []
        self.done: list[Done] = []

    def _note_done(self, source: Element, target: Element | None, *, native: frozenset[str]) -> None:
        """Note a text that is translated already, or at least not to be translated, without its codes."""
        texts = [bare(unit_of(self._raw(each), 0, native=native).text) if each else "" for each in (source, target)]
        self.done.append(Done(len(self.units), *texts))

    def put_back(self, number: int, text: str) -> tuple[str, bool]:
        """Return a translation as XML; wrongly nested codes are put at its end."""
        return put_back_nested(text, self.units[number].spans)

    def _raw(self, element: Element) -> str:
        return self._data[slice(*element.inner)].decode()


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


def put_back_nested(text: str, spans: Sequence[str], *, around: Callable[[str], str] = str) -> tuple[str, bool]:
    """Do as `put_back`, as XML; where spans are wrongly nested, all stand at the end. `around` makes the whole of which the nesting counts."""
    made, complete = put_back(text, spans, spelt=_spelt)
    if _is_sound(whole := around(made)):
        return whole, complete
    return around(_spelt(" ".join(MARKER.sub(" ", text).split())) + "".join(spans)), False


def _spelt(text: str) -> str:
    """Return a text as it stands in XML."""
    return escape(_NOT_XML.sub("", text))


def _is_sound(text: str) -> bool:
    """Tell whether a translation's markup is nested as XML asks."""
    try:
        expat.ParserCreate().Parse(f"<t>{text}</t>".encode(), True)  # noqa: FBT003 - the parser's own signature
    except expat.ExpatError:
        return False
    return True
