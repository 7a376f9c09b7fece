"""Clients of the same weights in one worker: one model loaded, an adapter each, and a death that is told to the one that caused it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from lora_file import lora
from obedient_worker import WORKER

import reasoner
from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient, bundled_model
from reasoner.clients.llamacpp.adapter import named_with_adapter
from reasoner.errors import BadConfig, EngineLost
from reasoner.runs.pool import ModelPool
from reasoner.runs.scorers import is_adapter
from reasoner.types import Message, Request, Sampling

OPTIONS = ClientOptions(threads=1, n_ctx=512)


def request(text: str, max_tokens: int = 8) -> Request:
    return Request((Message("user", text),), sampling=Sampling(temperature=0.0, max_tokens=max_tokens))


def local(name: str, *beside: Any, **options: Any) -> LlamaCppClient:
    client = open_client(name, OPTIONS.model_copy(update=options), beside=beside)
    assert isinstance(client, LlamaCppClient)
    return client


async def texts(client: LlamaCppClient, n: int = 4) -> list[str]:
    return [one.text for one in await asyncio.gather(*(client.complete(request(f"Tell me {i} stories.")) for i in range(n)))]


def test_two_adapters_and_the_bare_model_answer_from_one_worker_as_each_does_alone(tmp_path: Path) -> None:
    files = [lora(tmp_path / f"{scale}.gguf", scale) for scale in (0.2, -0.2)]

    async def main() -> None:
        bare = local("local")
        adapted = [local(f"local+{file}", bare) for file in files]
        clients = [bare, *adapted]
        together = await asyncio.gather(*map(texts, clients))
        assert len({client.worker_pid for client in clients}) == 1
        seen = await asyncio.gather(*(client.info() for client in clients))
        assert [one["n_seats"] for one in seen] == [3] * 3
        assert all(one["drawn_tokens"] >= 4 for one in seen)
        assert [one["adapter"] for one in seen] == [None, *map(str, files)]
        await bare.aclose()
        assert await texts(adapted[0], 1) == together[1][:1], "the worker ends with the last of its clients"
        for client in adapted:
            await client.aclose()
        assert adapted[0].worker_pid is None
        for name, found in zip(("local", *(f"local+{file}" for file in files)), together, strict=True):
            client = local(name)
            assert await texts(client) == found
            await client.aclose()
        assert len({tuple(each) for each in together}) == 3, "each adapter changes what is answered"

    asyncio.run(main())


def test_an_adapter_that_llama_cpp_refuses_is_an_error_of_its_own_requests(tmp_path: Path) -> None:
    broken = lora(tmp_path / "broken.gguf", 1.0)
    broken.write_bytes(broken.read_bytes().replace(b"blk.0.attn_q", b"blk.0.attn_?", 2))

    async def main() -> None:
        bare = local("local")
        before = await texts(bare, 1)
        pid = bare.worker_pid
        refused = local(f"local+{broken}", bare)
        with pytest.raises(BadConfig, match=r"broken\.gguf could not be loaded"):
            await refused.complete(request("Hi"))
        with pytest.raises(BadConfig, match=r"broken\.gguf could not be loaded"):
            await refused.info()
        gone = local(f"local+{lora(tmp_path / 'gone.gguf', 1.0)}", bare)
        (tmp_path / "gone.gguf").unlink()
        with pytest.raises(BadConfig, match="is gone"):
            await gone.complete(request("Hi"))
        assert await texts(bare, 1) == before
        assert bare.worker_pid == pid
        for client in (bare, refused, gone):
            await client.aclose()

    asyncio.run(main())


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LlamaCppClient, LlamaCppClient]:
    """Two clients of one worker that does what its requests say."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "deaths").write_text("")
    first = local("local", token_deadline_s=30.0)
    second = local(f"local+{lora(tmp_path / 'a.gguf', 1.0)}", first, token_deadline_s=30.0)
    assert first.keeper is second.keeper
    script = tmp_path / "worker.py"
    script.write_text(WORKER.replace("DEATHS", repr(str(tmp_path / "deaths"))).replace("LOAD", "''").replace("WARM", "''"))
    first.keeper.command = (sys.executable, "-P", str(script))
    return first, second


