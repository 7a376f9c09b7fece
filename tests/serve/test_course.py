"""The course of a trajectory in time: what ran when, and what was said, each message once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from stores import grow

import reasoner
from reasoner.serve import course
from reasoner.serve.course import timeline_values, transcript_values
from reasoner.serve.settings import Settings
from reasoner.serve.templating import money, seconds
from reasoner.serve.thought_facts import thought_facts
from reasoner.serve.trajectory_page import trajectory_values
from reasoner.serve.viewer import Viewer
from reasoner.store import Store
from reasoner.store.queries import load_trajectory


@pytest.fixture
def acted(tmp_path: Path) -> tuple[Path, str]:
    """A trajectory that asked a database and then gave its answer."""
    made = reasoner.bench("sql_explore", strategy="react", model="teacher", n=1, db=tmp_path / "t.db")
    return tmp_path / "t.db", made.report.results[0].trajectory_id


def page(store: Store, trajectory: str, view: str) -> str:
    scope = {"type": "http", "path_params": {"trajectory": trajectory}, "query_string": f"view={view}".encode(), "headers": []}
    return bytes(Viewer(store, Settings("t" * 32)).trajectory(Request(scope)).body).decode()


def test_calls_and_actions_stand_in_the_order_they_were_begun(acted: tuple[Path, str]) -> None:
    db, found = acted
    with Store.read(db) as store:
        shown = timeline_values(store, found, page=0)
        assert [(row["kind"], row["name"]) for row in shown["rows"]] == [
            ("call", "react/native"), ("action", "sql"), ("call", "react/native"), ("action", "submit"),
        ]  # fmt: skip
        assert (shown["n"], shown["more"], shown["pauses"]) == (4, False, 0)
        begins = [row["begin"] for row in shown["rows"]]
        assert begins == sorted(begins)
        assert begins[0] == 0
        assert all(row["x"] >= 0 and row["x"] + row["width"] <= course.WIDTH + 4 for row in shown["rows"])
        thoughts = {thought.id for thought in load_trajectory(store, found).thoughts()}
        assert {row["thought"] for row in shown["rows"]} <= thoughts
        text = page(store, found, "timeline")
        assert text.count('class="ran"') == 4
        assert 'aria-current="page">Timeline' in text
        assert "data-trajectory" not in text, "no tree is read for it"


def test_a_message_stands_once_in_a_transcript(acted: tuple[Path, str]) -> None:
    db, found = acted
    with Store.read(db) as store:
        turns = transcript_values(store, found, page=0)["turns"]
        assert [turn["earlier"] for turn in turns] == [0, 0, 2, 0]
        assert [message["role"] for message in turns[0]["asked"]] == ["system", "user"]
        assert [message["role"] for message in turns[2]["asked"]] == ["assistant", "tool"]
        assert turns[0]["tool_calls"][0][0] == "sql"
        assert turns[1]["reply"] == turns[2]["asked"][1]["text"]
        assert page(store, found, "transcript").count("2 messages as in the call before") == 1


def test_pages_of_a_course_are_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course, "ROWS", 7)
    monkeypatch.setattr(course, "SAID", 7)
    found = reasoner.solve("game24", "4 9 10 13", strategy="tot:breadth=1", model="teacher", db=tmp_path / "t.db").trajectory_id
    with Store.read(tmp_path / "t.db") as store:
        seen: list[int] = []
        for number in range(1000):
            shown = timeline_values(store, found, page=number)
            assert [turn["id"] for turn in transcript_values(store, found, page=number)["turns"]] == [row["id"] for row in shown["rows"]]
            seen += [row["id"] for row in shown["rows"]]
            if not shown["more"]:
                break
        assert sorted(seen) == [row["id"] for row in store.rows("SELECT id FROM calls WHERE trajectory_id = ? ORDER BY id", (found,))]
        assert timeline_values(store, found, page=10**6)["rows"] == []


def test_a_pause_is_cut_short(acted: tuple[Path, str]) -> None:
    db, found = acted
    with Store.open(db) as store:
        store.write_now(
            lambda c: c.execute("UPDATE actions SET created = '2999-01-01T00:00:00.000+00:00', finished = '2999-01-01T00:00:02.000+00:00'"
                                " WHERE tool = 'submit'")
        )  # fmt: skip
        shown = timeline_values(store, found, page=0)
        assert shown["pauses"] == 1
        assert shown["rows"][-1]["begin"] < 3
        assert shown["wall"] > 10**9


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    text = "</pre><script>window.pwned=1</script>"
    found = grow(tmp_path / "x.db", 12, [text, f"{text}2"], label=text)
    with Store.read(tmp_path / "x.db") as store:
        for view in ("timeline", "transcript", "tree"):
            shown = page(store, found, view)
            assert "&lt;script&gt;" in shown
            assert "<script>window" not in shown


def test_prompt_reply_and_verdict_come_first_and_settings_are_rounded(tmp_path: Path) -> None:
    made = reasoner.solve("number_path", "3 4 11", strategy="cot", model="teacher", db=tmp_path / "t.db")
    with Store.read(tmp_path / "t.db") as store:
        shown = trajectory_values(store, made.trajectory_id)
        assert shown is not None
        facts = thought_facts(store, made.trajectory_id, shown["row"]["answer_thought"])
        assert facts is not None
        titles = [part["title"] for part in facts["parts"]]
        assert titles[0] == "Prompt: user"
        assert titles.index("Reply") < titles.index("Verdict")
        assert facts["parts"][-1]["text"].startswith("right: ")
        settings: dict[str, Any] = dict(facts["settings"])
        assert settings["Sampling"].startswith("max tokens 1024, ")
        assert not {"Retries", "Cached tokens", "Usage"} & set(settings), "what says nothing is left out"
        assert dict(facts["figures"])["Time"].endswith("ms")


def test_numbers_are_written_for_readers() -> None:
    assert [seconds(value) for value in (None, 0.0011, 0.4, 7.12, 83.0, 7384.0)] == [
        "–",
        "1 ms",
        "0.40 s",
        "7.1 s",
        "1 min 23 s",
        "2 h 3 min",
    ]
    assert [money(value) for value in (None, 0.0, 0.00012, 1.5)] == ["–", "$0", "$0.00012", "$1.50"]
