"""The process that converts a model into another form: it takes one job on its stdin, tells how far it is on what was its stdout, and ends.

Started by `reasoner.clients.llamacpp.conversion` as `python -m reasoner.clients.llamacpp.worker.convert`. Killed at any moment it leaves a folder
that nobody takes for an entry, and the next one removes. Ends with its parent: its stdin is open for as long.

    in:  {"op": "convert" or "choose", "source": {...}, "form": "q8_0", "folder": "...", "limit_bytes": ..., "plain": false}
    out: {"event": "progress", "text": "converting ..."} ..., then {"event": "done", ...} or {"event": "error", "message": ..., "hint": ...}
"""

from __future__ import annotations

import ctypes
import os
import re
import resource
import shutil
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.clients.llamacpp.forms import Entry, Form, FormCache, Quality, Source
from reasoner.clients.llamacpp.frames import read_frame, write_frame
from reasoner.errors import BadConfig, ReasonerError

# llama_ftype of the file, ggml_type of the tables of embeddings and of the output: these keep eight bits where the rest has four.
_TYPES: dict[str, tuple[int, int]] = {"q4_0": (2, 8), "iq4_nl": (25, 8), "q8_0": (7, 8), "f16": (1, 1)}
_BITS = {"q4_0": 6.0, "iq4_nl": 6.0, "q8_0": 8.5, "f16": 16.0}
CANDIDATES: tuple[Form, ...] = ("q8_0", "q4_0", "f16")
"""What `auto` tries: what is converted in seconds."""
MAX_F16_SOURCE_BYTES = 512 << 20
"""A larger file is not tried in 16 bits: reading so many bytes for each token is what limits it then."""
TELL_EVERY_S = 5.0
SPARE_BYTES = 256 << 20

_STEP = re.compile(rb"\[\s*(\d+)/\s*(\d+)\]")


