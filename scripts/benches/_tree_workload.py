"""The tree workload of the engine bench: the calls a tree search makes, without a search.

A root prompt of about 700 tokens; three levels; every kept node is continued three times by 48 tokens, every child is valued by a call
that continues its whole text and takes 12 tokens; five children are kept (by place, not by value: all contenders do the same work).
27 children, 1,620 tokens written; `SIZE` makes it smaller.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from reasoner.assets import asset_dir

LEVELS = 3
KEPT = 5
SAMPLES = 3
CHILD_TOKENS = 48
VALUE_TOKENS = 12
ROOT_CHARS = 900
VALUE_SUFFIX = "\n\nHow good is this? Give a number from 1 to 10 and nothing else.\nRating:"
WIDTHS = (3, 9, 15)
"""How many children each level has; both its calls run that many at once."""


@dataclass
class Size:
    """How much of the workload is run; a slow model may be given less, and the report says so."""

    levels: int = LEVELS
    child_tokens: int = CHILD_TOKENS

    @property
    def widths(self) -> tuple[int, ...]:
        """How many children each level has that is run."""
        return WIDTHS[: self.levels]


SIZE = Size()

TEMPERATURE = 0.8
TOP_K = 40

Ask = Callable[[Sequence[tuple[str, int, int]]], Awaitable[list[str]]]
"""Answers several calls, each (prompt, tokens to write, seed), as concurrently as it can."""


@dataclass
class Transcript:
    """What was asked and written: (prompt, written) of every call."""

    calls: list[tuple[str, str]] = field(default_factory=list)


def root_prompt(run: int) -> str:
    """Return the root: worked examples of a puzzle, begun by the number of the run, so that nothing is cached from the one before."""
    lines = (asset_dir("corpora") / "shots" / "game24.jsonl").read_text(encoding="utf-8").splitlines()
    shots = "\n\n".join(f"Numbers {row['instance']}\n{row['answer']}" for row in map(json.loads, lines))
    return f"Run {run}. Make 24 out of four numbers, as in these examples.\n\n{shots[:ROOT_CHARS]}\n\nNumbers 4 9 10 13\n"


async def walk(ask: Ask, *, run: int) -> Transcript:
    """Make the calls of the workload."""
    made = Transcript()
    nodes = [root_prompt(run)]
    seed = 0
    for _ in range(SIZE.levels):
        jobs = [(node, SIZE.child_tokens, seed + i) for i, node in enumerate(node for node in nodes for _ in range(SAMPLES))]
        written = await ask(jobs)
        made.calls += [(job[0], text) for job, text in zip(jobs, written, strict=True)]
        children = [job[0] + text for job, text in zip(jobs, written, strict=True)]
        values = [(child + VALUE_SUFFIX, VALUE_TOKENS, seed + i) for i, child in enumerate(children)]
        made.calls += [(job[0], text) for job, text in zip(values, await ask(values), strict=True)]
        # Spread over the parents: every third child, then those beside them.
        nodes = [child for first in range(SAMPLES) for child in children[first::SAMPLES]][:KEPT]
        seed += 1000
    return made


def unique_prompt_tokens(transcript: Transcript, tokenize: Callable[[str], list[int]]) -> tuple[int, int]:
    """Return how many prompt tokens had to be read at least once, and how many there were in all.

    A token that an earlier call wrote (in the same place, after the same tokens) need not be read, but for the last one it wrote: nothing
    came after it, so the model has not seen it yet.
    """
    known: set[tuple[int, ...]] = set()
    unique = total = 0
    for prompt, written in transcript.calls:
        tokens, whole = tokenize(prompt), tokenize(prompt + written)
        total += len(tokens)
        for end in range(1, len(tokens) + 1):
            if tuple(tokens[:end]) not in known:
                known.add(tuple(tokens[:end]))
                unique += 1
        known.update(tuple(whole[:end]) for end in range(1, len(whole)))
    return unique, total
