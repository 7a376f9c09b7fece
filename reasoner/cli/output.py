"""What commands print: one error line, JSON, consoles; and the one handler that turns faults into exit codes."""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from reasoner.errors import ReasonerError
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

EXIT_INTERRUPTED = 130

# A pipe or a file has no width; tables written there are not squeezed into 80 columns.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """Print one JSON value on standard output, ASCII only."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=True, default=str) + "\n")
    sys.stdout.flush()


def say(line: str) -> None:
    """Print one line on standard error, unwrapped, with nothing in it that could steer a terminal."""
    sys.stderr.write(clean(line).replace("\n", " ") + "\n")
    sys.stderr.flush()


def safe(text: str, *, style: str = "", n_chars: int | None = None) -> Text:
    """Return text of a model or a user for a table or tree: cleaned, never read as markup."""
    cleaned = clean(text)
    return Text(shorten(cleaned, n_chars) if n_chars else cleaned, style=style)


def one_line(text: str, *, style: str = "") -> Text:
    """Return such text for a place that has one line, cut with an ellipsis where the console ends."""
    return Text(shorten(clean(text), 400), style=style, no_wrap=True, overflow="ellipsis")


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

    def terminate(*_: object) -> None:
        # A shell starts background jobs with SIGINT ignored; sending it to ourselves would then swallow the SIGTERM.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGINT)

    signal.signal(signal.SIGTERM, terminate)
