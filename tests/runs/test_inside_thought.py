"""What a run says of thoughts: replies that the limit ended inside one are counted under tables; what a client left out becomes a note."""

from __future__ import annotations

from pathlib import Path

from reasoner.api.bench import bench
from reasoner.clients.scripted import ScriptedClient
from reasoner.comparison.comparison import compare_trials
from reasoner.comparison.markdown import markdown
from reasoner.comparison.trials import read_trials
from reasoner.runs.events import Event, Note
from reasoner.store import Store
from reasoner.types import Completion, Sampling, Usage

CUT = Completion("", "length", Usage(5, 9), reasoning="I would say Answer: 24")
HIDDEN = Completion("", "length", Usage(5, 9, reasoning_tokens=9))
EMPTY = Completion("", "length", Usage(5, 9))
SHORT = Completion("Answer", "length", Usage(5, 9), reasoning="hm")


class Choosy(ScriptedClient):
    told = False

    def sampling(self, wanted: Sampling, *, bounded: bool) -> Sampling:
        return wanted

    def check(self, wanted: Sampling) -> None:
        pass

    def take_notes(self) -> list[str]:
        told, self.told = self.told, True
        return [] if told else ["a field was left out"]


def test_replies_that_ended_inside_the_thought_are_counted(tmp_path: Path) -> None:
    client = ScriptedClient([CUT, HIDDEN, EMPTY, SHORT], name="thinker")
    made = bench("game24", n=4, strategy="direct", model=client, db=tmp_path / "t.db", concurrency=1)
    (found,) = made.report.inside_thought
    assert (found.strategy, found.model, found.n, found.n_replies) == ("direct", "thinker", 2, 4)
    assert made.as_dict()["inside_thought"][0]["n"] == 2
    assert "2 of 4 replies ended inside the thought at the token limit" in found.sentence()
    assert made.rows[0].unparsed == 4, "a draft inside the thought is no answer"
    with Store.open(tmp_path / "t.db") as store:
        comparison = compare_trials(read_trials(store, made.report.run_id))
    assert comparison.inside_thought == (found,)
    assert "2 of 4 replies" in markdown(comparison)


def test_what_a_client_left_out_is_noted_once(tmp_path: Path) -> None:
    events: list[Event] = []
    client = Choosy(["Answer: 1"] * 3, name="choosy")
    bench("game24", n=3, strategy="direct", model=client, db=tmp_path / "t.db", progress=events.append)
    assert [event.text for event in events if isinstance(event, Note)] == ["a field was left out"]
    assert all("temperature" not in request.sampling.as_dict() for request in client.requests)
