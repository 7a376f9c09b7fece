"""What a generation of models can do and how it wants its request written: capability is data.

A row of `ROWS` says which models of which host it is about; the first that fits counts. `--profile key=value,...` overrides single
fields, for a server that this table does not know.

    profile_of("openai", "o3-mini", "api.openai.com").max_tokens             -> "max_completion_tokens"
    profile_of("anthropic", "claude-opus-4-7", "api.anthropic.com").sampling -> False
    overridden(Profile(), "system=user,schema=prompt")             -> Profile(system="user", schema_by="prompt")

Knows names. Does not send anything, and does not look for what a server can do by trying.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasoner.capabilities import Extra
from reasoner.errors import BadConfig
from reasoner.text import clean, shorten

Dialect = Literal["openai", "anthropic", "responses"]
Thinking = Literal["", "effort", "adaptive", "budget", "template", "think", "switch", "enable", "openrouter"]


class Profile(BaseModel):
    """How a request is written for one family of models."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the bound of the answer is called (OpenAI dialect)."""
    default_max_tokens: int = Field(default=4096, ge=1)
    """The bound that is sent where none is set and there has to be one: the Anthropic format wants one, and so does a budget."""
    sampling: bool = True
    """Whether temperature, top_p, top_k and min_p are sent; some models refuse any but their own."""
    sampling_with_thinking: bool = True
    """Whether they are sent beside a `--thinking` that is not off."""
    stop: bool = True
    """Whether stop sequences are sent."""
    system: Literal["system", "developer", "user"] = "system"
    """The role of instructions; `user` puts them in front of the first question, for models without a system role."""
    seed: bool = True
    """Whether a seed is sent (the Anthropic and the Responses format have none)."""
    logprobs: bool = True
    """Whether log-probabilities may be asked for."""
    schema_by: Literal["json_schema", "json_object", "tool", "prompt", "none"] = Field(default="json_schema", alias="schema")
    """How a JSON schema is asked for: as `json_schema`, as `json_object` with the schema beside it, as the one tool that has to be called,
    in words, or not at all (then a request with a schema is an error)."""
    reasoning_effort: str = Field(default="", pattern="^[a-z]{0,10}$")
    """Sent with every request when it is set, as it is; `--thinking` says the same in words that hold for all families."""
    thinking: Thinking = "template"
    """How `--thinking` is written, see `reasoner.clients._wire.thinking`; empty: this family cannot be told."""
    thinking_off: str = Field(default="none", pattern="^[a-z]{0,10}$")
    """The effort that means no thought; empty where there is none."""
    thought: Literal["auto", "none", "think", "thought", "thinking", "reasoning"] = "auto"
    """Where a thought may stand in the text: `auto` knows the usual tags, `none` leaves texts as they are, a tag's name says that the
    reply begins inside it."""
    thought_back: bool = True
    """Whether the thought of an earlier turn that called tools goes back as `reasoning_content` (OpenAI dialect)."""
    stream_usage: bool = True
    """Whether a stream is asked for its usage at the end (`stream_options`)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: empty fields fit everything. A host that begins with a point fits all hosts that end with it."""

    dialect: Dialect
    host: str = ""
    model: str = ""
    profile: dict[str, Any] = field(default_factory=dict)
    port: int | None = None

    def fits(self, dialect: Dialect, model: str, host: str, port: int | None) -> bool:
        """Tell whether the row is about a model at a host."""
        at_host = self.host in {"", host} or (self.host.startswith(".") and host.endswith(self.host))
        return self.dialect == dialect and at_host and self.port in {None, port} and re.match(self.model, model, re.IGNORECASE) is not None


_COMPLETION = {"max_tokens": "max_completion_tokens"}
_UNSAMPLED = {"sampling": False, "stop": False, "logprobs": False, "thinking": "effort", "default_max_tokens": 16384}
_O_SERIES = {**_COMPLETION, **_UNSAMPLED, "thinking_off": ""}
_GPT5 = {**_COMPLETION, **_UNSAMPLED, "thinking_off": "minimal"}
_GPT51 = {**_COMPLETION, "sampling_with_thinking": False, "thinking": "effort", "default_max_tokens": 16384}
_SWITCH = {"thinking": "switch", "default_max_tokens": 16384}
_CLAUDE = {"schema": "tool", "seed": False, "logprobs": False}
_ADAPTIVE = {"thinking": "adaptive", "default_max_tokens": 16384}

