r"""Candidates: the next steps a model proposed, what it thinks of a state, and its vote, read out of replies.

Knows the layout that the `tot` prompts ask for, and prose where a reply has none of it. Does not know any puzzle: a state is a piece of
text. Never raises on any text.

>>> [(c.state, c.operation, c.goal) for c in read_candidates("1: 9 -> 10 (9 + 1 = 10)\n2: 9 -> 18 (9 * 2 = 18) (goal)", 8)]
[('10', '9 + 1 = 10', False), ('18', '9 * 2 = 18', True)]
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reasoner.layouts.outline import MAX_LINE_CHARS, MAX_LINES, MAX_TEXT_CHARS, read_step
from reasoner.text import answer_line, clean, shorten, tail

MAX_STATE_CHARS = 500
VALUES = {"sure": 20.0, "likely": 1.0, "impossible": 0.001}
"""What the words of an evaluation are worth. Source: the published code of Tree of Thoughts."""

_VALUE = re.compile(r"(?<!not )\b(sure|likely|impossible)\b", re.IGNORECASE)
_BEST = re.compile(r"\bbest\b[^\d\n]{0,30}(\d{1,4})(?!\d)", re.IGNORECASE)
_ALONE = re.compile(r"\s*[*_`(]{0,3}(\d{1,4})[*_`).:]{0,4}\s*")
_READ_CHARS = 4_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """One proposed step. `text` is how it is shown again (`9 -> 10 (9 + 1 = 10)`); `goal`: the model says that this is the end."""

    text: str
    state: str
    operation: str = ""
    goal: bool = False

    @property
    def key(self) -> str:
        """What makes two candidates the same state: blanks and case do not count."""
        return " ".join(self.state.split()).casefold()


def read_candidates(text: str, n: int) -> list[Candidate]:
    """Return at most n steps of a reply, in order, the same state again included.

    Lines that show a chain of states or an equation are the steps. Where there is none, the numbered lines are, as prose; where there
    is no such line either, none.
    """
    lines = [clean(line[:MAX_LINE_CHARS]).strip() for line in text[:MAX_TEXT_CHARS].splitlines()[:MAX_LINES]]
    chains: list[Candidate] = []
    prose: list[Candidate] = []
    for line in lines:
        if not line or ("nswer" in line.lower() and answer_line(line + "\n.") is not None):
            continue
        step = read_step(line)
        if step is None:
            continue
        if step.is_chain and step.chain:
            shown = " -> ".join(step.chain[-2:]) + (f" ({step.operation})" if step.operation else "")
            chains.append(
                Candidate(shorten(shown, 2 * MAX_STATE_CHARS), shorten(step.chain[-1], MAX_STATE_CHARS), step.operation, step.hit)
            )
        elif step.labelled and step.chain:
            said = shorten(step.chain[-1], MAX_STATE_CHARS)
            prose.append(Candidate(said, said, "", step.hit))
        if len(chains) == n:
            break
    return (chains or prose)[:n]


def read_value(text: str) -> float | None:
    r"""Return what an evaluation is worth, None where it cannot be read; the last of the words counts.

    >>> read_value("10 * 2 = 20 is the goal.\\nValue: sure"), read_value("unlikely"), read_value("not sure, so impossible")
    (20.0, None, 0.001)
    """
    found = _VALUE.findall(tail(text, _READ_CHARS))
    return VALUES[found[-1].lower()] if found else None


def read_vote(text: str, n: int) -> int | None:
    """Return the index of the candidate voted for, None where none can be read or there is no such candidate.

    >>> read_vote("Line 2 comes close. Best: 1", 3), read_vote("2", 3), read_vote("Best: 4", 3)
    (0, 1, None)
    """
    text = tail(text, _READ_CHARS)
    found = [*_BEST.finditer(text)]
    match = found[-1] if found else _ALONE.fullmatch(text)
    number = int(match[1]) if match else 0
    return number - 1 if 1 <= number <= n else None
