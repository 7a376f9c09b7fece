"""The shape of the code: the import direction is law, files and functions stay small, nothing evaluates text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([*ROOT.glob("reasoner/**/*.py"), *ROOT.glob("solvers/*.py")])

# One row is one layer; a module may import from its own layer and from those above it.
LAYERS: list[set[str]] = [
    {"reasoner"},
    {"errors", "types"},
    {"solver"},
    {
        "secrets",
        "text",
        "assets",
        "prompts",
        "template_work",
        "registry",
        "outline",
        "_outline_line",
        "calibration",
        "reversal",
        "numbers",
        "fan",
        "invented",
    },
    {"solvers", "clients"},
    {"budget", "retry", "limiter", "concurrency"},
    {"shots"},
    {"store", "trajectory"},
    {"calling", "aids", "asking"},
    {"session", "lease"},
    {"strategies", "translation"},
    {"plan"},
    {"recipe", "staging", "outcomes", "shipped"},
    {"run", "compare"},
    {"api"},
    {"translate", "reruns"},
    {"datasets", "tune"},
    {"serve", "cli", "__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
SOLVERS_MAY = {"reasoner.types", "reasoner.solver", "reasoner.errors", "reasoner.text", "reasoner.assets", "reasoner.prompts", "solvers"}


def imports(path: Path) -> list[tuple[str, int]]:
    """All modules of ours a file imports at run time, with lines; imports under TYPE_CHECKING do not run."""
    found: list[tuple[str, int]] = []

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append((node.module, node.lineno))
            if node.module == "reasoner":
                found.extend((f"reasoner.{alias.name}", node.lineno) for alias in node.names if alias.name != "__version__")
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return [(name, line) for name, line in found if name.split(".")[0] in {"reasoner", "solvers"}]


def layer(module: str) -> str:
    parts = module.split(".")
    if parts[0] == "solvers":
        return "solvers"
    return parts[1] if len(parts) > 1 else "reasoner"


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_import_direction(path: Path) -> None:
    mine = layer(module_of(path))
    assert mine in RANK, f"{path}: which layer is it? name it in LAYERS"
    for name, line in imports(path):
        target = layer(name)
        assert target in RANK, f"{path}:{line} imports {name}"
        assert RANK[target] <= RANK[mine], f"{path}:{line}: {mine} may not import {name}"
        if mine == "solvers":
            assert any(name == may or name.startswith(may + ".") for may in SOLVERS_MAY), f"{path}:{line}: a solver may not import {name}"
        else:
            assert target != "solvers", f"{path}:{line}: solvers are reached through the registry"


def test_the_direction_test_has_teeth() -> None:
    assert RANK["cli"] > RANK["store"] > RANK["types"]
    assert ("reasoner.session", 1) in [(n, 1) for n, _ in imports(ROOT / "reasoner" / "staging.py")]


def test_one_place_opens_sqlite_and_one_calls_a_model() -> None:
    opens = [p for p in FILES if "sqlite3.connect(" in p.read_text(encoding="utf-8")]
    assert [p.name for p in opens] == ["connection.py"]
    calls = [p for p in FILES if any(_asks_a_model(node) for node in ast.walk(ast.parse(p.read_text(encoding="utf-8"))))]
    assert [p.name for p in calls] == ["calling.py"]


def _asks_a_model(node: ast.AST) -> bool:
    """Tell whether a node is `client.complete(...)`; the worker's own `engine.complete` is what such a call ends up in."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "complete"):
        return False
    owner = node.func.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return name != "engine"


def test_strategies_know_no_provider_and_no_database() -> None:
    for path in (ROOT / "reasoner" / "strategies").glob("*.py"):
        for name, line in imports(path):
            assert layer(name) not in {"clients", "store", "run", "registry"}, f"{path}:{line} imports {name}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert not {"time", "random", "datetime"} & {alias.name for alias in node.names}, f"{path}:{node.lineno}"


def test_nothing_evaluates_text() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "__import__"}, f"{path}:{node.lineno}"


def test_files_and_functions_stay_readable() -> None:
    offenders = []
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if (n_lines := text.count("\n")) > 400:
            offenders.append(f"{path.relative_to(ROOT)}: {n_lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                n_lines = (node.end_lineno or 0) - first.lineno + 1  # signature left out: a command line has many options
                if n_lines > 60:
                    offenders.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {n_lines} lines")
    assert not offenders, "\n".join(offenders)
