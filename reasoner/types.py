"""The values that travel through the program, and the seam to a model.

Request(messages=(Message("user", "4 9 10 13"),), sampling=Sampling(max_tokens=64), seed=7)
-> Completion(text="Answer: (10 - 4) * (13 - 9) = 24", finish_reason="stop", usage=Usage(12, 14), model="local")
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from reasoner.canonical import canonical_json as canonical_json  # noqa: PLC0414 - read from here like the values
from reasoner.canonical import digest as digest  # noqa: PLC0414
from reasoner.constraint import Constraint as Constraint  # noqa: PLC0414 - read from here like the other values
from reasoner.constraint import ConstraintApplied as ConstraintApplied  # noqa: PLC0414

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from reasoner.capabilities import Hear

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "content_filter", "truncated", "tool_calls"]
ThoughtStatus = Literal["open", "kept", "pruned", "final"]
SIGNS: Mapping[ThoughtStatus, str] = {"final": "★", "kept": "●", "pruned": "✕", "open": "○"}
"""How a status is drawn, in the terminal and on the pages."""

S = TypeVar("S", bound="Hashable")  # a search state of a solver


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of a tool that a model asks for. `arguments` is JSON text as the model wrote it: it may be malformed."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool a model may ask for. `parameters` is the JSON schema of its arguments, as JSON text in its own order."""

    name: str
    description: str = ""
    parameters: str = "{}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. What stands after `content` most messages do not have.

    `reasoning`, `tool_calls` and `opaque` are an assistant's (see `Completion`); `tool_call_id` names the call that a `tool` message answers;
    `images` are `data:` URIs shown with a user's turn.
    """

    role: Role
    content: str
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    opaque: str = ""
    tool_call_id: str = ""
    images: tuple[str, ...] = ()

    def parts(self) -> dict[str, Any]:
        """Return what the message holds besides its role and text, as JSON-ready values; empty for most."""
        if not (self.reasoning or self.tool_calls or self.opaque or self.tool_call_id or self.images):
            return {}
        calls = [[call.id, call.name, call.arguments] for call in self.tool_calls]
        texts = {"reasoning": self.reasoning, "opaque": self.opaque, "tool_call_id": self.tool_call_id}
        return {name: value for name, value in {**texts, "tool_calls": calls, "images": list(self.images)}.items() if value}

    @classmethod
    def of_parts(cls, role: Role, content: str, parts: Mapping[str, Any]) -> Message:
        """Return the message that `parts` was called on."""
        calls = tuple(ToolCall(*call) for call in parts.get("tool_calls", ()))
        texts = {name: parts.get(name, "") for name in ("reasoning", "opaque", "tool_call_id")}
        return cls(role, content, tool_calls=calls, images=tuple(parts.get("images", ())), **texts)


class SamplingNumbers(NamedTuple):
    """The numbers of a sampling where every one is known."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repeat_penalty: float
    max_tokens: int


