"""Three hundred spellings of answers, by gold: what docs/reference/grading.md shows each grader to accept.

The table of the page is what is expected, cell by cell; `python tests/helpers/spellings.py` writes the table of this version, to be read
before it goes into the page.
"""

from __future__ import annotations

import sys

from reasoner.grading import grader, read
from reasoner.grading.dress import undressed

CHOICES = ("fog", "fig", "a fad", "12")
TEXT_GRADERS = ("exact", "squad", "number", "math")
SIGNS = {True: "yes", False: "-", None: "?"}

SPELLINGS: dict[str, tuple[str, ...]] = {
    "18": (
        "18", "18.", "18.0", "+18", "018", "$18", "\\$18", "$18.00", "18 dollars", "18 USD", "18 apples", "x = 18", "y=18", "9*2 = 18", "\\boxed{18}", "**18**", "`18`", "$18$", "(18)", "36/2",
        "1.8e1", "1.8 \\times 10^1", "١٨", "１８", "18%", "18 km", "18 = 9*2", "-18", "1.8", ".18", "180", "81", "18th", "18 or 19", "about 18", "eighteen", "18 and a half", "18 thousand", "18k", "17.999",
        "18, because there are so many", "18, not 20", "18, 19", "18, 000", "18, because 20 were sold", "18 тысяч", "18 oder mehr",
    ),
    "1,800": ("1800", "1,800", "1800.00", "1 800", "1{,}800", "1,\\!800", "1'800", "1_800", "1.8e3", "1.8 thousand", "$1,800", "1,800 miles", "1.800", "18,00", "1,80", "1800,5", "-1,800", "1.8"),
    "\\frac{14}{3}": (
        "14/3", "\\frac{14}{3}", "\\dfrac{14}{3}", "\\frac{28}{6}", "4 2/3", "4\\frac{2}{3}", "(14)/(3)", "x = 14/3", "$\\frac{14}{3}$", "14 / 3", "-14/3", "143", "1/43", "3/14", "4.67", "4.666666666666667", "14-3", "14.3", "-\\frac{-14}{3}", "\\frac{14}{3}.",
    ),
    "35 hours": ("35 hours", "35", "35 hrs", "35 h", "35.0 hours", "35 Hours.", "70/2 hours", "35 hours of work", "3.5 hours", "35 minutes", "35 days", ".35 hours", "-35 hours", "35 hours and 5 minutes", "thirty-five hours", "$35"),
    "25\\%": ("25%", "25\\%", "25 %", "25 percent", "25", "25.0%", "0.25", "1/4", "2.5%", "-25%", "25 cents", "0.25%", "25 per cent", "quarter"),
    "[1,2)": ("[1,2)", "[1, 2)", "\\left[1,2\\right)", "x \\in [1,2)", "$[1,2)$", "[1,2.0)", "(1,2]", "(1,2)", "[1,2]", "(1,2", "[1,2", "1,2", "\\{1,2\\}", "[1.2)", "[2,1)", "[-1,2)", "1 \\le x < 2", "[1,2)."),
    "\\{1, 2, 3\\}": ("\\{1,2,3\\}", "\\{3, 2, 1\\}", "{1, 2, 3}", "1, 2, 3", "3,2,1", "\\left\\{1,2,3\\right\\}", "\\{1.0,2,3\\}", "(1,2,3)", "[1,2,3]", "\\{1,2\\}", "\\{1,2,-3\\}", "123", "1.2,3", "\\{1,2,3", "1 2 3"),
    "x > 2": ("x > 2", "x>2", "2 < x", "x \\gt 2", "(2,\\infty)", "x > 2.0", "x < 2", "x \\ge 2", "x >= 2", "x > -2", "y > 2", "x > 20", "2", "x = 2", "2 > x"),
    "p - q": ("p - q", "p-q", "-q + p", "p + (-q)", "$p-q$", "p − q", "q - p", "p + q", "pq", "p", "p - 2q", "-(q - p)"),
    "90^\\circ": ("90^\\circ", "90°", "90 degrees", "90", "90^{\\circ}", "90.0", "90 deg", "\\frac{\\pi}{2}", "9^\\circ", "-90", "90 radians", "90%", "900"),
    "(1, 2, 3)": ("(1,2,3)", "(1, 2, 3)", "\\left(1,2,3\\right)", "$(1,2,3)$", "(1.0, 2, 3)", "(1,2,3).", "(1,3,2)", "(1,2)", "[1,2,3]", "1,2,3", "(1,2,-3)", "(1.2,3)", "123", "(1,2,3"),
    "2\\sqrt{3}": ("2\\sqrt{3}", "2\\sqrt3", "\\sqrt{12}", "2*sqrt(3)", "2√3", "$2\\sqrt{3}$", "x = 2\\sqrt{3}", "3.4641016151377544", "3.46", "2\\sqrt{5}", "\\sqrt{3}", "-2\\sqrt{3}", "23", "3\\sqrt{2}"),
    "\\text{Evelyn}": ("Evelyn", "\\text{Evelyn}", "evelyn", "**Evelyn**", "Evelyn.", '"Evelyn"', "Evelyne", "Evelin", "nylevE", "Eve lyn"),
    "C++": ("C++", "c++", '"C++"', "C++.", "**C++**", "C", "C+", "C+ +", "C#", "+C+"),
    "The Beatles": ("The Beatles", "the beatles", "Beatles", "The Beatles.", "Beatles!", "“The Beatles”", "*The Beatles*", "the  Beatles", "A Beatles", "The Beetles", "Beatles, The", "The-Beatles", "The Beatles (band)"),
    "U.S.": ("U.S.", "u.s.", "U.S", "US", "U S", "USA", "United States"),
    "St. Louis": ("St. Louis", "st. louis", "St. Louis.", "St Louis", "Saint Louis", "St.Louis"),
    "2024-03-05": ("2024-03-05", "2024-03-05.", "2024-05-03", "2024/03/05", "March 5, 2024", "2024-03-06", "20240305", "2016"),
    "3.10.2": ("3.10.2", "v3.10.2", "3.1.2", "3.10", "3102", "3,10,2", "3.10.2."),
    "yes": ("yes", "Yes.", "YES", "**yes**", "yes!", "no", "yes and no", "yess", "true"),
    "-5": ("-5", "(-5)", "−5", "- 5", "-5.0", "x = -5", "-10/2", "5", "--5", "+5", "-.5", "-50", "5-"),
    "x86-64": ("x86-64", "X86-64", "x86_64", "x8664", "x86", "x86-46"),
    "naïve Bayes": ("naïve Bayes", "nai\u0308ve bayes", "Naïve Bayes.", "naive Bayes", "naïve Bayes classifier"),
}  # fmt: skip

