"""What the dialects do alike: what of a sampling is sent, constraints in words, roles, and a streamed answer as it comes in.

Knows values. `openai_chat`, `anthropic_messages` and `responses_items` know the formats.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from reasoner.clients._wire import thinking
from reasoner.clients._wire.said import Said, completion_of, loads
from reasoner.errors import BadConfig, BadResponse, ClientError, StreamCut
from reasoner.prompts import Prompts
from reasoner.types import DEFAULT_NUMBERS, Completion, Message, Request, Sampling, canonical_json

if TYPE_CHECKING:
    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile
    from reasoner.clients._wire.sse import Event

SCHEMA_TEMPLATE = "clients/schema"
SAMPLED = ("temperature", "top_p", "top_k", "min_p")
RESERVED = ("messages", "input", "model", "stream")
"""What `extra_body` may not say: the answer would be read for another question, or not at all."""


class Dialect(Protocol):
    """One way of writing requests and reading answers."""

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key and the version of the interface."""

    def body(self, request: Request, *, model: str, profile: Profile, stream: bool) -> dict[str, Any]:
        """Return the body of a request as JSON values."""

    def completion(self, endpoint: Endpoint, request: Request, body: bytes, *, seconds: float, profile: Profile) -> Completion:
        """Read a whole answer."""

    def reading(self, endpoint: Endpoint, request: Request, *, profile: Profile) -> Reading:
        """Begin to read a streamed answer."""


class Reading(ABC):
    """A streamed answer as it comes in. What has come gathers in `said`."""

    form: ClassVar[str]

    def __init__(self, endpoint: Endpoint, request: Request, profile: Profile) -> None:
        self.endpoint = endpoint
        self.request = request
        self.profile = profile
        self.texts: list[str] = []
        self.thoughts: list[str] = []
        self.finish: str | None = None
        self.done = False

    @property
    def whole(self) -> bool:
        """Whether it has said how the answer ended, and that this was all."""
        return self.finish is not None and self.done

    @property
    def begun(self) -> bool:
        """Whether anything of an answer has come."""
        return bool(self.texts or self.thoughts)

    @property
    def n_chars(self) -> int:
        """How many characters have come, those of the thought included."""
        return sum(map(len, self.texts)) + sum(map(len, self.thoughts))

    @abstractmethod
    def take(self, event: Event) -> None:
        """Take one event.

        Raises:
            ClientError: the event is no part of an answer, or reports a fault.
        """

    @abstractmethod
    def said(self) -> Said:
        """Return what has come."""

    def garbled(self, _fault: BadResponse) -> bool:
        """Hear of an event that cannot be read; tell whether the answer can be whole without it: it can once it has said how it ended."""
        return self.finish is not None

    def closed(self) -> None:
        """Hear that the response has come to an end: where the answer has said how it ended, nothing is missing."""
        self.done = self.done or self.finish is not None

    def completion(self, *, seconds: float) -> Completion:
        """Return the answer, once it is whole."""
        said = self.said()
        said.finish = self.finish
        return completion_of(self.endpoint, self.request, self.profile, said, form=self.form, seconds=seconds)

    def partial(self, *, seconds: float) -> Completion:
        """Return what had come of an answer that was cut."""
        return completion_of(self.endpoint, self.request, self.profile, self.said(), form=self.form, seconds=seconds, is_cut=True)


def sent(sampling: Sampling, profile: Profile, *, bounded: bool) -> Sampling:
    """Return a sampling as it is sent: without what the model's generation refuses, with a bound where there has to be one."""
    thinks = sampling.thinking not in {"", "off"}
    gone: dict[str, Any] = {}
    if not profile.sampling or (thinks and not profile.sampling_with_thinking):
        gone |= dict.fromkeys(SAMPLED)
    if not profile.stop:
        gone["stop"] = ()
    if not profile.logprobs:
        gone["logprobs"] = False
    if bounded and sampling.max_tokens is None:
        budget = thinking.tokens_of(sampling.thinking) if thinks and profile.thinking == "budget" else 0
        gone["max_tokens"] = profile.default_max_tokens + budget
    changed = {name: value for name, value in gone.items() if getattr(sampling, name) != value}
    return replace(sampling, **changed) if changed else sampling


def refused(sampling: Sampling, profile: Profile) -> str:
    """Return the name of a field that was set to something and that the model's generation refuses; empty where all of it can be sent."""
    left = sent(sampling, profile, bounded=False)
    lost = [f.name for f in fields(Sampling) if getattr(sampling, f.name) != getattr(left, f.name)]
    return next((name for name in lost if getattr(sampling, name) not in {getattr(DEFAULT_NUMBERS, name, None), True}), "")


def extra_body(text: str) -> dict[str, Any]:
    """Return the object of `extra_body`.

    Raises:
        BadConfig: it is none, or sets what a request is made of.
    """
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"`extra_body` is no JSON: {error}", hint="write an object: '{\"top_a\": 0.2}'") from error
    if not isinstance(value, dict):
        raise BadConfig(f"`extra_body` is not an object but {type(value).__name__}", hint="write an object: '{\"top_a\": 0.2}'")
    if taken := next((name for name in RESERVED if name in value), None):
        raise BadConfig(f"`extra_body` sets {taken!r}, which the request itself says", hint="leave it out")
    return value


