"""How well the strategies of a comparison translate: chrF++ and BLEU over the set, tested against the baseline by sacrebleu.

    qualities(trials, baseline="example_shot:method=none")
    -> [Quality(strategy="fragment_shot", chrf=Score(41.2, 1.9, p=0.001, p_ar=0.0005), bleu=..., coverage=0.93, copies=0.02, ...), ...]

The first sample of each problem with a reference takes part; an answer that is missing is an empty text, which counts. Intervals are
those of the paired bootstrap, p is given for the bootstrap and for approximate randomisation, both with sacrebleu's own seed, so that
the same trials give the same numbers. The signatures say what exactly was computed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from reasoner.translation.scores import spearman

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.comparison.trials import Trial

N_BOOTSTRAP = 1000
N_RANDOMISED = 2000


@dataclass(frozen=True, slots=True)
class Score:
    """A score of the set, from 0 to 100, half the width of its 95 % interval, and two p values against the baseline (None for it)."""

    score: float
    ci: float | None
    p: float | None
    """Of the paired bootstrap."""
    p_ar: float | None
    """Of approximate randomisation."""


@dataclass(frozen=True, slots=True)
class Quality:
    """One strategy of one model on the sentences of one solver."""

    solver: str
    model: str
    strategy: str
    n: int
    chrf: Score
    bleu: Score
    exact: float
    copies: float
    """The share of answers that copy the source."""
    refusals: float
    missing: float
    """The share of sentences without a translation, refusals among them."""
    coverage: float | None
    """The mean share of words the corpus has; None where no corpus was asked."""
    examples: float | None
    """The mean number of examples shown."""
    correlation: float | None
    """Spearman's, of coverage and sentence chrF++."""
    signatures: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def qualities(trials: Sequence[Trial], *, baseline: str | None) -> list[Quality]:
    """Return the quality of every strategy, those of one solver and model together; nothing where no reference is known, or without sacrebleu."""
    groups: dict[tuple[str, str], dict[str, list[Trial]]] = defaultdict(lambda: defaultdict(list))
    for trial in trials:
        if trial.texts is not None and trial.sample == 0:
            groups[trial.solver, trial.model][trial.strategy].append(trial)
    try:
        import sacrebleu.significance as tests  # noqa: PLC0415 - an optional dependency
    except ImportError:
        return []
    return [quality for strategies in groups.values() for quality in _of_group(strategies, baseline, tests)]


def _of_group(strategies: Mapping[str, Sequence[Trial]], baseline: str | None, tests: Any) -> list[Quality]:
    order = sorted(strategies, key=lambda name: name != baseline)  # stable: the baseline first, as sacrebleu wants it
    rows = {name: sorted(strategies[name], key=lambda trial: trial.problem_id) for name in order}
    ids = [trial.problem_id for trial in rows[order[0]]]
    if any([trial.problem_id for trial in row] != ids for row in rows.values()):
        return []
    references = [trial.texts[1] for trial in rows[order[0]] if trial.texts]
    systems = [(name, [trial.texts[0] for trial in rows[name] if trial.texts]) for name in order]
    signatures, bootstrap = _tested(systems, references, "bs", tests)
    _, randomised = _tested(systems, references, "ar", tests)
    made = []
    for name in strategies:
        at = order.index(name)
        scores = {key: _score(bootstrap[key][at], randomised[key][at], bootstrap[key][0] if at else None) for key in bootstrap}
        made.append(_quality(rows[name], name, scores, signatures))
    return made


def _tested(
    systems: Sequence[tuple[str, list[str]]], references: list[str], kind: str, tests: Any
) -> tuple[dict[str, str], dict[str, list[Any]]]:
    from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - an optional dependency
    from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415

    metrics = {"BLEU": BLEU(references=[references]), "chrF2++": CHRF(word_order=2, references=[references])}
    n = N_BOOTSTRAP if kind == "bs" else N_RANDOMISED
    signatures, scores = tests.PairedTest(list(systems), metrics, references=None, test_type=kind, n_samples=n)()
    names = [name for name in scores if name != "System"]
    return {name: str(signatures[name]) for name in names}, {name: scores[name] for name in names}


def _score(bootstrap: Any, randomised: Any, baseline: Any | None) -> Score:
    ci, p, p_ar = ((None if value is None else float(value)) for value in (bootstrap.ci, bootstrap.p_value, randomised.p_value))
    if baseline is not None and bootstrap.score == baseline.score:
        p = p_ar = 1.0  # sacrebleu says 1 / (n + 1) where two systems are equal, as no resampling differs by more than nothing
    return Score(float(bootstrap.score), ci, p, p_ar)


def _quality(trials: Sequence[Trial], strategy: str, scores: Mapping[str, Score], signatures: Mapping[str, str]) -> Quality:
    def mean(name: str) -> float | None:
        values = [trial.metrics[name] for trial in trials if name in trial.metrics]
        return fmean(values) if values else None

    both = [trial.metrics for trial in trials if {"coverage", "chrf"} <= trial.metrics.keys()]
    return Quality(
        trials[0].solver, trials[0].model, strategy, len(trials), scores["chrF2++"], scores["BLEU"],
        exact=fmean(trial.correct for trial in trials),
        copies=fmean("copy" in trial.metrics for trial in trials),
        refusals=fmean("refusal" in trial.metrics for trial in trials),
        missing=fmean(not (trial.texts and trial.texts[0]) for trial in trials),
        coverage=mean("coverage"), examples=mean("examples"),
        correlation=spearman([m["coverage"] for m in both], [m["chrf"] for m in both]), signatures=dict(signatures),
    )  # fmt: skip
