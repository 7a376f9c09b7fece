"""Any endpoint that speaks the Responses format in its open specification: `POST {base_url}/responses`, one request per call.

Knows where such an endpoint stands and which key it takes; `responses_items` knows the format and `remote` the connection.

    model = open_client("some-model", ClientOptions(base_url="http://127.0.0.1:8000/v1"))
    completion = await model.complete(Request(messages=(Message("user", "4 9 10 13"),)))

Nothing is stored at the provider (`store: false`); encrypted reasoning is asked for, and goes back unchanged when the conversation goes on.
"""

from __future__ import annotations

from reasoner.clients import ClientOptions
from reasoner.clients._wire.opening import joined, open_endpoints
from reasoner.clients._wire.remote import RemoteClient
from reasoner.clients._wire.responses_items import ResponsesDialect
from reasoner.clients._wire.several import SeveralServers
from reasoner.clients.openai import PROVIDER


class ResponsesClient(RemoteClient):
    """One model at one endpoint of that format."""


def open_client(name: str, options: ClientOptions) -> RemoteClient | SeveralServers:
    """Open `responses:NAME`. Nothing is connected until the first call.

    Raises:
        UsageError: no model is named, or the key that a server on another machine needs is not set.
        BadConfig: the base URL, the name or the profile cannot be used.
    """
    endpoints = open_endpoints("responses", name, options, PROVIDER, path="/responses")
    return joined(endpoints, options, lambda endpoint, each: ResponsesClient("responses", ResponsesDialect(), endpoint, each))
