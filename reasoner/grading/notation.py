r"""One notation for the many spellings of a formula, and what of a notation tells two formulas apart before they are computed.

    notation(r"x \leq 2")          ->  r"x \le 2";   notation("5 or -5")  ->  "5, -5";   notation(r"-2 \le x < 5")  ->  r"x \in [-2,5)"
    bracket_kind("[1,2)")         ->  "[)";         is_mathematics("C++")  ->  False

Knows signs, brackets, units at the end and names; the values are sympy's, in `reasoner.grading.worker.equality`.
"""

from __future__ import annotations

import re

from reasoner.grading.dress import undressed
from reasoner.grading.quantity import fits, quantity
from reasoner.grading.units import known

_FORMS = (
    (re.compile(r"\\(?:left|right|displaystyle|limits|big|Big|bigl|bigr|Bigl|Bigr)(?![A-Za-z])"), ""),
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\\\"), r" \\\\ "),
    (re.compile(r"(?<!\\)\\[,;:! ]|\\quad|~"), " "),
    (re.compile(r"\\le(?:q|qslant)?(?![A-Za-z])|≤|⩽"), r"\\le "),
    (re.compile(r"\\ge(?:q|qslant)?(?![A-Za-z])|≥|⩾"), r"\\ge "),
    (re.compile(r"\\neq?(?![A-Za-z])|≠"), r"\\ne "),
    (re.compile(r"\\(?:rm|mathrm|text|textbf|mbox|mathbf|operatorname)\s?\{"), r"\\text{"),
    (re.compile(r"\\text\{\s?i\s?\}"), "i"),
    (re.compile(r"\s{0,3},?\s{0,3}\\text\{\s?(and|or)\s?\}"), r" \1 "),
    (re.compile(r"\\lt(?![A-Za-z])"), "<"),
    (re.compile(r"\\gt(?![A-Za-z])"), ">"),
    (re.compile(r"π"), r"\\pi "),
    (re.compile(r"±"), r"\\pm "),
    (re.compile(r"∓"), r"\\mp "),
    (re.compile(r"ℝ"), r"\\mathbb{R}"),
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
    (re.compile(r"\^(-?\d{2,4})(?!\d)"), r"^{\1}"),
    (re.compile(r"(?<![A-Za-z\\])(sin|cos|tan|log|ln|exp)(?=\s?\(|\s\w)"), r"\\\1"),
    (re.compile(r"(?<=\d)\s+(?=[A-Za-z](?![A-Za-z]))"), ""),
)
_SIGNS = str.maketrans({"−": "-", "–": "-", "“": '"', "”": '"', "⁄": "/"})
_POWERS = {"²": "^{2}", "³": "^{3}", "⁴": "^{4}", "⁵": "^{5}", "⁶": "^{6}", "⁻": "^{-}", "¹": "^{1}", "⁰": "^{0}"}
_COMMAND = re.compile(r"\\[A-Za-z]+")
_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_UNIT_END = re.compile(r"(?:\\text\{[^{}]*\}(?:\^\{?[23]\}?)?|\^\s?\{?\s?\\circ\s?\}?|\\%|%)\s*$")
_UNIT_WORD = re.compile(r"(?<=[\d}\s)])\s?([A-Za-z]{2,12})(?:\^\{?[23]\}?)?\s*$")
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
_CLOSED_INFINITY = re.compile(r"\\infty\s?\]|\[\s?[-+]?\s?\\infty")
_CONJUNCTION = re.compile(r"\s?,?\s(?:and|or)\s")
_TUPLE_NAME = re.compile(r"^(?:\([a-z](?:,\s?[a-z]){1,3}\)\s?=\s?|[A-Z]\s?=?\s?)(?=\([^()]{1,80},[^()]{1,80}\)$)")
_REALS = re.compile(r"\(\s?-\s?\\infty\s?,\s?\+?\s?\\infty\s?\)")
_BOUND = r"[^<>\\=,]{0,40}(?:\\(?:frac|sqrt|pi|infty)[^<>=,\\]{0,40}){0,3}"
_CHAIN = re.compile(
    rf"(?P<one>{_BOUND})(?P<left>[<>]|\\[lg]e(?![A-Za-z]))\s?(?P<name>[A-Za-z])\s?(?P<right>[<>]|\\[lg]e(?![A-Za-z]))(?P<other>{_BOUND})"
)
_ASSIGNED = re.compile(r"(?:^|,)\s?([A-Za-z](?:_\w)?)\s?=")
_BASED = re.compile(r"\(?(-?[0-9A-Fa-f]{1,60})\)?_\{?(\d{1,2})\}?")
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
    text = undressed(" ".join(text.split()))
    if " or " in text or " and " in text:
        text = text if _ORDER.search(text) else _CONJUNCTION.sub(", ", text)
    text = _REALS.sub(r"\\mathbb{R}", _TUPLE_NAME.sub("", text))
    return _interval(text)


