"""Drawings of what strategies did beside the tree: a puzzle's answer, a dialogue, fragments on their sentence, a chart.

    drawing(row) -> {"kind": "vessels", "title": "The jugs, wanted: 2 litres", "states": [...]}

Each returns plain values for a page, or None where there is nothing to draw. What of an answer is drawn, its solver says (`Solver.drawing`);
here it gets its places; whose words a dialogue is made of, its strategy says (`Strategy.voices`). Texts come from models: bounded, never trusted.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.api.drawn import drawing_of
from reasoner.drawing import Chain, Grid, Table, Vessels
from reasoner.errors import UsageError
from reasoner.text import answer_line, clean, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.comparison.standings import Standing
    from reasoner.drawing import Drawing, Voice
    from reasoner.strategies import Strategy
    from reasoner.trajectory import Trajectory

MAX_STATES = 40
MAX_FRAGMENTS, MAX_UNKNOWN = 200, 50
MAX_SENTENCE = 20_000
"""Characters of a sentence that fragments are marked on."""


def drawing(row: dict[str, Any]) -> dict[str, Any] | None:
    """Return what a page needs to draw the answer to a puzzle; None where its family draws nothing, is not installed, or the answer cannot be read."""
    laid_out = _laid_out(drawing_of(row))
    return None if laid_out is None else laid_out | {"words": answer_line(row["answer"] or "") or ""}


def _laid_out(drawn: Drawing | None) -> dict[str, Any] | None:
    match drawn:
        case None:
            return None
        case Vessels():
            return _vessels(drawn)
        case Chain():
            return _chain(drawn)
        case Grid():
            return _grid(drawn)
        case Table():
            return _table(drawn)


def _vessels(drawn: Vessels) -> dict[str, Any]:
    states = drawn.states[:MAX_STATES]
    tallest = max([1, *(max(vessel.holds, vessel.size) for state in states for vessel in state)])
    jugs = [
        [
            {
                "holds": vessel.holds,
                "size": vessel.size,
                "marked": vessel.marked,
                "height": round(70 * max(vessel.size, 0) / tallest),
                "water": round(70 * max(min(vessel.holds, vessel.size), 0) / tallest),
            }
            for vessel in state
        ]
        for state in states
    ]
    step = 20 + 46 * max((len(state) for state in states), default=0)
    return {"kind": "vessels", "title": drawn.title, "states": jugs, "step": step, "width": step * len(jugs)}


def _chain(drawn: Chain) -> dict[str, Any]:
    stops = drawn.stops[:MAX_STATES]
    return {"kind": "chain", "title": drawn.title, "stops": stops, "width": 104 * len(stops)}


def _grid(drawn: Grid) -> dict[str, Any]:
    rows = [row[:MAX_STATES] for row in drawn.rows[:MAX_STATES]]
    struck = " (wrong ones are struck through)" if any(not cell.right for row in rows for cell in row) else ""
    return {"kind": "grid", "title": drawn.title + struck, "rows": rows, "notes": drawn.notes[: 2 * MAX_STATES]}


def _table(drawn: Table) -> dict[str, Any]:
    rows = [row[:MAX_STATES] for row in drawn.rows[:MAX_STATES]]
    struck = " (what is wrong is struck through)" if any(not cell.right for row in rows for cell in row) else ""
    return {
        "kind": "table",
        "title": drawn.title + struck,
        "head": drawn.head[:MAX_STATES],
        "rows": rows,
        "notes": drawn.notes[: 2 * MAX_STATES],
    }


def dialogue(dag: Trajectory) -> list[dict[str, str]]:
    """Return what the voices of a strategy said, in order (`Strategy.voices`); empty where there was no dialogue."""
    said = []
    voices: dict[str, Mapping[str, Voice]] = {}
    for thought in dag.thoughts():
        strategy, _, role = thought.role.partition("/")
        if strategy not in voices:
            voices[strategy] = _voices(strategy)
        voice = voices[strategy].get(role)
        if voice is None:
            continue
        state = dag.mark_of(thought).state
        fields = state if isinstance(state, dict) else {}
        text = fields.get("thought") or fields.get("response") or thought.text
        ends = " (ends the dialogue)" if fields.get("stop") or fields.get("done") else ""
        side = "guide" if voice.leads else "responder"
        said.append({"who": voice.who + ends, "side": side, "text": str(text), "id": thought.id})
    return said


def _voices(strategy: str) -> Mapping[str, Voice]:
    """Return who speaks in a strategy's thoughts, by role; nobody where it is not installed."""
    try:
        found: type[Strategy] = registry.find("strategy", strategy)
    except UsageError:
        return {}
    return found.voices


