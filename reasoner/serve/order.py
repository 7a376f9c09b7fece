"""One request in nobody's dialect, and what is told while it is carried out.

    Order(target, (Message("user", "What is 2 + 2?"),), Sampling())

Knows values; does not know HTTP, how a dialect writes them, or how they are carried out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.capabilities import Capable, Extra, Part
from reasoner.errors import BadConfig
from reasoner.runs.problems import problem_from_instance, problem_from_line
from reasoner.serve.faults import invalid
from reasoner.types import Completion, Message, Problem, Sampling, Selective, ToolSpec

if TYPE_CHECKING:
    from reasoner.runs.results import Result
    from reasoner.serve.model_names import Target
    from reasoner.serve.settings import Settings
    from reasoner.types import Client

CUT = frozenset({"length", "truncated"})
_PENALTIES = ("frequency_penalty", "presence_penalty")


@dataclass(frozen=True, slots=True)
class Order:
    """One request. `stop` ends the reply of a plain model, and of a strategy its answer alone."""

    target: Target
    messages: tuple[Message, ...]
    sampling: Sampling
    n: int = 1
    seed: int | None = None
    solver: str = ""
    """The family of the problem the last message is; empty: the conversation itself."""
    output_schema: str = ""
    schema_told: str = ""
    """What a provider is told beside the schema, see `reasoner.constraint`."""
    key: str = ""
    """What makes the same request be found again; empty: nothing."""
    stop: tuple[str, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Penalties and a bias of tokens, as the OpenAI format writes them."""
    client: str = ""
    """Whose program asks, as it names itself: `python-httpx/0.28`."""

    @property
    def plain(self) -> bool:
        """Whether the conversation goes to the model as it is."""
        return self.target.spec.name == "plain"


@dataclass(frozen=True, slots=True)
class Started:
    """The ids of the trajectories, before the first call."""

    run: str
    trajectories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A model's reply on the way to the answer."""

    sample: int
    role: str
    text: str
    reasoning: str = ""

    def shown(self) -> str:
        """Return it as a client is shown it: under the name of its prompt, with what was thought before it."""
        return "\n".join([f"[{self.role}]", *filter(None, (self.reasoning,)), self.text])


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a plain model's reply while it is written. A call that is made again begins anew, as its next attempt."""

    sample: int
    attempt: int
    part: Part
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an order: for each sample its result, the last reply (None: there was none), and what its search counted."""

    results: Sequence[Result]
    replies: tuple[Completion | None, ...]
    metadata: tuple[Mapping[str, str], ...] = ()

    @property
    def cut(self) -> tuple[bool, ...]:
        """Whether each sample's last reply was cut off."""
        return tuple(reply is not None and reply.finish_reason in CUT for reply in self.replies)


Event = Started | Said | Piece | Done


def problem_of(order: Order) -> Problem:
    """Return the problem an order states.

    Raises:
        UnknownName: there is no such family.
        BadConfig: the family would read a file.
        BadInstance: the last message is no problem of the family.
    """
    if order.solver:
        if ":" in order.solver or order.solver == "chat":
            raise BadConfig(f"the solver {order.solver[:40]!r} cannot be asked for", hint="name a family that needs no file")
        return problem_from_line(order.solver, order.messages[-1].content)
    solver = registry.solver("chat")
    chat = {
        "messages": [{"role": m.role, "content": m.content, **m.parts()} for m in order.messages],
        "output_schema": order.output_schema,
        "schema_told": order.schema_told,
        "tools": [(tool.name, tool.description, tool.parameters) for tool in order.tools],
        "tool_choice": order.tool_choice if order.tools else "",
    }
    return problem_from_instance(solver, solver.Instance.model_validate(chat), None)


def sampling_of(order: Order, client: Client) -> Sampling:
    """Return the sampling of the calls of an order: with penalties and a bias as the client takes them.

    Raises:
        Refused: it asks for what this model or a strategy cannot do.
    """
    _check(order, client)
    sampling = order.sampling
    if sampling.max_tokens is None and not isinstance(client, Selective):
        sampling = replace(sampling, max_tokens=sampling.numbers.max_tokens)
    if order.plain:
        sampling = replace(sampling, stop=order.stop)
    return replace(sampling, extra_body=json.dumps(dict(order.extra), sort_keys=True)) if order.extra else sampling


def _check(order: Order, client: Client) -> None:
    uses_tools = bool(order.tools) or any(m.role == "tool" or m.tool_calls for m in order.messages)
    has_images = any(m.images for m in order.messages)
    model = order.target.model
    if not order.plain:
        if order.tools and order.tool_choice != "none":
            raise invalid(f"tools need a model without a strategy: ask {model!r}", param="tools", code="unsupported_parameter")
        if has_images:
            raise invalid(f"images need a model without a strategy: ask {model!r}", param="messages", code="unsupported_parameter")
        if order.sampling.logprobs:
            raise invalid(f"logprobs needs a model without a strategy: ask {model!r}", param="logprobs", code="unsupported_parameter")
    extras: frozenset[Extra] = client.extras if isinstance(client, Capable) else frozenset()
    wanted: list[tuple[bool, Extra, str]] = [
        (order.plain and uses_tools, "tools", "tools"),
        (has_images, "images", "messages"),
        (order.sampling.logprobs, "logprobs", "logprobs"),
        (order.extra.get("frequency_penalty") is not None, "penalties", "frequency_penalty"),
        (order.extra.get("presence_penalty") is not None, "penalties", "presence_penalty"),
        (order.extra.get("logit_bias") is not None, "logit_bias", "logit_bias"),
        ("parallel_tool_calls" in order.extra, "parallel_tool_calls", "parallel_tool_calls"),
    ]
    for asked, extra, param in wanted:
        if asked and extra not in extras:
            what = "images" if extra == "images" else param
            raise invalid(f"the model {model!r} takes no {what}", param=param, code="unsupported_parameter")


def within(sampling: Sampling, settings: Settings, **given: Any) -> Sampling:
    """Return the sampling with what a request gives, `max_tokens` bounded; what it does not give stays unset."""
    made = replace(sampling, **{name: value for name, value in given.items() if value is not None})
    return made if made.max_tokens is None else replace(made, max_tokens=min(made.max_tokens, settings.max_tokens))
