"""The connections under the remote clients: h11's HTTP/1.1 over asyncio's TCP and TLS, and a pool of ours above it.

httpx's own pool looks at every connection it has whenever a request comes or goes, so that it is slower the more there are: at 64 calls
at once it costs more than everything else in a call, and httpcore's locks and traces below it cost as much as the protocol. Here a request
takes the connection that came free last and gives it back. What a broken answer is, is h11's to say; errors are httpx's.

httpx over httpx-aiohttp was tried in its place: a third of a millisecond more CPU a call, a fifth fewer calls a second at 64 (docs/bench-log/overhead.md).

    transport = Transport(max_connections=64)
    response = await transport.post(address(url), [(b"Host", b"localhost"), ...], body, connect_timeout_s=10)

Knows connections; knows no dialect, no key and no retry. Proxies stay with httpx: where one leads to the server (`proxies`) there is no transport
of ours.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, NamedTuple, cast

import h11
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

KEEPALIVE_S = 5.0
"""An idle connection is used again for so long, as httpx does."""
MAX_WAITING_BYTES = 1 << 18
"""What the server may send ahead of the reader before it is held up."""
MAX_HEAD_BYTES = 100 * 1024
"""The longest head of a response, and the longest line that tells the size of a chunk, as httpcore has it."""
_READ_BYTES = 1 << 16
_DUAL_STACK_DELAY_S = 0.25
"""How long one address of a host is tried before the next is tried beside it (RFC 8305); plain HTTP is for machines nearby."""


class Address(NamedTuple):
    """Where a URL leads to; `host` in its ASCII form."""

    tls: bool
    host: str
    port: int
    target: bytes

    @property
    def origin(self) -> tuple[bool, str, int]:
        """What a connection belongs to."""
        return self[:3]


def address(url: httpx.URL) -> Address:
    """Return where a URL leads to, as `Transport.post` wants it."""
    tls = url.scheme == "https"
    return Address(tls, url.raw_host.decode("ascii"), url.port or (443 if tls else 80), url.raw_path)


class Transport:
    """At most so many connections at once, each to one request at a time; for one event loop."""

    def __init__(self, *, max_connections: int, trust_env: bool = True) -> None:
        self._places = asyncio.Semaphore(max_connections)
        self._max_connections = max_connections
        self._trust_env = trust_env
        self._context: ssl.SSLContext | None = None
        self._idle: list[_Wire] = []
        self._busy: set[_Wire] = set()

    @property
    def n_open(self) -> int:
        """How many connections there are, idle ones included."""
        return len(self._idle) + len(self._busy)

    async def post(self, at: Address, headers: list[tuple[bytes, bytes]], body: bytes, *, connect_timeout_s: float) -> Response:
        """Send a request and return the response with its body unread. The length is added to the headers, nothing else.

        Waits without end for a free connection and for the answer: whoever asks has a deadline.

        Raises:
            httpx.TransportError: of the kinds httpx's own transport raises.
        """
        await self._places.acquire()
        wire = None
        try:
            wire = await self._connection(at, connect_timeout_s)
            wire.send(at.target, [*headers, (b"Content-Length", b"%d" % len(body))], body)
            head = await wire.head()
        except BaseException:
            self._give_back(wire)
            raise
        return Response(self, wire, head)

    async def aclose(self) -> None:
        """Close every connection, those under way included. Safe to call twice."""
        while self._idle or self._busy:
            (self._idle.pop() if self._idle else self._busy.pop()).close()

    async def _connection(self, at: Address, connect_timeout_s: float) -> _Wire:
        """Take the connection that was given back last; open one where there is none that can be used."""
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].origin == at.origin:
                wire = self._idle.pop(index)
                if wire.usable():
                    self._busy.add(wire)
                    return wire
                wire.close()
        if len(self._idle) + len(self._busy) >= self._max_connections and self._idle:
            self._idle.pop(0).close()
        wire = await _opened(at, self._tls() if at.tls else None, connect_timeout_s)
        self._busy.add(wire)
        return wire

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = httpx.create_ssl_context(trust_env=self._trust_env)
            self._context.set_alpn_protocols(["http/1.1"])
        return self._context

    def _give_back(self, wire: _Wire | None) -> None:
        """Keep a connection whose last answer was read to its end, and close any other."""
        if wire in self._busy:
            self._busy.discard(wire)
            if wire.rest():
                self._idle.append(wire)
            else:
                wire.close()
        self._places.release()


class Response:
    """A response with its body unread; closing it gives the connection back, once. Has what is used of httpx's."""

    def __init__(self, transport: Transport, wire: _Wire, head: h11.Response) -> None:
        self._transport = transport
        self._wire = wire
        self._open = True
        self.status_code = head.status_code
        self.headers: dict[str, str] = {}
        """By their names in lower case; one that is there several times holds all its values."""
        for name, value in head.headers:
            key, text = name.decode("ascii"), value.decode("latin-1")
            self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status_code < 300

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces, as it was sent."""
        while self._open:
            event = await self._wire.event()
            if type(event) is not h11.Data:
                return
            yield bytes(event.data)

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._transport._give_back(self._wire)  # noqa: SLF001 - the two are one


async def _opened(at: Address, context: ssl.SSLContext | None, timeout_s: float) -> _Wire:
    """Open a connection; the time is for TCP and TLS together."""
    try:
        async with asyncio.timeout(timeout_s):
            _, wire = await asyncio.get_running_loop().create_connection(
                lambda: _Wire(at.origin), at.host, at.port, ssl=context, server_hostname=at.host if context else None,
                happy_eyeballs_delay=_DUAL_STACK_DELAY_S if context else None,
            )  # fmt: skip
    except TimeoutError as error:
        raise httpx.ConnectTimeout(str(error)) from error
    except OSError as error:  # errors of TLS are of this kind
        raise httpx.ConnectError(str(error)) from error
    return wire


class _Wire(asyncio.Protocol):
    """One connection, and what h11 makes of what comes over it."""

    def __init__(self, origin: tuple[bool, str, int]) -> None:
        self.origin = origin
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._transport: asyncio.Transport | None = None
        self._in = bytearray()
        self._ended = self._held = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._usable_until_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._in += data
        if len(self._in) > MAX_WAITING_BYTES and not self._held and self._transport is not None:
            self._held = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended, self._error = True, exc
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def send(self, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a request in one piece. Where the server has closed the connection nothing is said: it may have answered before it did."""
        http = self._http
        try:
            head = http.send(h11.Request(method=b"POST", target=target, headers=headers))
            rest = http.send(h11.Data(data=body)) if body else b""
            http.send(h11.EndOfMessage())
        except h11.LocalProtocolError as error:
            raise httpx.LocalProtocolError(str(error)) from error
        if self._transport is not None and not self._ended:
            self._transport.write((head or b"") + (rest or b""))

    async def head(self) -> h11.Response:
        """Return the head of the answer, past those that only say that there will be one."""
        while True:
            event = await self.event()
            if type(event) is h11.Response:
                return event

    async def event(self) -> h11.Event | type[h11.PAUSED]:
        """Return the next part of the answer."""
        http = self._http
        while True:
            try:
                event = http.next_event()
                if event is not h11.NEED_DATA:
                    return cast("h11.Event | type[h11.PAUSED]", event)
                data = await self._read()
                if not data and http.their_state is h11.SEND_RESPONSE:  # h11 would say this in words of its own states
                    raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
                http.receive_data(data)
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from error

    async def _read(self) -> bytes:
        """Return what has come, as soon as something has; nothing at the end."""
        if not self._in and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if not self._in and self._error is not None:
            raise httpx.ReadError(str(self._error)) from self._error
        data = bytes(self._in[:_READ_BYTES])
        del self._in[:_READ_BYTES]
        if self._held and len(self._in) <= MAX_WAITING_BYTES // 2 and self._transport is not None and not self._ended:
            self._held = False
            self._transport.resume_reading()
        return data

    def rest(self) -> bool:
        """Make ready for another request; False where the connection cannot be used for one.

        It cannot when bytes came after the end of the answer: they would be read as the answer to the next request.
        """
        http = self._http
        if http.our_state is not h11.DONE or http.their_state is not h11.DONE or http.trailing_data[0]:
            return False
        http.start_next_cycle()
        self._usable_until_s = time.monotonic() + KEEPALIVE_S
        return self._silent()

    def usable(self) -> bool:
        """Tell whether an idle connection may be used: not for too long idle, not closed by the server, which has sent nothing unasked."""
        return self._silent() and time.monotonic() <= self._usable_until_s

    def _silent(self) -> bool:
        return not self._ended and not self._in

    def close(self) -> None:
        """Close the connection; one with a request under way at once."""
        if self._transport is not None:
            self._transport.close() if self._http.our_state is h11.IDLE else self._transport.abort()
