"""A client that answers from a script: a public test double, and `scripted:FILE` on the command line.

Knows a queue of replies, or a function of the request. Does not run a model: stop strings, `max_tokens` and constraints are not
applied, and usage counts words between white space, which are no model's tokens.

    client = ScriptedClient(["Answer: 24", ServerFailed("down"), Completion("cut o", finish_reason="length")])

A script file holds one JSON value per line, a string or an object:

    "Answer: 24"
    {"text": "cut o", "finish_reason": "length"}
    {"text": "Answer: 24", "mean_logprob": -0.31}
    {"text": "", "tool_calls": [{"name": "calculator", "arguments": {"expression": "4 * 6"}}]}
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StrictStr, TypeAdapter, ValidationError

from reasoner.capabilities import Extra
from reasoner.clients import ClientOptions
from reasoner.errors import CorruptRecord, MissingAsset, ReasonerError, UsageError
from reasoner.text import shorten
from reasoner.types import Completion, FinishReason, Request, ToolCall, Usage, digest

Reply = str | Completion | ReasonerError
Script = Sequence[Reply] | Callable[[Request], str | Completion]

_WORDS = re.compile(r"\s*\S+\s*$|\s*\S+|\s+")
MAX_SCRIPT_BYTES = 64 * 1024 * 1024


class ScriptedClient:
    """Answers each request with the next reply, or with what a function of the request returns.

    A `str` is a complete answer, a `Completion` is given as it is, a `ReasonerError` is raised. `requests` holds what was asked,
    in order; `concurrency` is 1 so that the order is defined. Leaving an `async with` without an error calls `assert_done`;
    `aclose` never raises, so that closing after a fault does not hide it.
    """

    calls_tools: bool
    extras: frozenset[Extra] = frozenset({"tools", "images", "logprobs", "logit_bias", "penalties", "parallel_tool_calls"})

    def __init__(self, replies: Script, *, name: str = "scripted", paid: bool = False, calls_tools: bool = True) -> None:
        self.name = name
        self.calls_tools = calls_tools
        self.paid = paid
        self.concurrency = 1
        self.requests: list[Request] = []
        self._function = replies if callable(replies) else None
        self._replies: list[Reply] = [] if callable(replies) else [replies] if isinstance(replies, str) else list(replies)
        self._next = 0
        self.fingerprint = f"{name}:function" if self._function else f"{name}:{digest(*map(_identity, self._replies))[:16]}"

    async def complete(self, request: Request) -> Completion:
        """Give the next reply.

        Raises:
            UsageError: the script has run out.
            ReasonerError: the reply is one.
        """
        self.requests.append(request)
        if self._function is not None:
            reply: Reply = self._function(request)
        elif self._next < len(self._replies):
            reply = self._replies[self._next]
            self._next += 1
        else:
            asked = shorten(request.messages[-1].content, 120) if request.messages else ""
            raise UsageError(
                f"{self.name} has no reply left for request {len(self.requests)}: {asked!r}",
                hint=f"the script holds {len(self._replies)}; add one, or find out why more are asked for",
            )
        if isinstance(reply, ReasonerError):
            raise reply
        if request.hear is not None:
            said = Completion(reply) if isinstance(reply, str) else reply
            for piece in _WORDS.findall(said.reasoning):
                request.hear("reasoning", piece)
            for piece in _WORDS.findall(said.text):
                request.hear("text", piece)
        if isinstance(reply, Completion):
            return reply
        prompt_tokens = sum(len(m.content.split()) for m in request.messages)
        return Completion(reply, usage=Usage(prompt_tokens, len(reply.split())), model=self.name)

    def assert_done(self) -> None:
        """Check that every reply was asked for.

        Raises:
            UsageError: some were not.
        """
        left = len(self._replies) - self._next
        if left:
            raise UsageError(
                f"{self.name} has {left} of {len(self._replies)} replies left over",
                hint=f"the first is {shorten(_identity(self._replies[self._next]), 120)!r}",
            )

    async def aclose(self) -> None:
        """Do nothing: there is nothing to release. Left-over replies are reported by `assert_done`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        await self.aclose()
        if kind is None:
            self.assert_done()


def _identity(reply: Reply) -> str:
    return reply if isinstance(reply, str) else repr(reply)


class _LineCall(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: StrictStr
    arguments: dict[str, Any] | StrictStr = ""
    """An object, or the text of one as a model wrote it."""
    id: StrictStr = ""

    def call(self, number: int) -> ToolCall:
        written = self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)
        return ToolCall(self.id or f"call_{number}", self.name, written)


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    text: StrictStr
    finish_reason: FinishReason | None = None
    mean_logprob: FiniteFloat | None = None
    tool_calls: tuple[_LineCall, ...] = ()


_LINE: TypeAdapter[str | _Line] = TypeAdapter(Annotated[StrictStr | _Line, Field(union_mode="left_to_right")])


def read_script(path: Path) -> list[Reply]:
    """Read a script file; blank lines are skipped.

    Raises:
        MissingAsset: it cannot be read.
        CorruptRecord: a line is no reply; the message names file and line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_SCRIPT_BYTES + 1)
    except OSError as error:
        raise MissingAsset(
            f"the script {path} cannot be read: {error.strerror}", hint="scripted:FILE names a JSON-lines file of replies"
        ) from error
    if len(data) > MAX_SCRIPT_BYTES:
        raise MissingAsset(f"the script {path} has more than {MAX_SCRIPT_BYTES} bytes", hint="split it")
    replies: list[Reply] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value = _LINE.validate_json(line)
        except ValidationError as error:
            why = error.errors(include_url=False)[-1]["msg"]
            raise CorruptRecord(path, number, f'{why}; a reply is a JSON string or {{"text": "…"}}') from error
        if isinstance(value, str):
            replies.append(value)
            continue
        calls = tuple(call.call(number) for number, call in enumerate(value.tool_calls))
        finish: FinishReason = value.finish_reason or ("tool_calls" if calls else "stop")
        replies.append(
            Completion(
                value.text, finish_reason=finish, usage=Usage(0, len(value.text.split())), model=f"scripted:{path.name}",
                mean_logprob=value.mean_logprob, tool_calls=calls,
            )
        )  # fmt: skip
    return replies


def open_client(name: str, options: ClientOptions) -> ScriptedClient:
    """Open `scripted:FILE`.

    Raises:
        UsageError: no file is named.
        DataError: it cannot be used.
    """
    del options  # nothing in them concerns a script
    if not name:
        raise UsageError("scripted: names no file", hint="write scripted:FILE with a JSON-lines file of replies")
    return ScriptedClient(read_script(Path(name)), name=f"scripted:{Path(name).name}")
