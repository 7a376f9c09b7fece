"""The guard in front of everything: Host, Origin, token, method's content type, body size, and the headers every answer carries.

Checked in this order, before a body is used (a short one of a refused request is taken in and thrown away): one length (a request with two is how
others are smuggled past a proxy) and no websocket, Host against an allowlist (a page of another site whose name was pointed here must get nothing),
Origin (only the server's own), the token, the content type, the size. Knows headers; does not know what is served.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect

from reasoner.serve.faults import Fault, error_body
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from reasoner.serve.executor import Executor
    from reasoner.serve.settings import Settings

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'"
)
DISCARDED_BYTES = 64 * 1024
DISCARD_S = 1.0
"""How much of a refused request's body is taken in, and for how long."""

CLOSING = frozenset({"ambiguous_length", "no_websockets"})
"""Faults after which nothing on the connection can be trusted to be a request: it is closed."""

_EVERY_ANSWER = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", CSP.encode()),
    (b"cross-origin-resource-policy", b"same-origin"),  # a fetch in the mode cors, as --allow-origin lets pages make, is not held to it
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]

_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"authorization, x-api-key, content-type, idempotency-key, anthropic-version, anthropic-beta"),
    (b"access-control-max-age", b"600"),
]

_STOPPED = Fault(
    503, "overloaded", "the server stopped before this was answered; what was reached is kept and can be resumed", code="stopping"
)


class Guard:
    """ASGI middleware; see the module docstring."""

    def __init__(self, app: ASGIApp, settings: Settings, executor: Executor | None = None) -> None:
        self._app = app
        self._settings = settings
        self.executor = executor
        """What runs requests; None where nothing is served but pages."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with what is wrong."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        begun = False

        async def headed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message = {**message, "headers": [*message["headers"], *_EVERY_ANSWER, *self._for_origin(scope)]}
            await send(message)

        fault = self._fault(scope)
        if fault is not None:
            if fault.code not in CLOSING:
                await _discard(scope, receive)
            await refuse(scope["path"], fault, headed)
            return
        if scope["method"] == "OPTIONS" and self._for_origin(scope):  # what a browser asks before the request itself; it carries no token
            await headed({"type": "http.response.start", "status": 204, "headers": _PREFLIGHT})
            await headed({"type": "http.response.body", "body": b""})
            return
        bounded = _Bounded(receive, self._settings.max_body_bytes)
        try:
            await self._app(scope, bounded, headed)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except asyncio.CancelledError:
            if self.executor is None or not self.executor.stopping:
                raise
            # The server ends requests that outlast its patience; theirs is parked by now, and no fault of ours to log.
            if begun:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await refuse(scope["path"], _STOPPED, headed)

    def _fault(self, scope: Scope) -> Fault | None:
        headers = _Headers(scope)
        if headers.count("content-length") and headers.count("transfer-encoding"):
            return Fault(400, "invalid_request", "Content-Length and Transfer-Encoding contradict each other", code="ambiguous_length")
        if headers.count("upgrade") and "websocket" in headers.one("upgrade").lower():
            return Fault(400, "invalid_request", "websockets are not supported", code="no_websockets")
        if not self._host_is_known(headers):
            named = shorten(clean(headers.one("host")), 80)
            word = f"the Host header names no host this server answers for: {named!r}; start it with --allow-host NAME to have it answer"
            return Fault(403, "permission", word, code="host_not_allowed")
        if not _origin_is_own(headers) and not self._for_origin(scope):
            word = "the Origin header names another site; start the server with --allow-origin SITE to let its pages ask"
            return Fault(403, "permission", word, code="origin_not_allowed")
        if not self._may_enter(scope["path"], headers) and not (scope["method"] == "OPTIONS" and self._for_origin(scope)):
            return Fault(
                401, "authentication", "the token is missing or wrong; send it as 'Authorization: Bearer TOKEN'", code="invalid_api_key"
            )
        if scope["method"] not in {"POST", "PUT", "PATCH"}:
            return None
        wanted = "application/json"
        if scope["path"].startswith("/view/"):  # the forms of the pages
            wanted = "application/x-www-form-urlencoded"
            if not headers.count("origin"):
                return Fault(403, "permission", "a form is taken from a page of this server alone", code="origin_not_allowed")
        kind, _, parameters = headers.one("content-type").partition(";")
        charset = parameters.strip().lower().replace('"', "").removeprefix("charset=")
        if kind.strip().lower() != wanted or charset not in {"", "utf-8", "utf8"}:
            return Fault(415, "invalid_request", f"the Content-Type has to be {wanted}", code="unsupported_media_type")
        if headers.one("content-encoding").lower() not in {"", "identity"}:
            return Fault(415, "invalid_request", "the body may not be compressed", code="unsupported_media_type")
        length = headers.one("content-length")
        if length and (not length.isdecimal() or len(length) > 15 or int(length) > self._settings.max_body_bytes):
            return Fault(413, "too_large", f"the body may have {self._settings.max_body_bytes} bytes", code="request_too_large")
        return None

    def _host_is_known(self, headers: _Headers) -> bool:
        return headers.count("host") == 1 and _hostname(headers.one("host")) in self._settings.hosts

    def _for_origin(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        """Return the headers that let a page of an allowed site read the answer; none for anybody else, and none for the pages."""
        headers = _Headers(scope)
        origin = headers.one("origin")
        if headers.count("origin") != 1 or origin not in self._settings.origins or scope["path"].startswith("/view/"):
            return []
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", b"x-reasoner-trajectory, x-reasoner-run, retry-after"),
            (b"vary", b"Origin"),
        ]

    def _may_enter(self, path: str, headers: _Headers) -> bool:
        if path.startswith("/view/"):
            return same(path.split("/")[2], self._settings.page_key)
        if headers.count("authorization") > 1 or headers.count("x-api-key") > 1:
            return False
        scheme, _, bearer = headers.one("authorization").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else "" if scheme else headers.one("x-api-key")
        return same(given, self._settings.token)


class _Headers:
    def __init__(self, scope: Scope) -> None:
        self._pairs = [(name.lower(), value.decode("latin-1")) for name, value in scope["headers"]]

    def count(self, name: str) -> int:
        return sum(key == name.encode() for key, _ in self._pairs)

    def one(self, name: str) -> str:
        return next((value for key, value in self._pairs if key == name.encode()), "")


def same(given: str, wanted: str) -> bool:
    """Compare two texts in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def _hostname(host: str) -> str | None:
    """Return the name in a Host header, None where it is no host."""
    if not host or any(char in host for char in "/?#@\\, \t"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts.hostname


def _origin_is_own(headers: _Headers) -> bool:
    """Tell whether there is no Origin, as from anything but a browser, or the very host that is asked."""
    if not headers.count("origin"):
        return True
    if headers.count("origin") > 1:
        return False
    return headers.one("origin") in {f"{scheme}://{headers.one('host')}" for scheme in ("http", "https")}


async def _discard(scope: Scope, receive: Receive) -> None:
    """Take in a short body that is not wanted: the kernel resets a connection that is closed over unread bytes, and the answer is lost with it."""
    if _Headers(scope).count("expect"):
        return  # it waits to be asked for its body
    left = DISCARDED_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return


class _Bounded:
    """Counts a body that named no length, and ends it where it grows too long."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise TooLarge
        return message


class TooLarge(Exception):
    """A body is longer than it may be."""


async def refuse(path: str, fault: Fault, send: Send) -> None:
    """Answer with an error in the dialect of the path."""
    body = json.dumps(error_body(path, fault)).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if fault.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if fault.status in {413, 415} or fault.code in CLOSING:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": fault.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
