"""The conversation of an agent, whole, and in the shorter forms it is asked in where it does not fit in the model's context.

The rule, in this order, and recorded with every answer (`shortened` in its state):

1. what tools gave back before the last two steps is cut to its first 300 characters;
2. so is what they gave back before the last step;
3. only the last two steps stay, each result cut to 2,000 characters, after a line that says how many steps are left out.

The task itself always stays whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from reasoner.types import Message

CUT_CHARS = 300
LAST_CHARS = 2000
KEPT_STEPS = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One turn of the model, and what it was told then."""

    turn: Message
    told: tuple[Message, ...]


def whole(task: str, steps: list[Step]) -> list[Message]:
    """Return the conversation as it was."""
    return [Message("user", task), *(message for step in steps for message in (step.turn, *step.told))]


def shorter(task: str, steps: list[Step]) -> list[list[Message]]:
    """Return the shorter forms, the longest first; those that leave nothing out are not among them."""
    forms = []
    for n_whole in (KEPT_STEPS, 1):
        if len(steps) > n_whole:
            split = len(steps) - n_whole
            forms.append(whole(task, [_cut(step, CUT_CHARS) for step in steps[:split]] + steps[split:]))
    if steps:
        left_out = max(0, len(steps) - KEPT_STEPS)
        note = f"\n\n[{left_out} earlier steps are left out here.]" if left_out else ""
        forms.append(whole(task + note, [_cut(step, LAST_CHARS) for step in steps[-KEPT_STEPS:]]))
    return forms


def _cut(step: Step, n_chars: int) -> Step:
    return replace(step, told=tuple(_shortened(message, n_chars) for message in step.told))


def _shortened(message: Message, n_chars: int) -> Message:
    if len(message.content) <= n_chars:
        return message
    return replace(message, content=f"{message.content[:n_chars]}\n[{len(message.content) - n_chars:,} characters left out]")
