"""A model at the other end of an HTTP connection, whatever its dialect.

Knows connections, deadlines and bounds. Does not know a format (a `Dialect` does), and does not retry, limit, price or record anything:
those are `reasoner.calling.retry`, `reasoner.calling.limiter`, `reasoner.budget` and the store. What a request is `about` never leaves the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import zlib
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import httpx
from pydantic import SecretStr

from reasoner.clients._wire import thinking
from reasoner.clients._wire.dialect import cut, extra_body, json_bytes, refused, sent
from reasoner.clients._wire.endpoint import MAX_BODY_BYTES, Endpoint
from reasoner.clients._wire.objections import BOUNDS, objection, option_of, renames, without
from reasoner.clients._wire.profiles import extras_of, overridden, profile_of
from reasoner.clients._wire.proxies import is_loopback, proxy_for
from reasoner.clients._wire.said import loads
from reasoner.clients._wire.sse import EventReader, StreamTooLarge
from reasoner.clients._wire.transport import Response, Transport, address
from reasoner.clients._wire.voice import Voice
from reasoner.errors import BadConfig, BadResponse, ClientError, Refused, ServerFailed, TimedOut, UnreadableAnswer
from reasoner.types import Completion, Pacing, Request, Sampling, digest

if TYPE_CHECKING:
    from reasoner.clients import ClientOptions
    from reasoner.clients._wire.dialect import Dialect, Reading
    from reasoner.clients._wire.profiles import Dialect as DialectName
    from reasoner.clients._wire.sse import Event

DEFAULT_CONCURRENCY = 8
CONNECT_TIMEOUT_S = 10.0
DRAIN_S = 0.25
"""How long the end of a response is waited for after its stream has ended: a connection read to its end is used again."""
_SAID = {"User-Agent": f"python-httpx/{httpx.__version__}"}
"""What httpx's client says of itself: some gateways refuse requests that say nothing."""

_Answer = Response | httpx.Response
"""What comes back: ours, and httpx's where a proxy is in between."""


class _Key(httpx.Auth):
    """Puts the key into the one header it belongs in, at the moment a request leaves."""

    def __init__(self, dialect: Dialect, key: SecretStr) -> None:
        self._dialect = dialect
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._dialect.headers(self._key.get_secret_value()))
        yield request


class _Objected(Exception):
    """A 400 or 422: the error it stands for, and its body."""

    def __init__(self, error: ClientError, body: bytes) -> None:
        super().__init__(str(error))
        self.error = error
        self.body = body


_INSTEAD = {name: f"sent as {other!r} from now on" for name, other in BOUNDS.items()}


