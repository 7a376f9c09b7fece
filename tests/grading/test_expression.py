"""The evaluator against an oracle that never sees text: random trees are worked out with `Fraction` and printed for it to read."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction

import pytest
from ends import ends
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.errors import Unparseable
from reasoner.grading.expression import MAX_BITS, MAX_CHARS, MAX_DEPTH, MAX_NODES, Undefined, evaluate

OPERATIONS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
SPELLINGS = {"+": ["+", "＋"], "-": ["-", "−", "–"], "*": ["*", "×", "·", "x", "\\times", "\\cdot"], "/": ["/", "÷", "\\div"]}

# (text, value or None for a division by zero, literals, how tightly its outermost operator binds)
Tree = tuple[str, Fraction | None, tuple[Fraction, ...], int]


def outcome(text: str) -> tuple[Fraction | None, str]:
    """Return the value, or None and the reason why there is none."""
    try:
        return evaluate(text).value, ""
    except Unparseable as error:
        return None, error.message


@st.composite
def leaves(draw: st.DrawFn) -> Tree:
    whole = draw(st.integers(0, 10**6))
    digits = str(whole)
    if draw(st.booleans()):
        digits += "." + draw(st.text("0123456789", min_size=1, max_size=3))
    return digits, Fraction(digits), (Fraction(digits),), 4


@st.composite
def joined(draw: st.DrawFn, children: st.SearchStrategy[Tree]) -> Tree:
    if draw(st.integers(0, 5)) == 0:
        text, value, literals, rank = draw(children)
        return f"-{text if rank >= 3 else f'({text})'}", None if value is None else -value, literals, 3
    sign = draw(st.sampled_from("+-*/"))
    rank = 1 if sign in "+-" else 2
    (left, a, left_literals, left_rank), (right, b, right_literals, right_rank) = draw(children), draw(children)
    left = f"({left})" if left_rank < rank or draw(st.booleans()) else left
    right = f"[{right}]" if right_rank <= rank or draw(st.booleans()) else right
    value = None if a is None or b is None or (sign == "/" and b == 0) else OPERATIONS[sign](a, b)
    blank = draw(st.sampled_from(["", " ", "  "]))
    spelt = draw(st.sampled_from(SPELLINGS[sign]))
    gap = " " if spelt.startswith("\\") else blank
    return f"{left}{blank}{spelt}{gap}{right}", value, left_literals + right_literals, rank


TREES = st.recursive(leaves(), joined, max_leaves=12)


@settings(max_examples=400, deadline=None)
@given(TREES)
def test_agrees_with_the_oracle(tree: Tree) -> None:
    text, value, literals, _ = tree
    if value is None:
        with pytest.raises(Undefined, match="divides by zero"):
            evaluate(text)
    else:
        found = evaluate(text)
        assert (found.value, found.literals) == (value, literals)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="0123456789+-*/()[]^x. \\½²٣", max_size=40) | st.text(max_size=60))
def test_any_text_has_a_value_or_a_reason(text: str) -> None:
    value, reason = outcome(text)
    assert isinstance(value, Fraction) != bool(reason)
    assert len(reason) < 200


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(10 - 4) * (13 - 9)", 24),
        ("2 + 3 * 4", 14),
        ("20 - 5 - 3", 12),
        ("24 / 4 / 2", 3),
        ("8 / (3 - 8 / 3)", 24),
        ("-3 - -3", 0),
        ("-(2 + 3) * 2", -10),
        ("2 * -3", -6),
        ("+4", 4),
        ("2.50", Fraction(5, 2)),
        (r"\frac{8}{3} \times 9", 24),
        (r"\frac{1}{\frac{1}{24}}", 24),
        (r"\left(10-4\right) \cdot 4", 24),
        ("6×4", 24),
        ("[3 + 1] x (2 * 3)", 24),
        ("007", 7),
    ],
)
def test_reads(text: str, value: int | Fraction) -> None:
    assert evaluate(text).value == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no expression"),
        ("   ", "there is no expression"),
        ("1 +", "ends where a number"),
        ("* 2", "a number is missing before *"),
        ("2 * / 3", "a number is missing before /"),
        ("(2 + 3", "the bracket ( is not closed"),
        ("2 + 3)", "the bracket ) closes nothing"),
        ("(2 + 3]", "the bracket ] closes nothing"),
        ("()", "a number is missing before )"),
        ("2 3", "an operator is missing before '3'"),
        ("(1)(2)", "an operator is missing before ("),
        ("2 ** 3", "the power operator ** is not one of"),
        ("2 ^ 3", "the power operator ^ is not one of"),
        ("(((9**64)**64)**64)**64", "the power operator"),
        ("2²", "holds '²'"),
        ("٣ + 4", "holds '٣'"),
        ("abs(3)", "holds 'a'"),
        ("1e9", "holds 'e'"),
        ("1,000", "holds ','"),
        ("x = 3", "a number is missing before x"),
        ("\x00", "U+0000"),
        ("\ud800", "U+D800"),
        (".5", "holds '.'"),
        ("5.", "holds '.'"),
    ],
)
def test_refuses_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(Unparseable) as caught:
        evaluate(text)
    assert not isinstance(caught.value, Undefined)
    assert reason in caught.value.message


def test_limits_hold_exactly() -> None:
    assert evaluate("1" + " " * (MAX_CHARS - 1)).value == 1
    with pytest.raises(Unparseable, match="1001 characters"):
        evaluate("1" + " " * MAX_CHARS)
    numbers = MAX_NODES // 2
    assert evaluate("+".join("1" * numbers)).value == numbers
    with pytest.raises(Unparseable, match="more than 200"):
        evaluate("+".join("1" * (numbers + 1)))
    assert evaluate("(" * MAX_DEPTH + "1" + ")" * MAX_DEPTH).value == 1
    with pytest.raises(Unparseable, match="deeper than 50"):
        evaluate("(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1))
    assert evaluate("-" * MAX_DEPTH + "1").value == 1
    with pytest.raises(Unparseable, match="deeper than 50"):
        evaluate("-" * (MAX_DEPTH + 1) + "1")
    # Depth is what is open at once: closed brackets do not count.
    assert evaluate("+".join(["(1)"] * 60)).value == 60


def test_numbers_may_not_grow_past_the_bit_limit() -> None:
    # A text of 1,000 characters cannot pass the limit by products alone; sums of fractions cannot either. The guard is for `apply`.
    from reasoner.grading.expression import apply

    at_limit = Fraction(2 ** (MAX_BITS // 2 - 1))
    assert apply("*", at_limit, at_limit) == at_limit**2
    for sign in "+-*/":
        with pytest.raises(Undefined, match="past 10000 bits"):
            apply(sign, at_limit, at_limit * 2)


@pytest.mark.parametrize("text", ["(" * 10**5, "-" * 10**5 + "1", "9" * 10**6, "9" * 1000, "1/" * 499 + "7", "9*" * 499 + "9"])
def test_work_is_bounded(text: str) -> None:
    with ends(text[:20]):
        _, reason = outcome(text)
    assert len(reason) < 200
