"""Examples are true: those of docstrings, of the README and of the pages.

In a docstring an example is an indented line `call(...) -> value`: it is evaluated in its module, and the value compared (`...` stands for
anything). Where a name in it is nobody's (`store`, `plan`), the call is still held against the signature of what it calls. A line that begins with
`reasoner` is read as a command line. On the pages every `python` block is run, in order, in an empty folder, and every line of a `console` block
that begins with `$`; a block that needs a model or the network says so in a comment before it (`<!-- not run: ... -->`) and is only read.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import doctest
import importlib
import inspect
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest
import typer
from pages import Block, blocks, conversations, says
from typer import _click as click
from typer.core import TyperGroup

import reasoner
import solvers
from reasoner.api import settings
from reasoner.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ARROW = re.compile(r"\)\s+->\s+")


@dataclass(frozen=True)
class Example:
    """One line of a docstring: what is called, and what comes of it."""

    module: str
    line: str
    call: str
    value: str


def _modules() -> Iterator[str]:
    for package in (reasoner, solvers):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield found.name


def _docstrings(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and (text := ast.get_docstring(node)):
            yield text


def _source(module: str) -> str:
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).read_text(encoding="utf-8")


def _examples() -> Iterator[Example]:
    for module in _modules():
        for text in _docstrings(_source(module)):
            for line in text.splitlines():
                if (cut := ARROW.search(line)) is None:
                    continue
                call = line[: cut.start() + 1].strip()
                with contextlib.suppress(SyntaxError):
                    ast.parse(call, mode="eval")
                    yield Example(module, line.strip(), call, line[cut.end() :].strip())


EXAMPLES = list(_examples())


def _names(call: str) -> set[str]:
    """Return the names an expression needs from outside."""
    bound = {arg.arg for node in ast.walk(ast.parse(call, mode="eval")) if isinstance(node, ast.arguments) for arg in node.args}
    nodes = [node for node in ast.walk(ast.parse(call, mode="eval")) if isinstance(node, ast.Name)]
    return {node.id for node in nodes if isinstance(node.ctx, ast.Load)} - bound


@cache
def _scope(module: ModuleType) -> dict[str, Any]:
    """Return what an example may name: what its module has, what it imports for types alone, and the public names."""
    known: dict[str, Any] = {name: getattr(reasoner, name) for name in reasoner.__all__}
    for node in ast.walk(ast.parse(_source(module.__name__))):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                with contextlib.suppress(ImportError, AttributeError):
                    known[alias.asname or alias.name] = getattr(importlib.import_module(node.module), alias.name)
    return known | {"Path": Path} | vars(module)


def _value(call: str, scope: dict[str, Any]) -> Any:
    made = eval(call, scope)
    if not inspect.iscoroutine(made):
        return made
    return asyncio.run(made)


def _loose(text: str) -> str:
    """Leave out white space, quotes, and the names of arguments."""
    return re.sub(r"[\s'\"\\]|\b\w+=", "", text)


def _agrees(value: Any, wanted: str, scope: dict[str, Any]) -> bool | None:
    """Tell whether a value is what an example says; None where what it says is no value but prose."""
    said = re.split(r"\s{2,}|\s+#\s|;\s", wanted)[0].rstrip(",;")
    if "..." in said or "…" in said:
        pieces = [_loose(piece) for piece in re.split(r"\.\.\.|…", said)]
        return re.search(".*".join(map(re.escape, pieces)), _loose(repr(value))) is not None or said.startswith(type(value).__name__)
    try:
        code: CodeType = compile(said, "<example>", "eval")
        expected = eval(code, scope)
    except (SyntaxError, NameError, TypeError):
        return None
    return bool(value == expected) or repr(value) == said


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: f"{e.module}: {e.call[:60]}")
def test_an_example_of_a_docstring_is_true(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(example.module)
    scope = _scope(module)
    if unknown := _names(example.call) - {*scope, *dir(builtins)}:
        _fits(example.call, scope)
        assert unknown
        return
    if "..." in example.call or "Path(" in example.call:  # left out, or a file
        _fits(example.call, scope)
        return
    fault = re.match(r"([A-Z]\w+)( at |: )", example.value)
    if fault and inspect.isclass(kind := scope.get(fault[1])) and issubclass(kind, Exception):
        with pytest.raises(kind):
            _value(example.call, scope)
        return
    value = _value(example.call, scope)
    assert _agrees(value, example.value, scope) is not False, f"{example.line}\ngives {value!r}"


def _fits(code: str, scope: dict[str, Any]) -> None:
    """Hold every call whose function is known against its signature."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call) or any(isinstance(inner, ast.Call) for inner in ast.walk(node.func)):
            continue  # a method of what is only made there is not looked up
        try:
            called = eval(compile(ast.Expression(node.func), "<example>", "eval"), scope)
        except (NameError, AttributeError):
            if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id == "reasoner":
                raise
            continue
        if any(isinstance(arg, ast.Starred) or (isinstance(arg, ast.Constant) and arg.value is ...) for arg in node.args):
            continue
        words = {word.arg: None for word in node.keywords if word.arg}
        try:
            inspect.signature(called).bind(*node.args, **words)
        except ValueError:
            continue  # a builtin without a signature
        if "settings" in inspect.signature(called).parameters:
            assert words.keys() <= {*inspect.signature(called).parameters, *settings.NAMES}, ast.unparse(node)


