"""The reward for `grpo` files: 1.0 for an answer its solver verifies, 0.0 for any other.

    GRPOTrainer(model, reward_funcs=[verified], train_dataset=load_dataset("json", data_files="grpo.jsonl", split="train"))

`compute_score` is the same for verl (`custom_reward_function.path=THIS FILE`, `name=compute_score`).

Deterministic, free of side effects, and never raises on any text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner import registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def verified(completions: Sequence[Any], solver: Sequence[str], instance: Sequence[str], **_columns: Any) -> list[float]:
    """Return one reward per completion (a text, or a list of messages whose last counts), as TRL asks for them.

    Raises:
        UnknownName: a solver is not installed.
        BadInstance: an instance does not follow its solver's syntax.
    """
    rewards: list[float] = []
    for completion, name, line in zip(completions, solver, instance, strict=True):
        text = completion if isinstance(completion, str) else str(completion[-1].get("content") or "") if completion else ""
        judge = registry.solver(name)
        rewards.append(float(bool(judge.verify(judge.parse(line), text).correct)))
    return rewards


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any] | None = None, **_more: Any
) -> float:
    """Return the reward of one reply as verl asks for it; the family is the row's `data_source`, the problem its `ground_truth`.

    Raises:
        UnknownName: the solver is not installed.
        BadInstance: the problem does not follow its solver's syntax.
    """
    name = str((extra_info or {}).get("solver") or data_source)
    return verified([solution_str], [name], [ground_truth])[0]
