"""A LoRA adapter over SmolLM2-135M, written by hand."""

from __future__ import annotations

import struct
from pathlib import Path


def lora(path: Path, scale: float) -> Path:
    """Write a LoRA adapter of rank 1 over the first query projection of SmolLM2 (576 by 576)."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    def pair(key: str, kind: int, value: bytes) -> bytes:
        return text(key) + struct.pack("<I", kind) + value

    pairs = [pair(k, 8, text(v)) for k, v in (("general.architecture", "llama"), ("general.type", "adapter"), ("adapter.type", "lora"))]
    pairs.append(pair("adapter.lora.alpha", 6, struct.pack("<f", 1.0)))
    shapes = {"lora_a": (576, 1), "lora_b": (1, 576)}
    tensors = [
        text(f"blk.0.attn_q.weight.{name}") + struct.pack("<I2QIQ", 2, *shape, 0, index * 2304)
        for index, (name, shape) in enumerate(shapes.items())
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs + tensors)
    weights = struct.pack("<1152f", *[1.0] * 576, *[scale * (i % 7 - 3) for i in range(576)])
    path.write_bytes(head + bytes(-len(head) % 32) + weights)
    return path
