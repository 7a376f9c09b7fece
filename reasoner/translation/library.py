"""From a name to an opened corpus: one that ships with the package, or the path of an index file.

    open_corpus("invented")         the shipped language, indexed in memory when it is first asked for
    open_corpus("my.corpus")        a file that 'reasoner corpus build' made

Knows where corpora lie; does not know what is done with them. An opened corpus is kept for the life of the process.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from reasoner.assets import asset_dir
from reasoner.translation.build import Builder
from reasoner.translation.corpus import Corpus
from reasoner.translation.index import Index
from reasoner.translation.readers import read_table
from reasoner.translation.rows import Report, Wanted, checked

SHIPPED = {
    "invented": ("train.tsv", ("English", "Selvan", "Torvic")),
    "invented-pivot": ("pivot.tsv", ("Selvan", "Mesrin")),
}
"""Corpora of the invented languages: name -> file in corpora/invented and its languages."""
DEFAULT = "invented"


def open_corpus(name: str) -> Corpus:
    """Open a corpus by name; the empty name is the shipped one.

    Raises:
        DataError: there is no such file, or it is no index.
    """
    name = name or DEFAULT
    if name in SHIPPED:
        return _shipped(name)
    path = Path(name).expanduser()
    try:
        state = path.stat()
    except OSError:
        Index.open(path)  # which says what is wrong
        raise
    return _opened(path.resolve(), state.st_mtime_ns, state.st_size)


@cache
def _shipped(name: str) -> Corpus:
    file, languages = SHIPPED[name]
    builder = Builder(languages)
    wanted = Wanted({language: language for language in languages})
    for row in checked(read_table(asset_dir("corpora") / "invented" / file, wanted), Report()):
        builder.add(row.cells)
    return Corpus(Index.of_bytes(builder.in_memory(), name))


@cache
def _opened(path: Path, changed_ns: int, size_bytes: int) -> Corpus:  # noqa: ARG001 - a file that changed is opened anew
    return Corpus(Index.open(path))
