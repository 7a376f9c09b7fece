r"""From messages to the text a model reads: the chat template of a model, rendered in bounds, with contents kept apart.

A template comes out of a model file and is not trusted: it runs in Jinja2's immutable sandbox, with a limit on CPU, memory and
size. Contents come from anywhere and are not trusted either: `render_parts` tells which characters of the text are content, so that
a content which spells a control token (`<|im_start|>`) cannot become one. Knows no tokens and no llama.cpp.

    ChatTemplate(CHATML).render([Message("user", "Hi")]) -> "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reasoner.clients.llamacpp.worker.bounds import Overrun, bounded
from reasoner.errors import BadTemplate
from reasoner.text import clean, shorten
from reasoner.types import Message

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The template for a model that brings none."""

MAX_TEMPLATE_BYTES = 1 << 18
MAX_RENDERED_CHARS = 16 << 20
CPU_S = 2.0
MEMORY_BYTES = 512 << 20

FROZEN_NOW = datetime(2025, 1, 1, tzinfo=UTC)
"""What templates that ask for the date are told: with the real one, the same request would be another prompt tomorrow."""

_PROBE = "Zq7systemZq7"
"""A text no template writes by itself."""

_HINT = "use another template with chat_template (a Jinja2 file), or another model"
# What rendering hostile text may raise besides TemplateError. RecursionError is a RuntimeError.
_FAULTS = (TemplateError, ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the rendered text: written by the template, or the content of a message."""

    text: str
    is_content: bool


class _GenerationTag(Extension):
    """Pass over `{% generation %}`, which some templates use to mark what is trained on."""

    tags = {"generation"}  # noqa: RUF012 - the name and kind are Jinja2's

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return the statements within, as if the tags were not there."""
        parser.stream.skip(1)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """One chat template, compiled at its first use."""

    def __init__(self, source: str, *, bos_token: str = "", eos_token: str = "") -> None:
        self._source = source
        self._bos_token = bos_token
        self._eos_token = eos_token
        self._template: Template | None = None
        self._known: dict[str, bool] = {}

    def fitted(self, messages: Sequence[Message]) -> list[Message]:
        """Return the messages as this template takes them; what it takes is found out once, by trying.

        Without a system role its words go into the user's turn; without repeated roles, turns of one role become one.
        """
        result = list(messages)
        if any(m.role == "system" for m in result) and not self._takes("system", [Message("system", _PROBE), Message("user", "a")]):
            result = _folded(result)
        if any(a.role == b.role for a, b in pairwise(result)) and not self._takes(
            "repeats", [Message("user", "a"), Message("user", _PROBE)]
        ):
            result = _joined(result)
        return result

    def _takes(self, what: str, messages: list[Message]) -> bool:
        if what not in self._known:
            try:
                self._known[what] = _PROBE in self.render(messages)
            except BadTemplate:
                self._known[what] = False
        return self._known[what]

    def render(self, messages: Sequence[Message], variables: Mapping[str, Any] | None = None) -> str:
        """Return the prompt, ending where the answer begins; `variables` are given to the template besides what all templates are given.

        Raises:
            BadTemplate: the template fails, runs too long, or writes too much.
        """
        return self._run([_turn(m, m.content) for m in messages], variables or {})

    def render_parts(self, messages: Sequence[Message], variables: Mapping[str, Any] | None = None) -> list[Part]:
        """Return the prompt in parts, contents apart from what the template wrote; joined they are the prompt.

        The template is given an unguessable word in the place of each content. White space around a content stays outside of the
        word, so that a template may strip it.

        Raises:
            BadTemplate: as `render`, or the template changes contents, so that they cannot be told apart.
        """
        nonce = secrets.token_hex(12)
        words: dict[str, str] = {}
        shown: list[dict[str, Any]] = []
        for index, message in enumerate(messages):
            core = message.content.strip()
            content = message.content
            if core:
                word = f"q{nonce}x{index}q"
                words[word] = core
                start = content.index(core)
                content = content[:start] + word + content[start + len(core) :]
            shown.append(_turn(message, content))
        rendered = self._run(shown, variables or {})
        parts: list[Part] = []
        mark = f"q{nonce}x"
        pieces = rendered.split(mark)
        parts.append(Part(pieces[0], is_content=False))
        for piece in pieces[1:]:
            number, _, rest = piece.partition("q")
            word = f"{mark}{number}q"
            if word not in words:
                raise BadTemplate("the chat template takes contents apart, so a control token in one cannot be kept out", hint=_HINT)
            parts += [Part(words[word], is_content=True), Part(rest, is_content=False)]
        return [part for part in parts if part.text]

    def _run(self, messages: list[dict[str, Any]], variables: Mapping[str, Any]) -> str:
        try:
            with bounded(cpu_s=CPU_S, memory_bytes=MEMORY_BYTES):
                return self._write(messages, variables)
        except Overrun as error:
            raise BadTemplate(f"the chat template was still running after {CPU_S:g} s of CPU time", hint=_HINT) from error
        except MemoryError as error:
            raise BadTemplate(f"the chat template needs more than {MEMORY_BYTES >> 20} MiB of memory", hint=_HINT) from error
        except _FAULTS as error:
            line = getattr(error, "lineno", None)
            where = f" (line {line})" if line else ""
            reason = shorten(clean(str(error)), 200) or type(error).__name__
            raise BadTemplate(f"the chat template failed{where}: {reason}", hint=_HINT) from error

    def _write(self, messages: list[dict[str, Any]], variables: Mapping[str, Any]) -> str:
        # Compiling is in bounds as well: Jinja2 folds constants such as 'a' * 10**10 while it compiles.
        if self._template is None:
            self._template = _environment().from_string(self._source)
        pieces: list[str] = []
        n_chars = 0
        given = {
            "messages": messages,
            "bos_token": self._bos_token,
            "eos_token": self._eos_token,
            "add_generation_prompt": True,
            "raise_exception": _raise_exception,
            "strftime_now": _strftime_now,
            "tools": None,
            "documents": None,
        }
        for piece in self._template.generate({**given, **variables}):
            pieces.append(piece)
            n_chars += len(piece)
            if n_chars > MAX_RENDERED_CHARS:
                raise _TooMuch(f"it writes more than {MAX_RENDERED_CHARS} characters")
        return "".join(pieces)


def _turn(message: Message, content: str) -> dict[str, Any]:
    """Return a message as templates expect it; its further parts only where it has them."""
    turn: dict[str, Any] = {"role": message.role, "content": content}
    if message.reasoning:
        turn["reasoning_content"] = message.reasoning
    if message.tool_calls:
        calls = [{"name": call.name, "arguments": _json_or_text(call.arguments)} for call in message.tool_calls]
        turn["tool_calls"] = [
            {"type": "function", "id": call.id, "function": made} for call, made in zip(message.tool_calls, calls, strict=True)
        ]
    if message.tool_call_id:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _folded(messages: list[Message]) -> list[Message]:
    words = "\n\n".join(m.content for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    at = next((i for i, m in enumerate(rest) if m.role == "user"), None)
    if at is None:
        return [Message("user", words), *rest]
    rest[at] = replace(rest[at], content=f"{words}\n\n{rest[at].content}")
    return rest


def _joined(messages: list[Message]) -> list[Message]:
    result: list[Message] = []
    for message in messages:
        if result and result[-1].role == message.role and message.role in {"user", "system"}:
            result[-1] = replace(result[-1], content=f"{result[-1].content}\n\n{message.content}")
        else:
            result.append(message)
    return result


class _TooMuch(ValueError):
    """The template writes too much."""


def _environment() -> ImmutableSandboxedEnvironment:
    # Set up as the chat templates of the Transformers library expect it. No autoescape: a prompt is not HTML.
    environment = ImmutableSandboxedEnvironment(
        autoescape=False, trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    return environment


def _raise_exception(message: object) -> NoReturn:
    raise ValueError(shorten(str(message), 200))


def _strftime_now(layout: str) -> str:
    return FROZEN_NOW.strftime(layout)


def _tojson(value: Any, **layout: Any) -> str:
    # Unlike Jinja2's own filter: no HTML escapes, keys in their own order.
    return json.dumps(value, **{"ensure_ascii": False, **layout})
