"""Forms of weights: converted once, kept whole or not at all, bounded, named by the fingerprint, measured against the file as it is."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reasoner.assets import asset_dir
from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient
from reasoner.clients.llamacpp.adapter import trained_form
from reasoner.clients.llamacpp.conversion import COMMAND, choose, convert
from reasoner.clients.llamacpp.file_hash import file_sha256
from reasoner.clients.llamacpp.forms import Entry, FormCache, Quality, Source, form_key
from reasoner.clients.llamacpp.frames import encode_frame
from reasoner.clients.llamacpp.gguf_header import read_header
from reasoner.clients.llamacpp.process import worker_environment
from reasoner.clients.llamacpp.weights import Weights, library_version
from reasoner.clients.llamacpp.worker.form_speed import Speed, gain
from reasoner.clients.llamacpp.worker.quality import distance
from reasoner.errors import BadConfig
from reasoner.types import Message, Request, Sampling, digest

QUALITY = Quality(mean_kl=0.001, top1=0.97, tokens=10)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FormCache:
    monkeypatch.setenv("REASONER_FORMS", str(tmp_path / "forms"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return FormCache.default()


def put(cache: FormCache, key: str, data: bytes = b"weights", *, used_at: float | None = None) -> None:
    """Make an entry without a model."""
    import hashlib

    with cache.locked(key):
        made = cache.begin(key)
        (made / "model.gguf").write_bytes(data)
        entry = Entry(
            form="q8_0", source="a.gguf", source_sha256="0" * 64, quantizer="1", sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data),
            quality=QUALITY,
        )  # fmt: skip
        cache.commit(key, made, entry)
    if used_at is not None:
        os.utime(cache.folder / key / "entry.json", (used_at, used_at))


def source_of(path: Path, tmp_path: Path) -> Source:
    text = tmp_path / "text.txt"
    text.write_text("The quick brown fox jumps over the lazy dog. " * 8, encoding="utf-8")

    return Source(str(path), path.name, file_sha256(path), path.stat().st_size, "0", str(text))


def test_an_entry_is_found_as_it_was_made(cache: FormCache) -> None:
    put(cache, "aa")
    held = cache.hold("aa")
    assert held is not None
    assert held.model.read_bytes() == b"weights"
    assert held.entry.quality == QUALITY
    held.release()
    assert cache.hold("bb") is None


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("model.gguf", b"weightz"), ("model.gguf", b"weight"), ("model.gguf", None), ("entry.json", b"{"), ("entry.json", b""), ("entry.json", None),
        ("entry.json", b"[" * 9999), ("entry.json", b'{"form": "q9"}'),
    ],
)  # fmt: skip
def test_a_broken_entry_is_ignored_and_made_anew(cache: FormCache, name: str, data: bytes | None) -> None:
    put(cache, "aa")
    path = cache.folder / "aa" / name
    time.sleep(0.01)  # a hash is remembered by time of change too
    if data is None:
        path.unlink()
    else:
        path.write_bytes(data)
    assert cache.find("aa") is None
    assert cache.hold("aa") is None
    put(cache, "aa", b"other")
    assert cache.find("aa") is not None
    assert not list(cache.folder.glob("*.part"))


def test_the_oldest_used_leave_and_never_one_in_use(cache: FormCache) -> None:
    small = FormCache(cache.folder, limit_bytes=250)
    for n, key in enumerate(("aa", "bb", "cc")):
        put(cache, key, b"x" * 100, used_at=1000.0 + n)
    held = small.hold("aa")  # used now
    assert held is not None
    os.utime(cache.folder / "aa" / "entry.json", (1.0, 1.0))
    put(small, "dd", b"x" * 100)
    assert {kept.folder.name for kept in small.entries()} == {"aa", "dd"}, "aa is in use, bb and cc were used longest ago"
    freed, in_use = small.clear()
    assert (freed, in_use) == (100, 1)
    held.release()
    assert small.clear() == (100, 0)


def test_holding_is_using(cache: FormCache) -> None:
    put(cache, "aa", used_at=1000.0)
    held = cache.hold("aa")
    assert held is not None
    held.release()
    (kept,) = cache.entries()
    assert kept.used_at > 1_000_000


def test_what_a_killed_process_left_is_swept_and_what_is_being_made_is_not(cache: FormCache) -> None:
    with cache.locked("aa"):
        cache.begin("aa")
        (cache.folder / "bb.1.part").mkdir()
        cache.clear()
        assert [path.name for path in cache.folder.glob("*.part")] == [f"aa.{os.getpid()}.part"]
    with cache.locked("aa"):
        assert cache.begin("aa").is_dir()
    cache.clear()
    assert not list(cache.folder.glob("*.part"))


@pytest.mark.parametrize("told", ["0", "-1", "nan", "much", "inf"])
def test_a_bound_that_is_none_is_refused(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONER_FORMS_GIB", told)
    with pytest.raises(BadConfig, match="REASONER_FORMS_GIB"):
        FormCache.default()


def test_a_key_names_weights_form_and_quantizer() -> None:
    keys = {form_key(sha, form, version=version) for sha in "ab" for form in ("q4_0", "q8_0") for version in "12"}
    assert len(keys) == 8


def test_the_distance_is_the_divergence_of_two_distributions() -> None:
    rng = np.random.default_rng(7)
    one, other = (rng.normal(size=(20, 50)).astype(np.float64) for _ in range(2))
    logp, logq = (x - np.log(np.exp(x).sum(axis=1, keepdims=True)) for x in (one, other))
    found = distance(logp.astype(np.float16), logq.astype(np.float16))
    assert found.mean_kl == pytest.approx(float((np.exp(logp) * (logp - logq)).sum(axis=1).mean()), rel=0.01)
    assert found.top1 == pytest.approx(float((one.argmax(1) == other.argmax(1)).mean()))
    assert found.tokens == 20
    same = distance(logp.astype(np.float16), logp.astype(np.float16))
    assert (same.mean_kl, same.top1) == (0.0, 1.0)
    assert same.within_bounds
    assert not found.within_bounds


def test_a_gain_is_the_mean_of_all_and_none_where_one_is_slow() -> None:
    assert gain(Speed(200.0, 40.0, 100.0).over(Speed(100.0, 40.0, 50.0))) == pytest.approx(4 ** (1 / 3))
    assert gain(Speed(900.0, 20.0, 900.0).over(Speed(100.0, 40.0, 100.0))) == 0.0


def test_a_card_says_on_which_form_its_adapter_was_trained() -> None:
    assert trained_form(None) == trained_form({}) == trained_form({"base": {"form": 7}}) == "as-is"
    assert trained_form({"base": {"form": "q8_0"}}) == "q8_0"


def test_as_is_changes_no_fingerprint_and_every_form_has_its_own(tiny_model: Path) -> None:
    def named(**options: Any) -> str:
        return open_client(str(tiny_model), ClientOptions(**options)).fingerprint

    template = read_header(tiny_model).chat_template or ""
    before = digest("llamacpp", file_sha256(tiny_model), "", digest(template), "4096", "batched", library_version())
    assert named() == named(form="as-is") == before
    assert len({named(form=form) for form in ("as-is", "q4_0", "iq4_nl", "q8_0", "f16")}) == 5


ASKED = Request((Message("user", "Hi"),), Sampling(max_tokens=8), 1)


@pytest.mark.model
async def test_a_model_is_converted_once_and_answers(tiny_model: Path, cache: FormCache) -> None:
    client = open_client(str(tiny_model), ClientOptions(threads=1, form="q8_0"))
    assert isinstance(client, LlamaCppClient)
    said: list[str] = []
    await client.prepare(said.append)
    await asyncio.sleep(0)
    assert said[0] == "converting tiny.gguf to q8_0, once ..."
    assert "mean KL divergence" in said[-1]
    reply = await client.complete(ASKED)
    assert reply.usage.completion_tokens > 0
    assert (await client.info())["form"] == "q8_0"
    report = client.form_report()
    assert report is not None
    assert report["form"] == "q8_0"
    assert 0 <= report["quality"]["mean_kl"] < 0.05
    (kept,) = cache.entries()
    assert kept.entry is not None
    assert not cache.remove(kept.folder.name), "it is in use"
    await client.aclose()
    again = open_client(str(tiny_model), ClientOptions(threads=1, form="q8_0"))
    assert isinstance(again, LlamaCppClient)
    said.clear()
    await again.prepare(said.append)
    await asyncio.sleep(0)
    assert not any("once ..." in text for text in said)
    await again.aclose()
    assert cache.remove(kept.folder.name)


@pytest.mark.model
async def test_two_clients_at_once_convert_once(tiny_model: Path, cache: FormCache) -> None:
    clients = [open_client(str(tiny_model), ClientOptions(threads=1, form="f16")) for _ in range(3)]
    said: list[str] = []
    await asyncio.gather(*(client.prepare(said.append) for client in clients if isinstance(client, LlamaCppClient)))
    await asyncio.sleep(0)
    assert sum("once ..." in text for text in said) == 1
    await asyncio.gather(*(client.aclose() for client in clients))
    assert len(cache.entries()) == 1


@pytest.mark.model
def test_the_choice_is_remembered_with_what_was_measured(tiny_model: Path, tmp_path: Path, cache: FormCache) -> None:
    source = source_of(tiny_model, tmp_path)
    found = choose(cache, source, tell=lambda _: None, started=lambda _: None)
    assert set(found["measured"]) == {"q8_0", "q4_0", "f16"}
    assert choose(cache, source, tell=pytest.fail, started=lambda _: pytest.fail("it was measured again")) == found
    left = {kept.entry.form for kept in cache.entries() if kept.entry is not None}
    assert left == ({found["form"]} - {"as-is"}), "what was only tried does not stay"


@pytest.mark.model
def test_auto_takes_what_is_remembered_and_as_is_keeps_its_fingerprint(tiny_model: Path, cache: FormCache) -> None:
    def opened(form: Any) -> LlamaCppClient:
        client = open_client(str(tiny_model), ClientOptions(threads=1, form=form))
        assert isinstance(client, LlamaCppClient)
        return client

    name = Weights(tiny_model.name, tiny_model, [tiny_model], form="auto").described().key("auto")
    for form in ("as-is", "q8_0"):
        with cache.locked(name):
            cache.remember(name, {"form": form, "measured": {}})
        assert opened("auto").fingerprint == opened(form).fingerprint


@pytest.mark.model
def test_a_file_that_cannot_be_converted_is_told_in_one_line(tmp_path: Path, tiny_model: Path, cache: FormCache) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny_model.read_bytes()[:9000])
    with pytest.raises(BadConfig) as caught:
        convert(cache, source_of(cut, tmp_path), "q8_0", tell=lambda _: None, started=lambda _: None)
    assert "\n" not in str(caught.value)
    assert "form=as-is" in str(caught.value)
    assert not cache.entries()
    assert not list(cache.folder.glob("*.part"))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, tiny_model: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = FormCache(tmp_path / "file" / "forms", limit_bytes=1 << 30)
    with pytest.raises(BadConfig, match="REASONER_FORMS"):
        convert(cache, source_of(tiny_model, tmp_path), "q8_0", tell=lambda _: None, started=lambda _: None)


def test_the_text_is_the_one_that_its_page_describes() -> None:
    folder = asset_dir("corpora")
    found = hashlib.sha256((folder / "forms" / "text.txt").read_bytes()).hexdigest()
    assert found in (folder / "README.md").read_text(encoding="utf-8")


CRASHES = '''
import json, os, signal, sys
from pathlib import Path
import llama_cpp
import reasoner.clients.llamacpp.worker.model, reasoner.clients.llamacpp.worker.quality
from reasoner.clients.llamacpp.forms import FormCache, Source
from reasoner.clients.llamacpp.worker.convert import Converter

folder, source = Path(sys.argv[1]), Source(**json.loads(sys.argv[2]))
nothing = os.open(os.devnull, os.O_WRONLY)

def attempt(at):
    """Convert; end at the call number `at` of those that change the folder, as kill -9 does."""
    calls = 0
    def counted(original):
        def call(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)
        return call
    for name in ("mkdir", "fsync", "replace", "open", "rmdir", "unlink"):
        setattr(os, name, counted(getattr(os, name)))
    Path.write_text = counted(Path.write_text)
    Path.mkdir = counted(Path.mkdir)
    Converter._tell_now_and_then = counted(lambda self, text: None)
    llama_cpp.llama_model_quantize = counted(llama_cpp.llama_model_quantize)
    job = {"source": source.as_dict(), "folder": str(folder), "limit_bytes": 1 << 30, "threads": 1, "plain": False}
    Converter(job, nothing).convert("q8_0")

cache, key, at = FormCache(folder, limit_bytes=1 << 30), source.key("q8_0"), 0
while True:
    at += 1
    child = os.fork()
    if child == 0:
        try:
            attempt(at)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    whole = cache.find(key)
    print(json.dumps([at, os.WIFSIGNALED(status), whole is not None, len(list(folder.glob("*.part")))]), flush=True)
    if not os.WIFSIGNALED(status):
        break
    if whole is not None:
        cache.remove(key)  # so that the next crash meets a folder without it
'''


@pytest.mark.model
def test_a_conversion_killed_at_any_point_leaves_no_broken_entry(tiny_model: Path, tmp_path: Path, cache: FormCache) -> None:
    """Every call that changes the folder is a crash point, one run for each; each run also meets what the one before left."""
    told = json.dumps(source_of(tiny_model, tmp_path).as_dict())
    done = subprocess.run([sys.executable, "-c", CRASHES, str(cache.folder), told], capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows, done.stderr[-2000:]
    *crashed, last = rows
    assert len(crashed) > 20, rows
    assert last[1:] == [False, True, 0], "the first run that nobody kills leaves an entry and nothing else"
    whole = [row[2] for row in crashed]
    assert whole == sorted(whole), "it is there from one point on, and not before"
    assert any(whole)
    assert not all(whole)


@pytest.mark.model
def test_a_conversion_that_is_killed_is_told_and_can_be_made_again(tiny_model: Path, tmp_path: Path, cache: FormCache) -> None:
    source = source_of(tiny_model, tmp_path)
    with pytest.raises(BadConfig, match="signal 9"):
        convert(cache, source, "q8_0", tell=lambda _: None, started=lambda process: process.kill())
    assert cache.find(source.key("q8_0")) is None
    assert convert(cache, source, "q8_0", tell=lambda _: None, started=lambda _: None).form == "q8_0"


@pytest.mark.model
def test_the_process_ends_with_its_parent(tiny_model: Path, tmp_path: Path, cache: FormCache) -> None:
    source = source_of(tiny_model, tmp_path)
    job = {
        "op": "convert", "form": "q8_0", "source": source.as_dict(), "folder": str(cache.folder), "limit_bytes": 1, "threads": 1, "plain": False
    }  # fmt: skip
    with cache.locked(source.key("q8_0")):  # so that it waits
        process = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, env=worker_environment(), bufsize=0)
        assert process.stdin is not None
        process.stdin.write(encode_frame(job))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.stdin.close()
        assert process.wait(30.0) == 1