DEFAULT_NUMBERS = SamplingNumbers(temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, repeat_penalty=1.0, max_tokens=1024)
"""What stands for a number that is not set, for every model that does not have a default of its own (local models, the teacher)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the answer is drawn. A field that is None is not set: a remote model is not sent it, others take `DEFAULT_NUMBERS`.

    `temperature=0` is greedy. `max_tokens` bounds the completion, thought included, in tokens. `logprobs` asks for the mean log probability
    of the answer's tokens (as the model gives them at temperature 1); `logit_bias` pairs token numbers of the model's own vocabulary with
    what is added to their logits. `thinking` is `off`, `low`, `medium`, `high` or a number of tokens, written as the model's family wants
    it; empty leaves it to the model. `extra_body` is a JSON object merged into the body sent to a remote model. `tokens` asks for `Completion.tokens`.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: bool = False
    logit_bias: tuple[tuple[int, float], ...] = ()
    thinking: str = ""
    extra_body: str = ""
    tokens: bool = False

    @property
    def numbers(self) -> SamplingNumbers:
        """The numbers, with the documented defaults for those that are not set."""
        set_ones = {name: value for name in SamplingNumbers._fields if (value := getattr(self, name)) is not None}
        return DEFAULT_NUMBERS._replace(**set_ones)

    def set_fields(self) -> frozenset[str]:
        """Return the names of what is set."""
        return frozenset(name for name in self.as_dict() if name != "stop" or self.stop)

    def filled(self) -> Sampling:
        """Return the sampling with every number set."""
        return replace(self, **self.numbers._asdict())

    def as_dict(self) -> dict[str, Any]:
        """Return what is set as JSON-ready values. What was added later is there only when it is used: call keys stay what they were."""
        numbers = {name: value for name in SamplingNumbers._fields if (value := getattr(self, name)) is not None}
        later = {name: getattr(self, name) for name in ("logprobs", "thinking", "extra_body", "tokens")}
        later["logit_bias"] = [list(pair) for pair in self.logit_bias]
        return {**numbers, "stop": list(self.stop), **{name: value for name, value in later.items() if value}}


@dataclass(frozen=True, slots=True)
class About:
    """What a request is about. In-process clients (the teacher) may read it; no provider is ever sent it."""

    problem: Problem
    template: str
    state: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model.

    `key` is the call's journal key (an idempotency key for servers that honour one); `discard_cache` says that neither prompt nor answer will be met again,
    so that a local model need not keep them; `continued` whether the next turn goes on from the answer (None: perhaps). Neither changes what is asked.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    seed: int = 0
    constraint: Constraint | None = None
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: str = ""  # auto, none, required or tool:NAME; empty leaves it to the provider
    by_user: frozenset[str] | None = field(default=None, compare=False)
    """The fields of `sampling` that the user set, not the strategy; None where nobody tells them apart. It changes nothing that is asked."""
    key: str = field(default="", compare=False)
    discard_cache: bool = field(default=False, compare=False)
    continued: bool | None = field(default=None, compare=False)
    room: int = field(default=0, compare=False)  # tokens the answer needs; who counts tokens refuses a prompt that leaves fewer
    about: About | None = field(default=None, compare=False, repr=False)
    hear: Hear | None = field(default=None, compare=False, repr=False)  # told the answer's pieces as they come, where the client streams

    def canonical(self) -> str:
        """Return the canonical text of what the model is asked: messages, sampling, seed, constraint and tools, nothing else.

        Call keys are made of it. A field that older requests did not have is left out where it is empty, so that their keys stay.
        """
        tools = [[tool.name, tool.description, tool.parameters] for tool in self.tools]
        return canonical_json(
            {
                "messages": [[m.role, m.content, *([parts] if (parts := m.parts()) else [])] for m in self.messages],
                "sampling": self.sampling.as_dict(),
                "seed": self.seed,
                "constraint": self.constraint.as_list() if self.constraint else None,
                **({"tools": tools} if tools else {}),
                **({"tool_choice": self.tool_choice} if self.tool_choice else {}),
            }
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used. Tokens are counted by whoever answered; `cost` is in dollars, None when no price is known.

    `reasoning_tokens` are those of `completion_tokens` that were thought and not answered, 0 where nobody tells. `estimated` says that the
    counts were missing or could not be read, and stand for what was reserved.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cost: float | None = None
    reasoning_tokens: int = 0
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back, in parts: `text` is what is answered, `reasoning` what was thought before, `tool_calls` what is asked for.

    `opaque` is JSON text that the provider wants back unchanged in the next turn (signatures, encrypted reasoning, redacted thinking): an
    object with the `format` that reads it and its `items`. `finish_reason == "length"` means cut off at `max_tokens`; `seconds` is measured
    around the call.
    """

    text: str
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    model: str = ""
    constraint_applied: ConstraintApplied = "none"
    seconds: float = 0.0
    mean_logprob: float | None = None  # of the tokens of the text, natural, where `Sampling.logprobs` asked and the client can tell
    reasoning: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    opaque: str = ""
    token_logprobs: tuple[tuple[str, float], ...] = ()  # tokens with log probabilities, where asked for and told; not stored
    tokens: str = ""  # ids and log probabilities as `reasoner.token_record` writes them, where asked for and told; stored

    @property
    def inside_thought(self) -> bool:
        """Whether the token limit ended it before it had begun to answer."""
        return (
            self.finish_reason == "length"
            and bool(self.reasoning or self.opaque or self.usage.reasoning_tokens)
            and not self.text
            and not self.tool_calls
        )

    def message(self) -> Message:
        """Return it as the turn of a conversation that goes on."""
        return Message("assistant", self.text, reasoning=self.reasoning, tool_calls=self.tool_calls, opaque=self.opaque)


