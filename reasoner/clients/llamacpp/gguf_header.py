"""The check of a GGUF file before native code sees it: header, metadata and tensor table, all bounded by the file's size.

A flipped byte in a GGUF can abort the process that loads it, so whatever can be seen in plain Python is seen here first, and said
in one line. Knows the file format; knows nothing of models, llama.cpp or workers. Weights are not read, only their places.

    header = read_header(Path("SmolLM2-135M-Instruct.Q4_1.gguf"))
    header.architecture -> "llama", header.n_vocab -> 49152

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reasoner.errors import BadConfig
from reasoner.files.signatures import MODEL
from reasoner.text import clean, shorten

MAX_STRING_BYTES = 1 << 20
MAX_ARRAY_ITEMS = 10_000_000
MAX_KEYS = 1 << 16
MAX_TENSORS = 1 << 17
MAX_ALIGNMENT = 1 << 20
MAX_DIMENSIONS = 4
MAX_KEPT_NUMBERS = 64
MAX_TENSOR_NAME_BYTES = 64

_STRING, _ARRAY = 8, 9
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q", 11: "<q", 12: "<d"}
_VOCABULARY = "tokenizer.ggml.tokens"

_BYTE_TOKENS = {byte: b"<0x%02X>" % byte for byte in range(256) if byte not in {0xC0, 0xC1} and byte < 0xF5}
"""The tokens a SentencePiece vocabulary writes unknown characters with: one for each byte that UTF-8 has."""

# Weights per block and bytes per block of each ggml type; a type that is not listed only has its offset checked.
_BLOCKS = {
    0: (1, 4),  # F32
    1: (1, 2),  # F16
    2: (32, 18),  # Q4_0
    3: (32, 20),  # Q4_1
    6: (32, 22),  # Q5_0
    7: (32, 24),  # Q5_1
    8: (32, 34),  # Q8_0
    9: (32, 36),  # Q8_1
    10: (256, 84),  # Q2_K
    11: (256, 110),  # Q3_K
    12: (256, 144),  # Q4_K
    13: (256, 176),  # Q5_K
    14: (256, 210),  # Q6_K
    24: (1, 1),  # I8
    25: (1, 2),  # I16
    26: (1, 4),  # I32
    27: (1, 8),  # I64
    28: (1, 8),  # F64
    30: (1, 2),  # BF16
}


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What a GGUF file says of itself. `values` holds the scalars and strings; of arrays the lengths are kept, and short ones of numbers."""

    version: int
    architecture: str
    values: Mapping[str, str | int | float]
    array_lengths: Mapping[str, int]
    n_tensors: int
    numbers: Mapping[str, tuple[int | float, ...]] = field(default_factory=dict)

    @property
    def chat_template(self) -> str | None:
        """The Jinja2 chat template in the file, None when there is none."""
        found = self.values.get("tokenizer.chat_template")
        return found if isinstance(found, str) else None

    @property
    def kind(self) -> str:
        """What the file holds: `model`, `adapter`, ..."""
        return str(self.values.get("general.type", "model"))

    @property
    def n_vocab(self) -> int:
        """How many tokens the file's vocabulary has, 0 when it carries none."""
        return self.array_lengths.get(_VOCABULARY, 0)


class _Damaged(Exception):
    """What is wrong with the file, in one line; `read_header` adds the path and the next step."""


@dataclass(slots=True)
class _Cursor:
    """A place in the file; nothing is read past the end."""

    data: mmap.mmap
    at: int = 0
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = len(self.data)

    def skip(self, n_bytes: int, what: str) -> int:
        start = self.at
        if n_bytes > self.size - start:
            raise _Damaged(f"{what} at byte {start} reaches past the end of the file ({self.size} bytes)")
        self.at = start + n_bytes
        return start

    def scalar(self, layout: str, what: str) -> int | float:
        start = self.skip(struct.calcsize(layout), what)
        value: int | float = struct.unpack_from(layout, self.data, start)[0]
        return value

    def count(self, layout: str, what: str, most: int) -> int:
        value = int(self.scalar(layout, what))
        if value > most:
            raise _Damaged(f"{what} is {value}, at most {most} is accepted")
        return value

    def string(self, what: str, most: int = MAX_STRING_BYTES) -> bytes:
        n_bytes = self.count("<Q", f"the length of {what}", most)
        start = self.skip(n_bytes, what)
        return self.data[start : start + n_bytes]


