"""The wire format of an OpenAI-compatible endpoint: writing requests, reading answers whole or streamed.

Knows bytes and fields. Does not open connections, read settings or wait; `remote` does. Whose fault a status is, `endpoint` knows.

    {"model": "m", "messages": [...], "seed": 7}
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.clients._wire import thinking
from reasoner.clients._wire.dialect import (
    Reading,
    extra_body,
    json_event,
    merged,
    messages_of,
    no_answer,
    read_reply,
    schema_of,
    sent,
    went_on,
)
from reasoner.clients._wire.openai_turns import (
    FORM,
    CallPieces,
    joined_details,
    read_content,
    read_message,
    read_thought,
    tool_fields,
    turn,
)
from reasoner.clients._wire.said import Counts, Said, completion_of, count, mapping, objects, words
from reasoner.token_record import is_logprob
from reasoner.types import Completion, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile
    from reasoner.clients._wire.sse import Event

MAX_SEED = 2**31
"""Seeds are sent modulo this: some servers hold them in 32 bits, and JSON numbers lose digits above 2**53."""

_NEUTRAL = {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}
"""Not in the official interface, but in that of most other servers: not sent where they would change nothing."""


class OpenAIDialect:
    """`POST {base_url}/chat/completions`."""

    def headers(self, key: str) -> dict[str, str]:
        """Return the header that carries the key; none where there is no key."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def body(self, request: Request, *, model: str, profile: Profile, stream: bool) -> dict[str, Any]:
        """Return the body of a request: what is set, and a seed.

        Raises:
            BadConfig: it holds what this model cannot be asked for.
        """
        sampling = sent(request.sampling, profile, bounded=False)
        body: dict[str, Any] = {"model": model, "messages": [turn(message, profile) for message in messages_of(request, profile)]}
        if sampling.max_tokens is not None:
            body[profile.max_tokens] = sampling.max_tokens
        if profile.seed:
            body["seed"] = request.seed % MAX_SEED
        for name in ("temperature", "top_p", "top_k", "min_p", "repeat_penalty"):
            value = getattr(sampling, name)
            if value is not None and value != _NEUTRAL.get(name):
                body[name] = value
        if sampling.logprobs or sampling.tokens:
            body["logprobs"] = True
        if sampling.tokens:
            body["return_token_ids"] = True
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if profile.reasoning_effort:
            body["reasoning_effort"] = profile.reasoning_effort
        body |= thinking.fields(sampling.thinking, profile, max_tokens=sampling.max_tokens)
        if stream:
            body |= {"stream": True} | ({"stream_options": {"include_usage": True}} if profile.stream_usage else {})
        body |= tool_fields(request)
        told = json.loads(request.constraint.told) if request.constraint is not None and request.constraint.told else {}
        body |= _schema_fields(schema_of(request, profile), profile, told)
        return merged(body, extra_body(sampling.extra_body))

    def completion(self, endpoint: Endpoint, request: Request, body: bytes, *, seconds: float, profile: Profile) -> Completion:
        """Read a success body.

        Raises:
            BadResponse: it is not one whole chat completion.
            ClientError: it says itself what is wrong (no quota left, too many requests).
        """
        reply = read_reply(endpoint, body)
        choices = reply.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise no_answer(endpoint, "it has no choice with a message")
        said = read_message(endpoint, choice["message"])
        said.finish = words(choice.get("finish_reason")) or None
        said.counts = read_usage(reply.get("usage"))
        said.model = words(reply.get("model"))
        wanted = request.sampling
        said.tokens = read_tokens(choice.get("logprobs")) if wanted.logprobs or wanted.tokens else []
        if wanted.tokens:
            said.prompt_ids, said.token_ids = listed(reply.get("prompt_token_ids")), listed(choice.get("token_ids"))
        return completion_of(endpoint, request, profile, said, form=FORM, seconds=seconds)

    def reading(self, endpoint: Endpoint, request: Request, *, profile: Profile) -> OpenAIReading:
        """Begin to read a streamed answer."""
        return OpenAIReading(endpoint, request, profile)


def _schema_fields(schema: Any, profile: Profile, told: Mapping[str, Any]) -> dict[str, Any]:
    if schema is None or profile.schema_by == "prompt":
        return {}
    if profile.schema_by == "json_object":
        return {"response_format": {"type": "json_object", "schema": schema}}
    if told.get("type") == "json_object":
        return {"response_format": told}
    if profile.schema_by == "tool":
        function = {"name": "answer", "parameters": schema}
        return {
            "tools": [{"type": "function", "function": function}],
            "tool_choice": {"type": "function", "function": {"name": "answer"}},
        }
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", **(told or {"strict": True}), "schema": schema}}}


