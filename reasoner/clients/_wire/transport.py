"""The connections under the remote clients: httpcore's HTTP/1.1 below, and a pool of ours above it.

httpx's own pool looks at every connection it has whenever a request comes or goes, so that it is slower the more there are: at 64 calls
at once it costs more than everything else in a call. Here a request takes the connection that came free last and gives it back, and what
goes over plain TCP is read and written by asyncio itself. Errors are httpx's; TLS, chunks, and what a broken answer is, are httpcore's.

httpx over httpx-aiohttp was tried in its place: a third of a millisecond more CPU a call, a fifth fewer calls a second at 64 (docs/bench-log/overhead.md).

    transport = Transport(max_connections=64)
    response = await transport.post(address(url), [(b"Host", b"localhost"), ...], body, connect_timeout_s=10)

Knows connections; knows no dialect, no key and no retry. Proxies stay with httpx: where one leads to the server (`proxies`) there is no transport
of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

KEEPALIVE_S = 5.0
"""An idle connection is used again for so long, as httpx does."""
MAX_WAITING_BYTES = 1 << 18
"""What the server may send ahead of the reader before it is held up."""


def address(url: httpx.URL) -> httpcore.URL:
    """Return where a URL leads to, as `Transport.post` wants it."""
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)


class Transport:
    """At most so many connections at once, each to one request at a time; for one event loop."""

    def __init__(self, *, max_connections: int, trust_env: bool = True) -> None:
        self._places = asyncio.Semaphore(max_connections)
        self._max_connections = max_connections
        self._trust_env = trust_env
        self._context: Any = None
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._busy: set[httpcore.AsyncHTTPConnection] = set()

    @property
    def n_open(self) -> int:
        """How many connections there are, idle ones included."""
        return len(self._idle) + len(self._busy)

    async def post(self, url: httpcore.URL, headers: list[tuple[bytes, bytes]], body: bytes, *, connect_timeout_s: float) -> Response:
        """Send a request and return the response with its body unread. The length is added to the headers, nothing else.

        Waits without end for a free connection and for the answer: whoever asks has a deadline.

        Raises:
            httpx.TransportError: of the kinds httpx's own transport raises.
        """
        asked = httpcore.Request(
            "POST", url, headers=[*headers, (b"Content-Length", b"%d" % len(body))], content=body,
            extensions={"timeout": {"connect": connect_timeout_s}},
        )  # fmt: skip
        with _as_httpx():
            await self._places.acquire()
            connection = None
            try:
                connection = await self._connection(url)
                answer = await connection.handle_async_request(asked)
            except BaseException:
                self._give_back(connection)
                raise
        return Response(self, connection, answer)

    async def aclose(self) -> None:
        """Close every connection, those under way included. Safe to call twice."""
        while self._idle or self._busy:
            connection = self._idle.pop() if self._idle else self._busy.pop()
            await connection.aclose()

    async def _connection(self, url: httpcore.URL) -> httpcore.AsyncHTTPConnection:
        """Take the connection that was given back last; open one where there is none that can be used."""
        origin = url.origin
        for at in range(len(self._idle) - 1, -1, -1):
            if self._idle[at].can_handle_request(origin):
                connection = self._idle.pop(at)
                if connection.is_available() and not connection.has_expired():
                    self._busy.add(connection)
                    return connection
                await connection.aclose()
        if len(self._idle) + len(self._busy) >= self._max_connections and self._idle:
            await self._idle.pop(0).aclose()
        plain = origin.scheme == b"http"
        connection = httpcore.AsyncHTTPConnection(
            origin, ssl_context=None if plain else self._tls(), keepalive_expiry=KEEPALIVE_S, network_backend=_Plain() if plain else None
        )
        self._busy.add(connection)
        return connection

    def _tls(self) -> Any:
        if self._context is None:
            self._context = httpx.create_ssl_context(trust_env=self._trust_env)
        return self._context

    def _give_back(self, connection: httpcore.AsyncHTTPConnection | None) -> None:
        """Keep a connection whose last answer was read to its end; any other is closed by now."""
        if connection in self._busy:
            self._busy.discard(connection)
            if connection.is_idle() and not connection.is_closed():
                self._idle.append(connection)
        self._places.release()


class Response:
    """A response with its body unread; closing it gives the connection back, once. Has what is used of httpx's."""

    def __init__(self, transport: Transport, connection: httpcore.AsyncHTTPConnection, answer: httpcore.Response) -> None:
        self._transport = transport
        self._connection: httpcore.AsyncHTTPConnection | None = connection
        self._answer = answer
        self.status_code = answer.status
        self.headers = httpx.Headers(answer.headers)

    @property
    def is_success(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status_code < 300

    async def aiter_raw(self) -> AsyncIterator[bytes]:
        """Yield the body in pieces, as it was sent."""
        with _as_httpx():
            async for piece in cast("AsyncIterable[bytes]", self._answer.stream):
                yield piece

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            with _as_httpx():
                await self._answer.aclose()
                if _says_more(connection):
                    await connection.aclose()
        finally:
            self._transport._give_back(connection)  # noqa: SLF001 - the two are one


def _says_more(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Tell whether bytes came after the end of the answer: they would be read as the answer to the next request."""
    protocol = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return protocol is None or bool(protocol.trailing_data[0])


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpcore's errors as those of the same name in httpx, with the cause kept as httpx keeps it."""
    try:
        yield
    except (
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        httpcore.ProxyError,
        httpcore.UnsupportedProtocol,
    ) as error:
        kind = getattr(httpx, type(error).__name__, httpx.TransportError)
        raise kind(str(error)) from error


class _Plain(httpcore.AsyncNetworkBackend):
    """Opens plain TCP connections of the running event loop."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the name httpcore calls it by
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        del local_address, socket_options  # nobody sets them
        try:
            async with asyncio.timeout(timeout):
                _, wire = await asyncio.get_running_loop().create_connection(_Wire, host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        return wire


class _Wire(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """One TCP connection. What is written goes out in one piece when an answer is waited for; httpcore writes head and body apart."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._out: list[bytes] = []
        self._in = bytearray()
        self._ended = self._held = False
        self._error: Exception | None = None
        self._reader: asyncio.Future[None] | None = None

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

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        self._flush()
        if not self._in and not self._ended:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                if timeout is None:
                    await self._reader
                else:
                    async with asyncio.timeout(timeout):
                        await self._reader
            except TimeoutError as error:
                raise httpcore.ReadTimeout(str(error)) from error
            finally:
                self._reader = None
        if not self._in and self._error is not None:
            raise httpcore.ReadError(str(self._error)) from self._error
        data = bytes(self._in[:max_bytes])
        del self._in[:max_bytes]
        if self._held and len(self._in) <= MAX_WAITING_BYTES // 2 and self._transport is not None and not self._ended:
            self._held = False
            self._transport.resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - nothing here waits
        if self._ended:
            raise httpcore.WriteError("the connection is closed")
        if buffer:
            self._out.append(buffer)

    def _flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    async def aclose(self) -> None:
        if self._transport is not None:
            self._transport.abort() if self._out else self._transport.close()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # of an idle connection: the server has closed it, or sent what nobody asked for
            return self._ended or bool(self._in)
        names = {"client_addr": "sockname", "server_addr": "peername", "socket": "socket"}
        return self._transport.get_extra_info(names[info]) if self._transport is not None and info in names else None
