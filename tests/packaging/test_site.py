"""The documentation builds as a site: every page in it, every link followed, the API out of the docstrings, nothing fetched from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import reasoner

ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.slow


def build(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["bash", str(root / "scripts/site/build"), str(out)], capture_output=True, text=True, check=False, env=env)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "site"
    done = build(ROOT, out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_every_page_is_in_it_and_the_api_is_whole(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    pages = {page for page in pages if page.parts[0] != "examples" or len(page.parts) == 2}
    names = {page.parent / "index.html" if page.stem == "README" else page for page in pages}
    missing = sorted(str(page) for page in names | {Path("index.html"), Path("changes.html")} if not (site / page).is_file())
    assert not missing
    api = (site / "reference/api.html").read_text(encoding="utf-8")
    homes = vars(reasoner)["_HOME"]
    left_out = sorted(name for name in reasoner.__all__ if name in homes and f'id="reasoner.{homes[name]}.{name}"' not in api)
    assert not left_out
    assert "Ask a free-form question through a strategy" in api
    assert (site / "search/search_index.json").stat().st_size > 100_000


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(?:https?:)?//[^>]*>|<link\b[^>]*\brel=\"(?:stylesheet|preconnect|icon)\"[^>]*\bhref=\"(?:https?:)?//[^>]*>"
    )
    found = {
        str(page.relative_to(site)): hits for page in site.rglob("*.html") if (hits := loads.findall(page.read_text(encoding="utf-8")))
    }
    assert not found
    assert loads.findall('<script src="https://example.org/x.js">')


def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    ignored = shutil.ignore_patterns("*.png", "*.svg", "*.jsonl", "__pycache__")
    for name in ("docs", "scripts/site", "examples", "reasoner"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    (tmp_path / "corpora").mkdir()
    for name in ("README.md", "CHANGELOG.md", "corpora/README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "docs/start.md").open("a", encoding="utf-8") as page:
        page.write("\nSee [nothing](../examples/nothing.py).\n")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    assert "docs/start.md links to examples/nothing.py, which is not there" in done.stdout + done.stderr
