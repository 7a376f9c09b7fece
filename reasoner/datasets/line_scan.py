r"""The scan of records line by line, every line once: records of one family share most of their lines, or these differ in their numbers alone.

    scan = LineScan(ControlTokens())
    scan.look(b"1: 9 -> 10 (9 + 1 = 10)") -> ([], [])        # and `1: 8 -> 16 (8 + 8 = 16)` is known to hold nothing

No pattern of the scan goes past the end of a line, so what a line holds does not depend on those beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.datasets.scan import findings, masked, suspects

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.datasets.scan import ControlTokens, Finding

MAX_LINES = 50_000
"""Lines that are remembered, and so many of them masked."""
MAX_LINE_BYTES = 1_000
"""A longer line hardly comes again."""
MAX_TEXTS = 10_000
"""Masked texts of several lines that are remembered whole."""
MAX_TEXT_BYTES = 2_000


class LineScan:
    """Looks for secrets, personal data and control tokens, and remembers in which lines there are none."""

    def __init__(self, control: ControlTokens) -> None:
        self._control = control
        self._shapes: set[bytes] = set()
        """Masked lines of which none is suspect."""
        self._lines: set[bytes] = set()
        """Lines that are suspect and hold nothing."""
        self._texts: set[bytes] = set()
        """Masked texts whose lines are all among `_shapes`."""

    def look(self, data: bytes) -> tuple[list[Finding], list[str]]:
        """Return the findings and the control tokens in UTF-8 text; a line that stands there several times counts once.

        Places of findings are those within the lines that were looked at.
        """
        shape = masked(data)
        if shape in self._texts:
            return [], []
        shapes = shape.split(b"\n")
        if self._shapes.issuperset(shapes):
            if len(shape) <= MAX_TEXT_BYTES and len(self._texts) < MAX_TEXTS:
                self._texts.add(shape)
            return [], []
        both = zip(data.split(b"\n"), shapes, strict=True)
        lines = list(dict.fromkeys(line for line, shape in both if shape not in self._shapes and line not in self._lines))
        if not lines:
            return [], []
        joined = b"\n".join(lines)
        text = masked(joined).decode("utf-8", "surrogatepass")
        if not suspects(text) and not self._control.possible(text):
            _remember(self._shapes, map(masked, lines))
            return [], []
        text = joined.decode("utf-8", "surrogatepass")
        found, tokens = findings(text), self._control.found(text)
        if not found and not tokens:
            _remember(self._lines, lines)
        return found, tokens


def _remember(known: set[bytes], lines: Iterable[bytes]) -> None:
    if len(known) < MAX_LINES:
        known.update(line for line in lines if len(line) <= MAX_LINE_BYTES)
