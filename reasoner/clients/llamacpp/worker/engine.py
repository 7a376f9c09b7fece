"""The engine in the worker process: many requests over one model, advancing together.

Puts the parts together: `vocabulary` (messages to tokens), `masks` and `sampler` (what may be drawn), `answer` (the text that grows), `scheduler` and
`prefix_tree` (who is decoded when, from which cached prefix), `model` (llama.cpp). Does not know processes, pipes or restarts.

    engine = Engine.load({"path": "model.gguf", "n_ctx": 4096, "threads": 2, ...})
    engine.submit({"id": 1, "messages": [["user", "Hi"]], "sampling": {...}, "seed": 7, "constraint": None})
    while engine.busy:
        for number, reply in engine.step():
            ...   # 1, {"text": "Hello!", "finish_reason": "stop", "prompt_tokens": 31, "cached_tokens": 0, "completion_tokens": 3, ...}
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import llama_cpp

from reasoner.clients.llamacpp.worker.answer import Answer, Beginning
from reasoner.clients.llamacpp.worker.measure import measure
from reasoner.clients.llamacpp.worker.model import N_BATCH, Model
from reasoner.clients.llamacpp.worker.prefix_files import PrefixFiles
from reasoner.clients.llamacpp.worker.sampler import Sampler
from reasoner.clients.llamacpp.worker.scheduler import Scheduler
from reasoner.clients.llamacpp.worker.vocabulary import Vocabulary
from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from reasoner.clients.llamacpp.worker.masks import Masks, Matcher

SLOW_STEP_S = 20.0
"""A step that takes longer halves how much of a prompt the next one takes: a step is the time between two signs of life."""
MIN_BATCH = 32


class Engine:
    """One loaded model and the requests under way on it."""

    def __init__(self, model: Model, vocabulary: Vocabulary, *, max_running: int, exact: bool, prefixes: PrefixFiles | None = None) -> None:
        self._model = model
        self._vocabulary = vocabulary
        self._answers: dict[int, Answer] = {}
        self._exact = exact
        self._step_s = 0.0
        self._masks: Masks | None = None
        self.scheduler = Scheduler(
            decoder=model,
            n_sequences=model.n_sequences,
            max_running=max_running,
            n_batch=N_BATCH,
            patience_tokens=model.patience_tokens(),
            exact=exact,
            prefixes=prefixes,
        )

    @classmethod
    def load(cls, options: dict[str, Any]) -> Engine:
        """Load a model; see `Model.load` for the options, and besides: `template`, `max_running`, `exact`, `prefixes`.

        Raises:
            BadConfig: llama.cpp refuses the model or the adapter.
            BadTemplate: the chat template cannot write a plain question.
        """
        model = Model.load(options)
        vocabulary = Vocabulary(model.handle, template=options.get("template"), n_ctx=model.n_ctx)
        vocabulary.try_template()
        kept = options.get("prefixes")
        prefixes = PrefixFiles(Path(kept["folder"]), limit_bytes=kept["limit_bytes"]) if kept else None
        return cls(model, vocabulary, max_running=options.get("max_running", 1), exact=options.get("exact", False), prefixes=prefixes)

    def warm_up(self) -> None:
        """Try the model out; what this processor cannot run ends the process here."""
        self._model.warm_up()

    @property
    def busy(self) -> bool:
        """Whether a step would do anything."""
        return self.scheduler.busy

    def submit(self, job: dict[str, Any]) -> None:
        """Queue a request under its number `id`.

        Raises:
            BadTemplate: the chat template cannot be rendered.
            BadConfig: the constraint cannot be kept, or the sampling is not possible.
            ContextTooLong: the prompt leaves no room for a single token.
        """
        begun = Beginning.of(job, self._vocabulary)
        matcher = self._matcher_of(job["constraint"])
        sampler = Sampler(self._vocabulary, job["sampling"], seed=job["seed"], matcher=matcher)
        answer = Answer(job, begun, sampler, self._model, self._vocabulary)
        self._answers[job["id"]] = answer
        self.scheduler.add(answer)

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
        answer = self._answers.pop(number, None)
        if answer is None:
            return False
        self.scheduler.cancel(answer)
        answer.close()
        return True

    def entered(self) -> list[int]:
        """Return the numbers of the requests that were let in since this was asked last."""
        entered, self.scheduler.entered = self.scheduler.entered, []
        return [task.number for task in entered if isinstance(task, Answer)]

    def pieces(self) -> list[tuple[int, dict[str, Any]]]:
        """Return what the texts of those that are told while they grow have grown by since this was asked last."""
        streaming = [answer for answer in self._answers.values() if answer.streams]
        return [(answer.number, piece) for answer in streaming if (piece := answer.piece()) is not None]

    def step(self) -> list[tuple[int, dict[str, Any]]]:
        """Decode one batch; return the requests it completed, with their replies."""
        started = time.perf_counter()
        finished = self.scheduler.step()
        seconds = time.perf_counter() - started
        self._step_s += seconds
        if seconds > SLOW_STEP_S:
            self.scheduler.n_batch = max(MIN_BATCH, self.scheduler.n_batch // 2)
        replies = []
        for answer in finished:
            assert isinstance(answer, Answer)
            del self._answers[answer.number]
            answer.close()
            replies.append((answer.number, answer.reply()))
        return replies

    def info(self) -> dict[str, Any]:
        """Return what is known only after loading, and what was done so far."""
        counts = self.scheduler.counts
        return {
            "n_ctx": self._model.n_ctx,
            "n_cells": self._model.n_cells,
            "threads": self._model.threads,
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
            "native_s": self._model.native_s,
            "running": self.scheduler.n_running,
            "preempted": counts.preempted,
            "kept_cells": self.scheduler.tree.n_cells,
        }

    def measure(self) -> dict[str, Any]:
        """Measure how fast this machine reads and writes with this model; drops what is cached.

        Raises:
            BadConfig: requests are under way.
        """
        if self.busy:
            raise BadConfig("the model cannot be measured while requests are in progress", hint="wait for them")
        self.scheduler.tree.clear()
        return measure(self._model, vocabulary_size=self._vocabulary.n_tokens)
