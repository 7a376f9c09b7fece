"""The model itself, in the worker process: load, render, tokenise, decode, sample. One request at a time.

Knows llama.cpp. Does not know processes, pipes or restarts: a fault of the native code ends the process, and that is meant to be.

    engine = Engine.load({"path": "model.gguf", "n_ctx": 4096, "threads": 2, ...})
    engine.answer({"messages": [["user", "Hi"]], "sampling": {...}, "seed": 7, "constraint": None}, tick)
    -> {"text": "Hello!", "finish_reason": "stop", "prompt_tokens": 31, "completion_tokens": 3, "constraint_applied": "none"}
"""

from __future__ import annotations

import codecs
import ctypes
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import llama_cpp
from llama_cpp.llama_grammar import json_schema_to_gbnf

from reasoner.clients.llamacpp.bounds import Overrun, bounded
from reasoner.clients.llamacpp.chat_template import CHATML, ChatTemplate, Part
from reasoner.clients.llamacpp.grammar import MAX_DEPTH, check_grammar
from reasoner.errors import BadConfig, BadTemplate, ContextTooLong
from reasoner.text import clean, shorten
from reasoner.types import Message, digest

N_BATCH = 256
"""Prompt tokens decoded between two signs of life."""
PENALTY_LAST_N = 64
MAX_SCHEMA_BYTES = 64 * 1024
MAX_SCHEMA_DEPTH = 250
"""Parentheses in a grammar that comes from a schema: `maxItems` and `maxLength` nest once per item."""
CONSTRAINT_CPU_S = 2.0
CONSTRAINT_MEMORY_BYTES = 256 << 20
# What llama-cpp-python's converter raises on schemas it cannot take. RecursionError is a RuntimeError.
_SCHEMA_FAULTS = (AssertionError, ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)

Tick = Callable[[], None]
"""Called between steps of native work: gives a sign of life, and raises when the request has been cancelled."""


