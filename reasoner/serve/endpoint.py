"""The routes of the endpoint: read a body, run it, answer in its dialect.

Knows HTTP; the dialects stand in `completions`, `messages` and `responses`, the work in `executor`.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from reasoner.errors import ReasonerError
from reasoner.serve import chat_request, completions, messages, messages_request, responses, responses_request
from reasoner.serve.answers import check
from reasoner.serve.description import describe
from reasoner.serve.faults import Fault, Refused, error_body, fault_of
from reasoner.serve.feed import Feed, Feeds
from reasoner.serve.guard import TooLarge
from reasoner.serve.order import Done, Order, Said, Started
from reasoner.serve.presence import presence_of
from reasoner.serve.streams import kept_alive
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine

    from starlette.requests import Request
    from starlette.responses import Response

    from reasoner.serve.executor import Executor
    from reasoner.serve.order import Event
    from reasoner.serve.settings import Settings

B = TypeVar("B", bound=BaseModel)
T = TypeVar("T")
MAX_KEY_CHARS = 200
_PRODUCT = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}(?:/[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40})?")
"""A product of a User-Agent (RFC 9110, section 10.1.5), bounded."""


class Dialect(NamedTuple):
    """How one format of requests is read and answered."""

    body: type[BaseModel]
    order_of: Callable[..., Order]
    answer: Callable[[Order, Started, Done, list[Said]], dict[str, Any]]
    stream: Callable[[Order, Any, Started, AsyncIterator[Event]], AsyncIterator[str]]
    broken: Callable[[Fault], str]
    """Write a fault into a stream that has begun."""


DIALECTS = {
    completions.PATH: Dialect(chat_request.ChatRequest, chat_request.order_of, completions.answer, completions.stream, completions.broken),
    messages.PATH: Dialect(messages_request.MessagesRequest, messages_request.order_of, messages.answer, messages.stream, messages.broken),
    responses.PATH: Dialect(
        responses_request.ResponsesRequest, responses_request.order_of, responses.answer, responses.stream, responses.broken
    ),
}


class Endpoint:
    """The routes, closed over the executor."""

    def __init__(self, executor: Executor, settings: Settings) -> None:
        self.feeds = Feeds()
        self._executor = executor
        self._settings = settings

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            *(Route(path, partial(self.converse, dialect), methods=["POST"]) for path, dialect in DIALECTS.items()),
            Route(f"{messages.PATH}/count_tokens", self.count_tokens, methods=["POST"]),
            Route("/health", self.health, methods=["GET"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{model:path}", self.model, methods=["GET"]),
            Route("/openapi.json", self.description, methods=["GET"]),
        ]

    async def converse(self, dialect: Dialect, request: Request) -> Response:
        """Serve a `POST` of a conversation in one of the dialects."""
        try:
            body = await _body(request, dialect.body)
            order = dialect.order_of(body, self._executor.model_names, self._settings, key=_key(request))
            order = replace(order, client=_client(request))
            return await self._answered(request, order, body, dialect)
        except (ReasonerError, Refused) as error:
            return _refusal(request, error)

    async def _answered(self, request: Request, order: Order, body: Any, dialect: Dialect) -> Response:
        events = Feed(self._executor.run(order, pieces=bool(body.stream), wanted=presence_of(request.scope)), self.feeds)
        started = await _unless_gone(request, events, _first(events))
        headers = {"X-Reasoner-Trajectory": ",".join(started.trajectories), "X-Reasoner-Run": started.run}
        if body.stream:
            pieces = dialect.stream(order, body, started, _checked(events))
            written = kept_alive(_checked_stream(pieces, dialect.broken, events), every_s=self._settings.alive_s)
            return StreamingResponse(written, media_type="text/event-stream", headers={**headers, "X-Accel-Buffering": "no"})
        said, done = await _unless_gone(request, events, _all(events))
        try:
            check(done)
            return JSONResponse(dialect.answer(order, started, done, said), headers=headers)
        except Refused as refused:
            return JSONResponse(error_body(request.url.path, refused.fault), refused.fault.status, headers=headers)

    async def count_tokens(self, request: Request) -> Response:
        """Serve `POST /v1/messages/count_tokens`: an estimate, since tokens are a matter of each model."""
        try:
            body = await _body(request, messages_request.TokensRequest)
            self._executor.model_names.resolve(body.model)
            return JSONResponse({"input_tokens": messages_request.n_tokens(body)})
        except (ReasonerError, Refused) as error:
            return _refusal(request, error)

    async def health(self, _: Request) -> Response:
        """Serve `GET /health`: `ok` while requests are taken, 503 while the server stops."""
        stopping = self._executor.stopping
        said = {"status": "stopping" if stopping else "ok", "under_way": len(self._executor.under_way)}
        return JSONResponse(said, 503 if stopping else 200)

    async def models(self, _: Request) -> Response:
        """Serve `GET /v1/models`."""
        return JSONResponse(completions.model_list(self._executor.model_names))

    async def model(self, request: Request) -> Response:
        """Serve `GET /v1/models/NAME`."""
        try:
            return JSONResponse(completions.model_card(self._executor.model_names.resolve(request.path_params["model"]).name))
        except ReasonerError as error:
            return JSONResponse(error_body(request.url.path, Fault(404, "not_found", str(error), code="model_not_found")), 404)

    async def description(self, _: Request) -> Response:
        """Serve the OpenAPI description."""
        return JSONResponse(describe())


async def _first(events: AsyncIterator[Event]) -> Started:
    started = await anext(events)
    assert isinstance(started, Started)  # the first event always is
    return started


async def _all(events: AsyncIterator[Event]) -> tuple[list[Said], Done]:
    """Return what was said on the way, and the end."""
    said: list[Said] = []
    done: Done | None = None
    async for event in events:
        if isinstance(event, Said):
            said.append(event)
        elif isinstance(event, Done):
            done = event
    assert done is not None  # the last event always is
    return said, done


async def _unless_gone(request: Request, events: Feed[Event], work: Coroutine[Any, Any, T]) -> T:
    """Return what comes of the work; where the client goes away before, it is cancelled and its trajectories are parked.

    Raises:
        ClientDisconnect: the client has gone away.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        there = working.done()
    finally:
        working.cancel()
        leaving.cancel()
        if not working.done():
            await events.aclose()
    if not there:
        raise ClientDisconnect
    return working.result()


