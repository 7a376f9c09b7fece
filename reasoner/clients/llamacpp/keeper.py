"""The worker process of some weights: started when it is needed, again after it died, and shared by the clients of these weights.

    keeper = WorkerKeeper(path, weights=(files, options))
    keeper.join()
    await keeper.ask({"op": "info", "seat": ...}, client, silence_s=120)
    await keeper.leave()        # the last one to leave ends the process

Knows processes and strikes: whoever's request ends the worker three times by itself is told so. Does not know what is loaded or asked.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import weakref
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Protocol

from reasoner.clients.llamacpp.process import NATIVE_FAULTS, WorkerDied, WorkerProcess
from reasoner.clients.llamacpp.voice import LocalVoice
from reasoner.errors import BadConfig, EngineLost

MAX_STRIKES = 3
BACKOFF_S = 0.1
CLOSE_GRACE_S = 2.0
OTHER_PROCESSOR = (
    "llama.cpp was built with instructions that this machine does not run; build it without them: "
    "CMAKE_ARGS=-DGGML_NATIVE=OFF pip install --force-reinstall --no-deps --no-binary llama-cpp-python llama-cpp-python"
)
"""What to do after SIGILL, which virtual machines also send for instructions that they say they have."""


class Asker(Protocol):
    """A client, as its keeper sees it."""

    name: str
    closed: bool

    def load(self, *, plain: bool) -> dict[str, Any]:
        """Return what a new worker is told to load; `plain` asks for weights that are not repacked for this processor."""


class WorkerKeeper:
    """See the module. Safe to use from several threads and event loops."""

    def __init__(self, path: Path, *, weights: Hashable) -> None:
        self._path = path
        self.weights = weights
        """What is loaded, and with which options: clients that say the same can share it."""
        self.command: tuple[str, ...] = (sys.executable, "-P", "-m", "reasoner.clients.llamacpp.worker")
        self.plain = False
        """Whether the weights are loaded without being repacked, since the kernels for this processor do not run on it."""
        self._n_clients = 0
        self._lock = threading.Lock()
        self._worker: WorkerProcess | None = None
        self._inherited: WorkerProcess | None = None
        self._ever_loaded = False

    @property
    def worker(self) -> WorkerProcess | None:
        """The running worker, None when there is none."""
        worker = self._worker
        return worker if worker is not None and worker.alive else None

    def join(self) -> None:
        """Count one more client."""
        with self._lock:
            self._n_clients += 1

    async def leave(self) -> None:
        """Count one client less; after the last the worker is ended, and requests under way fail with `EngineLost`."""
        with self._lock:
            self._n_clients -= 1
            if self._n_clients:
                return
            worker, self._worker = self._worker, None
        if worker is not None:
            await asyncio.to_thread(worker.close, CLOSE_GRACE_S)

    async def ask(self, job: dict[str, Any], asker: Asker, *, silence_s: float, voice: LocalVoice | None = None) -> dict[str, Any]:
        """Return the reply to a job, asked again where the worker died over it.

        Raises:
            BadConfig: the model cannot be loaded, or the client is closed.
            EngineLost: the worker died three times over this request and no other, or the client was closed meanwhile.
        """
        strikes = n_deaths = 0
        while True:
            worker = self._running(asker)
            if voice is not None:
                voice.begin()
            try:
                return await worker.ask(job, silence_s=silence_s, hear=voice.take if voice else None)
            except WorkerDied as death:
                n_deaths += 1
                if death.struck:
                    # Each request in flight is retried alone: a crash with several in flight is charged to none.
                    strikes += death.company == 0
                    job = {**job, "alone": True}
                self._judge(death, asker, strikes)
                await asyncio.sleep(BACKOFF_S * 2 ** min(n_deaths, MAX_STRIKES))
            finally:
                self._ever_loaded = self._ever_loaded or worker.loaded

    def _judge(self, death: WorkerDied, asker: Asker, strikes: int) -> None:
        """Raise if the request is not to be asked again."""
        if asker.closed:
            raise EngineLost(f"{asker.name}: the client was closed while a request was in progress", hint="close it after the last answer")
        if death.warming and not self.plain and death.signal_number in NATIVE_FAULTS:
            self.plain = True  # the kernels chosen for this processor do not run on it; the plain ones may
            return
        # A file that crashes the loader would crash it again; a kill from outside, or a model that has loaded before, may try anew.
        if death.loading and not self._ever_loaded and death.signal_number not in {signal.SIGKILL, signal.SIGTERM}:
            raise BadConfig(
                f"the model {self._path} could not be loaded: the worker process did not survive it, {death.reason}",
                hint=OTHER_PROCESSOR
                if death.signal_number == signal.SIGILL
                else "download or convert the file again, and compare its sha256",
            ) from death
        if strikes >= MAX_STRIKES:
            raise EngineLost(
                f"{asker.name}: the worker process died {strikes} times over one request; the last time {death.reason}",
                hint="check free memory, lower n_ctx or max_tokens, or raise token_deadline_s",
            ) from death

    def _running(self, asker: Asker) -> WorkerProcess:
        if self._worker is not None and not self._worker.is_ours:
            # We are a fork of the process that started it: its lock may be held by a thread that is not here, its pipes are not ours.
            self._lock, self._worker, self._inherited = threading.Lock(), None, self._worker
        with self._lock:
            if asker.closed:
                raise BadConfig(f"the client of {asker.name} is closed", hint="open another one")
            if self._worker is None or not self._worker.alive:
                self._worker = WorkerProcess(self.command, load=asker.load(plain=self.plain))
                # Whoever forgets to close the client still leaves no process behind.
                weakref.finalize(self, self._worker.kill, "the client is gone")
            return self._worker
