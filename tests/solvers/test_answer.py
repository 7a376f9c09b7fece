"""Finding the line that is judged, and what stays of it in plain notation."""

from __future__ import annotations

import random
import re

import pytest

from reasoner.errors import Unparseable
from reasoner.text import tail
from solvers import _answer as answers


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Answer: 9 -> 10", "9 -> 10"),
        ("9 -> 10", "9 -> 10"),
        ("\n\n  9 -> 10  \n", "9 -> 10"),
        ("Answer: 1\nAnswer: 2\nthe end", "2"),
        ("Answer:\n\n3 * 4\n", "3 * 4"),
        ("**Answer:** **3 * 4** = **12**.", "3 * 4 = 12"),
        (r"Answer: $\boxed{3 \times 4 \to 12}$.", "3 * 4 -> 12"),
        ("Answer: 3\u00a0×\u00a04 − 1 ⇒ 11;", "3 * 4 - 1 -> 11"),
        ("Answer: 2 ** 3", "2 ** 3"),
        ("Answer: \x1b[1m9\u202e", "\x1b[1m9\u202e"),
    ],
)
def test_finds(text: str, found: str) -> None:
    assert answers.find(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("9 -> 10\nDone.", "no line 'Answer: ...' was found"),
        ("", "no line 'Answer: ...' was found"),
        ("Answer: " + "(one) 9 -> " * 400, "the answer has 4399 characters, at most 4000 are read"),
        ("9" * 5000, "the answer has 5000 characters"),
        ("Answer: .", "the answer is empty"),
        ("Answer:", "the answer is empty"),
        ("**The final answer is:**", "the answer is empty"),
    ],
)
def test_refuses(text: str, reason: str) -> None:
    with pytest.raises(Unparseable, match=reason):
        answers.find(text)


def test_only_remarks_in_words_are_dropped() -> None:
    assert answers.without_remarks("9 (start) -> 10 (9 + 1 = 10) (then on)") == "9   -> 10 (9 + 1 = 10)"
    assert answers.without_remarks("(3 x 4)") == "(3 x 4)"


def test_reasons_are_short_single_lines() -> None:
    for verdict in (answers.right("a\nb" * 200), answers.wrong("\x1b[31m" + "a\n" * 500), answers.unread("\ud800 x")):
        assert verdict.reason.isprintable()
        assert 0 < len(verdict.reason) <= 200
    assert len(answers.shown("9" * 10_000)) == 42


RUN = re.compile(r"[^\S\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]{2,}")
REPLACED = [
    (re.compile(r"\\boxed\s*\{(.*)\}"), r"\1"),
    (re.compile(r"-{0,3}[-=]>|→|\\to(?![A-Za-z])"), " -> "),
    (re.compile(r"\\[()\[\]]|\\[,;:! ]|[$`]"), " "),
    (re.compile(r"\\([*_])"), r"\1"),
    (re.compile("[\u2212]"), "-"),
    (re.compile("\u00a0"), " "),
    *[(re.compile(r"\\frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"((\1)/(\2))")] * 5,
]
"""Everything that is replaced in an answer, in its order, as far as the texts of the test can hold it."""
EMPHASIS = re.compile(r"(?:(?:^|(?<=->)|(?<==))\s*\*{2,3}(?!\*))|(?:\*{2,3}(?=\s*(?:$|->|=|,)))")
EDGES = " \t_.,;!"


def test_patterns_that_are_not_run_would_have_changed_nothing() -> None:
    def plain(line: str) -> str:
        for pattern, instead in REPLACED:
            line = pattern.sub(instead, line)
        return " ".join(EMPHASIS.sub(" ", line.strip(EDGES)).split()).strip(EDGES)

    stream = random.Random(0)
    parts = [
        *" ->=*$`.,()[]{}_9x",
        " -> ",
        "->",
        "=>",
        "-->",
        "\\",
        "\\to",
        "\\boxed{",
        "\\frac{1}{2}",
        "\\*",
        "**",
        "***",
        "\u2192",
        "\u2212",
        "\u00a0",
        "\t",
        "\x1f",
    ]
    for _ in range(20_000):
        text = "".join(stream.choices(parts, k=stream.randint(1, 12)))
        assert answers.plain(text) == plain(text), text
        blanks = text.replace(" ", stream.choice((" ", "  ", "\t ", "\x1f\t", "\u00a0 ")))
        asked = f"Answer: 9{blanks}9\nthe end"
        try:
            found = answers.find(asked)
        except Unparseable:
            continue
        assert found == answers.find(RUN.sub(" ", tail(asked))), asked
