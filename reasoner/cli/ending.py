"""How a command ends when something else than its work ends it: a signal, at any moment, or a standard stream that is closed.

Loaded before everything else, so it knows nothing of the rest and is quick: a Ctrl-C while the rest is loaded must end like any other.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

EXIT_INTERRUPTED = 130
EXIT_OUTPUT = 5
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What ends a run the way Ctrl-C does: resumably, with the clients closed."""
AGAIN_S = 0.05


def fill_standard_files() -> None:
    """Open what stands for nothing where a standard stream is closed: a file opened later would get its number, and what is printed."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free, which is this one


def end_like_ctrl_c() -> None:
    """Let SIGTERM and SIGHUP end a command the way Ctrl-C does. A SIGHUP that is ignored (`nohup`) stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts background jobs with SIGINT ignored, but a running event loop ends in good order only by one that is handled.
        # It is held back instead, until another signal lets it through.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def end(*_: object) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        os.kill(os.getpid(), signal.SIGINT)

    for number in ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGTERM:
            signal.signal(number, end)


def hear_lost_interrupts() -> None:
    """Send a Ctrl-C again where it came while native code called Python (pydantic-core does, when it makes its checks): it is lost there.

    Python would print it as an exception that is ignored, and the command would go on.
    """
    usual = sys.unraisablehook

    def heard(lost: Any) -> None:
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            usual(lost)
            return
        from threading import Timer  # noqa: PLC0415 - see the module

        # A moment later: this hook could not pass it on either.
        again = Timer(AGAIN_S, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = heard


def end_at_once(code: int) -> None:
    """Let every further signal end the process with this exit code: what had to be done is done."""

    def leave(*_: object) -> NoReturn:
        os._exit(code)

    for number in (signal.SIGINT, *ENDING):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, leave)


def silence(stream: Any) -> None:
    """Let what a stream still holds go nowhere, so that the interpreter does not fail to write it at its end."""
    try:
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        return