class Engine:
    """One loaded model with one context."""

    def __init__(self, llm: Any, *, template: str | None) -> None:
        self._llm = llm
        self._threads: int = llama_cpp.llama_n_threads(llm.ctx)
        self._vocab = llama_cpp.llama_model_get_vocab(llm.model)
        self.n_ctx: int = llm.n_ctx()
        self._control_tokens, self._longest_token = self._read_vocabulary()
        self._bos: int = llm.token_bos()
        bos_text, eos_text = self._token_text(self._bos), self._token_text(llm.token_eos())
        self.template_source: str = template or CHATML
        self._template = ChatTemplate(self.template_source, bos_token=bos_text, eos_token=eos_text)
        self._piece = ctypes.create_string_buffer(1024)

    @classmethod
    def load(cls, options: dict[str, Any]) -> Engine:
        """Load a model by the options `path`, `n_ctx`, `threads`, `lora` and `template`.

        Raises:
            BadConfig: llama.cpp refuses the model or the adapter.
        """
        path, lora = options["path"], options.get("lora")
        try:
            llm = llama_cpp.Llama(
                model_path=path,
                n_ctx=options["n_ctx"],
                n_batch=N_BATCH,
                n_ubatch=N_BATCH,
                n_threads=options["threads"],
                n_threads_batch=options["threads"],
                logits_all=False,
                lora_path=lora,
                chat_format="chatml",  # keeps the library from choosing by itself; templates are rendered here
                verbose=False,
            )
        except (ValueError, RuntimeError, MemoryError) as error:
            what = f"{path} with the adapter {lora}" if lora else path
            raise BadConfig(
                f"the model {what} could not be loaded: {shorten(clean(str(error)), 200)}",
                hint="check the file, the adapter and the memory",
            ) from error
        return cls(llm, template=options.get("template"))

    def info(self) -> dict[str, Any]:
        """Return what is known only after loading."""
        return {
            "n_ctx": self.n_ctx,
            "threads": self._threads,
            "template_sha256": hashlib.sha256(self.template_source.encode("utf-8", "replace")).hexdigest(),
            "llama_cpp_python": llama_cpp.__version__,
        }

    def answer(self, job: dict[str, Any], tick: Tick) -> dict[str, Any]:
        """Answer one request.

        Raises:
            BadTemplate: the chat template cannot be rendered.
            BadConfig: the constraint cannot be compiled.
            ContextTooLong: the prompt leaves no room for a single token.
        """
        sampling = job["sampling"]
        grammar = self._grammar(job["constraint"])
        with self._sampler(sampling, job["seed"], grammar) as sampler:
            tokens = self._prompt([Message(role, content) for role, content in job["messages"]])
            if len(tokens) >= self.n_ctx:
                raise self._too_long(len(tokens), "")
            tick()
            # From a clean cache, so that what ran before cannot change a single bit of this answer.
            self._llm.reset()
            llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._llm.ctx), True)  # noqa: FBT003 - a C function
            for start in range(0, len(tokens), N_BATCH):
                self._llm.eval(tokens[start : start + N_BATCH])
                tick()
            room = self.n_ctx - len(tokens)
            text, finish_reason, n_tokens = self._generate(sampler, min(sampling["max_tokens"], room), sampling["stop"], tick)
        return {
            "text": text,
            "finish_reason": finish_reason,
            "prompt_tokens": len(tokens),
            "completion_tokens": n_tokens,
            "constraint_applied": "grammar" if grammar else "none",
        }

    def _generate(self, sampler: Any, max_tokens: int, stops: list[str], tick: Tick) -> tuple[str, str, int]:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        longest_stop = max((len(stop) for stop in stops), default=0)
        text = ""
        for n_tokens in range(1, max_tokens + 1):
            token = llama_cpp.llama_sampler_sample(sampler, self._llm.ctx, -1)
            if llama_cpp.llama_vocab_is_eog(self._vocab, token):
                return text + decoder.decode(b"", final=True), "stop", n_tokens - 1
            seen = max(0, len(text) - longest_stop + 1)
            text += decoder.decode(self._token_bytes(token))
            found = [at for stop in stops if (at := text.find(stop, seen)) >= 0]
            if found:
                return text[: min(found)], "stop", n_tokens
            if n_tokens < max_tokens:
                self._llm.eval([token])
            tick()
        return text + decoder.decode(b"", final=True), "length", max_tokens

    def _prompt(self, messages: list[Message]) -> list[int]:
        """Return the tokens of the prompt. Only what the template wrote can be a control token."""
        if (n_bytes := sum(len(m.content.encode("utf-8", "replace")) for m in messages)) > (self.n_ctx + 1) * self._longest_token:
            # Tokenising megabytes takes native code very long; no token is longer than the longest.
            raise self._too_long(n_bytes // self._longest_token, "at least ")
        rendered = self._template.render(messages)
        parts = self._parts_if_needed(messages, rendered)
        if parts is None:
            tokens = self._tokenize(rendered, special=True)
        else:
            tokens = [token for part in parts for token in self._tokenize(part.text, special=not part.is_content)]
        if llama_cpp.llama_vocab_get_add_bos(self._vocab) and self._bos >= 0 and tokens[:1] != [self._bos]:
            tokens.insert(0, self._bos)
        if not tokens:
            raise BadTemplate("the chat template writes nothing", hint="use another template with chat_template (a Jinja2 file)")
        return tokens

    def _parts_if_needed(self, messages: list[Message], rendered: str) -> list[Part] | None:
        """Return the prompt in parts when some content would become a control token; None in the ordinary case.

        Raises:
            BadTemplate: one would, and the template changes contents, so that they cannot be told apart from what it writes.
        """
        spelt = any(token.lower() in m.content.lower() for m in messages for token in self._control_tokens)
        try:
            parts = self._template.render_parts(messages)
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
                hint="see docs/local-models.md",
            )
        return parts

    def _count_control(self, text: str) -> int:
        return sum(text.count(token) for token in self._control_tokens)

    def _tokenize(self, text: str, *, special: bool) -> list[int]:
        tokens: list[int] = self._llm.tokenize(text.encode("utf-8", "replace"), add_bos=False, special=special)
        return tokens

    def _too_long(self, prompt_tokens: int, qualifier: str) -> ContextTooLong:
        return ContextTooLong(
            f"the prompt has {qualifier}{prompt_tokens} tokens, the context {self.n_ctx}",
            hint="shorten the prompt or raise n_ctx",
            prompt_tokens=prompt_tokens,
            context_tokens=self.n_ctx,
        )

    def _grammar(self, constraint: list[str] | None) -> str | None:
        if constraint is None:
            return None
        kind, value = constraint
        if kind == "grammar":
            _check(value, MAX_DEPTH)
            return value
        grammar = schema_to_grammar(value)
        try:
            _check(grammar, MAX_SCHEMA_DEPTH)
        except BadConfig as error:
            raise BadConfig(
                f"the JSON schema cannot be used as a grammar: {error.message}", hint="lower its maxItems and maxLength"
            ) from error
        return grammar

    @contextmanager
    def _sampler(self, sampling: dict[str, Any], seed: int, grammar: str | None) -> Iterator[Any]:
        """Hold a chain of samplers for one request.

        Raises:
            BadConfig: llama.cpp does not accept the grammar.
        """
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())

        def add(sampler: Any) -> None:
            llama_cpp.llama_sampler_chain_add(chain, sampler)

        try:
            if sampling["repeat_penalty"] != 1.0:
                n_vocab = llama_cpp.llama_vocab_n_tokens(self._vocab)
                add(llama_cpp.llama_sampler_init_penalties(n_vocab, PENALTY_LAST_N, sampling["repeat_penalty"], 0.0, 0.0))
            if grammar is not None:
                compiled = llama_cpp.llama_sampler_init_grammar(self._vocab, grammar.encode("utf-8", "replace"), b"root")
                # The library adds what it gets unlooked at; a NULL in the chain is a crash at the first token.
                if not compiled:
                    raise BadConfig("the grammar cannot be used: llama.cpp does not accept it", hint="see docs/local-models.md")
                add(compiled)
            if sampling["temperature"] == 0:
                add(llama_cpp.llama_sampler_init_greedy())
            else:
                if sampling["top_k"] > 0:
                    add(llama_cpp.llama_sampler_init_top_k(sampling["top_k"]))
                if sampling["top_p"] < 1:
                    add(llama_cpp.llama_sampler_init_top_p(sampling["top_p"], 1))
                if sampling["min_p"] > 0:
                    add(llama_cpp.llama_sampler_init_min_p(sampling["min_p"], 1))
                add(llama_cpp.llama_sampler_init_temp(sampling["temperature"]))
                add(llama_cpp.llama_sampler_init_dist(_seed_32(seed)))
            yield chain
        finally:
            llama_cpp.llama_sampler_free(chain)

    def _read_vocabulary(self) -> tuple[list[str], int]:
        """Return the texts of all control tokens, and the bytes of the longest token."""
        marked = llama_cpp.LLAMA_TOKEN_ATTR_CONTROL | llama_cpp.LLAMA_TOKEN_ATTR_UNKNOWN
        control: list[str] = []
        longest = 1
        for token in range(llama_cpp.llama_vocab_n_tokens(self._vocab)):
            text = llama_cpp.llama_vocab_get_text(self._vocab, token) or b""
            longest = max(longest, len(text))
            if text and llama_cpp.llama_vocab_get_attr(self._vocab, token) & marked:
                control.append(text.decode("utf-8", "replace"))
        return control, longest

    def _token_text(self, token: int) -> str:
        found: bytes = (llama_cpp.llama_vocab_get_text(self._vocab, token) or b"") if token >= 0 else b""
        return found.decode("utf-8", "replace")

    def _token_bytes(self, token: int) -> bytes:
        n_bytes = llama_cpp.llama_token_to_piece(self._vocab, token, self._piece, len(self._piece), 0, False)  # noqa: FBT003 - a C function
        if n_bytes < 0:
            self._piece = ctypes.create_string_buffer(-n_bytes)
            n_bytes = llama_cpp.llama_token_to_piece(self._vocab, token, self._piece, len(self._piece), 0, False)  # noqa: FBT003 - as above
        return self._piece.raw[:n_bytes]


