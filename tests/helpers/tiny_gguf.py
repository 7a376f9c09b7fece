"""A model of a few kilobytes that llama.cpp really loads and runs: one layer, random weights, a vocabulary of bytes.

It writes nonsense at thousands of tokens a second, so what is tested with it is the engine and not the model.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path

U32, F32, STRING, ARRAY, I32 = 4, 6, 8, 9, 5
N_EMBD, N_FF, N_VOCAB, N_CTX = 32, 64, 259, 4096
BYTE, CONTROL, UNKNOWN = 6, 3, 2


def text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def metadata() -> list[bytes]:
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{n:02X}>" for n in range(256))]
    kinds = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256]
    numbers = {
        "llama.context_length": N_CTX, "llama.embedding_length": N_EMBD, "llama.block_count": 1, "llama.feed_forward_length": N_FF,
        "llama.attention.head_count": 2, "llama.attention.head_count_kv": 2, "llama.rope.dimension_count": 16,
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0,
    }  # fmt: skip
    return [
        pair("general.architecture", STRING, text("llama")),
        *(pair(key, U32, struct.pack("<I", value)) for key, value in numbers.items()),
        pair("llama.attention.layer_norm_rms_epsilon", F32, struct.pack("<f", 1e-5)),
        pair("tokenizer.ggml.model", STRING, text("llama")),
        pair("tokenizer.ggml.tokens", ARRAY, array(STRING, [text(token) for token in tokens])),
        pair("tokenizer.ggml.scores", ARRAY, array(F32, [struct.pack("<f", 0.0)] * N_VOCAB)),
        pair("tokenizer.ggml.token_type", ARRAY, array(I32, [struct.pack("<i", kind) for kind in kinds])),
        pair(
            "tokenizer.chat_template",
            STRING,
            text("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "),
        ),
    ]


def shapes() -> dict[str, tuple[int, ...]]:
    square, up, down = (N_EMBD, N_EMBD), (N_EMBD, N_FF), (N_FF, N_EMBD)
    layer = {"attn_norm": (N_EMBD,), "attn_q": square, "attn_k": square, "attn_v": square, "attn_output": square}
    layer |= {"ffn_norm": (N_EMBD,), "ffn_gate": up, "ffn_up": up, "ffn_down": down}
    ends = {"token_embd": (N_EMBD, N_VOCAB), "output_norm": (N_EMBD,), "output": (N_EMBD, N_VOCAB)}
    return {f"{name}.weight": shape for name, shape in ends.items()} | {f"blk.0.{name}.weight": shape for name, shape in layer.items()}


def gguf_of(pairs: list[bytes], tensors: list[tuple[str, tuple[int, ...]]], seed: int = 0) -> bytes:
    """Return a file with such metadata and random tensors of such shapes."""
    rng = random.Random(seed)
    infos, data = [], b""
    for name, shape in tensors:
        n_items = shape[0] * (shape[1] if len(shape) > 1 else 1)
        infos.append(text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape) + struct.pack("<IQ", 0, len(data)))
        values = [1.0] * n_items if len(shape) == 1 else [rng.gauss(0, 0.3) for _ in range(n_items)]
        data += struct.pack(f"<{n_items}f", *values)
        data += bytes(-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(pairs)) + b"".join(pairs + infos)
    return head + bytes(-len(head) % 32) + data


def tiny_gguf(seed: int = 0) -> bytes:
    """Return the file."""
    return gguf_of(metadata(), list(shapes().items()), seed)


def write_tiny(path: Path) -> Path:
    """Write the file and return its path."""
    path.write_bytes(tiny_gguf())
    return path
