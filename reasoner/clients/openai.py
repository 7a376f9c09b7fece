"""Any OpenAI-compatible chat endpoint: `POST {base_url}/chat/completions`, one request per call.

Knows where such an endpoint stands and which key it takes; `_openai_wire` knows the format and `_remote` the connection.

    model = open_client("some-model", ClientOptions(base_url="http://127.0.0.1:8000/v1"))
    completion = await model.complete(Request(messages=(Message("user", "4 9 10 13"),)))

What an answer is taken for: `finish_reason` null or unknown becomes `truncated`, so an incomplete answer never counts as
complete. Missing usage is recorded as 0 tokens; only for a stream that was cut is it estimated. `constraint_applied` is `json_schema`
only when the text really reads as JSON, since servers may ignore the parameter.
"""

from __future__ import annotations

import os

from reasoner.clients import ClientOptions
from reasoner.clients._wire.openai_chat import OpenAIDialect
from reasoner.clients._wire.opening import checked_url, open_endpoint
from reasoner.clients._wire.remote import RemoteClient

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_KEY_ENV = "OPENAI_API_KEY"


class OpenAIClient(RemoteClient):
    """One model at one OpenAI-compatible endpoint."""


def open_client(name: str, options: ClientOptions) -> OpenAIClient:
    """Open `openai:NAME`. Nothing is connected until the first call.

    Raises:
        UsageError: no model is named, or the key that a server on another machine needs is not set.
        BadConfig: the base URL, the name or the profile cannot be used.
    """
    given, variable = options.base_url, os.environ.get("OPENAI_BASE_URL")
    source = "`base_url`" if given is not None else "the variable OPENAI_BASE_URL" if variable else "the default address"
    url = checked_url(given if given is not None else variable or DEFAULT_BASE_URL, source, DEFAULT_KEY_ENV)
    endpoint = open_endpoint("openai", name, url, key_env=options.api_key_env or DEFAULT_KEY_ENV, path="/chat/completions")
    return OpenAIClient("openai", OpenAIDialect(), endpoint, options)
