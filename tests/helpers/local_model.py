"""The embedded model on one thread."""

from __future__ import annotations

from typing import Any

from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient


def open_local(**options: Any) -> LlamaCppClient:
    client = open_client("local", ClientOptions(threads=1, **options))
    assert isinstance(client, LlamaCppClient)
    return client
