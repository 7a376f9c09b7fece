"""Listen: one uvicorn server, stopped gracefully.

On SIGINT or SIGTERM no request is taken any more; those under way may finish for `drain_s` seconds; what is left then is cancelled, and its
trajectories stay open in the store, and resume at the next uncommitted call.
"""

from __future__ import annotations

import ipaddress
import os
import re
import resource
import secrets
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, MissingDependency
from reasoner.serve.settings import LOOPBACK, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MIN_TOKEN_CHARS = 16
_ORIGIN = re.compile(r"https?://(?:[a-z0-9.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")
BACKLOG = 1024
"""Connections that may wait to be accepted."""
OTHER_FILES = 256
"""Files this process may need besides its connections: the database, models, calls to servers."""


def require() -> None:
    """Check that the extra is installed.

    Raises:
        MissingDependency: it is not.
    """
    try:
        import starlette  # noqa: F401, PLC0415
        import uvicorn  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingDependency("the server (starlette, uvicorn)", extra="serve") from error


def token_of(environment: str | None = None) -> tuple[str, bool]:
    """Return the token and whether it was made now: `REASONER_TOKEN`, else a new one.

    Raises:
        BadConfig: the variable holds one that is too short or cannot stand in a header.
    """
    given = environment if environment is not None else os.environ.get("REASONER_TOKEN", "")
    if not given:
        return secrets.token_urlsafe(32), True
    if len(given) < MIN_TOKEN_CHARS or not (given.isascii() and given.isprintable()) or " " in given:
        raise BadConfig(
            "REASONER_TOKEN cannot be used", hint=f"it needs at least {MIN_TOKEN_CHARS} printable characters and no space; or unset it"
        )
    return given, False


def settings_for(host: str, allowed: Sequence[str], token: str, *, origins: Sequence[str] = (), **more: Any) -> Settings:
    """Return the settings of a server that listens on a host: its own name, the loopback's and those allowed may be asked for.

    `origins` are other sites whose pages may ask.

    Raises:
        BadConfig: it listens to the whole network and no name is allowed, or an origin is none.
    """
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise BadConfig(
                f"`allow_origin` {origin[:80]!r} is no site", hint="write it as a browser does: https://host or http://host:port"
            )
    names = {name.strip().lower().strip("[]") for name in allowed}
    if not names and host not in LOOPBACK and _is_any(host):
        raise BadConfig(f"`host` {host} listens to every network", hint="say by which names it may be asked for: `allow_host` NAME")
    own = set() if _is_any(host) else {host.lower()}
    return Settings(token, hosts=frozenset(LOOPBACK | names | own), origins=frozenset(origins), **more)


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def config_for(app: Any, settings: Settings, *, host: str, port: int) -> Any:
    """Return uvicorn's configuration: HTTP/1.1 alone, with deadlines and bounds for connections."""
    import uvicorn  # noqa: PLC0415 - an extra

    from reasoner.serve.connections import Connections, protocol_of  # noqa: PLC0415

    return uvicorn.Config(
        app, host=host, port=port, log_level="error", access_log=False, lifespan="on", server_header=False, date_header=False,
        timeout_graceful_shutdown=int(settings.drain_s), h11_max_incomplete_event_size=64 * 1024, proxy_headers=False,
        http=protocol_of(Connections(settings)), ws="none", backlog=BACKLOG,
    )  # fmt: skip


def listen(app: Any, *, host: str, port: int, settings: Settings, ready: Callable[[int], None] | None = None) -> None:
    """Serve until a signal says stop; returns when everything is closed. `ready` is told the port (the chosen one where `port` is 0)."""
    import uvicorn  # noqa: PLC0415

    _allow_files(settings.max_connections + OTHER_FILES)

    class _Server(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            if ready is not None and self.started:
                ready(self.servers[0].sockets[0].getsockname()[1])

        def handle_exit(self, sig: int, frame: Any) -> None:
            if app.executor is not None:
                app.executor.stopping = True
            super().handle_exit(sig, frame)

    try:
        _Server(config_for(app, settings, host=host, port=port)).run()
    except KeyboardInterrupt:  # uvicorn raises the signal again when it has stopped
        return


def _allow_files(n: int) -> None:
    """Let this process have so many files open, where the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = n if hard == resource.RLIM_INFINITY else min(n, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
