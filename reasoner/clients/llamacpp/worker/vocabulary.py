"""The vocabulary of a loaded model, and how messages become tokens: rendered by the chat template, with contents kept apart.

Only what the template wrote can be a control token; a content that spells one reaches the model as plain characters. Knows llama.cpp's
vocabulary functions; decodes nothing.

    vocabulary.tokens_of([Message("user", "Hi")]).tokens -> [1, 4093, 198, 26843, 2, 198, ...]
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import llama_cpp

from reasoner.clients.llamacpp.worker.chat_template import CHATML, ChatTemplate, Part
from reasoner.clients.llamacpp.worker.thought import MARKS
from reasoner.errors import BadTemplate, ContextTooLong
from reasoner.types import Message

End = Callable[[str], str]


def _as_it_is(_rendered: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as the model reads it, and its text."""

    tokens: list[int]
    text: str


class Vocabulary:
    """The tokens of one model, with its chat template."""

    def __init__(self, model: Any, *, template: str | None, n_ctx: int) -> None:
        self.handle = llama_cpp.llama_model_get_vocab(model)
        self.n_tokens: int = llama_cpp.llama_vocab_n_tokens(self.handle)
        self.n_ctx = n_ctx
        self.empty_tokens: set[int] = set()
        """Tokens without a text; llama.cpp gives each a name of its own, which no model means."""
        self._marks: dict[int, bytes] = {}
        self._control_texts, self._longest_token = self._read()
        self._bos: int = llama_cpp.llama_vocab_bos(self.handle)
        self._adds_bos: bool = llama_cpp.llama_vocab_get_add_bos(self.handle)
        bos_text, eos_text = self._token_text(self._bos), self._token_text(llama_cpp.llama_vocab_eos(self.handle))
        self._template_source: str = template or CHATML
        self._template = ChatTemplate(self._template_source, bos_token=bos_text, eos_token=eos_text)
        self._piece = ctypes.create_string_buffer(1024)
        self._pieces: dict[int, bytes] = {}

    def try_template(self) -> None:
        """Render one plain question, so that a template which can write none is told before the first request.

        Raises:
            BadTemplate: it raises, runs too long or writes too much; the message is the template's own where it raises.
        """
        self._template.render([Message("user", "Hi")])

    @property
    def template_sha256(self) -> str:
        """The sha256 of the chat template in use."""
        return hashlib.sha256(self._template_source.encode("utf-8", "replace")).hexdigest()

    def ends(self, token: int) -> bool:
        """Tell whether a token ends an answer."""
        found: bool = llama_cpp.llama_vocab_is_eog(self.handle, token)
        return found

    def end_tokens(self) -> list[int]:
        """Return every token that ends an answer."""
        return [token for token in range(self.n_tokens) if self.ends(token)]

    def bytes_of(self, token: int) -> bytes:
        """Return the text of a token, empty for control tokens but for those that tell the parts of a reply apart."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = b"" if token in self.empty_tokens else self._marks.get(token) or self._read_piece(token)
        return known

    @property
    def template_source(self) -> str:
        """The chat template in use."""
        return self._template_source

    def tokens_of(
        self, messages: list[Message], *, variables: Mapping[str, Any] | None = None, spelt: str = "", end: End = _as_it_is, room: int = 1
    ) -> Prompt:
        """Return the prompt.

        Args:
            messages: what was said so far.
            variables: what the template is told besides.
            spelt: other text in it that is not the template's own (tools, arguments of calls).
            end: given the rendered text, returns what is to be written after it.
            room: tokens to leave for the answer, at most a third of the context.

        Raises:
            BadTemplate: the template fails, writes nothing, or changes a message that spells a control token.
            ContextTooLong: the prompt leaves less room than that, or none for a single token.
        """
        if (n_bytes := sum(len(m.content.encode("utf-8", "replace")) for m in messages)) > (self.n_ctx + 1) * self._longest_token:
            # Tokenising megabytes takes native code very long; no token is longer than the longest.
            raise self._too_long(n_bytes // self._longest_token, "at least ")
        if self._count_control(spelt):
            raise BadTemplate("a tool or a thought spells a control token, which cannot be kept out of the prompt", hint="leave it out")
        messages = self._template.fitted(messages)
        rendered = self._template.render(messages, variables)
        parts = self._parts_if_needed(messages, variables, rendered)
        suffix = end(rendered)
        if parts is None:
            tokens = self.tokenize(rendered + suffix, special=True)
        else:
            tokens = [t for part in (*parts, Part(suffix, is_content=False)) for t in self.tokenize(part.text, special=not part.is_content)]
        if self._adds_bos and self._bos >= 0 and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        if not tokens:
            raise BadTemplate("the chat template writes nothing", hint="use another template with chat_template (a Jinja2 file)")
        if len(tokens) + (kept := max(1, min(room, self.n_ctx // 3))) > self.n_ctx:
            raise self._too_long(len(tokens), "", room=kept)
        return Prompt(tokens, rendered + suffix)

    def _parts_if_needed(self, messages: list[Message], variables: Mapping[str, Any] | None, rendered: str) -> list[Part] | None:
        """Return the prompt in parts when some content would become a control token; None in the ordinary case.

        Raises:
            BadTemplate: one would, and the template changes contents, so that they cannot be told apart from what it writes.
        """
        spelt = any(token.lower() in m.content.lower() for m in messages for token in self._control_texts)
        try:
            parts = self._template.render_parts(messages, variables)
        except BadTemplate:
            if spelt:
                raise
            return None
        # Also sees a content that becomes a control token by what the template does to it (lower case) or puts beside it.
        if self._count_control(rendered) == sum(self._count_control(part.text) for part in parts if not part.is_content):
            return None
        if "".join(part.text for part in parts) != rendered:
            raise BadTemplate(
                "a message spells a control token, and the chat template changes messages, so it cannot be kept out",
                hint="see docs/reference/local-models.md",
            )
        return parts

    def _count_control(self, text: str) -> int:
        return sum(text.count(token) for token in self._control_texts)

    def tokenize(self, text: str, *, special: bool) -> list[int]:
        """Return the tokens of a text; with `special` what spells a control token becomes one."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        while True:
            buffer = (llama_cpp.llama_token * room)()
            n_tokens = llama_cpp.llama_tokenize(self.handle, data, len(data), buffer, room, False, special)  # noqa: FBT003 - a C function
            if n_tokens >= 0:
                return list(buffer[:n_tokens])
            room = -n_tokens

    def _too_long(self, prompt_tokens: int, qualifier: str, *, room: int = 1) -> ContextTooLong:
        answer = f", {room} of them for the answer" if room > 1 else ""
        return ContextTooLong(
            f"the prompt has {qualifier}{prompt_tokens} tokens, the context {self.n_ctx}{answer}",
            hint="shorten the prompt or raise n_ctx",
            prompt_tokens=prompt_tokens,
            context_tokens=self.n_ctx,
        )

    def _read(self) -> tuple[list[str], int]:
        """Return the texts of all control tokens, and the bytes of the longest token."""
        marked = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
        control: list[str] = []
        longest = 1
        for token in range(self.n_tokens):
            text = llama_cpp.llama_vocab_get_text(self.handle, token) or b""
            longest = max(longest, len(text))
            if text == b"[EMPTY_%d]" % token:
                self.empty_tokens.add(token)
            if text and llama_cpp.llama_vocab_get_attr(self.handle, token) & marked:
                control.append(text.decode("utf-8", "replace"))
                if control[-1] in MARKS:
                    self._marks[token] = text
        return control, longest

    def _token_text(self, token: int) -> str:
        found: bytes = (llama_cpp.llama_vocab_get_text(self.handle, token) or b"") if token >= 0 else b""
        return found.decode("utf-8", "replace")

    def _read_piece(self, token: int) -> bytes:
        n_bytes = llama_cpp.llama_token_to_piece(self.handle, token, self._piece, len(self._piece), 0, False)  # noqa: FBT003 - a C function
        if n_bytes < 0:
            self._piece = ctypes.create_string_buffer(-n_bytes)
            n_bytes = llama_cpp.llama_token_to_piece(self.handle, token, self._piece, len(self._piece), 0, False)  # noqa: FBT003 - as above
        return self._piece.raw[:n_bytes]
