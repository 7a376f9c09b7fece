"""Word files (.docx): the text of paragraphs in body, tables, headers, footers and notes; everything else of the file stays.

    <w:p><w:r><w:t>Open the </w:t></w:r><w:r><w:rPr><w:b/></w:rPr><w:t>map</w:t></w:r></w:p>     ->     'Open the {1}map', and back

A paragraph is a unit. Neighbouring runs of one format are one text; a change of format, the beginning and end of a link, a tab, a line break, the mark of
a note, a field and a picture are spans. Each span ends the run before it and begins the next, so a translation may have them in any order. Text inside
pictures and text boxes stays. There is no mark for what a person should look at; the command's report names these units, by the number of their
paragraph.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from reasoner.errors import CorruptRecord
from reasoner.translation.documents._spans import MARKER, Document, Filled, Unit, has_words, put_away, spliced
from reasoner.translation.documents._xml import Element, ElementReader, put_back_nested

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_PART_BYTES = 1 << 27
MAX_FILE_BYTES = 1 << 30
MAX_TAGS = 1 << 21
"""So many tags of all parts are read: an element takes some hundred times the bytes of its packed tag."""
MAX_DEPTH = 256
"""So many elements may stand in each other."""
BODY = "word/document.xml"
_PARTS = re.compile(r"word/(document|header|footer|footnotes|endnotes)\d*\.xml")
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Ways of packing that a Word file may have (ISO/IEC 29500-2, annex B)."""
_REWRITTEN = frozenset({"proofErr", "lastRenderedPageBreak"})
"""What Word makes anew by itself."""
_FLOATING = frozenset({"bookmarkStart", "bookmarkEnd", "commentRangeStart", "commentRangeEnd", "permStart", "permEnd"})
"""Marks of places, which a translation has before its text."""
_SIGNS = {"noBreakHyphen": "\u2011", "softHyphen": "\u00ad"}
"""Elements that are one character of the text."""
_NOT_READ = frozenset({"del", "moveFrom", "oMath", "oMathPara"})
_INSIDE = frozenset({"p", "drawing", "pict", "object"})
"""What a paragraph is not read inside of."""


@dataclass(slots=True)
class _Piece:
    """One thing in a paragraph, in its order: a text with its format, or markup."""

    text: str = ""
    form: str = ""
    markup: str = ""
    floats: bool = False


@dataclass(slots=True)
class _Node(Element):
    """An element with those in it."""

    below: list[_Node] = field(default_factory=list)
    has_text: bool = False
    """Whether runs with text are in it, so that it is gone into."""


@dataclass(slots=True)
class _Paragraph:
    element: Element
    number: int
    pieces: list[_Piece] = field(default_factory=list)
    begin: int = 0
    """Where its content begins, after its properties."""


class _Part(ElementReader):
    """Finds the paragraphs of one part and the pieces of each."""

    kind = "document"

    def __init__(self, data: bytes, path: Path) -> None:
        self.paragraphs: list[_Paragraph] = []
        self._n_paragraphs = 0
        self._n_open_paragraphs = 0
        self._children: list[list[_Node]] = []
        super().__init__(data, path)

    def _begins(self, element: Element) -> None:
        if len(self._open) > MAX_DEPTH:
            raise CorruptRecord(self._path, element.line, f"more than {MAX_DEPTH} elements stand in each other")
        self._n_paragraphs += element.name == "p"
        self._n_open_paragraphs += element.name == "p"
        self._children.append([])

    def _ends(self, element: Element) -> None:
        below = self._children.pop()
        if element.name == "p":
            self._n_open_paragraphs -= 1
            if not any(each.name in _INSIDE for each in self._open):
                made = _Paragraph(element, self._n_paragraphs, begin=element.inner[0])
                made.pieces += self._pieces(below, made)
                self.paragraphs.append(made)
            below = []  # it has been seen, and what is around it needs it no more
        if self._n_open_paragraphs:
            node = _Node(element.name, element.line, element.start, element.attributes, element.inner, element.end, below)
            node.has_text = node.name not in _NOT_READ and any(each.has_text or _is_run_of_text(each) for each in below)
            self._children[-1].append(node)

    def _text(self, start: int, end: int) -> str:
        return self._data[start:end].decode()

    def _pieces(self, nodes: list[_Node], paragraph: _Paragraph) -> Iterator[_Piece]:
        for node in nodes:
            if node.name == "pPr":
                paragraph.begin = node.end
            elif node.name == "r":
                yield from self._run(node)
            elif node.has_text:
                yield _Piece(markup=self._text(node.start, node.inner[0]))
                yield from self._pieces(node.below, paragraph)
                yield _Piece(markup=self._text(node.inner[1], node.end))
            elif node.name not in _REWRITTEN:
                yield _Piece(markup=self._text(node.start, node.end), floats=node.name in _FLOATING)

    def _run(self, run: _Node) -> Iterator[_Piece]:
        form = ""
        for node in run.below:
            raw, inner = self._text(node.start, node.end), self._text(*node.inner)
            if node.name == "rPr":
                form = raw
            elif node.name == "t" and "<" not in inner:
                yield _Piece(text=unescape(inner), form=form)
            elif node.name in _SIGNS:
                yield _Piece(text=_SIGNS[node.name], form=form)
            elif node.name not in _REWRITTEN:
                opening = self._text(run.start, run.inner[0])
                closing = self._text(run.inner[1], run.end)
                yield _Piece(markup=f"{opening}{form}{raw}{closing}")


