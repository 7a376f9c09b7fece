"""Sentences that do not fit: cut at clauses, asked one after the other, joined, told; resumed and replayed without asking anything twice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.api.documents import translate_document
from reasoner.api.replay import replay
from reasoner.api.review import review
from reasoner.api.translate import translate
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import ClientError, ContextTooLong
from reasoner.runs.results import Result
from reasoner.strategies._parts import ended_like
from reasoner.translation.build import Builder
from reasoner.types import Completion, Request, Usage

CLAUSE = "the old woman of the king sees the river in which w{} sleeps"
STRATEGIES = [
    "fragment_shot",
    "fragment_shot:reply=line",
    "fragment_shot:reply=published",
    "example_shot:method=bm25",
    "example_shot:method=none",
]
LETTERS = str.maketrans("aeiou", "oiuea")
ASKED = re.compile(r"(?:from English into Selvan\.\n\nEnglish: |Sentence: \[\[)(.*?)(?:\]\])?\n")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("parts")
    with Builder(("English", "Selvan"), folder=folder) as builder:
        for n in range(40):
            builder.add((f"The woman w{n} sees the river of the king.", f"Le {n} me."))
        builder.write(folder / "p.corpus")
    return str(folder / "p.corpus")


class Narrow(ScriptedClient):
    """Takes three characters (or a wide one) for a token, refuses what leaves no room, and answers with the sentence in capitals, each with a sign."""

    def __init__(self, context: int = 4096, *, stops_at: int = 0) -> None:
        super().__init__(self.reply, name="narrow")
        self.context, self.stops_at = context, stops_at
        self.asked: list[str] = []
        self.refused = 0

    def reply(self, request: Request) -> str:
        text = request.messages[-1].content
        n = sum(3 if ord(c) > 0x3000 else 1 for c in text) // 3
        if n + max(1, min(request.room, self.context // 3)) > self.context:
            self.refused += 1
            raise ContextTooLong("too long", prompt_tokens=n, context_tokens=self.context)
        (sentence,) = ASKED.findall(text)
        self.asked.append(sentence)
        if len(self.asked) == self.stops_at:
            raise ClientError("the connection broke")
        return f"[[{said(sentence)}]]" if "double square brackets" in text else f"Answer: {said(sentence)}"


def said(sentence: str) -> str:
    """Sentences as the client translates them: other letters, markers kept."""
    return "".join(piece if piece.startswith("{") else piece.translate(LETTERS) for piece in re.split(r"(\{\d+\})", sentence))


def words(n: int, *, signs: bool = True) -> str:
    clauses = [CLAUSE.format(at) for at in range(n // 13 + 1)]
    return " ".join((", and " if signs else " ").join(clauses).split()[:n])


def solve(db: Path, strategy: str, corpus: str, sentence: str, client: ScriptedClient, **more: Any) -> Result:
    written = f"{strategy}{',' if ':' in strategy else ':'}corpus={corpus},memory=off"
    return reasoner.solve("translation", f"English>Selvan: {sentence}", strategy=written, model=client, db=db, **more)


def answer(made: Result) -> str:
    return (made.answer or "").removeprefix("[[").removesuffix("]]")


LONG = {
    "120 words": (words(120), 1),
    "400 words": (words(400), 1),
    "2,000 words": (words(2000), 4),
    "1,000 words without a sign": (words(1000, signs=False), 2),
    "1,500 characters without a blank": ("河水在山谷里睡觉" * 190, 2),
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("name", LONG)
def test_a_long_sentence_is_translated_whole_at_4096(tmp_path: Path, corpus: str, strategy: str, name: str) -> None:
    sentence, least = LONG[name]
    client = Narrow()
    made = solve(tmp_path / "t.db", strategy, corpus, sentence, client)
    assert (made.status, answer(made)) == ("closed", said(sentence))
    assert made.verdict is not None
    n_parts = made.verdict.metrics.get("parts", 1)
    assert n_parts >= least
    assert n_parts == len(client.asked)
    if least == 1:
        assert client.asked == [sentence]


def test_one_giant_word_is_told(tmp_path: Path, corpus: str) -> None:
    made = solve(tmp_path / "t.db", "fragment_shot", corpus, "x" * 19_000, Narrow(1024))
    assert (made.status, made.error_kind) == ("failed", "ContextTooLong")
    assert "too long" in (made.error or "")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_parts_are_resumed_replayed_and_kept(tmp_path: Path, corpus: str, strategy: str) -> None:
    sentence, context = words(200), 470 if "published" in strategy else 320
    broken = solve(tmp_path / "t.db", strategy, corpus, sentence, Narrow(context, stops_at=3))
    assert (broken.status, broken.error) == ("failed", "the connection broke")
    client = Narrow(context)
    made = solve(tmp_path / "t.db", strategy, corpus, sentence, client)
    assert answer(made) == said(sentence)
    assert made.trajectory is not None
    parts = [thought.text for thought in made.trajectory.thoughts() if thought.role.endswith("/part")]
    leaves = [text for text in parts if not any(text != other and other in text for other in parts)]
    assert " ".join(leaves) == sentence
    assert len(client.asked) == len(leaves) - 2, "the two answers of the first process are read back"
    assert client.asked[0] == leaves[2]
    assert made.verdict is not None
    assert made.verdict.metrics["parts"] == len(leaves)
    assert replay(db=tmp_path / "t.db").exact
    never = Narrow(1)
    again = solve(tmp_path / "t.db", strategy, corpus, sentence, never, mode="recheck")
    assert (answer(again), again.verdict, never.asked, never.refused) == (answer(made), made.verdict, [], 0)


@pytest.mark.parametrize("context", [4096, 320])
def test_answers_of_other_branches_are_not_taken_for_parts(tmp_path: Path, corpus: str, context: int) -> None:
    strategy = f"self_consistency(fragment_shot:corpus={corpus},memory=off),n=3"
    line = f"English>Selvan: {words(100)}"
    broken = Narrow(context, stops_at=3)
    first = reasoner.solve("translation", line, strategy=strategy, model=broken, db=tmp_path / "t.db")
    assert first.status == "failed"
    client = Narrow(context)
    made = reasoner.solve("translation", line, strategy=strategy, model=client, db=tmp_path / "t.db")
    assert (made.status, answer(made)) == ("closed", said(words(100)))
    assert replay(db=tmp_path / "t.db").exact
    if context == 4096:
        assert set(client.asked) == {words(100)}, "a sentence that fits is asked as a whole, whatever the others have"


def test_a_reply_that_cannot_be_whole_is_not_asked_for(tmp_path: Path, corpus: str) -> None:
    client = Narrow(10**6)
    sentence = words(200)
    made = solve(tmp_path / "t.db", "fragment_shot", corpus, sentence, client, sampling=reasoner.Sampling(max_tokens=100))
    assert answer(made) == said(sentence)
    assert all(len(part.encode()) <= 400 for part in client.asked)


def test_a_part_whose_reply_is_cut_off_is_cut_again(tmp_path: Path, corpus: str) -> None:
    class Cutting(Narrow):
        async def complete(self, request: Request) -> Completion:
            made = await super().complete(request)
            return Completion(made.text[:40], "length", Usage(1, 1)) if len(self.asked[-1]) > 200 else made

    sentence = words(200)
    client = Cutting(400)
    made = solve(tmp_path / "t.db", "fragment_shot", corpus, sentence, client)
    assert answer(made) == said(sentence)
    assert made.verdict is not None
    assert made.verdict.metrics["parts"] < len(client.asked)
    assert replay(db=tmp_path / "t.db").exact


def test_a_part_that_is_refused_fails_the_sentence(tmp_path: Path, corpus: str) -> None:
    class Refusing(Narrow):
        def reply(self, request: Request) -> str:
            super().reply(request)
            return "I'm sorry, I cannot translate this." if len(self.asked) == 2 else "Answer: x"

    made = solve(tmp_path / "t.db", "fragment_shot", corpus, words(200), Refusing(512))
    assert (made.status, made.error_kind) == ("failed", "NoAnswerFound")
    assert "of one the model gave no translation" in (made.error or "")


def test_a_files_unit_is_joined_keeps_its_tags_and_is_marked(tmp_path: Path, corpus: str) -> None:
    body = words(170)
    marked = body.replace("river", '<g id="1">river</g>', 1).replace("w9", '<x id="2"/> w9', 1)
    rest = '<trans-unit id="2"><source>It rains.</source></trans-unit></body></file></xliff>'
    head = '<xliff version="1.2"><file><body>'
    (tmp_path / "a.xlf").write_text(f'{head}<trans-unit id="1"><source>{marked}</source></trans-unit>{rest}')
    settings: dict[str, Any] = {
        "source": "English",
        "target": "Selvan",
        "strategy": f"fragment_shot:corpus={corpus}",
        "db": tmp_path / "t.db",
    }
    made = translate_document(tmp_path / "a.xlf", **settings, model=Narrow(300), context=1)
    text = said(body).replace(said("river"), f'<g id="1">{said("river")}</g>', 1).replace("w9", '<x id="2"/> w9', 1)
    assert f'<target state="needs-review-translation" state-qualifier="leveraged-mt">{text}</target>' in made.data.decode()
    n = made.made.parts[0]
    assert n > 2
    assert made.doubtful == (f"line 1: it did not fit and was translated in {n} parts",)
    rows = review(made.made.report.run_id, db=tmp_path / "t.db").rows
    assert [f"it did not fit and was translated in {n} parts" in row.why for row in rows if row.sentence.startswith("the old")] == [True]


def test_a_whole_sentence_of_the_memory_is_not_cut(tmp_path: Path) -> None:
    sentence = words(300)
    with Builder(("English", "Selvan"), folder=tmp_path) as builder:
        builder.add((sentence, "Le."))
        builder.write(tmp_path / "m.corpus")
    client = Narrow(200)
    made = translate(
        [sentence],
        source="English",
        target="Selvan",
        strategy=f"fragment_shot:corpus={tmp_path / 'm.corpus'}",
        model=client,
        db=tmp_path / "t.db",
    )
    assert (made.translations, made.from_memory, client.asked, client.refused) == (("Le.",), (True,), [], 0)


@pytest.mark.parametrize(
    ("text", "source", "says"),
    [
        ("Le me.", "the woman", "Le me"), ("Le me.", "the woman,", "Le me,"), ("Le me", "the woman;", "Le me;"), ("Le me.", "the woman.", "Le me."),
        ("Le me...", "the woman", "Le me..."), ("Le me,", "the woman,", "Le me,"), ("Le 3.", "w", "Le 3"), ("", "a,", ""),
    ],
)  # fmt: skip
def test_a_part_ends_as_its_source_does(text: str, source: str, says: str) -> None:
    assert ended_like(text, source) == says
