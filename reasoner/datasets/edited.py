"""Preferences out of post-editing: what a person made of a translation, before what the machine had made of it.

    chosen("Answer: L cian corr.", "L cian corr.", "L cian cor.")       Answer: L cian cor.

A person's word needs no verdict: these rows are given out whatever was judged. An edit that changed nothing, and a translation that no call made,
give none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.datasets.lineage import FROM_EDITS
from reasoner.datasets.records import Pair
from reasoner.store import edits, reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.datasets.select import Judged
    from reasoner.datasets.source import Source

CONFIRMED = "a person found the answer right as it is"
NOT_CALLED = "a person edited what no call had made"
NO_TRANSLATION = "a person's edit stands against no translation"


def pairs(source: Source) -> Iterator[Pair]:
    """Yield a pair for every edited translation that a call made, in the order their trajectories were opened."""
    if not edits.any_edit(source.store):
        return
    where = reading.edited(source.filters.where(both=True, verdicts=False))
    for row in reading.answered(source.store, where):
        judged = source.judge.judge(row, source.tally)
        if judged is None:
            continue
        machine, edit = _machine(judged), edits.edit(source.store, row.id) or ""
        if row.key is None or row.reply is None:
            source.tally.leave_out(NOT_CALLED)
        elif not machine:
            source.tally.leave_out(NO_TRANSLATION)
        elif " ".join(machine.split()) == edit:
            source.tally.leave_out(CONFIRMED)
        else:
            messages, lineage = source.contexts.of(row), source.judge.lineage(row)
            lineage |= {"reasoning": True} if row.reasoning else {}
            columns = source.context_of(row.solver)
            if source.options.ratings:
                columns |= {
                    "chosen_rating": 1.0,
                    "rejected_rating": 0.0,
                    "chosen_reason": "a person's edit",
                    "rejected_reason": "before the edit",
                }
            yield Pair(
                judged.origin, {**lineage, "labels_from": FROM_EDITS, "rejected": lineage}, messages, chosen(row.reply, machine, edit), row.reply,
                row.reasoning or "", row.reasoning or "", columns=columns,
            )  # fmt: skip


def chosen(reply: str, machine: str, edit: str) -> str:
    """Return a reply with the edit in the place of the translation where it stands last; where it stands nowhere word for word, an answer line."""
    before, found, after = reply.rpartition(machine)
    return f"{before}{edit}{after}" if found else f"Answer: {edit}"


def _machine(judged: Judged) -> str:
    """Return the translation in the answer; empty where there is none, or the problem is no translation."""
    if judged.solver is None or not hasattr(judged.solver, "translation_in") or not judged.row.answer:
        return ""
    found, _ = judged.solver.translation_in(judged.row.answer, judged.instance)
    return str(found)
