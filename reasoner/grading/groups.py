"""Grouping texts by the answer they give, for votes: by spelling first, then by an equality that is no matter of spelling.

grouped(["Answer: 1/2", "Answer: 0.5", "?"], canonical, same)  ->  ["1/2", "1/2", None]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def grouped(
    texts: Iterable[str], canonical: Callable[[str], str | None], same: Callable[[str, str], bool] | None = None
) -> list[str | None]:
    """Return for each text the spelling of its answer that was met first, the same for texts that answer alike; None for no answer."""
    first: dict[str, str] = {}
    """Each group's spelling, and the text it was met in."""
    of: dict[str, str] = {}
    """The group of each spelling."""
    groups: list[str | None] = []
    for text in texts:
        key = canonical(text)
        if key is not None and key not in of:
            of[key] = next((group for group, met in first.items() if same is not None and same(met, text)), key)
            first.setdefault(of[key], text)
        groups.append(None if key is None else of[key])
    return groups
