"""The export of a store that an earlier version wrote stays what it was when the hashes were made.

Those of documents are that version's own. The others were made anew when every column got one type and preferences, labels and steps became whole
replies unless trees are asked for; of conversations and prompts as many rows are taken as that version took.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasoner import registry
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.datasets.select import Filters
from reasoner.store import Store

CORPUS = Path(__file__).parent.parent / "corpus" / "store"
# Every strategy with the teacher, right and wrong answers side by side, a secret and a control token; exported by the version of schema m020.
EXPORTS: dict[str, list[Any]] = json.loads((CORPUS / "m020_exports.json").read_text())
CHANGED = {"secrets": "redact", "special_tokens": "escape", "labels_from": "tree", "search_to_text": "bfs", "split": "train=0.7,test=0.3"}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("old") / "m020.db"
    path.write_bytes(gzip.decompress((CORPUS / "m020.db.gz").read_bytes()))
    with Store.open(path) as store:
        yield store


def test_every_format_is_there() -> None:
    known = {tuple(case.split()[:2]) for case in EXPORTS}
    assert {(name, kind) for name in registry.names("format") for kind in registry.find("format", name).kinds} >= known
    assert sum(taken for taken, _ in EXPORTS.values()) > 1500


@pytest.mark.parametrize("case", EXPORTS)
def test_its_export_is_the_same(old: Store, tmp_path: Path, case: str) -> None:
    name, kind, verdict, how = case.split()
    options = Options(records=kind, **(CHANGED if how == "changed" else {}))  # type: ignore[arg-type]
    tally = export(old, name, tmp_path / "out.jsonl", Filters(verdict=verdict), options)  # type: ignore[arg-type]
    hashed = hashlib.sha256()
    for path in sorted(tmp_path.glob("out*")):
        # ATIF stood at 1.7 when the hashes were made. Two of its hashes are newer: they held an answer that was not redacted where a trajectory ends.
        hashed.update(path.name.encode() + b"\0" + path.read_bytes().replace(b'"ATIF-v1.8"', b'"ATIF-v1.7"'))
    assert [tally.taken, hashed.hexdigest()] == EXPORTS[case]
