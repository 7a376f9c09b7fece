"""The GGUF header check: what it reads, what it refuses, and that hostile bytes are refused in bounded time with one error."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from ends import ends

from reasoner.clients.llamacpp import bundled_model
from reasoner.clients.llamacpp.file_hash import cache_file, file_sha256
from reasoner.clients.llamacpp.gguf_header import check_adapter, read_header
from reasoner.errors import BadConfig

STRING, ARRAY, U32 = 8, 9, 4


def text(value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(data)) + data


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def strings(*items: str) -> bytes:
    return struct.pack("<IQ", STRING, len(items)) + b"".join(map(text, items))


ARCH = pair("general.architecture", STRING, text("llama"))


def tensor(name: str = "w", *, lengths: tuple[int, ...] = (32,), kind: int = 0, offset: int = 0) -> bytes:
    return text(name) + struct.pack("<I", len(lengths)) + struct.pack(f"<{len(lengths)}Q", *lengths) + struct.pack("<IQ", kind, offset)


def gguf(
    *pairs: bytes, tensors: tuple[bytes, ...] = (), data: bytes = b"", magic: bytes = b"GGUF", version: int = 3, n_keys: int | None = None
) -> bytes:
    head = magic + struct.pack("<IQQ", version, len(tensors), len(pairs) if n_keys is None else n_keys) + b"".join((*pairs, *tensors))
    return head + b"\0" * (-len(head) % 32) + data


def whole() -> bytes:
    vocabulary = pair("tokenizer.ggml.tokens", ARRAY, strings("<s>", "a", "b"))
    scores = pair("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ3f", 6, 3, 0, 1, 2))
    template = pair("tokenizer.chat_template", STRING, text("{{ messages }}"))
    tensors = (tensor("a"), tensor("b", lengths=(32, 2), kind=3, offset=128))
    return gguf(ARCH, vocabulary, scores, template, tensors=tensors, data=bytes(128 + 40))


def refusal(tmp_path: Path, data: bytes) -> str:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    with pytest.raises(BadConfig) as caught:
        read_header(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_reads_what_a_file_says_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(whole())
    header = read_header(path)
    assert (header.version, header.architecture, header.kind, header.n_vocab, header.n_tensors) == (3, "llama", "model", 3, 2)
    assert header.chat_template == "{{ messages }}"
    assert header.array_lengths["tokenizer.ggml.scores"] == 3


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "cannot"),
    "magic": (gguf(ARCH, magic=b"GGML"), "starts with b'GGML'"),
    "version 1": (gguf(ARCH, version=1), "version is 1"),
    "big endian": (gguf(ARCH, version=3 << 24), "version is 50331648"),
    "no architecture": (gguf(), "no general.architecture"),
    "architecture is a number": (gguf(pair("general.architecture", U32, bytes(4))), "no general.architecture"),
    "key twice": (gguf(ARCH, ARCH), "'general.architecture' is there twice"),
    "empty key": (gguf(pair("", U32, bytes(4))), "empty"),
    "key no utf-8": (gguf(text(b"\xff") + bytes(8)), "no UTF-8"),
    "unknown type": (gguf(pair("x", 13, bytes(8))), "unknown type 13"),
    "nested array": (gguf(pair("x", ARRAY, struct.pack("<IQ", ARRAY, 1))), "array of the type 9"),
    "many keys": (gguf(n_keys=1 << 60), "number of metadata keys is 1152921504606846976"),
    "long string": (gguf(pair("x", STRING, struct.pack("<Q", 1 << 40))), "at most 1048576"),
    "long array": (gguf(pair("x", ARRAY, struct.pack("<IQ", 0, 1 << 62))), "at most 10000000"),
    "array past the end": (gguf(pair("x", ARRAY, struct.pack("<IQ", 10, 9_999_999))), "past the end"),
    "strings past the end": (gguf(pair("x", ARRAY, struct.pack("<IQ", STRING, 9_999_999))), "more than the file can hold"),
    "string item past the end": (gguf(pair("x", ARRAY, struct.pack("<IQQ", STRING, 1, 1000))), "claims 1000 bytes"),
    "token twice among empty ones": (gguf(ARCH, pair("tokenizer.ggml.tokens", ARRAY, strings("", "a", "", "a"))), "the token 'a' twice"),
    "token twice": (gguf(ARCH, pair("tokenizer.ggml.tokens", ARRAY, strings("a", "b", "a"))), "the token 'a' twice"),
    "alignment 3": (gguf(ARCH, pair("general.alignment", U32, struct.pack("<I", 3))), "alignment is '3'"),
    "alignment 0": (gguf(ARCH, pair("general.alignment", U32, bytes(4))), "alignment is '0'"),
    "alignment 2 GiB": (gguf(ARCH, pair("general.alignment", U32, struct.pack("<I", 1 << 31))), "power of two"),
    "tensor twice": (gguf(ARCH, tensors=(tensor(), tensor()), data=bytes(128)), "'w' is there twice"),
    "tensor past the end": (gguf(ARCH, tensors=(tensor(),), data=bytes(127)), "is it incomplete?"),
    "tensor far away": (gguf(ARCH, tensors=(tensor(offset=1 << 63),), data=bytes(128)), "is it incomplete?"),
    "tensor unaligned": (gguf(ARCH, tensors=(tensor(offset=1),), data=bytes(999)), "not aligned"),
    "tensor overflows": (gguf(ARCH, tensors=(tensor(lengths=(1 << 40, 1 << 40)),), data=bytes(128)), "weights"),
    "tensor of nothing": (gguf(ARCH, tensors=(tensor(lengths=(0,)),), data=bytes(128)), "0 weights"),
    "tensor of nine dimensions": (gguf(ARCH, tensors=(tensor(lengths=(1,) * 9),), data=bytes(128)), "dimensions"),
    "tensor with a broken row": (gguf(ARCH, tensors=(tensor(lengths=(33,), kind=3),), data=bytes(999)), "no multiple of 32"),
}


@pytest.mark.parametrize("name", BAD)
def test_refuses(tmp_path: Path, name: str) -> None:
    data, reason = BAD[name]
    assert reason in refusal(tmp_path, data)


def vocabulary_of(*tokens: str, model: str = "llama") -> bytes:
    return gguf(ARCH, pair("tokenizer.ggml.model", STRING, text(model)), pair("tokenizer.ggml.tokens", ARRAY, strings(*tokens)))


def test_a_vocabulary_that_lacks_a_byte_is_refused_since_native_code_dies_of_it(tmp_path: Path) -> None:
    tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    message = refusal(tmp_path, vocabulary_of(*(token for token in tokens if token not in {"<0x41>", "<0xC3>"})))
    assert "no token for the byte 0x41 and 1 more" in message
    path = tmp_path / "model.gguf"
    for fine in (
        vocabulary_of(*tokens),
        vocabulary_of(*("A" if token == "<0x41>" else token for token in tokens)),  # the character itself will do
        vocabulary_of(*(token for token in tokens if token not in {"<0xC0>", "<0xFF>"})),  # no text has these
        vocabulary_of("A", "B", model="gpt2"),  # looks before it takes them
    ):
        path.write_bytes(fine)
        assert read_header(path).n_vocab > 0


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    data = whole()
    path = tmp_path / "model.gguf"
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(BadConfig):
            read_header(path)


def test_flipped_bytes_give_a_header_or_one_error_and_end(tmp_path: Path) -> None:
    data = whole()
    rng = random.Random(20251124)
    path = tmp_path / "model.gguf"
    n_refused = 0
    for _ in range(1500):
        mutant = bytearray(data)
        for _ in range(rng.choice([1, 1, 2, 8])):
            mutant[rng.randrange(len(mutant))] = rng.choice([0, 1, 8, 9, 0x7F, 0x80, 0xFF, rng.randrange(256)])
        path.write_bytes(mutant)
        with ends(mutant[:60]):
            try:
                read_header(path)
            except BadConfig:
                n_refused += 1
    assert 500 < n_refused < 1500


def test_the_message_holds_no_control_characters_of_the_file(tmp_path: Path) -> None:
    message = refusal(tmp_path, gguf(pair("\x1b[2Jx\n", U32, bytes(4)), pair("\x1b[2Jx\n", U32, bytes(4))))
    assert message.isprintable()


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"none\.gguf does not exist"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(BadConfig, match="cannot be read: Is a directory"):
        read_header(tmp_path)


def test_an_adapter_must_be_one_and_fit(tmp_path: Path) -> None:
    base, wrong, other = tmp_path / "base.gguf", tmp_path / "wrong.gguf", tmp_path / "other.gguf"
    adapter = pair("general.type", STRING, text("adapter"))
    base.write_bytes(gguf(ARCH))
    wrong.write_bytes(gguf(adapter, pair("general.architecture", STRING, text("qwen2"))))
    other.write_bytes(gguf(adapter, ARCH))
    check_adapter(read_header(base), read_header(other), base, other)
    with pytest.raises(BadConfig, match=r"wrong\.gguf is made for the architecture 'qwen2', but the model .*base\.gguf is 'llama'"):
        check_adapter(read_header(base), read_header(wrong), base, wrong)
    with pytest.raises(BadConfig, match=r"general\.type is 'model'"):
        check_adapter(read_header(base), read_header(base), base, base)


def test_the_bundled_model_is_checked() -> None:
    header = read_header(bundled_model())
    assert (header.architecture, header.n_vocab) == ("llama", 49152)


def test_the_hash_is_remembered_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "m.gguf"
    path.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(path) == expected
    remembered = cache_file().read_text()
    assert expected in remembered
    cache_file().write_text(remembered.replace(expected, "0" * 64))
    assert file_sha256(path) == "0" * 64
    path.write_bytes(b"abcd")
    assert file_sha256(path) not in {expected, "0" * 64}


@pytest.mark.parametrize("junk", ["{", "[]", '{"a": 1}', "\x00", "[" * 100_000])
def test_a_damaged_or_unwritable_memory_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, junk: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(b"abc")
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    assert file_sha256(path).startswith("ba7816bf")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache_file().parent.mkdir()
    cache_file().write_text(junk)
    assert file_sha256(path).startswith("ba7816bf")
