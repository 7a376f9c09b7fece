"""Open the endpoint of a remote model: its address checked, its key read from the environment. Nothing is connected."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr

from reasoner.clients._wire.endpoint import Endpoint
from reasoner.clients._wire.proxies import is_loopback
from reasoner.errors import BadConfig, UsageError
from reasoner.redaction import is_variable_name, remember
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from reasoner.clients._wire.profiles import Dialect as DialectName


def checked_url(text: str, source: str, key_env: str) -> httpx.URL:
    """Return a base URL that can be used, without its trailing slash. Messages never show credentials.

    Raises:
        BadConfig: it cannot be used.
    """
    form = "it looks like https://host/v1"
    if "@" in text:  # before anything that could quote a part of it
        raise BadConfig(f"{source} holds credentials", hint=f"put the key in the variable {key_env} and take it out of the URL")
    try:
        url = httpx.URL(text.strip().rstrip("/"))
        url.raw_host.decode("ascii").encode("idna")  # what the resolver does; it fails on labels over 63 characters
    except (httpx.InvalidURL, UnicodeError) as error:
        raise BadConfig(f"{source} is no URL: {error}", hint=form) from error
    usable = url.scheme in {"http", "https"} and url.host and "%" not in url.host and (url.port is None or 0 < url.port < 2**16)
    if not usable or url.query or url.fragment:
        raise BadConfig(f"{source} cannot be used: {shorten(clean(text), 100)!r}", hint=form)
    return url


def _key_from(env: str) -> SecretStr:
    if not is_variable_name(env):
        raise BadConfig(
            "`api_key_env` is not the name of a variable", hint="name the variable that holds the key, never the key; it is not shown here"
        )
    key = os.environ.get(env, "").strip()
    remember(key)
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(f"the variable {env} holds no usable key: it has spaces or characters a header cannot carry", hint="set it again")
    return SecretStr(key)


def open_endpoint(scheme: DialectName, name: str, url: httpx.URL, *, key_env: str, path: str) -> Endpoint:
    """Return the endpoint of a model. Nothing is connected.

    Raises:
        UsageError: no model is named, or the key that a server on another machine needs is not set.
        BadConfig: the name cannot be used.
    """
    if not name.strip():
        raise UsageError(f"{scheme}: names no model", hint=f"write {scheme}:NAME with the name the server knows the model by")
    if len(name) > 200 or clean(name) != name or not name.isprintable():
        raise BadConfig(f"the model name {shorten(clean(name), 60)!r} cannot be used", hint="at most 200 printable characters")
    key = _key_from(key_env)
    if not key.get_secret_value() and not is_loopback(url.host):
        raise UsageError(f"no key for {url.host}", hint=f"set the variable {key_env} (to any word if the server wants none)")
    return Endpoint(name.strip(), str(url), url.host, key, key_env, path)
