"""The scripted client: order, running out, left-overs, script files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from reasoner.clients import ClientOptions, open_client
from reasoner.clients.scripted import ScriptedClient, read_script
from reasoner.errors import CorruptRecord, MissingAsset, ServerFailed, UsageError
from reasoner.types import Client, Completion, Message, Request, Usage


def ask(client: Client, text: str = "a question") -> Completion:
    return asyncio.run(_complete(client, Request((Message("user", text),))))


async def _complete(client: Client, request: Request) -> Completion:
    return await client.complete(request)


def test_gives_strings_completions_and_errors_in_order() -> None:
    whole = Completion("cut o", finish_reason="length", usage=Usage(9, 9), model="other")
    client = ScriptedClient(["two words", whole, ServerFailed("down")], name="double", paid=True)
    assert isinstance(client, Client)
    assert ask(client) == Completion("two words", usage=Usage(2, 2), model="double")
    assert ask(client) is whole
    with pytest.raises(ServerFailed, match="down"):
        ask(client)
    assert [r.messages[0].content for r in client.requests] == ["a question"] * 3
    client.assert_done()
    assert (client.paid, client.concurrency) == (True, 1)


def test_a_function_of_the_request_never_runs_out() -> None:
    client = ScriptedClient(lambda request: request.messages[0].content.upper())
    assert [ask(client, t).text for t in ("a", "b")] == ["A", "B"]
    client.assert_done()


def test_running_out_says_which_request_and_what_was_asked() -> None:
    client = ScriptedClient(["one"])
    ask(client)
    with pytest.raises(UsageError, match=r"no reply left for request 2: 'the question'.*holds 1"):
        ask(client, "the question")


def test_left_over_replies_are_an_error_on_a_clean_exit() -> None:
    async def main() -> None:
        async with ScriptedClient(["one", "two"]):
            pass

    with pytest.raises(UsageError, match=r"2 of 2 replies left over.*'one'"):
        asyncio.run(main())


def test_left_over_replies_do_not_hide_the_first_error() -> None:
    async def main() -> None:
        async with ScriptedClient(["one", "two"]) as client:
            try:
                raise ZeroDivisionError
            finally:
                await client.aclose()

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


def test_fingerprint_follows_the_script() -> None:
    assert ScriptedClient(["a", "b"]).fingerprint == ScriptedClient(["a", "b"]).fingerprint
    assert ScriptedClient(["a", "b"]).fingerprint != ScriptedClient(["ab"]).fingerprint


def test_a_script_file_is_opened_by_name(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('"Answer: 24"\n\n{"text": "cut\\no", "finish_reason": "length"}\n')
    client = open_client(f"scripted:{path}", ClientOptions())
    assert client.name == "scripted:replies.jsonl"
    assert ask(client).text == "Answer: 24"
    second = ask(client)
    assert (second.text, second.finish_reason) == ("cut\no", "length")


@pytest.mark.parametrize(
    "line", ["{", "12", "null", '{"txt": "a"}', '{"text": 1}', '{"text": "a", "finish_reason": "ok"}', "[" * 5000, '"\xff"']
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_bytes(b'"fine"\n' + line.encode("latin-1") + b"\n")
    with pytest.raises(CorruptRecord) as caught:
        open_client(f"scripted:{path}")
    assert f"{path}, line 2: " in str(caught.value)


def test_a_missing_file_or_name_is_said(tmp_path: Path) -> None:
    with pytest.raises(MissingAsset, match=r"none\.jsonl"):
        open_client(f"scripted:{tmp_path / 'none.jsonl'}")
    with pytest.raises(UsageError, match="scripted:FILE"):
        open_client("scripted:")


def test_a_script_can_give_log_probabilities(tmp_path: Path) -> None:
    path = tmp_path / "replies.jsonl"
    path.write_text('{"text": "Answer: 24", "mean_logprob": -0.31}\n')
    (reply,) = read_script(path)
    assert isinstance(reply, Completion)
    assert reply.mean_logprob == -0.31
    path.write_text('{"text": "Answer: 24", "mean_logprob": NaN}\n')
    with pytest.raises(CorruptRecord):
        read_script(path)
