r"""Pure text helpers: bounding, making safe, wrapping numbers. Knows no model, no terminal, no database.

>>> clean("a\x1b[31mred\u202e")
'a[31mred'
"""

from __future__ import annotations

import re
import unicodedata

MAX_ANSWER_CHARS = 65_536
"""No answer parser looks at more than this many characters of a text, taken from its end."""

MAX_REPLY_CHARS = 1 << 22
"""A reply is cut here before anything looks at it (about four million characters)."""

_KEEP = {"\n", "\t"}
# Every run of blanks and marks is one class with one star, so a line of 65,536 of them is read once, not once per split.
_ANSWER = re.compile(
    r"^[\s>*_#`-]*(?:\d{1,3}[.):][\s*_]*)?(?:the\s+)?(?:final\s+|correct\s+)?answer"
    r"(?:[\s*_`]*[:=]|\s+is\b[\s*_`]*[:=]?)[\s*_`]*(.*)$",
    re.IGNORECASE,
)


def clean(text: str) -> str:
    """Drop control, escape and bidirectional-override characters, so that printing the text cannot steer a terminal."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c for c in text if c in _KEEP or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co", "Cn"})


def storable(text: str, n_chars: int = MAX_REPLY_CHARS) -> str:
    """Return the text as it can be stored and read back unchanged: bounded, and without lone surrogates (UTF-8 has none)."""
    return text[:n_chars].encode("utf-8", "replace").decode("utf-8")


def shorten(text: str, n_chars: int) -> str:
    """Return the text on one line, at most `n_chars` characters, with an ellipsis where it was cut."""
    line = " ".join(text.split()) if len(text) < 20 * n_chars else " ".join(text[: 20 * n_chars].split())
    return line if len(line) <= n_chars else line[: max(0, n_chars - 1)] + "…"


def tail(text: str, n_chars: int = MAX_ANSWER_CHARS) -> str:
    """Return the last `n_chars` characters: answers stand at the end, and a hostile text may be huge."""
    return text if len(text) <= n_chars else text[-n_chars:]


def answer_line(text: str) -> str | None:
    """Return what follows the last `Answer:` marker (also `The answer is`) on its line, stripped of Markdown emphasis; None when there is none.

    Only the last 65,536 characters are read. An empty marker line takes the next non-empty line.
    """
    lines = tail(text).splitlines()
    for index in range(len(lines) - 1, -1, -1):
        match = _ANSWER.match(lines[index][:MAX_ANSWER_CHARS])
        if match is None:
            continue
        found = match.group(1).strip()
        if not found:
            found = next((line.strip() for line in lines[index + 1 :] if line.strip()), "")
        found = found.strip("*_`$ ").strip()
        return found or None
    return None
