"""Translation quality in comparisons: the numbers of sacrebleu's own command line, what counts as missing, and where there is none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.comparison import translation_quality
from reasoner.comparison.comparison import Comparison
from reasoner.comparison.markdown import markdown
from reasoner.comparison.plot import write_plot
from reasoner.comparison.tables import tables
from reasoner.comparison.trials import Trials, read_trials
from reasoner.store import Store
from reasoner.types import Request
from solvers.translation import TranslationSolver

BASELINE, OTHER, SAME = "example_shot:method=none", "fragment_shot:k=1", "example_shot:method=random,n=2"
REFERENCES = {each.sentence: each.reference for each in TranslationSolver().listed(1)}


def reply(request: Request) -> str:
    """The baseline leaves the first word out; the other one does so less often, copies some sentences and refuses some."""
    assert request.about is not None
    sentence = json.loads(request.about.problem.instance)["sentence"]
    words = REFERENCES[sentence].split()
    number = sorted(REFERENCES).index(sentence)
    if request.about.template != "fragment_shot/translate":
        return f"Answer: {' '.join(words[1:]) or 'x'}"
    if number % 8 < 2:
        return "I'm sorry, I cannot translate that." if number % 8 else f"Answer: {sentence}"
    return f"Answer: {' '.join(words if number % 3 else words[1:]) or 'x'}"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Comparison, Trials]]:
    db = tmp_path_factory.mktemp("quality") / "t.db"
    strategies = [BASELINE, OTHER, SAME]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translation_quality, "N_RANDOMISED", 300)
        patch.setattr(translation_quality, "N_BOOTSTRAP", 300)
        made = reasoner.compare("translation", strategy=strategies, model=ScriptedClient(reply), baseline=BASELINE, n=40, db=db)
        with Store.open(db) as store:
            yield made, read_trials(store, made.run)


def test_scores_intervals_and_p_values_are_those_of_sacrebleu_s_command_line(run: tuple[Comparison, Trials], tmp_path: Path) -> None:
    made, trials = run
    files: list[str] = []
    ids = sorted({trial.problem_id for trial in trials.trials})
    for number, strategy in enumerate((BASELINE, OTHER)):
        texts = {trial.problem_id: trial.texts for trial in trials.trials if trial.strategy == strategy}
        pairs = [texts[each] or ("", "") for each in ids]
        (tmp_path / f"{number}").write_text("".join(f"{found}\n" for found, _ in pairs))
        (tmp_path / "ref").write_text("".join(f"{reference}\n" for _, reference in pairs))
        files.append(str(tmp_path / f"{number}"))
    command = [
        sys.executable,
        "-m",
        "sacrebleu",
        str(tmp_path / "ref"),
        "-i",
        *files,
        "-m",
        "bleu",
        "chrf",
        "--chrf-word-order",
        "2",
        "-f",
        "text",
    ]
    by_strategy = {each.strategy: each for each in made.qualities}
    base, other = by_strategy[BASELINE], by_strategy[OTHER]
    for kind, n in (("bs", translation_quality.N_BOOTSTRAP), ("ar", translation_quality.N_RANDOMISED)):
        extra = [f"--paired-{kind}", f"--paired-{kind}-n", str(n)]
        table = subprocess.run([*command, *extra], capture_output=True, text=True, timeout=120, check=True).stdout.partition("-----")[0]
        numbers = [float(number) for number in re.findall(r"\d+\.\d+", re.sub(r"\x1b\[[\d;]*m", "", table))]
        scores = (base.bleu, base.chrf, other.bleu, other.chrf)
        # A line for each system; the bootstrap's have score, mean and interval of each metric; the p values stand below the last.
        width = 3 if kind == "bs" else 1
        assert [score.score for score in scores] == pytest.approx(numbers[0 : 4 * width : width], abs=0.051), "the command rounds"
        if kind == "bs":
            assert [score.ci for score in scores] == pytest.approx(numbers[2 : 4 * width : width], abs=0.051)
        told = [score.p if kind == "bs" else score.p_ar for score in (other.bleu, other.chrf)]
        assert told == pytest.approx(numbers[4 * width :], abs=1e-4)
    assert base.chrf.p is base.bleu.p_ar is None


def test_copies_refusals_and_what_is_missing_are_counted(run: tuple[Comparison, Trials]) -> None:
    made, trials = run
    other = next(each for each in made.qualities if each.strategy == OTHER)
    answers = [trial for trial in trials.trials if trial.strategy == OTHER]
    assert other.n == len(answers) == 40
    assert other.refusals == other.missing == pytest.approx(sum("sorry" in str(trial.answer) for trial in answers) / 40)
    assert other.copies > 0
    assert other.refusals > 0
    assert other.coverage is not None
    assert other.examples is not None
    same = next(each for each in made.qualities if each.strategy == SAME)
    assert (same.chrf.p, same.chrf.p_ar, same.bleu.p) == (1.0, 1.0, 1.0), "equal answers differ by nothing"


def test_the_table_the_page_and_the_json_have_it(run: tuple[Comparison, Trials]) -> None:
    made, _ = run
    table = next(table for table in tables(made) if table.title == "Translation")
    assert [line[0] for line in table.lines] == [BASELINE, OTHER, SAME]
    assert {"chrF++", "BLEU", "copies", "coverage", "examples"} <= {column.name for column in table.columns}
    assert "nw:2" in markdown(made)
    row = json.loads(json.dumps(made.as_dict()))["translation"][1]
    assert (row["strategy"], row["n"], row["chrf"]["score"]) == (OTHER, 40, made.qualities[1].chrf.score)


def test_without_references_or_the_library_there_is_none(
    run: tuple[Comparison, Trials], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = reasoner.compare("arithmetic", strategy="direct", model="teacher", n=2, db=tmp_path / "t.db")
    assert other.qualities == ()
    assert "translation" not in other.as_dict()
    _, trials = run
    monkeypatch.setitem(sys.modules, "sacrebleu.significance", None)
    assert translation_quality.qualities(trials.trials, baseline=BASELINE) == []


def test_the_picture_shows_chrf_where_there_is_nothing_but_translations(tmp_path: Path) -> None:
    strategies = ["fragment_shot", "example_shot:method=none"]
    made = reasoner.compare("translation", strategy=strategies, model="teacher", n=2, db=tmp_path / "t.db")
    write_plot(made, tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "chrF++ of all sentences" in drawn
    assert "%" not in "".join(re.findall(r"<text[^>]*>([^<]*)</text>", drawn)).replace("95 %", "")
    mixed = reasoner.compare(["translation", "arithmetic"], strategy=["direct"], model="teacher", n=2, db=tmp_path / "u.db")
    write_plot(mixed, tmp_path / "b.svg")
    assert "accuracy of a single answer" in (tmp_path / "b.svg").read_text(encoding="utf-8")
