"""What is taken out of texts, and what is left as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoner import redaction as secrets
from reasoner.redaction import is_variable_name, redact, remember, without_known
from reasoner.store import Store


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_known", ())


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Incorrect key sk-proj-abcdefghijklmnop1234", "Incorrect key [redacted]"),
        ("Authorization: Bearer abcdefgh12345678", "Authorization: Bearer [redacted]"),
        ("{'authorization': 'Basic YWxhZGRpbjpvcGVu'}", "{'authorization': 'Basic [redacted]'}"),
        ("x-api-key: 0123456789abcdef", "x-api-key: [redacted]"),
        ("https://user:pass@host/v1", "https://[redacted]@host/v1"),
        ("GET http://h/v1?key=a&b=c#d", "GET http://h/v1?[redacted]#d"),
        ("ghp_0123456789abcdefghij0123456789abcdef", "[redacted]"),
        ("hf_abcdefghijklmnopqrstuvwxyz", "[redacted]"),
    ],
)
def test_taken_out(text: str, left: str) -> None:
    assert redact(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "what is the key? Answer: 4 -> 8 -> 9", "risk-averse task-oriented desk-bound", "a sk-ill", "see https://host/v1/chat for more",
        "the bearer of bad news", "12 * (3 + 4) = 84", "openai:gpt-4o-mini@https://api.openai.com/v1", "api_key_env", "mask-2024",
    ],
)  # fmt: skip
def test_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_known_values_in_every_spelling() -> None:
    remember('odd"key/with+signs')
    for spelt in ('odd"key/with+signs', 'odd\\"key/with+signs', "odd%22key%2Fwith%2Bsigns", "b2RkImtleS93aXRoK3NpZ25z"):
        assert without_known(f"<{spelt}>") == "<[redacted]>"


def test_placeholders_are_no_secrets() -> None:
    remember("x")
    remember("none")
    assert redact("x is none of them") == "x is none of them"


def test_names_of_variables() -> None:
    assert is_variable_name("OPENAI_API_KEY")
    assert is_variable_name("my_key")
    assert not is_variable_name("sk-abcdefghijklmnopqrst")
    assert not is_variable_name("hf_abcdefghijklmnopqrstuvwxyz")
    assert not is_variable_name("A" * 65)


def test_no_row_holds_a_known_value(tmp_path: Path) -> None:
    remember("the-secret-value")
    with Store.open(tmp_path / "t.db") as store:
        store.write_now(lambda c: c.execute("CREATE TABLE t (a, b)"))
        store.write_now(lambda c: c.execute("INSERT INTO t VALUES (?, ?)", ("with the-secret-value in it", 5)))
        store.write_now(lambda c: c.executemany("INSERT INTO t VALUES (?, ?)", [("the-secret-value", None)]))
        assert store.rows("SELECT a FROM t") == [{"a": "with [redacted] in it"}, {"a": "[redacted]"}]
    assert b"the-secret-value" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
