"""What commands print: one error line, JSON, consoles; and the one handler that turns faults into exit codes.

All that leaves the process passes here: `shown` takes keys and everything that could steer a terminal out of a text before it is laid
out, and the two standard streams are guarded besides (`guard_streams`), for tracebacks, warnings and whatever a library prints.
"""

from __future__ import annotations

import functools
import io
import json
import re
import sys
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.control import Control
from rich.segment import ControlType, Segment
from rich.text import Text

from reasoner.cli.ending import EXIT_INTERRUPTED, EXIT_OUTPUT, end_at_once, silence
from reasoner.cli.flags import in_flags
from reasoner.errors import EXIT_USAGE, ReasonerError
from reasoner.redaction import redact
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

P = ParamSpec("P")
R = TypeVar("R")


class OutputFailed(ReasonerError):
    """Standard output takes nothing: it is closed, or what it leads to is full."""

    exit_code = EXIT_OUTPUT


def shown(text: str) -> str:
    """Return the text as it may leave the process: without keys, and with nothing in it that could steer a terminal."""
    return clean(redact(text))


class _Console(Console):
    """A console whose only control sequences are its own: what it is given to show is cleaned, whoever forgot to."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(clean(segment.text), segment.style)

    def on_broken_pipe(self) -> None:
        """Leave it to whoever ends the command."""
        raise  # noqa: PLE0704 - rich calls this while it handles the error


def is_terminal(stream: Any) -> bool:
    """Tell whether a stream is a terminal; one that is closed is none."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError, OSError):
        return False


# A pipe or a file has no width; tables written there are not squeezed into 80 columns.
out = _Console(highlight=False, width=None if is_terminal(sys.stdout) else 160)
err = _Console(stderr=True, highlight=False)


def be_plain() -> None:
    """Write no colour, no style and no progress bar from here on: for screen readers, logs and terminals that know none."""
    for console in (out, err):
        console.no_color = True
        console._color_system = None  # noqa: SLF001 - rich has no way to switch styles off after a console is made
        console._force_terminal = False  # noqa: SLF001


_OURS = re.compile(r"\x1b\[[0-9;?]{0,16}[A-Za-z]")
"""The sequences the consoles above write to a terminal: colours, and the moves of the progress bar."""


class _Guarded:
    """A text stream that lets no key through, and no control character but those of the consoles, and these only to a terminal.

    What its encoding does not have is written as an escape. One that cannot be written is told of once, where it is standard output;
    standard error is left in silence, since there is nowhere to tell it.
    """

    def __init__(self, stream: Any, *, must: bool = True) -> None:
        self._stream = stream
        self._must = must
        self._lost = False
        self._terminal = is_terminal(stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        text = redact(text)
        if self._terminal:
            ours = _OURS.findall(text)
            # A carriage return takes the progress bar back to the beginning of its line.
            pieces = ["\r".join(clean(part) for part in piece.split("\r")) for piece in _OURS.split(text)]
            text = pieces[0] + "".join(a + b for a, b in zip(ours, pieces[1:], strict=True))
        else:
            text = clean(text)
        self._try(lambda: self._stream.write(text))
        return len(text)

    def unguarded(self, text: str) -> None:
        """Write data that goes into a pipe or a file and is not to be changed on its way."""
        self._try(lambda: self._stream.write(text))

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._try(self._flush)

    def _flush(self) -> None:
        self._stream.flush()  # looked up only where there is a stream

    def isatty(self) -> bool:
        return self._terminal

    def _try(self, work: Callable[[], Any]) -> None:
        if self._lost:
            return
        if self._stream is None:
            self._lost = True
            if self._must:
                raise OutputFailed("standard output is closed", hint="redirect it to a file or to /dev/null")
            return
        try:
            work()
        except BrokenPipeError:
            if self._must:
                raise
            silence(self._stream)
        except (OSError, ValueError) as error:
            self._lost = True
            silence(self._stream)
            if self._must:
                why = getattr(error, "strerror", None) or str(error)
                raise OutputFailed(
                    f"standard output cannot be written: {why}", hint="what the command did is done; 'reasoner show' shows it"
                ) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_streams() -> None:
    """Put the guard before standard output and standard error of this process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, _Guarded):
            setattr(sys, name, _Guarded(stream, must=name == "stdout"))


def told(error: BaseException) -> int | None:
    """Say in one line what went wrong and return the exit code; None where the error is none that a command may end with."""
    if isinstance(error, ReasonerError):
        say(f"error: {error}")
        return error.exit_code
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        say("interrupted")
        return EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has gone (`| head`); the interpreter's last flush must be quiet.
        silence(sys.stdout)
        return 0
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename is not None else ""
        say(f"error: {place}{error.strerror or error}; the system refused it")
        return EXIT_USAGE
    return usage_error(error)


def finish(code: int) -> int:
    """Write what is still to be written and return the exit code; further signals end the process at once with it."""
    end_at_once(code)
    try:
        sys.stdout.flush()
    except (OutputFailed, BrokenPipeError) as error:
        code = told(error) or code
    sys.stderr.flush()
    return code


def usage_error(error: BaseException) -> int | None:
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
    """Print one line on standard error, unwrapped, with options as flags, and nothing in it that could steer a terminal."""
    sys.stderr.write(shown(in_flags(line)).replace("\n", " ") + "\n")
    sys.stderr.flush()


def over(line: str) -> None:
    """Write a line on standard error over the one written so before, where that is a terminal; an empty one takes it away."""
    if err.is_terminal:
        err.control(Control((ControlType.CARRIAGE_RETURN,), (ControlType.ERASE_IN_LINE, 2)))
        err.print(safe(line), end="")


def safe(text: str, *, style: str = "", n_chars: int | None = None) -> Text:
    """Return text of a model or a user for a table or tree: cleaned, never read as markup."""
    cleaned = shown(text)
    return Text(shorten(cleaned, n_chars) if n_chars else cleaned, style=style)


def one_line(text: str, *, style: str = "") -> Text:
    """Return such text for a place that has one line, cut with an ellipsis where the console ends."""
    return Text(shorten(shown(text), 400), style=style, no_wrap=True, overflow="ellipsis")


def asking() -> Callable[[str], bool] | None:
    """Return what asks the person at the terminal a yes-or-no question; None where there is nobody to ask."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return None
    return lambda question: typer.confirm(clean(question), default=False, err=True)


def percent(share: float) -> str:
    """Write a share as a percentage."""
    return f"{100 * share:.1f} %"


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn every expected fault of a command into one line on standard error and its exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (ReasonerError, KeyboardInterrupt, OSError) as error:
            raise typer.Exit(told(error) or 0) from error

    return run
