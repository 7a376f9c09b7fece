"""The grader `judge:MODEL`: which models judge, what they are shown, and what their verdicts come to. The calls are made in `reasoner.session.judging`.

models_of("judge:openai:a|local")  ->  ["openai:a", "local"];   said("... Verdict: **No**")  ->  "no"
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from reasoner.errors import BadConfig
from reasoner.grading.dress import without_thoughts
from reasoner.text import tail

PREFIX = "judge:"
MAX_JUDGES = 9
DEFAULT_RUBRIC = "The answer is correct, answers the whole question, and says nothing false."

_VERDICT = re.compile(
    r"^[\s>*_#`-]{0,20}(?:final\s{1,5})?verdict[\s*_`]{0,9}[:=][\s*_`\"]{0,9}(yes|no|a|b|tie)\b", re.IGNORECASE | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class JudgeCase:
    """What a judge is told of a question besides the answer: a reference, a rubric, an answer to compare with. Any of them may be empty."""

    reference: str = ""
    rubric: str = ""
    baseline: str = ""


def models_of(spec: str) -> list[str]:
    """Return the models of a judge, in the order they are asked; several are separated by `|`.

    Raises:
        BadConfig: none is named, one is named twice, or there are too many.
    """
    names = [name.strip() for name in spec.removeprefix(PREFIX).split("|")]
    if not all(names) or len(set(names)) < len(names) or len(names) > MAX_JUDGES:
        raise BadConfig(f"the judge {spec[:80]!r} names no model", hint="write judge:MODEL, or judge:MODEL|MODEL|MODEL for a vote")
    return names


def judge_named(instance: str) -> str:
    """Return the judge that a problem names, from its instance as JSON; empty where it names none."""
    if '"judge:' not in instance:
        return ""
    made = json.loads(instance)
    spec = made.get("grader") if isinstance(made, dict) else None
    return spec.removeprefix(PREFIX) if isinstance(spec, str) and spec.startswith(PREFIX) else ""


def said(text: str) -> str | None:
    """Return the last verdict of a judge's reply: yes, no, a, b or tie; None where there is none. A thought is not read."""
    found = _VERDICT.findall(tail(without_thoughts(text)))
    return found[-1].lower() if found else None


def in_both_orders(as_first: str | None, as_second: str | None) -> str | None:
    """Return what two orders of a pair come to: `win` or `loss` where both say so, else `tie`; None where one said nothing."""
    if as_first is None or as_second is None:
        return None
    if (as_first, as_second) == ("a", "b"):
        return "win"
    return "loss" if (as_first, as_second) == ("b", "a") else "tie"
