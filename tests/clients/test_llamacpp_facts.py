"""What a model file tells before the first call is used, or refused in one line: context, kind of model, parts, adapters, forks."""

from __future__ import annotations

import asyncio
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from tiny_gguf import ARRAY, I32, STRING, U32, array, gguf_of, metadata, pair, shapes, text, tiny_gguf

from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient
from reasoner.errors import BadConfig, BadTemplate
from reasoner.types import Completion, Constraint, Message, Request, Sampling

BOOL = 7


def opened(path: Path, **options: Any) -> LlamaCppClient:
    client = open_client(str(path), ClientOptions(threads=1, **options))
    assert isinstance(client, LlamaCppClient)
    return client


def asked(client: LlamaCppClient, constraint: Constraint | None = None) -> Completion:
    return asyncio.run(client.complete(Request((Message("user", "Hello"),), Sampling(max_tokens=12, temperature=1.0), 3, constraint)))


def written(folder: Path, pairs: list[bytes], name: str = "model.gguf") -> Path:
    path = folder / name
    path.write_bytes(gguf_of(pairs, list(shapes().items())))
    return path


def without(pairs: list[bytes], key: str) -> list[bytes]:
    return [p for p in pairs if not p.startswith(text(key))]


def u32(key: str, value: int) -> bytes:
    return pair(key, U32, struct.pack("<I", value))


def architecture(name: str) -> list[bytes]:
    return [pair("general.architecture", STRING, text(name)), *without(metadata(), "general.architecture")]


