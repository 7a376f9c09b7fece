"""What every function of the Python face may be told, and what is made of it.

    settings_of({"temperature": 0.7, "max_calls": 20, "db": "runs.db"}) -> Settings(sampling=Sampling(temperature=0.7), ...)

The names are those of the command line's options, with underscores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasoner.budget import Limits, Price, read_prices
from reasoner.calling.actor import ActionLimits
from reasoner.clients import ClientOptions
from reasoner.errors import BadConfig, UnknownName, what_is_wrong
from reasoner.runs.options import RunOptions
from reasoner.runs.tool_plan import ToolPlan
from reasoner.types import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reasoner.calling.actor import ActionAsked
    from reasoner.calling.caller import OnUnknown
    from reasoner.calling.retry import RetryPolicy
    from reasoner.runs.events import Event
    from reasoner.runs.options import Mode
    from reasoner.runs.plan import Plan
    from reasoner.runs.pool import ModelPool
    from reasoner.runs.tool_plan import Named
    from reasoner.types import Client

M = TypeVar("M", bound=BaseModel)


class Carrier(Protocol):
    """Carries runs out elsewhere, on other machines say."""

    async def __call__(self, plan: Plan, models: Sequence[str | Client], settings: Settings) -> None:
        """Carry a run out; afterwards it stands in the database of the settings."""

    def within(self, name: str) -> Self:
        """Return what carries one of several runs of a command; `name` tells it from the others."""


class RunSettings(TypedDict, total=False):
    """Keyword arguments of `solve`, `bench`, `compare`, `translate`, `ask`, `resume` and `fork`. All have sensible defaults.

    Seconds for times, dollars for costs.
    """

    db: Path | str | None
    """The database file (default: `REASONER_DB`, else `trajectories.db`)."""
    tools: Sequence[Named] | None
    """What the model may call: names (`calculator`, `sql:shop.sqlite`, `mine.py`), tools, or typed functions."""
    mcp: Path | str | None
    """A file that names MCP servers, in the usual form."""
    max_actions: int | None
    """Actions of one trajectory at most; `max_action_seconds` and `max_action_bytes` bound their durations and results."""
    max_action_seconds: float | None
    max_action_bytes: int | None
    approve: Callable[[ActionAsked], bool | None] | None
    """Asked about actions that need approval: True, False, or None for later, which parks the trajectory."""
    seed: int
    samples: int
    """Times each problem is tried, each with a seed of its own."""
    progress: bool | Callable[[Event], None]
    """True draws a bar on standard error; a function is told every event."""
    prompts: Path | str | None
    """A folder whose templates override single shipped ones."""
    mode: Mode
    """`join` (go on with the run of the same manifest), `fresh` (a new run), `recheck` (run closed trajectories again, from the journal)."""

    sampling: Sampling | None
    """How answers are drawn; single fields can be given by name instead."""
    temperature: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    max_tokens: int | None
    thinking: str | int | None
    """`off`, `low`, `medium`, `high`, or a number of tokens."""
    extra_body: str | Mapping[str, Any] | None
    """A JSON object merged into the body sent to a remote model."""
    record: str | None
    """`tokens`: keep the ids and log-probabilities of prompts and replies with the calls (local models, vLLM)."""

    limits: Limits | None
    """What one trajectory may use; single fields can be given by name instead."""
    max_calls: int | None
    max_total_tokens: int | None
    max_cost: float | None
    max_seconds: float | None
    run_limits: Limits | None
    """What all trajectories and all processes of the run may use together."""
    run_max_calls: int | None
    run_max_tokens: int | None
    run_max_cost: float | None
    run_max_seconds: float | None

    options: ClientOptions | None
    """How models are opened; single fields can be given by name instead."""
    base_url: str | Sequence[str] | None
    """Where a remote model stands; several addresses where the same model answers at each."""
    api_key_env: str | None
    """The environment variable that holds the key, or one a host: `KEY,other.example=OTHER_KEY`."""
    timeout: float | None
    concurrency: int | None
    rpm: int | None
    tpm: int | None
    stream: bool
    idle_timeout: float | None
    profile: str | None
    n_ctx: int | None
    threads: int | None
    exact: bool
    adapter: Path | str | None
    form: str | None
    """The form a local model's weights are used in: `as-is`, `auto`, `q4_0`, `iq4_nl`, `q8_0` or `f16`."""
    keep_prefixes: bool
    """Keep a local model's shared prefixes on disk for the next process."""
    chat_template: Path | str | None

    prices: Mapping[str, Price] | Path | str | None
    """Prices by model name, or a price file."""
    allow_unpriced: bool
    on_unknown: OnUnknown
    confirm: Callable[[str], bool] | None
    cache: bool
    retry: RetryPolicy | None
    retry_poisoned: bool
    lease_s: float
    command: str
    pool: ModelPool | None
    """Open models to share with other runs of the same event loop."""
    carrier: Carrier | None
    """Carries the run out elsewhere first, on other machines say; what is then in the database is read back, and the rest is done here."""


