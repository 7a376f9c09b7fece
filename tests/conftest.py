"""What every test runs under: no network but loopback, no settings leaking in, and a server that misbehaves on request.

Sockets are blocked in this process only; a test that starts a subprocess answers for what that does.
"""

from __future__ import annotations

import functools
import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import searches
from fault_server import FaultServer
from forks import Forks
from tiny_gguf import write_tiny


class NetworkBlocked(RuntimeError):
    """A test tried to leave this machine. No OSError, so that no client takes it for a failed connection."""


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their length: packed ones hold the time, and processes that share the tests have to call each by one name."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None


def _is_local(host: object) -> bool:
    if host is None:
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return text in {"", "localhost"}


def _guard(name: str, original: Callable[..., Any], address_of: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        address = address_of(*args, **kwargs)
        if not _is_local(address):
            raise NetworkBlocked(f"{name} to {address!r}: tests may only reach loopback addresses")
        return original(*args, **kwargs)

    return guarded


def _peer(sock: socket.socket, *args: Any) -> Any:
    """Return the host a socket method is aimed at; None (local) for families that cannot leave the machine."""
    return args[-1][0] if sock.family in {socket.AF_INET, socket.AF_INET6} else None


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, _guard(name, getattr(socket.socket, name), _peer))
        patch.setattr(socket, "getaddrinfo", _guard("getaddrinfo", socket.getaddrinfo, lambda host, *_args, **_kwargs: host))
        yield


@pytest.fixture(autouse=True)
def _no_settings() -> Iterator[None]:
    # Not the `monkeypatch` fixture: a test must be free to undo its own changes without undoing these.
    with pytest.MonkeyPatch.context() as patch:
        proxies = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}
        for name in list(os.environ):
            if name == "REASONER_CHAOS_SEED":
                continue  # what repeats a run must reach the test
            if name.startswith(("REASONER_", "OPENAI_", "ANTHROPIC_")) or name.upper() in proxies:
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF of a few kilobytes that llama.cpp runs; it writes nonsense, fast."""
    return write_tiny(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture
def fault_server() -> Iterator[FaultServer]:
    server = FaultServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    with Forks() as made:
        yield made


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., Any]:
    """Record a strategy given as a function, over scripted replies, in `t.db` of the test's directory (see `searches.py`)."""
    return functools.partial(searches.search, tmp_path / "t.db")