def test_whoever_kills_the_worker_is_told_and_the_other_goes_on(two: tuple[LlamaCppClient, LlamaCppClient]) -> None:
    first, second = two

    async def main() -> None:
        lost, *fine = await asyncio.gather(
            first.complete(request("SIGSEGV 99")), *(second.complete(request("ok")) for _ in range(3)), return_exceptions=True
        )
        assert isinstance(lost, EngineLost)
        assert "local: the worker process died 3 times" in str(lost)
        assert [getattr(one, "text", "")[:2] for one in fine] == ["ok"] * 3
        await first.aclose()
        with pytest.raises(BadConfig, match="is closed"):
            await first.complete(request("ok"))
        assert (await second.complete(request("ok"))).text.startswith("ok")
        pid = second.worker_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert (await second.complete(request("ok"))).text.startswith("ok"), "it is started again by who is left"
        await second.aclose()
        await second.aclose()
        assert second.worker_pid is None

    asyncio.run(main())


def test_only_what_cannot_change_an_answer_is_shared(tmp_path: Path) -> None:
    adapter = lora(tmp_path / "a.gguf", 1.0)
    first = local("local")
    assert local("local", first).keeper is first.keeper
    assert local(f"local+{adapter}", first).keeper is first.keeper
    for options in ({"n_ctx": 256}, {"exact": True}, {"threads": 2}, {"form": "q8_0"}, {"concurrency": 2}):
        assert local("local", first, **options).keeper is not first.keeper, options
    copied = tmp_path / "copy.gguf"
    copied.write_bytes(bundled_model().read_bytes())
    assert local(str(copied), first).keeper is not first.keeper
    closed = local("local")
    asyncio.run(closed.aclose())
    assert local("local", closed).keeper is not closed.keeper

    async def pooled() -> None:
        async with ModelPool() as pool:
            opened = [pool.open(name, OPTIONS) for name in ("local", f"local+{adapter}", "teacher")]
            assert opened[0].keeper is opened[1].keeper  # type: ignore[attr-defined]

    asyncio.run(pooled())


def test_a_name_that_holds_an_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("base.gguf", "a+b.gguf", "mine.gguf"):
        Path(name).write_bytes(b"")
    assert named_with_adapter("local+mine.gguf") == ("local", Path("mine.gguf"))
    assert named_with_adapter("base.gguf+mine.gguf") == ("base.gguf", Path("mine.gguf"))
    assert named_with_adapter("a+b.gguf+mine.gguf") == ("a+b.gguf", Path("mine.gguf"))
    for whole in ("local", "a+b.gguf", "nothing+mine.gguf", "base.gguf", "gone.gguf+mine.gguf"):
        assert named_with_adapter(whole) == (whole, None)
    assert not is_adapter("local+mine.gguf")
    adapter = lora(tmp_path / "x.gguf", 1.0)
    client = local(f"local+{adapter}")
    assert client.name == "local+x"
    assert client.fingerprint == local("local", adapter=adapter).fingerprint
    with pytest.raises(BadConfig, match="names an adapter, and `adapter` is"):
        open_client(f"local+{adapter}", ClientOptions(adapter=adapter))
    with pytest.raises(BadConfig, match=r"gone\.gguf"):
        open_client("local+gone.gguf", ClientOptions())


@pytest.mark.parametrize("names", [("first.gguf", "copied.gguf"), ("a/same.gguf", "b/same.gguf")])
def test_two_names_of_one_model_are_not_compared(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
    models = [f"local+{lora(tmp_path / name, 0.2)}" for name in names]
    with pytest.raises(BadConfig, match=re.escape(f"{models[0]} and {models[1]} are one model")):
        reasoner.compare("game24", model=models, strategy="cot", n=1, db=tmp_path / "t.db")
