r"""What stands behind a number: units of measure by one name each, other words in the singular; and which may stand for which.

    units(["km", "per", "hr"])     ->  ("kph",);   units(["red", "apples"])  ->  ("red", "apple");   units(["squared"])  ->  None

None is what cannot be a unit: `5 more`, `5 x`, `5 of`.
"""

from __future__ import annotations

import re

from reasoner.grading.number_words import alters

MAX_WORDS = 5
_SAME_UNITS = (
    "hour h hr hrs hours", "minute min mins minutes", "second s sec secs seconds", "day d days", "week wk wks weeks", "month mo months",
    "year yr yrs years", "meter m metre meters metres", "kilometer km kilometre kilometers kilometres kms", "centimeter cm centimetre centimeters centimetres",
    "millimeter mm millimetre millimeters millimetres", "inch in inches", "foot ft feet", "yard yd yds yards", "mile mi miles", "gram g grams gm",
    "kilogram kg kgs kilograms kilo kilos", "milligram mg milligrams", "pound pounds", "lb lbs", "ounce oz ounces", "ton t tons tonne tonnes",
    "liter l litre liters litres", "milliliter ml millilitre milliliters millilitres", "gallon gal gallons", "dollar $ us$ usd dollars bucks buck",
    "cent ¢ cents", "euro € eur euros", "sterling £ gbp", "yen ¥ jpy", "rupee ₹ inr rs rupees", "ruble ₽ rub rubles", "won ₩ krw", "franc chf francs",
    "degree ° deg degrees", "percent % pct percentage", "celsius °c c", "fahrenheit °f f", "kelvin", "joule j joules", "watt w watts",
    "kilowatt kw kilowatts", "volt v volts", "newton newtons", "ampere amperes amps amp", "hertz hz", "radian rad radians", "mph", "kph kmh kmph",
)  # fmt: skip
_KNOWN = {word: line.split()[0] for line in _SAME_UNITS for word in line.split()}
_CAPITALS = {"N": "newton", "K": "kelvin", "A": "ampere"}
_JOINED = {
    ("mile", "/", "hour"): ("mph",), ("kilometer", "/", "hour"): ("kph",), ("degree", "celsius"): ("celsius",), ("degree", "fahrenheit"): ("fahrenheit",),
    ("percent", "point"): ("percentage-point",), ("pound", "sterling"): ("sterling",),
}  # fmt: skip
_NAMES = frozenset(_KNOWN.values()) | {"percentage-point"}
_MONEY = frozenset(["dollar", "cent", "euro", "sterling", "pound", "yen", "rupee", "ruble", "won", "franc"])
_EITHER = {frozenset({"pound", "lb"}), frozenset({"pound", "sterling"})}
"""One word for two units."""
_FILLERS = frozenset({"of", "the", "a", "an", "in", "total", "altogether", "each", "us", "u.s."})
_LAST = frozenset({"total", "altogether", "each", "us", "u.s."})
"""Fillers that may end an answer: `5 of` is no number of anything."""
_WORD = re.compile(r"(?:[^\W\d_]|[.'’%°/^$€£¥]|\^\{?[23]\}?|-(?=[^\W\d_]))+|(?:[kcdm]?m|in|ft|yd|mi)[23]")
_POWER = re.compile(r"\^?\{?([23])\}?$")
_POWERS = {"square": "^2", "sq": "^2", "cubic": "^3", "cu": "^3", "squared": "^2", "cubed": "^3"}
_VARIABLE = re.compile(r"[A-Za-z\u0370-\u03ff]")


def known(word: str) -> str:
    """Return the one name of a unit of measure, empty where it is none."""
    plain = word.rstrip(".")
    return _CAPITALS.get(plain) or _KNOWN.get(plain.lower(), "")


def money(symbol: str) -> str:
    """Return the unit that a sign before a number names. Dollars of another country are a unit of their own."""
    symbol = symbol.strip()
    return known(symbol) or symbol.lower()


def units(words: list[str], sign: str = "") -> tuple[str, ...] | None:
    """Return the unit that words behind a number are, with a sign of money before it; None where they are none."""
    if len(words) > MAX_WORDS or not all(_WORD.fullmatch(word) for word in words):
        return None
    if words and words[-1].lower() in _FILLERS - _LAST and not known(words[-1]):
        return None
    made = [money(sign)] if sign else []
    power, before = "", ""
    for word in words:
        low = word.lower().strip(".'’")
        if low in {"squared", "cubed"}:
            if not made or made[-1] == "/":
                return None
            made[-1] += _POWERS[low]
        elif low in _POWERS:
            power = _POWERS[low]
        elif low in {"per", "/"} or (low in {"a", "an"} and made and before not in _FILLERS and word != "A"):
            made.append("/")
        elif word == "A" or word.lower() not in _FILLERS:
            name = _name(word)
            if not name:
                return None
            if not (sign and made == [name]):  # `$18 dollars`
                made.append(name + power)
            power = ""
        before = word.lower()
    return _JOINED.get(tuple(made), tuple(made))


def _name(word: str) -> str:
    """Return a unit's name with its power; a word's singular; empty for a variable or a word that no number counts."""
    found = _POWER.search(word)
    base = word[: found.start()] if found else word
    if name := known(base):
        return name + (f"^{found[1]}" if found else "")
    low = base.lower().strip(".'’")
    return (
        "" if found or alters(low) or _VARIABLE.fullmatch(low) or not any(c.isalpha() for c in low) else _singular(base.lower().rstrip("."))
    )


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    return word[:-1] if _plural(word) else word


def _plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3


def counted(words: list[str]) -> str:
    """Return the thing that words count, in the singular: the first plural before an `of`; empty where that is not told by a plural."""
    low = [word.lower().rstrip(".") for word in words]
    low = low[: low.index("of")] if "of" in low else low
    return next((_singular(word) for word in low if _plural(word) and word.isalpha() and not known(word)), "")


def measures(unit: tuple[str, ...]) -> tuple[str, ...]:
    """Return the units of measure of a unit, without what is counted or measured."""
    return tuple(word for word in unit if word.rstrip("^23") in _NAMES or word == "/" or word.endswith("$"))


def may_stand_for(given: tuple[str, ...], gold: tuple[str, ...]) -> bool:
    """Tell whether a unit of measure may be given for another: the same, degrees for those of a scale, money for money by the hour."""
    if len(given) == len(gold):
        return all(
            a == b or frozenset({a, b}) in _EITHER or (a == "degree" and b in {"celsius", "fahrenheit"})
            for a, b in zip(given, gold, strict=True)
        )
    return len(given) == 1 and given[0] in _MONEY and gold[:2] == (given[0], "/")
