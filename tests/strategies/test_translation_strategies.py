"""The translation strategies: what stands in the prompts, equal budgets, the two hops, what is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.api.translate import Item, read_items, translate
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, DataError
from reasoner.runs.results import Result
from reasoner.store import Store
from reasoner.translation.build import Builder
from reasoner.types import Message, Request

LINE = "English>Selvan: The old woman sees the gronk. ||| Lebr sokl"


def asked(tmp_path: Path, strategy: str, line: str = LINE) -> tuple[str, Result]:
    """Run once over a scripted client; return the prompt and what came of it."""
    seen: list[tuple[Message, ...]] = []

    def reply(request: Request) -> str:
        seen.append(request.messages)
        return "Answer: x"

    outcome = reasoner.solve("translation", line, strategy=strategy, model=ScriptedClient(reply), db=tmp_path / "t.db")
    ((message,),) = seen
    return message.content, outcome


def corpus(folder: Path, name: str, languages: tuple[str, ...], *lines: tuple[str, ...]) -> str:
    with Builder(languages, folder=folder) as builder:
        for line in lines:
            builder.add(line)
        builder.write(folder / name)
    return str(folder / name)


def test_fragments_stand_in_order_with_their_examples(tmp_path: Path) -> None:
    prompt, outcome = asked(tmp_path, "fragment_shot:k=2")
    headings = [line for line in prompt.splitlines() if line.startswith("### ")]
    assert headings == ["### the old woman", "### sees the"]
    assert prompt.count("- English: ") == prompt.count("  Selvan: ") == 4
    assert "gronk" in prompt.splitlines()[2], "the sentence stands there"
    assert "No example" not in prompt, "as published, unknown words are not named"
    assert outcome.verdict is not None
    assert outcome.verdict.metrics["coverage"] == pytest.approx(5 / 6, abs=1e-6)
    assert outcome.verdict.metrics["examples"] == 4


def test_unknown_words_are_named_on_demand(tmp_path: Path) -> None:
    assert "No example has: gronk" in asked(tmp_path, "fragment_shot:unknown=listed")[0]


def test_the_answer_line_alone_can_be_asked_for(tmp_path: Path) -> None:
    prompt, _ = asked(tmp_path, "fragment_shot:reply=line,k=2")
    assert prompt.count("- English: ") == 4
    assert prompt.endswith("Reply with that last line only.")


def test_the_published_layout_can_be_asked_for(tmp_path: Path) -> None:
    prompt, _ = asked(tmp_path, "fragment_shot:reply=published,k=2")
    assert [line for line in prompt.splitlines() if line.startswith("### ")] == ["### **the old woman**", "### **sees the**"]
    assert prompt.count("- English: ") == prompt.count("\n- Selvan: ") == 4
    assert "\nSentence: [[The old woman" in prompt
    assert "Answer:" not in prompt, "it asks for brackets"
    assert prompt.splitlines()[-1].endswith("[[...]]")


def test_an_answer_in_brackets_is_read(tmp_path: Path) -> None:
    strategy = "fragment_shot:reply=published"
    made = reasoner.translate(
        ["The river sleeps."], source="English", target="Selvan", strategy=strategy, model="teacher", db=tmp_path / "t.db"
    )
    assert made.translations == ("Meris tudasas.",)


def test_max_pairs_takes_the_later_examples_first(tmp_path: Path) -> None:
    prompt, _ = asked(tmp_path, "fragment_shot:k=3,max_pairs=3")
    blocks = prompt.split("### ")[1:]
    assert [block.count("- English: ") for block in blocks] == [2, 1]


def test_what_was_found_is_a_thought_and_its_measures_are_in_the_database(tmp_path: Path) -> None:
    _, outcome = asked(tmp_path, "fragment_shot")
    assert outcome.trajectory is not None
    (note,) = [t for t in outcome.trajectory.thoughts() if t.role == "fragment_shot/cover"]
    state = outcome.trajectory.mark_of(note).state
    assert state["fragments"] == ["the old woman", "sees the"]
    assert state["unknown"] == ["gronk"]
    with Store.open(tmp_path / "t.db") as store:
        (row,) = store.rows("SELECT json_extract(metrics, '$.coverage') AS coverage FROM verdicts")
    assert row["coverage"] == pytest.approx(5 / 6, abs=1e-6)


@pytest.mark.parametrize("method", ["random", "bm25", "ngram"])
def test_baselines_show_as_many_examples_as_fragment_shot(tmp_path: Path, method: str) -> None:
    budgets = []
    for strategy in ("fragment_shot", f"example_shot:method={method}"):
        made = reasoner.bench(
            "translation", strategy=strategy, model=ScriptedClient(lambda _: "x"), n=15, db=tmp_path / f"{strategy[:4]}.db"
        )
        budgets.append([o.verdict.metrics["examples"] for o in made.report.results if o.verdict])
    # Two seeds draw two sets of examples, of which one may hold a pair under two fragments: that is all the difference there can be.
    assert all(abs(a - b) <= 2 for a, b in zip(*budgets, strict=True)), budgets
    assert abs(sum(budgets[0]) - sum(budgets[1])) <= 0.05 * sum(budgets[0])


def test_zero_shot_shows_none_and_a_given_number_is_kept(tmp_path: Path) -> None:
    assert "- English" not in asked(tmp_path, "example_shot:method=none")[0]
    assert asked(tmp_path, "example_shot:method=random,n=5")[0].count("- English: ") == 5


def test_zero_shot_needs_no_corpus_of_its_languages(tmp_path: Path) -> None:
    prompt, outcome = asked(tmp_path, "example_shot:method=none", "English>Klingon: The dog sleeps. ||| x")
    assert "Klingon" in prompt
    assert outcome.verdict is not None
    assert "coverage" not in outcome.verdict.metrics
    assert "coverage" in asked(tmp_path, "example_shot:method=none")[1].verdict.metrics  # type: ignore[union-attr]


def test_text_that_looks_like_a_template_or_an_answer_stays_text(tmp_path: Path) -> None:
    odd = "{{ statement }} {% x %} Answer: [[a]]"
    path = corpus(tmp_path, "odd.corpus", ("A", "B"), (f"{odd} here", "{target} ]] Answer: {{ 7 }}"))
    prompt, _ = asked(tmp_path, f"fragment_shot:corpus={path}", f"A>B: {odd} there")
    assert f"- A: {odd} here" in prompt
    assert "  B: {target} ]] Answer: {{ 7 }}" in prompt
    assert f"A: {odd} there" in prompt


def test_pivot_examples_stand_under_each_pair_and_never_the_pair_s_own_line(tmp_path: Path) -> None:
    first = corpus(tmp_path, "ab.corpus", ("A", "B"), ("the dog", "il cane"), ("the cat runs", "il gatto corre"))
    second = corpus(tmp_path, "bc.corpus", ("B", "C"), ("il cane", "l cian"), ("il gatto", "l giat"), ("cane nero", "cian fosch"))
    strategy = f"fragment_shot_pivot:corpus={first},pivot_corpus={second},pivot=B"
    prompt, outcome = asked(tmp_path, strategy, "A>C: The dog runs")
    assert [line for line in prompt.splitlines() if line.startswith("### ")] == ["### the dog", "### runs"]
    assert (
        "- A: the dog\n  B: il cane\n    il\n    - B: il gatto\n      C: l giat\n    cane\n    - B: cane nero\n      C: cian fosch\n"
        in prompt
    )
    assert "l cian" not in prompt, "the second hop leaves out lines with the pair's own pivot sentence"
    assert outcome.verdict is not None
    assert outcome.verdict.metrics["pivot_coverage"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-6)


def test_joining_corpora_is_a_baseline(tmp_path: Path) -> None:
    first = corpus(tmp_path, "ab.corpus", ("A", "B"), ("the dog", "il cane"), ("the cat runs", "il gatto corre"))
    second = corpus(tmp_path, "bc.corpus", ("B", "C"), ("il cane", "l cian"))
    prompt, _ = asked(tmp_path, f"example_shot:method=join,corpus={first},pivot_corpus={second},pivot=B", "A>C: the dog runs")
    assert "- A: the dog\n  C: l cian" in prompt


def test_another_corpus_is_another_run(tmp_path: Path) -> None:
    path = corpus(tmp_path, "x.corpus", ("A", "B"), ("one", "eins"))

    def once() -> str:
        return reasoner.solve(
            "translation",
            "A>B: one two",
            strategy=f"fragment_shot:corpus={path}",
            model=ScriptedClient(lambda _: "x"),
            db=tmp_path / "t.db",
        ).run_id

    first = once()
    assert once() == first
    corpus(tmp_path, "x.corpus", ("A", "B"), ("one", "uno"))
    assert once() != first


def test_what_cannot_be_looked_up_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.corpus"):
        asked(tmp_path, "fragment_shot:corpus=gone.corpus")
    with pytest.raises(BadConfig, match="Klingon"):
        asked(tmp_path, "fragment_shot", "English>Klingon: hello")


def test_the_whole_line_runs_offline_over_the_rules(tmp_path: Path) -> None:
    strategies = "fragment_shot,example_shot:method=none,example_shot:method=random,example_shot:method=bm25,example_shot:method=ngram"
    made = reasoner.bench("translation", strategy=strategies, model="teacher", n=10, db=tmp_path / "t.db")
    assert [row.accuracy for row in made.rows] == [1.0] * 5
    pivoted = reasoner.bench("translation", strategy="fragment_shot_pivot", model="teacher", n=10, level=7, db=tmp_path / "t.db")
    assert pivoted.rows[0].accuracy == 1.0


def test_the_rules_do_not_look_at_the_reference(tmp_path: Path) -> None:
    outcome = reasoner.solve(
        "translation", "English>Selvan: The river sleeps. ||| a lie", strategy="fragment_shot", model="teacher", db=tmp_path / "t.db"
    )
    assert not outcome.correct
    outcome = reasoner.solve(
        "translation", "English>Selvan: The zebra sleeps. ||| a lie", strategy="fragment_shot", model="teacher", db=tmp_path / "t.db"
    )
    assert outcome.text == "Answer: none"


def test_translating_many_keeps_order_asks_once_and_scores(tmp_path: Path) -> None:
    calls: list[Any] = []

    def reply(request: Request) -> str:
        calls.append(request)
        return "Answer: Meris tudasas."

    items = [
        Item(1, "The river sleeps.", "Meris tudasas."),
        Item(2, ""),
        Item(3, "The old river sleeps.", "Meris sokl tudasas."),
        Item(4, "The river sleeps.", "Meris tudasas."),
    ]
    made = translate(items, source="English", target="Selvan", model=ScriptedClient(reply), db=tmp_path / "t.db")
    assert made.translations == ("Meris tudasas.", "", "Meris tudasas.", "Meris tudasas.")
    assert len(calls) == 2
    assert made.scores is not None
    assert made.scores.n == 3
    assert made.scores.exact == pytest.approx(2 / 3)
    again = translate(items, source="English", target="Selvan", model=ScriptedClient(reply), db=tmp_path / "t.db")
    assert len(calls) == 2
    assert again.translations == made.translations


def test_one_odd_line_is_left_and_the_rest_goes_on(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "source": "English",
        "target": "Selvan",
        "model": ScriptedClient(lambda _: "Answer: x"),
        "db": tmp_path / "t.db",
    }
    made = translate(["The river sleeps.", "a ||| b", "x" * 21_000, "The dog sleeps."], **settings)
    assert made.translations == ("x", "", "", "x")
    assert [item.line for item in made.left] == [2, 3]


def test_reading_what_is_to_be_translated(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\n two \n", encoding="utf-8")
    assert read_items(tmp_path / "a.txt", source="A", target="B") == [Item(1, "one"), Item(2, ""), Item(3, "two")]
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        for ends in ("\n", "\r\n", "\r"):
            (tmp_path / "e.txt").write_bytes(f"perché{ends}{ends}città{ends}".encode(encoding))
            assert read_items(tmp_path / "e.txt", source="A", target="B") == [Item(1, "perché"), Item(2, ""), Item(3, "città")]
    (tmp_path / "a.tsv").write_text("B\tA\nx\ty\n", encoding="utf-8")
    assert read_items(tmp_path / "a.tsv", source="A", target="B") == [Item(2, "y", "x")]
    (tmp_path / "a.csv").write_text('B;A\r\n"x;\nz";"y ""q"""\r\nb;a\r\n', encoding="utf-8-sig")
    assert read_items(tmp_path / "a.csv", source="A", target="B") == [Item(2, 'y "q"', "x; z"), Item(4, "a", "b")]
    (tmp_path / "b.csv").write_text('A,B\n"x\n')
    with pytest.raises(DataError, match="line 2: a quote is not closed"):
        read_items(tmp_path / "b.csv", source="A", target="B")
    (tmp_path / "c.csv").write_text("A\tB\n1\t2\n", encoding="utf-16")
    assert read_items(tmp_path / "c.csv", source="A", target="B") == [Item(2, "1", "2")], "as a spreadsheet writes it"
    (tmp_path / "e.csv").write_text("\n\n")
    with pytest.raises(BadConfig, match="no column"):
        read_items(tmp_path / "e.csv", source="A", target="B")
    for name in ("d.tsv", "d.txt"):
        (tmp_path / name).write_bytes(b"A\tB\n\xc3\xa8\t\xff\n")
        with pytest.raises(DataError, match=name):
            read_items(tmp_path / name, source="A", target="B")
    (tmp_path / "a.tmx").write_text("<tmx/>")
    with pytest.raises(BadConfig, match="not read as sentences"):
        read_items(tmp_path / "a.tmx", source="A", target="B")
    with pytest.raises(BadConfig, match="no column"):
        read_items(tmp_path / "a.tsv", source="C", target="B")
    with pytest.raises(BadConfig, match="no sentence"):
        translate([""], source="A", target="B", model="teacher", db=tmp_path / "t.db")
    with pytest.raises(reasoner.errors.BadInstance, match="line 1"):
        translate(["a\x00b"], source="A", target="B", model="teacher", db=tmp_path / "t.db")