def _interval(text: str) -> str:
    r"""Write a chain of inequalities, `-2 \le x < 5`, as the interval it is; anything else as it is."""
    found = _CHAIN.fullmatch(text)
    if found is None or ("<" in found["left"] + found["right"] or "\\le" in found["left"] + found["right"]) == (
        ">" in found["left"] + found["right"] or "\\ge" in found["left"] + found["right"]
    ):
        return text
    low, high, left, right = found["one"].strip(), found["other"].strip(), found["left"], found["right"]
    if left.startswith((">", "\\ge")):
        low, high, left, right = high, low, right, left
    return f"{found['name']} \\in {'(' if left in '<>' else '['}{low},{high}{')' if right in '<>' else ']'}"


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
    if "?" in (a, b) or bool(_CLOSED_INFINITY.search(gold)) != bool(_CLOSED_INFINITY.search(given)):
        return False
    if "\\pm" in gold or "\\pm" in given:
        return {a, b} <= {"", ",", "{}"}
    if {len(a), len(b)} == {0, 2} and _ORDER.search(given if not b else gold):
        return True  # a chain of inequalities may be an interval; which, is computed
    if a == b or not a or not b:
        return a == b or (not a and b == "{}") or (a == "{}" and not b)
    return {a, b} == {",", "{}"}


def units_differ(gold: str, given: str) -> bool:
    """Tell whether both end in a unit, and these are not the same; or whether one counts degrees where the other counts by pi."""
    a, b = _unit_end(gold), _unit_end(given)
    if "\\pi" in gold + given and ("\\circ" in a) != ("\\circ" in b):
        return True
    if not a or not b:
        return False
    one, other = quantity(f"1 {a}"), quantity(f"1 {b}")
    return not fits(one, other) if one and other else packed(a) != packed(b)


def without_unit(text: str) -> str:
    """Return a notation without a unit at its end; percent stay, they are a value."""
    end = _unit_end(text)
    return text if not end or end in {"%", "\\%"} else text[: text.rindex(end)].strip()


def _unit_end(text: str) -> str:
    """Return the unit at the end of a notation; empty where it has none."""
    found = _UNIT_END.search(text)
    if found is not None and found.start():
        return found[0].strip()
    word = _UNIT_WORD.search(text)
    return word[0].strip() if word is not None and known(word[1]) else ""


def names_differ(gold: str, given: str) -> bool:
    """Tell whether one says values of several variables (`x = 1, y = 2`) and the other those of others."""
    a, b = set(_ASSIGNED.findall(gold)), set(_ASSIGNED.findall(given))
    return a != b and max(len(a), len(b)) > 1


def joins_differ(gold: str, given: str) -> bool:
    """Tell whether one joins inequalities by `and` where the other joins them by `or`."""
    return (
        bool(_ORDER.search(gold))
        and (" or " in gold, " and " in gold) != (" or " in given, " and " in given)
        and _joined(gold)
        and _joined(given)
    )


def _joined(text: str) -> bool:
    return " or " in text or " and " in text


def same_base(gold: str, given: str) -> bool | None:
    """Tell whether two numerals are the same in the gold's base, which an answer may leave out; None where the gold names no base."""
    a, b = _BASED.fullmatch(gold), _BASED.fullmatch(given)
    if a is None:
        return None if b is None else False
    digits, base = (b[1], b[2]) if b is not None else (given.strip("() "), a[2])
    return digits.lower() == a[1].lower() and base == a[2]
