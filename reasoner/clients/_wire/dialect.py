"""What both dialects do alike: counts, constraints in words, roles, the face of a dialect, and what is left of a cut stream.

Knows values. `_openai_wire` and `_anthropic_wire` know the two formats.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError
from pydantic_core import from_json

from reasoner.errors import BadConfig, BadResponse, ClientError, StreamCut
from reasoner.prompts import Prompts
from reasoner.types import Completion, ConstraintApplied, Message, Request, Usage, canonical_json

if TYPE_CHECKING:
    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile
    from reasoner.clients._wire.sse import Event

BYTES_A_TOKEN = 4
"""What an estimate takes a token for, where a stream was cut before the server had counted."""
SCHEMA_TEMPLATE = "clients/schema"

Count = Annotated[StrictInt, Field(ge=0, le=10**12)]


class Wire(BaseModel):
    """A part of an answer. Inputs stay out of validation messages: they are a server's text, and could echo the key."""

    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


W = TypeVar("W", bound=Wire)


class Reading(Protocol):
    """A streamed answer as it comes in."""

    @property
    def whole(self) -> bool:
        """Whether the answer has come to its proper end."""

    @property
    def ended(self) -> bool:
        """Whether the server has said that nothing more comes, whatever is missing."""

    @property
    def text(self) -> str:
        """What has come of it."""

    def take(self, event: Event) -> None:
        """Take one event.

        Raises:
            ClientError: the event is no part of an answer, or reports a fault.
        """

    def closed(self) -> None:
        """Hear that the response has come to an orderly end."""

    def completion(self, *, seconds: float) -> Completion:
        """Return the answer, once it is whole."""

    def usage(self) -> Usage:
        """Return the usage as far as the server has told it."""


class Dialect(Protocol):
    """One way of writing requests and reading answers."""

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that carry the key and the version of the interface."""

    def body(self, request: Request, *, model: str, profile: Profile, stream: bool) -> bytes:
        """Write the JSON body of a request."""

    def completion(self, endpoint: Endpoint, request: Request, body: bytes, *, seconds: float, profile: Profile) -> Completion:
        """Read a whole answer."""

    def reading(self, endpoint: Endpoint, request: Request, *, profile: Profile) -> Reading:
        """Begin to read a streamed answer."""


def json_bytes(body: dict[str, Any]) -> bytes:
    """Write a request's body; raises `BadConfig` for a number that JSON cannot carry."""
    try:
        return canonical_json(body).encode("ascii")
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"the request cannot be written as JSON: {error}", hint="check the schema and the sampling numbers") from error


def schema_of(request: Request, profile: Profile) -> Any:
    """Return the JSON schema of a request, None where it has none.

    Raises:
        BadConfig: it holds a grammar, a schema that is no JSON, or one that this model cannot be asked for.
    """
    if request.constraint is None:
        return None
    if request.constraint.kind == "grammar":
        raise BadConfig("a grammar cannot be sent to a remote model", hint="use a JSON schema, or a local model")
    if profile.schema_by == "none":
        raise BadConfig(
            "the profile of this model says that it takes no JSON schema", hint="ask without one, or with --profile schema=prompt"
        )
    try:
        return json.loads(request.constraint.value)
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"the request cannot be written as JSON: {error}", hint="check the schema and the sampling numbers") from error


def messages_of(request: Request, profile: Profile) -> list[Message]:
    """Return the messages to be sent: with the schema in words where the profile says so, and instructions in the role it wants."""
    messages = list(request.messages)
    if request.constraint is not None and profile.schema_by == "prompt":
        words = Prompts().get(SCHEMA_TEMPLATE).render_text({"schema": request.constraint.value})
        at = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].role == "user"), None)
        if at is None:
            messages.append(Message("user", words))
        else:
            messages[at] = Message("user", f"{messages[at].content}\n\n{words}")
    if profile.system == "user":
        instructions = "\n\n".join(m.content for m in messages if m.role == "system")
        messages = [m for m in messages if m.role != "system"]
        if instructions:
            at = next((i for i, m in enumerate(messages) if m.role == "user"), 0)
            first = f"\n\n{messages[at].content}" if messages and messages[at].role == "user" else ""
            messages[at : at + bool(first)] = [Message("user", instructions + first)]
    return messages


def applied(request: Request, text: str, profile: Profile, *, whole: bool) -> ConstraintApplied:
    """Tell whether the schema seems to have held: a server that ignores the parameter answers in prose."""
    if request.constraint is None:
        return "none"
    try:
        from_json(text, allow_partial=not whole)
    except ValueError:
        return "none"
    return "prompt" if profile.schema_by == "prompt" else "json_schema"


def read_reply(endpoint: Endpoint, body: bytes, shape: type[W]) -> W:
    """Read a success body.

    Raises:
        BadResponse: it is not one whole answer of that shape.
        ClientError: it says itself what is wrong (no quota left, too many requests).
    """
    try:
        value = from_json(body)
    except ValueError as error:
        raise no_json(endpoint, body) from error
    if isinstance(value, dict) and (fault := endpoint.inner_fault(value, body)) is not None:
        raise fault
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise bad_fields(endpoint, error) from error


def bad_fields(endpoint: Endpoint, error: ValidationError) -> BadResponse:
    """Return the error for a body whose fields are not those of an answer."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = endpoint.said(".".join(map(str, first["loc"])) or "body", 80)
    return BadResponse(
        f"{endpoint.url} answered without a usable completion: {field}: {first['msg']}", hint="check that it is a chat endpoint"
    )


def no_json(endpoint: Endpoint, body: bytes) -> BadResponse:
    """Return the error for a body that is no JSON."""
    start = endpoint.said(body[:400].decode("utf-8", "replace"), 80)
    return BadResponse(f"{endpoint.url} answered with {len(body)} bytes that are no JSON: {start!r}", hint="check --base-url")


def went_on(endpoint: Endpoint) -> BadResponse:
    """Return the error for a stream that brings more of an answer after it has said why the answer stopped."""
    return BadResponse(f"{endpoint.url} streamed more after the end of the answer", hint="what it says about the end cannot be trusted")


def json_event(endpoint: Endpoint, data: bytes, *, begun: bool) -> dict[str, Any]:
    """Return the object that a streamed event holds.

    Raises:
        ClientError: it is none, or an error.
    """
    try:
        value = from_json(data)
    except ValueError as error:
        raise no_json(endpoint, data) from error
    if not isinstance(value, dict):
        raise BadResponse(f"{endpoint.url} streamed something else than JSON objects", hint="check that it is a chat endpoint")
    if (fault := endpoint.inner_fault(value, data, begun=begun)) is not None:
        raise fault
    return value


def cut(endpoint: Endpoint, request: Request, reading: Reading, why: str, *, seconds: float) -> ClientError:
    """Return the error for a stream that ended before its end, with what had come of the answer.

    Counts that the server had not told are estimated: the prompt's and the text's bytes by `BYTES_A_TOKEN`.
    """
    text, told = endpoint.redacted(reading.text), reading.usage()
    sent = sum(len(m.content.encode("utf-8", "surrogatepass")) for m in request.messages)
    usage = Usage(
        told.prompt_tokens or -(-sent // BYTES_A_TOKEN),
        max(told.completion_tokens, -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_A_TOKEN)),
        told.cached_tokens,
    )
    partial = Completion(text, finish_reason="truncated", usage=usage, model=endpoint.model, seconds=seconds)
    return StreamCut(
        f"the stream from {endpoint.where} {why} after {len(text)} characters", hint="the request may have been billed", partial=partial
    )
