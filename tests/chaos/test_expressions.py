"""The arithmetic evaluator against an oracle that shares no line with it: random trees, their spoilt prints, and hostile text.

A tree is worked out with `Fraction` while it is made, and printed. A spoilt or hostile text is read by the small recursive reader below,
which knows the grammar from docs/reference/solvers.md and nothing of the evaluator. `REASONER_EXPRESSIONS` sets how many; the seed is printed.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from ends import ends

from reasoner.errors import Unparseable
from reasoner.grading.expression import MAX_BITS, MAX_CHARS, MAX_DEPTH, MAX_NODES, Undefined, evaluate

EXPRESSIONS = int(os.environ.get("REASONER_EXPRESSIONS", "5000"))
CORPUS = sorted((Path(__file__).parent.parent / "corpus" / "expressions").glob("*.txt"))


class Wrong(Exception):
    """No expression, by the oracle."""


class Large(Exception):
    """Past a bound of size or depth: the evaluator may refuse it, for whichever of its bounds it meets first."""


class Oracle:
    """A recursive reader of + - * / x X, signs, ( ) and [ ] over the ASCII digits."""

    def __init__(self, text: str) -> None:
        self.words = re.findall(r"[0-9]+\.[0-9]+|[0-9]+|\*\*|\S", text)
        self.at = 0
        self.depth = self.deepest = self.n = 0
        self.bits = 0
        self.divided_by_zero = False

    def value(self) -> Fraction | None:
        found = self.sum()
        if self.at < len(self.words):
            raise Wrong(self.words[self.at])
        return found

    def peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def take(self) -> str:
        word = self.peek()
        self.at += 1
        return word

    def sum(self) -> Fraction | None:
        left = self.product()
        while self.peek() in {"+", "-"}:
            left = self.joined(self.take(), left, self.product())
        return left

    def product(self) -> Fraction | None:
        left = self.signed()
        while self.peek() in {"*", "/", "x", "X"}:
            left = self.joined(self.take(), left, self.signed())
        return left

    def signed(self) -> Fraction | None:
        if self.peek() not in {"+", "-"}:
            return self.atom()
        self.n += 1
        sign = self.take()
        self.deeper()
        value = self.signed()
        self.depth -= 1
        return -value if sign == "-" and value is not None else value

    def atom(self) -> Fraction | None:
        word = self.take()
        if word in {"(", "["}:
            self.deeper()
            inner = self.sum()
            if self.take() != {"(": ")", "[": "]"}[word]:
                raise Wrong("a bracket")
            self.depth -= 1
            return inner
        if not word or not set(word) <= set("0123456789."):
            raise Wrong(word or "the end")
        if word.startswith(".") or word.endswith("."):
            raise Wrong(word)
        self.n += 1
        return Fraction(word)

    def deeper(self) -> None:
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth > 150:
            raise Large

    def joined(self, sign: str, left: Fraction | None, right: Fraction | None) -> Fraction | None:
        self.n += 1
        if left is None or right is None:
            return None
        self.bits = max(self.bits, *(max(v.numerator.bit_length(), v.denominator.bit_length()) for v in (left, right)))
        if self.bits > 4 * MAX_BITS:
            raise Large
        if sign == "/":
            if right == 0:
                self.divided_by_zero = True
                return None
            return left / right
        return left + right if sign == "+" else left - right if sign == "-" else left * right


def tree(rng: random.Random, n: int) -> tuple[str, Fraction | None, int]:
    """Return text, value (None where it divides by zero) and how tightly the outermost operator binds."""
    if n <= 1:
        digits = str(rng.choice((rng.randrange(14), rng.randrange(10**6), rng.randrange(10**30))))
        if rng.random() < 0.15:
            digits += f".{rng.randrange(1000):03d}"
        return digits, Fraction(digits), 4
    if rng.random() < 0.1:
        text, value, rank = tree(rng, n - 1)
        return f"-{text if rank >= 3 else f'({text})'}", None if value is None else -value, 3
    split = rng.randint(1, n - 1)
    sign = rng.choice("+-*/")
    rank = 1 if sign in "+-" else 2
    (left, a, left_rank), (right, b, right_rank) = tree(rng, split), tree(rng, n - split)
    if left_rank < rank or rng.random() < 0.2:
        left = f"({left})"
    if right_rank <= rank or rng.random() < 0.2:
        right = f"[{right}]"
    joined: Fraction | None = None
    if a is not None and b is not None and (sign != "/" or b != 0):
        joined = {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b}[sign]()
    spelt = rng.choice({"+": "+＋", "-": "-−–", "*": "*×·x", "/": "/÷"}[sign])
    return f"{left}{rng.choice(('', ' '))}{spelt}{rng.choice(('', ' '))}{right}", joined, rank


ALPHABET = "0123456789" * 3 + "+-*/()[]xX. ^"
PAYLOADS = (
    "__import__('os').system('true')", "().__class__.__bases__", "exec('1')", "lambda: 1", "1if 1else 2", "[x for x in (1,)]", "{}", "1e9", "1_000", "0x10",
    "1j", "True", "9**9**9**9", "2**9999999", "(((9^64)^64)^64)^64", "1//2", "7%3", "1<<99", "~1", "1,2", "a", "π", "٣+٣", "½", "²", "１２", "\x00", "\ud800",
    "\\frac{1}{0}", "\\frac{1}{2", "\\frac" * 30, "\\times", "4 \\div 2", "1;2", "#", "'", '"', "...", "inf", "nan", "1e400", "print(1)", "@", "1.2.3", "--1",
    "+-+-1", "()", "[)", "([1)]",
)  # fmt: skip


def hostile(rng: random.Random) -> str:
    kind = rng.randrange(8)
    if kind == 0:
        return "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(60)))
    if kind == 1:
        return rng.choice(("(", "[", "-", "+", "((", "1+(", "-(", "1/(1+")) * rng.randrange(1, 400) + "1" + ")" * rng.randrange(400)
    if kind == 2:
        return "*".join(["9" * rng.randrange(1, 300)] * rng.randrange(1, 8))
    if kind == 3:
        return rng.choice("+-*/").join(["1"] * rng.randrange(90, 600))
    if kind == 4:
        text = list(tree(rng, rng.randint(1, 10))[0])
        for _ in range(rng.randint(1, 3)):
            text.insert(rng.randrange(len(text) + 1), rng.choice(ALPHABET))
            del text[rng.randrange(len(text))]
        return "".join(text)
    if kind == 5:
        return rng.choice(PAYLOADS)
    if kind == 6:
        return tree(rng, rng.randint(1, 5))[0] + rng.choice(("", " ")) + rng.choice(PAYLOADS)
    return "".join(
        chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x2000, 0x2100), rng.randrange(0x10000)))) for _ in range(rng.randrange(30))
    )


def judged(text: str) -> tuple[str, Fraction | None]:
    """Return what the evaluator makes of a text."""
    with ends(text, 10):
        try:
            return "value", evaluate(text).value
        except Undefined as error:
            assert len(str(error)) < 200
            return "undefined", None
        except Unparseable as error:
            assert len(str(error)) < 200
            return "unparseable", None


def check(text: str, outcomes: Counter[str]) -> None:
    how, value = judged(text)
    outcomes[how] += 1
    if not set(text) <= set(ALPHABET):
        return  # typography and payloads: judged for escapes and time; what has a value is checked by the trees and by name below
    oracle = Oracle(text)
    try:
        wanted = oracle.value()
    except Wrong:
        assert how in {"unparseable", "undefined"}, text  # it may divide by zero before the place where it goes wrong
        return
    except Large:
        assert how != "value", text
        return
    if len(text) > MAX_CHARS or oracle.n > MAX_NODES or oracle.deepest > MAX_DEPTH:
        assert how != "value", text
    elif oracle.divided_by_zero:
        assert how == "undefined", text
    elif oracle.bits * 2 <= MAX_BITS:
        assert (how, value) == ("value", wanted), text
    else:
        assert how == "undefined" or value == wanted, text


@pytest.mark.slow
def test_no_expression_escapes_is_wrong_or_slow() -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    outcomes: Counter[str] = Counter()
    for number in range(EXPRESSIONS):
        if number % 2:
            check(hostile(rng), outcomes)
            continue
        text, value, _ = tree(rng, rng.randint(1, 24))
        how, found = judged(text)
        outcomes[how] += 1
        if how == "unparseable":
            assert len(text) > MAX_CHARS or len(re.findall(r"[(\[-]", text)) > MAX_DEPTH, text
        elif how == "value":
            assert found == value, text
        else:
            assert value is None or len(text) > 200, text
    print(dict(outcomes))  # noqa: T201 - the measure of the full run
    assert set(outcomes) == {"value", "undefined", "unparseable"}
    assert outcomes["value"] > EXPRESSIONS // 3


@pytest.mark.parametrize("text", [p for p in PAYLOADS if p not in {"4 \\div 2", "--1", "+-+-1", "0x10"}])
def test_payloads_are_no_expressions(text: str) -> None:
    assert judged(text)[0] != "value"


@pytest.mark.parametrize("path", CORPUS, ids=lambda p: p.stem)
def test_regressions(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        check(line, Counter())
