"""One model at one address, whatever its dialect: safe words, and whose fault an outcome is.

Knows statuses, headers, the shapes of error bodies and the key that must not show. Does not open connections, write requests or read
answers; `_remote`, `_openai_wire` and `_anthropic_wire` do.

    endpoint.fault(429, {"retry-after": "17"}, b"", schema=False)  -> RateLimited(retry_after_s=17.0)
    endpoint.fault(402, {}, b"", schema=False)                     -> QuotaExhausted
"""

from __future__ import annotations

import json
import re
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr
from pydantic_core import from_json

from reasoner.clients._wire.waits import asked_wait_s
from reasoner.errors import (
    BadResponse,
    ClientError,
    ConnectFailed,
    ContextTooLong,
    KeyRefused,
    QuotaExhausted,
    RateLimited,
    Refused,
    ServerFailed,
    TimedOut,
)
from reasoner.text import clean, shorten
from reasoner.types import canonical_json

MAX_BODY_BYTES = 8 * 1024 * 1024
MIN_SECRET_CHARS = 12
"""A shorter key is a dummy (`none`, `EMPTY`); only longer ones are taken out of a model's own text."""

_NO_MONEY = {
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "budget_exceeded",
    "insufficient_balance",
    "contract_spend_limit_reached",
    "enforced_spend_limit_reached",
    "linked_organization_spend_limit_reached",
}
_NO_MONEY_WORDING = re.compile(
    r"insufficient[_ ](?:quota|balance|credit|funds)|exceeded your current quota|credit balance is too low|spend(?:ing)? limit"
    r"|api usage limits|billing hard limit|budget has been exceeded",
    re.IGNORECASE,
)
_CONTEXT_CODES = {"context_length_exceeded", "exceed_context_size_error", "request_too_large"}
_CONTEXT_WORDING = re.compile(
    r"context[ _-]?(?:length|window|size)|maximum context|too many tokens|prompt is too long|reduce the length"
    r"|max_(?:new|input)_tokens.{0,20}<=",
    re.IGNORECASE,
)
_WINDOW = re.compile(r"(?:maximum context length is|context (?:size|window)[^0-9]{0,20}|tokens >) ?(\d{1,9})", re.IGNORECASE)
_PROMPT = re.compile(r"\((\d{1,9}) in the messages|prompt (?:has|contains|is)[^0-9]{0,20}(\d{1,9})", re.IGNORECASE)
_LOADING = re.compile(r"\b(?:loading|load the model|warming|starting|initiali[sz]ing|not ready)", re.IGNORECASE)
# What an error that comes inside a success is called, and the status it would have had.
_STATUS_OF = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "authentication_error": 401,
    "permission_error": 403,
    "invalid_api_key": 401,
    "billing_error": 402,
    "timeout_error": 504,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model at one address, with the key that opens it. Its methods are pure but for the date in `Retry-After`."""

    model: str
    base_url: str
    host: str
    key: SecretStr
    key_env: str
    path: str = "/chat/completions"

    @property
    def url(self) -> str:
        return f"{self.base_url}{self.path}"

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

    def redacted(self, text: str) -> str:
        """Take the key out of a model's own text; a dummy key is no secret, and must not spoil it."""
        key = self.key.get_secret_value()
        return text.replace(key, "[redacted]") if len(key) >= MIN_SECRET_CHARS else text

    def fault(self, status: int, headers: Mapping[str, str], body: bytes, *, schema: bool) -> ClientError:
        """Return the error that a status other than 200 stands for. `schema` says whether the request held one."""
        code, message, named = error_of(body)
        words = self.said(message) or "no reason given"
        says = f"{self.url} answered {status}: {words}"
        if _is_money(status, code, message):
            return QuotaExhausted(
                f"{self.url}: the account has no quota left ({status}): {self.said(message)}", hint=f"check the account of {self.key_env}"
            )
        if status in {401, 403}:
            return KeyRefused(says, hint=self._refusal_hint(status))
        if status == 413 or code in _CONTEXT_CODES or (status in {400, 422} and _CONTEXT_WORDING.search(message)):
            return self._too_long(says, message, named)
        if schema and status in {400, 422, 500} and re.search(r"json_schema|response_format|output_config|tool_choice", message):
            return Refused(says, hint=f"the server at {self.where} takes no JSON schema; ask without one, or with `profile` schema=prompt")
        wait = asked_wait_s(headers, now=time.time())
        asks = f" (asks to wait {wait:g} s)" if wait is not None else ""
        if status == 429:
            return RateLimited(says + asks, hint="lower `concurrency` or wait", retry_after_s=wait)
        if status == 408:
            return TimedOut(says, hint="the server gave up waiting; try again")
        if status == 503 and wait is None and _LOADING.search(message):
            return ServerFailed(says, hint="it still reads its model; wait for it", loading=True)
        if status in {409, 425} or status >= 500:
            return ServerFailed(
                says + asks, hint="the fault is the server's; try again later", retry_after_s=wait, overload=status in {503, 529}
            )
        return Refused(says, hint=self._refusal_hint(status))

    def inner_fault(self, value: Mapping[str, Any], body: bytes, *, begun: bool = False) -> ClientError | None:
        """Return the error that a success holds in its body, or None. One with a name or a code of its own is what it would be as a status.

        `begun` says that a part of the answer had come before it.
        """
        if not value.get("error"):
            return None
        code, message, _ = error_of(body)
        status = _STATUS_OF.get(code, 0)
        if code in _CONTEXT_CODES and not begun:
            status = 413
        if status or _is_money(200, code, message):
            return self.fault(status or 402, {}, body, schema=False)
        return BadResponse(
            f"{self.url} answered with success and an error: {self.said(message)}", hint="the server reports its own failure"
        )

    def stream_fault(self, value: Mapping[str, Any], *, begun: bool) -> ClientError:
        """Return the error that an event of a stream reports."""
        body = json.dumps(value).encode()  # which writes Infinity as it came
        return self.inner_fault(value, body, begun=begun) or BadResponse(
            f"{self.url} ended the stream with an error", hint="the server reports its own failure"
        )

    def _refusal_hint(self, status: int) -> str:
        if status in {401, 403}:
            state = f"check the key in {self.key_env}" if self.key.get_secret_value() else f"set the variable {self.key_env} to a key"
            return f"{state}; it must be valid for {self.where}"
        if status == 404:
            return f"check the model name {self.model!r} and `base_url` (it ends with the version part, such as /v1)"
        if status < 400:
            return "redirects are not followed, since they could carry the key elsewhere; set `base_url` to the final address"
        return "the request itself is not accepted; asking again will not help"

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
            return ConnectFailed(f"cannot connect to {self.where}: {reason}", hint="check `base_url` and that the server is running")
        if isinstance(error, httpx.TimeoutException):
            return TimedOut(f"{self.url} stopped answering: {reason}", hint="raise `timeout` or try again")
        return ServerFailed(f"the connection to {self.where} broke off: {reason}", hint="the request may have been processed; try again")


def _is_money(status: int, code: str, message: str) -> bool:
    """Tell whether an error is about quota or money. Where a body is no JSON, only its statuses' own meaning counts."""
    return status == 402 or code in _NO_MONEY or (status in {400, 403, 429} and _NO_MONEY_WORDING.search(message) is not None)


def _int_or_none(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def error_of(body: bytes) -> tuple[str, str, dict[str, Any]]:
    """Return code (or type), message and fields of an error body, in any of the shapes servers use."""
    try:
        value = from_json(body, allow_inf_nan=False)
    except ValueError:
        return "", body[:6000].decode("utf-8", "replace"), {}
    if isinstance(value, dict):
        value = value.get("error") or value.get("detail") or value.get("message") or value
    if not isinstance(value, dict):
        return "", value if isinstance(value, str) else canonical_json(value)[:6000], {}
    details = value.get("details")
    codes = [value.get("code"), details.get("error_code") if isinstance(details, dict) else None, value.get("type")]
    known = _NO_MONEY | _CONTEXT_CODES | _STATUS_OF.keys()
    code = next((c for c in codes if isinstance(c, str) and c in known), "")
    message = value.get("message")
    return code, message if isinstance(message, str) and message else canonical_json(value)[:6000], value
