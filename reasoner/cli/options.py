"""Options that several commands share, and what they make: clients' options, sampling, limits.

A command that runs a strategy takes one parameter `common: Common`; `expanded` gives its command line an option for each field, so
that an option is written down once, here.
"""

from __future__ import annotations

import functools
import inspect
import os
import shlex
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_type_hints

import typer

from reasoner.cli import completing
from reasoner.errors import BadConfig
from reasoner.redaction import REDACTED, names_variables, redact
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from reasoner.api.settings import Carrier
    from reasoner.calling.actor import ActionAsked


class UnknownChoice(StrEnum):
    """What `--on-unknown` may be; see `reasoner.calling.caller.UnknownPolicy`."""

    auto = "auto"
    retry = "retry"
    ask = "ask"
    skip = "skip"


Db = Annotated[Path | None, typer.Option("--db", help="Database file (default: $REASONER_DB, else trajectories.db).", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="local, a path to a .gguf, either with +ADAPTER.gguf, openai:NAME, anthropic:NAME, or teacher.",
        autocompletion=completing.models,
    ),
]
PromptDir = Annotated[
    Path | None, typer.Option("--prompts", help="Directory with templates that replace shipped ones.", show_default=False)
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of problems and sampling.")]
New = Annotated[bool, typer.Option("--new", help="Start a new run even where an earlier one could be resumed.")]
BaseUrl = Annotated[
    list[str] | None,
    typer.Option(
        "--base-url", help="Address of a remote endpoint, with its /v1; repeated for several servers of one model.", show_default=False
    ),
]
KeyEnv = Annotated[
    str | None,
    typer.Option(
        "--api-key-env",
        help="Environment variable that holds the key, or NAME,host=OTHER [OPENAI_API_KEY, ANTHROPIC_API_KEY].",
        show_default=False,
    ),
]
Timeout = Annotated[float | None, typer.Option("--timeout", help="Seconds one call may take [600].", show_default=False)]
Concurrency = Annotated[
    int | None,
    typer.Option("--concurrency", help="Concurrent calls; for a remote model the greatest number tried.", show_default=False),
]
Rpm = Annotated[int | None, typer.Option("--rpm", help="Requests a minute to a remote model at most.", show_default=False)]
Tpm = Annotated[int | None, typer.Option("--tpm", help="Tokens a minute to and from a remote model at most.", show_default=False)]
Stream = Annotated[bool, typer.Option("--stream", help="Stream a remote model's answers.")]
IdleTimeout = Annotated[
    float | None,
    typer.Option("--idle-timeout", help="Seconds without data after which a stream counts as broken [120].", show_default=False),
]
ProfileOverride = Annotated[
    str | None,
    typer.Option("--profile", help="What a remote model can do: key=value,... (docs/reference/remote-models.md).", show_default=False),
]
NCtx = Annotated[int | None, typer.Option("--n-ctx", help="Context of a local model, in tokens [4096].", show_default=False)]
Threads = Annotated[
    int | None,
    typer.Option("--threads", help="Threads of a local model (default: the free cores, adjusted while it computes).", show_default=False),
]
Exact = Annotated[bool, typer.Option("--exact", help="Local models: one request at a time, so that the same request gives the same text.")]
Adapter = Annotated[
    str | None,
    typer.Option(
        "--adapter",
        metavar="FILE|none",
        help="LoRA adapter (GGUF) for a local model; none: also without the one shipped for local.",
        show_default=False,
    ),
]
WeightForm = Annotated[
    str | None,
    typer.Option(
        "--form",
        metavar="auto|as-is|q4_0|iq4_nl|q8_0|f16",
        help="Form of a local model's weights, converted once and kept; auto: the fastest here within bounds of quality [as-is].",
        show_default=False,
    ),
]
KeepPrefixes = Annotated[
    bool, typer.Option("--keep-prefixes", help="Local models: keep prefixes that several requests share on disk, for the next process.")
]
ChatTemplate = Annotated[
    Path | None, typer.Option("--chat-template", help="Chat template to use instead of the model's own.", show_default=False)
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", "-t", help="Sampling temperature; 0 is greedy [local: 0, remote: not sent].", show_default=False),
]
TopP = Annotated[
    float | None, typer.Option("--top-p", help="Draw from the most likely tokens with this total probability.", show_default=False)
]
TopK = Annotated[int | None, typer.Option("--top-k", help="Draw from the k most likely tokens.", show_default=False)]
MinP = Annotated[
    float | None, typer.Option("--min-p", help="Draw from tokens with at least this share of the highest probability.", show_default=False)
]
MaxTokens = Annotated[
    int | None,
    typer.Option(
        "--max-tokens", help="Tokens a completion may have, its thought included [local: 1024, remote: not sent].", show_default=False
    ),
]
Thinking = Annotated[
    str | None,
    typer.Option("--thinking", metavar="off|low|medium|high|TOKENS", help="How much a thinking model may think.", show_default=False),
]
ExtraBody = Annotated[
    str | None,
    typer.Option("--extra-body", metavar="JSON", help="Further fields for the body of requests to a remote model.", show_default=False),
]
Record = Annotated[
    str | None,
    typer.Option(
        "--record", metavar="tokens", help="Keep token ids and log-probabilities with the calls (local models, vLLM).", show_default=False
    ),
]
MaxCalls = Annotated[int | None, typer.Option("--max-calls", help="Calls one trajectory may make.", show_default=False)]
MaxTotal = Annotated[
    int | None, typer.Option("--max-total-tokens", help="Tokens one trajectory may use, prompt and completion.", show_default=False)
]
MaxCost = Annotated[float | None, typer.Option("--max-cost", help="Dollars one trajectory may cost (needs --prices).", show_default=False)]
MaxSeconds = Annotated[float | None, typer.Option("--max-seconds", help="Seconds of calls one trajectory may use.", show_default=False)]
RunMaxCalls = Annotated[
    int | None, typer.Option("--run-max-calls", help="Calls the whole run may make, all processes together.", show_default=False)
]
RunMaxTokens = Annotated[int | None, typer.Option("--run-max-tokens", help="Tokens the whole run may use.", show_default=False)]
RunMaxCost = Annotated[
    float | None, typer.Option("--run-max-cost", help="Dollars the whole run may cost (needs --prices).", show_default=False)
]
RunMaxSeconds = Annotated[
    float | None, typer.Option("--run-max-seconds", help="Seconds of calls the whole run may use.", show_default=False)
]
AllowUnpriced = Annotated[
    bool, typer.Option("--allow-unpriced", help="With a money budget, let calls without a known price count as free.")
]
Unknown = Annotated[
    UnknownChoice,
    typer.Option(
        "--on-unknown",
        help="Calls that were in flight when a process ended and may have been billed: retry, ask, skip (auto: ask above $0.10).",
    ),
]
Cache = Annotated[bool, typer.Option("--cache", help="Answer calls from earlier runs that made the same call to the same model.")]
RetryPoisoned = Annotated[
    bool, typer.Option("--retry-poisoned", help="Try again the problems that were set aside because three processes died on them.")
]
Prices = Annotated[Path | None, typer.Option("--prices", help="Price file (TOML), see docs/reference/budgets.md.", show_default=False)]


Decided = Literal["approved", "denied"]
Tools = Annotated[
    list[str] | None,
    typer.Option(
        "--tool", help="A tool the model may call: NAME, NAME:SOURCE, FILE.py or FILE.py:NAME; may be repeated.", show_default=False
    ),
]
Mcp = Annotated[
    Path | None, typer.Option("--mcp", help="File that names MCP servers (mcpServers), see docs/guides/agents.md.", show_default=False)
]
MaxActions = Annotated[int | None, typer.Option("--max-actions", help="Actions of one trajectory.", min=0, show_default=False)]
MaxActionSeconds = Annotated[
    float | None, typer.Option("--max-action-seconds", help="Seconds the actions of one trajectory may take.", min=0, show_default=False)
]
MaxActionBytes = Annotated[
    int | None,
    typer.Option("--max-action-bytes", help="Bytes the results of one trajectory's actions may have.", min=0, show_default=False),
]


R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """The options of every command that runs a strategy; a field is an option of the same name."""

    db: Db = None
    prompts: PromptDir = None
    tool: Tools = None
    mcp: Mcp = None
    max_actions: MaxActions = None
    max_action_seconds: MaxActionSeconds = None
    max_action_bytes: MaxActionBytes = None
    seed: Seed = 0
    temperature: Temperature = None
    top_p: TopP = None
    top_k: TopK = None
    min_p: MinP = None
    max_tokens: MaxTokens = None
    thinking: Thinking = None
    extra_body: ExtraBody = None
    record: Record = None
    base_url: BaseUrl = None
    api_key_env: KeyEnv = None
    timeout: Timeout = None
    concurrency: Concurrency = None
    rpm: Rpm = None
    tpm: Tpm = None
    stream: Stream = False
    idle_timeout: IdleTimeout = None
    profile: ProfileOverride = None
    n_ctx: NCtx = None
    threads: Threads = None
    exact: Exact = False
    adapter: Adapter = None
    form: WeightForm = None
    keep_prefixes: KeepPrefixes = False
    chat_template: ChatTemplate = None
    max_calls: MaxCalls = None
    max_total_tokens: MaxTotal = None
    max_cost: MaxCost = None
    max_seconds: MaxSeconds = None
    run_max_calls: RunMaxCalls = None
    run_max_tokens: RunMaxTokens = None
    run_max_cost: RunMaxCost = None
    run_max_seconds: RunMaxSeconds = None
    prices: Prices = None
    allow_unpriced: AllowUnpriced = False
    on_unknown: Unknown = UnknownChoice.auto
    cache: Cache = False
    retry_poisoned: RetryPoisoned = False
    new: New = False

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the keyword arguments of the Python face (`reasoner.api.settings.RunSettings`)."""
        return run_settings({field.name: getattr(self, field.name) for field in fields(self)}) | more | carried()


_carrier: ContextVar[Any] = ContextVar("carrier", default=None)


@contextmanager
def carrying(carrier: Carrier) -> Iterator[None]:
    """Have the commands that are called in the body carry their runs out by this (`reasoner shard` calls the command it is given)."""
    before = _carrier.set(carrier)
    try:
        yield
    finally:
        _carrier.reset(before)


def carried() -> dict[str, Any]:
    """Return what carries the run of the command under way, where it is not carried out here."""
    carrier = _carrier.get()
    return {} if carrier is None else {"carrier": carrier}


def run_settings(given: dict[str, Any]) -> dict[str, Any]:
    """Return options of a command as keyword arguments of the Python face; what was not given is left out."""
    from reasoner.cli.output import asking  # noqa: PLC0415 - keeps --help quick

    told = {name: value for name, value in given.items() if value is not None and name != "new"}
    told["on_unknown"] = told["on_unknown"].value
    if not told.get("base_url"):
        told.pop("base_url", None)
    if named := told.pop("tool", None):
        told["tools"] = list(named)
    confirm = asking()
    if given.get("new"):
        told["mode"] = "fresh"
    return told | {
        "confirm": confirm,
        "approve": None if confirm is None else _approving(confirm),
        "lease_s": lease_s(),
        "command": command_line(),
    }


def _approving(confirm: Callable[[str], bool]) -> Callable[[ActionAsked], bool]:
    """Return what asks the person at the terminal about an action."""

    def approve(asked: ActionAsked) -> bool:
        return confirm(f"The model wants to call {asked.tool} with {shorten(clean(asked.arguments), 1000)}. Allow it?")

    return approve


def lease_s() -> float:
    """Return how long a worker that says nothing is waited for: `REASONER_LEASE_S`, else the default, in seconds.

    Raises:
        BadConfig: it is no positive number.
    """
    from reasoner.store.claims import LEASE_S  # noqa: PLC0415

    told = os.environ.get("REASONER_LEASE_S")
    try:
        value = float(told) if told else LEASE_S
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise BadConfig(f"REASONER_LEASE_S={told!r} is not a number of seconds", hint="30 is the default")
    return value


def command_line(given: Sequence[str] | None = None) -> str:
    """Return the command as it was given, for the database: without what could be a key given by mistake."""
    words = ["reasoner", *(sys.argv[1:] if given is None else given)]
    for place, word in enumerate(words):
        option, _, value = word.partition("=")
        if option == "--api-key-env":
            own = place if value else min(place + 1, len(words) - 1)
            if not names_variables(value or words[own]):
                words[own] = f"{option}={REDACTED}" if value else REDACTED
    return redact(shlex.join(words)).encode(errors="backslashreplace").decode()  # bytes of a name that are no text cannot be stored


def expanded(command: Callable[..., R], *, group: type = Common, named: str = "common") -> Callable[..., R]:
    """Give a command one option for each field of a dataclass, in the place of the parameter that takes an instance of it."""
    hints = get_type_hints(command, include_extras=True)
    options = get_type_hints(group, include_extras=True)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name != named:
            parameters.append(parameter.replace(annotation=hints[parameter.name]))
            continue
        parameters.extend(
            inspect.Parameter(field.name, parameter.kind, default=field.default, annotation=options[field.name]) for field in fields(group)
        )

    @functools.wraps(command)
    def run(**given: Any) -> R:
        told = group(**{field.name: given.pop(field.name, field.default) for field in fields(group)})
        return command(**{named: told}, **given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
