"""Files that nobody sound would write: bombs, surrogates, numbers that are none, beginnings of every format."""

from __future__ import annotations

SPOILT = (
    b"", b"\x00" * 100, b"\xff\xfe\x00x", b"\xed\xa0\x80", b"[" * 200_000, b'{"a":' * 50_000, b'{"solver": "game24", "instance": 1e999}\n', b'{"messages": []}\n',
    b'{"messages": [{"role": "user", "content": "\\ud800"}, {"role": "assistant", "content": "\\udfff"}]}\n', b'{"prompt": -1, "completion": 1e999}\n',
    b'{"question": "\\ud800?", "answer": "\\udc00"}\n', b'{"question": 5, "answer": [1]}\n', b"9" * 100_000, b"-" * 100_000, b"a = " + b"[" * 50_000, b"a." * 20_000 + b"b = 1\n",
    b"[" + b"a." * 20_000 + b"b]\nx = 1\n", b'["openai:m"]\nprompt_per_million = inf\ncompletion_per_million = 1e400\n', b"+++\n" + b"a." * 20_000 + b"b = 1\n+++\n{% block user %}x{% endblock %}",
    b"+++\nversion = 1\nvariables = []\n+++\n{% block user %}" + b"{% for i in range(9) %}" * 300, b"+++\nversion = 1\nvariables = []\n+++\n" + b"{{ (" * 5000,
    b"+++\nversion = 99999999999999999999999\nvariables = [1979-05-27]\n+++\n", b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'aaaa'>]><tmx>&a;</tmx>", b"GGUF" + b"\xff" * 200,
    b"SQLite format 3\x00" + b"\x00" * 200, b"\t\t\t\n\t\n", b'a,b\n"c\n', b"1e999\t-1e999\n", b'{"format": "sft", "lineage": {"trajectory": "\\u0000"}}\n', b"NaN\n", b"\n" * 10_000,
)  # fmt: skip
"""What a file is replaced by."""
