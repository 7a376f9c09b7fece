"""The card of a loop: what was done in each round, what came of it, and how to go on; and the curve as a picture where matplotlib is there.

write_card(folder, options, rounds, best=rounds[2], reason="1 round(s) without a gain", n_sealed=240)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reasoner.comparison.statistics import mcnemar, paired_difference, wilson
from reasoner.expert_iteration.rounds import mean
from reasoner.files.target import write_text
from reasoner.text import clean
from reasoner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reasoner.expert_iteration.options import Options
    from reasoner.expert_iteration.rounds import Rates, Round

NAME = "README.md"
PICTURE = "curve.svg"


def write_card(folder: Path, options: Options, rounds: Sequence[Round], *, best: Round, reason: str, n_sealed: int) -> None:
    """Write the card and, where matplotlib is installed, the curve.

    Raises:
        DataError: it cannot be written.
    """
    lines = [
        f"# Expert iteration on {', '.join(options.families)}",
        "",
        (
            f"Made by reasoner {__version__} with `reasoner improve`. Model `{_plain(options.model)}`, strategy `{_plain(options.strategy)}`, objective "
            f"{options.objective}, seed {options.seed}. Every verdict is an exact verifier's."
        ),
        "",
        (
            f"It ended after round {rounds[-1].number}: {reason}. The best round is **{best.number}**, chosen by the problems that decide; the sealed problems were only "
            "measured. No variant of either is trained on."
        ),
        "",
        *_rounds(rounds),
        *_gain(rounds[0], best, n_sealed),
        *_cells(rounds[0], best, options),
        *_options(options),
    ]
    write_text(folder / NAME, "\n".join(lines) + "\n")
    _picture(folder / PICTURE, rounds, options)


def _rounds(rounds: Sequence[Round]) -> list[str]:
    lines = [
        "| round | sampled right | learned | earlier rows | pairs | deciding | sealed | tokens written | minutes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for one in rounds:
        right, n = total(one.sampled)
        sampled = f"{right} of {n}" if n else "–"
        lines.append(
            f"| {one.number} | {sampled} | {one.rows} | {one.replayed} | {one.pairs} | {100 * one.score:.1f} % | {_share(one.sealed)} | {one.tokens} | "
            f"{one.seconds / 60:.1f} |"
        )
    return [*lines, "", "Deciding: the mean over levels and families. Sealed: all problems alike, with the 95 % interval (Wilson)."]


def _share(rates: Rates) -> str:
    right, n = total(rates)
    low, high = wilson(right, n)
    return f"{100 * right / n:.1f} % ({100 * low:.1f}–{100 * high:.1f})" if n else "–"


def _gain(first: Round, best: Round, n: int) -> list[str]:
    if best is first:
        return ["", "No round was better than the beginning."]
    before, after = set(first.sealed_right), set(best.sealed_right)
    gained, lost = len(after - before), len(before - after)
    low, high = paired_difference(n, gained=gained, lost=lost)
    return [
        "",
        (
            f"Round {best.number} against round {first.number} on the {n} sealed problems: {100 * (gained - lost) / n:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f}), "
            f"{gained} gained and {lost} lost, p = {mcnemar(gained=gained, lost=lost):.2g} (McNemar, exact)."
        ),
    ]


def _cells(first: Round, best: Round, options: Options) -> list[str]:
    lines = ["", "| family | level | sealed, round 0 | sealed, best round |", "|---|---|---|---|"]
    for family in options.families:
        for level, (right, n) in best.sealed.get(family, {}).items():
            before = first.sealed.get(family, {}).get(level)
            lines.append(f"| {_plain(family)} | {level} | {f'{before[0]} of {before[1]}' if before else '–'} | {right} of {n} |")
    return lines


def _options(options: Options) -> list[str]:
    return [
        "",
        "## Options",
        "",
        "```json",
        json.dumps(options.identity(), indent=1, sort_keys=True, ensure_ascii=False).replace("`", "'"),
        "```",
    ]


def total(rates: Rates) -> tuple[int, int]:
    """Return right answers and answers over all families and levels."""
    cells = [rate for levels in rates.values() for rate in levels.values()]
    return sum(rate[0] for rate in cells), sum(rate[1] for rate in cells)


def _plain(text: str) -> str:
    return clean(text).replace("|", r"\|").replace("`", "'")


def _picture(path: Path, rounds: Sequence[Round], options: Options) -> None:
    """Draw the sealed accuracy of each family by round."""
    try:
        from matplotlib import rc_context  # noqa: PLC0415
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return
    from reasoner.comparison.plot import COLOURS, SHAPES  # noqa: PLC0415

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "reasoner"}):
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        ax = figure.subplots()
        for index, family in enumerate(options.families):
            points = [(one.number, mean({family: one.sealed.get(family, {})})) for one in rounds]
            ax.plot(
                *zip(*points, strict=True), marker=SHAPES[index % len(SHAPES)], color=COLOURS[index % len(COLOURS)],
                label=clean(family).replace("$", r"\$"), clip_on=False,
            )  # fmt: skip
        ax.set_xticks([one.number for one in rounds])
        ax.set_xlabel("round")
        ax.set_ylabel("sealed problems answered right")
        ax.set_ylim(0, 1)
        ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        ax.grid(visible=True, color="#dddddd", linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(fontsize=8, frameon=False)
        figure.savefig(path, metadata={"Date": None})
