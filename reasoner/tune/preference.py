"""Losses on preferences and labels: what TRL's DPO and KTO trainers compute, on log-probabilities of whole replies.

    dpo_loss(chosen, rejected, chosen_before, rejected_before, beta=0.1)  -> ln 2 where the policy is what it was before

The reference is the base without its adapter, so no second model is held. Knows tensors; knows no model.
Source: Rafailov et al. 2023, "Direct Preference Optimization", equation 7; Ethayarajh et al. 2024, "KTO: Model Alignment as Prospect
Theoretic Optimization", section 4.1; TRL, `loss_type="sigmoid"` and `loss_type="kto"`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.tune.batches import Encoded


def dpo_loss(chosen: Any, rejected: Any, chosen_before: Any, rejected_before: Any, *, beta: float) -> Any:
    """Return the summed loss of pairs; each argument holds the log-probability of a reply per pair."""
    margin = (chosen - chosen_before) - (rejected - rejected_before)
    return -torch.nn.functional.logsigmoid(beta * margin).sum()


def kto_loss(policy: Any, before: Any, good: Any, divergence: Any, *, beta: float) -> Any:
    """Return the summed loss of labelled replies; `good` is a mask, `divergence` an estimate of how far the policy has moved, not below 0."""
    moved = policy - before
    return torch.where(good, 1 - torch.sigmoid(beta * (moved - divergence)), 1 - torch.sigmoid(beta * (divergence - moved))).sum()


def mismatched(rows: Sequence[Encoded]) -> list[Encoded]:
    """Return each prompt with the reply of the next row: what the divergence is estimated on."""
    turned = [*rows[1:], *rows[:1]]
    return [
        type(row)((*row.tokens[: row.n_prompt], *other.tokens[other.n_prompt :]), row.n_prompt)
        for row, other in zip(rows, turned, strict=True)
    ]