async def _gone(request: Request) -> None:
    """Return when the client has closed its connection; its whole request has been read by then."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def _checked(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    async for event in events:
        if isinstance(event, Done):
            check(event)
        yield event


async def _checked_stream(pieces: AsyncIterator[str], broken: Callable[[Fault], str], events: Feed[Event]) -> AsyncGenerator[str, None]:
    """Pass a stream on; a fault is told in it, since its status has been sent. When the client goes away the trajectory is parked."""
    try:
        async for piece in pieces:
            yield piece
    except Refused as refused:
        yield broken(refused.fault)
    except ReasonerError as error:
        yield broken(fault_of(error))
    finally:
        await events.aclose()


async def _body(request: Request, model: type[B]) -> B:
    try:
        data = await request.body()
    except TooLarge:
        raise Refused(Fault(413, "too_large", "the body is too large", code="request_too_large")) from None
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        # Of a union's complaints the deepest one says what is really wrong.
        first = max(error.errors(include_url=False, include_input=False), key=lambda one: len(one["loc"]))
        where = ".".join(str(part) for part in first["loc"])
        message = f"{where}: {first['msg']}" if where else first["msg"]
        raise Refused(Fault(400, "invalid_request", shorten(clean(message), 500), code="invalid_value", param=where or None)) from error


def _client(request: Request) -> str:
    """Return the first product of the User-Agent, name and version; empty where there is none."""
    found = _PRODUCT.match(request.headers.get("user-agent", "").strip())
    return found[0] if found else ""


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if len(key) > MAX_KEY_CHARS or (key and not (key.isascii() and key.isprintable())):
        raise Refused(
            Fault(400, "invalid_request", f"an Idempotency-Key has at most {MAX_KEY_CHARS} printable characters", code="invalid_key")
        )
    return key


def _refusal(request: Request, error: ReasonerError | Refused) -> Response:
    fault = error.fault if isinstance(error, Refused) else fault_of(error)
    headers = {"Retry-After": "1"} if fault.status in {429, 503} else None
    return JSONResponse(error_body(request.url.path, fault), fault.status, headers=headers)
