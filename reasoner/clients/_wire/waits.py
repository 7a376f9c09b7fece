"""How long a server asks to wait, in every form that servers use.

Knows header names and time formats. Does not decide whether to wait: `reasoner.calling.retry` does.

    asked_wait_s({"retry-after": "17"}, now=0.0)                                                    -> 17.0
    asked_wait_s({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, now=0)  -> 360.0
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_CHARS = 100
_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_OPENAI = re.compile(r"x-ratelimit-reset-(.+)")
_ANTHROPIC = re.compile(r"anthropic-ratelimit-(.+)-reset")


def asked_wait_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return how many seconds an error's headers ask to wait: by `retry-after-ms`, else `Retry-After`, else the limits' resets.

    None when they do not say, or say NaN, infinity, a negative number or a time that has passed. `now` is the Unix time. A limit counts
    when nothing of it remains; where no limit says what remains, or none is used up, all of them count. The longest wait wins.
    """
    wait = retry_after_s(headers, now=now)
    return wait if wait is not None else _reset_s(headers, now=now)


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return what `retry-after-ms`, else `Retry-After` (seconds or an HTTP date) asks for; None when neither says something sensible."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(name, "").strip()[:MAX_CHARS]
        try:
            seconds = float(text) * unit
        except ValueError:
            seconds = _http_date(text) - now if name == "retry-after" else math.nan
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    return None


def _reset_s(headers: Mapping[str, str], *, now: float) -> float | None:
    used_up: list[float] = []
    others: list[float] = []
    for name, text in headers.items():
        lower = name.lower()
        if openai := _OPENAI.fullmatch(lower):
            remaining = headers.get(f"x-ratelimit-remaining-{openai[1]}", "")
        elif anthropic := _ANTHROPIC.fullmatch(lower):
            remaining = headers.get(f"anthropic-ratelimit-{anthropic[1]}-remaining", "")
        else:
            continue
        seconds = _duration_s(text.strip()[:MAX_CHARS], now=now)
        if math.isfinite(seconds) and seconds >= 0:
            (used_up if remaining.strip() == "0" else others).append(seconds)
    return max(used_up or others, default=None)


def _duration_s(text: str, *, now: float) -> float:
    """Read `1s`, `6m0s`, `20ms`, `1h2m3.5s`, plain seconds, or an RFC 3339 time; NaN for anything else."""
    try:
        return float(text)
    except ValueError:
        pass
    if text and (parts := _DURATION.fullmatch(text)):
        hours, minutes, seconds, millis = (float(part or 0) for part in parts.groups())
        return 3600 * hours + 60 * minutes + seconds + millis / 1000
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return math.nan


def _http_date(text: str) -> float:
    try:
        date = parsedate_to_datetime(text)
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan
