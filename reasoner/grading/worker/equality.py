"""Mathematical equality of two LaTeX texts by Math-Verify. Runs in the judging process alone: sympy may take any time and memory.

Source: Kydlíček, "Math-Verify" (Apache-2.0), https://github.com/huggingface/Math-Verify.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

try:
    import math_verify
except ImportError:
    math_verify = None

logging.disable(logging.CRITICAL)


def available() -> bool:
    """Tell whether the package is there; what it imports late is imported now."""
    if math_verify is None:
        return False
    same("\\frac{1}{2}", "0.5")
    return True


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[Any, ...]:
    configuration = [math_verify.LatexExtractionConfig(boxed_match_priority=-1)]
    return tuple(math_verify.parse(f"${text}$", extraction_config=configuration, parsing_timeout=None, fallback_mode="no_fallback"))


def same(gold: str, given: str) -> bool | None:
    """Tell whether two texts are the same value, set, interval or relation; None where one of them cannot be read."""
    a, b = _parsed(gold), _parsed(given)
    if not a or not b:
        return None
    return bool(math_verify.verify(list(a), list(b), strict=True, float_rounding=12, numeric_precision=20, timeout_seconds=None))