class _Header(_Part):
    kind = "hdr"


class _Footer(_Part):
    kind = "ftr"


class _Footnotes(_Part):
    kind = "footnotes"


class _Endnotes(_Part):
    kind = "endnotes"


_KINDS: dict[str, type[_Part]] = {"document": _Part, "header": _Header, "footer": _Footer, "footnotes": _Footnotes, "endnotes": _Endnotes}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a unit's paragraph is: its part, from where to where its content goes, the prefix of names, the first format, what is around the text."""

    part: str
    start: int
    end: int
    prefix: str
    form: str
    before: str
    after: str

    def filled(self, text: str) -> str:
        """Return the content with a text in it, without runs that hold nothing."""
        p = self.prefix
        made = f"{self.before}{_opened(p, self.form)}{text}{_closed(p)}{self.after}"
        empty = rf'<{p}r>(?:<{p}rPr\b(?:(?!</{p}r>).)*?)?<{p}t xml:space="preserve"></{p}t></{p}r>'
        return re.sub(empty, "", made, flags=re.DOTALL)


class Docx(Document):
    """One Word file."""

    def __init__(self, data: bytes, path: Path) -> None:
        """Read it.

        Raises:
            CorruptRecord: it is no Word file, is damaged or encrypted, or its parts are no sound XML or too large.
        """
        self._data = data
        self.units: list[Unit] = []
        self._places: list[_Place] = []
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                self._parts = _parts(archive, path)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, ValueError) as error:
            raise CorruptRecord(path, 1, f"it is no Word file, or is damaged or encrypted: {str(error)[:80]}") from error
        for name, part in self._parts.items():
            found = _PARTS.fullmatch(name)
            kind = _KINDS[found[1]] if found else _Part
            for paragraph in kind(part, path).paragraphs:
                self._add(name, part, paragraph)

    def _add(self, name: str, part: bytes, paragraph: _Paragraph) -> None:
        floating = [piece for piece in paragraph.pieces if piece.floats]
        pieces = _merged([piece for piece in paragraph.pieces if not piece.floats])
        texts = [at for at, piece in enumerate(pieces) if piece.text]
        if not texts:
            return
        element = paragraph.element
        tag = re.match(rb"<([\w.-]+:)?p\b", part[element.start : element.start + 80])
        prefix = tag[1].decode() if tag and tag[1] else ""
        first, last = texts[0], texts[-1]
        text, spans = _as_unit(pieces[first : last + 1], prefix)
        unit = Unit(paragraph.number, " ".join(text.split()), tuple(spans))
        if has_words(unit):
            before = "".join(piece.markup for piece in [*floating, *pieces[:first]])
            after = "".join(piece.markup for piece in pieces[last + 1 :])
            self.units.append(unit)
            self._places.append(_Place(name, paragraph.begin, element.inner[1], prefix, pieces[first].form, before, after))

    def put_back(self, number: int, text: str) -> tuple[str, bool]:
        """Return a translation as the content of its paragraph; where links are wrongly nested, all spans stand at its end."""
        return put_back_nested(text, self.units[number].spans, around=self._places[number].filled)

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their paragraphs; every other member of the archive stays."""
        changes: dict[str, list[tuple[int, int, bytes]]] = {}
        for number, translation in filled.items():
            place = self._places[number]
            changes.setdefault(place.part, []).append((place.start, place.end, self.put_back(number, translation.text)[0].encode()))
        if not changes:
            return self._data
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(self._data)) as archive, zipfile.ZipFile(made, "w") as new:
            new.comment = archive.comment
            for info in archive.infolist():
                name = info.filename
                data = spliced(self._parts[name], changes[name]) if name in changes else archive.read(info)
                new.writestr(info, data, compress_type=info.compress_type)
        return made.getvalue()


def _parts(archive: zipfile.ZipFile, path: Path) -> dict[str, bytes]:
    """Return the parts that hold text, the body first.

    Raises:
        CorruptRecord: there is no body, anything in it is damaged, or too large.
    """
    names = sorted((name for name in archive.namelist() if _PARTS.fullmatch(name)), key=lambda name: name != BODY)
    if names[:1] != [BODY]:
        raise CorruptRecord(path, 1, f"it is no Word file: it has no {BODY}")
    if large := next((name for name in names if archive.getinfo(name).file_size > MAX_PART_BYTES), None):
        raise CorruptRecord(path, 1, f"{large} is larger than {MAX_PART_BYTES >> 20} MiB")
    if sum(info.file_size for info in archive.infolist()) > MAX_FILE_BYTES:
        raise CorruptRecord(path, 1, f"what is in it is larger than {MAX_FILE_BYTES >> 20} MiB")
    if other := next((info.filename for info in archive.infolist() if info.compress_type not in _PACKED), None):
        raise CorruptRecord(path, 1, f"{other[:60]!r} in it is packed in a way that Word does not read")
    if damaged := archive.testzip():
        raise CorruptRecord(path, 1, f"it is damaged: {damaged[:60]!r} in it cannot be read")
    parts = {name: archive.read(name) for name in names}
    if sum(part.count(b"<") for part in parts.values()) > MAX_TAGS:
        raise CorruptRecord(path, 1, f"it has more than {MAX_TAGS:,} tags")
    return parts


def _merged(pieces: list[_Piece]) -> list[_Piece]:
    """Join neighbouring texts of one format."""
    made: list[_Piece] = []
    for piece in pieces:
        if made and piece.text and made[-1].text and made[-1].form == piece.form:
            made[-1] = _Piece(text=made[-1].text + piece.text, form=piece.form)
        elif piece.text or piece.markup:
            made.append(piece)
    return made


def _as_unit(pieces: list[_Piece], prefix: str) -> tuple[str, list[str]]:
    """Return the text of pieces, the first and last of which are texts, and its spans."""
    form = pieces[0].form
    spans: list[str] = []
    made: list[str] = []
    for at, piece in enumerate(pieces):
        if piece.markup or piece.form != form:
            form = next(each.form for each in pieces[at:] if each.text)
            spans.append(_closed(prefix) + piece.markup + _opened(prefix, form))
            made.append(f"{{{len(spans)}}}")
        if not piece.markup:
            inner, n_before = put_away(piece.text, 0), len(spans)
            spans += [escape(span) for span in inner.spans]
            made += [
                text if at % 2 == 0 else f"{{{int(text) + n_before}}}" for at, text in enumerate(MARKER.split(inner.text))
            ]  # every second one is the number of a marker
    return "".join(made), spans


def _is_run_of_text(node: _Node) -> bool:
    return node.name == "r" and any(each.name == "t" for each in node.below)


def _opened(prefix: str, form: str) -> str:
    return f'<{prefix}r>{form}<{prefix}t xml:space="preserve">'


def _closed(prefix: str) -> str:
    return f"</{prefix}t></{prefix}r>"
