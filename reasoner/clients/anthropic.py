"""Any endpoint that speaks Anthropic's Messages format: `POST {base_url}/messages`, one request per call.

Knows where such an endpoint stands and which key it takes; `_anthropic_wire` knows the format and `_remote` the connection.

    model = open_client("some-model", ClientOptions(base_url="http://127.0.0.1:4000/v1"))
    completion = await model.complete(Request(messages=(Message("user", "4 9 10 13"),)))

A JSON schema is asked for as the one tool the model has to call, which every model of that format can; `--profile schema=json_schema`
asks by `output_config` instead. `constraint_applied` is `json_schema` only when the text really reads as JSON.
"""

from __future__ import annotations

import os

from reasoner.clients import ClientOptions
from reasoner.clients._wire.anthropic_messages import AnthropicDialect
from reasoner.clients._wire.opening import Provider, joined, open_endpoints
from reasoner.clients._wire.remote import RemoteClient
from reasoner.clients._wire.several import SeveralServers

PROVIDER = Provider("https://api.anthropic.com/v1", "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY")


class AnthropicClient(RemoteClient):
    """One model at one endpoint of that format."""


def open_client(name: str, options: ClientOptions) -> RemoteClient | SeveralServers:
    """Open `anthropic:NAME`. Nothing is connected until the first call.

    The variable `ANTHROPIC_BASE_URL` may stand without the `/v1` at its end, as other programs expect it to.

    Raises:
        UsageError: no model is named, or the key that a server on another machine needs is not set.
        BadConfig: the base URL, the name or the profile cannot be used.
    """
    variable = os.environ.get(PROVIDER.url_env, "").rstrip("/")
    if variable and not variable.endswith("/v1"):
        variable += "/v1"
    endpoints = open_endpoints("anthropic", name, options, PROVIDER, path="/messages", from_env=variable)
    return joined(endpoints, options, lambda endpoint, each: AnthropicClient("anthropic", AnthropicDialect(), endpoint, each))
