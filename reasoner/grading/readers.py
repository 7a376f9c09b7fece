r"""Readers: from a model's text to the answer in it.

    answer_line   what follows the last `Answer:`, `The answer is`, `### Final Answer`, `A:`; also inside a sentence, and in other languages
    tag           what stands in the last <answer>...</answer>, or behind the marker or in the box that is in it
    boxed         what stands in the last \boxed{...}, nested braces included
    hash          what follows the last `####`
    choice        a letter in any usual dress: (B), **B**, Option B, "B", B. text
    last_number   the last number of the text
    json:PATH     a value of the last JSON object in the text: json:answer, json:result.0.name
    regex:PATTERN the last match, its first group where it has one
    whole         the whole text
    auto          tag, else answer_line, boxed or hash, else the `answer` of a text that is one JSON object, else a text of a single line

A thought is never read. What was found is undressed (`dress.undressed`) and otherwise left as it is. Every reader is linear in the text,
but for a pattern of the user's, which runs in a process of its own with a limit of time.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig
from reasoner.grading.dress import closing_brace, undressed, without_thoughts
from reasoner.grading.markers import marked, short
from reasoner.grading.worker.process import PLAIN, worker
from reasoner.text import tail

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_FOUND_CHARS = 20_000
"""A longer answer is none."""
MAX_PATTERN_CHARS = 1000
MAX_OBJECTS = 64
"""Places at which a JSON object is looked for."""

_TAG = re.compile(r"<answer>((?:(?!</?answer>).)*)</answer>", re.IGNORECASE | re.DOTALL)
_BLOCK = re.compile(r"\s*```[a-z]{0,20}\s*\n([^`]*)```\s*")
_BLOCKS = {"```": "```", "\\[": "\\]", "$$": "$$"}
"""Lines that open a block, and those that close it."""
_LIST = re.compile(r"(?:[>•]|[-*](?=\s))\s{0,5}")
_NUMBER = re.compile(
    r"[-+−]?(?:[0-9]{1,3}(?:,[0-9]{3}){1,20}(?![0-9])|[0-9]{1,200})(?:\.[0-9]{1,200})?(?:/[0-9]{1,100})?|[-+−]?\.[0-9]{1,200}"
)
_LETTER = r"[A-Za-z]"
_DRESSED = re.compile(
    rf"\(({_LETTER})\)|\[({_LETTER})\]|\*\*\(?({_LETTER})[.):]?\)?\*\*|\b(?:[Oo]ption|[Cc]hoice)\s{{1,3}}\(?({_LETTER})\b"
)
_LETTER_ALONE = re.compile(rf"\(?({_LETTER})[.):]?")


@dataclass(frozen=True, slots=True)
class Found:
    """An answer, and the reader that found it."""

    text: str
    by: str


def read(spec: str, text: str) -> Found | None:
    """Find the answer of a text; None where the reader finds none. Never raises on any text.

    Raises:
        BadConfig: there is no such reader (see `check_reader`).
    """
    name, argument = check_reader(spec)
    text = without_thoughts(text)
    if name == "auto":
        for each in ("tag", "answer_line", "boxed", "hash"):
            if (found := _READERS[each](text, "")) is not None:
                return _kept(found, each)
        return _alone(tail(text))
    found = _READERS[name](text, argument)
    return None if found is None else _kept(found, name)


def _alone(text: str) -> Found | None:
    """Read a text, or a block of code that is the whole text, which is one JSON object or one line."""
    block = _BLOCK.fullmatch(text)
    text = text if block is None else block[1]
    if text.lstrip()[:1] == "{" and text.rstrip()[-1:] == "}" and (found := _json(text, "answer")) is not None:
        return _kept(undressed(found), "json:answer")
    lines = [line for line in text.splitlines() if line.strip()]
    return _kept(undressed(lines[0]), "line") if len(lines) == 1 and marked(lines[0]) is None else None


def _kept(text: str, by: str) -> Found | None:
    return Found(text, by) if text.strip(" .…") and len(text) <= MAX_FOUND_CHARS else None


def reader_names() -> list[str]:
    """Return the names of all readers in the order of the module's docstring."""
    return [*_READERS, "auto"]


def check_reader(spec: str) -> tuple[str, str]:
    """Return name and argument of a reader.

    Raises:
        BadConfig: there is none of that name, an argument is missing or cannot be used.
    """
    name, colon, argument = spec.partition(":")
    if name not in {*_READERS, "auto"}:
        raise BadConfig(f"unknown reader {spec[:80]!r}", hint=f"known: {', '.join(reader_names())}")
    if (name in _WITH_ARGUMENT) != bool(colon and argument):
        wants = f"{name}:{_WITH_ARGUMENT[name]}" if name in _WITH_ARGUMENT else name
        raise BadConfig(f"the reader {spec[:80]!r} is not written so", hint=f"write {wants}")
    if name == "regex":
        try:
            if len(argument) > MAX_PATTERN_CHARS:
                raise BadConfig(f"the pattern has {len(argument)} characters, at most {MAX_PATTERN_CHARS} are read", hint="make it shorter")
            re.compile(argument)
        except (re.error, OverflowError, RecursionError) as error:
            raise BadConfig(f"the pattern {argument[:80]!r} cannot be used: {error}", hint="see Python's re") from error
    return name, argument


