"""What the README, the docs and the help texts say is true: examples run, commands exist, links lead somewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from forks import Ended, Forks

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((ROOT / "docs").rglob("*.md"))
COMMANDS = (
    "tour",
    "solve",
    "ask",
    "map",
    "actions",
    "approve",
    "deny",
    "bench",
    "compare",
    "pick",
    "check",
    "score",
    "translate",
    "review",
    "corpus",
    "shard",
    "run-shard",
    "merge",
    "resume",
    "replay",
    "fork",
    "serve",
    "view",
    "report",
    "runs",
    "show",
    "annotate",
    "tree",
    "export",
    "import",
    "improve",
    "trace",
    "tune",
    "doctor",
    "list",
)


def run(path: Path, forks: Forks, cwd: Path) -> Ended:
    """Run a script as `python PATH` does, in a child that has the imports behind it."""
    return forks.run([path], cwd=cwd, prelude=f"import runpy; runpy.run_path({str(path)!r}, run_name='__main__'); raise SystemExit(0)")


def test_the_python_quick_start_runs(tmp_path: Path, forks: Forks) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "quick.py").write_text(code, encoding="utf-8")
    done = run(tmp_path / "quick.py", forks, tmp_path)
    assert done.code == 0, done.err
    assert done.out.startswith("True ")
    assert "('game24', 'ats', 1.0)" in done.out


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda p: p.name)
def test_examples_run(path: Path, tmp_path: Path, forks: Forks) -> None:
    done = run(path, forks, tmp_path)
    assert done.code == 0, done.err
    assert done.out


def test_ci_runs_the_command_the_readme_gives() -> None:
    lines = README.splitlines()
    at = lines.index("<!-- test command -->")
    assert lines[at + 1 : at + 4] == ["```", "scripts/test", "```"]
    assert "grep -A 2 '<!-- test command -->' README.md | tail -n 1" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert README.count("\n") < 200
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "corpora" / "README.md", *PAGES]:
        for link in re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"


def test_every_docs_page_is_linked() -> None:
    for page in PAGES:
        name = str(page.relative_to(ROOT))
        # Pages of figures and of examples are reached from the page they belong to.
        assert f"({name})" in README or page.parent.name not in {"docs", "guides", "reference"}, name


def test_every_folder_is_in_the_tree_of_the_readme() -> None:
    for path in ROOT.iterdir():
        if path.is_dir() and not path.name.startswith(".") and path.name not in {"__pycache__", "dist", "build"}:
            assert f"\n{path.name}/" in README, path.name


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_a_line_in_the_docs(command: str, tmp_path: Path, forks: Forks) -> None:
    done = forks.run([command, "--help"], cwd=tmp_path)
    assert done.code == 0
    assert "Example" in done.out
    assert f"reasoner {command}" in done.out
    assert f"`reasoner {command}" in (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")


def test_no_command_is_undocumented() -> None:
    from reasoner.cli.app import app

    names = {c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands}
    names |= {str(group.typer_instance.info.name) for group in app.registered_groups if group.typer_instance}
    assert names == set(COMMANDS)


def test_list_and_doctor_speak_json(tmp_path: Path, forks: Forks) -> None:
    listed = json.loads(forks.run(["list", "--json"], cwd=tmp_path).out)
    assert {s["name"] for s in listed["strategies"]} >= {"direct", "cot", "ats"}
    doctor = json.loads(forks.run(["doctor", "--json"], cwd=tmp_path).out)
    assert doctor["sqlite"]["version"]
    assert isinstance(doctor["advice"], list)
    assert list(tmp_path.iterdir()) == [], "doctor must not make a database"


def test_options_on_reference_pages_are_options_of_a_command_or_a_script() -> None:
    import typer

    from reasoner.cli.app import app

    known = {"--help"}
    left = [typer.main.get_command(app)]
    while left:
        command = left.pop()
        known.update(option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts))
        left.extend(getattr(command, "commands", {}).values())
    known.update(re.findall(r"--[a-z-]+", "".join(path.read_text("utf-8") for path in (ROOT / "scripts").rglob("*.py"))))
    for page in sorted((ROOT / "docs" / "reference").glob("*.md")):
        met = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", page.read_text(encoding="utf-8")))
        assert met <= known, f"{page.name}: {sorted(met - known)}"


def test_store_page_names_every_table_and_view(tmp_path: Path) -> None:
    from reasoner.store import Store

    page = (ROOT / "docs" / "reference" / "store.md").read_text(encoding="utf-8")
    with Store.open(tmp_path / "t.db") as store:
        rows = store.rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'messages_fts_%'")
    names = {row["name"] for row in rows} - {"_sqlite_migrations"}
    assert len(names) > 10
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_strategies_page_names_every_strategy_and_solvers_page_every_solver() -> None:
    from reasoner import registry

    for kind, page in (("strategy", "strategies.md"), ("solver", "solvers.md")):
        text = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")
        for name in registry.names(kind):  # type: ignore[arg-type]  # a Kind, from a loop
            assert f"`{name}`" in text or f"# {name}" in text, name