_LIMITS = {"max_calls": "calls", "max_total_tokens": "tokens", "max_cost": "cost", "max_seconds": "seconds"}
_RUN_LIMITS = {"run_max_calls": "calls", "run_max_tokens": "tokens", "run_max_cost": "cost", "run_max_seconds": "seconds"}
_ACTIONS = {"max_actions": "actions", "max_action_seconds": "seconds", "max_action_bytes": "size_bytes"}
_CLIENT = {
    **{name: name for name in ("base_url", "api_key_env", "concurrency", "rpm", "tpm", "stream", "profile", "n_ctx", "threads", "exact")},
    "adapter": "adapter",
    "form": "form",
    "keep_prefixes": "keep_prefixes",
    "chat_template": "chat_template",
    "timeout": "timeout_s",
    "idle_timeout": "idle_timeout_s",
}
_SAMPLING = {name: name for name in ("temperature", "top_p", "top_k", "min_p", "max_tokens", "thinking", "extra_body", "record")}
_PLAIN = {"approve", "allow_unpriced", "on_unknown", "confirm", "cache", "retry", "retry_poisoned", "lease_s", "command", "mode", "prompts"}
_OWN = {"db", "tools", "mcp", "seed", "samples", "progress", "sampling", "limits", "run_limits", "options", "prices", "pool", "carrier"}
NAMES = frozenset({*_LIMITS, *_ACTIONS, *_RUN_LIMITS, *_CLIENT, *_SAMPLING, *_PLAIN, *_OWN})
"""All names that may be given."""


class _SamplingFields(BaseModel):
    """The bounds of the single fields of a sampling."""

    model_config = ConfigDict(frozen=True)

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0)
    min_p: float | None = Field(default=None, ge=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1, le=1_000_000)


class _PlainFields(BaseModel):
    """The bounds of what is passed on as it is."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    seed: int = 0
    samples: int = Field(default=1, ge=1)
    lease_s: float = Field(default=30.0, gt=0, allow_inf_nan=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the keyword arguments say, sorted into what a run is (seed to limits) and how it is carried out."""

    db: Path | None = None
    seed: int = 0
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    limits: Limits = field(default_factory=Limits)
    tools: ToolPlan = field(default_factory=ToolPlan)
    options: RunOptions = field(default_factory=RunOptions)
    progress: bool | Callable[[Event], None] = False
    pool: ModelPool | None = None
    carrier: Carrier | None = None


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Sort keyword arguments, and check them.

    Raises:
        UnknownName: there is no such option; the message names near ones.
        BadConfig: one has a value it cannot have.
    """
    for name in given:
        if name not in NAMES:
            raise UnknownName("option", name, NAMES)
    plain = checked(_PlainFields, {name: name for name in _PlainFields.model_fields}, given)
    run_limits = _limits(given, "run_limits", _RUN_LIMITS)
    prices = given.get("prices")
    more: dict[str, Any] = {name: given[name] for name in _PLAIN if given.get(name) is not None}
    if "lease_s" in more:
        more["lease_s"] = plain.lease_s
    options = RunOptions(
        **more,
        run_limits=run_limits if run_limits != Limits() else None,
        prices=read_prices(Path(prices)) if isinstance(prices, (str, Path)) else prices or {},
        client=checked(ClientOptions, _CLIENT, given, given.get("options")),
    )
    return Settings(
        db=None if given.get("db") is None else Path(given["db"]),
        seed=plain.seed,
        samples=plain.samples,
        sampling=_sampling(given),
        limits=_limits(given, "limits", _LIMITS),
        tools=_tools(given),
        options=options,
        progress=given.get("progress") or False,
        pool=given.get("pool"),
        carrier=given.get("carrier"),
    )


def _tools(given: Mapping[str, Any]) -> ToolPlan:
    named = given.get("tools") or ()
    if isinstance(named, str) or not isinstance(named, Sequence):
        raise BadConfig(f"`tools={str(named)[:80]!r}`: it is no list", hint='write tools=["calculator", my_function]')
    return ToolPlan(tuple(named), str(given.get("mcp") or ""), checked(ActionLimits, _ACTIONS, given))


def _limits(given: Mapping[str, Any], whole: str, names: Mapping[str, str]) -> Limits:
    base: Limits | None = given.get(whole)
    return checked(Limits, names, given, base)


def _sampling(given: Mapping[str, Any]) -> Sampling:
    fields = checked(_SamplingFields, {name: name for name in _SamplingFields.model_fields}, given)
    told: dict[str, Any] = {name: value for name, value in fields if value is not None}
    if given.get("thinking") is not None:
        told["thinking"] = str(given["thinking"])
    if given.get("extra_body") is not None:
        told["extra_body"] = _json_object("extra_body", given["extra_body"])
    if (record := given.get("record")) is not None:
        if record != "tokens":
            raise BadConfig(f"`record={str(record)[:80]!r}`: that cannot be recorded", hint="write `record=tokens`, or leave it out")
        told["tokens"] = True
    base = given.get("sampling")
    if not isinstance(base, Sampling | None):
        raise BadConfig(f"`sampling={str(base)[:80]}`: it is no Sampling", hint="give a reasoner.Sampling, or its fields by name")
    return replace(base or Sampling(), **told)


def _json_object(name: str, value: str | Mapping[str, Any]) -> str:
    """Return a JSON object as text, in the order it was given in."""
    import json  # noqa: PLC0415 - rarely needed

    try:
        read = json.loads(value) if isinstance(value, str) else value
        if not isinstance(read, dict):
            raise BadConfig(f"{name}={str(value)[:80]!r}: it is no JSON object", hint='write {"name": value}')
        return json.dumps(read, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as error:
        raise BadConfig(f"{name}={str(value)[:80]!r}: it is no JSON object ({error})", hint='write {"name": value}') from error


def checked(model: type[M], names: Mapping[str, str], given: Mapping[str, Any], base: M | None = None) -> M:
    """Validate single options (`names`: option -> field of the model), over what `base` says already.

    Raises:
        BadConfig: one has a value it cannot have.
    """
    told = {field_: given[name] for name, field_ in names.items() if given.get(name) is not None}
    try:
        return model.model_validate({**(base.model_dump(exclude_unset=True) if base is not None else {}), **told})
    except ValidationError as error:
        where, value, fault = what_is_wrong(error)
        option = next((name for name, field_ in names.items() if field_ == where.partition(".")[0]), where)
        raise BadConfig(f"`{option}={value}`: {fault}") from error
