"""The transport against a loopback server that counts connections: limits, reuse, what breaks, and that every place is given back."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from reasoner.clients._wire.transport import MAX_WAITING_BYTES, Response, Transport, address

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Behave = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers each request with what `behave` does; counts connections."""

    def __init__(self, behave: Behave) -> None:
        self.behave = behave
        self.made = self.open = self.peak = 0
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.made += 1
        self.open += 1
        self.peak = max(self.peak, self.open)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
                await reader.readexactly(size)
                await self.behave(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


class Asking:
    """Asks over a transport of ours."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @asynccontextmanager
    async def stream(self, url: str, body: bytes = b"q") -> AsyncIterator[Response]:
        """Give a response with its body unread."""
        at = address(httpx.URL(url))
        response = await self.transport.post(at, [(b"Host", at.host.encode())], body, connect_timeout_s=5)
        try:
            yield response
        finally:
            await response.aclose()

    async def text(self, url: str, body: bytes = b"q") -> str:
        """Return what was answered."""
        async with self.stream(url, body) as response:
            return b"".join([piece async for piece in response.aiter_raw()]).decode()


@asynccontextmanager
async def serving(behave: Behave, *, max_connections: int = 1) -> AsyncIterator[tuple[Server, Transport, Asking]]:
    """A server, and what asks it over a transport of ours."""
    server = Server(behave)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/x"
    transport = Transport(max_connections=max_connections)
    assert transport is not None
    try:
        yield server, transport, Asking(transport)
    finally:
        await transport.aclose()
    assert transport.n_open == 0
    async with asyncio.timeout(5):
        while server.open:  # noqa: ASYNC110 - plain enough
            await asyncio.sleep(0.01)
    listening.close()


async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def answer_late(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.02)
    writer.write(OK)


async def test_the_limit_holds_and_connections_are_used_again() -> None:
    async with serving(answer_late, max_connections=4) as (server, transport, client):
        assert await asyncio.gather(*(client.text(server.url) for _ in range(20))) == ["ok"] * 20
        assert server.peak == server.made == transport.n_open == 4


async def test_one_after_another_is_one_connection() -> None:
    async with serving(answer, max_connections=4) as (server, _, client):
        for _ in range(10):
            assert await client.text(server.url) == "ok"
        assert server.made == 1


async def test_another_host_does_not_lift_the_limit() -> None:
    async with serving(answer, max_connections=1) as (first, transport, client), serving(answer) as (second, _, _):
        for server in (first, second, first):
            await client.text(server.url)
            assert transport.n_open == 1


async def test_a_connection_the_server_closed_is_not_used_again() -> None:
    async def answer_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with serving(answer_once) as (server, _, client):
        for _ in range(5):
            assert await client.text(server.url) == "ok"
            await asyncio.sleep(0.02)
        assert server.made == 5


async def test_a_second_answer_in_the_same_piece_is_not_taken_for_that_of_the_next_request() -> None:
    sent = 0

    async def answer_twice(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        sent += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % sent + OK)

    async with serving(answer_twice) as (server, _, client):
        assert [await client.text(server.url) for _ in range(3)] == ["1", "2", "3"]
        assert server.made == 3


async def test_a_connection_with_words_nobody_asked_for_is_not_used_again() -> None:
    writers: list[asyncio.StreamWriter] = []

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        writers.append(writer)

    async with serving(keep) as (server, _, client):
        for _ in range(3):
            assert await client.text(server.url) == "ok"
            writers[-1].write(OK.replace(b"ok", b"no"))
            await asyncio.sleep(0.05)
        assert server.made == 3


async def test_what_is_sent_is_what_was_given_and_the_length() -> None:
    heads: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head + await reader.readexactly(3))
        writer.write(OK)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    transport = Transport(max_connections=1)
    at = address(httpx.URL(f"http://127.0.0.1:{port}/v1/x?y=1"))
    response = await transport.post(at, [(b"Host", b"h:1"), (b"A", b"b c")], b"q\xff\x00", connect_timeout_s=5)
    assert (response.status_code, response.is_success, response.headers["content-length"]) == (200, True, "2")
    await response.aclose()
    await transport.aclose()
    listening.close()
    assert heads == [b"POST /v1/x?y=1 HTTP/1.1\r\nHost: h:1\r\nA: b c\r\nContent-Length: 3\r\n\r\nq\xff\x00"]


def breaking(data: bytes) -> Behave:
    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if data:
            writer.write(data)
            await writer.drain()
        writer.close()

    return behave


@pytest.mark.parametrize(
    "data", [b"", b"HTTP/1.1 200", b"nonsense\r\n\r\n", OK[:-1]], ids=["nothing", "half a head", "nonsense", "half a body"]
)
async def test_what_breaks_is_an_error_of_httpx_and_gives_its_place_back(data: bytes) -> None:
    async with serving(breaking(data)) as (server, transport, client):
        for _ in range(3):  # with one place, a second request would wait for ever if the first had kept it
            async with asyncio.timeout(5):
                with pytest.raises(httpx.RemoteProtocolError):
                    await client.text(server.url)
            assert transport.n_open == 0


async def test_an_answer_that_is_reset_is_a_read_error() -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK[:-1])
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort()

    async with serving(reset) as (server, _, client):
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await client.text(server.url)


async def test_nobody_listening_is_a_connect_error() -> None:
    async with serving(answer) as (server, transport, client):
        unused = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = unused.sockets[0].getsockname()[1]
        unused.close()
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await client.text(f"http://127.0.0.1:{port}/")
        assert transport.n_open == 0
        assert await client.text(server.url) == "ok"


async def test_tls_to_a_server_that_speaks_none_is_a_connect_error() -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"nonsense, and no handshake\r\n")
        writer.close()

    listening = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with serving(answer) as (_, transport, client), asyncio.timeout(5):
        for _ in range(2):
            with pytest.raises(httpx.ConnectError):
                await client.text(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/")
        assert transport.n_open == 0
    listening.close()


async def test_whoever_stops_waiting_gives_the_place_back() -> None:
    async def never(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(never) as (server, _, client):
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await client.text(server.url)
        first = asyncio.create_task(client.text(server.url))
        second = asyncio.create_task(client.text(server.url))
        await asyncio.sleep(0.02)
        assert server.open == 1
        for waiting in (second, first):
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        server.behave = answer
        async with asyncio.timeout(5):
            assert await client.text(server.url) == "ok"


async def test_an_answer_left_unread_costs_the_connection_and_no_place() -> None:
    async def long(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun")

    async with serving(long) as (server, transport, client):
        for _ in range(3):
            async with asyncio.timeout(5), client.stream(server.url) as response:
                assert response.status_code == 200
            assert transport.n_open == 0
        assert server.made == 3


async def test_a_large_answer_is_held_up_and_read_whole() -> None:
    body = b"x" * (256 * MAX_WAITING_BYTES)  # more than both ends of a connection buffer
    waiting: list[int] = []

    async def large(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await asyncio.sleep(0.3)
        waiting.append(writer.transport.get_write_buffer_size())

    async with serving(large) as (server, _, client), client.stream(server.url, b"q" * 1_000_000) as response:
        while not waiting:  # noqa: ASYNC110 - plain enough
            await asyncio.sleep(0.01)
        assert waiting[0] > len(body) // 2, "the server was not held up"
        assert sum([len(piece) async for piece in response.aiter_raw()]) == len(body)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that signs itself, with its key, in one file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "-", "-out", "-"],
        capture_output=True, check=True,
    )  # fmt: skip
    path.write_bytes(made.stdout)
    return path


@asynccontextmanager
async def serving_tls(behave: Behave, certificate: Path) -> AsyncIterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    server = Server(behave)
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=context)
    server.url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/x"
    yield server
    listening.close()


async def test_tls_is_spoken_with_whom_the_certificate_names_and_with_nobody_else(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoken: list[str | None] = []

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        spoken.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        writer.write(OK)

    async with serving_tls(speak, certificate) as server, asyncio.timeout(20):
        stranger = Transport(max_connections=1)
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            await Asking(stranger).text(server.url)
        assert stranger.n_open == 0
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        transport = Transport(max_connections=1)
        for _ in range(3):
            assert await Asking(transport).text(server.url) == "ok"
        assert spoken == ["http/1.1"] * 3
        assert server.made == 1, "one connection for the three"
        await transport.aclose()


async def test_a_body_that_ends_with_the_connection_is_whole_over_tls_too(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def until_the_end(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await writer.drain()
        writer.close()

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serving_tls(until_the_end, certificate) as server, asyncio.timeout(20):
        transport = Transport(max_connections=1)
        for _ in range(2):
            assert await Asking(transport).text(server.url) == "all of it"
        assert transport.n_open == 0
