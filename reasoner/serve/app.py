"""The application: guard, endpoint, pages, and what is opened and closed with it.

    app = application(store, settings, clients=[open_client("local")])

Knows what belongs together; knows no port. With no client there is no endpoint, only pages.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from reasoner.budget import Limits
from reasoner.runs.options import RunOptions
from reasoner.runs.pool import ModelPool
from reasoner.runs.tool_plan import ToolPlan, opened
from reasoner.serve.approvals import Approvals
from reasoner.serve.endpoint import Endpoint
from reasoner.serve.executor import Executor
from reasoner.serve.faults import Fault, error_body
from reasoner.serve.guard import Guard
from reasoner.serve.model_names import ModelNames

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from reasoner.serve.settings import Settings
    from reasoner.store import Store
    from reasoner.types import Client


def application(
    store: Store,
    settings: Settings,
    *,
    clients: Sequence[Client] = (),
    opened_as: Mapping[str, str] | None = None,
    options: RunOptions | None = None,
    limits: Limits | None = None,
    pages: Sequence[BaseRoute] = (),
    approvals: Approvals | None = None,
    tools: ToolPlan | None = None,
    resume: bool = False,
) -> Any:
    """Return the ASGI application; `app.executor` is what runs requests, None without clients. The clients are closed with it.

    `opened_as` says by what name each client was opened, where that is not its own; `options` say how runs are carried out, `limits` what one request may use. `tools` are what
    strategies that act may call, opened once and shared by all requests; `approvals` are those of the pages. With `resume` it first goes on with what an earlier server
    parked.
    """
    pool = ModelPool()
    names = ModelNames([client.name for client in clients], opened=opened_as)
    for client in clients:
        pool.give(names.opened_as(client.name), client)
    bounded = limits or Limits(calls=settings.max_calls)
    executor = Executor(store, names, settings, pool=pool, options=options or RunOptions(), limits=bounded) if clients else None

    endpoint = Endpoint(executor, settings) if executor else None
    approvals = approvals or Approvals(store, settings)
    approvals.executor = executor

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            async with opened(tools or ToolPlan(), needed=()) as acts:
                if executor is not None:
                    executor.tools = acts
                    if resume:
                        await executor.finish_parked()
                try:
                    yield
                finally:
                    if endpoint is not None and executor is not None:
                        await endpoint.feeds.settle()  # what is parked is parked before its tools and models are closed
                        await executor.settle()
        finally:
            for client in clients:
                await client.aclose()

    routes = [*([*endpoint.routes(), *approvals.routes()] if endpoint else []), *pages]
    inner = Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _not_here, Exception: _bug})
    inner.router.redirect_slashes = False
    return Guard(inner, settings, executor)


async def _not_here(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    word = "no such page" if status == 404 else "no such method here" if status == 405 else "this cannot be served"
    fault = Fault(
        status, "not_found" if status == 404 else "invalid_request", word, code="not_found" if status == 404 else "method_not_allowed"
    )
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
    return JSONResponse(error_body(request.url.path, fault), status, headers=headers)


async def _bug(request: Request, _: Exception) -> Response:
    return JSONResponse(error_body(request.url.path, Fault(500, "upstream", "the server failed; its log says where", code="internal")), 500)
