"""The base model: weights and tokenizer out of a GGUF file, through transformers; nothing is fetched.

Knows which architectures an adapter can be written for, and how a conversation becomes tokens (by the chat template inside the file,
as the local engine does it). Does not train.

    base = load_base(Path("model.gguf"), header, device="cpu", dtype="bfloat16")
    base.model, base.tokenizer, base.blocks
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.clients.llamacpp.adapter import base_name
from reasoner.clients.llamacpp.gguf_header import read_header, shown
from reasoner.errors import BadConfig, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reasoner.clients.llamacpp.gguf_header import GgufHeader

PERMUTED = frozenset({"llama"})
"""Architectures whose rows of Q and K llama.cpp keeps in another order than transformers."""

ARCHITECTURES = PERMUTED | {"qwen2"}
"""What an adapter can be written for; each is held against llama.cpp by a test or by the check in docs/guides/tune.md."""


@dataclass(slots=True)
class Base:
    """A loaded base."""

    path: Path
    header: GgufHeader
    model: Any
    tokenizer: Any

    @property
    def name(self) -> str:
        """What the file calls the model."""
        return base_name(self.header, self.path)


def require() -> None:
    """Check that the extra is there.

    Raises:
        MissingDependency: torch, transformers, peft or gguf is not installed.
    """
    for name in ("torch", "transformers", "peft", "gguf"):
        if importlib.util.find_spec(name) is None:
            raise MissingDependency(name, extra="tune")


def require_compiler() -> None:
    """Check that what `Options.compiled` asks for can be had.

    Raises:
        BadConfig: no C++ compiler is installed.
    """
    if not any(shutil.which(name) for name in (os.environ.get("CXX"), "g++", "clang++") if name):
        raise BadConfig(
            "`compiled` needs a C++ compiler, and none is installed", hint="install g++, name yours in CXX, or leave `compiled` out"
        )


def read_base(path: Path) -> GgufHeader:
    """Read the header and refuse what no adapter can be written for.

    Raises:
        BadConfig: the file is damaged, an adapter itself, or of an architecture whose tensors cannot be mapped.
    """
    header = read_header(path)
    if header.kind != "model":
        raise BadConfig(f"{path} is {shown(header.kind)}, not a model", hint="name the model to tune")
    if header.values.get("split.count", 1) not in {0, 1}:
        raise BadConfig(
            f"{path} is one part of a split model, and is tuned as one file", hint="join the parts with llama-gguf-split --merge"
        )
    if header.architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise BadConfig(f"{path} has the architecture {shown(header.architecture)}, which cannot be mapped", hint=f"one of: {known}")
    if header.chat_template is None:
        raise BadConfig(
            f"{path} has no chat template, so its prompts cannot be written as the engine writes them", hint="use an instruct model"
        )
    return header


def load_base(path: Path, header: GgufHeader, *, dtype: str = "bfloat16", device: str = "cpu", quantized: bool = False) -> Base:
    """Load weights (dequantized; again in four bits with `quantized`) and tokenizer. Takes seconds to minutes.

    Raises:
        BadConfig: transformers cannot read the file.
    """
    import torch  # noqa: PLC0415 - the extra, loaded when it is used
    import transformers  # noqa: PLC0415

    more: dict[str, Any] = {}
    if quantized:
        more = {"quantization_config": transformers.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)}
    where = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name, "local_files_only": True}
    try:
        with _quiet():
            tokenizer = transformers.AutoTokenizer.from_pretrained(**where)
            model = transformers.AutoModelForCausalLM.from_pretrained(**where, dtype=getattr(torch, dtype), **more)
    except (OSError, ValueError, KeyError, NotImplementedError) as error:
        raise BadConfig(f"transformers cannot read the model {path}: {error}", hint="use a model of another quantization") from error
    if not quantized:
        model.to(device)
    tokenizer.chat_template = header.chat_template
    return Base(path, header, model, tokenizer)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep progress bars and remarks of the loader off the terminal."""
    logger = logging.getLogger("transformers")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