class RemoteClient:
    """One model at one endpoint; made by `open_client`. Usable from any event loop, one pool for each."""

    calls_tools = True

    def __init__(self, scheme: DialectName, dialect: Dialect, endpoint: Endpoint, options: ClientOptions) -> None:
        self.name = f"{scheme}:{endpoint.model}"
        self.profile = overridden(profile_of(scheme, endpoint.model, endpoint.host, httpx.URL(endpoint.base_url).port), options.profile)
        self.base_url, self.where = endpoint.base_url, endpoint.where
        self.changed = f"#{self.profile.model_dump_json(exclude_defaults=True, by_alias=True)}" if options.profile else ""
        self.fingerprint = f"{self.name}@{self.base_url}{self.changed}"
        self.paid = not is_loopback(endpoint.host)
        self.concurrency = options.concurrency or DEFAULT_CONCURRENCY
        key = endpoint.key.get_secret_value()
        self.pacing = Pacing(
            adaptive=True, rpm=options.rpm, tpm=options.tpm, account=hash((endpoint.host, key)) if key else None
        )  # the hash differs from process to process, and goes nowhere
        self._dialect = dialect
        self._endpoint = endpoint
        self._url = httpx.URL(endpoint.url)  # parsed once, not at every call
        self._timeout_s = options.timeout_s
        self._idle_s = options.idle_timeout_s
        self._stream = options.stream
        self.extras = extras_of(scheme, self.profile)
        self._bounded = scheme == "anthropic"  # whose format wants a bound
        self._gives_ids = scheme == "openai"
        self._unwanted: list[str] = []
        self._owes_ids = False
        self.notes: list[str] = []
        # Proxies are for the way out, not for a server on this machine.
        self._proxy = proxy_for(self._url) if self.paid else None
        self._address = address(self._url)
        self._host = {"Host": self._url.netloc.decode("ascii")}
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Transport | httpx.AsyncClient] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.fingerprint!r})"

    def sampling(self, wanted: Sampling, *, bounded: bool) -> Sampling:
        """Return a sampling as it is sent: without what this model's generation refuses. `bounded` says that there is a budget to keep."""
        return sent(wanted, self.profile, bounded=bounded or self._bounded)

    def check(self, wanted: Sampling) -> None:
        """Refuse what was set and cannot be sent.

        Raises:
            BadConfig: this model's generation refuses it, or it cannot be told how much to think.
        """
        if name := refused(wanted, self.profile):
            raise BadConfig(
                f"{self.name} takes no {name}, and {getattr(wanted, name)!r} was set",
                hint=f"leave `{name}` out, or say that the model does with `profile`",
            )
        if wanted.tokens and not (self._gives_ids and self.profile.logprobs):
            raise BadConfig(
                f"{self.name} tells no token ids", hint="leave `record` out; local models tell them, and vLLM's endpoint (openai:NAME)"
            )
        thinking.fields(wanted.thinking, self.profile, max_tokens=wanted.max_tokens)
        extra_body(wanted.extra_body)

    def take_notes(self) -> list[str]:
        """Return what was left out for this server, each line once."""
        notes, self.notes = self.notes, []
        return notes

    async def complete(self, request: Request) -> Completion:
        """Ask once; see `reasoner.errors` and docs/reference/remote-models.md for which error stands for what.

        A server that objects to a field which nobody asked for is asked once more without it, and never sent it again.
        """
        stream = self._stream or request.hear is not None
        asked = self._dialect.body(request, model=self._endpoint.model, profile=self.profile, stream=stream)
        for name in self._unwanted:
            asked = without(asked, name, by_user=request.by_user) or asked
        try:
            return self._noted(request, await self._ask(request, asked))
        except _Objected as objected:
            name = objection(objected.body, asked)
            less = (
                without(asked, name, by_user=request.by_user)
                if name not in BOUNDS or (not self._bounded and renames(objected.body, name))
                else None
            )
            if less is None or less == asked:
                raise self._explained(objected.error, name, request) from None
        try:
            answer = await self._ask(request, less)
        except _Objected as objected:
            raise self._explained(objected.error, objection(objected.body, less), request) from None
        if name not in self._unwanted:  # of several calls under way the first has said it
            self._unwanted.append(name)
            self.notes.append(f"{self.name} refused {name!r}, which is sent by default: it is {_INSTEAD.get(name, 'left out from now on')}")
        return self._noted(request, answer)

    def _noted(self, request: Request, answer: Completion) -> Completion:
        """Return an answer; say once where it lacks the token ids that were asked for."""
        if request.sampling.tokens and not answer.tokens and not self._owes_ids:
            self._owes_ids = True
            self.notes.append(
                f"{self.name} gave a reply without the ids and log-probabilities of its tokens: nothing is recorded where they are missing"
            )
        return answer

    def _explained(self, error: ClientError, name: str, request: Request) -> ClientError:
        option = option_of(name, extra_body(request.sampling.extra_body))
        if option and not error.hint.startswith("the server at"):  # which says more
            error.hint = f"it does not take {name!r}: leave `{option}` out, or say what this model can do with `profile`"
        return error

    async def _ask(self, request: Request, asked: dict[str, Any]) -> Completion:
        endpoint = self._endpoint
        body = json_bytes(asked)
        accepts = "text/event-stream, application/json" if asked.get("stream") else "application/json"
        headers = {"Content-Type": "application/json", "Accept": accepts, "Accept-Encoding": "identity"}
        if request.key:
            plain = request.key.isascii() and request.key.isprintable() and request.key.strip() == request.key
            headers["Idempotency-Key"] = request.key if plain else digest(request.key)
        started_s = time.perf_counter()
        reading = self._dialect.reading(endpoint, request, profile=self.profile)
        try:
            # A total deadline: a server that drips one byte a second never trips a read timeout.
            async with (
                asyncio.timeout(self._timeout_s),
                self._sent(body, headers) as response,
            ):
                if response.is_success and _is_stream(response):
                    await self._follow(response, reading)
                    return self._read_to_its_end(reading, started_s)
                data = await _read(response)
            if response.is_success and data.lstrip().startswith((b"data:", b"event:")):  # a stream that does not say it is one
                self._replay(data, reading)
                return self._read_to_its_end(reading, started_s)
        except UnreadableAnswer:
            raise
        except BadResponse as error:
            if reading.begun:
                raise self._cut(reading, "made no sense", started_s) from error
            raise
        except TimeoutError as error:
            if reading.finish is not None:
                return reading.completion(seconds=time.perf_counter() - started_s)
            if reading.begun:
                raise self._cut(reading, f"was not at its end within {self._timeout_s:g} s", started_s) from error
            message = f"{endpoint.url} gave no whole answer within {self._timeout_s:g} s"
            raise TimedOut(message, hint="raise `timeout` or lower `max_tokens`") from error
        except httpx.TransportError as error:
            # The cause quotes what it could not read, and a server that echoes the key would thereby put it into a traceback.
            cause = None if endpoint.holds_key(error) else error
            if reading.finish is not None:  # all of the answer had come, and how it ended; what is missing are counts at most
                return reading.completion(seconds=time.perf_counter() - started_s)
            if reading.begun:
                raise self._cut(reading, "broke off", started_s) from cause
            raise endpoint.broken(error) from cause
        if not response.is_success:
            fault = endpoint.fault(response.status_code, response.headers, data, schema=request.constraint is not None)
            raise _Objected(fault, data) if type(fault) is Refused and response.status_code in {400, 422} else fault
        if len(data) > MAX_BODY_BYTES:
            raise UnreadableAnswer(f"{endpoint.url} answered with more than {MAX_BODY_BYTES} bytes", hint="lower `max_tokens`")
        seconds = time.perf_counter() - started_s
        return self._dialect.completion(endpoint, request, data, seconds=seconds, profile=self.profile)

    def _read_to_its_end(self, reading: Reading, started_s: float) -> Completion:
        if not reading.whole:
            raise self._cut(reading, "ended", started_s)
        return reading.completion(seconds=time.perf_counter() - started_s)

    def _replay(self, data: bytes, reading: Reading) -> None:
        events = EventReader()
        for event in (*self._fed(events, data), events.rest()):
            if event is not None and not reading.done and (event.data.strip() == b"[DONE]" or _is_whole(event.data)):
                reading.take(event)
        reading.closed()

    def _fed(self, events: EventReader, piece: bytes) -> list[Event]:
        try:
            return events.feed(piece)
        except StreamTooLarge as error:
            raise BadResponse(f"{self._endpoint.url} sent {error}", hint="lower `max_tokens`") from error

    async def _follow(self, response: _Answer, reading: Reading) -> None:
        """Read a stream to its end, to the end of the response, or until nothing has come for the idle timeout."""
        voice = Voice(reading.request.hear, self.profile)
        events = EventReader()
        pieces = aiter(_unpacked(response))
        while not reading.done:
            try:
                async with asyncio.timeout(self._idle_s):
                    piece = await anext(pieces, None)
            except TimeoutError as error:
                raise httpx.ReadTimeout(f"nothing came for {self._idle_s:g} s") from error
            except zlib.error as error:
                raise BadResponse(f"{self._endpoint.url} sent a stream that cannot be unpacked", hint="try again") from error
            if piece is None:
                if (last := events.rest()) is not None and _is_whole(last.data):
                    reading.take(last)
                reading.closed()
                return
            for event in self._fed(events, piece):
                if not reading.done:
                    reading.take(event)
            voice.tell(reading)
        with contextlib.suppress(TimeoutError, httpx.TransportError):
            async with asyncio.timeout(DRAIN_S):
                await anext(pieces, None)

    def _cut(self, reading: Reading, how: str, started_s: float) -> ClientError:
        """Return the error for a stream that is not whole: with what had come of the answer, if anything had."""
        if reading.begun:
            return cut(reading, how, seconds=time.perf_counter() - started_s)
        hint = "the request may have been processed; try again"
        return ServerFailed(f"the stream from {self._endpoint.where} {how} before anything of an answer had come", hint=hint)

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Safe to call twice."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    @asynccontextmanager
    async def _sent(self, body: bytes, headers: dict[str, str]) -> AsyncIterator[_Answer]:
        """Send a request and give its response, its body unread.

        What httpx's client does for each request (cookies, redirects, merging headers and URLs) costs as much as the connection itself, and
        nothing here needs it. Where a proxy is in between, httpx's client finds it.
        """
        pool = self._pool()
        if isinstance(pool, httpx.AsyncClient):
            async with pool.stream("POST", self._url, content=body, headers=headers) as response:
                yield response
            return
        key = self._dialect.headers(self._endpoint.key.get_secret_value())
        sent = [(name.encode("ascii"), value.encode("ascii")) for name, value in {**self._host, **_SAID, **headers, **key}.items()]
        answer = await pool.post(self._address, sent, body, connect_timeout_s=CONNECT_TIMEOUT_S)
        try:
            yield answer
        finally:
            await answer.aclose()

    def _pool(self) -> Transport | httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            if self._proxy is None:
                self._pools[loop] = Transport(max_connections=self.concurrency, trust_env=self.paid)
                return self._pools[loop]
            self._pools[loop] = httpx.AsyncClient(
                auth=_Key(self._dialect, self._endpoint.key),
                timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
                limits=httpx.Limits(max_connections=self.concurrency),
                follow_redirects=False,
                proxy=self._proxy,
                verify=httpx.create_ssl_context(trust_env=True),
                trust_env=False,
            )
        return self._pools[loop]