def _answer_line(text: str, _: str) -> str | None:
    lines = tail(text).splitlines()
    last: str | None = None
    for at in range(len(lines) - 1, -1, -1):
        found = marked(lines[at])
        if found is not None:
            return _valued(found or _next(lines, at))
        if last is None:
            last = short(lines[at])
    return None if last is None else _valued(last)


def _next(lines: list[str], at: int) -> str:
    """Return the first line below a marker that says something; all lines of a block of code or of a formula."""
    below = (n for n in range(at + 1, len(lines)) if lines[n].strip())
    first = next(below, None)
    if first is None:
        return ""
    line = lines[first].strip()
    opening = "```" if line.startswith("```") and "```" not in line[3:] else line
    if opening in _BLOCKS:
        ends = (n for n in range(first + 1, len(lines)) if lines[n].strip() == _BLOCKS[opening])
        return "\n".join(lines[first + 1 : next(ends, len(lines))]).strip()
    return _LIST.sub("", line, count=1)


def _valued(found: str) -> str | None:
    """Undress what stands behind a marker; a box in it is the answer."""
    boxed = _boxed(found, "")
    return boxed if boxed is not None else undressed(found) or None


def _stated(text: str) -> str | None:
    marked = _answer_line(text, "")
    return marked if marked is not None else _boxed(text, "")


def _tag(text: str, _: str) -> str | None:
    """Return what stands in the last tag, unless an answer line follows it."""
    text = tail(text)
    last = _last(_TAG, text) if "</" in text else None
    if last is None or _answer_line(text[last.end() :], "") is not None:
        return None
    found = _stated(last[1])
    return found if found is not None else undressed(last[1]) or None


def _boxed(text: str, _: str) -> str | None:
    text = tail(text)
    at = max(text.rfind("\\boxed{"), text.rfind("\\fbox{"))
    tries = 0
    while at >= 0 and tries < MAX_OBJECTS:
        begin = text.index("{", at) + 1
        end = closing_brace(text, begin)
        if end > 0:
            return undressed(text[begin:end]) or None
        at = max(text.rfind("\\boxed{", 0, at), text.rfind("\\fbox{", 0, at))
        tries += 1
    return None


def _hash(text: str, _: str) -> str | None:
    for line in reversed(tail(text).splitlines()):
        before, mark, after = line.rpartition("####")
        if mark and after.strip() and not before.strip("# "):
            return undressed(after)
        if mark and after.strip():
            return undressed(after.lstrip("#"))
    return None


def _choice(text: str, _: str) -> str | None:
    """Return a letter, or what stands in a tag or behind an answer marker; else the last letter in a dress, or a last line that is a letter."""
    tagged = _tag(text, "")
    found = tagged if tagged is not None else _stated(text)
    if found is not None:
        return found
    cut = tail(text)
    lines = [line for line in cut.splitlines() if line.strip()]
    if lines and (alone := _LETTER_ALONE.fullmatch(undressed(lines[-1]))):
        return alone[1]
    last = _last(_DRESSED, cut)
    if last is not None:
        return next(group for group in last.groups() if group)
    return undressed(lines[0]) if len(lines) == 1 else None


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)


def _last_number(text: str, _: str) -> str | None:
    last = _last(_NUMBER, tail(text))
    return None if last is None else last[0]


def _json(text: str, path: str) -> str | None:
    """Return a value of the last object of the text that has it."""
    text = tail(text)
    decoder = json.JSONDecoder()
    at, value, tries = len(text), None, 0
    while value is None and tries < MAX_OBJECTS and (at := text.rfind("{", 0, at)) >= 0:
        tries += 1
        try:
            made, _ = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            continue
        value = _inside(made, path)
    if value is None:
        return None
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _inside(value: Any, path: str) -> Any:
    for part in path.replace("[", ".").replace("]", "").split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdigit() and int(part[:9]) < len(value):
            value = value[int(part[:9])]
        else:
            return None
    return value


def _regex(text: str, pattern: str) -> str | None:
    answer = worker(PLAIN).ask({"op": "regex", "pattern": pattern, "text": tail(text)})
    return None if answer is None or answer.get("found") is None else str(answer["found"]).strip()


def _whole(text: str, _: str) -> str | None:
    return tail(text).strip() or None


_READERS: dict[str, Callable[[str, str], str | None]] = {
    "answer_line": _answer_line,
    "tag": _tag,
    "boxed": _boxed,
    "hash": _hash,
    "choice": _choice,
    "last_number": _last_number,
    "json": _json,
    "regex": _regex,
    "whole": _whole,
}
_WITH_ARGUMENT = {"json": "PATH", "regex": "PATTERN"}
