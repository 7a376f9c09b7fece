r"""Pure text helpers: bounding, making safe for a screen, finding answer lines. Knows no model, no terminal, no database.

`clean` is for what is shown. What is stored, compared, exported or piped is never cleaned: joiners, variation selectors, private use and
characters newer than this interpreter's tables are data.

>>> clean("a\x1b[31mred\u202e")
'a[31mred'
"""

from __future__ import annotations

import re

MAX_ANSWER_CHARS = 65_536
"""No answer parser looks at more than this many characters of a text, taken from its end."""

MAX_REPLY_CHARS = 1 << 22
"""A reply is cut here before anything looks at it (about four million characters)."""

_STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e00ff\U000e01f0-\U000e0fff]"
)
# Every run of blanks and marks is one class with one star, so a line of 65,536 of them is read once, not once per split.
_ANSWER = re.compile(
    r"^[\s>*_#`-]*(?:\d{1,3}[.):][\s*_]*)?(?:the\s+)?(?:final\s+|correct\s+)?answer"
    r"(?:[\s*_`]*[:=]|\s+is\b[\s*_`]*[:=]?)[\s*_`]*(.*)$",
    re.IGNORECASE,
)
_BLANKS = re.compile(r"[^\S\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]{2,}")
_ARROWS = re.compile(r"-{0,3}[-=]>|[→⇒⟶⟹➔➜➝➞⮕⇨]|\\(?:to|rightarrow|longrightarrow|implies)(?![a-z])")
_OPERATORS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})
_MARKUP = re.compile(r"[`${}]|\\boxed|\\[()\[\]]|\*{2,3}")
_SPACED = re.compile(r"\s*([=+*/,()]|->|(?<=[0-9)])-(?=[0-9(]))\s*")


def clean(text: str) -> str:
    """Drop what steers a terminal or hides in a text: control, escape and direction characters, invisible tags, lone surrogates.

    What scripts and emoji need to be seen aright stays (ZWJ, ZWNJ, variation selectors), and what this interpreter does not know as well.
    """
    return text if text.isascii() and text.isprintable() else _STEERS.sub("", text)


def storable(text: str, n_chars: int = MAX_REPLY_CHARS) -> str:
    """Return the text as it can be stored and read back unchanged: bounded, and without lone surrogates (UTF-8 has none)."""
    return text[:n_chars].encode("utf-8", "replace").decode("utf-8")


def shorten(text: str, n_chars: int) -> str:
    """Return the text on one line, at most `n_chars` characters, with an ellipsis where it was cut."""
    line = " ".join(text.split()) if len(text) < 20 * n_chars else " ".join(text[: 20 * n_chars].split())
    return line if len(line) <= n_chars else line[: max(0, n_chars - 1)] + "…"


def excerpt(text: str, n_chars: int) -> str:
    """Return at most `n_chars` characters of a text: its beginning and its end, with a line that says so where the middle was left out."""
    if len(text) <= n_chars:
        return text
    gap = "\n[…]\n"
    half = max(0, n_chars - len(gap)) // 2
    return text[:half] + gap + text[len(text) - half :]


def tail(text: str, n_chars: int = MAX_ANSWER_CHARS) -> str:
    """Return the last `n_chars` characters: answers stand at the end, and a hostile text may be huge."""
    return text if len(text) <= n_chars else text[-n_chars:]


def answer_line(text: str, *, first: bool = False) -> str | None:
    """Return what follows the last `Answer:` marker (also `The answer is`) on its line, stripped of Markdown emphasis; None when there is none.

    Only the last 65,536 characters are read. An empty marker line takes the next non-empty line. With `first`, the first marker of the
    first 65,536 characters counts: for replies that were asked to answer before they explain.
    """
    lines = (text[:MAX_ANSWER_CHARS] if first else tail(text)).splitlines()
    for index in range(len(lines)) if first else range(len(lines) - 1, -1, -1):
        match = _ANSWER.match(lines[index][:MAX_ANSWER_CHARS])
        if match is None:
            continue
        found = match.group(1).strip()
        if not found:
            found = next((line.strip() for line in lines[index + 1 :] if line.strip()), "")
        found = found.strip("*_`$ ").strip()
        if found or not first:
            return found or None
    return None


def after_answer(text: str) -> str:
    r"""Return all that follows the last `Answer:` marker, further lines included; the whole text where there is no marker.

    >>> after_answer("1: add them\nAnswer: First,\nthen second.")
    'First,\nthen second.'
    """
    cut = tail(text)
    lines = cut.splitlines(keepends=True)
    for index in range(len(lines) - 1, -1, -1):
        match = _ANSWER.match(lines[index].rstrip("\r\n")[:MAX_ANSWER_CHARS])
        if match is not None:
            found = "\n".join([match.group(1), "".join(lines[index + 1 :])]).strip()
            return found.removesuffix("**").strip() or text.strip()
    return text.strip()


def plain_answer(text: str) -> str | None:
    r"""Return the answer of a text in plain notation, for telling whether two texts answer alike; None where there is none.

    The answer is what follows the last marker or, where the text is a single line, that line. Case, blanks, brackets of Markdown and
    LaTeX, a trailing period and the spelling of arrows and operators do not count.

    >>> plain_answer("So:\n**Answer:** 9→10 → 20."), plain_answer("answer: 9 -> 10 -> 20")
    ('9 -> 10 -> 20', '9 -> 10 -> 20')
    """
    # Long runs of blanks say nothing here and would make the marker's pattern slow.
    text = _BLANKS.sub(" ", tail(text))
    found = answer_line(text)
    if found is None:
        lines = [line for line in text.splitlines() if line.strip()]
        found = lines[0] if len(lines) == 1 else ""
    found = _ARROWS.sub(" -> ", clean(found).casefold()).translate(_OPERATORS)
    found = _SPACED.sub(r" \1 ", _MARKUP.sub(" ", found))
    return " ".join(found.split()).strip(" .,;!") or None
