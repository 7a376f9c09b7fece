"""Any OpenAI-compatible chat endpoint: `POST {base_url}/chat/completions`, one request per call, no streaming.

Knows the wire format and which fault each outcome is. Does not retry, limit, price or record anything: those are
`reasoner.retry`, `reasoner.limiter`, `reasoner.budget` and the store. What a request is `about` never leaves the process.

    model = open_client("some-model", ClientOptions(base_url="http://127.0.0.1:8000/v1"))
    completion = await model.complete(Request(messages=(Message("user", "4 9 10 13"),)))

What an answer is taken for: `finish_reason` null or unknown becomes `truncated`, so an incomplete answer never counts as
complete. Missing usage is recorded as 0 tokens; nothing is estimated. `constraint_applied` is `json_schema` only when the text
really reads as JSON, since servers may ignore the parameter.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import time
import zlib
from collections.abc import Generator
from weakref import WeakKeyDictionary

import httpx
from pydantic import SecretStr

from reasoner.clients import ClientOptions
from reasoner.clients._openai_wire import MAX_BODY_BYTES, Endpoint, profile_for, request_body
from reasoner.clients._transport import open_transport
from reasoner.errors import (
    BadConfig,
    BadResponse,
    TimedOut,
    UsageError,
)
from reasoner.secrets import is_variable_name, remember
from reasoner.text import clean, shorten
from reasoner.types import Completion, Request, digest

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_KEY_ENV = "OPENAI_API_KEY"
DEFAULT_CONCURRENCY = 8
CONNECT_TIMEOUT_S = 10.0


class _Bearer(httpx.Auth):
    """Puts the key into the one header it belongs in, at the moment a request leaves."""

    def __init__(self, key: SecretStr) -> None:
        self._key = key

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        yield request


class OpenAIClient:
    """One model at one OpenAI-compatible endpoint; made by `open_client`. Usable from any event loop, one pool for each."""

    def __init__(self, endpoint: Endpoint, options: ClientOptions) -> None:
        self.name = f"openai:{endpoint.model}"
        self.fingerprint = f"{self.name}@{endpoint.base_url}"
        self.paid = not is_loopback(endpoint.host)
        self.concurrency = options.concurrency or DEFAULT_CONCURRENCY
        self._endpoint = endpoint
        self._url = httpx.URL(endpoint.url)  # parsed once, not at every call
        self._profile = profile_for(endpoint.model, endpoint.host)
        self._timeout_s = options.timeout_s
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    def __repr__(self) -> str:
        return f"OpenAIClient({self.fingerprint!r})"

    async def complete(self, request: Request) -> Completion:
        """Ask once; see `reasoner.errors` and docs/remote-models.md for which error stands for what."""
        body = request_body(request, model=self._endpoint.model, profile=self._profile)
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
        if request.key:
            plain = request.key.isascii() and request.key.isprintable() and request.key.strip() == request.key
            headers["Idempotency-Key"] = request.key if plain else digest(request.key)
        started_s = time.perf_counter()
        try:
            # A total deadline: a server that drips one byte a second never trips a read timeout.
            async with (
                asyncio.timeout(self._timeout_s),
                self._pool().stream("POST", self._url, content=body, headers=headers) as response,
            ):
                data = await _read(response)
        except TimeoutError as error:
            message = f"{self._endpoint.url} gave no whole answer within {self._timeout_s:g} s"
            raise TimedOut(message, hint="raise --timeout or lower max_tokens") from error
        except httpx.TransportError as error:
            # The cause quotes what it could not read, and a server that echoes the key would thereby put it into a traceback.
            raise self._endpoint.broken(error) from (None if self._endpoint.holds_key(error) else error)
        if not response.is_success:
            raise self._endpoint.fault(response.status_code, response.headers, data, schema=request.constraint is not None)
        if len(data) > MAX_BODY_BYTES:
            raise BadResponse(f"{self._endpoint.url} answered with more than {MAX_BODY_BYTES} bytes", hint="lower max_tokens")
        return self._endpoint.completion(request, data, seconds=time.perf_counter() - started_s)

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Safe to call twice."""
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.aclose()

    def _pool(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = httpx.AsyncClient(
                auth=_Bearer(self._endpoint.key) if self._endpoint.key.get_secret_value() else None,
                timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S),
                transport=open_transport(max_connections=self.concurrency, trust_env=self.paid),
                limits=httpx.Limits(max_connections=self.concurrency),  # of httpx's own transport, where a proxy is in between
                follow_redirects=False,
                trust_env=self.paid,  # proxies are for the way out, not for a server on this machine
            )
        return self._pools[loop]


