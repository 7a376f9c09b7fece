r"""From a model's whole text to the one line that is judged, and from findings to a verdict.

Reads the `Answer:` marker in the spellings real models use: Unicode and LaTeX arrows and operators, Markdown emphasis, remarks
in brackets.

    find("so we get\n**Answer:** $9 \\rightarrow 10$.")  ->  "9 -> 10"
"""

from __future__ import annotations

import re

from reasoner.errors import Unparseable
from reasoner.grading.expression import plain_symbols
from reasoner.grading.graders import right, shown, unread, wrong
from reasoner.text import answer_line, tail

__all__ = ["find", "pieces", "plain", "right", "shown", "unread", "without_brackets", "without_remarks", "wrong"]

MAX_ANSWER_CHARS = 4000
"""A longer answer line is not read; the longest right answer of any of our puzzles is well below this."""
MAX_DIGITS = 9

_RUN = re.compile(r"[^\S\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]{2,}")
_ARROW = re.compile(r"-{0,3}[-=]>|[→⇒⟶⟹➔➜➝➞⮕⇨]|\\(?:to|rightarrow|Rightarrow|longrightarrow|Longrightarrow|implies)(?![A-Za-z])")
_BOXED = re.compile(r"\\boxed\s*\{(.*)\}")
_DELIMITER = re.compile(r"\\[()\[\]]|\\[,;:! ]|[$`]")
_ESCAPED = re.compile(r"\\([*_])")
_EMPHASIS = re.compile(r"(?:(?:^|(?<=->)|(?<==))\s*\*{2,3}(?!\*))|(?:\*{2,3}(?=\s*(?:$|->|=|,)))")
_EDGES = " \t_.,;!"
_BRACKETS = str.maketrans("()[]{}", "      ")
_REMARK = re.compile(r"\([^()]*\)")
_WORD = re.compile(r"[A-Za-z]{2}")
_MARKER_ALONE = re.compile(r"(?:the\s)?(?:final\s|correct\s)?answer(?:\sis)?\s?[:=]?", re.IGNORECASE)


def find(text: str) -> str:
    """Return the answer in plain notation: what follows the last `Answer:` marker, or the whole text when it is a single line.

    Raises:
        Unparseable: there is no answer, or it is longer than 4,000 characters.
    """
    text = tail(text)
    # Runs of blanks say nothing here, and a long one after the word would make the marker's pattern slow. Most texts have none.
    if not text.isascii() or "  " in text or "\t" in text or "\x1f" in text:
        text = _RUN.sub(" ", text)
    found = answer_line(text)
    if found is None:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) != 1:
            raise Unparseable("no line 'Answer: ...' was found")
        found = lines[0]
    if len(found) > MAX_ANSWER_CHARS:
        raise Unparseable(f"the answer has {len(found)} characters, at most {MAX_ANSWER_CHARS} are read")
    found = plain(found)
    if not found or _MARKER_ALONE.fullmatch(found):
        raise Unparseable("the answer is empty")
    return found


def plain(line: str) -> str:
    """Write arrows as `->`, operators as + - * /, and drop Markdown, LaTeX delimiters and a trailing period."""
    # A pattern runs only where the line holds what it cannot do without: most answers are plain, and are judged by the million.
    if "\\" in line or "$" in line or "`" in line:
        line = _ARROW.sub(" -> ", _BOXED.sub(r"\1", line))
        line = _ESCAPED.sub(r"\1", _DELIMITER.sub(" ", line))
    elif not line.isascii() or "=>" in line or line.count("->") != line.count(" -> "):
        line = _ARROW.sub(" -> ", line)
    line = plain_symbols(line).strip(_EDGES)
    if "**" in line:
        line = _EMPHASIS.sub(" ", line)
    return " ".join(line.split()).strip(_EDGES)


def pieces(line: str) -> list[str]:
    """Cut a plain line at its arrows."""
    return [piece.strip() for piece in line.split("->")]


def without_remarks(line: str) -> str:
    """Drop what stands in brackets and holds a word, `(next: double it)`; other brackets stay, as they may be arithmetic."""
    if "(" not in line:
        return line.strip()
    return _REMARK.sub(lambda m: " " if _WORD.search(m[0]) else m[0], line).strip()


def without_brackets(line: str) -> str:
    """Drop brackets of all kinds and keep what is in them."""
    return line.translate(_BRACKETS)
