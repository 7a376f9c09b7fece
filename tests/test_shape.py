"""The shape of the code (the direction of imports is in `scripts/check`): files, functions and constructors stay small, nothing evaluates text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class File:
    """A source file, read once for all checks."""

    path: Path
    text: str
    nodes: tuple[ast.AST, ...]

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def room(self) -> str:
        """The package below `reasoner`, empty for the files at its root."""
        parts = self.path.relative_to(ROOT).parts
        return parts[1] if parts[0] == "reasoner" and len(parts) > 2 else ""


def _read(path: Path) -> File:
    text = path.read_text(encoding="utf-8")
    return File(path, text, tuple(ast.walk(ast.parse(text))))


FILES = [_read(path) for path in sorted([*ROOT.glob("reasoner/**/*.py"), *ROOT.glob("solvers/*.py")])]


def test_one_place_opens_sqlite_and_one_calls_a_model() -> None:
    opens = [file.path.name for file in FILES if "sqlite3.connect(" in file.text]
    # The store's own files in one place; the others hold databases of tasks and copies in memory, which no row of a run ever reaches.
    assert opens == ["database.py", "database_worker.py", "connection.py", "search.py"]
    # A client over several servers hands a call that was made already on to one of them.
    assert [file.path.name for file in FILES if any(_asks_a_model(node) for node in file.nodes)] == ["caller.py", "several.py"]


def test_one_place_calls_a_tool() -> None:
    assert [file.path.name for file in FILES if any(_calls_a_tool(node) for node in file.nodes)] == ["actor.py"]


def _calls_a_tool(node: ast.AST) -> bool:
    """Tell whether a node is `tool.call(...)`, of a tool under whatever name."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "call"):
        return False
    owner = node.func.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return "tool" in name


def _asks_a_model(node: ast.AST) -> bool:
    """Tell whether a node is `client.complete(...)`; the worker's own `engine.complete` is what such a call ends up in."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "complete"):
        return False
    owner = node.func.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name != "engine"


def test_sql_stands_in_the_store_only() -> None:
    # Tools, their sandbox and the families ask databases of users and of tasks, never the store.
    ours = [file for file in FILES if file.room not in {"store", "sandbox", "tools"} and file.name.startswith("reasoner/")]
    assert [file.name for file in ours if "SELECT " in file.text] == []


def test_what_happens_in_a_run_is_told_by_events() -> None:
    assert [file.name for file in FILES if "on_outcome" in file.text] == []


MAX_PARAMETERS = 6
VALUES = {"Plan", "RunOptions"}
NOT_COUNTED = {each.name for values in (Plan, RunOptions) for each in fields(values)}
"""What a run is and how it is carried out: the options users know may be handed on by their names."""


def test_no_constructor_takes_more_than_a_handful() -> None:
    offenders = [
        f"{file.name}:{node.lineno} {node.name}: {n} parameters"
        for file in FILES
        if file.room in {"runs", "calling", "session"}
        for node in file.nodes
        if isinstance(node, ast.ClassDef) and node.name not in VALUES and (n := _parameters(node)) > MAX_PARAMETERS
    ]
    assert not offenders, "\n".join(offenders)


def _parameters(cls: ast.ClassDef) -> int:
    """Count what a class is made of: the parameters of `__init__`, or the fields of a dataclass that are given to it."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            given = {arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
            return len(given - NOT_COUNTED - {"self"})
    if not any("dataclass" in ast.unparse(decorator) for decorator in cls.decorator_list):
        return 0
    told = {node.target.id: ast.unparse(node) for node in cls.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    # One with a leading underscore or `init=False` is the class's own.
    return len({name for name, line in told.items() if not name.startswith("_") and "init=False" not in line} - NOT_COUNTED)


def test_strategies_read_no_clock_and_no_global_random() -> None:
    for file in FILES:
        if file.room == "strategies":
            for node in file.nodes:
                if isinstance(node, ast.Import):
                    assert not {"time", "random", "datetime"} & {alias.name for alias in node.names}, f"{file.name}:{node.lineno}"


IN_THE_SANDBOX = "reasoner/sandbox/tested_worker.py"
"""The text of this file is handed to an interpreter under bubblewrap, and runs nowhere else."""


def test_nothing_evaluates_text() -> None:
    for file in FILES:
        for node in file.nodes:
            if file.name == IN_THE_SANDBOX:
                continue
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert "tested_worker" not in ast.unparse(node), f"{file.name}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, f"{file.name}:{node.lineno}"


def test_files_and_functions_stay_readable() -> None:
    offenders = [f"{file.name}: {n} lines" for file in FILES if (n := file.text.count("\n")) > 400]
    offenders += [line for file in FILES for line in _long_functions(file)]
    assert not offenders, "\n".join(offenders)


def _long_functions(file: File) -> Iterator[str]:
    for node in file.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            n_lines = (node.end_lineno or 0) - node.body[0].lineno + 1  # signature left out: a command line has many options
            if n_lines > 60:
                yield f"{file.name}:{node.lineno} {node.name}: {n_lines} lines"


MAX_PRIVATE = 45
"""How often tests reach into private names of the package. It may go down, never up: test what is public, or make it so."""


def test_tests_reach_into_fewer_and_fewer_private_names() -> None:
    met = [line for path in sorted(ROOT.glob("tests/**/*.py")) for line in _private(path)]
    assert len(met) <= MAX_PRIVATE, "\n".join(met)


def _private(path: Path) -> Iterator[str]:
    """Yield where a test takes a name with a leading underscore from an object that is not its own, or imports one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and _is_private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls", "os", "sys"}):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"reasoner", "solvers"}:
            yield from (f"{path.relative_to(ROOT)}:{node.lineno} {alias.name}" for alias in node.names if _is_private(alias.name))


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