async def _read(response: httpx.Response) -> bytes:
    """Read a body up to one byte over the bound, counted after decompression. An error's body may end early: its status says enough."""
    packed = response.headers.get("content-encoding", "identity").lower() in {"gzip", "x-gzip", "deflate"}
    unpack = zlib.decompressobj(wbits=47) if packed else None
    data = bytearray()
    try:
        async for piece in response.aiter_raw():
            room = MAX_BODY_BYTES + 1 - len(data)
            data += unpack.decompress(piece, room) if unpack else piece[:room]
            if len(data) > MAX_BODY_BYTES:
                break
    except httpx.TransportError:
        if response.is_success:
            raise
    except zlib.error:
        data.clear()
    return bytes(data)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _checked_url(text: str, source: str) -> httpx.URL:
    """Return a base URL that can be used, without its trailing slash. Messages never show credentials."""
    form = "it looks like https://host/v1"
    if "@" in text:  # before anything that could quote a part of it
        raise BadConfig(f"{source} holds credentials", hint=f"put the key in the variable {DEFAULT_KEY_ENV} and take it out of the URL")
    try:
        url = httpx.URL(text.strip().rstrip("/"))
        url.raw_host.decode("ascii").encode("idna")  # what the resolver does; it fails on labels over 63 characters
    except (httpx.InvalidURL, UnicodeError) as error:
        raise BadConfig(f"{source} is no URL: {error}", hint=form) from error
    usable = url.scheme in {"http", "https"} and url.host and "%" not in url.host and (url.port is None or 0 < url.port < 2**16)
    if not usable or url.query or url.fragment:
        raise BadConfig(f"{source} cannot be used: {shorten(clean(text), 100)!r}", hint=form)
    return url


def _key_from(env: str) -> SecretStr:
    if not is_variable_name(env):
        raise BadConfig(
            "--api-key-env is not the name of a variable", hint="name the variable that holds the key, never the key; it is not shown here"
        )
    key = os.environ.get(env, "").strip()
    remember(key)
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(f"the variable {env} holds no usable key: it has spaces or characters a header cannot carry", hint="set it again")
    return SecretStr(key)


def open_client(name: str, options: ClientOptions) -> OpenAIClient:
    """Open `openai:NAME`. Nothing is connected until the first call.

    Raises:
        UsageError: no model is named, or the key that a server on another machine needs is not set.
        BadConfig: the base URL or the name cannot be used.
    """
    if not name.strip():
        raise UsageError("openai: names no model", hint="write openai:NAME with the name the server knows the model by")
    if len(name) > 200 or clean(name) != name or not name.isprintable():
        raise BadConfig(f"the model name {shorten(clean(name), 60)!r} cannot be used", hint="at most 200 printable characters")
    given, variable = options.base_url, os.environ.get("OPENAI_BASE_URL")
    source = "--base-url" if given is not None else "the variable OPENAI_BASE_URL" if variable else "the default address"
    url = _checked_url(given if given is not None else variable or DEFAULT_BASE_URL, source)
    key_env = options.api_key_env or DEFAULT_KEY_ENV
    key = _key_from(key_env)
    if not key.get_secret_value() and not is_loopback(url.host):
        raise UsageError(f"no key for {url.host}", hint=f"set the variable {key_env} (to any word if the server wants none)")
    return OpenAIClient(Endpoint(name.strip(), str(url), url.host, key, key_env), options)