def _is_whole(data: bytes) -> bool:
    """Tell whether an event that no blank line ended is whole all the same: the end of a stream, or an object to its last brace."""
    if data.strip() == b"[DONE]":
        return True
    try:
        return isinstance(loads(data), dict)
    except ValueError:
        return False


def _is_stream(response: _Answer) -> bool:
    """Tell whether the server streams: one that ignores the wish answers in one piece, and says so."""
    kind: str = response.headers.get("content-type", "").lower()
    return kind.startswith("text/event-stream")


def _is_packed(response: _Answer) -> bool:
    encoding: str = response.headers.get("content-encoding", "identity")
    return encoding.lower() in {"gzip", "x-gzip", "deflate"}


async def _unpacked(response: _Answer) -> AsyncIterator[bytes]:
    """Yield the pieces of a body, decompressed by at most `MAX_BODY_BYTES` at a time."""
    unpack = zlib.decompressobj(wbits=47) if _is_packed(response) else None
    async for piece in response.aiter_raw():
        yield unpack.decompress(piece, MAX_BODY_BYTES + 1) if unpack else piece
        if unpack is not None and unpack.unconsumed_tail:
            raise zlib.error("one piece unpacks to more than a whole body may have")


async def _read(response: _Answer) -> bytes:
    """Read a body up to one byte over the bound, counted after decompression. An error's body may end early: its status says enough."""
    data = bytearray()
    try:
        async for piece in _unpacked(response) if _is_packed(response) else response.aiter_raw():
            data += piece[: MAX_BODY_BYTES + 1 - len(data)]
            if len(data) > MAX_BODY_BYTES:
                break
    except httpx.TransportError:
        if response.is_success:
            raise
    except zlib.error:
        data.clear()
    return bytes(data)
