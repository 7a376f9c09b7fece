"""Read TOML that somebody else wrote: its size, nesting and dotted keys are bounded before it is parsed.

Python's parser calls itself for every bracket and makes a table for every part of a dotted key, so that a short file can use up the stack or take
minutes.

    parse_toml('version = 1') -> {"version": 1}

Knows the form of TOML; does not know what a file means.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

MOST_CHARS = 256 * 1024
MOST_NESTED = 32
MOST_PARTS = 16
_PART = r"""(?:[A-Za-z0-9_-]{1,256}|"[^"\n]{0,256}"|'[^'\n]{0,256}')[ \t]{0,8}\.[ \t]{0,8}"""
_DOTTED = re.compile(f"(?<![A-Za-z0-9_-])(?:{_PART}){{{MOST_PARTS}}}")


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text holds.

    Raises:
        ValueError: it is none (`tomllib.TOMLDecodeError`), or is larger, deeper or has longer keys than anything sensible.
    """
    if len(text) > MOST_CHARS:
        raise ValueError(f"it has {len(text)} characters, more than {MOST_CHARS}")
    depth = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        # Brackets inside strings count as well: what is sensible has few of both.
        depth = depth + 1 if bracket in "[{" else max(0, depth - 1)
        if depth > MOST_NESTED:
            raise ValueError(f"its brackets are nested deeper than {MOST_NESTED}")
    if _DOTTED.search(text):
        raise ValueError(f"a key has more than {MOST_PARTS} parts")
    return tomllib.loads(text)