REFUSED: dict[str, tuple[list[bytes], str]] = {
    "embedding": ([*metadata(), u32("llama.pooling_type", 1)], "embedding or ranking model"),
    "ranking": ([*metadata(), u32("llama.pooling_type", 4)], "embedding or ranking model"),
    "bert": (architecture("nomic-bert"), "is an encoder ('nomic-bert')"),
    "encoder and decoder": (architecture("t5"), "is an encoder ('t5')"),
    "not causal": ([*metadata(), pair("llama.attention.causal", BOOL, b"\0")], "is an encoder"),
    "projector": (architecture("clip"), "projector for images or sound (mmproj)"),
    "projector by type": ([*metadata(), pair("general.type", STRING, text("mmproj"))], "projector for images or sound"),
    "adapter": ([*metadata(), pair("general.type", STRING, text("adapter"))], "is a LoRA adapter, not a model"),
    "matrix": ([*metadata(), pair("general.type", STRING, text("imatrix"))], "general.type is 'imatrix'"),
    "no vocabulary": (without(metadata(), "tokenizer.ggml.tokens"), "carries no vocabulary"),
    "too few scores": (
        [*without(metadata(), "tokenizer.ggml.scores"), pair("tokenizer.ggml.scores", ARRAY, array(6, [bytes(4)] * 7))],
        "tokenizer.ggml.scores has 7 items",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_writes_no_text_is_refused_at_opening(tmp_path: Path, name: str) -> None:
    pairs, reason = REFUSED[name]
    path = written(tmp_path, pairs)
    with pytest.raises(BadConfig) as caught:
        opened(path)
    assert reason in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_context_beyond_the_trained_one_is_refused_and_the_default_stays_within(tmp_path: Path) -> None:
    path = written(tmp_path, [*without(metadata(), "llama.context_length"), u32("llama.context_length", 1024)])
    with pytest.raises(BadConfig, match=r"n_ctx is 1025, but .* was trained for a context of 1024 tokens"):
        opened(path, n_ctx=1025)
    client = opened(path)
    assert asyncio.run(client.info())["n_ctx"] == 1024
    asyncio.run(client.aclose())


def parts(folder: Path, n: int = 3) -> list[Path]:
    """Write the tiny model in parts."""
    all_shapes = list(shapes().items())
    step = -(-len(all_shapes) // n)
    paths = []
    for number in range(n):
        marks = [
            pair("split.no", 2, struct.pack("<H", number)),
            pair("split.count", 2, struct.pack("<H", n)),
            pair("split.tensors.count", I32, struct.pack("<i", len(all_shapes))),
        ]
        path = folder / f"tiny-{number + 1:05}-of-{n:05}.gguf"
        path.write_bytes(gguf_of([*(metadata() if number == 0 else []), *marks], all_shapes[number * step : (number + 1) * step]))
        paths.append(path)
    return paths


def test_a_split_model_is_opened_by_its_first_part(tmp_path: Path) -> None:
    whole = tmp_path / "whole.gguf"
    whole.write_bytes(tiny_gguf())
    first, second, third = parts(tmp_path)
    client, plain = opened(first), opened(whole)
    assert asked(client).usage.completion_tokens == asked(plain).usage.completion_tokens == 12
    info = asyncio.run(client.info())
    assert info["size_bytes"] == sum(path.stat().st_size for path in (first, second, third))
    fingerprint = client.fingerprint
    for one in (client, plain):
        asyncio.run(one.aclose())
    with pytest.raises(
        BadConfig, match=r"tiny-00002-of-00003\.gguf is part 2 of 3 of a split model; name the first part, tiny-00001-of-00003"
    ):
        opened(second)
    third.write_bytes(third.read_bytes()[:-4] + b"\1\2\3\4")
    assert opened(first).fingerprint != fingerprint, "a part is among what answers"
    third.write_bytes(second.read_bytes())
    with pytest.raises(BadConfig, match="does not say that it is part 3 of 3"):
        opened(first)
    third.unlink()
    with pytest.raises(BadConfig, match=r"tiny-00003-of-00003\.gguf does not exist"):
        opened(first)
    with pytest.raises(BadConfig, match="is not named like one"):
        opened(first.rename(tmp_path / "renamed.gguf"))


def test_empty_tokens_are_no_fault_and_never_written(tmp_path: Path) -> None:
    pairs = [p.replace(text("<0xC0>"), text("")).replace(text("<0xC1>"), text("")) for p in metadata()]
    client = opened(written(tmp_path, pairs))
    reply = asked(client, Constraint.regex("[a-z]{4} x[\\x20-\\x7E]{3}"))
    assert "EMPTY" not in reply.text
    assert len(reply.text) == 9
    asyncio.run(client.aclose())


def test_an_activated_adapter_is_refused_with_its_tokens(tmp_path: Path, tiny_model: Path) -> None:
    pairs = [
        pair("general.architecture", STRING, text("llama")),
        pair("general.type", STRING, text("adapter")),
        pair("adapter.type", STRING, text("lora")),
        pair("adapter.alora.invocation_tokens", ARRAY, array(U32, [struct.pack("<I", token) for token in (49, 50, 51)])),
    ]
    path = tmp_path / "alora.gguf"
    path.write_bytes(gguf_of(pairs, []))
    with pytest.raises(BadConfig, match=r"activated LoRA: it acts only after its invocation tokens \(49 50 51\)"):
        opened(tiny_model, adapter=path)


def test_a_template_that_raises_is_told_in_its_own_words_before_anything_is_asked(tiny_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "raises.jinja"
    path.write_text("{{ raise_exception('only with pictures') }}")
    client = opened(tiny_model, chat_template=path)
    with pytest.raises(BadTemplate, match="only with pictures"):
        asyncio.run(client.info())
    with pytest.raises(BadTemplate, match="only with pictures"):
        asked(client)
    asyncio.run(client.aclose())
    path.write_text(
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system') }}{% endif %}{{ m.content }}{% endfor %}"
    )
    ours = opened(tiny_model, chat_template=path)  # what it does not take is found out by trying, and folded
    assert asked(ours).usage.prompt_tokens
    asyncio.run(ours.aclose())


def test_a_fork_starts_its_own_worker_and_leaves_its_parents_alone(tiny_model: Path) -> None:
    client = opened(tiny_model)
    text_of_parent, pid_of_parents = asked(client).text, client.worker_pid
    for closes_only in (True, False):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                ours = closes_only or (asked(client).text == text_of_parent and client.worker_pid != pid_of_parents)
                code = 0 if ours else 2
                asyncio.run(client.aclose())
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.worker_pid == pid_of_parents
        assert asked(client).text == text_of_parent
    asyncio.run(client.aclose())
