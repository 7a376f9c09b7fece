"""The error tree, drawn by whose fault it is.

```
ReasonerError                      retryable, hint, exit_code, stops_run (class attributes); cause always chained
├─ UsageError                      the caller
│  ├─ UnknownName                  no strategy, solver, client or format of that name (lists near names)
│  ├─ BrokenPlugin                 an installed package offers something that cannot be loaded
│  ├─ BadConfig                    a parameter or option has a value it cannot have
│  ├─ BadInstance                  a problem line does not follow the solver's syntax
│  ├─ BadTemplate                  a prompt file is missing a variable, is malformed, or does too much
│  ├─ MissingDependency            an extra is not installed (names the install line)
│  └─ SandboxMissing               what a model wrote would have to run without its sandbox, and does not (names what to install)
├─ ClientError                     the provider or the local engine
│  ├─ ConnectFailed*               nothing listens there; the request was certainly not processed
│  ├─ TimedOut*                    no answer in time; the request may have been processed
│  ├─ RateLimited*                 429; carries retry_after_s when the server named it
│  ├─ ServerFailed*                5xx and kin
│  ├─ StreamCut*                   a streamed answer that ended before its end; carries what had come
│  ├─ Refused                      the provider says no, and would say no again (404, 422, ...)
│  │  ├─ KeyRefused                401, 403: no further call is sent with that key
│  │  └─ QuotaExhausted            402, no quota, a spend limit: the run stops, and can be resumed
│  ├─ BadResponse*                 success status, senseless body
│  │  └─ UnreadableAnswer          an answer that was paid for, and whose text cannot be read: another would be no better
│  ├─ ContextTooLong               prompt and answer do not fit in the model's context (carries both numbers)
│  ├─ EngineLost                   the local engine died three times on the same request
│  └─ OutcomeUnknown               a call was under way when its process ended, and may have been billed (`on_unknown`)
├─ ModelOutputError                the model: strategies may recover
│  ├─ NoAnswerFound
│  └─ Unparseable
├─ ToolFailed                      a tool could not do what it was asked; the message goes back to the model as text
├─ WaitsForApproval                an action waits for a person; its trajectory is parked, and goes on once it is decided
├─ Abandoned                       whoever asked has gone; no call is begun, the run is parked and can be resumed
├─ BudgetExhausted                 not a bug: carries the best answer so far
│  └─ RunBudgetExhausted           it is the budget of the whole run that is used up
├─ DataError                       corpora, prompts, imports
│  ├─ MissingAsset
│  └─ CorruptRecord                file and line
└─ StoreError                      migrations, a locked or damaged database, a full disk
   ├─ TakenOver                    another process works on this by now; nothing more may be written to it
   └─ FileGone                     the file was removed or replaced while it was in use; says where its state is kept
```

`*` marks what may be asked again. A wrong answer is a `Verdict`, never an exception. Every message says what happened,
where, with which value, and what to do next; `hint` holds the last of these so that the CLI can print it on the same line.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError

    from reasoner.types import Answer, Completion

EXIT_WRONG = 1
EXIT_USAGE = 2
EXIT_PROVIDER = 3
EXIT_STORE = 4


class ReasonerError(Exception):
    """Anything this package raises on purpose."""

    retryable: ClassVar[bool] = False
    stops_run: bool = True
    """Whether a run of many problems must end: true where the next problem would meet the same fault."""
    exit_code: ClassVar[int] = EXIT_USAGE

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(ReasonerError):
    """The caller asked for something that cannot be."""


class UnknownName(UsageError):
    """No such strategy, solver, client or format.

    >>> str(UnknownName("solver", "gane24", ["game24", "number_path"]))
    "unknown solver 'gane24'; did you mean 'game24'?"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = "did you mean " + " or ".join(f"'{n}'" for n in near) + "?" if near else f"known: {', '.join(names)}"
        super().__init__(f"unknown {kind} {name[:80]!r}", hint=hint)
        self.near = near


class BrokenPlugin(UsageError):
    """An installed package offers a strategy, solver, client, format or prompts that cannot be loaded."""


class BadConfig(UsageError):
    """A parameter has a value it cannot have."""


