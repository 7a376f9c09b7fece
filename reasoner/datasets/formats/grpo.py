"""TRL's conversational prompt-only format, with what verifies an answer: `{"prompt": [messages], "solver": str, "instance": str, "pass_rate": float}`.

`reasoner.datasets.reward.verified` is a reward function that reads the two columns: `GRPOTrainer(reward_funcs=[verified], ...)`.
Source: TRL documentation, "Dataset formats and types" and "GRPO Trainer, custom reward functions".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Kind, Prompt, asked


class Grpo(Format):
    """Reinforcement learning with a verifier."""

    name: ClassVar[str] = "grpo"
    summary: ClassVar[str] = "TRL GRPOTrainer and RLOOTrainer: prompt, and the problem whose verifier rewards"
    kinds: ClassVar[tuple[Kind, ...]] = ("prompt",)

    def row(self, record: Prompt) -> dict[str, Any]:
        """Return the prompt and the verifier's reference."""
        return {"prompt": asked(record.messages), "solver": record.solver, "instance": record.instance, "pass_rate": record.pass_rate}

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return {"prompt": [_shape.message(())], "solver": "", "instance": "", "pass_rate": 0.5}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        return {
            "messages": _turns.messages(row["prompt"]),
            "solver": str(row["solver"]),
            "instance": str(row["instance"]),
            "pass_rate": float(row.get("pass_rate", -1.0)),
        }
