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

from reasoner.grading.dress import undressed

MAX_CHARS = 300
MAX_EXPONENT = 400
MAX_UNIT_WORDS = 5

_SPACES = re.compile(r"(?:\s|\\[,;:! ]|~|\\quad|\{,\})+")
_GROUP_GAP = re.compile(r"(?<=\d)(?:\{,\}|,?\\[!,;: ]|[ \u00a0\u2009\u202f'’_])(?=\d{3}(?!\d))")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mbox|operatorname|rm)\s{0,3}\{([^{}]*)\}")
_FRAC = re.compile(r"\\[dtc]?frac\s{0,3}(?:\{([^{}]*)\}|(\d))\s{0,3}(?:\{([^{}]*)\}|(\d))")
_DEGREE = re.compile(r"\^\s{0,2}\{?\s{0,2}(?:\\circ|\\degree)\s{0,2}\}?|\\degree\b|°|º")
_EQUALS = re.compile(r"(?<![<>≤≥≠!:=])=(?!=)")
_NAME = re.compile(r"[^\W\d]{1,20}(?:_?\{?\w{1,3}\}?)?(?:\s[^\W\d]{1,20}){0,3}")
_SUM = re.compile(r"[\d\s.,+\-*/()^%$]{1,200}")
_PLAIN = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_SIGN = r"[-+]?\s{0,2}"
_MONEY = r"(?:(?:US|C|A|NZ|HK)?\$|[€£¥₹₽₩]|(?:USD|EUR|GBP|JPY|INR|CHF)\s)"
_WHOLE = re.compile(
    rf"(?P<sign>{_SIGN})(?P<money>{_MONEY})?\s{{0,2}}(?P<inner>{_SIGN})"
    rf"(?:(?P<mixed>\d+)\s+(?P<mt>\d+)\s?/\s?(?P<mb>\d+)"
    rf"|\(?(?P<top>{_PLAIN})\)?\s?/\s?\(?(?P<bottom>{_PLAIN})\)?"
    rf"|10\s?\^\s?(?P<ten>\{{[-+]?\d{{1,4}}\}}|\([-+]?\d{{1,4}}\)|[-+]?\d{{1,4}})"
    rf"|(?P<plain>{_PLAIN})(?:[eE](?P<e>[-+]?\d{{1,4}})|\s?(?:\*|x)\s?10\s?\^\s?(?P<power>\{{[-+]?\d{{1,4}}\}}|\([-+]?\d{{1,4}}\)|[-+]?\d{{1,4}}))?)"
    r"(?P<times>[kKMB](?![A-Za-z]))?(?P<rest>.*)",
    re.DOTALL,
)
_WORDS = re.compile(r"(?:[^\W\d_]|[.'’²³%°/^$€£¥]|\^\{?[23]\}?|-(?=[^\W\d_]))+")
_RAISED = str.maketrans("²³", "23")
_SYMBOLS = str.maketrans({"−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "⁄": "/", "∕": "/", "％": "%", "．": ".", "，": ",", "＄": "$"})

_TIMES = {
    "hundred": 10**2, "thousand": 10**3, "lakh": 10**5, "million": 10**6, "mn": 10**6, "mil": 10**6, "crore": 10**7, "billion": 10**9,
    "bn": 10**9, "trillion": 10**12, "dozen": 12, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9,
}  # fmt: skip
_NO_UNIT = frozenset(
    [
        "and",
        "or",
        "not",
        "to",
        "half",
        "halves",
        "quarter",
        "quarters",
        "third",
        "thirds",
        "fourth",
        "fourths",
        "fifth",
        "fifths",
        "sixth",
        "sixths",
        "seventh",
        "eighth",
        "eighths",
        "ninth",
        "tenth",
        "tenths",
        "hundredth",
        "hundredths",
        "thousandth",
        "thousandths",
        "minus",
        "plus",
        "negative",
        "point",
        "over",
        "times",
        "divided",
        "about",
        "less",
        "more",
        "than",
        "off",
        "squared",
        "cubed",
        "factorial",
        "st",
        "nd",
        "rd",
        "th",
        "mod",
        "if",
        "but",
        "except",
        "without",
        "remainder",
        "r",
        "i",
        "e",
        "pi",
        "π",
        "x",
        "y",
        "z",
        "n",
        "squareroot",
        "sqrt",
        "root",
        "ago",
        "pairs",
        "pair",
        "score",
        "dozen",
        "hundred",
        "thousand",
        "million",
        "billion",
        "trillion",
        "bps",
        "basis",
        "ppm",
        "permille",
    ]
)
_SAME_UNITS = (
    "hour h hr hrs hours", "minute min mins minutes", "second s sec secs seconds", "day d days", "week wk wks weeks", "month mo months",
    "year yr yrs years", "meter m metre meters metres", "kilometer km kilometre kilometers kilometres kms", "centimeter cm centimetre centimeters centimetres",
    "millimeter mm millimetre millimeters millimetres", "inch in inches", "foot ft feet", "yard yd yds yards", "mile mi miles", "gram g grams gm",
    "kilogram kg kgs kilograms kilo kilos", "milligram mg milligrams", "pound lb lbs pounds", "ounce oz ounces", "ton t tons tonne tonnes",
    "liter l litre liters litres", "milliliter ml millilitre milliliters millilitres", "gallon gal gallons", "dollar $ us$ usd dollars bucks buck",
    "cent ¢ cents", "euro € eur euros", "sterling £ gbp", "yen ¥ jpy", "rupee ₹ inr rs rupees", "ruble ₽ rub rubles", "won ₩ krw", "franc chf francs",
    "degree ° deg degrees", "percent % pct percentage", "celsius °c c", "fahrenheit °f f", "kelvin", "joule j joules", "watt w watts",
    "kilowatt kw kilowatts", "volt v volts", "newton newtons", "hertz hz", "radian rad radians", "mph", "kph",
)  # fmt: skip
_KNOWN = {word: line.split()[0] for line in _SAME_UNITS for word in line.split()}
_JOINED = {("mile", "/", "hour"): ("mph",), ("kilometer", "/", "hour"): ("kph",), ("degree", "celsius"): ("celsius",), ("degree", "fahrenheit"): ("fahrenheit",)}  # fmt: skip
_FILLERS = frozenset({"of", "the", "a", "an", "in", "total", "altogether", "each", "us", "u.s."})


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value and its unit: known units by one name each, other words as they stand, in the singular."""

    value: Fraction
    unit: tuple[str, ...] = ()
    name: str = ""
    """The variable it is said to be the value of: `x` in `x = 18`."""

    @property
    def percent(self) -> bool:
        """Whether it is said in percent."""
        return "percent" in self.unit

    def known_units(self) -> tuple[str, ...]:
        """Return the units of measure, without what is counted or measured."""
        return tuple(word for word in self.unit if word.rstrip("^23") in _NAMES or word == "/")


_NAMES = frozenset(_KNOWN.values()) | {"mph", "kph"}


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
    text = undressed(text).translate(_SYMBOLS)
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(c)) if unicodedata.category(c) == "Nd" else c for c in text)
    text = text.replace("\\$", "$").replace("\\%", "%").replace("\\times", "*").replace("\\cdot", "*")
    text = _GROUP_GAP.sub("", text)
    text = _SPACES.sub(" ", _DEGREE.sub(" degrees ", _TEXT.sub(r" \1 ", text)))
    text = _FRAC.sub(lambda m: f" {m[1] or m[2]}/{m[3] or m[4]} ", text)
    *left, text = _EQUALS.split(text)
    names = [side.strip() for side in left]
    if not all(_NAME.fullmatch(side) or _SUM.fullmatch(side) for side in names):
        return "", ""
    name = next((side.lower() for side in names if _NAME.fullmatch(side)), "")
    text = " ".join(undressed(text).split())
    text = text[:-1].rstrip() if text.endswith((".", ",")) and not text.endswith("..") else text
    if text.startswith("(") and text.endswith(")") and text.count("(") == 1 and "," not in text:
        text = text[1:-1].strip()
    return text, name


def _number(text: str) -> Fraction:
    return Fraction(text.replace(",", "").removesuffix("."))


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


def _with_unit(value: Fraction, money: str, rest: str) -> Quantity | None:
    """Read what follows the number: nothing, multipliers, a unit in at most five words, brackets around it included."""
    attached = bool(rest) and not rest[0].isspace()
    rest = rest.strip()
    if rest.startswith("(") and rest.endswith(")") and rest.count("(") == 1:
        rest = rest[1:-1].strip()
    words = rest.replace("/", " / ").replace("per cent", "percent").split()
    if attached and words and not (words[0][0] in "%°$€£¥/" or _known(words[0]) or words[0].startswith("degree")):
        return None
    while words and words[0].lower() in _TIMES and (len(words[0]) > 1):
        value *= _TIMES[words.pop(0).lower()]
    if len(words) > MAX_UNIT_WORDS or not all(_WORDS.fullmatch(word) for word in words):
        return None
    if any(word.lower().strip(".'’") in _NO_UNIT for word in words):
        return None
    symbol = money.strip().lstrip("UCANZHKS") if money.endswith(("$", "€")) else money.strip()
    unit = ([_known(symbol) or symbol.lower()] if money else []) + _units(words)
    if money and len(unit) > 1 and unit[1] == unit[0]:
        unit = unit[:1]  # `$18 dollars`
    return Quantity(value, _joined(tuple(unit)))


def _known(word: str) -> str:
    plain = word.rstrip(".")
    return _KNOWN.get(plain.lower(), "")


def _units(words: list[str]) -> list[str]:
    made: list[str] = []
    power = ""
    for word in words:
        low = word.lower()
        if low in {"square", "sq", "sq.", "cubic", "cu", "cu."}:
            power = "^2" if low.startswith("sq") else "^3"
        elif low in {"squared", "cubed"} and made:
            made[-1] += "^2" if low == "squared" else "^3"
        elif low == "per":
            made.append("/")
        elif low not in _FILLERS:
            base = re.sub(r"\^\{?([23])\}?$|([²³])$", "", word)
            shown = word[len(base) :].translate(_RAISED).strip("^{}")
            made.append((_known(base) or _singular(base.lower().rstrip("."))) + (f"^{shown}" if shown else power))
            power = ""
    return made


def _joined(unit: tuple[str, ...]) -> tuple[str, ...]:
    return _JOINED.get(unit, unit)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 3 else word


def fits(given: Quantity, gold: Quantity) -> bool:
    """Tell whether an answer may stand where the gold stands: its unit left out, added to a bare gold or the same, and no other name."""
    if given.name and gold.name and given.name != gold.name:
        return False
    if not given.unit or not gold.unit:
        return True
    if given.known_units() or gold.known_units():
        return given.known_units() == gold.known_units()
    return bool(set(given.unit) & set(gold.unit))


def scaled(given: Quantity, gold: Quantity) -> Fraction:
    """Return the value of an answer as the gold counts: percent of a bare gold below one are hundredths, else percent is a unit."""
    if given.percent and not gold.unit and 0 < abs(gold.value) < 1:
        return given.value / 100
    return given.value