class Converter:
    """One job."""

    def __init__(self, job: dict[str, Any], out_fd: int) -> None:
        self._out_fd = out_fd
        self._source = Source(**job["source"])
        self._cache = FormCache(Path(job["folder"]), limit_bytes=job["limit_bytes"])
        self._threads = int(job["threads"])
        self._plain = bool(job["plain"])
        self._told_at = time.monotonic()
        self._reference: Any = None
        self._follow: Any = None

    def convert(self, form: Form) -> Entry:
        """Return the entry of a form, made now unless it is there.

        Raises:
            BadConfig: it cannot be converted, or there is no room for it.
        """
        key = self._source.key(form)
        try:
            with self._cache.locked(key):
                return self._cache.find(key) or self._made(key, form)
        except OSError as error:
            raise BadConfig(
                f"{self._source.path} cannot be converted to {form} in {self._cache.folder}: {error.strerror or error}",
                hint="name another folder with REASONER_FORMS, or use `form=as-is`",
            ) from error

    def choose(self) -> dict[str, Any]:
        """Return what `auto` is here: the fastest form within the bounds of quality, with what was measured. Remembered.

        Raises:
            BadConfig: nothing can be written.
        """
        name = self._source.key("auto")
        try:
            with self._cache.locked(name):
                known = self._cache.choice(name)
                if known is None:
                    known = self._chosen()
                    self._cache.remember(name, known)
                return known
        except OSError as error:
            raise BadConfig(
                f"the form of {self._source.path} cannot be chosen in {self._cache.folder}: {error.strerror or error}",
                hint="name another folder with REASONER_FORMS, or use `form=as-is`",
            ) from error

    def _chosen(self) -> dict[str, Any]:
        from reasoner.clients.llamacpp.worker.form_speed import MIN_GAIN, gain, speeds_of  # noqa: PLC0415 - native code

        measured: dict[str, Any] = {}
        best: Form = "as-is"
        best_gain = MIN_GAIN
        made: list[Form] = []
        for form in CANDIDATES:
            if form == "f16" and self._source.size_bytes > MAX_F16_SOURCE_BYTES:
                continue
            was_there = self._cache.find(self._source.key(form)) is not None
            try:
                entry = self.convert(form)
            except BadConfig as error:
                measured[form] = {"refused": error.message}
                continue
            if not was_there:
                made.append(form)
            measured[form] = entry.quality.model_dump()
            if not entry.quality.within_bounds:
                self._tell(f"{form} is out of bounds: {entry.quality.told()}")
                continue
            self._tell(f"measuring {form} against the file as it is ...")
            held = self._cache.hold(self._source.key(form))
            if held is None:
                continue  # evicted by another process in between
            models = [self._load(self._source.path), self._load(str(held.model))]
            plain, converted = speeds_of(models)
            for model in models:
                model.close()
            held.release()
            ratios = converted.over(plain)
            measured[form] |= {"speed": asdict(converted), "as_is": asdict(plain), "gain": round(gain(ratios), 3)}
            if gain(ratios) >= best_gain:
                best, best_gain = form, gain(ratios)
        for form in made:
            if form != best:
                self._cache.remove(self._source.key(form))
        return {"form": best, "measured": measured}

    def _made(self, key: str, form: Form) -> Entry:
        folder = self._cache.begin(key)
        try:
            self._check_room(form)
            self._tell(f"converting {self._source.name} to {form}, once ...")
            self._quantize(form, folder / "model.gguf")
            entry = Entry(
                form=form,
                source=self._source.name,
                source_sha256=self._source.sha256,
                quantizer=self._source.quantizer,
                sha256=file_sha256(folder / "model.gguf", remember=False),
                size_bytes=(folder / "model.gguf").stat().st_size,
                quality=self._quality(folder / "model.gguf"),
            )
            self._cache.commit(key, folder, entry)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return entry

    def _check_room(self, form: Form) -> None:
        needed = int(self._source.size_bytes * max(1.0, _BITS[form] / 4.0)) + SPARE_BYTES
        free = shutil.disk_usage(self._cache.folder).free
        if free < needed:
            raise BadConfig(
                f"{self._source.path} in the form {form} may need {needed >> 20} MiB, and {self._cache.folder} has {free >> 20} MiB left",
                hint="name another folder with REASONER_FORMS, or use `form=as-is`",
            )

    def _quantize(self, form: Form, target: Path) -> None:
        import llama_cpp  # noqa: PLC0415 - native code, loaded by the process that needs it

        self._listen(f"converting {self._source.name} to {form}")
        params = llama_cpp.llama_model_quantize_default_params()
        params.ftype, table = _TYPES[form]
        params.output_tensor_type = params.token_embedding_type = table
        params.pure = params.allow_requantize = True
        params.nthread = self._threads
        status = llama_cpp.llama_model_quantize(self._source.path.encode(), str(target).encode(), ctypes.byref(params))
        if status != 0 or not target.is_file():
            raise BadConfig(f"{self._source.path} cannot be converted to {form}: llama.cpp's quantizer refuses it", hint="use `form=as-is`")

    def _quality(self, converted: Path) -> Quality:
        from reasoner.clients.llamacpp.worker.quality import distance, next_tokens, text_tokens  # noqa: PLC0415 - native code

        self._tell("measuring its quality ...")
        if self._reference is None:
            model = self._load(self._source.path, threads=self._threads)
            tokens = text_tokens(model, Path(self._source.text))
            self._reference = tokens, next_tokens(model, tokens)
            model.close()
        model = self._load(str(converted), threads=self._threads)
        tokens, reference = self._reference
        found = distance(reference, next_tokens(model, tokens))
        model.close()
        return found

    def _load(self, path: str, *, threads: int = 1) -> Any:
        from reasoner.clients.llamacpp.worker.model import Model  # noqa: PLC0415 - native code

        self._listen("")
        return Model.load({"path": path, "n_ctx": 1024, "threads": threads, "plain": self._plain})

    def _listen(self, doing: str) -> None:
        """Follow what llama.cpp says from now on; all but the number of the tensor it has come to is dropped."""
        import llama_cpp  # noqa: PLC0415 - native code

        def follow(_level: int, text: bytes, _data: Any) -> None:
            step = _STEP.search(text) if doing else None
            if step is not None:
                self._tell_now_and_then(f"{doing}: {int(step[1])} of {int(step[2])} tensors")

        self._follow = llama_cpp.llama_log_callback(follow)  # must live as long as llama.cpp may call it
        llama_cpp.llama_log_set(self._follow, ctypes.c_void_p(0))

    def _tell(self, text: str) -> None:
        write_frame(self._out_fd, {"event": "progress", "text": text})

    def _tell_now_and_then(self, text: str) -> None:
        if time.monotonic() - self._told_at > TELL_EVERY_S:
            self._told_at = time.monotonic()
            self._tell(text)


def main() -> int:
    """Do the job that stands on stdin, and say how it ended."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Native code prints where it likes; from here on that is stderr, and the frames have a descriptor of their own.
    out_fd, in_fd = os.dup(1), os.dup(0)
    os.dup2(2, 1)
    job = read_frame(in_fd)
    if job is None:
        return 1
    threading.Thread(target=_end_with_parent, args=(in_fd,), name="parent", daemon=True).start()
    converter = Converter(job, out_fd)
    try:
        found = converter.choose() if job["op"] == "choose" else converter.convert(job["form"]).model_dump(mode="json")
    except ReasonerError as error:
        write_frame(out_fd, {"event": "error", "message": error.message, "hint": error.hint})
    else:
        write_frame(out_fd, {"event": "done", "found": found})
    return 0


def _end_with_parent(in_fd: int) -> None:
    os.read(in_fd, 1)
    os._exit(1)


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # No clean-up on the way out: destructors of native objects are one more place to crash.
    os._exit(code)
