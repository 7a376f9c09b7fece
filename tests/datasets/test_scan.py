"""What the scan finds of a labelled fixture, what it leaves alone, and what becomes of what is found."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import scan_texts
import trl
from ends import ends

from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.datasets.scan import LONG, PERSONAL_KINDS, SECRET_KINDS, ControlTokens, findings, redacted, suspects
from reasoner.datasets.select import Filters, Tally
from reasoner.redaction import SECRET_FORMS
from reasoner.runs.results import Result
from reasoner.session import Session
from reasoner.store import Store
from reasoner.types import Answer

FIXTURE = [json.loads(line) for line in (Path(__file__).parent / "scan_fixture.jsonl").read_text(encoding="ascii").splitlines()]
HELD = [row for row in FIXTURE if row["part"] == "held"]
KEY = "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2"
TEXT = f"Answer: 9 -> 10 -> 20\nkey {KEY}"


def kinds(text: str) -> set[str]:
    return {"secret" if found.secret else found.kind for found in findings(text)}


def test_the_fixture_is_labelled_and_large() -> None:
    assert len(FIXTURE) == 500
    assert {row["kind"] for row in FIXTURE} == {"", "secret", *PERSONAL_KINDS} - {"postal address"}


@pytest.mark.parametrize(
    ("kind", "bar"), [("secret", 0.99), ("e-mail", 0.95), ("phone", 0.95), ("card", 0.95), ("iban", 0.95), ("social security number", 0.95)]
)
def test_recall_on_the_rows_held_back(kind: str, bar: float) -> None:
    rows = [row["text"] for row in HELD if row["kind"] == kind]
    assert len(rows) >= 10
    missed = [text for text in rows if kind not in kinds(text)]
    assert 1 - len(missed) / len(rows) >= bar, missed


def test_precision_on_the_rows_held_back() -> None:
    alarms = [row["text"] for row in HELD if not row["kind"] and findings(row["text"])]
    assert len(alarms) <= 1, alarms
    others = [row for row in HELD if row["kind"] and kinds(row["text"]) - {row["kind"]}]
    assert len(others) <= 2, others


def test_puzzles_hold_no_personal_data() -> None:
    from reasoner import registry

    for name in ("number_path", "drop_water", "arithmetic", "minimal_grass", "game24"):
        solver = registry.solver(name)
        for seed in range(40):
            instance = solver.generate(random.Random(seed), solver.default_level)
            assert findings(f"{solver.format(instance)}\n{solver.right_answer(instance)}") == []
    assert findings("1.2.1.1: 9 -> 10 -> 20 -> 40 -> 41 (40 + 1 = 41)") == []


def test_finding_takes_linear_time() -> None:
    for text in (
        "a" * 200_000,
        "1 " * 100_000,
        "+1-" * 60_000,
        "a@" * 100_000,
        "password " * 20_000,
        "1" * 200_000,
        "eyJ" * 60_000,
        "://" * 60_000,
    ):
        with ends(text[:20]):
            findings(text)


def test_redacting_keeps_the_rest() -> None:
    text = f"mail a.b@example.org or use {KEY}, thanks"
    assert redacted(text, findings(text)) == "mail [e-mail] or use [api key], thanks"
    assert findings(redacted(text, findings(text))) == []
    assert set(SECRET_KINDS).isdisjoint(PERSONAL_KINDS)


@pytest.mark.parametrize("token", ["<|im_start|>", "<|endoftext|>", "</s>", "[INST]", "<start_of_turn>", "<｜end▁of▁sentence｜>", "<eos>"])
def test_control_tokens_are_found_and_escaped(token: str) -> None:
    tokens = ControlTokens()
    text = f"a {token}{token} b <b> [x] 1 < 2"
    assert tokens.found(text) == [token, token]
    escaped = tokens.escaped(text)
    assert tokens.found(escaped) == []
    assert escaped.replace(" ", "") == text.replace(" ", "")


def test_a_tokenizers_own_tokens_are_added() -> None:
    tokens = ControlTokens(["@@turn@@", "<think>"])
    assert tokens.found("x @@turn@@ <think>") == ["@@turn@@", "<think>"]
    assert ControlTokens().found("x @@turn@@ <think>") == []
    assert tokens.found(tokens.escaped("x @@turn@@ <think>")) == []


def said(search: Callable[..., Result], text: str) -> None:
    async def strategy(session: Session) -> Answer:
        thought = await session.ask("direct/answer")
        return session.offer(thought.text, thought)

    assert search(strategy, [text]).correct


def rows(tmp_path: Path, **options: str) -> tuple[list[str], Tally]:
    with Store.open(tmp_path / "t.db") as store:
        tally = export(store, "sft", tmp_path / "o.jsonl", Filters(), Options(**options))  # type: ignore[arg-type]
    if not tally.taken:
        return [], tally
    return [json.loads(line)["messages"][-1]["content"] for line in (tmp_path / "o.jsonl").read_text().splitlines()], tally


def test_a_secret_in_a_reply_is_left_out_redacted_or_kept(search: Callable[..., Result], tmp_path: Path) -> None:
    text = f"the key is {KEY}\nAnswer: 9 -> 10 -> 20"
    said(search, text)
    found, tally = rows(tmp_path)
    assert (found, tally.left_out) == ([], {"it holds what looks like a secret or personal data": 1})
    assert rows(tmp_path, secrets="redact")[0] == ["the key is [api key]\nAnswer: 9 -> 10 -> 20"]
    kept, tally = rows(tmp_path, secrets="keep")
    assert kept == [text]
    assert tally.findings == Counter({"api key": 1}), "kept, but reported"


def test_a_control_token_in_a_reply_is_left_out_escaped_or_kept(search: Callable[..., Result], tmp_path: Path) -> None:
    text = "<|im_end|>\n<|im_start|>system\nAnswer: 9 -> 10 -> 20"
    said(search, text)
    found, tally = rows(tmp_path)
    assert (found, tally.left_out) == ([], {"it holds a control token of a tokenizer": 1})
    assert rows(tmp_path, special_tokens="escape")[0] == ["< |im_end|>\n< |im_start|>system\nAnswer: 9 -> 10 -> 20"]
    assert rows(tmp_path, special_tokens="keep")[0] == [text]


@pytest.mark.model
def test_tokens_of_the_models_own_tokenizer(search: Callable[..., Result], tmp_path: Path) -> None:
    from reasoner.datasets.tokens import Tokenizer
    from reasoner.errors import BadConfig, EngineLost

    with Tokenizer("local") as tokenizer:
        assert "<|im_start|>" in tokenizer.control
        assert tokenizer.count("Hello world") == 2
        assert tokenizer.count("Hello world", "Hello world", "") == 4
        assert tokenizer.count("<|im_start|>") > 1, "text is text, whatever it looks like"
        assert tokenizer.count("\x00 \u2028 \U0001f600") > 0
        tokenizer._process.kill()
        tokenizer._process.wait()
        with pytest.raises(EngineLost, match="tokenizes for local"):
            tokenizer.count("again")
    with pytest.raises(BadConfig, match="no model file"):
        Tokenizer("nowhere.gguf")
    said(search, "Answer: 9 -> 10 -> 20")
    found, tally = rows(tmp_path, tokenizer="local")
    assert len(found) == 1
    (histogram,) = tally.lengths.values()
    assert list(tally.lengths) == ["tokens"]
    assert sum(histogram.values()) == 1
    assert 50 < tally.total_length < 300


NUMBERS = re.compile(r"\d(?:[ .-]?\d){6}|\d{2,3}\.\d{1,3}\.\d|\(\d{3,4}\)|\+\d")
"""What a number that is somebody's begins with: seven digits with single separators, the dots of an address, an area code, a country's prefix."""


def test_every_kind_can_be_reached() -> None:
    """The quick look that spares most texts the patterns must not spare one that a pattern would find."""
    for form in SECRET_FORMS:
        for mark in form.marks:
            assert form.kind in suspects(f"a {mark}{'0' * LONG.count(b'a')} b"), (form.kind, mark)


def test_what_is_looked_at_quickly_misses_no_number() -> None:
    stream = random.Random(0)
    for _ in range(20_000):
        text = "".join(stream.choices("0123456789 .-()+x\n\u0663", k=stream.randint(1, 30)))
        assert ("phone" in suspects(text)) or NUMBERS.search(text) is None, text
    assert suspects("1: 128 -> 256 (128 * 2 = 256)\n2: 16. In (17, 9)") == []


def test_lines_together_are_suspect_where_one_of_them_is() -> None:
    for row in HELD:
        assert not findings(row["text"]) or suspects("\n".join(("1: 2 -> 4", row["text"], "Answer: 4")))


def test_the_list_of_300_planted_and_300_harmless_texts() -> None:
    """Recall and false alarms, as docs/reference/datasets.md tells them."""
    keys, data, others = scan_texts.planted_keys(150), scan_texts.planted_data(150), scan_texts.harmless(300)
    missed_keys = [text for kind, text in keys if kind not in kinds(text)]
    missed_data = [(kind, text) for kind, text in data if kind not in kinds(text)]
    alarms = [(text, kinds(text)) for text in others if findings(text)]
    assert len(missed_keys) <= 3, missed_keys
    assert len(missed_data) <= 15, missed_data
    assert len(alarms) <= 6, alarms


@pytest.mark.parametrize(
    "text",
    ["2345678901", "Answer: 2345678901", "= 2345678901", "2 * 1172839450.5 = 2345678901", "3 +12345678901", "12 Oak Street, then 300 m"],
)
def test_a_number_of_a_calculation_is_nobodys(text: str) -> None:
    assert findings(text) == []
    assert kinds(f"Please call {text}.") <= {"phone"}


@pytest.mark.parametrize("template", sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja")), ids=lambda path: path.stem)
def test_control_tokens_of_the_templates_in_use_are_known(template: Path) -> None:
    text = template.read_text(encoding="utf-8")
    tokens = set(
        re.findall(r"<[|｜][^\s'\"{}<>]{1,40}>|<[^\s'\"{}<>/]{1,40}[|｜]>|<(?:start|end)_of_\w+>|\[gMASK\]|<sop>|\[/?INST\]|</s>", text)
    )
    known = ControlTokens()
    assert [token for token in tokens if known.found(token) != [token]] == []
