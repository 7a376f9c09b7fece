"""Sentences that stand before the one to translate: what is shown, what gives way where it does not fit, and that no answer changes a question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import reasoner
from reasoner.api.documents import translate_document
from reasoner.api.translate import Item, translate
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, ContextTooLong
from reasoner.runs.problems import problem_from_line
from reasoner.store import Store
from reasoner.strategies._parts import in_context
from reasoner.strategies._translating import Question, Sentence
from reasoner.translation.build import Builder
from reasoner.types import Request

TEXT = ["The dog eats.", "It rains.", "", "The river sleeps.", "She sees it."]
HEAD = "In the text these sentences stand before"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("context")
    with Builder(("English", "Selvan"), folder=folder) as builder:
        for line in (("The dog eats.", "Ga lo."), ("The river sleeps in the house.", "Meris tudasas ka."), ("She sees the dog.", "Vi ga.")):
            builder.add(line)
        for n in range(60):
            builder.add((f"The number {n} is in the house of the queen w{n % 20}.", f"Nu {n} ka."))
        builder.write(folder / "c.corpus")
    return str(folder / "c.corpus")


def how(corpus: str, tmp_path: Path, strategy: str = "fragment_shot", **more: Any) -> dict[str, Any]:
    written = f"{strategy}{',' if ':' in strategy else ':'}corpus={corpus}"
    return {"source": "English", "target": "Selvan", "strategy": written, "db": tmp_path / "t.db", **more}


def prompts(client: ScriptedClient) -> dict[str, str]:
    """The prompts by the sentence that each asks for."""
    found = {}
    for request in client.requests:
        text = request.messages[-1].content
        sentence = (
            text.split("Sentence: [[")[1].split("]]")[0]
            if "[[" in text
            else text.split("from English into Selvan.\n\nEnglish: ")[1].split("\n")[0]
        )
        found[sentence] = text
    return found


def shown(prompt: str) -> list[str]:
    if HEAD not in prompt:
        return []
    lines = prompt.split(HEAD)[1].split("\n\n")[1].splitlines()
    return [line.strip().removeprefix("- ") for line in lines]


@pytest.mark.parametrize(
    "strategy", ["fragment_shot", "fragment_shot:reply=line", "fragment_shot:reply=published", "example_shot:method=none", "direct"]
)
def test_the_sentences_before_are_shown_by_every_strategy_the_nearest_last(tmp_path: Path, corpus: str, strategy: str) -> None:
    client = ScriptedClient(lambda _: "Answer: x")
    made = how(corpus, tmp_path, strategy, memory="off") if strategy != "direct" else how(corpus, tmp_path)
    made["strategy"] = strategy if strategy == "direct" else f"{made['strategy']},memory=off"
    made.pop("memory", None)
    translate(TEXT, **made, model=client, context=2)
    found = prompts(client)
    assert {sentence: shown(prompt) for sentence, prompt in found.items()} == {
        "The dog eats.": [],
        "It rains.": ["English: The dog eats."],
        "The river sleeps.": ["English: The dog eats.", "English: It rains."],
        "She sees it.": ["English: It rains.", "English: The river sleeps."],
    }
    without = ScriptedClient(lambda _: "Answer: x")
    translate(TEXT, **(made | {"db": tmp_path / "u.db"}), model=without)
    assert HEAD not in "".join(prompts(without).values())


def test_no_answer_changes_what_another_sentence_is_asked(tmp_path: Path, corpus: str) -> None:
    one, other = ScriptedClient(lambda r: f"Answer: {r.seed}"), ScriptedClient(lambda _: "Answer: y")
    translate(TEXT, **how(corpus, tmp_path), model=one, context=3, concurrency=1)
    translate(TEXT, **how(corpus, tmp_path, db=tmp_path / "u.db"), model=other, context=3, concurrency=4)
    assert prompts(one) == prompts(other)


def test_an_interrupted_run_goes_on_and_a_finished_one_asks_nothing(tmp_path: Path, corpus: str) -> None:
    asked: list[str] = []

    def reply(request: Request) -> str:
        asked.append(request.messages[-1].content)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return "Answer: x"

    settings = how(corpus, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        translate(TEXT, **settings, model=ScriptedClient(reply), context=2, concurrency=1)
    client = ScriptedClient(lambda _: "Answer: x")
    made = translate(TEXT, **settings, model=client, context=2, concurrency=1)
    assert made.translations == ("Ga lo.", "x", "", "x", "x")
    assert asked[0] not in [r.messages[-1].content for r in client.requests]
    never = ScriptedClient(lambda _: "Answer: other")
    again = translate(TEXT, **settings, model=never, context=2)
    assert (again.translations, again.report.run_id, never.requests) == (made.translations, made.report.run_id, [])
    another = translate(TEXT, **settings, model=ScriptedClient(lambda _: "Answer: z"), context=1)
    assert another.report.run_id != made.report.run_id, "another context is another run"
    with Store.read(tmp_path / "t.db") as store:
        instances = store.tuples("SELECT instance FROM problems WHERE instance LIKE '%She sees it%'")
    assert any('"before":[{"source":"It rains.","target":""},{"source":"The river sleeps.","target":""}]' in row[0] for row in instances)


def test_memory_and_fragments_are_as_without(tmp_path: Path, corpus: str) -> None:
    client = ScriptedClient(lambda _: "Answer: x")
    results = [translate(TEXT, **how(corpus, tmp_path), model=client, context=n) for n in (0, 2)]
    assert [made.from_memory for made in results] == [(True, False, False, False, False)] * 2
    covers = [
        [thought.text for outcome in made.outcomes if outcome and outcome.trajectory for thought in outcome.trajectory.thoughts() if thought.role.endswith("/cover")]
        for made in results
    ]  # fmt: skip
    assert covers[0] == covers[1]
    assert len(covers[0]) == 3


class Narrow(ScriptedClient):
    """Refuses prompts of more characters."""

    def __init__(self, chars: int) -> None:
        super().__init__(self._reply, name="narrow")
        self.chars = chars

    def _reply(self, request: Request) -> str:
        if len(request.messages[-1].content) > self.chars:
            raise ContextTooLong("too long")
        return "Answer: x"


@pytest.mark.parametrize("strategy", ["fragment_shot", "fragment_shot:reply=published", "example_shot:method=bm25"])
def test_what_does_not_fit_is_left_out_of_what_is_asked(tmp_path: Path, corpus: str, strategy: str) -> None:
    line = (
        "English>Selvan: The number 3 is in the house of the queen w4. |||  ||| before: It rains. ||| before: The dog eats. ||| as: Ga lo."
    )
    settings = how(corpus, tmp_path, strategy)
    whole, small = Narrow(10**6), Narrow(1100)
    for name, client in (("w.db", whole), ("s.db", small)):
        reasoner.solve("translation", line, strategy=f"{settings['strategy']},memory=off", model=client, db=tmp_path / name)
    assert shown(whole.requests[0].messages[-1].content) == ["English: It rains.", "English: The dog eats.", "Selvan: Ga lo."]
    asked = small.requests[-1].messages[-1].content
    assert len(asked) <= 1100
    assert "English: The number 3 is in the house of the queen w4." in asked.replace("[[", "English: ")
    replayed = Narrow(1)
    again = reasoner.solve(
        "translation", line, strategy=f"{settings['strategy']},memory=off", model=replayed, db=tmp_path / "s.db", mode="recheck"
    )
    assert (again.text, replayed.requests) == ("Answer: x", [])


def test_sentences_before_go_after_second_examples_and_before_first_ones_the_farthest_first() -> None:
    before = tuple({"source": text, "target": ""} for text in "abc")
    sentence = Sentence("s", "English", "Selvan", is_scored=False, before=before)
    session: Any = SimpleNamespace(render=lambda _, **variables: "".join(each["source"] for each in variables["before"]) or "-")
    question = Question("t", session, [{"n": n} for n in (4, 3, 2, 1, 0)], [4, 3, 2, 1, 0], kept=2, room=0)
    forms, counts = in_context(session, sentence, question)
    assert [(form["n"], form.get("statement", "all")) for form in forms] == [
        (4, "all"), (3, "all"), (2, "all"), (2, "bc"), (2, "c"), (2, "-"), (1, "-"), (0, "-"),
    ]  # fmt: skip
    assert counts == [form["n"] for form in forms]
    forms, counts = in_context(session, replace(sentence, before=()), question)
    assert ([form["n"] for form in forms], counts) == ([4, 3, 2, 1, 0], [4, 3, 2, 1, 0])
    assert not any("statement" in form for form in forms), "it is the problem's own"


OWN = """+++
version = 1
variables = ["sentence", "before", "marker"]
+++
{% block user %}
<<{{ sentence }}>>{% for each in before %} after {{ each.source }}{% endfor %} {{ marker }}
{% endblock %}
"""


def test_a_template_of_ones_own_takes_the_sentence_where_its_head_names_it(tmp_path: Path, corpus: str) -> None:
    (tmp_path / "prompts" / "fragment_shot").mkdir(parents=True)
    (tmp_path / "prompts" / "fragment_shot" / "line.jinja").write_text(OWN)
    client = ScriptedClient(lambda _: "Answer: x")
    translate(
        ["The dog eats.", "She sees {1}."],
        **how(corpus, tmp_path, "fragment_shot:reply=line,memory=off"),
        prompts=tmp_path / "prompts",
        model=client,
        context=1,
    )
    said = [request.messages[-1].content.strip() for request in client.requests]
    assert said == ["<<The dog eats.>>", "<<She sees {1}.>> after The dog eats. {1}"]


def test_problems_without_context_keep_their_ids() -> None:
    assert problem_from_line("translation", "English>Selvan: The river sleeps.").id == "a0572e7f477892a7"
    assert problem_from_line("translation", "English>Selvan: The river sleeps. ||| Meris tudasas.").id == "8c443474da327b3e"


@pytest.mark.parametrize("n", [-1, 21])
def test_a_context_out_of_bounds_is_refused(tmp_path: Path, corpus: str, n: int) -> None:
    with pytest.raises(BadConfig, match="between 0 and 20"):
        translate(TEXT, **how(corpus, tmp_path), model=ScriptedClient([]), context=n)


def test_a_sentence_that_cannot_be_asked_is_not_shown_either(tmp_path: Path, corpus: str) -> None:
    client = ScriptedClient(lambda _: "Answer: x")
    made = translate(
        [Item(1, "odd ||| line"), Item(2, "Open {1} now {2}."), Item(3, "She sees it.")], **how(corpus, tmp_path), model=client, context=2
    )
    assert [item.line for item in made.left] == [1]
    assert shown(prompts(client)["She sees it."]) == ["English: Open now ."]


PO = 'msgid ""\nmsgstr "Language: it\\n"\n\nmsgid "One"\nmsgstr "Un"\n\n#, fuzzy\nmsgid "Two"\nmsgstr "In doubt"\n\nmsgid "She %s sees"\nmsgstr ""\n\nmsgid "Three"\nmsgstr "Trei"\n\nmsgid "It rains"\nmsgstr ""\n'
XLIFF = (
    '<xliff version="1.2"><file><body>'
    '<trans-unit id="1"><source>One <g id="1">x</g></source><target state="final">Un <g id="1">y</g></target></trans-unit>'
    '<trans-unit id="2"><source>Two</source><target state="needs-review-translation">In doubt</target></trans-unit>'
    '<trans-unit id="3"><source>She sees</source></trans-unit>'
    '<trans-unit id="4" translate="no"><source>Three</source></trans-unit>'
    '<trans-unit id="5"><source>It rains</source></trans-unit></body></file></xliff>'
)
TMX = (
    '<tmx version="1.4"><header srclang="en"/><body>'
    '<tu><tuv xml:lang="en"><seg>One</seg></tuv><tuv xml:lang="se"><seg>Un</seg></tuv></tu>'
    '<tu><tuv xml:lang="en"><seg>She sees</seg></tuv></tu><tu><tuv xml:lang="en"><seg>It rains</seg></tuv></tu></body></tmx>'
)
CSV = "English;Selvan\nOne;Un\nShe sees;\nIt rains;\n"


@pytest.mark.parametrize(
    ("name", "text", "first", "second"),
    [
        (
            "a.po",
            PO,
            ["English: One", "Selvan: Un", "English: Two"],
            ["English: Two", "English: She sees", "English: Three", "Selvan: Trei"],
        ),
        ("a.xlf", XLIFF, ["English: One x", "Selvan: Un y", "English: Two"], ["English: Two", "English: She sees", "English: Three"]),
        ("a.tmx", TMX, ["English: One", "Selvan: Un"], ["English: One", "Selvan: Un", "English: She sees"]),
        ("a.csv", CSV, ["English: One", "Selvan: Un"], ["English: One", "Selvan: Un", "English: She sees"]),
    ],
)
def test_a_file_shows_the_translations_that_it_has_where_nobody_doubts_them(
    tmp_path: Path, corpus: str, name: str, text: str, first: list[str], second: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    client = ScriptedClient(lambda _: "Answer: x")
    more: dict[str, Any] = {"column": "Selvan"} if name == "a.csv" else {"codes": "en:se"} if name == "a.tmx" else {}
    translate_document(tmp_path / name, **how(corpus, tmp_path), **more, model=client, context=3)
    assert [shown(prompt) for prompt in prompts(client).values()] == [first, second]
