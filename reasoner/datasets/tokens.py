"""Count tokens with a model's own tokenizer, and learn its control tokens; in a process of its own, since a GGUF file may end it.

    with Tokenizer("local") as tokenizer:
        tokenizer.count("Answer: 9 -> 10"), tokenizer.control[:2]      -> 8, ["<|endoftext|>", "<|im_start|>"]

Only the vocabulary is loaded, no weights. Needs the extra `local`.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from reasoner.errors import BadConfig, EngineLost, MissingDependency
from reasoner.sandbox.child_environment import child_environment

PATIENCE_S = 120.0


class Tokenizer:
    """The tokenizer of `local` or of a GGUF file."""

    def __init__(self, name: str) -> None:
        self.name = name
        path = _path(name)
        env = child_environment(GGML_NO_BACKTRACE="1", PYTHONPATH=os.pathsep.join(path or str(Path.cwd()) for path in sys.path))
        command = [sys.executable, "-m", "reasoner.datasets._token_worker", str(path)]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env, start_new_session=True
        )
        try:
            self.control: list[str] = self._answer()["control"]
        except BaseException:
            self.close()
            raise

    def count(self, *texts: str) -> int:
        """Return how many tokens the texts are, taken one by one; control tokens in them count as the plain text they are.

        Raises:
            EngineLost: the tokenizer's process ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(texts).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._lost() from error
        found: int = self._answer()["tokens"]
        return found

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], PATIENCE_S)[0]:
            raise self._lost()
        line = self._process.stdout.readline()
        try:
            value: dict[str, Any] = json.loads(line)
        except ValueError as error:
            raise self._lost() from error
        return value

    def _lost(self) -> EngineLost:
        return EngineLost(
            f"the process that tokenizes for {self.name} ended or hangs", hint="check the model file, or leave `tokenizer` out"
        )

    def close(self) -> None:
        """End the process. Safe to call twice."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # what was still unsent no longer matters

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _path(name: str) -> Path:
    try:
        import llama_cpp  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        raise MissingDependency("llama-cpp-python, whose tokenizer is asked for,", extra="local") from error
    from reasoner.clients.llamacpp import bundled_model  # noqa: PLC0415
    from reasoner.clients.llamacpp.gguf_header import read_header  # noqa: PLC0415

    path = bundled_model() if name == "local" else Path(name)
    if not path.is_file():
        raise BadConfig(f"there is no model file {name!r} to take a tokenizer from", hint="give local, or a path to a .gguf")
    read_header(path)
    return path
