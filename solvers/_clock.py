"""Times of day in minutes after midnight, as people write them and as they are written here.

minutes("2:15 pm"), clock(855)  ->  855, "14:15"
"""

from __future__ import annotations

import re

_TIME = re.compile(r"([0-9]{1,2})[:.h]([0-9]{2})(?::00)?(?: ?(?:h|hrs|hours|o'clock))?(?: ?([ap])\.? ?m\.?)?", re.IGNORECASE)


def minutes(text: str) -> int | None:
    """Read a time of day; None where it is none. Seconds may be written, if there are none.

    >>> minutes("9:30"), minutes("2:00 pm"), minutes("16:40:00"), minutes("16:40:15"), minutes("24:00"), minutes("13:00 pm")
    (570, 840, 1000, None, None, None)
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hour, minute = int(found[1]), int(found[2])
    if found[3]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if found[3].lower() == "p" else 0)
    return hour * 60 + minute if hour < 24 and minute < 60 else None


def clock(value: int, *, padded: bool = True) -> str:
    """Write a time of day: `09:30`, or not padded `9:30`."""
    return f"{value // 60:{'02' if padded else ''}}:{value % 60:02}"
