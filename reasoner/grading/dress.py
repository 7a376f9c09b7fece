r"""What an answer wears and what is no part of it: paired emphasis, code marks, LaTeX delimiters, a box, a thought before it.

    undressed("**$\\boxed{18}$**.")  ->  "18"

Only pairs are taken off: `$18` keeps its dollar, `C*` its star. Everything is linear in the text.
"""

from __future__ import annotations

import re

MAX_LAYERS = 8
UNSEEN = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069\ufeff"))
"""Marks of direction and of byte order, to be taken off by `str.translate`: they show nothing. Those that turn digits round stay, and so do joiners."""

_PAIRS = (("**", "**"), ("$$", "$$"), ("$", "$"), ("`", "`"), ("*", "*"), ("\\(", "\\)"), ("\\[", "\\]"))
_WRAPPERS = ("\\boxed{", "\\fbox{", "\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "\\mbox{")
_CHANNEL = re.compile(r"<\|channel\|>(\w{1,20})[^<]{0,200}<\|message\|>")
_ENDS = re.compile(r"<\|(?:end|return|start|call)\|>")
_OPEN = re.compile(r"<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_CLOSE = re.compile(r"</(think|thinking|thought|reasoning)>", re.IGNORECASE)


def undressed(text: str) -> str:
    """Take off what surrounds an answer in pairs, and a full stop behind such a pair."""
    text = text.strip()
    for _ in range(MAX_LAYERS):
        after = _one_layer(text)
        if after == text:
            break
        text = after.strip()
    return text


def _one_layer(text: str) -> str:
    for opening, closing in _PAIRS:
        inner = text.removesuffix(".") if text.endswith(closing + ".") else text
        if len(inner) > len(opening) + len(closing) and inner.startswith(opening) and inner.endswith(closing):
            body = inner[len(opening) : -len(closing)]
            if closing not in body and not body.endswith("\\"):
                return body
    inner = text.removesuffix(".") if text.endswith("}.") else text
    for wrapper in _WRAPPERS:
        if inner.startswith(wrapper) and closing_brace(inner, len(wrapper)) == len(inner) - 1:
            return inner[len(wrapper) : -1]
    return text


def closing_brace(text: str, at: int) -> int:
    """Return where the brace is closed whose inside begins at `at`; -1 where it never is. A brace behind a backslash is a character."""
    depth = 1
    for place in range(at, len(text)):
        if text[place] in "{}" and text[place - 1] != "\\":
            depth += 1 if text[place] == "{" else -1
            if depth == 0:
                return place
    return -1


def without_thoughts(text: str) -> str:
    """Return what is answered without what was thought: tags and channels of models that think in their text.

    What follows an opening tag that is never closed is a thought, and so is what stands before a closing tag without an opening one.
    """
    if "<" not in text:
        return text
    if "<|channel|>" in text:
        text = _final_channel(text)
    pieces: list[str] = []
    at = 0
    while (opening := _OPEN.search(text, at)) or (closing := _CLOSE.search(text, at)):
        closing = _CLOSE.search(text, at)
        if opening is None or (closing is not None and closing.start() < opening.start()):
            assert closing is not None
            pieces = []
            at = closing.end()
            continue
        pieces.append(text[at : opening.start()])
        if closing is None:
            return "".join(pieces)
        at = closing.end()
    return "".join([*pieces, text[at:]])


def _final_channel(text: str) -> str:
    """Return what stands in the channels called `final`; where there is none, nothing was answered."""
    said: list[str] = []
    for mark in _CHANNEL.finditer(text):
        if mark[1] == "final":
            end = _ENDS.search(text, mark.end())
            said.append(text[mark.end() : end.start() if end else len(text)])
    return "\n".join(said)
