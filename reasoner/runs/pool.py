"""Open models with their limiters, shared by all runs on them: a server's requests, or the steps of a command.

    async with ModelPool() as pool:
        client = pool.open("openai:NAME", ClientOptions(base_url=...))
        pool.limiter(client)

What the pool opened it closes; a client that was given to it stays open. One pool belongs to one event loop, as limiters do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from reasoner.calling.limiter import Circuit, Limiter
from reasoner.capabilities import Queueing
from reasoner.clients import ClientOptions, open_client
from reasoner.types import Paced, Pacing

if TYPE_CHECKING:
    from types import TracebackType

    from reasoner.types import Client


class ModelPool:
    """Clients by the name they were opened by, and their limiters."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], Client] = {}
        self._given: dict[str, Client] = {}
        self._limiters: dict[int, Limiter] = {}
        self._circuits: dict[int, Circuit] = {}

    def give(self, name: str, client: Client) -> None:
        """Let a name stand for an open client, whatever options are asked for. It is left open."""
        self._given[name] = client

    def has(self, name: str) -> bool:
        """Tell whether a name stands for a client that was given."""
        return name in self._given

    def open(self, model: str | Client, options: ClientOptions | None = None) -> Client:
        """Return the client of a name, opened at the first call for the same name and options. A client is returned as it is.

        Raises:
            ReasonerError: see `reasoner.clients.open_client`.
        """
        if not isinstance(model, str):
            return model
        if model in self._given:
            return self._given[model]
        place = model, (options or ClientOptions()).model_dump_json()
        if place not in self._opened:
            self._opened[place] = open_client(model, options, beside=self._opened.values())
        return self._opened[place]

    def limiter(self, client: Client) -> Limiter:
        """Return the limiter of a client; clients that use one key share what is known about it."""
        if id(client) not in self._limiters:
            pacing = client.pacing if isinstance(client, Paced) else Pacing()
            circuit = self._circuits.setdefault(pacing.account, Circuit()) if pacing.account is not None else Circuit()
            at_once = client.queue if isinstance(client, Queueing) else client.concurrency
            self._limiters[id(client)] = Limiter(at_once, pacing=pacing, circuit=circuit)
        return self._limiters[id(client)]

    def limiters(self) -> list[Limiter]:
        """Return the limiters of the clients that were asked for so far."""
        return list(self._limiters.values())

    async def aclose(self) -> None:
        """Close what was opened here. Safe to call twice."""
        opened, self._opened = self._opened, {}
        for client in opened.values():
            await client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.aclose()
