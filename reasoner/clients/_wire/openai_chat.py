"""The wire format of an OpenAI-compatible endpoint: writing requests, reading answers whole or streamed.

Knows bytes and fields. Does not open connections, read settings or wait; `_remote` does. Whose fault a status is, `_endpoint` knows.

    {"model": "m", "messages": [...], "max_tokens": 64, "seed": 7, "temperature": 0.0, "top_p": 1.0}
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field, FiniteFloat, StrictStr, TypeAdapter, ValidationError

from reasoner.clients._wire.dialect import (
    Count,
    Wire,
    applied,
    bad_fields,
    json_bytes,
    json_event,
    messages_of,
    read_reply,
    schema_of,
    went_on,
)
from reasoner.errors import BadResponse
from reasoner.types import Completion, FinishReason, Request, Usage

if TYPE_CHECKING:
    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile
    from reasoner.clients._wire.sse import Event

MAX_SEED = 2**31
"""Seeds are sent modulo this: some servers hold them in 32 bits, and JSON numbers lose digits above 2**53."""

_FINISH: dict[str | None, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "content_filter"}


class OpenAIDialect:
    """`POST {base_url}/chat/completions`."""

    def headers(self, key: str) -> dict[str, str]:
        """Return the header that carries the key; none where there is no key."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, request: Request, *, model: str, profile: Profile, stream: bool) -> bytes:
        """Write the JSON body of a request.

        Raises:
            BadConfig: it holds what this model cannot be asked for, or a number JSON cannot carry.
        """
        sampling = request.sampling.numbers
        system = "developer" if profile.system == "developer" else "system"
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": system if m.role == "system" else m.role, "content": m.content} for m in messages_of(request, profile)],
            profile.max_tokens: sampling.max_tokens,
        }
        if profile.seed:
            body["seed"] = request.seed % MAX_SEED
        if profile.sampling:
            body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
        if request.sampling.logprobs and profile.logprobs:
            body["logprobs"] = True
        if request.sampling.stop:
            body["stop"] = list(request.sampling.stop)
        if profile.reasoning_effort:
            body["reasoning_effort"] = profile.reasoning_effort
        # Not in the official interface, but in that of most other servers: sent only when asked for.
        extra = {"top_k": (sampling.top_k, 0), "min_p": (sampling.min_p, 0.0), "repeat_penalty": (sampling.repeat_penalty, 1.0)}
        body |= {name: value for name, (value, default) in extra.items() if value != default}
        if stream:
            body |= {"stream": True} | ({"stream_options": {"include_usage": True}} if profile.stream_usage else {})
        body |= _schema_fields(schema_of(request, profile), profile)
        return json_bytes(body)

    def completion(self, endpoint: Endpoint, request: Request, body: bytes, *, seconds: float, profile: Profile) -> Completion:
        """Read a success body.

        Raises:
            BadResponse: it is not one whole chat completion.
            ClientError: it says itself what is wrong (no quota left, too many requests).
        """
        reply = read_reply(endpoint, body, _Reply)
        return _completion(endpoint, request, reply, profile, seconds=seconds)

    def reading(self, endpoint: Endpoint, request: Request, *, profile: Profile) -> OpenAIReading:
        """Begin to read a streamed answer."""
        return OpenAIReading(endpoint, request, profile)


def _schema_fields(schema: Any, profile: Profile) -> dict[str, Any]:
    if schema is None or profile.schema_by == "prompt":
        return {}
    if profile.schema_by == "json_object":
        return {"response_format": {"type": "json_object", "schema": schema}}
    if profile.schema_by == "tool":
        function = {"name": "answer", "parameters": schema}
        return {
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": "answer"}},
        }
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}}


class _Function(Wire):
    arguments: StrictStr = ""


class _Call(Wire):
    function: _Function = _Function()


class _Message(Wire):
    content: StrictStr | None = None
    refusal: StrictStr | None = None
    tool_calls: Any = None  # read only where a tool stands for the schema


_CALLS = TypeAdapter(list[_Call])


class _PartChoice(Wire):
    index: Count = 0
    delta: _Message | None = None
    logprobs: Any = None
    finish_reason: StrictStr | None = None


class _Part(Wire):
    choices: list[_PartChoice]


class _Token(Wire):
    logprob: FiniteFloat


class _Logprobs(Wire):
    content: list[_Token]


class _Choice(Wire):
    message: _Message
    logprobs: Any = None  # read only where it was asked for: what nobody reads can be no fault
    finish_reason: StrictStr | None = None


class _PromptDetails(Wire):
    cached_tokens: Count | None = None


class _Usage(Wire):
    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    prompt_tokens_details: _PromptDetails | None = None


class _Rest(Wire):
    usage: _Usage | None = None
    model: StrictStr | None = None


class _Reply(Wire):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None
    model: StrictStr | None = None


