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


KEYS = {  # one of each kind, made up
    "private key": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNQFaA2\n-----END EC PRIVATE KEY-----",
    "aws key": "AROAABCDEFGHIJKLMNOP",
    "github token": "ghp_0123456789abcdefghij0123456789abcdef",
    "gitlab token": "glpat-0123456789abcdefghij",
    "api key": "gsk_0123456789abcdefghij0123",
    "model provider key": "pplx-0123456789abcdefghij0123456789abcdefghij01234567",
    "service token": "lin_api_0123456789abcdefghij0123456789abcdefghij",
    "hugging face token": "hf_abcdefghijklmnopqrstuvwxyzABCD",
    "slack token": "xoxb-0123456789-abcdef",
    "google key": "ya29.0123456789abcdefghij",
    "stripe key": "rk_live_0123456789abcdef",
    "package token": "npm_0123456789abcdefghij0123456789abcdef",
    "json web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
}


def test_there_is_one_table_of_keys_for_what_is_written_and_for_what_is_exported() -> None:
    from reasoner.datasets.scan import SECRET_KINDS, findings

    assert {form.kind for form in secrets.SECRET_FORMS} == set(KEYS) <= set(SECRET_KINDS)
    for kind, key in KEYS.items():
        assert redact(f"it said {key} and left") == "it said [redacted] and left", kind
        assert kind in {found.kind for found in findings(f"it said {key} and left")}, kind


def test_a_key_in_escaped_lines_goes_to_its_end() -> None:
    escaped = KEYS["private key"].replace("\n", "\\n")
    assert redact(f'{{"key": "{escaped}"}}') == '{"key": "[redacted]"}'
