"""Groups: all replies to one prompt with their rewards, as GRPO off-policy, rejection sampling and reward models take them.

    {"prompt": [messages], "completions": [[message], ...], "rewards": [1.0, 0.0, ...], "pass_rate": 0.25, "solver": str, "instance": str}

Replies are in the order they were made; a wrong one has the verdict's score, 0 where it has none. With `--tokens`, `prompt_ids`, `completion_ids` and `logprobs`
(one a token, natural) are what the model read and wrote: the ids decode, without control tokens, to the reply.
"""

from __future__ import annotations

from typing import Any, ClassVar

from reasoner.datasets.formats import Format, _shape, _turns
from reasoner.datasets.records import Group, Kind, asked, said
from reasoner.errors import DataError


class Grouped(Format):
    """n replies a prompt."""

    name: ClassVar[str] = "grouped"
    summary: ClassVar[str] = "all replies to a prompt with their rewards and the pass rate"
    kinds: ClassVar[tuple[Kind, ...]] = ("group",)
    thinking_field: ClassVar[bool] = True

    def row(self, record: Group) -> dict[str, Any]:
        """Return prompt, replies and rewards."""
        replies = [[said(text, thought, record.thinking_key)] for text, thought in zip(record.texts, record.thoughts, strict=True)]
        return {
            "prompt": asked(record.messages, record.thinking_key), "completions": replies, "rewards": record.rewards, "pass_rate": record.pass_rate,
            "solver": record.solver, "instance": record.instance, **_recorded(record),
        }  # fmt: skip

    def example(self, kind: Kind, thoughts: tuple[str, ...]) -> dict[str, Any]:  # noqa: ARG002 - it has one
        """Return a whole row."""
        replies = [[{**_shape.PLAIN, **dict.fromkeys(thoughts, "")}]]
        return {
            "prompt": [_shape.message(thoughts)], "completions": replies, "rewards": [0.5], "pass_rate": 0.5, "solver": "", "instance": "",
        }  # fmt: skip

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row."""
        replies = [_turns.reply(one) for one in row["completions"]]
        rewards = [float(one) for one in row["rewards"]]
        if len(replies) != len(rewards):
            raise DataError("completions and rewards are not lists of one length")
        return {
            "messages": _turns.messages(row["prompt"]), "texts": [one.content for one in replies], "thoughts": [one.reasoning for one in replies],
            "rewards": rewards, "pass_rate": float(row["pass_rate"]), "solver": str(row["solver"]), "instance": str(row["instance"]),
            **({"prompt_ids": row["prompt_ids"], "token_ids": row["completion_ids"], "logprobs": row["logprobs"]} if "completion_ids" in row else {}),
        }  # fmt: skip


def _recorded(record: Group) -> dict[str, Any]:
    """Return the columns of the tokens, where there are any."""
    if not record.token_ids:
        return {}
    return {"prompt_ids": record.prompt_ids, "completion_ids": record.token_ids, "logprobs": record.logprobs}
