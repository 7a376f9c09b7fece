"""Translation memory and budgets of tokens in the translation strategies: taken without a call, shown, left out; what fits, and what replays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reasoner
from reasoner.api.translate import Item, translate
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import ContextTooLong
from reasoner.runs.results import Result
from reasoner.session.context_fit import next_form
from reasoner.strategies._translating import shown, sizes
from reasoner.translation.build import Builder
from reasoner.translation.cover import Cover, Fragment, Pair
from reasoner.types import Request

METHODS = [
    "fragment_shot",
    "fragment_shot:reply=line",
    "example_shot:method=bm25",
    "example_shot:method=ngram",
    "example_shot:method=random",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("memory")
    with Builder(("English", "Selvan"), folder=folder) as builder:
        for line in (
            ("The river sleeps.", "Meris tudasas."),
            ("The old river sleeps.", "Meris sokl tudasas."),
            ("The dog eats.", "Ga lo."),
        ):
            builder.add(line)
        for n in range(200):
            builder.add((f"The number {n} is in the house of the queen w{n % 20}.", f"Nu {n} ka."))
        builder.write(folder / "m.corpus")
    return str(folder / "m.corpus")


def run(db: Path, strategy: str, line: str, client: ScriptedClient, **more: object) -> Result:
    return reasoner.solve("translation", line, strategy=strategy, model=client, db=db, **more)  # type: ignore[arg-type]


def of(strategy: str, corpus: str, more: str = "") -> str:
    return f"{strategy}{',' if ':' in strategy else ':'}corpus={corpus}{more}"


@pytest.mark.parametrize("strategy", METHODS)
def test_a_sentence_of_the_corpus_is_taken_without_a_call_unless_it_is_scored(tmp_path: Path, corpus: str, strategy: str) -> None:
    client = ScriptedClient(lambda _: "Answer: x")
    made = run(tmp_path / "a.db", of(strategy, corpus), "English>Selvan: The river sleeps.", client)
    assert (made.text, client.requests) == ("Answer: Meris tudasas.", [])
    assert made.verdict is not None
    assert made.verdict.metrics == {"match": 100.0, "taken": 1.0}
    assert made.trajectory is not None
    (note,) = [thought for thought in made.trajectory.thoughts() if thought.role.endswith("/memory")]
    assert made.trajectory.mark_of(note).state["matches"][0]["target"] == "Meris tudasas."
    scored = run(tmp_path / "a.db", of(strategy, corpus), "English>Selvan: The river sleeps. ||| Meris tudasas.", client)
    assert scored.text == "Answer: x"
    assert "Meris tudasas." not in client.requests[0].messages[-1].content
    kept = run(tmp_path / "a.db", of(strategy, corpus, ",leave_out=false"), "English>Selvan: The river sleeps. ||| Meris tudasas.", client)
    assert kept.correct
    left = run(tmp_path / "a.db", of(strategy, corpus, ",leave_out=true"), "English>Selvan: The river sleeps.", client)
    assert left.text == "Answer: x"
    assert "  Selvan: Meris tudasas.\n" not in client.requests[-1].messages[-1].content


@pytest.mark.parametrize("strategy", METHODS)
def test_similar_sentences_lead_the_examples_where_that_is_asked_for(tmp_path: Path, corpus: str, strategy: str) -> None:
    client = ScriptedClient(lambda _: "Answer: x")
    line = "English>Selvan: The old rivers sleep."
    made = run(tmp_path / "a.db", of(strategy, corpus, ",memory=fuzzy"), line, client)
    pairs = [row for row in client.requests[0].messages[-1].content.splitlines() if row.startswith("- English: ")]
    assert pairs[0] == "- English: The old river sleeps."
    assert made.verdict is not None
    assert made.verdict.metrics["match"] == pytest.approx(90.5)
    assert "taken" not in made.verdict.metrics
    shown = run(tmp_path / "a.db", of(strategy, corpus, ",memory=shown"), "English>Selvan: The river sleeps.", client)
    assert shown.text == "Answer: x"
    pairs = [row for row in client.requests[1].messages[-1].content.splitlines() if row.startswith("- English: ")]
    assert pairs[0] == "- English: The river sleeps."
    off = run(tmp_path / "a.db", of(strategy, corpus, ",memory=off"), "English>Selvan: The river sleeps.", client)
    assert off.text == "Answer: x"


def test_a_pivot_takes_from_whichever_corpus_has_both_languages(tmp_path: Path) -> None:
    for name, languages, line in (("ab", ("A", "B"), ("the dog", "il cane")), ("bc", ("B", "C", "A"), ("il cane", "l cian", "the dog"))):
        with Builder(languages, folder=tmp_path) as builder:
            builder.add(line)
            builder.write(tmp_path / name)
    client = ScriptedClient(lambda _: "x")
    strategy = f"fragment_shot_pivot:corpus={tmp_path / 'ab'},pivot_corpus={tmp_path / 'bc'},pivot=B"
    assert run(tmp_path / "t.db", strategy, "A>C: the dog", client).text == "Answer: l cian"
    assert client.requests == []


def test_translating_says_what_was_taken(tmp_path: Path, corpus: str) -> None:
    items = [Item(1, "The river sleeps."), Item(2, ""), Item(3, "A cat.")]
    made = translate(items, source="English", target="Selvan", strategy=f"fragment_shot:corpus={corpus}", model=ScriptedClient(["Answer: Mi."]), db=tmp_path / "t.db")  # fmt: skip
    assert made.translations == ("Meris tudasas.", "", "Mi.")
    assert made.from_memory == (True, False, False)


class Narrow(ScriptedClient):
    """Refuses a prompt that leaves less room than was asked for, counting four characters as one token."""

    def __init__(self, context: int, *, tells: bool = True) -> None:
        super().__init__(self._reply, name="narrow")
        self.context, self.tells, self.refused = context, tells, 0
        self.prompts: list[str] = []

    def _reply(self, request: Request) -> str:
        n = sum(len(m.content) for m in request.messages) // 4
        if n + max(1, min(request.room, self.context // 3)) > self.context:
            self.refused += 1
            raise ContextTooLong("too long", prompt_tokens=n if self.tells else None, context_tokens=self.context if self.tells else None)
        self.prompts.append(request.messages[-1].content)
        return "Answer: x"


LONG = "English>Selvan: The number 3 is in the house of the queen w4 and the number 5 is in the river of the queen w7. ||| x"
WITH_PIVOT = "English>Mesrin: The old woman of the king sees the river and the queen of the dog sleeps. ||| x"


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("strategy", [*METHODS, "fragment_shot_pivot"])
def test_what_does_not_fit_is_filled_up_to_the_context(tmp_path: Path, corpus: str, strategy: str, *, tells: bool) -> None:
    line = WITH_PIVOT if strategy == "fragment_shot_pivot" else LONG
    strategy = strategy if strategy == "fragment_shot_pivot" else of(strategy, corpus)
    whole = Narrow(10**6)
    all_shown = run(tmp_path / "whole.db", strategy, line, whole).verdict
    n_whole = len(whole.prompts[0]) // 4
    assert all_shown is not None
    context = round(0.8 * n_whole) + 130  # so that room for the answer has to be counted as well
    client = Narrow(context, tells=tells)
    made = run(tmp_path / "t.db", strategy, line, client)
    assert (made.status, made.text) == ("closed", "Answer: x")
    assert made.verdict is not None
    assert 1 <= client.refused <= 3
    n_shown = made.verdict.metrics["examples"]
    assert n_shown < all_shown.metrics["examples"]
    counted = sum(row.lstrip().startswith(("- English: ", "- Selvan: ")) for row in client.prompts[0].splitlines())
    assert n_shown <= counted
    if tells:
        assert len(client.prompts[0]) // 4 > 0.3 * context
    replayed = Narrow(10)
    again = run(tmp_path / "t.db", strategy, line, replayed, mode="recheck")
    assert (again.text, again.verdict, replayed.prompts, replayed.refused) == (made.text, made.verdict, [], 0)


def test_a_sentence_that_fits_only_without_examples_is_asked_without_and_one_that_fits_not_at_all_is_told(
    tmp_path: Path, corpus: str
) -> None:
    client = Narrow(90)
    made = run(tmp_path / "t.db", of("fragment_shot", corpus), LONG, client)
    assert made.status == "closed"
    assert "###" not in client.prompts[0]
    assert "pieces" not in client.prompts[0]
    assert made.verdict is not None
    assert made.verdict.metrics["examples"] == 0
    never = run(tmp_path / "u.db", of("fragment_shot", corpus), LONG, Narrow(20))
    assert (never.status, never.error_kind) == ("failed", "ContextTooLong")


def fragment(start: int, n_words: int, n_pairs: int) -> Fragment:
    words = tuple(f"w{start + at}" for at in range(n_words))
    return Fragment(start, words, n_pairs, tuple(Pair(rank, f"{start}.{rank}", "t") for rank in range(n_pairs)))


def test_third_examples_go_before_second_ones_and_those_of_short_fragments_first() -> None:
    cover = Cover(("w",) * 6, (fragment(0, 1, 3), fragment(1, 3, 3), fragment(4, 2, 1)), ())
    seen = [[pair["source"] for row in shown(cover, n) for pair in row["pairs"]] for n in range(8)]
    assert seen == [
        [],
        ["1.0"],
        ["1.0", "4.0"],
        ["0.0", "1.0", "4.0"],
        ["0.0", "1.0", "1.1", "4.0"],
        ["0.0", "0.1", "1.0", "1.1", "4.0"],
        ["0.0", "0.1", "1.0", "1.1", "1.2", "4.0"],
        ["0.0", "0.1", "0.2", "1.0", "1.1", "1.2", "4.0"],
    ]
    assert [row["text"] for row in shown(cover, 2)] == ["w1 w2 w3", "w4 w5"], "a fragment without an example is not named"


@given(st.integers(0, 3000))
def test_steps_go_from_all_to_none(n: int) -> None:
    made = sizes(n)
    assert (made[0], made[-1]) == (n, 0)
    assert made == sorted(set(made), reverse=True)
    assert len(made) < 260


@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=40), st.integers(1, 5000), st.integers(0, 800), st.data())
def test_the_next_form_is_the_longest_that_should_fit(lengths: list[int], context: int, room: int, data: st.DataObject) -> None:
    lengths = sorted(lengths, reverse=True)
    at = data.draw(st.integers(0, len(lengths) - 2))
    error = ContextTooLong("x", prompt_tokens=lengths[at], context_tokens=context)
    made = next_form(lengths.__getitem__, len(lengths), at, error, room=room)
    share = min(0.98 * (context - min(room, context // 3)) / lengths[at], 0.8 if at else 1.0)
    expected = [n for n in range(at + 1, len(lengths)) if lengths[n] <= lengths[at] * share]
    assert made == (expected[0] if expected else len(lengths) - 1)