# A name says what a model is only where nobody else would use it: it has to be the whole name but for a vendor before and a date after it.
_VENDOR, _DATE = r"(?:[\w.-]+[/.])?", r"(?:-(?:latest|20\d\d-?\d\d-?\d\d))?(?:-v\d+(?::\d+)?)?$"
_O = rf"{_VENDOR}o[134](?:-mini|-pro|-preview|-deep-research)?{_DATE}"
_GPT_5 = rf"{_VENDOR}gpt-5(?:-mini|-nano|-pro|-codex)?{_DATE}"
_GPT_5_POINT = rf"{_VENDOR}gpt-5\.\d(?:-[a-z]+)*{_DATE}"
_CLAUDE_LATER = rf"{_VENDOR}claude-(?:(?:opus|sonnet|haiku)-(?:4[-.][7-9]|[5-9])|(?:fable|mythos)-\w+)(?:[-.]\d)?{_DATE}"
"""Generations that refuse temperature and fixed budgets of thought."""
_CLAUDE_4_6 = rf"{_VENDOR}claude-(?:opus|sonnet)-4[-.]6{_DATE}"

ROWS: tuple[Row, ...] = (
    Row("openai", "openrouter.ai", _O, {**_O_SERIES, "thinking": "openrouter"}),
    Row("openai", "openrouter.ai", _GPT_5, {**_GPT5, "thinking": "openrouter"}),
    Row("openai", "openrouter.ai", _CLAUDE_LATER, {"sampling": False, "seed": False, "logprobs": False, "thinking": "openrouter"}),
    Row("openai", "openrouter.ai", "", {"thinking": "openrouter", "default_max_tokens": 16384}),
    Row("openai", "", rf"{_VENDOR}o1-(?:mini|preview){_DATE}", {**_O_SERIES, "system": "user"}),
    Row("openai", "", _O, _O_SERIES),
    Row("openai", "", _GPT_5, _GPT5),
    Row("openai", "", _GPT_5_POINT, _GPT51),
    Row("openai", "", _CLAUDE_LATER, {"sampling": False, "seed": False, "logprobs": False, "thinking": "effort"}),
    Row("openai", "", rf"{_VENDOR}gpt-oss[:-]", {"thinking": "effort", "thinking_off": "", "default_max_tokens": 16384}),
    Row("openai", "api.openai.com", "", {**_COMPLETION, "thinking": ""}),
    Row("openai", "api.deepseek.com", "", {**_SWITCH, "seed": False}),
    Row("openai", "api.z.ai", "", _SWITCH),
    Row("openai", "open.bigmodel.cn", "", _SWITCH),
    Row("openai", ".moonshot.ai", "", _SWITCH),
    Row("openai", ".moonshot.cn", "", _SWITCH),
    Row("openai", ".aliyuncs.com", "", {"thinking": "enable"}),
    Row(
        "openai",
        "generativelanguage.googleapis.com",
        "",
        {"thinking": "effort", "seed": False, "logprobs": False, "default_max_tokens": 16384},
    ),
    Row("openai", "api.mistral.ai", "", {"thinking": "", "seed": False, "logprobs": False, "stream_usage": False}),
    Row("openai", "api.x.ai", r"grok-(?:4|code)", {"thinking": "effort", "thinking_off": "", "stop": False}),
    Row("openai", "api.groq.com", "", {"thinking": "effort"}),
    Row("openai", port=11434, profile={"thinking": "think"}),
    Row("openai"),
    Row("anthropic", "", _CLAUDE_LATER, {**_CLAUDE, **_ADAPTIVE, "sampling": False}),
    Row("anthropic", "", _CLAUDE_4_6, {**_CLAUDE, **_ADAPTIVE, "sampling_with_thinking": False}),
    Row("anthropic", "", "", {**_CLAUDE, "thinking": "budget", "sampling_with_thinking": False}),
    Row("responses", "", _O, {**_O_SERIES, "seed": False}),
    Row("responses", "", _GPT_5, {**_GPT5, "seed": False}),
    Row("responses", "", _GPT_5_POINT, {**_GPT51, "seed": False, "stop": False}),
    Row("responses", "", "", {"seed": False, "stop": False, "thinking": "effort"}),
)
"""The first row that fits counts. What is not known of a server is tried, and left out when the server names it as its objection."""


def profile_of(dialect: Dialect, model: str, host: str, port: int | None = None) -> Profile:
    """Return the profile of the first row that fits."""
    return next((Profile.model_validate(row.profile) for row in ROWS if row.fits(dialect, model, host, port)), Profile())


def extras_of(dialect: Dialect, profile: Profile) -> frozenset[Extra]:
    """Return what a model takes beside text and tools."""
    takes: set[Extra] = {"tools", "images"}
    if dialect != "anthropic":
        takes.add("parallel_tool_calls")
    if dialect == "openai":
        takes |= {"penalties", "logit_bias"}
        if profile.logprobs:
            takes.add("logprobs")
    return frozenset(takes)


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
                f"`profile` {shorten(clean(pair), 60)!r}: no such field",
                hint=f"did you mean {near[0]}=…?" if near else f"known: {', '.join(known)}",
            )
        given[key] = value
    try:
        return Profile.model_validate(profile.model_dump(by_alias=True) | given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadConfig(
            f"`profile` {first['loc'][0]}={shorten(clean(str(first['input'])), 40)}: {first['msg']}",
            hint="see docs/reference/remote-models.md",
        ) from error
