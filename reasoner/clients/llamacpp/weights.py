"""The weights a local model answers with: the file as it is, or another form of it, converted once and held while it is in use.

    weights = Weights("local", path, [path], form="q8_0")
    weights.prepare(print)      # "converting local to q8_0, once ..." the first time; blocks
    weights.path                # what the worker loads

Knows the cache of forms and the process that converts. Starts nothing where the form is `as-is`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reasoner.assets import asset_dir
from reasoner.clients.llamacpp.conversion import Tell, choose, convert
from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.clients.llamacpp.forms import RECIPE, Form, FormCache, Held, Quality, Source
from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Sequence


class Weights:
    """See the module. Safe to use from several threads."""

    def __init__(self, name: str, path: Path, parts: Sequence[Path], *, form: Form | Literal["auto"]) -> None:
        self.name = name
        self.source = path
        self._parts = list(parts)
        self._wanted = form
        self._form: Form | None = None if form == "auto" else form
        self._chosen: dict[str, Any] | None = None
        self._held: Held | None = None
        self._lock = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ready(self) -> bool:
        """Whether nothing has to be done before they can be loaded."""
        return self._form == "as-is" or self._held is not None

    @property
    def path(self) -> Path:
        """The file to load, once they are ready."""
        return self._held.model if self._held is not None else self.source

    @property
    def quality(self) -> Quality | None:
        """How far they are from the file as it is; None where they are that, or are not ready."""
        return self._held.entry.quality if self._held is not None else None

    @property
    def chosen(self) -> dict[str, Any] | None:
        """What `auto` measured; None before, and where the form was named."""
        return self._chosen

    def sha256(self) -> str:
        """Return the sha256 of the file as it is; of a split model that of the list of its parts' sums."""
        sums = [file_sha256(part) for part in self._parts]
        return sums[0] if len(sums) == 1 else digest("parts", *sums)

    def form(self) -> Form:
        """Return the form; with `auto` this may measure it, and block.

        Raises:
            BadConfig: it cannot be measured.
        """
        with self._lock:
            if self._form is None:
                self._chosen = choose(FormCache.default(), self.described(), tell=_silent, started=self._remember)
                self._form = self._chosen["form"]
            return self._form

    def identity(self) -> tuple[str, ...]:
        """Return what a fingerprint adds for them: nothing for the file as it is."""
        form = self.form()
        return () if form == "as-is" else (f"form:{form}", RECIPE)

    def prepare(self, tell: Tell) -> None:
        """Convert them unless that was done, and hold them.

        Raises:
            BadConfig: they cannot be converted.
        """
        with self._lock:
            if self.ready:
                return
            cache, source = FormCache.default(), self.described()
            if self._wanted == "auto" and self._chosen is None:
                if cache.choice(source.key("auto")) is None:
                    tell(f"choosing a form for {self.name}, once ...")
                self._chosen = choose(cache, source, tell=tell, started=self._remember)
                self._form = self._chosen["form"]
                if self._form == "as-is":
                    tell(f"{self.name} is used as it is: no other form is faster here within the bounds of quality")
                    return
            form = self.form()
            while self._held is None:
                convert(cache, source, form, tell=tell, started=self._remember)
                # None where another process evicted it in between.
                self._held = cache.hold(source.key(form))
            quality = self._held.entry.quality
            bounds = "" if quality.within_bounds else "; outside the bounds within which `form=auto` would use it"
            tell(f"{self.name} in the form {form}, against the file as it is: {quality.told()}{bounds}")

    def stop(self) -> None:
        """End a conversion that is under way; whoever waits for it gets `BadConfig`."""
        process = self._process
        if process is not None and process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def release(self) -> None:
        """Let the converted file go. Safe to call twice."""
        held, self._held = self._held, None
        if held is not None:
            held.release()

    def _remember(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def described(self) -> Source:
        """Return what a converter is told of the file."""
        text = asset_dir("corpora") / "forms" / "text.txt"
        size = sum(part.stat().st_size for part in self._parts)
        return Source(str(self.source), self.name, self.sha256(), size, library_version(), str(text))


def library_version() -> str:
    """Return the version of llama-cpp-python."""
    try:
        return version("llama_cpp_python")
    except PackageNotFoundError:
        return "unknown"


def _silent(_text: str) -> None:
    return
