"""verl: `{"data_source", "prompt": [messages], "ability", "reward_model": {"style", "ground_truth"}, "extra_info"}`, best written as Parquet.

The reward is `compute_score` of `reasoner/datasets/reward.py`: `custom_reward_function.path=FILE custom_reward_function.name=compute_score`, where
FILE is what `python -c "import reasoner.datasets.reward as r; print(r.__file__)"` prints.
Source: verl documentation, "Prepare Data for Post-Training" and "Implement Reward Function for Dataset".
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Kind, Prompt, asked


class Verl(Format):
    """Reinforcement learning with verl."""

    name: ClassVar[str] = "verl"
    summary: ClassVar[str] = "verl (PPO, GRPO): prompt, and the problem that compute_score judges; write .parquet"
    kinds: ClassVar[tuple[Kind, ...]] = ("prompt",)

    def row(self, record: Prompt) -> dict[str, Any]:
        """Return the prompt and what its answers are judged by."""
        return {
            "data_source": record.solver,
            "prompt": asked(record.messages),
            "ability": "reasoning",
            "reward_model": {"style": "rule", "ground_truth": record.instance},
            "extra_info": {"solver": record.solver, "instance": record.instance, "pass_rate": record.pass_rate, "samples": record.samples},
        }

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        return {
            "data_source": "", "prompt": [_shape.message(())], "ability": "", "reward_model": {"style": "", "ground_truth": ""},
            "extra_info": {"solver": "", "instance": "", "pass_rate": 0.5, "samples": 1},
        }  # fmt: skip

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        more = row["extra_info"]
        return {
            "messages": _turns.messages(row["prompt"]), "solver": str(more["solver"]), "instance": str(more["instance"]),
            "pass_rate": float(more["pass_rate"]), "samples": int(more["samples"]),
        }  # fmt: skip
