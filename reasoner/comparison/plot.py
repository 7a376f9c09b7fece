"""The picture of a comparison: accuracy with its interval against the tokens of an answer, one panel per solver and model; of translations chrF++.

    write_plot(comparison, Path("table.png"))

Needs matplotlib (extra `plot`), which is imported only here and only when a picture is made; no window is ever opened. Strategies are
told apart by the shape of their mark and by their name beside it, not by colour alone; an upper bound is a hollow mark.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from reasoner.comparison.tables import UPPER_BOUND, short_models
from reasoner.errors import BadConfig, MissingDependency
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from reasoner.comparison.comparison import Comparison
    from reasoner.comparison.standings import Standing

    Mark = tuple[str, tuple[float, float], tuple[float, float]]
    Heights = dict[tuple[str | None, str, str], tuple[float, float, float]]

ENDINGS = (".png", ".svg")
MAX_PANELS = 24
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h", "*")
# Okabe and Ito's colours, which colour-blind readers can tell apart; black last, yellow left out as too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARK_PIXELS = 8
"""Half a mark's width: a name keeps this far from every mark's middle."""
# Where a name may stand, in points from its mark: right and left of it, nearer places first.
_OFFSETS = [(x, y) for y in (7, -14, 20, -27, 33, -40, 46, -53, 59) for x in (6, -6)]


def check_plot(path: Path) -> None:
    """Check that a picture of that name can be made, before anything is run for it.

    Raises:
        BadConfig: it ends neither in .png nor in .svg.
        MissingDependency: matplotlib is not installed.
    """
    if path.suffix.lower() not in ENDINGS:
        raise BadConfig(f"the picture {path} ends in {path.suffix or 'nothing'!r}", hint="name a .png or a .svg file")
    try:
        import matplotlib.figure  # noqa: F401, PLC0415
    except ImportError as error:
        raise MissingDependency("matplotlib", extra="plot") from error


def panels(comparison: Comparison) -> list[tuple[str | None, str]]:
    """Return the panels as (solver, model), row by row; a single row of all solvers pooled where there would be too many."""
    solvers: Sequence[str | None] = comparison.solvers
    if len(solvers) * len(comparison.models) > MAX_PANELS:
        solvers = [None]
    return [(solver, model) for solver in solvers for model in comparison.models]


def write_plot(comparison: Comparison, path: Path) -> None:
    """Draw the picture and write it, as PNG or SVG by the ending of the name.

    Raises:
        BadConfig: the ending is another one, or the file cannot be written.
        MissingDependency: matplotlib is not installed.
    """
    check_plot(path)
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    places, heights = panels(comparison), _chrf(comparison)
    n_columns = len(comparison.models) if len(comparison.models) > 1 else min(3, max(1, math.ceil(math.sqrt(len(places)))))
    n_rows = max(1, math.ceil(len(places) / n_columns))
    # Text stays text in an SVG, and neither file holds the time it was made: the same comparison gives the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "reasoner"}):
        figure = Figure(figsize=(1.2 + 4.4 * n_columns, 0.9 + 3.3 * n_rows), dpi=150, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes: list[Axes] = list(figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).flat)
        strategies = list(dict.fromkeys(row.strategy for row in comparison.rows))
        short = short_models(comparison.models)
        marks: list[tuple[Axes, list[Mark]]] = []
        for ax, (solver, model) in zip(axes, places, strict=False):
            rows = [row for row in comparison.rows if (row.solver, row.model) == (solver, model)]
            marks.append((ax, _panel(ax, rows, strategies, _span(comparison), heights)))
            title = solver or "all solvers"
            ax.set_title(_plain(title if len(comparison.models) == 1 else f"{title}, {short[model]}"), fontsize=10, loc="left")
        for ax in axes[len(places) :]:
            ax.set_visible(False)
        figure.supxlabel("tokens of an answer, prompt and completion (mean, logarithmic)", fontsize=9)
        figure.supylabel("chrF++ of all sentences, 95 % interval" if heights else "accuracy of a single answer, 95 % interval", fontsize=9)
        figure.suptitle(_plain(f"model {', '.join(comparison.models)}", n_chars=40 * n_columns), fontsize=9, color="#555555")
        canvas.draw()  # type: ignore[no-untyped-call]
        renderer: Any = canvas.get_renderer()  # type: ignore[no-untyped-call]
        for ax, drawn in marks:
            _name_marks(ax, drawn, renderer)
        try:
            figure.savefig(path, metadata={"Date": None} if path.suffix.lower() == ".svg" else {"Software": None})
        except OSError as error:
            raise BadConfig(
                f"the picture {path} cannot be written: {error.strerror}", hint="name a file in a directory that exists"
            ) from error


def _span(comparison: Comparison) -> tuple[float, float]:
    """Return the tokens the axis begins and ends with: whole powers of ten, so that close marks do not look far apart."""
    tokens = [max(row.mean_tokens, 1.0) for row in comparison.rows] or [1.0]
    return 10.0 ** math.floor(math.log10(0.8 * min(tokens))), 10.0 ** math.ceil(math.log10(1.25 * max(tokens)))


def _chrf(comparison: Comparison) -> Heights:
    """Return chrF++ of each row as a share, with its interval, where every row of a panel has it; empty otherwise."""
    found = {(each.solver, each.model, each.strategy): each.chrf for each in comparison.qualities}
    places = set(panels(comparison))
    made: Heights = {}
    for row in comparison.rows:
        if (row.solver, row.model) in places:
            score = found.get((row.solver or "", row.model, row.strategy))
            if score is None:
                return {}
            half = score.ci or 0.0
            made[row.solver, row.model, row.strategy] = score.score / 100, (score.score - half) / 100, (score.score + half) / 100
    return made


def _panel(
    ax: Axes,
    rows: Sequence[Standing],
    strategies: Sequence[str],
    span: tuple[float, float],
    heights: Heights,
) -> list[Mark]:
    """Draw one panel and return its marks; `heights` stand in the place of accuracies."""
    marks: list[Mark] = []
    for row in rows:
        index = strategies.index(row.strategy)
        height, low, high = heights.get((row.solver, row.model, row.strategy), (row.accuracy, *row.interval))
        # An answer without a call has no place on a logarithmic axis; it is drawn at one token.
        x, y = max(row.mean_tokens, 1.0), height
        colour = COLOURS[index % len(COLOURS)]
        ax.errorbar(
            x, y, yerr=[[max(0.0, y - low)], [max(0.0, high - y)]], marker=SHAPES[index % len(SHAPES)], color=colour,
            markerfacecolor="white" if row.upper_bound else colour, markersize=7, capsize=3, elinewidth=1.2, clip_on=False, zorder=3,
        )  # fmt: skip
        marks.append((_plain(f"{row.strategy} ({UPPER_BOUND})" if row.upper_bound else row.strategy), (x, y), (low, high)))
    ax.set_xscale("log")
    ax.set_xlim(*span)
    ax.set_ylim(-0.04, 1.04)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"] if heights else ["0 %", "25 %", "50 %", "75 %", "100 %"])
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    ax.xaxis.set_minor_formatter(lambda _value, _: "")
    ax.tick_params(labelsize=8, labelbottom=True)
    ax.grid(visible=True, color="#dddddd", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    return marks


def _name_marks(ax: Axes, marks: Sequence[Mark], renderer: Any) -> None:
    """Write each mark's name beside it: over no other name and no mark, and over no interval where there is room for that."""
    from matplotlib.transforms import Bbox  # noqa: PLC0415

    pixels = [ax.transData.transform(point) for _, point, _ in marks]
    ends = [(ax.transData.transform((x, low)), ax.transData.transform((x, high))) for _, (x, _), (low, high) in marks]
    bars = [Bbox([(low[0] - 3, low[1]), (high[0] + 3, high[1])]) for low, high in ends]
    room = Bbox([(ax.bbox.x0 - 4, ax.bbox.y0), (ax.bbox.x1 + 4, ax.bbox.y1)])
    taken: list[Bbox] = []
    for name, point, _ in marks:
        text = ax.annotate(_broken(name), point, xytext=(6, 7), textcoords="offset points", fontsize=8, zorder=4)
        for (x, y), avoided in [(offset, avoided) for avoided in ([*taken, *bars], taken) for offset in _OFFSETS]:
            text.set_position((x, y))
            text.set_horizontalalignment("left" if x > 0 else "right")
            box = text.get_window_extent(renderer).padded(1)
            inside = room.contains(box.x0, box.y0) and room.contains(box.x1, box.y1)
            hides = any(box.overlaps(other) for other in avoided) or any(box.padded(MARK_PIXELS).contains(*pixel) for pixel in pixels)
            if inside and not hides:
                break
        taken.append(text.get_window_extent(renderer).padded(1))
        if abs(text.get_position()[1]) > 14:
            line = {"arrowstyle": "-", "color": "#999999", "lw": 0.6}
            ax.annotate("", point, xytext=text.get_position(), textcoords="offset points", arrowprops=line)


def _broken(name: str, n_chars: int = 26) -> str:
    """Break a name after commas into lines of about so many characters: a panel is narrow."""
    lines = [""]
    for piece in name.split(","):
        joined = f"{lines[-1]},{piece}" if lines[-1] else piece
        lines = [*lines[:-1], joined] if len(joined) <= n_chars or not lines[-1] else [*lines[:-1], lines[-1] + ",", piece]
    return "\n".join(lines)


def _plain(text: str, *, n_chars: int = 60) -> str:
    """Return text that matplotlib does not take for mathematics."""
    return shorten(clean(text), n_chars).replace("$", r"\$")
