r"""One number with what it counts: digits in any usual writing, fractions, mixed numbers, powers of ten, money, percent, units.

    quantity("$1,234.50")        ->  Quantity(value=2469/2, unit=("dollar",))
    quantity(r"x = 2\frac{1}{2}") ->  Quantity(value=5/2, unit=(), name="x")
    quantity("2 and a half")     ->  None: what is not understood whole is not understood

Nothing is skipped: a text is one number and its unit from end to end, or it is no quantity. Values are exact fractions.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from fractions import Fraction

from reasoner.grading import units
from reasoner.grading.dress import UNSEEN, undressed
from reasoner.grading.expression import SYMBOLS

MAX_CHARS = 300
MAX_EXPONENT = 400

_SPACES = re.compile(r"(?:\s|\\[,;:! ]|(?<=[\w}%$])~|\\quad|\{,\})+")
_GROUP_GAP = re.compile(r"\{,\}|,?\\[!,;: ]|[ \u00a0\u2009\u202f'’_]")
_GROUPS = re.compile(rf"(?<![\d.,])[1-9]\d{{0,2}}(?:(?:{_GROUP_GAP.pattern})\d{{3}})+(?!\d)")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mbox|operatorname|rm)\s{0,3}\{([^{}]*)\}")
_FRAC = re.compile(r"\\[dtc]?frac\s{0,3}(?:\{([^{}]*)\}|(\d))\s{0,3}(?:\{([^{}]*)\}|(\d))")
_DEGREE = re.compile(r"\^\s{0,2}\{?\s{0,2}(?:\\circ|\\degree)\s{0,2}\}?|\\degree\b|°|º")
_EQUALS = re.compile(r"(?<![<>≤≥≠!:=])=(?!=)")
_NAME = re.compile(r"\\?[^\W\d]{1,20}(?:_?\{?\w{1,3}\}?)?(?:\s[^\W\d]{1,20}){0,3}|[A-Za-z]\([^()=]{1,20}\)|\|[A-Z]{2}\|")
_FUNCTION = re.compile(r"\\?(?:sin|cos|tan|cot|log|ln|exp|sqrt|not|about|over|under)(?![A-Za-z])|\\(?:sum|int|lim)(?![A-Za-z])")
_SUM = re.compile(r"[\d\s.,+\-*/()^%$]{1,200}")
_PLAIN = r"(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3}|\d+)(?:\.\d*)?|\.\d+"
"""Groups of three, or of two before the last as in India; a zero begins none."""
_SIGN = r"[-+]?\s{0,2}"
_MONEY = r"(?:(?:US|C|A|NZ|HK)?\$|[€£¥₹₽₩]|(?:USD|EUR|GBP|JPY|INR|CHF)\s)"
_WHOLE = re.compile(
    rf"(?P<sign>{_SIGN})(?P<money>{_MONEY})?\s{{0,2}}(?P<inner>{_SIGN})"
    rf"(?:(?P<mixed>\d+)\s+(?P<mt>\d+)\s?/\s?(?P<mb>\d+)"
    rf"|(?P<top>\([-+]?(?:{_PLAIN})\)|{_PLAIN})\s?/\s?(?P<bottom>\([-+]?(?:{_PLAIN})\)|[-+]?(?:{_PLAIN}))"
    rf"|10\s?\^\s?(?P<ten>\{{[-+]?\d{{1,4}}\}}|\([-+]?\d{{1,4}}\)|[-+]?\d{{1,4}})"
    rf"|(?P<plain>{_PLAIN})(?:[eE](?P<e>[-+]?\d{{1,4}})|\s?(?:\*|x)\s?10\s?\^\s?(?P<power>\{{[-+]?\d{{1,4}}\}}|\([-+]?\d{{1,4}}\)|[-+]?\d{{1,4}}))?)"
    r"(?P<times>[kKMB](?![A-Za-z]))?(?P<rest>.*)",
    re.DOTALL,
)
_SYMBOLS = (
    SYMBOLS
    | str.maketrans({"％": "%", "٪": "%", "．": ".", "，": ",", "＄": "$", "٫": ".", "٬": ",", "℃": "°C", "℉": "°F"})
    | dict.fromkeys(map(ord, "\u200c\u200d"))
    | UNSEEN
)
"""Signs by one name each."""
_RAISED = re.compile("[⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹]{1,6}")
_LOWERED = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_REPEATING = re.compile(r"(\d{1,30})\.(\d{0,30})\\overline\s?\{(\d{1,30})\}")
_VULGAR = re.compile("[¼½¾⅐-⅞]")

_TIMES = {
    "hundred": 10**2, "thousand": 10**3, "lakh": 10**5, "million": 10**6, "mn": 10**6, "mil": 10**6, "crore": 10**7, "billion": 10**9,
    "bn": 10**9, "trillion": 10**12, "dozen": 12, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit: known units by one name each, other words as they stand, in the singular."""

    value: Fraction
    unit: tuple[str, ...] = ()
    name: str = ""
    """The variable it is said to be the value of: `x` in `x = 18`."""

    counts: str = ""
    """The thing that is counted, where a plural tells: `bag` in `7 bags of apples`."""

    @property
    def percent(self) -> bool:
        """Whether it is said in percent."""
        return "percent" in self.unit