def what_is_wrong(error: ValidationError) -> tuple[str, object, str]:
    """Return (field, value, what is wrong with it) of the first fault that pydantic found, in plain words.

    >>> from pydantic import TypeAdapter
    >>> try: TypeAdapter(int).validate_python("many")
    ... except ValueError as error: what_is_wrong(error)
    ('', 'many', 'it is not a whole number')
    """
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    words = _FAULTS.get(first["type"])
    if words is None:
        text = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        words = text[:1].lower() + text[1:].replace("{", "(").replace("}", ")")
    context = {name: value for name, value in first.get("ctx", {}).items() if name != "error"}
    return where, first["input"], words.format(**context) if context else words


_FAULTS = {
    "missing": "it is missing",
    "extra_forbidden": "there is no such field",
    "int_parsing": "it is not a whole number",
    "int_type": "it is not a whole number",
    "int_from_float": "it is not a whole number",
    "float_parsing": "it is no number",
    "float_type": "it is no number",
    "finite_number": "it is not a finite number",
    "bool_parsing": "it is neither true nor false",
    "bool_type": "it is neither true nor false",
    "string_type": "it is no text",
    "path_type": "it is no path",
    "list_type": "it is no list",
    "tuple_type": "it is no list",
    "dict_type": "it is not a table of names and values",
    "literal_error": "it is one of {expected}",
    "enum": "it is one of {expected}",
    "greater_than": "it is greater than {gt}",
    "greater_than_equal": "it is at least {ge}",
    "less_than": "it is less than {lt}",
    "less_than_equal": "it is at most {le}",
    "json_invalid": "it is no JSON: {error}",
}
"""Pydantic's kinds of faults, said as a rule about the value."""


class BadInstance(UsageError):
    """A problem line does not follow its solver's one-line syntax."""


class BadTemplate(UsageError):
    """A prompt template cannot be used."""


class MissingDependency(UsageError):
    """An optional part is not installed; the hint is the line that installs it."""

    def __init__(self, what: str, *, extra: str, install: str = "") -> None:
        """Name what is missing and the `extra` that brings it; `install` is the whole hint where none does."""
        super().__init__(f"{what} is not installed", hint=install or f"install it with: pip install 'reasoner-llm[{extra}]'")
        self.extra = extra


class SandboxMissing(UsageError):
    """This machine has no sandbox for what a model wrote, and it is run in nothing else; the hint says what to install."""


class ClientError(ReasonerError):
    """The provider, or the local engine, failed to give a completion."""

    exit_code = EXIT_PROVIDER
    stops_run = False
    unknown_outcome: bool = True
    """Whether the request may have been processed, and billed, all the same."""


class ConnectFailed(ClientError):
    """Nothing answered at the address; the request was certainly not processed."""

    retryable = True
    stops_run = True
    unknown_outcome = False


class TimedOut(ClientError):
    """No answer in time; the request may have been processed and billed."""

    retryable = True


class RateLimited(ClientError):
    """Too many requests; `retry_after_s` is what the server asked for, None when it did not say."""

    retryable = True
    stops_run = True
    unknown_outcome = False
    overload: ClassVar[bool] = True

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class ServerFailed(ClientError):
    """The server failed (5xx and kin), or the connection to it broke.

    `overload` says that it named too much load as the reason (503, 529), so that it had not begun and fewer calls at once may help;
    `loading` that it is not up yet: it reads its model, and will be.
    """

    retryable = True

    def __init__(
        self, message: str, *, hint: str = "", retry_after_s: float | None = None, overload: bool = False, loading: bool = False
    ) -> None:
        super().__init__(message, hint=hint)
        self.loading = loading
        self.retry_after_s = retry_after_s
        self.overload = overload
        self.unknown_outcome = not (overload or loading)


class StreamCut(ClientError):
    """A streamed answer that ended before its end.

    `partial` is what had come, with finish_reason `truncated` and usage that is estimated where the server had not told it. It is
    asked again once from the beginning; cut a second time, it is kept as what it is and never taken for a whole answer.
    """

    retryable = True

    def __init__(self, message: str, *, hint: str = "", partial: Completion) -> None:
        super().__init__(message, hint=hint)
        self.partial = partial


class Refused(ClientError):
    """The provider refuses, and would refuse the same request again."""

    stops_run = True
    unknown_outcome = False


