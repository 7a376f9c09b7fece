r"""The judging process: a server that forks a child, and the child that answers one JSON line after another.

    {"op": "math", "gold": "\\frac12", "given": "0.5"}   ->  {"same": true}
    {"op": "regex", "pattern": "x(.)", "text": "xy"}      ->  {"found": "y"}
    {"op": "python", "file": "g.py", "function": "judge", "given": "...", "golds": ["..."]}  ->  {"verdict": true}

The child bounds its own time of work and its memory. A server that lacks a package says {"missing": NAME}.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import warnings
from collections import deque
from typing import Any

CPU_S = 0.9
"""Seconds of processor time one answer may take."""
MAX_MEMORY_BYTES = 1 << 31
"""What an answer may take beside what the server has."""
LATE = 3
"""The exit code of a child that took too long."""


def main() -> None:
    """Serve until standard input is closed."""
    warnings.simplefilter("ignore")
    if sys.argv[1] == "math":
        from reasoner.grading.worker import equality  # noqa: PLC0415 - takes a second, and only this kind needs it

        if not equality.available():
            _say({"missing": "math-verify"})
            return
    while True:
        child = os.fork()
        if child == 0:
            _serve()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
            return


def _serve() -> None:
    _bound()
    signal.signal(signal.SIGPROF, lambda *_: os._exit(LATE))
    _say({"pid": os.getpid()})
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        try:
            answer = _answer(json.loads(line))
        except MemoryError:
            os._exit(LATE)
        except RecursionError:
            answer = {}
        signal.setitimer(signal.ITIMER_PROF, 0)
        _say(answer)


def _bound() -> None:
    """Give this process its limit of memory above what it has taken already."""
    taken = 0
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - one number of the kernel
            taken = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        taken = 1 << 30
    resource.setrlimit(resource.RLIMIT_AS, (taken + MAX_MEMORY_BYTES, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    if request["op"] == "regex":
        last = next(iter(deque(re.finditer(request["pattern"], request["text"]), maxlen=1)), None)
        return {"found": None if last is None else last.group(min(1, last.re.groups))}
    if request["op"] == "python":
        from reasoner.grading.worker import functions  # noqa: PLC0415 - only where it is asked for

        return functions.call(request["file"], request["function"], request["arguments"])
    from reasoner.grading.worker import equality  # noqa: PLC0415

    return {"same": equality.same(request["gold"], request["given"])}


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
