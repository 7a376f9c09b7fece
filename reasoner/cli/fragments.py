"""How a sentence's fragments, their examples and its coverage are printed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from reasoner.cli.output import out, percent, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.translation.cover import Cover
    from reasoner.translation.memory import Match

_GAP = r"[^\w\n]*+"
"""What may stand between two words of a fragment: blanks, commas, or nothing after an elision. It never gives back what it took, so that
a hostile line costs no more than its length."""


def as_dict(cover: Cover) -> dict[str, Any]:
    """Return a cover as JSON values."""
    return {
        "words": list(cover.words),
        "coverage": cover.coverage,
        "unknown": list(cover.unknown),
        "fragments": [
            {
                "start": fragment.start,
                "text": fragment.text,
                "found": fragment.n_found,
                "examples": [{"line": pair.line, "source": pair.source, "target": pair.target} for pair in fragment.pairs],
            }
            for fragment in cover.fragments
        ],
    }


def as_matches(matches: Sequence[Match]) -> list[dict[str, Any]]:
    """Return what a translation memory has as JSON values."""
    return [{"score": m.score, "line": m.pair.line, "times": m.n, "source": m.pair.source, "target": m.pair.target} for m in matches]


def show(sentence: str, cover: Cover, *, matches: Sequence[Match] = (), inner: dict[tuple[int, int], Cover] | None = None) -> None:
    """Print a sentence with its fragments in brackets, what the memory has of it, then each fragment with its examples.

    `inner` are the covers of the pivot sides.
    """
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    out.print(safe(sentence, style="bold"))
    out.print(_bracketed(cover))
    known = len(cover.words) - len(cover.unknown)
    share = "no words" if cover.coverage is None else f"{percent(cover.coverage)} ({known} of {len(cover.words)} words)"
    out.print(Text(f"coverage {share}, {len(cover.fragments)} fragment(s), {len(cover.pairs)} example(s)", style="dim"))
    if matches:
        out.print()
        out.print(Text("the sentence itself, or like it", style="bold"))
        table = Table.grid(padding=(0, 1))
        table.add_column(style="dim", justify="right")
        table.add_column(overflow="fold")
        for match in matches:
            table.add_row("100 %" if match.is_exact else f"{match.score:.1f} %", safe(match.pair.source))
            table.add_row(f"{match.pair.line + 1}", safe(match.pair.target, style="green"))
        out.print(table)
    for number, fragment in enumerate(cover.fragments):
        out.print()
        times = "once" if fragment.n_found == 1 else f"{fragment.n_found:,} times"
        out.print(Text.assemble(safe(fragment.text, style="bold cyan"), (f"  found {times}", "dim")))
        table = Table.grid(padding=(0, 1))
        table.add_column(style="dim", justify="right")
        table.add_column(overflow="fold")
        for rank, pair in enumerate(fragment.pairs):
            table.add_row(f"{pair.line + 1}", _highlighted(pair.source, fragment.words))
            table.add_row("", safe(pair.target, style="green"))
            if inner and (number, rank) in inner:
                below = inner[number, rank]
                table.add_row("", _bracketed(below))
        out.print(table)


def _highlighted(text: str, words: Sequence[str]) -> Any:
    """Return an example with the fragment in it made bold, as far as its words stand there as they are written."""
    made = safe(text)
    if not all(re.match(r"\w", word) for word in words):
        return made
    spelt = _GAP.join(re.escape(word).replace("'", "['’]") for word in words)
    made.highlight_regex(re.compile(rf"(?<!\w){spelt}(?!\w)", re.IGNORECASE), style="bold")
    return made


def _bracketed(cover: Cover) -> Any:
    from rich.text import Text  # noqa: PLC0415

    made = Text()
    at = 0
    starts = {fragment.start: fragment for fragment in cover.fragments}
    while at < len(cover.words):
        if made:
            made.append(" ")
        if at in starts:
            made.append_text(Text.assemble(("[", "dim"), safe(starts[at].text, style="cyan"), ("]", "dim")))
            at += len(starts[at].words)
        else:
            made.append_text(safe(cover.words[at], style="red"))
            at += 1
    return made