def fragments(row: dict[str, Any], dag: Trajectory) -> dict[str, Any] | None:
    """Mark the fragments a corpus knew on the sentence that was translated; None where none were looked up."""
    covers = [t for t in dag.thoughts() if t.role.endswith("/cover")]
    state = dag.mark_of(covers[0]).state if covers else None
    if not isinstance(state, dict) or not isinstance(state.get("fragments"), list):
        return None
    coverage, unknown = state.get("coverage"), state.get("unknown")
    return {
        "pieces": _marked(_sentence(row["instance"]), [clean(str(piece)) for piece in state["fragments"][:MAX_FRAGMENTS]]),
        "coverage": coverage if isinstance(coverage, (int, float)) else None,
        "unknown": [str(each) for each in unknown[:MAX_UNKNOWN]] if isinstance(unknown, list) else [],
    }


def _sentence(instance: str) -> str:
    """Return the sentence of a problem; an imported one may be of any form."""
    try:
        found = json.loads(instance)
    except (ValueError, RecursionError):
        found = None
    return clean(str(found.get("sentence", ""))[:MAX_SENTENCE]) if isinstance(found, dict) else ""


def _marked(sentence: str, pieces: Sequence[str]) -> list[tuple[int, str]]:
    """Cut a sentence into (number of the fragment, 0 for none; text), a word belonging to the longest fragment that holds it."""
    words = re.findall(r"\S+|\s+", sentence)
    plain = [re.sub(r"[^\w']+", "", word).casefold() for word in words]
    owner = [0] * len(words)
    for number, piece in enumerate(sorted(pieces, key=lambda p: -len(p.split())), start=1):
        wanted = [re.sub(r"[^\w']+", "", word).casefold() for word in piece.split()]
        places = [i for i, word in enumerate(plain) if word]
        for at in range(len(places) - len(wanted) + 1):
            run = places[at : at + len(wanted)]
            if wanted and [plain[i] for i in run] == wanted and not any(owner[i] for i in run):
                for i in range(run[0], run[-1] + 1):
                    owner[i] = number
                break
    merged: list[tuple[int, str]] = []
    for number, word in zip(owner, words, strict=True):
        if merged and merged[-1][0] == number:
            merged[-1] = (number, merged[-1][1] + word)
        else:
            merged.append((number, word))
    return merged


SHAPES = ("circle", "square", "diamond", "triangle", "cross", "ring")


def chart(rows: Sequence[Standing]) -> dict[str, Any] | None:
    """Place standings on a chart of accuracy against tokens (logarithmic): 640 by 320 with margins; None without any."""
    if not rows:
        return None
    tokens = [max(row.mean_tokens, 1.0) for row in rows]
    low, high = 10.0 ** math.floor(math.log10(0.8 * min(tokens))), 10.0 ** math.ceil(math.log10(1.25 * max(tokens)))
    contenders = list(dict.fromkeys((row.strategy, row.model) for row in rows))

    models = len({row.model for row in rows})

    def x(value: float) -> float:
        return round(60 + 560 * math.log(value / low) / math.log(high / low), 1)

    def y(share: float) -> float:
        return round(280 - 250 * share, 1)

    marks = []
    for row, value in zip(rows, tokens, strict=True):
        index = contenders.index((row.strategy, row.model))
        bottom, top = row.interval
        marks.append(
            {
                "x": x(value), "y": y(row.accuracy), "low": y(bottom), "high": y(top), "shape": SHAPES[(index + index // 6) % len(SHAPES)],
                "colour": index % 6, "name": _name(row, models), "upper_bound": row.upper_bound, "row": 40 + 22 * index,
                "spoken": f"{row.strategy} on {row.model}: {100 * row.accuracy:.1f} % at {value:.0f} tokens",
            }
        )  # fmt: skip
    height = max(324, 60 + 22 * len(contenders))
    ticks = [10.0**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    return {
        "height": height,
        "marks": marks,
        "ticks": [{"x": x(t), "words": f"{t:,.0f}"} for t in ticks],
        "levels": [{"y": y(s), "words": f"{100 * s:.0f} %"} for s in (0, 0.25, 0.5, 0.75, 1)],
    }


def _name(row: Standing, n_models: int) -> str:
    bound = " (upper bound)" if row.upper_bound else ""
    return shorten(clean(row.strategy + (f" on {row.model}" if n_models > 1 else "")), 40) + bound
