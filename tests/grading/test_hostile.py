"""Nothing a model writes makes a reader or a grader raise, hang or eat the machine.

`REASONER_HOSTILE` says how many answers are drawn (the figure of docs/reference/grading.md is 100000). The limit on a machine of its own is 2 seconds;
on one that others use, the judging process may wait for its turn, and `REASONER_HOSTILE_SECONDS` says what is borne here.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from ends import ends

from reasoner.grading import grader, read
from reasoner.types import Verdict

N = int(os.environ.get("REASONER_HOSTILE", "1000"))
MOST_S = float(os.environ.get("REASONER_HOSTILE_SECONDS", "60"))
GRADERS = ("exact", "squad", "number", "math", "f1:0.5", "any", "number:1%", "any:number")
READERS = ("auto", "answer_line", "tag", "boxed", "hash", "choice", "last_number", "json:a.b", "whole")
GOLDS = ("18", "\\frac{14}{3}", "[1,2)", "x^2+1", "Paris", "35 hours", "\\{1,2\\}", "2\\sqrt{3}", "(B)")

PIECES = (
    "\\frac{", "}{", "}", "{", "\\sqrt{", "\\boxed{", "^", "^{", "_", "(", ")", "[", "]", "\\left(", "\\right)", "9", "99999999", "9!", "!", "x", "y", "e", "i", "\\pi", "\\infty", "+", "-", "*", "/", "=", "<", ">",
    "\\cdot", "\\times", "\\pm", "\\cup", "\\in", "\\int", "\\sum_{k=1}^{", "\\prod", "\\lim_{x\\to 0}", "\\sin", "\\log", "\\binom{", "\\begin{pmatrix}", "\\end{pmatrix}", "&", "\\\\", ",", ".", ":", "%", "\\%", "$", "Answer:",
    "\n", " ", "\t", "\u202e", "\x00", "\ud800", "\U0001f600", "é", "٣", "１", "²", "½", "∞", "√", "10^{10^{10}}", "1e999999", "0.", "\\text{", "the", "and", "NaN", "None", "__import__('os')", '"', "'", "####", "```", "**",
)  # fmt: skip


def bombs(rng: random.Random) -> str:
    n = rng.choice([10, 100, 1000, 30_000])
    return rng.choice(
        [
            "(" * n + "1" + ")" * n, "\\frac{" * n + "1" + "}{2}" * n, "\\sqrt{" * n + "2" + "}" * n, "9" * n, "9^" * min(n, 2000) + "9", "2^{" * n + "2" + "}" * n, f"10^{{{'9' * min(n, 200)}}}", f"{'9' * min(n, 50)}!",
            "(1+x)^{999999}", "\\int_0^{1} x^{x^{x}} dx", "\\sum_{k=1}^{10^{12}} \\frac{1}{k}", "x^{" + "+x^{".join("9" * 5) + "}" * 9, "1/" * n + "1", "-" * n + "1", "1," * n + "1", "\\{" + ",".join(map(str, range(min(n, 3000)))) + "\\}",
            "a" * n, " " * n + "1", "A" * n + ":", "answer " * n, "answer is " * n, "The answer is " + "(" * n, "\\boxed{" * n, "\\boxed{" * n + "}" * n, "#### " * n, "{" * n, '{"a":' * n, "*" * n + "1" + "*" * n, "$" * n, "`" * n,
            "\\sin(" * n + "x" + ")" * n, "x" + "+x" * n, "x" + "*x" * min(n, 3000), "\\prod_{i=1}^{10^9} i", "\\binom{10^{9}}{5}", "e^{e^{e^{e^{9}}}}", "\\begin{pmatrix}" + "1&" * n + "\\end{pmatrix}", "3^{3^{3^{3}}}", "2**2**2**2**2**9",
            "(x+y+z)^{200}", "\\sqrt[999999]{2}", "0^{-1}", "1/0", "\\frac{0}{0}", "\\log_{1} 5", "x=" * n + "1", "<" * n, "1<" * n + "2", ".".join("1" * min(n, 5000)), "1" + ",111" * min(n, 9999), "½" * n, "a-" * n + "a", "\u0301" * n,
            "1" + " " * n + "2", "5" + " " * n + "\\text{ or }" + " " * n + "6", "1 or " * n, "5 " + "ab " * n, "it is " * n, "option " * n + "C", "blue (C" * n, "1<" * n + "x<2", "\\infty]" * n, "1_" * n, "7 " + "of " * n, "2" + "³" * n,
        ]
    )  # fmt: skip


def hostile(rng: random.Random) -> str:
    text = bombs(rng) if rng.random() < 0.4 else "".join(rng.choices(PIECES, k=rng.choice([1, 3, 8, 20, 60, 300])))
    return rng.choice(["Answer: ", "", "The answer is ", "\\boxed{", "#### ", "Antwort: ", "答案："]) + text


def test_no_answer_raises_or_takes_long() -> None:
    pytest.importorskip("math_verify", reason="the extra tasks is not installed")
    rng = random.Random(20261129)
    grader("math").judge("x+1", ["1+x"])  # the process is there
    for _ in range(N):
        text, gold, spec = hostile(rng), rng.choice(GOLDS), rng.choice(GRADERS)
        with ends(f"{spec} {text[:60]}", MOST_S, time.monotonic):
            found = read(rng.choice(READERS), text)
            given = found.text if found else text
            verdict = grader(spec).judge(given, [gold])
            canonical = grader(spec).canonical(given, [gold])
        assert isinstance(verdict, Verdict)
        assert isinstance(canonical, str)
        assert verdict.correct is not True or verdict.score == 1.0
        assert len(verdict.reason) <= 200
        assert "\n" not in verdict.reason


@pytest.mark.parametrize("n", [4000, 64_000])
@pytest.mark.parametrize("reader", READERS)
def test_readers_are_linear(reader: str, n: int) -> None:
    """A quadratic reading of the longer text takes minutes."""
    for piece in (
        "answer ",
        "Answer:",
        "\\boxed{",
        "####",
        "{",
        "(B) ",
        "9,",
        "9.",
        " ",
        "*",
        "the answer is ",
        "<think>",
        "<|channel|>",
        "Antwort: ",
        "答案是",
        "die Antwort ist ",
    ):
        with ends(piece):
            read(reader, piece * (n // len(piece)))


@pytest.mark.parametrize("spec", ["exact", "squad", "number", "math", "choice", "f1:0.5"])
def test_graders_are_linear(spec: str) -> None:
    """Runs of what a pattern looks for, as long as an answer may be; a cubic pattern takes hours, a quadratic one minutes."""
    choices = ("red", "blue") if spec == "choice" else ()
    golds = ["A"] if choices else ["\\frac{14}{3}"]
    for piece in (
        " ",
        " , ",
        "1 or ",
        "\\text{ or } ",
        "ab ",
        "it is ",
        "option ",
        "blue (C) ",
        "1<",
        "\\infty]",
        "1_",
        "of ",
        "½",
        "³",
        "\\\\ ",
        "(",
        "and ",
    ):
        text = "5" + piece * (20_000 // len(piece)) + "6"
        with ends(piece):
            grader(spec).judge(text, golds, choices=choices)
            grader(spec).canonical(text, golds, choices=choices)
