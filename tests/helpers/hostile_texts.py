"""Texts that no model should write and some will, for verifiers to survive: pieces of code, of markup and of right answers, put together at random.

[*hostile_texts(random.Random(1), ["42", "08:15"], 3)]
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

PIECES = (
    "Answer:", "answer is", "\nAnswer: ", "**Answer:**", "A:", "####", "\\boxed{", "}", "{", "[", "]", "(", ")", "->", "=", "+", "-", "*", "/", "%", "$",
    "0", "1", "9" * 40, "-1", "1/0", "0x1F", "1e999", "NaN", "inf", "None", "٤٢", "４２", "²", "½", ":", "::", "99:99", "25:00", "pm", "a.m.", ",", ".", "...",
    "km", "dollars", "zebras", "per hour", "SELECT", "DROP TABLE", "; --", "/*", "*/", "'", '"', "`", "```python\n", "```sql\n", "```", "\n", "\r\n", "\t", " " * 300,
    "\x00", "\x1b[31m", "\u202e", "\ud800", "\u200b", "é", "𝟜𝟚", "__import__('os')", "lambda: 0", "def f():\n    return", "while True: pass", "raise SystemExit",
    "import os", "{{ 7 * 7 }}", "<script>", "(" * 500, "\\frac{1}{", "right", "the answer", "I do not know",
)  # fmt: skip


def hostile_texts(rng: random.Random, golds: Sequence[str], n: int) -> Iterator[str]:
    """Yield n texts; parts of right answers are among their pieces."""
    for _ in range(n):
        pieces = [rng.choice(PIECES) if rng.random() < 0.85 else _part(rng, rng.choice(golds)) for _ in range(rng.randint(0, 12))]
        begin = "Answer: " if rng.random() < 0.5 else ""
        yield begin + rng.choice(("", " ")).join(pieces)


def _part(rng: random.Random, gold: str) -> str:
    begin = rng.randrange(len(gold)) if gold else 0
    return gold[begin : rng.randint(begin, len(gold))]
