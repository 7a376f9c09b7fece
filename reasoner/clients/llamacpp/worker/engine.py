"""The engine in the worker process: many requests over one model, advancing together; those of each adapter in contexts of their own.

Puts the parts together: `vocabulary` (messages to tokens), `masks` and `sampler` (what may be drawn), `answer` (the text that grows), `scheduler` and
`prefix_tree` (who is decoded when, from which cached prefix), `streams` (the same for conversations), `model` (llama.cpp). Does not know processes, pipes or restarts.

    seat = {"adapter": None, "files": [], "max_running": 16, "prefixes": None}
    engine = Engine.load({"path": "model.gguf", "n_ctx": 4096, "threads": 2, "seat": seat, ...})
    engine.submit({"id": 1, "seat": seat, "messages": [["user", "Hi"]], "sampling": {...}, "seed": 7, "constraint": None})
    while engine.busy:
        for number, reply in engine.step():
            ...   # 1, {"text": "Hello!", "finish_reason": "stop", "prompt_tokens": 31, "cached_tokens": 0, "completion_tokens": 3, ...}
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llama_cpp

from reasoner.clients.llamacpp.worker.answer import Answer, Beginning
from reasoner.clients.llamacpp.worker.measure import measure
from reasoner.clients.llamacpp.worker.model import N_BATCH, STREAMS_BATCH, Model
from reasoner.clients.llamacpp.worker.prefix_files import PrefixFiles
from reasoner.clients.llamacpp.worker.same_files import check_same_files
from reasoner.clients.llamacpp.worker.sampler import Sampler
from reasoner.clients.llamacpp.worker.scheduler import Scheduler
from reasoner.clients.llamacpp.worker.streams import Streams
from reasoner.clients.llamacpp.worker.task_queue import Counts, TaskQueue
from reasoner.clients.llamacpp.worker.vocabulary import Vocabulary
from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from reasoner.clients.llamacpp.worker.masks import Masks, Matcher

SLOW_STEP_S = 20.0
"""A step that takes longer halves how much of a prompt the next one takes: a step is the time between two signs of life."""
MIN_BATCH = 32
CROWD = 4
"""With so many requests under way beside it, one that nobody goes on from is better off in a stream."""
LONG_TOKENS = 256
"""A prompt with so many tokens that are in no other one is better off in a stream: each would be compared with those of all that run beside it."""


@dataclass(frozen=True, slots=True)
class _Context:
    """A context of llama.cpp, and who is decoded in it when."""

    model: Model
    queue: TaskQueue[Any]


@dataclass(frozen=True, slots=True)
class _Shared(_Context):
    """The context whose one cache serves all that have no stream."""

    queue: Scheduler


@dataclass(slots=True)
class _Seat:
    """The weights with one adapter, or none: a cache for all, and beside it streams, once a conversation wants them."""

    named: dict[str, Any]
    shared: _Shared
    streams: _Context | None = None
    tried_streams: bool = False

    def contexts(self) -> list[_Context]:
        """Return what it has."""
        return [self.shared, *([self.streams] if self.streams is not None else [])]


class Engine:
    """One loaded model, the seats over it, and the requests under way."""

    def __init__(self, options: dict[str, Any], model: Model, vocabulary: Vocabulary) -> None:
        self._options = options
        self._model = model
        self._vocabulary = vocabulary
        self._exact: bool = options.get("exact", False)
        self._seats: dict[str | None, _Seat] = {}
        # In the order of their turns: the one that was decoded longest ago first.
        self._turns: list[_Context] = []
        self._queues: list[TaskQueue[Any]] = []
        self._answers: dict[int, tuple[Answer, _Context]] = {}
        self._step_s = 0.0
        self._masks: Masks | None = None
        self._take_seat(options["seat"], model)

    @classmethod
    def load(cls, options: dict[str, Any]) -> Engine:
        """Load a model; see `Model.load` for the options, and besides: `template`, `exact`, and the `seat` of who asks first.

        A seat is `adapter` (a path or None), `files` (path, size and time of its files), `max_running` and `prefixes`; the first request
        that names another one opens it, over the weights that are there.

        Raises:
            BadConfig: llama.cpp refuses the model or the adapter, or a file is not the one that the client saw.
            BadTemplate: the chat template cannot write a plain question.
        """
        check_same_files([*options["files"], *options["seat"]["files"]])
        model = Model.load({**options, "adapter": options["seat"]["adapter"]})
        vocabulary = Vocabulary(model.handle, template=options.get("template"), n_ctx=model.n_ctx)
        vocabulary.try_template()
        return cls(options, model, vocabulary)

    def _seat(self, named: dict[str, Any]) -> _Seat:
        """Return the seat of an adapter, opened where it is new."""
        found = self._seats.get(named["adapter"])
        if found is not None:
            return found
        check_same_files(named["files"])
        return self._take_seat(named, self._model.beside({**self._options, "adapter": named["adapter"]}))

    def _take_seat(self, named: dict[str, Any], model: Model) -> _Seat:
        kept = named["prefixes"]
        scheduler = Scheduler(
            decoder=model,
            n_sequences=model.n_sequences,
            max_running=named["max_running"],
            n_batch=N_BATCH,
            patience_tokens=model.patience_tokens(),
            exact=self._exact,
            prefixes=PrefixFiles(Path(kept["folder"]), limit_bytes=kept["limit_bytes"]) if kept else None,
            beside=self._queues,
        )
        seat = _Seat(named, _Shared(model, scheduler))
        self._seats[named["adapter"]] = seat
        self._turns.append(seat.shared)
        return seat

    def _context_for(self, job: dict[str, Any], seat: _Seat, tokens: list[int]) -> _Context:
        """Return where a request is decoded: what shares little in a stream, where it fits into one and no prefix is to be kept on disk.

        That are turns of a conversation; where several are under way, requests that nobody goes on from; and prompts with a long part that is in no
        other one, which nobody asks again.
        """
        continued = job.get("continued")
        is_own = continued or (continued is False and len(self._answers) >= CROWD)
        if not is_own and job.get("discard_cache", False):
            is_own = len(tokens) - seat.shared.queue.n_known(tokens) >= LONG_TOKENS
        if not is_own or seat.named["prefixes"]:
            return seat.shared
        if not seat.tried_streams:
            seat.tried_streams = True
            seat.streams = self._open_streams(seat)
        grows_to = min(len(tokens) + job["sampling"]["max_tokens"], seat.shared.model.n_ctx)
        return seat.streams if seat.streams is not None and grows_to <= seat.streams.model.n_ctx else seat.shared

    def _open_streams(self, seat: _Seat) -> _Context | None:
        model = seat.shared.model.streams_beside({**self._options, "adapter": seat.named["adapter"]})
        if model is None:
            return None
        n = model.n_sequences
        running = min(n, seat.named["max_running"])
        queue = Streams(model, max_running=running, n_batch=STREAMS_BATCH, n_streams=n, n_tokens=model.n_ctx, beside=self._queues)
        context = _Context(model, queue)
        self._turns.append(context)
        return context

    def warm_up(self) -> None:
        """Try the model out; what this processor cannot run ends the process here."""
        self._model.warm_up()

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return any(context.queue.busy for context in self._turns)

    def submit(self, job: dict[str, Any]) -> None:
        """Queue a request under its number `id`.

        Raises:
            BadTemplate: the chat template cannot be rendered.
            BadConfig: the constraint cannot be kept, the sampling is not possible, or the adapter of its seat is refused.
            ContextTooLong: the prompt leaves no room for a single token.
        """
        seat = self._seat(job["seat"])
        begun = Beginning.of(job, self._vocabulary)
        matcher = self._matcher_of(job["constraint"])
        sampler = Sampler(self._vocabulary, job["sampling"], seed=job["seed"], matcher=matcher)
        context = self._context_for(job, seat, begun.tokens)
        answer = Answer(job, begun, sampler, context.model, self._vocabulary)
        self._answers[job["id"]] = answer, context
        context.queue.add(answer)

    def _matcher_of(self, constraint: list[str] | None) -> Matcher | None:
        if constraint is None:
            return None
        if self._masks is None:
            # The tokenizer takes up to a second; most models are never asked with a constraint.
            from reasoner.clients.llamacpp.worker.masks import Masks  # noqa: PLC0415

            self._masks = Masks(self._vocabulary, threads=self._model.threads)
        return self._masks.matcher(constraint[0], constraint[1])

    def cancel(self, number: int) -> bool:
        """Drop a request and free what it holds; False when there is none of that number."""
        found = self._answers.pop(number, None)
        if found is None:
            return False
        answer, context = found
        context.queue.cancel(answer)
        answer.close()
        return True

    def entered(self) -> list[int]:
        """Return the numbers of the requests that were let in since this was asked last."""
        numbers = []
        for queue in self._queues:
            numbers += [task.number for task in queue.entered if isinstance(task, Answer)]
            queue.entered.clear()
        return numbers

    def pieces(self) -> list[tuple[int, dict[str, Any]]]:
        """Return what the texts of those that are told while they grow have grown by since this was asked last."""
        streaming = [answer for answer, _ in self._answers.values() if answer.is_told]
        return [(answer.number, piece) for answer in streaming if (piece := answer.piece()) is not None]

    def step(self) -> list[tuple[int, dict[str, Any]]]:
        """Decode one batch, of the next context that has anything to do; return the requests it completed, with their replies."""
        queue = self._next().queue
        started = time.perf_counter()
        finished = queue.step()
        seconds = time.perf_counter() - started
        self._step_s += seconds
        if seconds > SLOW_STEP_S:
            queue.n_batch = max(MIN_BATCH, queue.n_batch // 2)
        replies = []
        for answer in finished:
            assert isinstance(answer, Answer)
            del self._answers[answer.number]
            answer.close()
            replies.append((answer.number, answer.reply()))
        return replies

    def _next(self) -> _Context:
        """Return the busy context that was decoded longest ago."""
        context = next((each for each in self._turns if each.queue.busy), self._turns[0])
        self._turns.remove(context)
        self._turns.append(context)
        return context

    def info(self, named: dict[str, Any]) -> dict[str, Any]:
        """Return what is known of a seat only after loading, and what was done so far; times are those of all seats.

        Raises:
            BadConfig: the adapter of the seat is refused.
        """
        seat = self._seat(named)
        model, contexts = seat.shared.model, seat.contexts()
        counts = Counts.of(context.queue.counts for context in contexts)
        return {
            "n_ctx": model.n_ctx,
            "n_cells": model.n_cells,
            "n_streams": seat.streams.model.n_sequences if seat.streams is not None else 0,
            "n_seats": len(self._seats),
            "threads": model.threads,
            "exact": self._exact,
            "template_sha256": self._vocabulary.template_sha256,
            "end_tokens": self._vocabulary.end_tokens(),
            "llama_cpp_python": llama_cpp.__version__,
            "evaluated_prompt_tokens": counts.prompt_tokens,
            "cached_prompt_tokens": counts.cached_tokens,
            "restored_prompt_tokens": counts.restored_tokens,
            "drawn_tokens": counts.drawn_tokens,
            "forced_tokens": counts.forced_tokens,
            "mask_s": self._masks.seconds if self._masks is not None else 0.0,
            "steps": counts.steps,
            "step_s": self._step_s,
            "native_s": sum(each.model.native_s for each in self._turns),
            "running": sum(context.queue.n_running for context in contexts),
            "preempted": counts.preempted,
            "kept_cells": sum(context.queue.n_kept for context in contexts),
        }

    def measure(self, named: dict[str, Any]) -> dict[str, Any]:
        """Measure how fast this machine reads and writes with this model; drops what is cached.

        Raises:
            BadConfig: requests are under way, or the adapter of the seat is refused.
        """
        seat = self._seat(named)
        if self.busy:
            raise BadConfig("the model cannot be measured while requests are in progress", hint="wait for them")
        for context in seat.contexts():
            context.queue.clear()
        return measure(seat.shared.model, vocabulary_size=self._vocabulary.n_tokens)
