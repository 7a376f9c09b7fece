"""What the site adds to docs/: the README as its first page, the changes, the API out of the docstrings, and files that pages link to as pages.

A link to a file outside docs/ leads to a page with that file; where there is no such file the build fails.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent.parent
LINK = re.compile(r"(?P<before>\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?P<after>\))")
GENERATED = {"README.md": "index.md", "CHANGELOG.md": "changes.md"}
FILES = "files"
"""The folder of the site with the files that pages link to."""
LANGUAGES = {".py": "python", ".jinja": "jinja", ".toml": "toml", ".json": "json", ".jsonl": "json"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that docs/ does not hold."""
    for source, name in GENERATED.items():
        files.append(File.generated(config, name, content=_moved((ROOT / source).read_text(encoding="utf-8"), source, name)))
    files.append(File.generated(config, "reference/api.md", content=_api()))
    for linked in sorted(_linked(files)):
        files.append(File.generated(config, _page_of(linked), content=_shown(linked)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - the hook's signature
    """Lead links out of docs/ to the pages of these files."""
    if page.file.generated_by is not None:
        return markdown
    return _moved(markdown, posixpath.join("docs", page.file.src_uri), page.file.src_uri)


def _moved(text: str, source: str, page: str) -> str:
    """Return a text with the links of the file `source` (its path in the repository) as links of the page `page`."""

    def link(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["path"]))
        target = _target(path)
        return f"{found['before']}{posixpath.relpath(target, posixpath.dirname(page) or '.')}{found['anchor'] or ''}{found['after']}"

    parts = re.split(r"(```.*?```)", text, flags=re.DOTALL)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)


def _target(path: str) -> str:
    """Return where in the site a file of the repository is."""
    if path.startswith("docs/") and not _is_sample(path):
        return path.removeprefix("docs/")
    return GENERATED.get(path) or _page_of(path)


def _is_sample(path: str) -> bool:
    """Tell whether a path is one of the example files, which are too many to be pages each; what is linked of them is shown as a file."""
    return bool(re.match(r"docs/examples/[^/]+/", path))


def _page_of(path: str) -> str:
    return f"{FILES}/{path.rstrip('/')}.md"


def _linked(files: Files) -> set[str]:
    """Return the files outside docs/ that a page links to.

    Raises:
        PluginError: one is not there.
    """
    found: set[str] = set()
    texts = [(source, (ROOT / source).read_text(encoding="utf-8")) for source in GENERATED]
    texts += [(f"docs/{file.src_uri}", file.content_string) for file in files.documentation_pages() if file.generated_by is None]
    for source, text in texts:
        for link in LINK.finditer(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["path"]))
            if path in GENERATED or (path.startswith("docs/") and not _is_sample(path)):
                continue
            if not (ROOT / path).exists():
                raise PluginError(f"{source} links to {path}, which is not there")
            found.add(path)
    return found


def _shown(path: str) -> str:
    """Return the page of a file, or of a folder's file names."""
    place = ROOT / path
    if place.is_dir():
        names = "\n".join(f"- `{each.name}`" for each in sorted(place.iterdir()) if not each.name.startswith((".", "_")))
        return f"# {path}\n\n{names}\n"
    text = place.read_text(encoding="utf-8")
    if place.suffix == ".md":
        return re.sub(r"\[([^\]]*)\]\((?!https?:|#)[^)]*\)", r"\1", text)  # what it links to itself is no page of the site
    return f"# {place.name}\n\n`{path}`\n\n````{LANGUAGES.get(place.suffix, 'text')}\n{text.rstrip()}\n````\n"


def _api() -> str:
    """Return the page of the public names, each out of its docstring."""
    import reasoner  # noqa: PLC0415 - only this page needs it

    homes: dict[str, str] = vars(reasoner)["_HOME"]
    groups: dict[str, list[str]] = {}
    for name in reasoner.__all__:
        if name in homes:
            what: Any = getattr(reasoner, name)
            groups.setdefault("Types" if isinstance(what, type) else "Functions", []).append(name)
    lines = ["# API", "", "Every name of `reasoner`, out of its docstring. [Python](python.md) says which function does what."]
    for title in ("Functions", "Types"):
        lines += ["", f"## {title}", ""]
        lines += [f"::: reasoner.{homes[name]}.{name}\n" for name in sorted(groups.get(title, []))]
    return "\n".join(lines) + "\n"
