r"""Thousands separators as a filter between a strategy and a model: digits are grouped from the right in what the model reads.

Knows how numbers are written; knows no model and no puzzle.

>>> group("add 1234567 and 89"), ungroup("so 1,234,567 + 89 = 1,234,656")
('add 1,234,567 and 89', 'so 1234567 + 89 = 1234656')

Both directions are exact. For every text, `group` twice is `group` once, `ungroup` twice is `ungroup` once, and
`ungroup(group(text)) == ungroup(text)`: what was grouped for the model is read back as it was. Rules where a text can be read in two ways:

- Only a run of four digits or more that stands alone is grouped. Runs that touch a letter (`x1234`, `1234km`), digits behind a
  decimal point (`0.12345`), numbers with leading zeros (`007000`), dates and what looks like one (`2026-11-24`, `24/11/2026`), dotted
  numbers (`1234.5.6`) and runs with a comma and a digit beside them (`1234,567`) are left as they are. Of a decimal number only the
  whole part is grouped.
- `1, 234` with a blank is a list and stays one. `1,234` without one is a number: nobody could tell it from a list.

Source: Singh and Strouse, "Tokenization counts", arXiv 2402.14903 (right-to-left grouping in additions).
"""

from __future__ import annotations

import re
from typing import Literal

NumberFormat = Literal["plain", "right_to_left"]

_DATE_BEFORE = r"(?<![0-9][/-][0-9][/-])(?<![0-9][/-][0-9]{2}[/-])"
_DATE_AFTER = r"(?!([/-])[0-9]{1,2}\1[0-9])"
_ALONE_BEFORE = r"(?<![\w.])(?<![0-9],)"
_ALONE_AFTER = r"(?!\w|,[0-9]|\.[0-9]+\.[0-9])"
_PLAIN = re.compile(f"{_ALONE_BEFORE}{_DATE_BEFORE}[1-9][0-9]{{3,}}{_ALONE_AFTER}{_DATE_AFTER}")
_GROUPED = re.compile(f"{_ALONE_BEFORE}[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+(?![0-9]|,[0-9])")


def group(text: str) -> str:
    """Return the text with a comma after every three digits, counted from the right, in every whole number that stands alone."""
    return _PLAIN.sub(lambda m: _grouped(m[0]), text)


def ungroup(text: str) -> str:
    """Return the text with the commas of grouped numbers taken out."""
    return _GROUPED.sub(lambda m: m[0].replace(",", ""), text)


def _grouped(digits: str) -> str:
    head = len(digits) % 3
    return ",".join(([digits[:head]] if head else []) + [digits[at : at + 3] for at in range(head, len(digits), 3)])