CHOICE_SPELLINGS = (
    "B", "b", "(B)", "[B]", "B.", "B)", "B:", "**B**", "$B$", '"B"', "Option B", "option (B)", "Choice B", "answer B", "B. fig", "B) fig", "(B) fig", "B: fig", "B - fig", "fig", "Fig.", "the fig",
    "\\boxed{B}", "\\text{B}", "B. I hope it is correct", "A", "C", "D", "E", "B. fog", "fog", "a fad", "fad", "12", "B or C", "figs", "a fig tree", "BB", "2", "neither",
)  # fmt: skip


def cells(gold: str, answer: str) -> list[str]:
    """Return what each of the text graders says of `Answer: ...`."""
    found = read("auto", f"Answer: {answer}")
    return ["?" if found is None else SIGNS[grader(name).judge(found.text, [undressed(gold)]).correct] for name in TEXT_GRADERS]


def choice_cell(answer: str) -> str:
    """Return what the grader of choices says where B (`fig`) is right."""
    found = read("auto", f"Answer: {answer}")
    return "?" if found is None else SIGNS[grader("choice").judge(found.text, ["B"], choices=CHOICES).correct]


def shown(text: str) -> str:
    """Write an answer for a cell of Markdown."""
    return "`` " + text.replace("|", "\\|") + " ``"


def table() -> str:
    """Return the tables as they stand in the page."""
    lines: list[str] = []
    for gold, answers in SPELLINGS.items():
        lines += [f"| gold {shown(gold)} | {' | '.join(TEXT_GRADERS)} |", "|---|" + "---|" * len(TEXT_GRADERS)]
        lines += [f"| {shown(answer)} | {' | '.join(cells(gold, answer))} |" for answer in answers]
        lines.append("")
    lines += [f"| choices {', '.join(CHOICES)}; gold `` B `` | choice |", "|---|---|"]
    lines += [f"| {shown(answer)} | {choice_cell(answer)} |" for answer in CHOICE_SPELLINGS]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
