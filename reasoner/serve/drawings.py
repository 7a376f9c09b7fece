"""Drawings of what strategies did beside the tree: a dialogue, fragments on their sentence, jugs, number paths, a crossword grid, a chart.

    drawing(row) -> {"kind": "jugs", "states": [...]}

Each returns plain values for a template, or None where there is nothing to draw. Texts come from models: read by pattern, bounded, never trusted.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from reasoner.text import answer_line, clean, shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.comparison.standings import Standing
    from reasoner.trajectory import Trajectory

MAX_STATES = 40
_JUGS = re.compile(r"([0-9]{1,4})\s*/\s*([0-9]{1,4})[\s,;|]+([0-9]{1,4})\s*/\s*([0-9]{1,4})")
_NUMBER = re.compile(r"-?[0-9]{1,12}")


def drawing(row: dict[str, Any]) -> dict[str, Any] | None:
    """Draw the answer to a puzzle, None where the family has no drawing or the answer cannot be read."""
    answer = answer_line(row["answer"] or "") or ""
    instance = json.loads(row["instance"])
    draw = {"drop_water": _jugs, "number_path": _path, "mini_crossword": _grid}.get(row["solver"])
    return draw(answer, instance) if draw else None


def _jugs(answer: str, instance: dict[str, Any]) -> dict[str, Any] | None:
    states = [tuple(map(int, found)) for found in _JUGS.findall(answer)[:MAX_STATES]]
    if not states:
        return None
    tallest = max(1, *(max(state[1], state[3]) for state in states))
    jugs = [
        [
            {"holds": held, "size": size, "height": round(70 * size / tallest), "water": round(70 * min(held, size) / tallest)}
            for held, size in ((state[0], state[1]), (state[2], state[3]))
        ]
        for state in states
    ]
    return {"kind": "jugs", "states": jugs, "goal": instance.get("goal"), "width": 112 * len(jugs), "words": answer}


def _path(answer: str, instance: dict[str, Any]) -> dict[str, Any] | None:
    numbers = [int(found) for found in _NUMBER.findall(answer)[:MAX_STATES]]
    if not numbers:
        return None
    steps = [
        {"number": n, "by": "" if not i else "× 2" if n == 2 * numbers[i - 1] else "+ 1" if n == numbers[i - 1] + 1 else "?"}
        for i, n in enumerate(numbers)
    ]
    return {"kind": "path", "steps": steps, "target": instance.get("target"), "width": 104 * len(steps), "words": answer}


def _grid(answer: str, instance: dict[str, Any]) -> dict[str, Any] | None:
    words = [word.strip().lower() for word in answer.split("/")][:5]
    solution = str(instance.get("solution", ""))
    if not any(words) or len(solution) != 25:
        return None
    cells: list[list[dict[str, Any]]] = [
        [
            {"letter": word[column : column + 1].upper(), "right": word[column : column + 1] == solution[5 * row + column]}
            for column in range(5)
        ]
        for row, word in enumerate([*words, *[""] * (5 - len(words))])
    ]
    n_right = sum(cell["right"] for line in cells for cell in line)
    return {"kind": "grid", "cells": cells, "clues": instance.get("clues", []), "n_right": n_right, "words": answer}


def dialogue(dag: Trajectory) -> list[dict[str, str]]:
    """Return what guide and responder said, in order; empty where there was no dialogue."""
    names = {"iot/guide": "Guide", "iot/respond": "Responder", "iot/think": "Responder", "iot/final": "Answer", "iot/branch": "Responder"}
    said = []
    for thought in dag.thoughts():
        if thought.role not in names:
            continue
        state = dag.mark_of(thought).state
        fields = state if isinstance(state, dict) else {}
        text = fields.get("thought") or fields.get("response") or thought.text
        ends = " (ends the dialogue)" if fields.get("stop") or fields.get("done") else ""
        said.append(
            {
                "who": names[thought.role] + ends,
                "side": "guide" if thought.role == "iot/guide" else "responder",
                "text": str(text),
                "id": thought.id,
            }
        )
    return said


def fragments(row: dict[str, Any], dag: Trajectory) -> dict[str, Any] | None:
    """Mark the fragments a corpus knew on the sentence that was translated; None where none were looked up."""
    covers = [t for t in dag.thoughts() if t.role.endswith("/cover")]
    state = dag.mark_of(covers[0]).state if covers else None
    if not isinstance(state, dict) or not isinstance(state.get("fragments"), list):
        return None
    sentence = str(json.loads(row["instance"]).get("sentence", ""))
    pieces = [str(piece) for piece in state["fragments"]][:200]
    return {
        "pieces": _marked(sentence, pieces),
        "coverage": state.get("coverage"),
        "unknown": [str(u) for u in state.get("unknown", [])][:50],
    }


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
