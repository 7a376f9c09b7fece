"""What the tests of the server share: an application over a scripted model, and a loopback server for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import TOKEN, Loopback

from reasoner.clients.scripted import ScriptedClient
from reasoner.serve.app import application
from reasoner.serve.settings import Settings
from reasoner.store import Store
from reasoner.types import Request


def reply(request: Request) -> str:
    """Answer whatever is asked, in every layout at once."""
    if request.constraint is not None:
        return '{"thought": "go on", "response": "Answer: 42", "stop": true, "done": true, "steps": ["one"], "answer": "42"}'
    return "1: a -> b (x)\nValue: sure\nBest: 1\nAnswer: 42"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "s.db") as opened:
        yield opened


@pytest.fixture
def app(store: Store) -> Callable[..., Any]:
    def make(script: Any = reply, **settings: Any) -> Any:
        from reasoner.serve.viewer import Viewer

        chosen = Settings(TOKEN, **settings)
        client = ScriptedClient(script, name="scripted")
        return application(store, chosen, clients=[client], pages=Viewer(store, chosen).routes())

    return make


@pytest.fixture
def server(app: Callable[..., Any]) -> Iterator[Any]:
    with Loopback(app()) as running:
        yield running