class OpenAIReading(Reading):
    """One streamed answer: the deltas of choice 0, its finish_reason, the usage at the end, and `[DONE]`."""

    form = FORM

    def __init__(self, endpoint: Endpoint, request: Request, profile: Profile) -> None:
        super().__init__(endpoint, request, profile)
        self._calls = CallPieces()
        self._details: list[dict[str, Any]] = []
        self._tokens: list[tuple[str, float]] = []
        self._prompt_ids: list[Any] = []
        self._token_ids: list[Any] = []
        self._counts = Counts()
        self._model = ""
        self._refused = False
        self._thought_by = ""

    @property
    def begun(self) -> bool:
        """Whether anything of an answer has come."""
        return super().begun or bool(self._details or self._calls.calls())

    def take(self, event: Event) -> None:
        """Take one event.

        Raises:
            ClientError: it is no part of a chat completion, or reports a fault.
        """
        if event.data.strip() == b"[DONE]":
            self.done = True
            return
        value = json_event(self, event.data)
        if isinstance(value.get("usage"), dict):
            self._counts = read_usage(value["usage"])
        self._model = words(value.get("model")) or self._model
        self._prompt_ids = self._prompt_ids or listed(value.get("prompt_token_ids"))
        for choice in objects(value.get("choices")):
            if not count(choice.get("index", 0)):  # one that cannot be read is taken for the first
                self._add(choice, mapping(choice.get("delta")) or mapping(choice.get("message")))

    def _add(self, choice: dict[str, Any], delta: dict[str, Any]) -> None:
        text, inside, is_refused = read_content(self.endpoint, delta.get("content"))
        name, thought = ("content", inside) if inside else read_thought(delta)
        if thought:
            self._thought_by = self._thought_by or name
            thought = thought if name == self._thought_by else ""  # the same once more, under another name
        called = self._calls.add(delta.get("tool_calls"))
        if self.finish is not None and (text or thought or called):
            raise went_on(self.endpoint)
        self.texts += [text] if text else []
        self.thoughts += [thought] if thought else []
        self._details += objects(delta.get("reasoning_details"))
        self._refused = self._refused or is_refused or bool(words(delta.get("refusal")))
        self.finish = words(choice.get("finish_reason")) or self.finish
        if self.request.sampling.logprobs or self.request.sampling.tokens:
            self._tokens += read_tokens(choice.get("logprobs"))
        self._token_ids += listed(choice.get("token_ids"))

    def said(self) -> Said:
        """Return what has come."""
        return Said(
            text="".join(self.texts), reasoning="".join(self.thoughts), tool_calls=self._calls.calls(), opaque=joined_details(self._details),
            refused=self._refused, counts=self._counts, model=self._model, tokens=self._tokens, prompt_ids=self._prompt_ids, token_ids=self._token_ids,
        )  # fmt: skip


def read_usage(value: Any) -> Counts:
    """Read the counts of an answer. What a total holds beyond its parts was thought, or was not told apart: it is completion."""
    usage = mapping(value)
    prompt, completion = count(usage.get("prompt_tokens")) or None, count(usage.get("completion_tokens"))
    total, cached = count(usage.get("total_tokens")), count(mapping(usage.get("prompt_tokens_details")).get("cached_tokens"))
    reasoning = count(mapping(usage.get("completion_tokens_details")).get("reasoning_tokens")) or count(usage.get("reasoning_tokens"))
    if prompt is not None and total is not None and total > prompt + (completion or 0):
        reasoning = reasoning or (total - prompt - completion if completion else None)
        completion = total - prompt
    elif prompt is None and total is not None and completion is not None and total > completion:
        prompt = total - completion
    if completion is not None and reasoning is not None and reasoning > completion:
        completion += reasoning  # counted apart
    return Counts(prompt, completion, cached if cached is not None else count(usage.get("prompt_cache_hit_tokens")), reasoning)


def listed(value: Any) -> list[Any]:
    """Read a list; anything else is an empty one."""
    return value if isinstance(value, list) else []


def read_tokens(logprobs: Any) -> list[tuple[str, float]]:
    """Return the tokens with their log-probabilities; none where the server sent none that can be read (some ignore the parameter)."""
    found = mapping(logprobs).get("content")
    if not isinstance(found, list):
        return []
    told = [(words(mapping(each).get("token")), mapping(each).get("logprob")) for each in found]
    tokens = [(token, float(value)) for token, value in told if is_logprob(value)]
    return tokens if len(tokens) == len(told) else []
