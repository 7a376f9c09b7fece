"""What models do once before their first answer: a local one may have to be converted to another form.

await prepared([client], print)   # "converting local to q8_0, once ..." -> {"local": {"form": "q8_0", "quality": {...}}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.capabilities import Prepared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reasoner.types import Client


async def prepared(clients: Iterable[Client], tell: Callable[[str], None]) -> dict[str, Any]:
    """Have models do what they do once before their first answer; return what is known of the forms of their weights, by name.

    Raises:
        ReasonerError: one cannot be prepared.
    """
    found: dict[str, Any] = {}
    for client in clients:
        if isinstance(client, Prepared):
            await client.prepare(tell)
            if (report := client.form_report()) is not None:
                found[client.name] = report
    return found