def merged(body: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Return a body with further fields; an object in both is joined field by field, the further one's winning."""
    joined = {
        name: {**body[name], **value} for name, value in extra.items() if isinstance(value, dict) and isinstance(body.get(name), dict)
    }
    return body | extra | joined


def json_bytes(body: dict[str, Any]) -> bytes:
    """Write a request's body; raises `BadConfig` for a number that JSON cannot carry."""
    try:
        return canonical_json(body).encode("ascii")
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"the request cannot be written as JSON: {error}", hint="check the schema and the sampling numbers") from error


def json_value(text: str, what: str) -> Any:
    """Return the value of a JSON text that the caller gave: a schema, the arguments of a tool.

    Raises:
        BadConfig: it is no JSON.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadConfig(
            f"the request cannot be written as JSON: {what}: {error}", hint="check the schema and the sampling numbers"
        ) from error


def schema_of(request: Request, profile: Profile) -> Any:
    """Return the JSON schema of a request, None where it has none.

    Raises:
        BadConfig: it holds a grammar, a schema that is no JSON, or one that this model cannot be asked for.
    """
    if request.constraint is None:
        return None
    if request.constraint.kind != "json_schema":
        raise BadConfig(
            f"a constraint of the kind {request.constraint.kind} cannot be sent to a remote model",
            hint="use a JSON schema, or a local model",
        )
    if profile.schema_by == "none":
        raise BadConfig(
            "the profile of this model says that it takes no JSON schema", hint="ask without one, or with `profile` schema=prompt"
        )
    if profile.schema_by == "tool" and request.tools:
        raise BadConfig(
            "a schema that is asked for by a tool cannot go beside other tools",
            hint="use `profile=schema=json_schema` or `profile=schema=prompt`",
        )
    return json_value(request.constraint.value, "the schema")


def messages_of(request: Request, profile: Profile) -> list[Message]:
    """Return the messages to be sent: with the schema in words where the profile says so, and instructions in the role it wants."""
    messages = list(request.messages)
    if request.constraint is not None and profile.schema_by == "prompt":
        words = Prompts().get(SCHEMA_TEMPLATE).render_text({"schema": request.constraint.value})
        at = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].role == "user"), None)
        if at is None:
            messages.append(Message("user", words))
        else:
            messages[at] = replace(messages[at], content=f"{messages[at].content}\n\n{words}")
    if profile.system == "user":
        instructions = "\n\n".join(m.content for m in messages if m.role == "system")
        messages = [m for m in messages if m.role != "system"]
        if instructions:
            at = next((i for i, m in enumerate(messages) if m.role == "user"), 0)
            if messages and messages[at].role == "user":
                messages[at] = replace(messages[at], content=f"{instructions}\n\n{messages[at].content}")
            else:
                messages.insert(at, Message("user", instructions))
    return messages


def read_reply(endpoint: Endpoint, body: bytes) -> dict[str, Any]:
    """Read the object of a success body.

    Raises:
        BadResponse: it is none.
        ClientError: it says itself what is wrong (no quota left, too many requests).
    """
    try:
        value = loads(body)
    except ValueError as error:
        raise no_json(endpoint, body) from error
    if not isinstance(value, dict):
        raise no_answer(endpoint, "the body is no object")
    if (fault := endpoint.inner_fault(value, body)) is not None:
        raise fault
    return value


def no_answer(endpoint: Endpoint, why: str) -> BadResponse:
    """Return the error for a body whose fields are not those of an answer."""
    return BadResponse(f"{endpoint.url} answered without a usable completion: {why}", hint="check that it is a chat endpoint")


def no_json(endpoint: Endpoint, body: bytes) -> BadResponse:
    """Return the error for a body that is no JSON."""
    start = endpoint.said(body[:400].decode("utf-8", "replace"), 80)
    return BadResponse(f"{endpoint.url} answered with {len(body)} bytes that are no JSON: {start!r}", hint="check `base_url`")


def went_on(endpoint: Endpoint) -> BadResponse:
    """Return the error for a stream that brings more of an answer after it has said why the answer stopped."""
    return BadResponse(f"{endpoint.url} streamed more after the end of the answer", hint="what it says about the end cannot be trusted")


def json_event(reading: Reading, data: bytes) -> dict[str, Any]:
    """Return the object that a streamed event holds; one that holds nothing is empty, and so is one that the answer can do without.

    Raises:
        ClientError: it is none, or an error.
    """
    if data.strip() in {b"", b"null"}:
        return {}
    endpoint = reading.endpoint
    try:
        value = loads(data)
    except ValueError as error:
        fault = no_json(endpoint, data)
        if reading.garbled(fault):
            return {}
        raise fault from error
    if not isinstance(value, dict):
        fault = BadResponse(f"{endpoint.url} streamed something else than JSON objects", hint="check that it is a chat endpoint")
        if reading.garbled(fault):
            return {}
        raise fault
    if (inner := endpoint.inner_fault(value, data, begun=reading.begun)) is not None:
        raise inner
    return value


def cut(reading: Reading, why: str, *, seconds: float) -> ClientError:
    """Return the error for a stream that ended before its end, with what had come of the answer."""
    return StreamCut(
        f"the stream from {reading.endpoint.where} {why} after {reading.n_chars} characters", hint="the request may have been billed",
        partial=reading.partial(seconds=seconds),
    )  # fmt: skip
