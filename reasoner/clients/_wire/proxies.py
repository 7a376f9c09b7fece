"""Which proxy leads to a server, as the environment says it: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, and the exceptions in `NO_PROXY`.

Read once for the one address a client has, and told in one line where it cannot be used; httpx would fail at the first call, and on ranges of
IPv6 addresses in `NO_PROXY` in any case.

    proxy_for(httpx.URL("https://api.example/v1"), {"HTTPS_PROXY": "http://10.0.0.1:3128"}) -> "http://10.0.0.1:3128"
    proxy_for(httpx.URL("https://10.1.2.3/v1"), {"ALL_PROXY": "http://10.0.0.1:3128", "NO_PROXY": "10.0.0.0/8"}) -> None

Source: what curl and Python's urllib do. Knows addresses and variables; opens nothing.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
from typing import TYPE_CHECKING

import httpx

from reasoner.errors import BadConfig, MissingDependency
from reasoner.redaction import remember

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN = ("http", "https", "socks5", "socks5h")
_SPELT = {"socks": "socks5", "socks4a": "socks5h"}
"""Spellings that desktops write into the environment, and what they mean here."""


def proxy_for(url: httpx.URL, environment: Mapping[str, str] | None = None) -> str | None:
    """Return the proxy that leads to an address, None where none is to be used.

    Raises:
        BadConfig: the variable that names it cannot be used.
        MissingDependency: it speaks SOCKS, and the package for that is not installed.
    """
    env = os.environ if environment is None else environment
    variable, value = next(((name, env[name]) for name in _variables(url.scheme) if env.get(name, "").strip()), ("", ""))
    if not value or _is_exempt(url, env.get("no_proxy") or env.get("NO_PROXY") or ""):
        return None
    return _checked(variable, value.strip())


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _variables(scheme: str) -> list[str]:
    return [spelt for name in (f"{scheme}_proxy", "all_proxy") for spelt in (name, name.upper())]


def _checked(variable: str, value: str) -> str:
    scheme, separator, rest = value.partition("://")
    text = f"{_SPELT.get(scheme.lower(), scheme.lower())}://{rest}" if separator else f"http://{value}"
    form = f"{variable} looks like http://host:3128 or socks5://host:1080; unset it, or name the server in NO_PROXY, to go without"
    try:
        url = httpx.URL(text.rstrip("/"))
    except httpx.InvalidURL as error:
        raise BadConfig(f"the proxy in {variable} is no address", hint=form) from error
    if url.password:
        remember(url.password)
    if not url.host or url.scheme not in KNOWN or not 0 < (url.port or 1) < 2**16:
        raise BadConfig(f"the proxy in {variable} cannot be used ({url.scheme or 'nothing'}://; known are {', '.join(KNOWN)})", hint=form)
    if url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise MissingDependency(f"what a SOCKS proxy ({variable}) is spoken to with", extra="socks")
    return str(url)


def _is_exempt(url: httpx.URL, exceptions: str) -> bool:
    """Tell whether an address is one of the exceptions: `*`, a name and all below it, an address, a range, each with a port or without."""
    host = url.host.lower().rstrip(".")
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return any(_matches(entry, host, port) for entry in exceptions.lower().replace(",", " ").split())


def _matches(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    name, asked_port = _split_port(entry)
    if asked_port is not None and asked_port != port:
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = name.lstrip("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False  # a name, or nothing that means anything


def _split_port(entry: str) -> tuple[str, int | None]:
    """Split `host:443` and `[::1]:443`; an IPv6 address or range without brackets has no port."""
    if entry.startswith("["):
        name, _, rest = entry[1:].partition("]")
        suffix = rest.removeprefix(":") if rest.startswith(":") else ""
        # `[fd00::]/8` is written now and then as well
        return name + (rest if rest.startswith("/") else ""), int(suffix) if suffix.isdecimal() else None
    name, colon, suffix = entry.rpartition(":")
    if colon and ":" not in name and suffix.isdecimal():
        return name, int(suffix)
    return entry, None
