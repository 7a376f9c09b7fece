r"""The grader `math`: mathematical equality by Math-Verify (extra `tasks`), in a process of its own with a limit of time.

    judge("0.5", [r"\frac{1}{2}"])  ->  right;   "(1,2]" wrong for "[1,2)", "q-p" wrong for "p-q"

Plain numbers are compared exactly by `number`, equal notation is equal, and words, dates, versions and times are compared by `exact`: as
products of letters every anagram would be right. What Math-Verify takes for the same and is not, is told apart before it is asked:
kinds of brackets, sets and tuples, other units. Knows notation; the values are sympy's, in `reasoner.grading.worker.equality`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reasoner.errors import MissingDependency
from reasoner.grading.dress import undressed
from reasoner.grading.graders import Grader, right, shown, unjudged, wrong
from reasoner.grading.graders.exact import normal
from reasoner.grading.graders.number import Number
from reasoner.grading.quantity import fits, quantity
from reasoner.grading.worker.process import MATH, worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.types import Verdict

MAX_CHARS = 600
MAX_DEPTH = 25
MAX_DIGITS = 60
"""Digits in a row; equal longer numbers are equal as text."""

_NUMBER = Number("number")
_FORMS = (
    (re.compile(r"\\(?:left|right|displaystyle|limits|big|Big|bigl|bigr|Bigl|Bigr)(?![A-Za-z])"), ""),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\[,;:! ]|\\quad|~"), " "),
    (re.compile(r"\\le(?:q|qslant)?(?![A-Za-z])|≤|⩽"), r"\\le "),
    (re.compile(r"\\ge(?:q|qslant)?(?![A-Za-z])|≥|⩾"), r"\\ge "),
    (re.compile(r"\\neq?(?![A-Za-z])|≠"), r"\\ne "),
    (re.compile(r"\\(?:rm|mathrm|text|textbf|mbox|mathbf|operatorname)\s?\{"), r"\\text{"),
    (re.compile(r"π"), r"\\pi "),
    (re.compile(r"∞"), r"\\infty "),
    (re.compile(r"∪"), r"\\cup "),
    (re.compile(r"∩"), r"\\cap "),
    (re.compile(r"∈"), r"\\in "),
    (re.compile(r"∅|\\varnothing"), r"\\emptyset "),
    (re.compile(r"°"), r"^\\circ "),
    (re.compile(r"×"), r"\\times "),
    (re.compile(r"·|⋅"), r"\\cdot "),
    (re.compile(r"√\s?\(([^()]{1,80})\)"), r"\\sqrt{\1}"),
    (re.compile(r"√\s?(\w{1,20})"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![A-Za-z\\])sqrt\s?\(([^()]{1,80})\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![A-Za-z\\])pi(?![A-Za-z])"), r"\\pi "),
    (re.compile(r"(?<![A-Za-z\\])(?:inf|infinity|oo)(?![A-Za-z])"), r"\\infty "),
    (re.compile(r"<=|=<"), r"\\le "),
    (re.compile(r">="), r"\\ge "),
    (re.compile(r"!="), r"\\ne "),
    (re.compile(r"\*\*"), "^"),
)
_SIGNS = str.maketrans({"−": "-", "–": "-", "“": '"', "”": '"', "⁄": "/"})
_POWERS = {"²": "^{2}", "³": "^{3}", "⁴": "^{4}", "⁵": "^{5}", "⁶": "^{6}", "⁻": "^{-}", "¹": "^{1}", "⁰": "^{0}"}
_COMMAND = re.compile(r"\\[A-Za-z]+")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_UNIT_END = re.compile(r"(?:\\text\{[^{}]*\}(?:\^\{?[23]\}?)?|\^\s?\{?\s?\\circ\s?\}?|\\%|%)\s*$")
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[A-Za-z]{1,20}\*?\}")
_WORD = re.compile(r"[^\W\d_]{2,}")
_ORDER = re.compile(r"[<>]|\\[lg]e(?![A-Za-z])")
_FUNCTIONS = frozenset(
    [
        "sin",
        "cos",
        "tan",
        "cot",
        "sec",
        "csc",
        "arcsin",
        "arccos",
        "arctan",
        "log",
        "ln",
        "exp",
        "max",
        "min",
        "gcd",
        "lcm",
        "mod",
        "det",
        "sqrt",
        "and",
        "or",
        "pi",
    ]
)
_NO_MATH = re.compile(r"\d\s?:\s?\d|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d\.\d{1,9}\.\d|^\s*(?:\d+|[A-Z])\s?-\s?\d+\s*$")
_MEMBER = re.compile(r"^\s*[A-Za-z](?:_\w)?\s*(?:\\in|=)\s*")
_OPENING = {"(": "(", "[": "[", "\\{": "{"}
_CLOSING = {")": ")", "]": "]", "\\}": "}"}


def notation(text: str) -> str:
    """Return one notation of a text: LaTeX without what only spaces it, signs by one name each, blanks that matter to nothing left out."""
    text = undressed(text).translate(_SIGNS)
    for sign, power in _POWERS.items():
        text = text.replace(sign, power)
    for pattern, form in _FORMS:
        text = pattern.sub(form, text)
    if text.endswith(".") and not text.endswith(".."):
        text = text[:-1]
    return undressed(" ".join(text.split()))


def packed(text: str) -> str:
    """Return a notation without its blanks, but for those inside words; for telling whether two texts are written alike."""
    return re.sub(r"(?<=[^\w])\s+|\s+(?=[^\w])", "", re.sub(r"(\\[A-Za-z]+)\s+(?=[A-Za-z])", r"\1 ", text))


def is_mathematics(text: str) -> bool:
    """Tell whether a notation is a formula: no words but functions and units, and no date, time, ratio or version."""
    if _NO_MATH.search(text):
        return False
    bare = _COMMAND.sub(" ", _TEXT.sub(" ", _ENVIRONMENT.sub(r"\\matrix ", text)))
    if any(word.lower() not in _FUNCTIONS for word in _WORD.findall(bare)):
        return _products(bare)
    return any(c.isdigit() or c in "+-*/^=<>()[]{}|" for c in bare) or bool(_COMMAND.search(_TEXT.sub(" ", text)))


def _products(bare: str) -> bool:
    """Tell whether what looks like words are products of variables (`ab + cd`, `2xy`): there is an operator, and no three letters stand together."""
    words = [word for word in _WORD.findall(bare) if word.lower() not in _FUNCTIONS]
    return all(len(word) == 2 and word.islower() for word in words) and any(c in "+-*/^=<>" for c in bare)


def bracket_kind(text: str) -> str:
    """Return the outer brackets of a list, interval or set, `[)`; `,` for a bare list, empty for anything else, `?` where they do not match."""
    body = _MEMBER.sub("", text).strip()
    opening = next((mark for mark in _OPENING if body.startswith(mark)), "")
    closing = next((mark for mark in _CLOSING if body.endswith(mark)), "")
    depth, top_comma, ends_early = 0, False, False
    at = 0
    while at < len(body):
        mark = body[at : at + 2] if body[at] == "\\" and body[at + 1 : at + 2] in {"{", "}"} else body[at]
        if mark in {"(", "[", "{", "\\{"}:
            depth += 1
        elif mark in {")", "]", "}", "\\}"}:
            depth -= 1
            ends_early = ends_early or (depth == 0 and at + len(mark) < len(body))
        elif mark == "," and depth == (1 if opening else 0):
            top_comma = True
        if depth < 0:
            return "?"
        at += len(mark)
    if depth:
        return "?"
    if opening and closing and not ends_early:
        return _OPENING[opening] + _CLOSING[closing] if top_comma or opening == "\\{" else ""
    return "," if top_comma and not opening else ""


def compatible(gold: str, given: str) -> bool:
    """Tell whether two notations may be the same by their brackets: a bare list may stand for a set, and for nothing else."""
    a, b = bracket_kind(gold), bracket_kind(given)
    if "?" in (a, b):
        return False
    if "\\pm" in gold or "\\pm" in given:
        return {a, b} <= {"", ",", "{}"}
    if {len(a), len(b)} == {0, 2} and _ORDER.search(given if not b else gold):
        return True  # a chain of inequalities may be an interval; which, is computed
    if a == b or not a or not b:
        return a == b or (not a and b == "{}") or (a == "{}" and not b)
    return {a, b} == {",", "{}"}


def units_differ(gold: str, given: str) -> bool:
    """Tell whether both end in a unit, and these are not the same."""
    a, b = _UNIT_END.search(gold), _UNIT_END.search(given)
    if a is None or b is None or a.start() == 0 or b.start() == 0:
        return False
    one, other = quantity(f"1 {a[0]}"), quantity(f"1 {b[0]}")
    return not fits(one, other) if one and other else packed(a[0]) != packed(b[0])


def without_unit(text: str) -> str:
    """Return a notation without a unit at its end; percent stay, they are a value."""
    found = _UNIT_END.search(text)
    return text if found is None or found.start() == 0 or found[0].strip() in {"%", "\\%"} else text[: found.start()].strip()


class Math(Grader):
    """Mathematical equality."""

    name = "math"
    summary = "mathematical equality of LaTeX by Math-Verify (extra tasks): fractions, sets, intervals, equations, several answers"

    @classmethod
    def ready(cls) -> None:
        """Start the process, so that the first answer does not wait for it.

        Raises:
            MissingDependency: math-verify is not installed.
        """
        worker(MATH).ask({"op": "math", "gold": "1", "given": "1"})

    def judge(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> Verdict:  # noqa: ARG002
        """Compare with each gold in turn."""
        doubt = ""
        for gold in golds:
            try:
                same = equal(gold, given)
            except MissingDependency as error:
                doubt = str(error)
                continue
            if same:
                return right("mathematically equal", em=1.0)
            doubt = doubt if same is not None else "the comparison took too long"
        if doubt and not any(normal(gold) == normal(given) for gold in golds):
            return unjudged(doubt) if "install" in doubt else wrong(f"{doubt}: {shown(given)}", em=0.0)
        return wrong(f"{shown(given)} is not equal to the gold", em=0.0)

    def canonical(self, given: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> str:  # noqa: ARG002
        """Return the notation; where it is a plain number, its value."""
        return _NUMBER.canonical(given, golds) if quantity(given) is not None else packed(notation(given))

    def same(self, one: str, other: str, golds: Sequence[str], *, choices: Sequence[str] = ()) -> bool:  # noqa: ARG002
        """Tell whether two answers are equal; what cannot be compared is not."""
        if self.canonical(one, golds) == self.canonical(other, golds):
            return True
        try:
            return bool(equal(one, other))
        except MissingDependency:
            return False


def equal(gold: str, given: str) -> bool | None:
    """Tell whether an answer is equal to a gold; None where the comparison did not come to an end.

    Raises:
        MissingDependency: it needs math-verify, which is not installed.
    """
    a, b = quantity(gold), quantity(given)
    if a is not None and b is not None:
        hundredths = a.percent and not b.unit and b.value * 100 == a.value
        return hundredths or bool(_NUMBER.judge(given, [gold]).correct)
    if normal(gold) == normal(given):
        return True
    if len(given) > MAX_CHARS or len(gold) > MAX_CHARS:
        return False
    one, other = notation(gold), notation(given)
    if not is_mathematics(one) or not is_mathematics(other):
        return normal(_TEXT.sub(r"\1", one)) == normal(_TEXT.sub(r"\1", other))
    if packed(one) == packed(other):
        return True
    if not compatible(one, other) or units_differ(one, other) or not _bounded(one) or not _bounded(other):
        return False
    answer = worker(MATH).ask({"op": "math", "gold": without_unit(one), "given": without_unit(other)})
    return None if answer is None else bool(answer.get("same"))


def _bounded(text: str) -> bool:
    """Tell whether a notation can be worth computing: not nested too deep, no endless digits, no tower of powers."""
    depth = deepest = digits = 0
    for c in text:
        depth += (c in "([{") - (c in ")]}")
        deepest = max(deepest, depth)
        digits = digits + 1 if c.isdigit() else 0
        if deepest > MAX_DEPTH or digits > MAX_DIGITS:
            return False
    return not re.search(r"\^\s?\{?\s?\(?-?\s?\d{4}|\d{4,}\s?!|!\s?!|\^[^+\-*/,]{0,40}\^[^+\-*/,]{0,40}\^", text)


GRADER = Math
