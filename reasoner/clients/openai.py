"""Any OpenAI-compatible chat endpoint: `POST {base_url}/chat/completions`, one request per call.

Knows where such an endpoint stands and which key it takes; `_openai_wire` knows the format and `_remote` the connection.

    model = open_client("some-model", ClientOptions(base_url="http://127.0.0.1:8000/v1"))
    completion = await model.complete(Request(messages=(Message("user", "4 9 10 13"),)))

What an answer is taken for: `finish_reason` null or unknown becomes `truncated`, so an incomplete answer never counts as
complete. Missing usage is recorded as 0 tokens; only for a stream that was cut is it estimated. `constraint_applied` is `json_schema`
only when the text really reads as JSON, since servers may ignore the parameter.
"""

from __future__ import annotations

from reasoner.clients import ClientOptions
from reasoner.clients._wire.openai_chat import OpenAIDialect
from reasoner.clients._wire.opening import Provider, joined, open_endpoints
from reasoner.clients._wire.remote import RemoteClient
from reasoner.clients._wire.several import SeveralServers

PROVIDER = Provider("https://api.openai.com/v1", "OPENAI_BASE_URL", "OPENAI_API_KEY")


class OpenAIClient(RemoteClient):
    """One model at one OpenAI-compatible endpoint."""


def open_client(name: str, options: ClientOptions) -> RemoteClient | SeveralServers:
    """Open `openai:NAME`. Nothing is connected until the first call.

    Raises:
        UsageError: no model is named, or the key that a server on another machine needs is not set.
        BadConfig: the base URL, the name or the profile cannot be used.
    """
    endpoints = open_endpoints("openai", name, options, PROVIDER, path="/chat/completions")
    return joined(endpoints, options, lambda endpoint, each: OpenAIClient("openai", OpenAIDialect(), endpoint, each))
