"""Records that were imported as such: preferences, labels, steps and prompts of a file, kept on the root of a trajectory of their own.

They hold no calls, so nothing of a search can be read from them; what can be verified is verified again before they are given out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reasoner.datasets.lineage import FROM_EDITS, FROM_TREE, is_of_tree
from reasoner.datasets.records import Label, Pair, Record, from_json
from reasoner.datasets.select import CHANGED, NO_LONGER, NO_SOLVER
from reasoner.store import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.datasets.options import LabelSource
    from reasoner.datasets.records import Kind
    from reasoner.datasets.select import Filters, Judge, Tally
    from reasoner.store import Store

OF_TREE = "it is a step or a beginning, out of a tree (`labels_from=tree` takes these)"
OF_REPLIES = "it is a whole reply (`labels_from=replies` takes these)"
NOT_JUDGED = "no verifier can judge it (--verdict any takes it as the file says)"
NO_VERDICT = "its verifier gives no verdict (--verdict any takes it as the file says)"


def records(store: Store, kind: Kind, filters: Filters, tally: Tally, judge: Judge, *, labels_from: LabelSource) -> Iterator[Record]:
    """Yield the stored records of a kind, in the order they were imported; of labels and the like those from whole replies, or from trees."""
    if kind in {"conversation", "document"}:
        return
    where = filters.where(both=True, verdicts=False)  # they have no verdict of their own
    for name, state, instance in reading.imported_records(store, where, kind):
        record = _read(state)
        if record is None:
            continue
        tally.seen += 1
        record.lineage = judge.annotated(record.lineage, name)
        if kind != "prompt" and is_of_tree(record.lineage) != (labels_from == FROM_TREE):
            tally.leave_out(OF_REPLIES if labels_from == FROM_TREE else OF_TREE)
            continue
        why = _stands(record, instance, judge, any_verdict=filters.verdict == "any")
        if why:
            tally.leave_out(why)
        else:
            yield record


def _read(state: str) -> Record | None:
    """Return the record in the state of a root; None where it holds none: what a search left there may look like one."""
    try:
        return from_json(json.loads(state)["record"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _stands(record: Record, instance_json: str, judge: Judge, *, any_verdict: bool) -> str:
    """Verify what a record says, where it says it of whole answers; return why it no longer stands.

    What a file says of problems of no known solver, or of texts that a solver does not judge, cannot be verified; it is given out where unjudged
    rows are asked for.
    """
    if record.origin.solver == "imported":
        return "" if any_verdict else NOT_JUDGED
    if is_of_tree(record.lineage) or not isinstance(record, (Pair, Label)) or record.lineage.get("labels_from") == FROM_EDITS:
        return ""  # steps have no verdict, and a person's edit needs none
    solver = judge.solver(record.origin.solver)
    if solver is None:
        return NO_SOLVER
    instance = solver.Instance.model_validate_json(instance_json)
    said = [(record.completion, record.label)] if isinstance(record, Label) else [(record.chosen, True), (record.rejected, False)]
    found = [(solver.verify(instance, text).correct, wanted) for text, wanted in said]
    for correct, wanted in found:
        if correct is not None and correct != wanted:
            return NO_LONGER if wanted else CHANGED
    return "" if any_verdict or all(correct is not None for correct, _ in found) else NO_VERDICT
