"""The forms of one model against the file as it is: speed in the same seconds, and quality; rows and bars of `scripts/bench engine`.

Speeds are tokens per second of one core (`reasoner.clients.llamacpp.worker.form_speed`): CPU time of one thread, the models in turns, so that other
programs on the machine hardly change the ratios. Each form is converted into the user's cache, where `--form` finds it again.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reasoner.clients.llamacpp.forms import Form
from reasoner.clients.llamacpp.weights import Weights

FORMS: tuple[Form, ...] = ("q8_0", "f16", "q4_0", "iq4_nl")
WIDTH = 16


def weights_of(model: str, form: Form) -> Weights:
    """Return a model's weights in a form, converted unless they are there; they are held until they are released."""
    path = Path(model)
    made = Weights(path.name, path, [path], form=form)
    made.prepare(lambda text: print(text, file=sys.stderr))
    return made


def form_rows(model: str, forms: list[Form]) -> list[dict[str, Any]]:
    """Measure the forms of a model, each against the file as it is."""
    from reasoner.clients.llamacpp.worker.form_speed import speeds_of  # noqa: PLC0415 - native code, in this process only
    from reasoner.clients.llamacpp.worker.model import Model  # noqa: PLC0415

    rows = []
    for form in forms:
        held = weights_of(model, form)
        assert held.quality is not None
        models = [Model.load({"path": path, "n_ctx": 1024, "threads": 1}) for path in (model, str(held.path))]
        plain, converted = speeds_of(models, width=WIDTH)
        for each in models:
            each.close()
        read, alone, together = converted.over(plain)
        rows.append({
            "contender": f"form {form}", **held.quality.model_dump(), "within_bounds": held.quality.within_bounds,
            "size_mib": held.path.stat().st_size >> 20, "per_core": rounded(asdict(converted)), "as_is_per_core": rounded(asdict(plain)),
            "read_over_as_is": round(read, 3), "alone_over_as_is": round(alone, 3), f"at_{WIDTH}_over_as_is": round(together, 3),
        })  # fmt: skip
        held.release()
    return rows


def form_bars(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the figures of the fastest form within the bounds of quality; none where there is no such form."""
    fit = [row for row in rows if row["within_bounds"]]
    if not fit:
        return {}
    best = max(fit, key=lambda row: row[f"at_{WIDTH}_over_as_is"])
    return {"tokens_per_s_over_as_is": best[f"at_{WIDTH}_over_as_is"], "read_over_as_is": best["read_over_as_is"]}


def rounded(values: dict[str, float]) -> dict[str, float]:
    """Return figures as they are printed."""
    return {name: round(value, 1) for name, value in values.items()}
