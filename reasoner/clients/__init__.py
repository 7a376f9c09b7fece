"""Clients: one model each behind `async complete(Request) -> Completion`.

A model's name on the command line says which client serves it:

    local                 the embedded default model, through llama.cpp in a worker process
    path/to/model.gguf    any GGUF file, the same way
    local+adapter.gguf    either of them with a LoRA adapter, as with `--adapter`
    openai:NAME           any OpenAI-compatible chat endpoint (`--base-url`)
    responses:NAME        any endpoint of the Responses format (`--base-url`)
    anthropic:NAME        any endpoint of Anthropic's Messages format (`--base-url`)
    teacher               the exact solver, writing its search down as a model would

`NAME:REST` opens the client module NAME with REST as the model's name. Importing this package imports no client.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from reasoner import registry
from reasoner.capabilities import Sharing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.types import Client


class ClientOptions(BaseModel):
    """What may be said about a model when it is opened. A client ignores what does not concern it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str | tuple[str, ...] | None = None
    """Where a remote endpoint stands, up to and including its version part (`http://127.0.0.1:8000/v1`); several where the same model answers at each."""
    api_key_env: str | None = None
    """The environment variable that holds the key, or one a host (`KEY,other.example=OTHER_KEY`); the key itself is never an option."""
    timeout_s: float = Field(default=600.0, gt=0)
    """How long one call may take, in seconds."""
    concurrency: int | None = Field(default=None, ge=1)
    """How many calls may be under way at once, at all servers together; None leaves it to the client."""
    rpm: int | None = Field(default=None, ge=1)
    """How many requests a remote endpoint may be sent in any 60 seconds."""
    tpm: int | None = Field(default=None, ge=1)
    """How many tokens, prompt and completion together, it may be sent and asked for in any 60 seconds."""
    stream: bool = False
    """Have a remote model's answer streamed, so that silence is noticed after `idle_timeout_s` instead of `timeout_s`."""
    idle_timeout_s: float = Field(default=120.0, gt=0)
    """A stream that brings nothing for so long is taken for cut, in seconds."""
    profile: str = ""
    """What a remote model can do, where the table does not know it: `key=value,...`, see `reasoner.clients._wire.profiles`."""
    n_ctx: int | None = Field(default=None, ge=256)
    """Context of a local model, in tokens; None is 4096, or what the model was trained for where that is less."""
    threads: int | None = Field(default=None, ge=1)
    """Threads of a local model; None chooses by the cores that are free."""
    exact: bool = False
    """Decode one request of a local model at a time, each on an empty cache: the same request then gives the same text."""
    adapter: Literal["none"] | Path | None = None
    """A LoRA adapter (GGUF) to load over a local model. None leaves it to `reasoner.runs.shipped_adapters` whether `local` gets one; `"none"` is none."""
    form: Literal["auto", "as-is", "q4_0", "iq4_nl", "q8_0", "f16"] = "as-is"
    """The form a local model's weights are used in: as they are in the file, converted once to another type, or what is fastest here within bounds
    of quality (`auto`), see `reasoner.clients.llamacpp.forms`."""
    keep_prefixes: bool = False
    """Keep what a local model's cache holds of prefixes that several requests shared on disk, for the next process of the same model."""
    chat_template: Path | None = None
    """A Jinja2 chat template to use instead of the one inside the GGUF."""
    token_deadline_s: float = Field(default=120.0, gt=0)
    """A local worker that gives no sign of life for this long is taken for hung and restarted, in seconds."""

    @field_validator("base_url")
    @classmethod
    def _one_or_several(cls, urls: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        """A list of one is that one, and so has the same name in a saved plan; an empty list is none."""
        return urls if urls is None or isinstance(urls, str) or len(urls) > 1 else next(iter(urls), None)


def open_client(model: str, options: ClientOptions | None = None, *, beside: Iterable[Client] = ()) -> Client:
    """Open the client that serves a model name. Nothing is loaded or connected until the first call.

    Local models of the same weights load them once where they know of each other: `beside` are clients that are open already.

    Raises:
        UnknownName: no client serves such a name.
        MissingDependency: its extra is not installed.
        UsageError: a file or key it needs is not there.
    """
    options = options or ClientOptions()
    if model == "local" or model.lower().endswith(".gguf"):
        scheme, name = "llamacpp", model
    else:
        scheme, _, name = model.partition(":")
    client: Client = registry.find("client", scheme)(name, options)
    if isinstance(client, Sharing):
        any(client.share(each) for each in beside)
    return client
