"""Graders that run code, and whether a person named them: a stored problem or an imported file that names one is not enough.

    trust("python:mine.py:same")      what the command line and the Python face do with --grader

`REASONER_TRUST_GRADERS` names more, separated by blanks, for runs that are gone on with.
"""

from __future__ import annotations

import os

from reasoner.grading.graders import grader_class

_TRUSTED: set[str] = set()


def trust(spec: str) -> None:
    """Let a grader run that a person named."""
    _TRUSTED.add(spec)


def trusted(spec: str) -> bool:
    """Tell whether a grader may be opened: it runs no code, or a person named it."""
    if grader_class(spec.partition(":")[0]).trusted:
        return True
    return spec in _TRUSTED or spec in os.environ.get("REASONER_TRUST_GRADERS", "").split()