def _seed_32(seed: int) -> int:
    # 2**32 - 1 itself means "draw a seed" to llama.cpp; what does not fit is hashed, not cut, so that neighbours stay apart.
    return seed if 0 <= seed < 2**32 - 1 else int(digest("seed", str(seed))[:16], 16) % (2**32 - 1)


def schema_to_grammar(schema: str) -> str:
    """Return the grammar of a JSON schema, as llama-cpp-python's converter writes it.

    Raises:
        BadConfig: it cannot be compiled. There is no falling back to "any JSON".
    """
    if len(schema) > MAX_SCHEMA_BYTES:
        raise BadConfig(f"the JSON schema has {len(schema)} characters, at most {MAX_SCHEMA_BYTES} are accepted", hint="make it smaller")
    try:
        with bounded(cpu_s=CONSTRAINT_CPU_S, memory_bytes=CONSTRAINT_MEMORY_BYTES):
            _check_refs(json.loads(schema))
            grammar: str = json_schema_to_gbnf(schema)
    except Overrun as error:
        raise BadConfig(f"the JSON schema takes more than {CONSTRAINT_CPU_S:g} s to compile", hint="make it simpler") from error
    except _SCHEMA_FAULTS as error:
        reason = shorten(clean(str(error)), 200) or type(error).__name__
        raise BadConfig(
            f"the JSON schema cannot be compiled to a grammar: {reason}", hint="use only what docs/local-models.md lists"
        ) from error
    return grammar


def _check(grammar: str, max_depth: int) -> None:
    try:
        with bounded(cpu_s=CONSTRAINT_CPU_S, memory_bytes=CONSTRAINT_MEMORY_BYTES):
            check_grammar(grammar, max_depth=max_depth)
    except (Overrun, MemoryError) as error:
        raise BadConfig("the grammar is too involved to be checked", hint="make it simpler") from error


def _check_refs(value: Any) -> None:
    # The converter guards its fetching of remote schemas by an assert alone, which `python -O` drops.
    if isinstance(value, dict):
        ref = value.get("$ref")
        if isinstance(ref, str) and not ref.startswith("#/"):
            raise ValueError(f"the $ref {shorten(ref, 80)!r} points outside of the schema")
        for inner in value.values():
            _check_refs(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_refs(inner)
