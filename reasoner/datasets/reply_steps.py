r"""Process labels over whole replies: the lines of each, labelled by what the replies came to that begin with the same lines.

    divide("Double 9.\n\n9 * 2 = 18\nAnswer: 9 -> 18")  -> ["Double 9.\n", "9 * 2 = 18", "Answer: 9 -> 18"]

Joined by line ends the steps are the reply, to the letter; code between fences is one step. All replies to one prompt are laid over each other:
a step is good where one of the replies that begin with the same steps is correct, not good where all of them are wrong.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from reasoner.datasets.lineage import FROM_REPLIES
from reasoner.datasets.records import Steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from reasoner.datasets.records import Origin
    from reasoner.types import Message

JSON_REPLY = "its reply is JSON, not steps of reasoning"
ONE_LINE = "its reply is one line, which has no steps"
FENCE = "```"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One whole reply to a prompt. `text` holds its thought too, where that is exported."""

    origin: Origin
    lineage: dict[str, Any]
    text: str
    correct: bool


def divide(text: str) -> list[str]:
    """Return the lines of a text as steps; blank lines stand with the line before, a block between fences is one step."""
    steps: list[list[str]] = []
    fenced = said = False  # `said`: the last step is more than blanks
    for line in text.split("\n"):
        if steps and (fenced or not line.strip() or not said):
            steps[-1].append(line)
            said = said or bool(line.strip())
        else:
            steps.append([line])
            said = bool(line.strip())
        if line.lstrip().startswith(FENCE):
            fenced = not fenced
    return list(map("\n".join, steps))


def is_json(text: str) -> bool:
    """Tell whether a text is a JSON object or list, also between fences."""
    body = text.strip()
    if body.startswith(FENCE) and body.endswith(FENCE):
        body = body.removeprefix(FENCE).removesuffix(FENCE).partition("\n")[2].strip()
    if not body.startswith(("{", "[")):
        return False
    try:
        return isinstance(json.loads(body), (dict, list))
    except (ValueError, RecursionError):
        return False


def steps(prompt: str, attempts: Iterable[Attempt], leave_out: Callable[[str], None]) -> Iterator[tuple[Attempt, Steps]]:
    """Yield one record per reply to a prompt, with the reply; `scores` holds the share of right ones among those that begin with the same steps."""
    taken: list[tuple[Attempt, list[str], list[bytes]]] = []
    good: Counter[bytes] = Counter()
    known: Counter[bytes] = Counter()
    for attempt in attempts:
        parts = divide(attempt.text.rstrip())
        if len(parts) < 2:
            leave_out(ONE_LINE)
            continue
        begins = list(_beginnings(parts))
        known.update(begins)
        if attempt.correct:
            good.update(begins)
        taken.append((attempt, parts, begins))
    for attempt, parts, begins in taken:
        made = Steps(attempt.origin, {**attempt.lineage, "labels_from": FROM_REPLIES}, prompt, parts, [good[place] > 0 for place in begins])
        made.columns["scores"] = [round(good[place] / known[place], 6) for place in begins]
        yield attempt, made


def _beginnings(parts: Sequence[str]) -> Iterator[bytes]:
    """Yield a name for each beginning of a chain of steps."""
    hashed = blake2b(digest_size=16)
    for part in parts:
        hashed.update(part.encode("utf-8", "surrogatepass") + b"\0")
        yield hashed.digest()


def as_text(messages: Sequence[Message]) -> str:
    """Return what a model was asked as one text, since chains of steps have no place for roles; turns are named where the model had spoken already."""
    if any(message.role == "assistant" for message in messages):
        return "\n\n".join(f"{message.role.capitalize()}: {message.content}" for message in messages)
    return "\n\n".join(message.content for message in messages)
