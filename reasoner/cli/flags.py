"""From the Python options that errors of the library name to the flags of the command line.

in_flags("raise `max_calls`, or use `adapter=none`")  ->  "raise --max-calls, or use --adapter none"
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

_NAMED = re.compile(r"`([a-z][a-z_]*)(?:=([^`]{0,400}))?`")
_SPECIAL = {"mode=fresh": "--new", 'mode="fresh"': "--new", "fresh": "--new", "force=True": "--force", "compiled": "--compile"}
"""What has another name on the command line."""


def in_flags(text: str) -> str:
    """Return a text with its options as flags; what is no option of a command stays as it is."""
    return _NAMED.sub(_flag, text) if "`" in text else text


def _flag(found: re.Match[str]) -> str:
    whole, name, value = found.group(0)[1:-1], found.group(1), found.group(2)
    if whole in _SPECIAL:
        return _SPECIAL[whole]
    flag = f"--{name.replace('_', '-')}"
    if flag not in _flags():
        return found.group(0)
    return flag if value is None or value == "True" else f"{flag} {value.strip(chr(34))}"


_commands: list[Callable[[], Any]] = []


def remember(root: Callable[[], Any]) -> None:
    """Be told how to build the root command, whose options and those below it are the flags there are."""
    _commands[:] = [root]
    _flags.cache_clear()


@cache
def _flags() -> frozenset[str]:
    """Return all long options of all commands."""
    found: set[str] = set()
    pending = [root() for root in _commands]
    while pending:
        command = pending.pop()
        pending.extend(getattr(command, "commands", {}).values())
        found.update(option for parameter in command.params for option in parameter.opts if option.startswith("--"))
    return frozenset(found)
