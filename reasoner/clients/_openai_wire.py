"""The wire format of an OpenAI-compatible endpoint: writing requests, reading answers, telling whose fault an outcome is.

Knows bytes, headers and statuses. Does not open connections, read settings or wait; `reasoner.clients.openai` does.

    endpoint.fault(429, {"retry-after": "17"}, b"", schema=False)  -> RateLimited(retry_after_s=17.0)
"""

from __future__ import annotations

import json
import math
import re
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, SecretStr, StrictInt, StrictStr, ValidationError
from pydantic_core import from_json

from reasoner.errors import (
    BadConfig,
    BadResponse,
    ClientError,
    ConnectFailed,
    ContextTooLong,
    RateLimited,
    Refused,
    ServerFailed,
    TimedOut,
)
from reasoner.text import clean, shorten
from reasoner.types import Completion, ConstraintApplied, FinishReason, Request, Usage, canonical_json

MAX_BODY_BYTES = 8 * 1024 * 1024
MAX_SEED = 2**31
"""Seeds are sent modulo this: some servers hold them in 32 bits, and JSON numbers lose digits above 2**53."""
MIN_SECRET_CHARS = 12
"""A shorter key is a dummy (`none`, `EMPTY`); only longer ones are taken out of a model's own text."""

_FINISH: dict[str | None, FinishReason] = {"stop": "stop", "length": "length", "content_filter": "content_filter"}
_NO_MONEY = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance"}
_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error"}
_CONTEXT_WORDING = re.compile(
    r"context[ _-]?(?:length|window|size)|maximum context|too many tokens|prompt is too long|reduce the length"
    r"|max_(?:new|input)_tokens.{0,20}<=",
    re.IGNORECASE,
)
_WINDOW = re.compile(r"(?:maximum context length is|context (?:size|window)[^0-9]{0,20}) ?(\d{1,9})", re.IGNORECASE)
_PROMPT = re.compile(r"\((\d{1,9}) in the messages|prompt (?:has|contains|is)[^0-9]{0,20}(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Profile:
    """How a family of models wants its request written: capability is data."""

    max_tokens_name: str = "max_tokens"
    sends_sampling: bool = True
    """False where the server refuses any temperature but its own."""


_REASONING_MODEL = re.compile(r"(?:o\d|gpt-5)(?:\b|-|$)")


def profile_for(model: str, host: str) -> Profile:
    """Return the profile of a model; only the official host is known to tell its models apart by name."""
    if host == "api.openai.com":
        return Profile("max_completion_tokens", sends_sampling=_REASONING_MODEL.match(model) is None)
    return Profile()


def request_body(request: Request, *, model: str, profile: Profile) -> bytes:
    """Write the JSON body of a request.

    Raises:
        BadConfig: it holds a grammar (there is no such parameter), a schema that is not JSON, or a number JSON cannot carry.
    """
    sampling = request.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        profile.max_tokens_name: sampling.max_tokens,
        "seed": request.seed % MAX_SEED,
    }
    if profile.sends_sampling:
        body |= {"temperature": sampling.temperature, "top_p": sampling.top_p}
    if sampling.logprobs:
        body["logprobs"] = True
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    # Not in the official interface, but in that of most other servers: sent only when asked for.
    extra = {"top_k": (sampling.top_k, 0), "min_p": (sampling.min_p, 0.0), "repeat_penalty": (sampling.repeat_penalty, 1.0)}
    body |= {name: value for name, (value, default) in extra.items() if value != default}
    try:
        if request.constraint is not None:
            if request.constraint.kind == "grammar":
                raise BadConfig("a grammar cannot be sent to a remote model", hint="use a JSON schema, or a local model")
            schema = {"name": "answer", "schema": json.loads(request.constraint.value), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return canonical_json(body).encode("ascii")
    except (ValueError, RecursionError) as error:
        raise BadConfig(f"the request cannot be written as JSON: {error}", hint="check the schema and the sampling numbers") from error


_Count = Annotated[StrictInt, Field(ge=0, le=10**12)]


class _Wire(BaseModel):
    # Inputs stay out of validation messages: they are a server's text, and could echo the key.
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)


class _Message(_Wire):
    content: StrictStr | None = None
    refusal: StrictStr | None = None


class _Token(_Wire):
    logprob: FiniteFloat


class _Logprobs(_Wire):
    content: list[_Token]


class _Choice(_Wire):
    message: _Message
    logprobs: Any = None  # read only where it was asked for: what nobody reads can be no fault
    finish_reason: StrictStr | None = None


class _PromptDetails(_Wire):
    cached_tokens: _Count | None = None


class _Usage(_Wire):
    prompt_tokens: _Count = 0
    completion_tokens: _Count = 0
    prompt_tokens_details: _PromptDetails | None = None


class _Reply(_Wire):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None
    model: StrictStr | None = None


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return how many seconds the server asks to wait: `retry-after-ms`, else `Retry-After` (seconds or an HTTP date).

    None when it does not say, or says NaN, infinity, a negative number or a past date. `now` is the Unix time.
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()[:100]
        try:
            seconds = float(text) * unit
        except ValueError:
            seconds = _http_date(text) - now if name == "retry-after" else math.nan
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _http_date(text: str) -> float:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model at one address, with the key that opens it. Its methods are pure but for the date in `Retry-After`."""

    model: str
    base_url: str
    host: str
    key: SecretStr
    key_env: str

    @property
    def url(self) -> str:
        return f"{self.base_url}/chat/completions"

    @property
    def where(self) -> str:
        url = httpx.URL(self.base_url)
        port = url.port or (443 if url.scheme == "https" else 80)
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"

    def said(self, text: str, n_chars: int = 300) -> str:
        """Make a server's words safe to show: no control characters, no key, one short line."""
        key = self.key.get_secret_value()
        words = clean(text[: 20 * n_chars])
        return shorten(words.replace(key, "[redacted]") if key else words, n_chars)

    def holds_key(self, error: BaseException) -> bool:
        """Tell whether printing an error with its causes would show the key."""
        key = self.key.get_secret_value()
        return bool(key) and key in "".join(traceback.format_exception(error))

    def completion(self, request: Request, body: bytes, *, seconds: float) -> Completion:
        """Read a success body.

        Raises:
            BadResponse: it is not one whole chat completion.
            Refused: it says that the account has no money left.
        """
        try:
            value = from_json(body)
        except ValueError as error:
            start = self.said(body[:400].decode("utf-8", "replace"), 80)
            raise BadResponse(f"{self.url} answered with {len(body)} bytes that are no JSON: {start!r}", hint="check --base-url") from error
        if isinstance(value, dict) and value.get("error"):
            code, message, _ = _error_of(body)
            if code in _NO_MONEY:
                raise self._no_money(message)
            raise BadResponse(
                f"{self.url} answered with success and an error: {self.said(message)}", hint="the server reports its own failure"
            )
        try:
            reply = _Reply.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            field = self.said(".".join(map(str, first["loc"])) or "body", 80)
            raise BadResponse(
                f"{self.url} answered without a usable completion: {field}: {first['msg']}", hint="check that it is a chat endpoint"
            ) from error
        choice = reply.choices[0]
        finish = "content_filter" if choice.message.refusal else _FINISH.get(choice.finish_reason, "truncated")
        text = choice.message.content
        if text is None and finish not in {"length", "content_filter"}:
            raise BadResponse(
                f"{self.url} answered without content (finish_reason {self.said(str(choice.finish_reason), 40)})",
                hint="the model may have called a tool instead of answering",
            )
        key = self.key.get_secret_value()
        text = (text or "").replace(key, "[redacted]") if len(key) >= MIN_SECRET_CHARS else text or ""
        return Completion(
            text=text,
            finish_reason=finish,
            usage=_usage(reply.usage or _Usage()),
            model=self.said(reply.model or "", 200) or self.model,
            constraint_applied=_applied(request, text, whole=finish == "stop"),
            seconds=seconds,
            mean_logprob=_mean_logprob(choice) if request.sampling.logprobs else None,
        )

    def fault(self, status: int, headers: Mapping[str, str], body: bytes, *, schema: bool) -> ClientError:
        """Return the error that a status other than 200 stands for. `schema` says whether the request held one."""
        code, message, named = _error_of(body)
        words = self.said(message) or "no reason given"
        says = f"{self.url} answered {status}: {words}"
        wait = retry_after_s(headers, now=time.time())
        asks = f" (asks to wait {wait:g} s)" if wait is not None else ""
        if status in {402, 429} and (code in _NO_MONEY or status == 402 or "insufficient_quota" in message):
            return self._no_money(message)
        if status == 413 or code in _CONTEXT_CODES or (status in {400, 422} and _CONTEXT_WORDING.search(message)):
            return self._too_long(says, message, named)
        if schema and status in {400, 422, 500} and re.search(r"json_schema|response_format", message):
            return Refused(says, hint=f"the server at {self.where} takes no JSON schema; ask without one")
        if status == 429:
            return RateLimited(says + asks, hint="lower --concurrency or wait", retry_after_s=wait)
        if status == 408:
            return TimedOut(says, hint="the server gave up waiting; try again")
        if status in {409, 425} or status >= 500:
            return ServerFailed(says + asks, hint="the fault is the server's; try again later", retry_after_s=wait)
        return Refused(says, hint=self._refusal_hint(status))

    def _refusal_hint(self, status: int) -> str:
        if status in {401, 403}:
            state = f"check the key in {self.key_env}" if self.key.get_secret_value() else f"set the variable {self.key_env} to a key"
            return f"{state}; it must be valid for {self.where}"
        if status == 404:
            return f"check the model name {self.model!r} and --base-url (it ends with the version part, such as /v1)"
        if status < 400:
            return "redirects are not followed, since they could carry the key elsewhere; set --base-url to the final address"
        return "the request itself is not accepted; asking again will not help"

    def _no_money(self, message: str) -> Refused:
        return Refused(f"{self.url}: the account has no quota left: {self.said(message)}", hint=f"check the account of {self.key_env}")

    def _too_long(self, says: str, message: str, named: Mapping[str, Any]) -> ContextTooLong:
        window, prompt = _WINDOW.search(message), _PROMPT.search(message)
        prompt_tokens = int(next(g for g in prompt.groups() if g)) if prompt else _int_or_none(named.get("n_prompt_tokens"))
        context_tokens = int(window.group(1)) if window else _int_or_none(named.get("n_ctx"))
        hint = "shorten the prompt, lower max_tokens, or use a model with a longer context"
        return ContextTooLong(says, hint=hint, prompt_tokens=prompt_tokens, context_tokens=context_tokens)

    def broken(self, error: httpx.TransportError) -> ClientError:
        """Return the error that a failure of the connection stands for."""
        reason = self.said(str(error)) or type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError | httpx.UnsupportedProtocol):
            return ConnectFailed(f"cannot connect to {self.where}: {reason}", hint="check --base-url and that the server is running")
        if isinstance(error, httpx.TimeoutException):
            return TimedOut(f"{self.url} stopped answering: {reason}", hint="raise --timeout or try again")
        return ServerFailed(f"the connection to {self.where} broke off: {reason}", hint="the request may have been processed; try again")


