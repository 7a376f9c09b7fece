r"""Server-sent events, read as they come in, within bounds.

Knows lines and events as the standard defines them. Does not know what an event holds.

    events = EventReader()
    events.feed(b'data: {"a": 1}\n\ndata: [DO')  -> [Event("", b'{"a": 1}')]
    events.feed(b"NE]\n\n")                       -> [Event("", b"[DONE]")]

An event that no blank line ends is not given out: that is what tells a cut stream from a whole one. `rest` returns it, for who can tell
that it is whole all the same.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LINE_BYTES = 1024 * 1024
MAX_STREAM_BYTES = 32 * 1024 * 1024
"""Of the whole stream: what carries one token is a few hundred bytes long."""


class StreamTooLarge(ValueError):
    """A line or a stream is longer than its bound."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `data` is the bytes of its data lines, joined by line feeds."""

    name: str
    data: bytes


class EventReader:
    """Turns bytes into events. Line ends are LF, CR LF or CR; comments, ids and unknown fields are skipped."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._after_cr = False
        self._n_bytes = 0
        self._first = True

    def feed(self, piece: bytes) -> list[Event]:
        """Take what came in and return the events that it completed.

        Raises:
            StreamTooLarge: a line, the data of one event, or the stream passes its bound.
        """
        self._n_bytes += len(piece)
        if self._n_bytes > MAX_STREAM_BYTES:
            raise StreamTooLarge(f"a stream of more than {MAX_STREAM_BYTES} bytes")
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        *lines, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._after_cr = piece.endswith(b"\r")
        events: list[Event] = []
        for line in lines:
            self._line += line
            self._check()
            if (event := self._take(bytes(self._line))) is not None:
                events.append(event)
            self._line.clear()
        self._line += rest
        self._check()
        return events

    def rest(self) -> Event | None:
        """Return the event that the end of the response left without its blank line, None where there is none."""
        last = self._take(bytes(self._line)) if self._line else None
        event = last or (Event(self._name, b"\n".join(self._data)) if self._data else None)
        self._line.clear()
        self._data = []
        return event

    def _check(self) -> None:
        if len(self._line) > MAX_LINE_BYTES:
            raise StreamTooLarge(f"a line of more than {MAX_LINE_BYTES} bytes")

    def _take(self, line: bytes) -> Event | None:
        if self._first:
            line, self._first = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            event = Event(self._name, b"\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")[:100]
        return None
