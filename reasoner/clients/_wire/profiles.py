"""What a family of models can do and how it wants its request written: capability is data.

A row of `ROWS` says which models of which host it is about; the first that fits counts. `--profile key=value,...` overrides single
fields, for a server that this table does not know.

    profile_of("openai", "o3-mini", "api.openai.com").max_tokens   -> "max_completion_tokens"
    overridden(Profile(), "system=user,schema=prompt")             -> Profile(system="user", schema_by="prompt")

Knows names. Does not send anything, and does not look for what a server can do by trying.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasoner.errors import BadConfig
from reasoner.text import clean, shorten

Dialect = Literal["openai", "anthropic"]


class Profile(BaseModel):
    """How a request is written for one family of models."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the bound of the answer is called (OpenAI dialect)."""
    sampling: bool = True
    """Whether temperature, top_p and top_k are sent; some models refuse any but their own."""
    system: Literal["system", "developer", "user"] = "system"
    """The role of instructions; `user` puts them in front of the first question, for models without a system role."""
    seed: bool = True
    """Whether a seed is sent (the Anthropic dialect has none)."""
    logprobs: bool = True
    """Whether log-probabilities may be asked for."""
    schema_by: Literal["json_schema", "json_object", "tool", "prompt", "none"] = Field(default="json_schema", alias="schema")
    """How a JSON schema is asked for: as `json_schema`, as `json_object` with the schema beside it, as the one tool that has to be called,
    in words, or not at all (then a request with a schema is an error)."""
    reasoning_effort: str = Field(default="", pattern="^[a-z]{0,10}$")
    """Sent when it is set: how many hidden reasoning tokens a model may spend (`low`, `medium`, `high`). They count as completion tokens."""
    stream_usage: bool = True
    """Whether a stream is asked for its usage at the end (`stream_options`)."""
    stream_done: bool = True
    """Whether a stream has to end with `[DONE]`; without it, finish_reason and an orderly end of the response have to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: empty fields fit everything."""

    dialect: Dialect
    host: str = ""
    model: str = ""
    profile: dict[str, Any] = field(default_factory=dict)


_COMPLETION = {"max_tokens": "max_completion_tokens"}

ROWS: tuple[Row, ...] = (
    Row("openai", "api.openai.com", r"o1-(?:mini|preview)", {**_COMPLETION, "sampling": False, "system": "user", "logprobs": False}),
    Row("openai", "api.openai.com", r"(?:o\d|gpt-5)(?:\b|-|$)", {**_COMPLETION, "sampling": False, "logprobs": False}),
    Row("openai", "api.openai.com", "", _COMPLETION),
    Row("openai"),
    Row("anthropic", "", "", {"schema": "tool", "seed": False, "logprobs": False}),
)
"""Only official hosts are known to tell their models apart by name; elsewhere a name says nothing."""


def profile_of(dialect: Dialect, model: str, host: str) -> Profile:
    """Return the profile of the first row that fits."""
    for row in ROWS:
        if row.dialect == dialect and row.host in {"", host} and re.match(row.model, model):
            return Profile.model_validate(row.profile)
    return Profile()


def overridden(profile: Profile, text: str) -> Profile:
    """Return a profile with the fields that `key=value,...` names replaced.

    Raises:
        BadConfig: a field is unknown or cannot have the value; near names are listed.
    """
    known = {info.alias or name: name for name, info in Profile.model_fields.items()}
    given: dict[str, Any] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (part.strip() for part in pair.partition("="))
        if not equals or key not in known:
            near = difflib.get_close_matches(key, known, n=3, cutoff=0.5)
            raise BadConfig(
                f"--profile {shorten(clean(pair), 60)!r}: no such field",
                hint=f"did you mean {near[0]}=…?" if near else f"known: {', '.join(known)}",
            )
        given[key] = value
    try:
        return Profile.model_validate(profile.model_dump(by_alias=True) | given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadConfig(
            f"--profile {first['loc'][0]}={shorten(clean(str(first['input'])), 40)}: {first['msg']}", hint="see docs/remote-models.md"
        ) from error