def quantity(text: str) -> Quantity | None:
    """Read a text that is one quantity; None where it is not."""
    if len(text) > MAX_CHARS:
        return None
    plain, name = _plain(text)
    found = _WHOLE.fullmatch(plain)
    if found is None:
        return None
    value = _value(found)
    if value is None:
        return None
    if found["times"]:
        value *= _TIMES[found["times"]]
    signs = [found["sign"].strip(), found["inner"].strip()]
    if all(signs):
        return None
    if "-" in signs:
        value = -value
    made = _with_unit(value, found["money"] or "", found["rest"])
    return None if made is None else replace(made, name=name)


def _plain(text: str) -> tuple[str, str]:
    """Write digits of all scripts, LaTeX spacing, fractions and degrees plainly; take the right side of an equation, and its left one apart.

    The left side is a name, or an expression of numbers alone (`9 * 2 = 18`), for which the name is empty. Else nothing is returned.
    """
    if not text.isascii():
        text = _VULGAR.sub(lambda m: " " + unicodedata.normalize("NFKC", m[0]), text).translate(_SYMBOLS)
        text = _RAISED.sub(lambda m: "^{" + m[0].translate(_LOWERED) + "}", text)
        text = "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)
    text = undressed(text)
    text = text.replace("\\$", "$").replace("\\%", "%").replace("\\times", "*").replace("\\cdot", "*")
    text = _REPEATING.sub(lambda m: _repeating(m[1], m[2], m[3]), text)
    text = _GROUPS.sub(lambda m: _GROUP_GAP.sub("", m[0]), text)
    text = _SPACES.sub(" ", _DEGREE.sub(" degrees ", _TEXT.sub(r" \1 ", text))).replace(" ^", "^")
    text = _FRAC.sub(lambda m: f" {m[1] or m[2]}/{m[3] or m[4]} ", text)
    *left, text = _EQUALS.split(text)
    names = [side.strip() for side in left]
    if not all((_NAME.fullmatch(side) and not _FUNCTION.match(side)) or _SUM.fullmatch(side) for side in names):
        return "", ""
    name = next((side.lower() for side in names if _NAME.fullmatch(side)), "")
    text = " ".join(undressed(text).split())
    text = text[:-1].rstrip() if text.endswith((".", ",")) and not text.endswith("..") else text
    if text.lstrip("-+ ").startswith("(") and text.endswith(")") and text.count("(") == 1 and "," not in text:
        text = text.replace("(", "", 1)[:-1].strip()
    return text, name


def _repeating(whole: str, first: str, again: str) -> str:
    """Write a decimal without end as a fraction: 0.1 and 6 over and over is 1/6."""
    value = Fraction(int(whole + first), 10 ** len(first)) + Fraction(int(again), 10 ** len(first) * (10 ** len(again) - 1))
    return f"{value.numerator}/{value.denominator}"


def _number(text: str) -> Fraction:
    return Fraction(text.strip("()").replace(",", "").removesuffix("."))


def _value(found: re.Match[str]) -> Fraction | None:
    if found["mixed"]:
        if int(found["mb"]) == 0 or int(found["mt"]) >= int(found["mb"]):
            return None
        return int(found["mixed"]) + Fraction(int(found["mt"]), int(found["mb"]))
    if found["top"]:
        bottom = _number(found["bottom"])
        return None if bottom == 0 else _number(found["top"]) / bottom
    power = found["e"] or found["power"] or found["ten"]
    value = _number(found["plain"]) if found["plain"] else Fraction(1)
    if power:
        exponent = int(power.strip("{}()"))
        if abs(exponent) > MAX_EXPONENT:
            return None
        value *= Fraction(10) ** exponent
    return value


def _with_unit(value: Fraction, sign: str, rest: str) -> Quantity | None:
    """Read what follows the number: nothing, multipliers, a unit in a few words, brackets around it included."""
    attached = bool(rest) and not rest[0].isspace()
    rest = rest.strip()
    if rest.startswith("(") and rest.endswith(")") and rest.count("(") == 1:
        rest = rest[1:-1].strip()
    words = rest.replace("/", " / ").replace("per cent", "percent").split()
    if attached and words and not (words[0][0] in "%°$€£¥/" or units.known(words[0].partition("^")[0]) or words[0].startswith("degree")):
        return None
    while words and words[0].lower() in _TIMES and (len(words[0]) > 1):
        value *= _TIMES[words.pop(0).lower()]
    unit = units.units(words, sign)
    return None if unit is None else Quantity(value, unit, counts=units.counted(words))


def fits(given: Quantity, gold: Quantity) -> bool:
    """Tell whether an answer may stand where the gold stands: its unit left out, added to a bare gold or the same, and no other name."""
    if given.name and gold.name and given.name != gold.name:
        return False
    if not given.unit or not gold.unit:
        return True
    mine, wanted = units.measures(given.unit), units.measures(gold.unit)
    if mine or wanted:
        return units.may_stand_for(mine, wanted)
    if given.counts and gold.counts:
        return given.counts == gold.counts
    return bool(set(given.unit) & set(gold.unit))


def scaled(given: Quantity, gold: Quantity) -> Fraction:
    """Return the value of an answer as the gold counts: percent of a bare gold below one are hundredths, else percent is a unit."""
    if given.percent and not gold.unit and 0 < abs(gold.value) < 1:
        return given.value / 100
    return given.value