def read_header(path: Path) -> GgufHeader:
    """Read and check the header of a GGUF file. Takes some tenths of a second for a large vocabulary, whatever the weights.

    A later part of a split model names no architecture: it is empty there.

    Raises:
        BadConfig: there is no such file, or it is no GGUF, or it is damaged; the message names path and reason.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _read(_Cursor(data))
    except _Damaged as damage:
        raise BadConfig(
            f"{path} cannot be used as a GGUF file: {damage}", hint="download or convert it again, and compare its sha256"
        ) from damage
    except FileNotFoundError as error:
        raise BadConfig(f"the model file {path} does not exist", hint="name an existing .gguf file, or use the model 'local'") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadConfig(f"the model file {path} cannot be read: {reason}", hint="name a readable .gguf file") from error


def check_adapter(base: GgufHeader, adapter: GgufHeader, base_path: Path, adapter_path: Path) -> None:
    """Refuse a LoRA adapter that does not belong to the model.

    Raises:
        BadConfig: it is no adapter, or of another architecture; the message names both files.
    """
    if adapter.kind != "adapter":
        raise BadConfig(
            f"{adapter_path} is no LoRA adapter for {base_path}: its general.type is {shown(adapter.kind)}, not 'adapter'",
            hint="convert the adapter to GGUF first",
        )
    if adapter.architecture != base.architecture:
        raise BadConfig(
            f"the adapter {adapter_path} is made for the architecture {shown(adapter.architecture)}, but the model {base_path} "
            f"is {shown(base.architecture)}",
            hint="use the adapter with the model it was trained on",
        )


def shown(text: str) -> str:
    """Return text out of a file as it can stand in a message: quoted, short, without control characters."""
    return repr(shorten(clean(text), 60))


def _read(cursor: _Cursor) -> GgufHeader:
    start = cursor.skip(4, "the magic")
    magic = cursor.data[start : start + 4]
    if magic != MODEL:
        raise _Damaged(f"it starts with {magic!r} instead of {MODEL!r}")
    version = int(cursor.scalar("<I", "the version"))
    if version not in {2, 3}:
        raise _Damaged(f"its version is {version}, only 2 and 3 can be read")
    n_tensors = cursor.count("<Q", "the number of tensors", MAX_TENSORS)
    n_keys = cursor.count("<Q", "the number of metadata keys", MAX_KEYS)
    metadata = _Metadata()
    _read_metadata(cursor, n_keys, metadata)
    values, missing = metadata.values, metadata.missing_bytes
    if values.get("tokenizer.ggml.model") == "llama" and missing:
        # llama.cpp does not look before it takes them: the first such byte in a prompt ends the process.
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise _Damaged(f"its vocabulary has no token for the byte {missing[0]:#04x}{others}")
    is_part = values.get("split.no", 0) != 0
    architecture = values.get("general.architecture", "" if is_part else None)
    if not isinstance(architecture, str) or not (architecture or is_part):
        raise _Damaged("its metadata has no general.architecture")
    alignment = values.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 0 < alignment <= MAX_ALIGNMENT or alignment & (alignment - 1):
        raise _Damaged(f"its alignment is {shown(str(alignment))}, which is no power of two up to {MAX_ALIGNMENT}")
    _check_tensors(cursor, n_tensors, alignment)
    return GgufHeader(version, architecture, values, metadata.lengths, n_tensors, metadata.numbers)


@dataclass(slots=True)
class _Metadata:
    """The scalars and strings of a file, the lengths of its arrays, short arrays of numbers, and the bytes its vocabulary has no token for."""

    values: dict[str, str | int | float] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, tuple[int | float, ...]] = field(default_factory=dict)
    missing_bytes: list[int] = field(default_factory=list)


def _read_metadata(cursor: _Cursor, n_keys: int, found: _Metadata) -> None:
    for index in range(n_keys):
        key = _text(cursor.string(f"metadata key {index}"), f"metadata key {index}")
        if not key or key in found.values or key in found.lengths:
            raise _Damaged(f"the metadata key {shown(key)} is {'there twice' if key else 'empty'}")
        what = f"the value of {shown(key)}"
        kind = int(cursor.scalar("<I", f"the type of {shown(key)}"))
        if kind == _STRING:
            found.values[key] = _text(cursor.string(what), what)
        elif kind == _ARRAY:
            _read_array(cursor, key, what, found)
        elif kind in _SCALARS:
            found.values[key] = cursor.scalar(_SCALARS[kind], what)
        else:
            raise _Damaged(f"{what} has the unknown type {kind}")


def _read_array(cursor: _Cursor, key: str, what: str, found: _Metadata) -> None:
    kind = int(cursor.scalar("<I", f"the item type of {what}"))
    n_items = found.lengths[key] = cursor.count("<Q", f"the length of {what}", MAX_ARRAY_ITEMS)
    if kind in _SCALARS:
        layout = f"<{n_items}{_SCALARS[kind][1:]}"
        start = cursor.skip(struct.calcsize(layout), what)
        if n_items <= MAX_KEPT_NUMBERS:
            found.numbers[key] = struct.unpack_from(layout, cursor.data, start)
        return
    if kind != _STRING:
        raise _Damaged(f"{what} is an array of the type {kind}, which cannot be read")
    if n_items * 8 > cursor.size - cursor.at:
        raise _Damaged(f"{what} claims {n_items} strings, more than the file can hold")
    tokens: set[bytes] | None = set() if key == _VOCABULARY else None
    _skip_strings(cursor, n_items, what, tokens)
    if tokens is not None:
        found.missing_bytes = [byte for byte, name in _BYTE_TOKENS.items() if name not in tokens and bytes([byte]) not in tokens]


def _skip_strings(cursor: _Cursor, n_items: int, what: str, tokens: set[bytes] | None) -> None:
    """Pass over strings; those of the vocabulary are put into `tokens`."""
    # One tight loop instead of cursor.string: half a million merges must not take seconds.
    data, at, size = cursor.data, cursor.at, cursor.size
    unpack = struct.Struct("<Q").unpack_from
    for index in range(n_items):
        start = at + 8
        if start > size:
            raise _Damaged(f"item {index} of {what} reaches past the end of the file ({size} bytes)")
        (n_bytes,) = unpack(data, at)
        if n_bytes > MAX_STRING_BYTES or n_bytes > size - start:
            raise _Damaged(f"item {index} of {what} claims {n_bytes} bytes")
        at = start + n_bytes
        if tokens is not None:
            token = data[start:at]
            # Empty ones llama.cpp numbers by itself; two that are equal end the process.
            if token and token in tokens:
                raise _Damaged(f"its vocabulary has the token {shown(token.decode('utf-8', 'replace'))} twice")
            tokens.add(token)
    cursor.at = at


def _check_tensors(cursor: _Cursor, n_tensors: int, alignment: int) -> None:
    names: set[bytes] = set()
    ends: list[tuple[str, int]] = []
    for index in range(n_tensors):
        name = cursor.string(f"the name of tensor {index}", MAX_TENSOR_NAME_BYTES)
        told = shown(name.decode("utf-8", "replace"))
        if name in names:
            raise _Damaged(f"the tensor {told} is there twice")
        names.add(name)
        n_dimensions = cursor.count("<I", f"the number of dimensions of {told}", MAX_DIMENSIONS)
        lengths = [cursor.count("<Q", f"a dimension of {told}", 1 << 48) for _ in range(n_dimensions)] or [1]
        kind = int(cursor.scalar("<I", f"the type of {told}"))
        offset = int(cursor.scalar("<Q", f"the offset of {told}"))
        n_weights = 1
        for length in lengths:
            n_weights *= length
        per_block, block_bytes = _BLOCKS.get(kind, (1, 0))
        if not 0 < n_weights < 1 << 62:
            raise _Damaged(f"the tensor {told} claims {n_weights} weights")
        if offset % alignment:
            raise _Damaged(f"the tensor {told} is not aligned to {alignment} bytes")
        if lengths[0] % per_block:
            raise _Damaged(f"a row of the tensor {told} has {lengths[0]} weights, no multiple of {per_block}")
        ends.append((told, offset + n_weights // per_block * block_bytes))
    data_start = -(-cursor.at // alignment) * alignment
    for told, end in ends:
        if data_start + end > cursor.size:
            raise _Damaged(f"the tensor {told} ends at byte {data_start + end}, but the file has {cursor.size} bytes; is it incomplete?")


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Damaged(f"{what} is no UTF-8 text") from error