@dataclass(frozen=True, slots=True)
class Problem:
    """One instance of one solver, the name it was opened by (`question:mine.jsonl`); `instance` is the canonical JSON of its instance model."""

    solver: str
    instance: str
    line: str
    level: int | None = None

    @property
    def id(self) -> str:
        """Identify the problem by its content, not by how it was come by (16 hex digits)."""
        return digest("problem", self.solver.partition(":")[0], self.instance)[:16]


def problem_as_values(problem: Problem) -> tuple[str, str, str, int | None]:
    """Return the values a problem is made of, in their order."""
    return problem.solver, problem.instance, problem.line, problem.level


def problem_of_values(values: tuple[str, str, str, int | None]) -> Problem:
    """Return the problem of what `problem_as_values` returned."""
    return Problem(*values)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a strategy gives back: the text to verify, and the id of the thought that holds it."""

    text: str
    thought_id: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verifier says. `score` is in [0, 1] and 1.0 exactly when `correct` (None: not judged); `unparsed`: no answer could be read.

    `metrics` decide nothing. `grader` compared, `reader` found the answer, `judged_by` are the models that judged where no exact verifier did.
    """

    correct: bool | None
    score: float
    reason: str
    unparsed: bool = False
    metrics: Mapping[str, float] = field(default_factory=dict)
    grader: str = ""
    reader: str = ""
    judged_by: str = ""


@dataclass(frozen=True, slots=True)
class Move(Generic[S]):
    """One legal step of a search: the operation in words (`19 * 2 = 38`) and the state it leads to."""

    operation: str
    state: S


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One worked example for few-shot prompts: the statement as the model is shown it, and a verified answer text."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Pacing:
    """How a client's calls are to be spaced; the run sees to it. The defaults are those of a client that says nothing.

    `rpm` requests and `tpm` tokens, prompt and completion together, in any 60 seconds at most; `adaptive`: find out how many calls at once
    the server bears, `concurrency` is then the most that are tried.
    """

    adaptive: bool = False
    rpm: int | None = None
    tpm: int | None = None
    account: int | None = None
    """The same for clients that use one key; no call is sent with a key that was refused. None: there is no key."""


@runtime_checkable
class Client(Protocol):
    """One model behind one method.

    `name` is what tables and rows call the model (`local`, `openai:gpt-x`, `teacher`); `fingerprint` names exactly what
    answers (weights hash, template, options), so that a run is never silently continued with another model; `paid` says
    whether calls cost money; `concurrency` is how many calls may be under way at once. What a client may have besides is declared in `Paced`,
    `Selective` and `Adapted`.
    """

    name: str
    fingerprint: str
    paid: bool
    concurrency: int

    async def complete(self, request: Request) -> Completion:
        """Answer one request.

        Raises:
            ClientError: by whose fault and whether asking again may help, see `reasoner.errors`.
        """

    async def aclose(self) -> None:
        """Release what the client holds (connections, worker processes). Safe to call twice."""


@runtime_checkable
class Paced(Protocol):
    """A client that wants its calls spaced; others are paced as `Pacing()` says."""

    @property
    def pacing(self) -> Pacing:
        """How its calls are to be spaced."""
        ...


@runtime_checkable
class CallsTools(Protocol):
    """A client that passes on `Request.tools` and gives back `Completion.tool_calls`, where `calls_tools` is true; no other is given tools."""

    @property
    def calls_tools(self) -> bool:
        """Whether the model is given tools as its provider defines them."""
        ...


@runtime_checkable
class Selective(Protocol):
    """A client that is sent only what is set; others are given every number (`DEFAULT_NUMBERS`)."""

    def sampling(self, wanted: Sampling, *, bounded: bool) -> Sampling:
        """Return a sampling as it is sent: without what the model refuses, with a bound of the completion where `bounded` asks for one."""
        ...

    def check(self, wanted: Sampling) -> None:
        """Refuse what the user set and this model cannot be sent.

        Raises:
            BadConfig: it names the field.
        """
        ...

    def take_notes(self) -> list[str]:
        """Return what a user should know of how this model was asked, each line once."""
        ...


@runtime_checkable
class Adapted(Protocol):
    """A client that may answer through an adapter; others have none."""

    @property
    def provenance(self) -> Mapping[str, Any] | None:
        """What a run's row says beside name and fingerprint: adapter, base and what the adapter was trained on. None without an adapter."""
        ...
