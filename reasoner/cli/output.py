"""What commands print: one error line, JSON, consoles; and the one handler that turns faults into exit codes.

All that leaves the process passes here: `shown` takes keys and everything that could steer a terminal out of a text before it is laid
out, and the two standard streams are guarded besides (`guard_streams`), for tracebacks, warnings and whatever a library prints.
"""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import sys
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from reasoner.errors import ReasonerError
from reasoner.redaction import redact
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

P = ParamSpec("P")
R = TypeVar("R")

EXIT_INTERRUPTED = 130


def shown(text: str) -> str:
    """Return the text as it may leave the process: without keys, and with nothing in it that could steer a terminal."""
    return clean(redact(text))


class _Console(Console):
    """A console whose only control sequences are its own: what it is given to show is cleaned, whoever forgot to."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)


# A pipe or a file has no width; tables written there are not squeezed into 80 columns.
out = _Console(highlight=False, width=None if sys.stdout.isatty() else 160)
err = _Console(stderr=True, highlight=False)

_OURS = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
"""The sequences the consoles above write to a terminal: colours, and the moves of the progress bar."""


class _Guarded:
    """A text stream that lets no key through, and no control character but those of the consoles, and these only to a terminal."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._terminal = bool(stream.isatty())

    def write(self, text: str) -> int:
        text = redact(text)
        if self._terminal:
            ours = _OURS.findall(text)
            # A carriage return takes the progress bar back to the beginning of its line.
            pieces = ["\r".join(clean(part) for part in piece.split("\r")) for piece in _OURS.split(text)]
            text = pieces[0] + "".join(a + b for a, b in zip(ours, pieces[1:], strict=True))
        else:
            text = clean(text)
        self._stream.write(text)
        return len(text)

    def unguarded(self, text: str) -> None:
        """Write data that goes into a pipe or a file and is not to be changed on its way."""
        self._stream.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_streams() -> None:
    """Put the guard before standard output and standard error of this process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, _Guarded):
            setattr(sys, name, _Guarded(stream))


def usage_error(error: Exception) -> int | None:
    """Say in one line what is wrong with a command line and return the exit code; None when the error is of another kind."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        return 2
    if not hasattr(error, "format_message"):
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "reasoner"
    say(f"error: {shorten(error.format_message(), 500)} See '{command} --help'.")
    return int(getattr(error, "exit_code", 2))


def print_json(value: Any) -> None:
    """Print one JSON value on standard output, ASCII only."""
    sys.stdout.write(redact(json.dumps(value, indent=2, ensure_ascii=True, default=str)) + "\n")
    sys.stdout.flush()


def put(line: str) -> None:
    """Print one line of data on standard output: cleaned where it is shown, as it is (but for keys) where it goes into a pipe or a file."""
    stream = sys.stdout
    if isinstance(stream, _Guarded) and not stream.isatty():
        stream.unguarded(redact(line) + "\n")
    else:
        stream.write(shown(line) + "\n")


def say(line: str) -> None:
    """Print one line on standard error, unwrapped, with nothing in it that could steer a terminal."""
    sys.stderr.write(shown(line).replace("\n", " ") + "\n")
    sys.stderr.flush()


def safe(text: str, *, style: str = "", n_chars: int | None = None) -> Text:
    """Return text of a model or a user for a table or tree: cleaned, never read as markup."""
    cleaned = shown(text)
    return Text(shorten(cleaned, n_chars) if n_chars else cleaned, style=style)


def one_line(text: str, *, style: str = "") -> Text:
    """Return such text for a place that has one line, cut with an ellipsis where the console ends."""
    return Text(shorten(shown(text), 400), style=style, no_wrap=True, overflow="ellipsis")


def asking() -> Callable[[str], bool] | None:
    """Return what asks the person at the terminal a yes-or-no question; None where there is nobody to ask."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return lambda question: typer.confirm(clean(question), default=False, err=True)


def percent(share: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * share:.1f} %"


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn every expected fault of a command into one line on standard error and its exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        _end_like_ctrl_c()
        try:
            return command(*args, **kwargs)
        except ReasonerError as error:
            say(f"error: {error}")
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt as interrupt:
            say("interrupted")
            raise typer.Exit(EXIT_INTERRUPTED) from interrupt
        except BrokenPipeError as error:
            # Whoever read our output has gone (`| head`); point stdout elsewhere so that the interpreter's last flush is quiet.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from error

    return run


def _end_like_ctrl_c() -> None:
    """Let SIGTERM end a run the way Ctrl-C does: resumably, with the clients closed."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts background jobs with SIGINT ignored, but a running event loop ends in good order only by one that is handled.
        # It is held back instead, until a SIGTERM lets it through.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def terminate(*_: object) -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGTERM, terminate)