def test_most_examples_are_run() -> None:
    run = [example for example in EXAMPLES if not _names(example.call) - {*_scope(importlib.import_module(example.module)), *dir(builtins)}]
    assert len(run) >= 40, len(run)


@pytest.mark.parametrize("module", [name for name in _modules() if ">>> " in _source(name)])
def test_interactive_examples_are_true(module: str) -> None:
    found = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


def _indented(text: str) -> Iterator[str]:
    """Yield the indented blocks of a docstring that are Python, without the values after arrows."""
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.startswith("    "):
            block.append(re.split(r"\s+->\s|\s{3,}#", line)[0] if ARROW.search(line) else line)
        elif (block and line.strip()) or block:
            yield "\n".join(block)
            block = []


@pytest.mark.parametrize("module", list(_modules()))
def test_code_in_docstrings_calls_what_there_is(module: str) -> None:
    loaded = importlib.import_module(module)
    scope = {**_scope(loaded), "reasoner": reasoner}
    for text in _docstrings(_source(module)):
        for block in _indented(text):
            for line in block.splitlines():
                if line.strip().startswith("reasoner "):
                    _command(line.strip())
            try:
                code = inspect.cleandoc(block)
                ast.parse(code)
            except SyntaxError:
                continue
            _fits(code, scope)


COMMANDS = typer.main.get_command(app)


def _command(line: str) -> None:
    """Read a command line as the program would, without running it."""
    words = shlex.split(re.split(r"\s{2,}|\s->", line)[0], comments=True)[1:]
    cut = next(
        (at for at, word in enumerate(words) if word in {"|", ">", "&", "&&", ";", "->", "<", "\\"} or word.startswith(("-> ", "(", ">"))),
        len(words),
    )
    words = words[:cut]
    assert isinstance(COMMANDS, TyperGroup)
    if not words or words[0].startswith("-") or words[0].isupper():
        return
    context = click.Context(COMMANDS, info_name="reasoner")
    command = COMMANDS.get_command(context, words[0])
    assert command is not None, line
    if isinstance(command, TyperGroup):
        command = command.get_command(context, words[1]) if len(words) > 1 else None
        words = words[1:]
    if command is None or "…" in line or "..." in line or "[" in line:
        return
    try:
        command.make_context(words[0], words[1:], parent=context, resilient_parsing=False).close()
    except typer.Exit:
        pass
    except click.exceptions.UsageError as error:
        if "does not exist" not in str(error):
            raise AssertionError(f"{line}: {error.format_message()}") from error


def _blocks(page: Path) -> list[Block]:
    return blocks(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_command_on_a_page_could_be_given(page: Path) -> None:
    for block in _blocks(page):
        if block.kind in {"", "console", "sh", "bash"}:
            for line in block.lines():
                bare = line.removeprefix("$ ").strip()
                if bare.startswith("reasoner "):
                    _command(bare)


ELSEWHERE = {"extending.md": "tests/test_extending.py adds its files and uses them"}
RUN = [
    page
    for page in PAGES
    if page.name not in ELSEWHERE
    and any(block.run and (block.kind == "python" or (block.kind == "console" and "$ " in block.code)) for block in _blocks(page))
]


@pytest.mark.parametrize("page", RUN, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "reasoner").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m reasoner "$@"\n', encoding="utf-8")
    (programs / "reasoner").chmod(0o755)
    (folder := tmp_path / "work").mkdir()
    env = {**os.environ, "PATH": f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    given = [block for block in _blocks(page) if block.run]
    for command, wanted in [each for block in given if block.kind == "console" for each in conversations(block.code)]:
        done = subprocess.run(["bash", "-c", command], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{command}\n{done.stderr[-2000:]}"
        for line in wanted:
            assert says(done.stdout + done.stderr, line), f"{command}\nsays\n{done.stdout}{done.stderr}\nand not\n{line}"
    # The blocks of a page go on from each other: they are one program.
    code = "\n\n".join(block.code for block in given if block.kind == "python" and not block.code.startswith(">>>"))
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, f"{code}\n{done.stderr[-2000:]}"
