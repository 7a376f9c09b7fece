"""One model at several servers: each call goes to the server with the fewest calls, past those whose circuit is open.

    model = open_client("openai:NAME", ClientOptions(base_url=("http://10.0.0.1:8000/v1", "http://10.0.0.2:8000/v1")))

A call is sent once, to one server. `reasoner.calling.retry` alone decides whether it is asked again; then it goes to a server on which it has not failed.
What a run records depends on none of this: name, fingerprint, settings and call keys are the same whichever server answers.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from reasoner.clients._wire.server_circuit import ServerCircuit
from reasoner.errors import ClientError, RateLimited, ServerFailed
from reasoner.types import Pacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.capabilities import Extra
    from reasoner.clients._wire.remote import RemoteClient
    from reasoner.types import Completion, Request, Sampling

MAX_REMEMBERED = 4096
"""Calls that failed somewhere and have not succeeded since, of which it is known where."""


class SeveralServers:
    """One model behind several remote clients, which differ in their address and key only. Usable from any event loop."""

    calls_tools = True

    def __init__(self, clients: Sequence[RemoteClient], *, concurrency: int, circuits: Sequence[ServerCircuit] | None = None) -> None:
        first = clients[0]
        self.name = first.name
        self.fingerprint = _fingerprint(clients)
        self.paid = any(client.paid for client in clients)
        self.concurrency = concurrency
        accounts = [client.pacing.account for client in clients]
        self.pacing = Pacing(
            adaptive=True, rpm=first.pacing.rpm, tpm=first.pacing.tpm, account=hash(tuple(accounts)) if any(accounts) else None
        )
        self.extras: frozenset[Extra] = frozenset.intersection(*(client.extras for client in clients))
        self.notes: list[str] = []
        self._clients = tuple(clients)
        self._circuits = tuple(circuits or (ServerCircuit(client.where) for client in clients))
        self._turns = itertools.count(1)
        self._last = [0] * len(clients)
        self._failed: dict[str, set[int]] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.fingerprint!r})"

    def sampling(self, wanted: Sampling, *, bounded: bool) -> Sampling:
        """Return a sampling as it is sent, the same to every server: without what any of them refuses."""
        for client in self._clients:
            wanted = client.sampling(wanted, bounded=bounded)
        return wanted

    def check(self, wanted: Sampling) -> None:
        """Refuse what was set and cannot be sent to one of the servers.

        Raises:
            BadConfig: see `RemoteClient.check`.
        """
        for client in self._clients:
            client.check(wanted)

    def take_notes(self) -> list[str]:
        """Return what a user should know: servers that fail or answer again, and what was left out for one of them."""
        notes, self.notes = self.notes, []
        return list(dict.fromkeys([*notes, *(note for client in self._clients for note in client.take_notes())]))

    async def complete(self, request: Request) -> Completion:
        """Ask one server once.

        Raises:
            ClientError: of that server, see `RemoteClient.complete`. A wait that it asks for is left out while another could answer.
        """
        place = self._choose(self._failed.get(request.key, frozenset()) if request.key else frozenset())
        self._last[place] = next(self._turns)
        circuit = self._circuits[place]
        era = circuit.begin()
        try:
            completion = await self._clients[place].complete(request)
        except (ClientError, asyncio.CancelledError) as error:
            self._note(circuit.ended(era, error))
            if isinstance(error, ClientError) and error.retryable:
                self._remember(request.key, place)
                self._with_others(error)
            raise
        except BaseException as error:
            circuit.ended(era, error)
            raise
        self._note(circuit.ended(era, None))
        self._failed.pop(request.key, None)
        return completion

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Safe to call twice."""
        for client in self._clients:
            await client.aclose()

    def _choose(self, failed: frozenset[int] | set[int]) -> int:
        """Return the place of the server with the fewest calls, in turn where several have as few.

        Those where this call has failed come last; where every circuit is open, the one that rests the shortest is tried all the same.
        """
        places = range(len(self._clients))
        ready = [place for place in places if self._circuits[place].ready]
        if not ready:
            return min(places, key=lambda place: (self._circuits[place].rests_s, self._last[place]))
        return min(ready, key=lambda place: (place in failed, self._circuits[place].in_flight, self._last[place]))

    def _with_others(self, error: ClientError) -> None:
        """Say that no server is left, or let a wait that one server asks for hold for that one alone."""
        rests = [circuit.rests_s for circuit in self._circuits]
        if not any(circuit.ready for circuit in self._circuits):
            error.message = f"{error.message} (none of the {len(rests)} servers of {self.name} can be asked now)"
        if isinstance(error, RateLimited | ServerFailed) and error.retry_after_s is not None:
            error.retry_after_s = min(rests) or None

    def _remember(self, key: str, place: int) -> None:
        if not key:
            return
        failed = self._failed.pop(key, set())
        self._failed[key] = failed | {place} if len(failed) + 1 < len(self._clients) else {place}
        while len(self._failed) > MAX_REMEMBERED:
            del self._failed[next(iter(self._failed))]

    def _note(self, told: str) -> None:
        if told:
            self.notes.append(f"{self.name}: {told}")


def _fingerprint(clients: Sequence[RemoteClient]) -> str:
    """Return what all the servers are together: their addresses in an order of their own, so that the order they are named in says nothing."""
    return f"{clients[0].name}@{','.join(sorted(client.base_url for client in clients))}{clients[0].changed}"