def _mean_logprob(choice: _Choice) -> float | None:
    """Return the mean over the tokens of the answer; None where the server sent none that can be read (some ignore the parameter)."""
    try:
        tokens = _Logprobs.model_validate(choice.logprobs).content
    except ValidationError:
        return None
    return sum(token.logprob for token in tokens) / len(tokens) if tokens else None


def _usage(usage: _Usage) -> Usage:
    cached = (usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None) or 0
    return Usage(usage.prompt_tokens, usage.completion_tokens, min(cached, usage.prompt_tokens), None)


def _applied(request: Request, text: str, *, whole: bool) -> ConstraintApplied:
    """Tell whether the schema seems to have held: a server that ignores the parameter answers in prose."""
    if request.constraint is None:
        return "none"
    try:
        from_json(text, allow_partial=not whole)
    except ValueError:
        return "none"
    return "json_schema"


def _int_or_none(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _error_of(body: bytes) -> tuple[str, str, dict[str, Any]]:
    """Return code (or type), message and fields of an error body, in any of the shapes servers use."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        return "", body[:6000].decode("utf-8", "replace"), {}
    if isinstance(value, dict):
        value = value.get("error") or value.get("detail") or value.get("message") or value
    if not isinstance(value, dict):
        return "", value if isinstance(value, str) else canonical_json(value)[:6000], {}
    codes = [c for c in (value.get("code"), value.get("type")) if isinstance(c, str)]
    code = next((c for c in codes if c in _NO_MONEY | _CONTEXT_CODES), "")
    message = value.get("message")
    return code, message if isinstance(message, str) and message else canonical_json(value)[:6000], value