class KeyRefused(Refused):
    """The key is not accepted, or not for this (401, 403); every other call with it would be refused as well."""


class QuotaExhausted(Refused):
    """The account has no quota or money left, or has reached its spend limit; waiting a little does not help."""


class BadResponse(ClientError):
    """A success status with a body that makes no sense."""

    retryable = True


class UnreadableAnswer(BadResponse):
    """An answer in the right form whose text is none. It may have been billed, and asking again would bring the same."""

    retryable = False


class ContextTooLong(ClientError):
    """Prompt and answer do not fit in the context; both numbers are given, in tokens."""

    unknown_outcome = False

    def __init__(self, message: str, *, hint: str = "", prompt_tokens: int | None = None, context_tokens: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.prompt_tokens = prompt_tokens
        self.context_tokens = context_tokens


class EngineLost(ClientError):
    """The local engine died three times on the same request."""


class OutcomeUnknown(ClientError):
    """A call was under way when its process ended: it may have been processed and billed, and is not to be asked again unasked."""

    def __init__(self, message: str, *, hint: str = "", stops_run: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.stops_run = stops_run  # one policy stops the run, the other only the trajectory


class ModelOutputError(ReasonerError):
    """The model's text cannot be used; a strategy may recover from it."""

    exit_code = EXIT_WRONG
    stops_run = False


class NoAnswerFound(ModelOutputError):
    """The text holds no answer in the format that was asked for."""


class Unparseable(ModelOutputError):
    """There is an answer, but it cannot be read (too long, too deep, not in the grammar)."""


class ToolFailed(ReasonerError):
    """A tool cannot do what it was asked (wrong arguments, no such table, too slow): the message is for the model, which may try again."""

    exit_code = EXIT_WRONG
    stops_run = False


class WaitsForApproval(ReasonerError):
    """An action may only be made once a person has agreed; `action_id` is its number for `reasoner approve`."""

    exit_code = EXIT_WRONG
    stops_run = False

    def __init__(self, message: str, *, hint: str = "", action_id: int) -> None:
        super().__init__(message, hint=hint)
        self.action_id = action_id


class Abandoned(ReasonerError):
    """Whoever asked has gone (`RunOptions.wanted`): the next call was not begun, and the run is parked and can be resumed."""


class BudgetExhausted(ReasonerError):
    """The next call would pass the budget; `best` is the best answer so far, None when there is none."""

    exit_code = EXIT_WRONG
    stops_run = False

    def __init__(self, message: str, *, hint: str = "", best: Answer | None = None) -> None:
        super().__init__(message, hint=hint)
        self.best = best


class RunBudgetExhausted(BudgetExhausted):
    """The next call would pass the budget of the whole run, which all its processes share."""


class DataError(ReasonerError):
    """Data that ships with the package, or that the user gave, is missing or damaged."""


class MissingAsset(DataError):
    """A prompt or corpus file is not there."""


class CorruptRecord(DataError):
    """One record of a data file cannot be used; the message names file, line and, where it is known, column."""

    def __init__(self, path: object, line: int, why: str, *, column: int = 0, hint: str = "") -> None:
        where = f"line {line}, column {column}" if column else f"line {line}"
        super().__init__(f"{path}, {where}: {why}", hint=hint)
        self.path = str(path)
        self.line = line
        self.column = column


class StoreError(ReasonerError):
    """The database cannot be opened, read or written."""

    exit_code = EXIT_STORE


class TakenOver(StoreError):
    """Another process has taken this work over (our lease had run out): nothing of ours may be written to it any more."""


class FileGone(StoreError):
    """The database's file was removed, moved or replaced while it was in use: no further call may be paid for that could not be kept."""


def first_fault(faults: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one fault of a task group that matters: one that ends the run before one that does not, else the first."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [faults]
    while pending:
        fault = pending.pop(0)
        if isinstance(fault, BaseExceptionGroup):
            pending.extend(fault.exceptions)
        else:
            leaves.append(fault)
    foreign = [fault for fault in leaves if not isinstance(fault, ReasonerError)]
    stopping = [fault for fault in leaves if isinstance(fault, ReasonerError) and fault.stops_run]
    return (foreign or stopping or leaves)[0]
