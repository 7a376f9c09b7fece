"""What went wrong, in the words of the dialect that was spoken.

    error_body("/v1/messages", Fault(404, "not_found", "...")) -> {"type": "error", "error": {"type": "not_found_error", ...}}

Knows both shapes and which status stands for which fault of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from reasoner.errors import BudgetExhausted, ContextTooLong, DataError, RateLimited, ReasonerError, TimedOut, UnknownName, UsageError
from reasoner.text import clean, shorten

Kind = Literal[
    "invalid_request", "authentication", "permission", "not_found", "too_large", "rate_limit", "conflict", "upstream", "overloaded"
]

_ANTHROPIC: dict[Kind, str] = {
    "invalid_request": "invalid_request_error",
    "authentication": "authentication_error",
    "permission": "permission_error",
    "not_found": "not_found_error",
    "too_large": "request_too_large",
    "rate_limit": "rate_limit_error",
    "conflict": "invalid_request_error",
    "upstream": "api_error",
    "overloaded": "overloaded_error",
}
_OPENAI: dict[Kind, str] = {"rate_limit": "rate_limit_error", "upstream": "server_error", "overloaded": "server_error"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One error answer."""

    status: int
    kind: Kind
    message: str
    code: str | None = None
    param: str | None = None


class Refused(Exception):
    """A request cannot be served; carries what is answered."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> Refused:
    """Return the refusal of a request that asks for what cannot be."""
    return Refused(Fault(400, "invalid_request", message, code=code, param=param))


def error_body(path: str, fault: Fault) -> dict[str, Any]:
    """Return the JSON of an error."""
    message = shorten(clean(fault.message), 2000)
    if path.startswith("/v1/messages"):
        return {"type": "error", "error": {"type": _ANTHROPIC[fault.kind], "message": message}}
    kind = _OPENAI.get(fault.kind, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": fault.param, "code": fault.code}}


def fault_of(error: ReasonerError) -> Fault:
    """Say whose fault an error is, as a status."""
    return fault_named(type(error), str(error))


_BY_KIND: list[tuple[type[ReasonerError], int, Kind, str]] = [
    (UnknownName, 404, "not_found", "model_not_found"),
    (UsageError, 400, "invalid_request", "bad_request"),
    (DataError, 400, "invalid_request", "bad_request"),
    (ContextTooLong, 400, "invalid_request", "context_length_exceeded"),
    (BudgetExhausted, 400, "invalid_request", "budget_exhausted"),
    (RateLimited, 429, "rate_limit", "rate_limit_exceeded"),
    (TimedOut, 504, "upstream", "timeout"),
]


def fault_named(kind: type[ReasonerError], message: str) -> Fault:
    """Return the answer for a kind of error."""
    for known, status, name, code in _BY_KIND:
        if issubclass(kind, known):
            return Fault(status, name, message, code=code)
    return Fault(502, "upstream", message, code="model_failed")
