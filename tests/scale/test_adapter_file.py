"""The adapter of a sharded run: sent with its manifests, fetched by every worker, and never another file than the one the run was cut with."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from reasoner.errors import DataError
from reasoner.scale.adapter_file import fetch, send
from reasoner.scale.shared import Shared, shared

BYTES = b"GGUF" + bytes(range(256)) * 9
SHA256 = hashlib.sha256(BYTES).hexdigest()
MANIFEST = {"adapters": {"tiny.gguf+mine": {"adapter": "mine.gguf", "sha256": SHA256, "base_sha256": "0" * 64, "card": None}}}


@pytest.fixture
def place(tmp_path: Path) -> Shared:
    return shared(tmp_path / "shared")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "trained" / "mine.gguf"
    path.parent.mkdir()
    path.write_bytes(BYTES)
    return path


def head(adapter: str | None, manifest: dict[str, Any] = MANIFEST) -> Any:
    return SimpleNamespace(plan={"options": {"adapter": adapter}}, manifest=manifest)


def test_every_worker_has_the_adapter_though_its_own_file_is_elsewhere(tmp_path: Path, place: Shared, mine: Path) -> None:
    send(place, mine, MANIFEST)
    mine.unlink()
    for node in ("a", "b"):
        fetched = fetch(place, head(str(mine)), tmp_path / node)
        assert fetched == tmp_path / node / "adapter/mine.gguf", "its name is a part of the model's name"
        assert fetched.read_bytes() == BYTES
    assert place.names(f"files/{SHA256}") == ["mine.gguf"]


def test_what_is_there_whole_is_neither_sent_nor_fetched_again(
    tmp_path: Path, place: Shared, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(place, mine, MANIFEST)
    fetch(place, head(str(mine)), tmp_path / "a")
    monkeypatch.setattr(place, "put", lambda *_: pytest.fail("sent again"))
    send(place, mine, MANIFEST)
    monkeypatch.setattr(place, "local", lambda _: pytest.fail("fetched again"))
    assert fetch(place, head(str(mine)), tmp_path / "a") is not None


def test_a_torn_copy_is_refused_and_sent_anew_by_the_command_that_cut_the_run(tmp_path: Path, place: Shared, mine: Path) -> None:
    send(place, mine, MANIFEST)
    there = tmp_path / "shared/files" / SHA256 / "mine.gguf"
    there.write_bytes(BYTES[:-100])
    with pytest.raises(DataError, match=r"mine\.gguf is not what was put there; give the command that cut the run again"):
        fetch(place, head(str(mine)), tmp_path / "a")
    assert not (tmp_path / "a/adapter/mine.gguf").exists()
    send(place, mine, MANIFEST)
    assert fetch(place, head(str(mine)), tmp_path / "a") is not None


def test_a_local_copy_that_was_changed_is_fetched_again(tmp_path: Path, place: Shared, mine: Path) -> None:
    send(place, mine, MANIFEST)
    fetched = fetch(place, head(str(mine)), tmp_path / "a")
    assert fetched is not None
    fetched.write_bytes(b"other")
    assert fetch(place, head(str(mine)), tmp_path / "a") == fetched
    assert fetched.read_bytes() == BYTES


@pytest.mark.parametrize(
    ("adapter", "manifest"),
    [
        (None, MANIFEST),
        ("none", MANIFEST),
        ("mine.gguf", {}),
        ("other.gguf", MANIFEST),
        ("mine.gguf", {"adapters": {"m": {"adapter": "mine.gguf", "sha256": "../../../etc"}}}),
        ("mine.gguf", {"adapters": ["mine.gguf"]}),
    ],
)
def test_a_run_without_one_sends_and_fetches_nothing(tmp_path: Path, place: Shared, adapter: str | None, manifest: dict[str, Any]) -> None:
    send(place, adapter, manifest)
    assert not (tmp_path / "shared").exists()
    assert fetch(place, head(adapter, manifest), tmp_path / "a") is None
