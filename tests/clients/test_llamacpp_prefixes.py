"""Prefixes that outlive a process: the next worker of the same model restores them, and nothing that is damaged or foreign."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient
from reasoner.clients.llamacpp.worker.prefix_files import MIN_GAIN_TOKENS, MIN_TOKENS, PrefixFiles, evict
from reasoner.types import Completion, Message, Request, Sampling

LONG = tuple(range(MIN_TOKENS + 100))
LIMIT = 1 << 20


def kept(folder: Path, *prefixes: Sequence[int], state: bytes = b"state") -> PrefixFiles:
    files = PrefixFiles(folder, limit_bytes=LIMIT)
    for tokens in prefixes:
        files.keep(tokens, state)
    files.close()
    return PrefixFiles(folder, limit_bytes=LIMIT)


def test_a_prefix_is_found_by_what_it_has_in_common(tmp_path: Path) -> None:
    files = kept(tmp_path / "m", LONG, (*LONG[:300], *range(1000, 1200)))
    found = files.longest([*LONG[:300], *range(1000, 1100), 7])
    assert found is not None
    assert (found.length, found.n_tokens) == (400, 500)
    assert files.read(found) == b"state"
    assert files.longest([5, 6, 7]) is None
    assert found.path.stat().st_mode & 0o777 == 0o600


def test_only_what_is_long_and_new_is_wanted(tmp_path: Path) -> None:
    files = kept(tmp_path / "m", LONG)
    assert not files.wants(range(5000, 5000 + MIN_TOKENS - 1))
    assert files.wants(range(5000, 5000 + MIN_TOKENS))
    assert not files.wants(LONG)
    assert not files.wants([*LONG, *range(MIN_GAIN_TOKENS - 1)])
    assert files.wants([*LONG, *range(MIN_GAIN_TOKENS)])


def test_damaged_files_are_ignored_and_removed(tmp_path: Path) -> None:
    kept(tmp_path / "m", LONG, state=b"x" * 1000)
    (path,) = (tmp_path / "m").glob("*.state")
    whole = path.read_bytes()
    line = whole.index(b"\n")
    for spoilt in (
        whole[:-1],
        whole + b"x",
        whole[:-500] + b"y" + whole[-499:],
        whole[: line - 9] + whole[line:],
        b"",
        b"[" * 9999,
        b"{}\n",
        b"null\n",
    ):
        path.write_bytes(spoilt)
        files = PrefixFiles(tmp_path / "m", limit_bytes=LIMIT)
        found = files.longest(LONG)
        assert found is None or files.read(found) is None
        assert files.longest(LONG) is None
        path.write_bytes(whole)
    # A file that became another one after it was looked at.
    files = PrefixFiles(tmp_path / "m", limit_bytes=LIMIT)
    found = files.longest(LONG)
    assert found is not None
    head = json.loads(whole[:line])
    head["tokens"][0] = 77
    path.write_bytes(json.dumps(head).encode() + whole[line:])
    assert files.read(found) is None


def test_the_folder_is_bounded_over_all_models(tmp_path: Path) -> None:
    for n, name in enumerate(("a", "b", "c")):
        kept(tmp_path / name, LONG, state=b"x" * 1000)
        (path,) = (tmp_path / name).glob("*.state")
        os.utime(path, (1000.0 + n, 1000.0 + n))
    size = path.stat().st_size
    assert evict(tmp_path, limit_bytes=2 * size) == size
    assert not list((tmp_path / "a").glob("*"))
    files = kept(tmp_path / "d", LONG, state=b"x" * (LIMIT // 2 + 1))
    assert files.longest(LONG) is None, "what would fill half of the folder is not kept"


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    assert kept(tmp_path / "file" / "m", LONG).longest(LONG) is None


SHARED = "The same long beginning for all of them, word by word and letter by letter. " * 6


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REASONER_PREFIXES", str(tmp_path / "prefixes"))
    return tmp_path / "prefixes"


def ask(path: Path, *texts: str, until: Path | None = None, **options: Any) -> tuple[list[Completion], dict[str, Any]]:
    """Ask one thing after another in a worker of its own; wait for a file where one is named."""

    async def main() -> tuple[list[Completion], dict[str, Any]]:
        client = open_client(str(path), ClientOptions(**{"threads": 1, "n_ctx": 1024, "keep_prefixes": True, **options}))
        assert isinstance(client, LlamaCppClient)
        replies = [await client.complete(Request((Message("user", text),), Sampling(max_tokens=16), 0)) for text in texts]
        while until is not None and not list(until.glob("*/*.state")):
            await client.info()
        info = await client.info()
        await client.aclose()
        return replies, info

    return asyncio.run(main())


@pytest.mark.model
def test_the_next_process_reads_a_shared_prefix_from_disk(tiny_model: Path, folder: Path) -> None:
    _, first = ask(tiny_model, SHARED + "one", SHARED + "two", until=folder)
    assert first["restored_prompt_tokens"] == 0
    (plain,), _ = ask(tiny_model, SHARED + "three", keep_prefixes=False)
    (reply,), second = ask(tiny_model, SHARED + "three")
    assert second["restored_prompt_tokens"] >= len(SHARED)
    assert reply.usage.cached_tokens == second["restored_prompt_tokens"]
    assert reply.usage.prompt_tokens == plain.usage.prompt_tokens
    assert reply.text == plain.text
    assert (reply.usage.cached_tokens, plain.usage.cached_tokens) == (second["restored_prompt_tokens"], 0)


@pytest.mark.model
def test_what_one_request_asked_alone_is_not_kept(tiny_model: Path, folder: Path) -> None:
    ask(tiny_model, SHARED + "one")
    ask(tiny_model, SHARED + "one", "Something else. " * 30, keep_prefixes=False)
    assert not list(folder.glob("*/*"))


@pytest.mark.model
def test_exact_and_other_weights_restore_nothing(tiny_model: Path, folder: Path, tmp_path: Path) -> None:
    ask(tiny_model, SHARED + "one", SHARED + "two", until=folder)
    _, exact = ask(tiny_model, SHARED + "three", exact=True)
    other = tmp_path / "other.gguf"
    data = bytearray(tiny_model.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    _, foreign = ask(other, SHARED + "three")
    assert exact["restored_prompt_tokens"] == foreign["restored_prompt_tokens"] == 0


@pytest.mark.model
def test_a_state_that_does_not_fit_is_left_out(tiny_model: Path, folder: Path) -> None:
    ask(tiny_model, SHARED + "one", SHARED + "two", until=folder)
    (path,) = folder.glob("*/*.state")
    tokens = json.loads(path.read_bytes().split(b"\n")[0])["tokens"]
    files = PrefixFiles(path.parent, limit_bytes=LIMIT)
    path.unlink()
    files = PrefixFiles(path.parent, limit_bytes=LIMIT)
    files.keep(tokens, b"\x01\x02\x03\x04" * 8)  # a whole file, and no state of this model
    files.close()
    (reply,), info = ask(tiny_model, SHARED + "three")
    assert info["restored_prompt_tokens"] == 0
    assert reply.usage.completion_tokens > 0
