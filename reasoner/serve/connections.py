"""Connections of the server: each has a deadline for what it owes, and one that only waits makes room for a new one.

Whoever connects owes a first byte, then the headers, then the body, and has to take in what is answered; what is not done in time is closed.
There are at most `max_connections`, and so many of one address. Past that the one that has waited longest without a request under way is
closed for the new one, those first that never sent a whole request: so a flood of idle or slow connections costs itself, and a client that
asks is served.

    uvicorn.Config(app, http=protocol_of(Connections(settings)), ws="none")

Knows bytes and times; does not know what is asked. Source of the kind: slow HTTP attacks (Slowloris), bounded as reverse proxies bound them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from uvicorn.protocols.http.h11_impl import H11Protocol

from reasoner.serve.presence import has_hung_up, with_presence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.serve.settings import Settings

PEEK_S = 0.25
"""How often a client is looked after while nothing is read from it, in seconds."""

Owes = Literal["first byte", "headers", "body", "nothing", "next request"]


class Connections:
    """All connections of one server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._strangers: dict[_Connection, None] = {}
        """Those that never sent a whole request, the one that has waited longest first."""
        self._known: dict[_Connection, None] = {}
        """Those that did and have none under way, the same way round."""
        self._busy: set[_Connection] = set()
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._strangers) + len(self._known) + len(self._busy)

    def add(self, connection: _Connection) -> bool:
        """Take a new connection in, closing another where there are too many; False where none can be closed."""
        address = connection.address
        if self._of_address[address] >= self.settings.max_per_address and not self._drop(address):
            return False
        if len(self) >= self.settings.max_connections and not self._drop(None):
            return False
        self._strangers[connection] = None
        self._of_address[address] += 1
        return True

    def remove(self, connection: _Connection) -> None:
        """Forget a connection that is closed. Safe to call twice."""
        if connection in self._strangers or connection in self._known or connection in self._busy:
            self._take_out(connection)
            self._of_address[connection.address] -= 1
            if not self._of_address[connection.address]:
                del self._of_address[connection.address]

    def move(self, connection: _Connection, *, busy: bool) -> None:
        """Note that a request is under way, or that none is any more."""
        if connection in self._strangers or connection in self._known or connection in self._busy:
            self._take_out(connection)
            if busy:
                self._busy.add(connection)
            else:
                self._known[connection] = None

    def _take_out(self, connection: _Connection) -> None:
        self._strangers.pop(connection, None)
        self._known.pop(connection, None)
        self._busy.discard(connection)

    def _drop(self, address: str | None) -> bool:
        """Close the connection that has waited longest, of an address or of all."""
        chosen = next((each for each in self._waiting() if address is None or each.address == address), None)
        if chosen is None:
            return False
        self.remove(chosen)
        chosen.transport.abort()
        return True

    def _waiting(self) -> Iterator[_Connection]:
        yield from self._strangers
        yield from self._known


class _Connection(H11Protocol):
    """One connection. uvicorn parses and answers; here it is only watched."""

    registry: Connections

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owes: Owes = "first byte"
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._peek_timer: asyncio.TimerHandle | None = None
        self.app = with_presence(self.app, self.is_there)

    def is_there(self) -> bool:
        """Tell whether the client is still connected, at once; closes a connection whose other end has gone."""
        if self.transport.is_closing():
            return False
        if not has_hung_up(self.transport.get_extra_info("socket").fileno()):
            return True
        self.transport.abort()
        return False

    @property
    def address(self) -> str:
        """Where it comes from; a socket without an address counts as one."""
        return self.client[0] if self.client else ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self.registry.add(self):
            transport.abort()
            return
        self._owe("first byte", self.registry.settings.first_byte_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owe("nothing", None)
        self._stop_write_timer()
        self._look_after(None)
        self.registry.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._owes in {"first byte", "next request"}:
            self._owe("headers", self.registry.settings.headers_s)
        super().data_received(data)
        self._look()
        if self.flow.read_paused:
            self._look_after(PEEK_S)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """Give whoever does not read its answer so long to begin again."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.registry.settings.write_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def _look_after(self, within_s: float | None) -> None:
        """Look in a while whether the client is there: a transport that is not read, since the next request waits in it, does not tell."""
        if self._peek_timer is not None:
            self._peek_timer.cancel()
        self._peek_timer = None if within_s is None else self.loop.call_later(within_s, self._peek)

    def _peek(self) -> None:
        if self.flow.read_paused and self.is_there():
            self._look_after(PEEK_S)

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _look(self) -> None:
        """See what is owed now, and set its deadline where that is something new."""
        if self.transport.is_closing() or self.cycle is None:
            return
        if self.cycle.response_complete:
            if self._owes in {"nothing", "body"}:
                self.registry.move(self, busy=False)
                self._owe("next request", None)  # uvicorn closes it when none comes
        elif self.cycle.more_body:
            if self._owes != "body":
                self._owe("body", self.registry.settings.body_s)
        elif self._owes != "nothing":
            self.registry.move(self, busy=True)
            self._owe("nothing", None)

    def _owe(self, what: Owes, within_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._owes = what
        self._timer = None if within_s is None else self.loop.call_later(within_s, self.transport.abort)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: the guard refuses it, and a log that every stranger can fill is no log."""


def protocol_of(connections: Connections) -> type[H11Protocol]:
    """Return uvicorn's protocol class for the connections of one server."""
    return type("Connection", (_Connection,), {"registry": connections})