class OpenAIReading:
    """One streamed answer: the deltas of choice 0, its finish_reason, the usage at the end, and `[DONE]`."""

    def __init__(self, endpoint: Endpoint, request: Request, profile: Profile) -> None:
        self._endpoint = endpoint
        self._request = request
        self._profile = profile
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._tokens: list[_Token] = []
        self._finish: str | None = None
        self._usage: _Usage | None = None
        self._model = ""
        self._spoke = False
        self._done = False

    @property
    def whole(self) -> bool:
        """Whether finish_reason and the end have come."""
        return self._finish is not None and self._done

    @property
    def ended(self) -> bool:
        """Whether the end was announced."""
        return self._done

    @property
    def text(self) -> str:
        """What has come of the answer."""
        return "".join(self._texts)

    def take(self, event: Event) -> None:
        """Take one event.

        Raises:
            ClientError: it is no part of a chat completion, or reports a fault.
        """
        if event.data.strip() == b"[DONE]":
            self._done = True
            return
        value = json_event(self._endpoint, event.data, begun=bool(self._texts))
        try:
            rest, part = _Rest.model_validate(value), _Part.model_validate(value)
        except ValidationError as error:
            raise bad_fields(self._endpoint, error) from error
        self._usage = rest.usage or self._usage
        self._model = rest.model or self._model
        for choice in part.choices:
            if choice.index == 0:
                self._add(choice)

    def _add(self, choice: _PartChoice) -> None:
        delta = choice.delta or _Message()
        tool = _arguments(delta, self._request, self._profile)
        self._spoke = self._spoke or delta.content is not None or tool is not None
        pieces = [piece for piece in (delta.content, tool) if piece]
        if pieces and self._finish is not None:
            raise went_on(self._endpoint)
        self._texts += pieces
        self._refusals += [delta.refusal] if delta.refusal else []
        self._finish = choice.finish_reason or self._finish
        if self._request.sampling.logprobs:
            self._tokens += _tokens(choice.logprobs)

    def closed(self) -> None:
        """Hear that the response has come to an orderly end, which some servers have instead of `[DONE]`."""
        self._done = self._done or not self._profile.stream_done

    def completion(self, *, seconds: float) -> Completion:
        """Return the answer, once it is whole."""
        message = _Message(content=self.text if self._spoke else None, refusal="".join(self._refusals) or None)
        choice = _Choice(message=message, finish_reason=self._finish)
        reply = _Reply(choices=[choice], usage=self._usage, model=self._model or None)
        made = _completion(self._endpoint, self._request, reply, self._profile, seconds=seconds)
        return replace(made, mean_logprob=_mean(self._tokens))

    def usage(self) -> Usage:
        """Return the usage as far as the server has told it."""
        return _usage(self._usage or _Usage())


def _completion(endpoint: Endpoint, request: Request, reply: _Reply, profile: Profile, *, seconds: float) -> Completion:
    choice = reply.choices[0]
    text, finish_reason = choice.message.content, choice.finish_reason
    if profile.schema_by == "tool" and request.constraint is not None:
        text = _arguments(choice.message, request, profile) or text
        finish_reason = "stop" if finish_reason == "tool_calls" else finish_reason
    finish = "content_filter" if choice.message.refusal else _FINISH.get(finish_reason, "truncated")
    if text is None and finish not in {"length", "content_filter"}:
        raise BadResponse(
            f"{endpoint.url} answered without content (finish_reason {endpoint.said(str(choice.finish_reason), 40)})",
            hint="the model may have called a tool instead of answering",
        )
    text = endpoint.redacted(text or "")
    return Completion(
        text=text,
        finish_reason=finish,
        usage=_usage(reply.usage or _Usage()),
        model=endpoint.said(reply.model or "", 200) or endpoint.model,
        constraint_applied=applied(request, text, profile, whole=finish == "stop"),
        seconds=seconds,
        mean_logprob=_mean(_tokens(choice.logprobs)) if request.sampling.logprobs else None,
    )


def _arguments(message: _Message, request: Request, profile: Profile) -> str | None:
    """Return the arguments of the tool that stands for the schema; None where there is no such tool or it was not called."""
    if profile.schema_by != "tool" or request.constraint is None or not message.tool_calls:
        return None
    try:
        return "".join(call.function.arguments for call in _CALLS.validate_python(message.tool_calls))
    except ValidationError:
        return None


def _tokens(logprobs: Any) -> list[_Token]:
    """Return the tokens' log-probabilities; none where the server sent none that can be read (some ignore the parameter)."""
    try:
        return _Logprobs.model_validate(logprobs).content
    except ValidationError:
        return []


def _mean(tokens: list[_Token]) -> float | None:
    return sum(token.logprob for token in tokens) / len(tokens) if tokens else None


def _usage(usage: _Usage) -> Usage:
    cached = (usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None) or 0
    return Usage(usage.prompt_tokens, usage.completion_tokens, min(cached, usage.prompt_tokens), None)
