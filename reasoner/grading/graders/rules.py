"""The grader `rules`: checks that are counted, as IFEval has them: lengths, words, formats, beginnings and ends.

    golds = ['[{"id": "length_constraints:number_words", "num_words": 30, "relation": "less than"}]']

A gold is a JSON list of checks, each with its `id` and its values. All have to hold; the share that does is measured as `followed`. A check
that cannot be made, or whose outcome is not certain (the language of three words), leaves the answer unjudged where all others hold.

Source: Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models" (IFEval), arXiv 2311.07911.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.errors import MissingDependency
from reasoner.grading.graders import Grader, right, unjudged, wrong
from reasoner.grading.graders._checks import CHECKS
from reasoner.grading.graders.exact import normal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.types import Verdict

MAX_CHECKS = 50


def checks_of(gold: str) -> list[dict[str, Any]]:
    """Read the checks of a gold.

    Raises:
        ValueError: it is no JSON list of objects with an `id`.
    """
    try:
        made = json.loads(gold)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the rules are no JSON: {error}") from error
    if not isinstance(made, list) or not made or not all(isinstance(each, dict) and isinstance(each.get("id"), str) for each in made):
        raise ValueError('rules are a list of objects, [{"id": "punctuation:no_comma"}]')
    if len(made) > MAX_CHECKS:
        raise ValueError(f"there are {len(made)} rules, at most {MAX_CHECKS} are checked")
    return made


class Rules(Grader):
    """Checks on the whole text."""

    name = "rules"
    summary = "checks as IFEval has them: lengths, words, formats; all have to hold"
    reader = "whole"

    def check(self, golds: Sequence[str]) -> str:
        """Tell of rules that cannot be read or are not known."""
        for gold in golds:
            try:
                unknown = [each["id"] for each in checks_of(gold) if each["id"] not in CHECKS]
            except ValueError as error:
                return str(error)
            if unknown:
                return f"the rule {unknown[0]!r} is not checked here"
        return ""

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:  # noqa: ARG002
        """Check all rules of all golds."""
        failed: list[str] = []
        doubts: list[str] = []
        n = 0
        for gold in golds:
            try:
                checks = checks_of(gold)
            except ValueError as error:
                return unjudged(str(error))
            for each in checks:
                n += 1
                held, doubt = _held(each, given)
                if doubt:
                    doubts.append(doubt)
                elif not held:
                    failed.append(each["id"])
        n_held = n - len(failed) - len(doubts)
        share = n_held / n if n else 0.0
        if failed or not n:
            return wrong(f"{n_held} of {n} rules hold, not: {', '.join(failed)}", followed=share)
        if doubts:
            return unjudged(f"{n_held} of {n} rules hold; {doubts[0]}", followed=share)
        return right(f"all {n} rules hold", followed=share)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the normal form of the text."""
        return normal(given)


def _held(rule: Mapping[str, Any], given: str) -> tuple[bool, str]:
    """Return whether a check holds, and why that is not known, empty where it is."""
    name = rule["id"]
    if name not in CHECKS:
        return False, f"the rule {name!r} is not checked here"
    try:
        held = CHECKS[name](given, rule)
    except MissingDependency as error:
        return False, str(error)
    except (KeyError, TypeError, ValueError) as error:
        return False, f"the rule {name!r} lacks a value: {error}"
    return bool(held), f"the rule {name!r}: the language is not certain" if held is None else ""


GRADER = Rules
