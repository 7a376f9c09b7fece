"""XLIFF 1.2 and 2.0: units without a translation; inline codes are spans, states are set, all other bytes stay.

    <trans-unit id="1"><source>Open <g id="1">now</g></source></trans-unit>
    -> ... <target state="translated">Apri <g id="1">ora</g></target> ...          1.2: the state stands at the target
    -> <segment state="translated"><source>...                                     2.0: at the segment

In 1.2 `bpt ept it ph` hold native code and are one span with what is in them, and a source that a tool cut into segments (`seg-source`) is translated with its `mrk`. A unit that says `translate="no"` or `approved="yes"`, has a
translation, or is in a state other than new, initial or needs-translation, stays. Where the codes of a translation lack or are wrongly nested, they are put at its end, and the state asks for
review (1.2: `needs-review-translation`; 2.0: `initial`, with the translation in place).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from reasoner.translation.documents._spans import Filled, bare, has_words, spliced
from reasoner.translation.documents._xml import NATIVE, Element, ElementReader, XmlDocument, unit_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PARTS = frozenset({"source", "target", "seg-source"})
_OPEN_STATES = frozenset({"", "new", "needs-translation", "initial"})


@dataclass
class _Segment:
    """A `trans-unit` or `segment`, whether it is to be translated, and its own source and target."""

    holder: Element
    translates: bool
    parts: dict[str, Element] = field(default_factory=dict)


class _Reader(ElementReader):
    """Finds units."""

    kind = "XLIFF"

    def __init__(self, data: bytes, path: Path) -> None:
        self.version = ""
        self.found: list[_Segment] = []
        self._translates: list[bool] = []
        self._segment: _Segment | None = None
        super().__init__(data, path)

    def _begins(self, element: Element) -> None:
        if len(self._open) == 1:
            self.version = element.attributes.get("version", "1.2")
        inherited = self._translates[-1] if self._translates else True
        self._translates.append({"yes": True, "no": False}.get(element.attributes.get("translate", ""), inherited))
        if element.name == ("segment" if self.version.startswith("2") else "trans-unit"):
            self._segment = _Segment(element, self._translates[-1])

    def _ends(self, element: Element) -> None:
        self._translates.pop()
        if self._segment is None:
            return
        if element is self._segment.holder:
            self.found.append(self._segment)
            self._segment = None
        elif element.name in _PARTS and self._open[-1] is self._segment.holder:  # not those of an alternative translation
            self._segment.parts.setdefault(element.name, element)


class Xliff(XmlDocument):
    """One XLIFF file."""

    def __init__(self, data: bytes, path: Path) -> None:
        """Read it.

        Raises:
            CorruptRecord: it is no XLIFF, not well-formed, declares entities, or is not UTF-8.
        """
        super().__init__(data)
        reader = _Reader(data, path)
        self._is_2 = reader.version.startswith("2")
        self._segments: list[_Segment] = []
        for segment in reader.found:
            source, target = segment.parts.get("source"), segment.parts.get("target")
            native = frozenset() if self._is_2 else NATIVE
            if source is None:
                continue
            if not segment.translates or self._is_done(segment, target):
                self._note_done(source, target if self._is_settled(segment, target) else None, native=native)
                continue
            cut = segment.parts.get("seg-source") or source  # the same text, cut into `mrk` by a tool that expects them in the target
            unit = unit_of(self._raw(cut), segment.holder.line, native=native)
            if has_words(unit):
                self.units.append(unit)
                self._segments.append(segment)

    def _state(self, segment: _Segment, target: Element | None) -> str:
        return (segment.holder if self._is_2 else target or segment.holder).attributes.get("state", "")

    def _is_settled(self, segment: _Segment, target: Element | None) -> bool:
        """Tell whether nobody has to look at a translation any more."""
        state = self._state(segment, target)
        return segment.translates and state not in _OPEN_STATES - {""} and not state.startswith("needs-")

    def _is_done(self, segment: _Segment, target: Element | None) -> bool:
        state = self._state(segment, target)
        if state not in _OPEN_STATES or segment.holder.attributes.get("approved") == "yes":
            return True
        native = frozenset() if self._is_2 else NATIVE
        return target is not None and bool(bare(unit_of(self._raw(target), 0, native=native).text))

    def written(self, filled: Mapping[int, Filled]) -> bytes:
        """Return the file with translations in their places."""
        changes: list[tuple[int, int, bytes]] = []
        for number, translation in filled.items():
            text, complete = self.put_back(number, translation.text)
            changes += self._changes(self._segments[number], text, translation, is_sure=complete and translation.is_sure)
        return spliced(self._data, changes)

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
