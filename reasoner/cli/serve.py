"""`reasoner serve`: strategies as models behind an OpenAI- and Anthropic-compatible endpoint, and the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reasoner.cli import options as o
from reasoner.cli.output import guarded, say

if TYPE_CHECKING:
    from reasoner.types import Client

EPILOG = (
    "Examples:\n\n  reasoner serve --model local --port 8765\n\n"
    "  REASONER_TOKEN=$(openssl rand -hex 16) reasoner serve --model openai:NAME --base-url http://127.0.0.1:8000/v1\n\n"
    'Then POST /v1/chat/completions with "model": "ats/local", or "iot:guided,rounds=3/openai:NAME".\n\n'
    '  reasoner serve --model local --tool calculator --tool mine.py        then "model": "react/local" or "code_act:steps=6/local"'
)

Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
Allow = Annotated[
    list[str] | None, typer.Option("--allow-host", help="Further host name that requests may use; may be repeated.", show_default=False)
]

Origins = Annotated[
    list[str] | None,
    typer.Option("--allow-origin", help="Site whose pages may send requests (https://host); may be repeated.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(serve)


@guarded
@o.expanded
def serve(
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", help="Model to serve: local, a .gguf, openai:NAME, anthropic:NAME or teacher; may be repeated."),
    ] = ["local"],
    host: Host = "127.0.0.1",
    port: Port = 8765,
    allow_host: Allow = None,
    allow_origin: Origins = None,
    max_requests: Annotated[int, typer.Option("--max-requests", min=1, max=10_000, help="Concurrent requests.")] = 16,
    max_body: Annotated[int, typer.Option("--max-body", min=1024, help="Bytes a request may have.")] = 1 << 20,
    drain: Annotated[
        float, typer.Option("--drain", min=0, help="Seconds that requests in progress may take to finish when stopped.")
    ] = 20.0,
    resume: Annotated[bool, typer.Option("--resume", help="First finish what an earlier server parked.")] = False,
    *,
    common: o.Common,
) -> None:
    """Serve strategies over models as models. The token is REASONER_TOKEN, or is made and printed once."""
    from dataclasses import replace  # noqa: PLC0415

    from reasoner.api.settings import settings_of  # noqa: PLC0415 - loading the engine only when it is needed keeps --help quick
    from reasoner.serve.server import listen, require, settings_for, token_of  # noqa: PLC0415

    require()
    from reasoner.clients import open_client  # noqa: PLC0415
    from reasoner.serve.app import application  # noqa: PLC0415
    from reasoner.serve.approvals import Approvals  # noqa: PLC0415
    from reasoner.serve.viewer import Viewer  # noqa: PLC0415
    from reasoner.store import Store  # noqa: PLC0415

    told = settings_of(common.settings())
    client = told.options.client
    # A run that is resumed elsewhere must meet the same model: not one with the adapter that ships for its plan.
    options = replace(told.options, client=client if client.adapter else client.model_copy(update={"adapter": "none"}))
    limits = told.limits
    token, made = token_of()
    settings = settings_for(
        host, allow_host or (), token, origins=allow_origin or (), max_requests=max_requests, max_body_bytes=max_body, drain_s=drain
    )
    if limits.calls is None:
        limits = limits.model_copy(update={"calls": settings.max_calls})
    with Store.open(common.db) as store:
        clients: list[Client] = []
        for name in model:
            clients.append(open_client(name, client, beside=clients))
        opened = {each.name: name for each, name in zip(clients, model, strict=True)}
        approvals = Approvals(store, settings)
        app = application(
            store, settings, clients=clients, opened_as=opened, options=options, limits=limits, pages=Viewer(store, settings, approvals).routes(),
            approvals=approvals, tools=told.tools, resume=resume,
        )  # fmt: skip

        def ready(at: int) -> None:
            shown = f"[{host}]" if ":" in host else host
            say(f"endpoint  http://{shown}:{at}/v1   models: {', '.join(app.executor.model_names.models)} and every strategy over them")
            say(f"pages     http://{shown}:{at}/view/{settings.page_key}/")
            say(f"token     {token}" if made else "token     the one in REASONER_TOKEN")

        listen(app, host=host, port=port, settings=settings, ready=ready)
