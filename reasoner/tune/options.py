"""What a training may be told, and what it tells: options, progress and the report.

Options(model="local", rank=16, learning_rate=1e-3, epochs=3, minutes=20)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoner.clients.llamacpp.file_hash import file_sha256

Device = Literal["auto", "cpu", "cuda"]
Objective = Literal["sft", "dpo", "kto"]


class Options(BaseModel):
    """All that shapes a training. What changes its outcome is part of its identity: a checkpoint of other options is not resumed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    objective: Objective = "sft"
    """`sft`: learn replies. `dpo`: prefer one reply to another (rows of `reasoner export dpo`). `kto`: labelled replies (`export kto`)."""
    beta: float = Field(default=0.1, gt=0)
    """How closely `dpo` and `kto` keep to the base."""
    model: str = "local"
    """`local` or a GGUF file."""
    held_out: Path | None = None
    """Rows to measure the loss on that are not trained on."""
    start: Path | None = None
    """An adapter over the same base, of the same rank and alpha, to go on from; its optimizer starts anew."""
    rank: int = Field(default=16, ge=1, le=512)
    alpha: int = Field(default=32, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    """The highest; it rises over the first steps and falls linearly to zero."""
    warmup: float = Field(default=0.03, ge=0, lt=1)
    """The share of the training in which the learning rate rises."""
    epochs: float = Field(default=3.0, gt=0, le=1000)
    batch: int = Field(default=8, ge=1, le=1024)
    max_tokens: int = Field(default=0, ge=0)
    """Stop after so many tokens; 0 leaves it to epochs and minutes."""
    minutes: float = Field(default=0.0, ge=0)
    """Stop after so many minutes, the learning rate falling to zero by then; 0 leaves it to the epochs."""
    n_ctx: int = Field(default=2048, ge=64)
    """The most tokens a row may have, prompt and completion."""
    seed: int = 0
    device: Device = "auto"
    threads: int | None = Field(default=None, ge=1)
    quantized: bool = False
    """QLoRA: keep the base in four bits (CUDA and bitsandbytes only)."""
    compiled: bool = False
    """Translate the layers for this machine first: about a minute, then every step is faster. Needs a C++ compiler."""
    checkpoint_s: float = Field(default=60.0, ge=0)
    fresh: bool = False
    """Start anew even where a checkpoint could be resumed."""

    def identity(self) -> dict[str, Any]:
        """Return what two trainings have in common when one can go on where the other stopped."""
        hidden = {"start", "held_out", "threads", "checkpoint_s", "fresh", "device", "minutes"}
        if self.objective == "sft":
            hidden |= {"objective", "beta"}  # trainings of earlier versions have neither
        made = {k: v for k, v in self.model_dump(mode="json").items() if k not in hidden}
        return made | ({"start": file_sha256(self.start)} if self.start is not None else {})


class Estimate(BaseModel):
    """What a training is expected to need. `seconds` is measured on one batch; None before that."""

    model_config = ConfigDict(frozen=True)

    rows: int
    tokens_per_epoch: int
    longest: int
    steps: int
    memory_bytes: int
    available_bytes: int | None
    seconds: float | None = None


class Progress(BaseModel):
    """How far a training is. `loss` is the mean over the completions' tokens since the last report."""

    model_config = ConfigDict(frozen=True)

    step: int
    steps: int
    epoch: float
    loss: float
    held_out_loss: float | None
    tokens: int
    tokens_per_s: float
    elapsed_s: float
    eta_s: float


class Report(BaseModel):
    """What came of a training."""

    model_config = ConfigDict(frozen=True)

    adapter: str
    sha256: str
    size_bytes: int
    steps: int
    epochs: float
    tokens: int
    completion_tokens: int
    seconds: float
    tokens_per_s: float
    first_loss: float
    last_loss: float
    held_out_before: float | None
    held_out_after: float | None
    resumed: bool
    stopped_by: Literal["epochs", "minutes", "tokens"]
