r"""Golds of every kind with one character changed that matters, and equal answers written differently; drawn, not listed.

    flips(random.Random(0))   ->  Flip(kind="interval", gold="[1,2)", given="(1,2)")
    pairs(random.Random(0))   ->  Pair(kind="fraction", gold="\\frac{3}{4}", given="0.75")

Whether two values differ is known from how they were made, never from the code under test.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Case:
    """A gold and an answer: another one in a flip, the same in a pair."""

    kind: str
    gold: str
    given: str


NAMES = [
    "C++", "C#", "F#", "A*", "O(n)", "AT&T", "R&D", "Node.js", "O'Brien", "x86-64", "naïve Bayes", "Yahoo!", "e-mail", "TCP/IP", "I/O", "P=NP", "50-50", "B-52", "H2O",
    "Jean-Luc", "@home", "#1", "A/B", "Ke$ha", "Wi-Fi", "U.S.", "re-sign", "D'Artagnan", "St. Louis", "p < 0.05", "vitamin B12", "[sic]", "{x}", "1st", "2nd",
]  # fmt: skip
SYMBOLS = "+#*()&.'-!/=@$<[]{}_%^~"
UNITS = [("km", "cm"), ("mg", "kg"), ("cm", "mm"), ("mL", "kL"), ("min", "mix"), ("kW", "mW"), ("lb", "lx"), ("ft", "fm")]


def _digit(rng: random.Random, text: str) -> str:
    """Change one digit for another; a leading digit never becomes a zero."""
    places = [at for at, c in enumerate(text) if c in "0123456789"]
    at = rng.choice(places)
    first = at == 0 or text[at - 1] not in "0123456789."
    new = rng.choice([d for d in ("123456789" if first else "0123456789") if d != text[at]])
    return text[:at] + new + text[at + 1 :]


def _whole(rng: random.Random, most: int = 9999) -> int:
    return rng.randrange(2, most)


def integer(rng: random.Random) -> tuple[str, str]:
    n = str(_whole(rng))
    return n, rng.choice([_digit(rng, n), "-" + n, "." + n, n + "0", n[:1] + "." + n[1:] if len(n) > 1 else "-" + n, n + "%" + "0"])


def decimal(rng: random.Random) -> tuple[str, str]:
    n = f"{_whole(rng, 999)}.{rng.randrange(1, 99):02d}{rng.randrange(1, 10)}"
    return n, rng.choice([_digit(rng, n), "-" + n, n.replace(".", ""), n.replace(".", "/"), n.replace(".", ":")])


def fraction(rng: random.Random) -> tuple[str, str]:
    a, b = _whole(rng, 99), _whole(rng, 99)
    text = rng.choice([f"{a}/{b}", f"\\frac{{{a}}}{{{b}}}"])
    changed = [_digit(rng, text), "-" + text]
    if "/" in text:
        changed += [text.replace("/", ""), text.replace("/", "-"), text.replace("/", ".")]
    return text, rng.choice(changed)


def interval(rng: random.Random) -> tuple[str, str]:
    a = rng.randrange(-20, 20)
    b = a + rng.randrange(1, 30)
    left, right = rng.choice("(["), rng.choice(")]")
    text = f"{left}{a},{b}{right}"
    other = {"(": "[", "[": "(", ")": "]", "]": ")"}
    changed = [
        other[left] + text[1:],
        text[:-1] + other[right],
        text[1:],
        text[:-1],
        text.replace(",", ".") if "-" not in text[2:] else text[1:],
    ]
    if a != -b:
        changed.append(text.replace(str(a), str(-a) if a else "1", 1) if a > 0 and a < b else text[:-1] + other[right])
    return text, rng.choice(changed)


def finite_set(rng: random.Random) -> tuple[str, str]:
    values = sorted(rng.sample(range(10, 99), rng.randrange(2, 5)))
    text = "\\{" + ",".join(map(str, values)) + "\\}"
    shorter = "\\{" + ",".join(map(str, values[:-1])) + "\\}"
    more = [text.replace(",", ".", 1) if len(values) == 2 else shorter, "\\{-" + text[2:], "(" + text[2:-2] + ")", text[:-2]]
    changed = _digit(rng, text)
    inside = {int(v) for v in changed[2:-2].split(",")}
    return text, rng.choice([changed if inside != set(values) else more[1], *more])


def inequality(rng: random.Random) -> tuple[str, str]:
    sign, n = rng.choice(["<", ">", "\\le", "\\ge"]), _whole(rng, 60)
    text = f"x {sign} {n}"
    signs = [s for s in ("<", ">", "\\le", "\\ge") if s != sign]
    return text, rng.choice([f"x {rng.choice(signs)} {n}", _digit(rng, text), f"x {sign} -{n}", f"y {sign} {n}", f"x = {n}", str(n)])


def vector(rng: random.Random) -> tuple[str, str]:
    values = [rng.randrange(1, 60) for _ in range(3)]
    text = f"({values[0]},{values[1]},{values[2]})"
    return text, rng.choice(
        [_digit(rng, text), "(-" + text[1:], text[1:], text[:-1], text.replace(",", ".", 1), "[" + text[1:], "\\{" + text[1:-1] + "\\}"]
    )


def date(rng: random.Random) -> tuple[str, str]:
    year, month, day = rng.randrange(1200, 2100), rng.randrange(1, 10), rng.randrange(11, 29)
    names = ["January", "February", "March", "April", "May", "June", "July", "August", "September"]
    text = rng.choice(
        [
            f"{year}-{month:02d}-{day}",
            f"{day}/{month}/{year}",
            f"{names[month - 1]} {day}, {year}",
            f"{day}.{month}.{year}",
            f"{month}:{day}",
        ]
    )
    changed = [_digit(rng, text)]
    changed += [text.replace(mark, "", 1) for mark in "-/:." if mark in text]
    return text, rng.choice(changed)


def version(rng: random.Random) -> tuple[str, str]:
    text = rng.choice(["v", "", "Python "]) + ".".join(str(rng.randrange(1, 30)) for _ in range(3))
    at = text.index(".")
    return text, rng.choice([_digit(rng, text), text[:at] + text[at + 1 :], text[:at] + "," + text[at + 1 :], text + "0"])


def name(rng: random.Random) -> tuple[str, str]:
    text = rng.choice(NAMES)
    marks = [at for at, c in enumerate(text) if c in SYMBOLS]
    kept_marks = [at for at in marks if not (at == len(text) - 1 and text[at] in ".!")]  # a final mark of a sentence does not count
    letters = [at for at, c in enumerate(text) if c.isalpha()]
    if kept_marks and (not letters or rng.random() < 0.6):
        at = rng.choice(kept_marks)
        return text, rng.choice(
            [text[:at] + text[at + 1 :], text[:at] + rng.choice([c for c in "+#*&-/=@" if c != text[at]]) + text[at + 1 :]]
        )
    at = rng.choice(letters)
    new = rng.choice([c for c in "bdfgkmpqtvwz" if c != text[at].lower()])
    return text, text[:at] + new + text[at + 1 :]


def unit(rng: random.Random) -> tuple[str, str]:
    n = _whole(rng, 500)
    if rng.random() < 0.3:
        sign, other = rng.sample(["$", "€", "£"], 2)
        return f"{sign}{n}", rng.choice([f"{other}{n}", _digit(rng, f"{sign}{n}"), f"-{sign}{n}", f"{sign}.{n}"])
    one, another = rng.choice(UNITS)
    text = f"{n} {one}"
    return text, rng.choice([f"{n} {another}", _digit(rng, text), f"-{text}", f".{text}", f"{n}0 {one}"])


def percent(rng: random.Random) -> tuple[str, str]:
    n = _whole(rng, 90)
    text = rng.choice([f"{n}%", f"{n}\\%"])
    return text, rng.choice([_digit(rng, text), "-" + text, "." + text, "0." + text])


def expression(rng: random.Random) -> tuple[str, str]:
    a, b, n = _whole(rng, 9), _whole(rng, 9), rng.randrange(2, 6)
    text, changed = rng.choice(
        [
            ("p - q", "p + q"), ("p - q", "q - q"), (f"{a}x + {b}", f"{a}x - {b}"), (f"{a}x + {b}", f"{a + 1}x + {b}"), (f"{a}x + {b}", f"{a}y + {b}"),
            (f"x^{n} + {b}", f"x^{n + 1} + {b}"), (f"{a}\\sqrt{{{2 * b + 1}}}", f"{a}\\sqrt{{{2 * b + 3}}}"), (f"{a}\\pi", f"{a + 1}\\pi"), (f"{a}\\pi", f"-{a}\\pi"),
            (f"\\frac{{{a}}}{{x + {b}}}", f"\\frac{{{a}}}{{x - {b}}}"), (f"{a}i + {b}", f"{a}i - {b}"), (f"\\log_2 {a + 10}", f"\\log_3 {a + 10}"),
            (f"{a}^{{{n}}}", f"{a}^{{-{n}}}"), (f"\\sqrt{{{b}}} + {a}", f"\\sqrt{{{b}}} - {a}"), (f"y = {a}x - {b}", f"y = {a}x + {b}"),
        ]
    )  # fmt: skip
    return text, changed


FLIPS: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "integer": integer, "decimal": decimal, "fraction": fraction, "interval": interval, "set": finite_set, "inequality": inequality, "vector": vector, "date": date,
    "version": version, "name": name, "unit": unit, "percent": percent, "expression": expression,
}  # fmt: skip


def flips(seed: int, n: int) -> Iterator[Case]:
    """Yield n golds of all kinds in turn, each with a character that matters changed."""
    rng = random.Random(seed)
    kinds = list(FLIPS)
    for at in range(n):
        kind = kinds[at % len(kinds)]
        yield Case(kind, *FLIPS[kind](rng))


def _plain_pairs(rng: random.Random) -> tuple[str, str]:
    n = rng.randrange(1000, 10**7)
    cents = rng.randrange(10, 99)
    grouped = f"{n:,}"
    return rng.choice(
        [
            (str(n), grouped), (grouped, grouped.replace(",", "{,}")), (str(n), grouped.replace(",", ",\\!")), (str(n), f"{n}.00"), (str(n), f"${grouped}"), (f"${n}", f"{n} dollars"),
            (f"{n} dollars", f"\\${grouped}"), (str(n), f"x = {n}"), (str(n), f"**{grouped}**"), (str(n), f"${n}$"), (f"{n}.{cents}", f"{grouped}.{cents}0"), (f"-{n}", f"−{n}"),
            (f"-{n}", f"(-{n})"), (str(n), f"{n} apples"), (f"{n} apples", str(n)), (str(n * 1000), f"{n} thousand"), (str(n), f"+{n}"), (str(n), f"\\boxed{{{n}}}"), (f"{n} km", f"{n} kilometers"),
            (f"{n} hours", f"{n} hrs"), (f"{n} m^2", f"{n} square meters"), (f"{n}\\%", f"{n} percent"), (f"{n}^\\circ", f"{n} degrees"), (f"{n}^\\circ", str(n)), (str(n), f"{n}."),
        ]
    )  # fmt: skip


def _fraction_pairs(rng: random.Random) -> tuple[str, str]:
    b = rng.choice([2, 4, 5, 8, 10, 20, 25])
    a = rng.randrange(1, 60)
    value = Fraction(a, b)
    k = rng.randrange(2, 9)
    whole, rest = divmod(a, b)
    shown = f"{float(value):.10f}".rstrip("0").rstrip(".")
    options = [
        (f"\\frac{{{a}}}{{{b}}}", f"{a}/{b}"), (f"{a}/{b}", shown), (f"\\frac{{{a}}}{{{b}}}", f"\\dfrac{{{a * k}}}{{{b * k}}}"), (f"-\\frac{{{a}}}{{{b}}}", f"\\frac{{-{a}}}{{{b}}}"),
        (f"\\frac{{{a}}}{{{b}}}", shown), (f"{a}/{b}", f"x = {a}/{b}"), (f"-{a}/{b}", f"-({a}/{b})"), (shown, f"\\frac{{{a}}}{{{b}}}"),
    ]  # fmt: skip
    if whole and rest:
        options += [(f"{a}/{b}", f"{whole} {rest}/{b}"), (f"\\frac{{{a}}}{{{b}}}", f"{whole}\\frac{{{rest}}}{{{b}}}")]
    if shown.startswith("0."):
        options.append((shown, shown[1:]))
    return rng.choice(options)


def _power_pairs(rng: random.Random) -> tuple[str, str]:
    m, e = rng.randrange(2, 10), rng.randrange(2, 7)
    return rng.choice(
        [
            (str(m * 10**e), f"{m}e{e}"), (str(m * 10**e), f"{m} \\times 10^{{{e}}}"), (str(m * 10**e), f"{m} × 10^{e}"), (str(m * 10**e), f"{m} x 10^{e}"), (f"10^{{-{e}}}", f"0.{'0' * (e - 1)}1"),
            (f"{m}^{{{e}}}", str(m**e)), (f"{m}^{e}", f"{m ** e}"), (f"\\sqrt{{{m * m}}}", str(m)), (f"\\sqrt{{{4 * 7}}}", "2\\sqrt{7}"), (f"{m}\\cdot{e}", str(m * e)),
        ]
    )  # fmt: skip


def _formula_pairs(rng: random.Random) -> tuple[str, str]:
    a, b = sorted(rng.sample(range(2, 40), 2))
    return rng.choice(
        [
            (f"({a},{b})", f"({a}, {b})"), (f"[{a},{b})", f"\\left[{a}, {b}\\right)"), (f"x \\in [{a},{b}]", f"[{a}, {b}]"), (f"\\{{{a},{b}\\}}", f"\\{{{b}, {a}\\}}"), (f"{a}, {b}", f"{b}, {a}"),
            (f"x < {a}", f"{a} > x"), (f"x \\le {a}", f"x ≤ {a}"), (f"x \\geq {a}", f"x >= {a}"), ("p - q", "-q + p"), (f"{a}x + {b}", f"{b} + {a}x"), (f"{a}(x + {b})", f"{a}x + {a * b}"),
            (f"x = {a}", str(a)), (str(a), f"y = {a}"), (f"{a}\\sqrt{{2}}", f"\\sqrt{{{2 * a * a}}}"), (f"(-\\infty,{a})\\cup({b},\\infty)", f"({b}, \\infty) \\cup (-\\infty, {a})"),
            (f"{a} \\pm {b}", f"{a - b}, {a + b}"), (f"\\frac{{\\pi}}{{{a}}}", f"\\pi/{a}"), (f"y = {a}x + {b}", f"y = {b} + {a}x"), (f"({a},{b})", f"$({a}, {b})$"), (f"{a} + {b}i", f"{b}i + {a}"),
            (f"\\text{{Mia {a}}}", f"Mia {a}"), (f"x^2 - {a * a}", f"(x - {a})(x + {a})"), (f"{a}\\text{{ cm}}", f"{a} cm"), (f"\\frac{{{a}}}{{{b}}}x", f"\\frac{{{a}x}}{{{b}}}"), (f"2^{{{a % 7 + 2}}}", str(2 ** (a % 7 + 2))),
        ]
    )  # fmt: skip


PAIRS = {"plain": _plain_pairs, "fraction": _fraction_pairs, "power": _power_pairs, "formula": _formula_pairs}


def pairs(seed: int, n: int) -> Iterator[Case]:
    """Yield n golds of all kinds in turn, each with the same value written differently."""
    rng = random.Random(seed)
    kinds = list(PAIRS)
    for at in range(n):
        kind = kinds[at % len(kinds)]
        yield Case(kind, *PAIRS[kind](rng))
