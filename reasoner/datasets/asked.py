"""Prompts, and what their answers came to: for reinforcement learning and whatever else takes several replies to one prompt.

for record in groups(source): record.texts, record.rewards

A prompt is what the answering call was asked, word for word; all trajectories of a problem with the same messages belong to it. Prompts nobody
has solved are taken too: their pass rate is 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner import token_record
from reasoner.datasets.records import Group, Prompt
from reasoner.datasets.select import NO_CALL
from reasoner.store import reading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.datasets.records import Record
    from reasoner.datasets.select import Judged
    from reasoner.datasets.source import Source
    from reasoner.token_record import TokenRecord

NO_REWARD = "no verifier can judge answers to it"
OUT_OF_RATE = "the pass rate of its prompt is not within `pass_rate`"
UNKNOWN_RATE = -1.0
NO_TOKENS = "its tokens were not recorded (`record=tokens` does), or not those of the same prompt"


def prompts(source: Source) -> Iterator[Record]:
    """Yield each prompt once, in the order of problems."""
    for group in _asked(source, whole=False):
        best = next((judged for judged in group if judged.row.correct), group[0])
        messages = source.contexts.of(best.row)
        lineage = {**source.judge.lineage(best.row), "reasoning": any(m.reasoning for m in messages)}
        columns = source.context_of(best.row.solver)
        known = [judged for judged in group if judged.row.correct is not None]
        yield Prompt(best.origin, lineage, messages, best.row.solver, best.row.line, _rate(group), len(known), columns=columns)


def groups(source: Source) -> Iterator[Record]:
    """Yield each prompt with all whole replies to it that have a verdict."""
    for asked in _asked(source, whole=True):
        group, recorded = _with_tokens(source, asked) if source.options.tokens else (asked, [])
        if not group:
            continue
        first = group[0]
        messages = source.contexts.of(first.row)
        told = any(judged.row.reasoning for judged in group) or any(m.reasoning for m in messages)
        lineage = {**source.judge.lineage(first.row), "reasoning": told, "trajectories": [judged.row.id for judged in group]}
        models = tuple(dict.fromkeys(judged.row.model for judged in group))
        strategies = tuple(dict.fromkeys(judged.row.strategy for judged in group))
        first.origin.models, first.origin.strategies = models, strategies
        yield Group(
            first.origin, lineage, messages, first.row.solver, first.row.line, [judged.row.reply or "" for judged in group],
            [judged.row.reasoning or "" for judged in group], [_reward(judged) for judged in group], _rate(asked),
            prompt_ids=list(recorded[0].prompt_ids) if recorded else [], token_ids=[list(each.ids) for each in recorded],
            logprobs=[list(each.logprobs) for each in recorded], columns=source.context_of(first.row.solver),
        )  # fmt: skip


def tokens_fit(source: Source, record: Record) -> bool:
    """Tell whether an imported record has the tokens that are asked for; those that are not asked for are taken off."""
    if not isinstance(record, Group):
        return True
    if source.options.tokens:
        if not record.token_ids:
            source.tally.leave_out(NO_TOKENS)
        return bool(record.token_ids)
    record.prompt_ids, record.token_ids, record.logprobs = [], [], []
    return True


def _with_tokens(source: Source, group: list[Judged]) -> tuple[list[Judged], list[TokenRecord]]:
    """Return the trajectories whose tokens were recorded, with these; of several models only those that read the prompt as the first does."""
    taken: list[Judged] = []
    recorded: list[TokenRecord] = []
    for judged in group:
        found = token_record.read(reading.tokens(source.store, judged.row.key or ""))
        if found is None or (recorded and found.prompt_ids != recorded[0].prompt_ids):
            source.tally.leave_out(NO_TOKENS)
        else:
            taken.append(judged)
            recorded.append(found)
    return taken, recorded


def _asked(source: Source, *, whole: bool) -> Iterator[list[Judged]]:
    """Yield the trajectories of each prompt whose pass rate is asked for; with `whole` those whose reply is text alone and holds the answer."""

    def takes(judged: Judged) -> bool:
        if judged.row.key is None:
            source.tally.leave_out(NO_CALL)
        elif judged.solver is None:
            source.tally.leave_out(NO_REWARD)
        else:
            return not whole or source.is_plain(judged)
        return False

    low, high = source.options.pass_rates()
    for group in source.by_prompt(takes):
        if source.options.pass_rate and not low <= _rate(group) <= high:
            for _ in group:
                source.tally.leave_out(OUT_OF_RATE)
        else:
            yield group


def _rate(group: list[Judged]) -> float:
    known = [bool(judged.row.correct) for judged in group if judged.row.correct is not None]
    return round(sum(known) / len(known), 6) if known else UNKNOWN_RATE


def _reward(judged: Judged) -> float:
    return 1.0 if judged.row.correct else float(judged.row.score or 0.0)
