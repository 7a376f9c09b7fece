"""The tool `search:FOLDER`: full text of the text files under a folder (SQLite FTS5), with citations of file and lines.

The index is made once, in memory, when the tool is opened. Hidden files, links, and files that are no text are left out.
"""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from reasoner.errors import BadConfig, ToolFailed
from reasoner.tools._tool import Arguments, Lent, Tool
from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MAX_FILES = 5000
MAX_FILE_BYTES = 2 << 20
MAX_TOTAL_BYTES = 64 << 20
PASSAGE_CHARS = 1000
MAX_WORDS = 32

_WORD = re.compile(r"\w+", re.UNICODE)


class Words(Arguments):
    """What `search` takes."""

    query: str = Field(description="The words to look for.", max_length=2000)
    n: int = Field(default=5, ge=1, le=20, description="How many passages to see.")


class Search(Tool):
    """Search a folder."""

    name = "search"
    needs = "a folder: search:FOLDER"
    description = (
        "Search the documents for words and see the passages that fit best, each with its file and lines, to be cited as [file:lines]."
    )
    timeout_s = 20.0
    arguments = Words

    def __init__(self, folder: Path) -> None:
        """Read the folder.

        Raises:
            BadConfig: there is no such folder, it holds no text, or too much.
        """
        if not folder.is_dir():
            raise BadConfig(f"there is no folder {folder} to search", hint="name it as search:FOLDER")
        self._index = sqlite3.connect(":memory:", check_same_thread=False)
        self._index.execute("CREATE VIRTUAL TABLE passages USING fts5 (place UNINDEXED, text, tokenize = 'porter unicode61')")
        seen = []
        for place, text in _passages(folder):
            self._index.execute("INSERT INTO passages VALUES (?, ?)", (place, text))
            seen.append(digest(place, text))
        if not seen:
            raise BadConfig(f"the folder {folder} holds no text", hint="give a folder with text files")
        self._content = digest(*seen)

    @property
    def fingerprint(self) -> str:
        """What the model is shown, and what the folder holds."""
        return digest(super().fingerprint, self._content)[:16]

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - the seam's signature
        """Return the passages that fit best."""
        words = list(dict.fromkeys(word.lower() for word in _WORD.findall(str(arguments["query"]))))[:MAX_WORDS]
        if not words:
            raise ToolFailed("the query holds no word")
        # Each word stands in quotes, so that nothing in it is an operator of the query language.
        wanted = " OR ".join(f'"{word}"' for word in words)
        found = self._index.execute(
            "select place, text from passages where passages match ? order by rank, rowid limit ?", (wanted, arguments.get("n", 5))
        ).fetchall()
        return "\n\n".join(f"[{place}]\n{text}" for place, text in found) or "[nothing found]"

    async def aclose(self) -> None:
        """Drop the index."""
        self._index.close()


def _passages(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield (file:first-last, text) for every passage under a folder, in the order of file names."""
    n_files, n_bytes = 0, 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith(".") or path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
                continue
            data = path.read_bytes()
            if b"\x00" in data[:8192]:
                continue
            n_files, n_bytes = n_files + 1, n_bytes + len(data)
            if n_files > MAX_FILES or n_bytes > MAX_TOTAL_BYTES:
                raise BadConfig(
                    f"the folder {folder} holds more than {MAX_FILES:,} text files or {MAX_TOTAL_BYTES >> 20} MiB",
                    hint="name a smaller one",
                )
            yield from _cut(path.relative_to(folder).as_posix(), data.decode("utf-8", "replace"))


def _cut(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield a file's passages: whole lines, about `PASSAGE_CHARS` characters each."""
    first, lines, size = 1, [], 0
    for number, line in enumerate(text.splitlines(), start=1):
        lines.append(line[: 4 * PASSAGE_CHARS])
        size += len(lines[-1]) + 1
        if size >= PASSAGE_CHARS:
            yield f"{name}:{first}-{number}", "\n".join(lines)
            first, lines, size = number + 1, [], 0
    if any(line.strip() for line in lines):
        yield f"{name}:{first}-{first + len(lines) - 1}", "\n".join(lines)


def open_tool(source: str = "") -> Search:
    """Return the tool for a folder.

    Raises:
        BadConfig: no folder was named, or it cannot be searched.
    """
    if not source:
        raise BadConfig("the tool search needs a folder", hint="name it as search:FOLDER")
    return Search(Path(source))
