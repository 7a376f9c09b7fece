"""Open the endpoints of a remote model: addresses checked, keys read from the environment. Nothing is connected.

    open_endpoints("openai", "NAME", options, Provider("https://api.openai.com/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY"), path="/chat/completions")

`api_key_env` names the variable that holds the key, for every server that is named: `KEY`; or for single hosts: `KEY,other.example=OTHER_KEY`. A provider's own
variable is read for a list of servers only where they are one host: a key goes to no host that it was not named for.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from pydantic import SecretStr

from reasoner.clients._wire.endpoint import Endpoint
from reasoner.clients._wire.proxies import is_loopback
from reasoner.clients._wire.remote import DEFAULT_CONCURRENCY, RemoteClient
from reasoner.clients._wire.several import SeveralServers
from reasoner.errors import BadConfig, UsageError
from reasoner.redaction import is_variable_name, remember
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reasoner.clients import ClientOptions
    from reasoner.clients._wire.profiles import Dialect as DialectName


@dataclass(frozen=True, slots=True)
class Provider:
    """Where the models of a format stand when nobody says, the variable that says otherwise, and the one that holds the key."""

    base_url: str
    url_env: str
    key_env: str


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


def _variable(env: str) -> str:
    if not is_variable_name(env):
        raise BadConfig(
            "`api_key_env` is not the name of a variable", hint="name the variable that holds the key, never the key; it is not shown here"
        )
    return env


def _key_from(env: str) -> SecretStr:
    key = os.environ.get(env, "").strip()
    remember(key)
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise UsageError(f"the variable {env} holds no usable key: it has spaces or characters a header cannot carry", hint="set it again")
    return SecretStr(key)


def open_endpoints(
    scheme: DialectName, name: str, options: ClientOptions, provider: Provider, *, path: str, from_env: str | None = None
) -> list[Endpoint]:
    """Return the endpoints of a model, one for each of its servers. Nothing is connected. `from_env` is what the variable says, where that is not its plain value.

    Raises:
        UsageError: no model is named, or the key that a server on another machine needs is not set.
        BadConfig: an address, the name or what is said of the keys cannot be used.
    """
    variable = os.environ.get(provider.url_env) if from_env is None else from_env
    source = "`base_url`" if options.base_url is not None else f"the variable {provider.url_env}" if variable else "the default address"
    given = options.base_url if options.base_url is not None else variable or provider.base_url
    urls = [checked_url(text, source, provider.key_env) for text in ([given] if isinstance(given, str) else given)]
    if twice := next((url for place, url in enumerate(urls) if url in urls[:place]), None):
        raise BadConfig(f"`base_url` names {twice} twice", hint="name each server once")
    keys = _key_variables(urls, options.api_key_env, provider)
    return [_endpoint(scheme, name, url, key, provider, path) for url, key in zip(urls, keys, strict=True)]


def joined(
    endpoints: Sequence[Endpoint], options: ClientOptions, make: Callable[[Endpoint, ClientOptions], RemoteClient]
) -> RemoteClient | SeveralServers:
    """Return the client of one endpoint, or one over the clients of several; `concurrency` is that of all of them together."""
    if len(endpoints) == 1:
        return make(endpoints[0], options)
    concurrency = options.concurrency or DEFAULT_CONCURRENCY * len(endpoints)
    each = options.model_copy(update={"concurrency": concurrency})
    return SeveralServers([make(endpoint, each) for endpoint in endpoints], concurrency=concurrency)


def _key_variables(urls: Sequence[httpx.URL], option: str | None, provider: Provider) -> list[str]:
    """Return the variable that holds the key of each server; empty for one that gets none."""
    if not option:
        hosts = {url.host for url in urls}
        own = {httpx.URL(provider.base_url).host} if len(hosts) > 1 else hosts
        return [provider.key_env if url.host in own else "" for url in urls]
    named: dict[str, str] = {}
    for part in option.split(","):
        host, _, variable = part.strip().rpartition("=")
        if host.lower() in named:
            raise BadConfig(
                f"`api_key_env` names two keys for {shorten(clean(host), 60) or 'every server'}",
                hint="they are not taken in the order of the servers: write HOST=VARIABLE for a key of one host's own",
            )
        named[host.lower()] = _variable(variable)
    known = {"", *(url.host for url in urls), *(url.netloc.decode("ascii") for url in urls)}
    if stray := next((host for host in named if host not in known), None):
        raise BadConfig(
            f"`api_key_env` names a key for {shorten(clean(stray), 60)!r}, which is none of the servers",
            hint="write HOST=VARIABLE for a host of `base_url`",
        )
    return [named.get(url.netloc.decode("ascii"), named.get(url.host, named.get("", ""))) for url in urls]


def _endpoint(scheme: DialectName, name: str, url: httpx.URL, key_env: str, provider: Provider, path: str) -> Endpoint:
    if not name.strip():
        raise UsageError(f"{scheme}: names no model", hint=f"write {scheme}:NAME with the name the server knows the model by")
    if len(name) > 200 or clean(name) != name or not name.isprintable():
        raise BadConfig(f"the model name {shorten(clean(name), 60)!r} cannot be used", hint="at most 200 printable characters")
    key = _key_from(key_env) if key_env else SecretStr("")
    if not key.get_secret_value() and not is_loopback(url.host):
        hint = f"set the variable {key_env} (to any word if the server wants none)"
        if not key_env:
            hint = f"several servers do not share {provider.key_env} unasked: name the variable in `api_key_env`, for all of them or as HOST=VARIABLE"
        raise UsageError(f"no key for {url.host}", hint=hint)
    return Endpoint(name.strip(), str(url), url.host, key, key_env or provider.key_env, path)
