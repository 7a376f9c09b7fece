"""Have a model converted, or a form chosen for it: in a process of its own, since the quantizer is native code and takes minutes at times.

    convert(cache, source, "q8_0", tell=print, started=remember)   # Entry(form="q8_0", ...); "converting local to q8_0, once ..." while it works
    choose(cache, source, tell=print, started=remember)            # {"form": "q8_0", "measured": {...}}: what `auto` is on this machine

Both block, and return at once what is there already. Knows processes; the work is in `reasoner.clients.llamacpp.worker.convert`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Any

from reasoner.clients.llamacpp.cores import free_cores
from reasoner.clients.llamacpp.forms import Entry, Form, FormCache, Source
from reasoner.clients.llamacpp.frames import BrokenFrame, encode_frame, read_frame
from reasoner.clients.llamacpp.process import NATIVE_FAULTS, worker_environment
from reasoner.errors import BadConfig
from reasoner.text import clean, shorten

Tell = Callable[[str], None]
Started = Callable[[subprocess.Popen[bytes]], None]
"""Told of the process, by who may want to end it."""

COMMAND = (sys.executable, "-P", "-m", "reasoner.clients.llamacpp.worker.convert")


def convert(cache: FormCache, source: Source, form: Form, *, tell: Tell, started: Started) -> Entry:
    """Return the entry of a form, converted now unless it is there.

    Raises:
        BadConfig: it cannot be converted.
    """
    known = cache.find(source.key(form))
    return known or Entry.model_validate(_asked(cache, source, {"op": "convert", "form": form}, tell, started))


def choose(cache: FormCache, source: Source, *, tell: Tell, started: Started) -> dict[str, Any]:
    """Return what `auto` is for a file on this machine, with what was measured; measured now unless it is remembered.

    Raises:
        BadConfig: nothing can be measured.
    """
    return cache.choice(source.key("auto")) or _asked(cache, source, {"op": "choose"}, tell, started)


def _asked(cache: FormCache, source: Source, job: dict[str, Any], tell: Tell, started: Started) -> dict[str, Any]:
    job |= {"source": source.as_dict(), "folder": str(cache.folder), "limit_bytes": cache.limit_bytes, "threads": free_cores()}
    code, reply, said = _run(job | {"plain": False}, tell, started)
    if -code in NATIVE_FAULTS:
        # The kernels chosen for this processor may not run on it; the plain ones do.
        code, reply, said = _run(job | {"plain": True}, tell, started)
    if reply is None:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        raise BadConfig(f"{source.path} could not be converted: the process {how}{said}", hint="use `form=as-is`")
    if reply["event"] == "error":
        raise BadConfig(reply["message"], hint=reply["hint"])
    found: dict[str, Any] = reply["found"]
    return found


def _run(job: dict[str, Any], tell: Tell, started: Started) -> tuple[int, dict[str, Any] | None, str]:
    """Run the process; return its exit code, its last frame that is no progress, and the end of what it wrote on stderr."""
    # A file, not a pipe: nobody reads it before the end, and a full pipe would hold the process up.
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(  # noqa: S603 - our own module, run by our own interpreter
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, bufsize=0, env=worker_environment(), start_new_session=True
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            try:
                started(process)
                process.stdin.write(encode_frame(job))
                reply = _last(process.stdout, tell)
            except (BrokenPipeError, BrokenFrame):
                reply = None
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        stderr.seek(0)
        said = "" if reply else shorten(" ".join(clean(stderr.read(1 << 16).decode("utf-8", "replace")).split())[-300:], 300)
    return process.returncode, reply, f"; it last said: {said}" if said else ""


def _last(stdout: IO[bytes], tell: Tell) -> dict[str, Any] | None:
    while (frame := read_frame(stdout.fileno())) is not None:
        if frame["event"] != "progress":
            return frame
        tell(str(frame["text"]))
    return None
