"""What an expert iteration may be told.

Options(families=("number_path", "countdown"), strategy="ats:layout=fan", rounds=3, levels={"countdown": (1, 2)})
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reasoner.clients.llamacpp.file_hash import file_sha256


class Options(BaseModel):
    """All that shapes the rounds. The same folder goes on only with the same options, but for how long and on how many threads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    families: tuple[str, ...] = Field(min_length=1)
    """Problem families, `question:FILE` too."""
    model: str = "local"
    """`local` or a GGUF file."""
    strategy: str = "cot"
    """What is sampled, evaluated and learned: a strategy of one call to a problem gives rows that a model can answer in one call."""
    adapter: Path | None = None
    """The adapter to begin with; None begins with the model as it is, without the one shipped for `local`."""
    teacher: int = Field(default=0, ge=0)
    """Problems of each family, at the first level of its ladder, that the exact solver shows before the first round."""
    rounds: int = Field(default=3, ge=1, le=100)
    levels: dict[str, tuple[int, ...]] = {}
    """The ladder of a family, easiest first; all its levels where it is not named."""
    n: int = Field(default=64, ge=1)
    """Problems of each family that are sampled in a round."""
    samples: int = Field(default=4, ge=1, le=1000)
    """Tries at each of them."""
    temperature: float = Field(default=0.8, gt=0, le=2)
    max_tokens: int = Field(default=512, ge=1)
    """The most tokens of an answer."""
    keep: int = Field(default=2, ge=1)
    """Right answers of one problem that are learned: the shortest, and those that differ most from it."""
    objective: Literal["sft", "dpo"] = "sft"
    """`sft` learns right answers; `dpo` does, and learns after it to prefer them to the wrong answers to the same problems."""
    train_from: Literal["last", "first"] = "last"
    """Go on from the last round's adapter, or begin each training where the first round began."""
    patience: int = Field(default=1, ge=1)
    """Rounds without a gain after which the loop ends."""
    held_out: int = Field(default=24, ge=1)
    """Sealed problems of each family and level, and half as many that decide whether a round gained."""
    eval_temperature: float = Field(default=0.0, ge=0, le=2)
    """The temperature of the answers that decide and of the sealed ones; 0 is greedy."""
    epochs: float = Field(default=2.0, gt=0, le=1000)
    learning_rate: float = Field(default=5e-4, gt=0, le=1)
    rank: int = Field(default=16, ge=1, le=512)
    alpha: int = Field(default=32, ge=1)
    batch: int = Field(default=8, ge=1, le=1024)
    n_ctx: int = Field(default=2048, ge=64)
    """The most tokens of a row that is learned."""
    compiled: bool = False
    """Compile the layers before each training."""
    threads: int | None = Field(default=None, ge=1)
    concurrency: int | None = Field(default=None, ge=1)
    exact: bool = False
    """Answer one request at a time: the same request then gives the same text, whatever is asked beside it."""
    seed: int = 0

    def identity(self) -> dict[str, Any]:
        """Return what has to be the same for a folder to go on: rounds may be added, and threads changed."""
        made = self.model_dump(mode="json", exclude={"rounds", "patience", "threads", "concurrency", "compiled"})
        return made | {"adapter": file_sha256(self.adapter) if self.adapter is not None else None}
