"""Frames between the client and its worker: four bytes of length, big endian, then that many bytes of JSON.

Knows file descriptors and JSON. Does not know what a frame means.

    write_frame(fd, {"op": "cancel", "id": 7}) puts 00 00 00 16 {"op":"cancel","id":7} on the pipe
"""

from __future__ import annotations

import json
import os
import struct
from typing import Any

MAX_FRAME_BYTES = 64 << 20

_LENGTH = struct.Struct(">I")
_CHUNK_BYTES = 1 << 20


class BrokenFrame(Exception):
    """What came over the pipe is no frame: cut off, too large, or not a JSON object."""


def encode_frame(value: dict[str, Any]) -> bytes:
    """Return a value as one frame.

    Raises:
        BrokenFrame: it would be larger than 64 MiB.
    """
    # ASCII: lone surrogates, which a hostile text may hold, travel as escapes.
    data = json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    if len(data) > MAX_FRAME_BYTES:
        raise BrokenFrame(f"a frame of {len(data)} bytes, at most {MAX_FRAME_BYTES} are sent")
    return _LENGTH.pack(len(data)) + data


def write_all(fd: int, data: bytes) -> None:
    """Write all bytes; a pipe may take them in pieces."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest[:_CHUNK_BYTES]) :]


def write_frame(fd: int, value: dict[str, Any]) -> None:
    """Write one frame."""
    write_all(fd, encode_frame(value))


def read_frame(fd: int) -> dict[str, Any] | None:
    """Read one frame; None at a clean end of the stream.

    Raises:
        BrokenFrame: the stream ends within a frame, or what is in it is no JSON object.
    """
    head = _read_exactly(fd, _LENGTH.size)
    if not head:
        return None
    if len(head) < _LENGTH.size:
        raise BrokenFrame("the stream ends within the length of a frame")
    (n_bytes,) = _LENGTH.unpack(head)
    if n_bytes > MAX_FRAME_BYTES:
        raise BrokenFrame(f"a frame claims {n_bytes} bytes, at most {MAX_FRAME_BYTES} are read")
    data = _read_exactly(fd, n_bytes)
    if len(data) < n_bytes:
        raise BrokenFrame(f"the stream ends {n_bytes - len(data)} bytes before the end of a frame")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BrokenFrame(f"a frame holds no JSON: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise BrokenFrame("a frame holds no JSON object")
    return value


def _read_exactly(fd: int, n_bytes: int) -> bytes:
    """Read so many bytes, or fewer when the stream ends. Memory grows with what arrives, not with what was claimed."""
    found = bytearray()
    while len(found) < n_bytes:
        chunk = os.read(fd, min(_CHUNK_BYTES, n_bytes - len(found)))
        if not chunk:
            break
        found += chunk
    return bytes(found)
