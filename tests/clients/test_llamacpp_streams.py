"""Conversations in streams of their own: each turn goes on where the one before it ended, others wait, and every answer is what it is alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from fake_decoder import FakeModel, FakeTask, alone, check
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.clients.llamacpp.worker.decoder import Slice
from reasoner.clients.llamacpp.worker.scheduler import Scheduler
from reasoner.clients.llamacpp.worker.streams import HELD_STEPS, MAX_BRIDGE, Streams

HEAD = [7] * 50


class StreamModel(FakeModel):
    """Notes which sequences went through together, and copies whole streams only into free ones."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[int]] = []

    def decode(self, slices: Sequence[Slice]) -> list[int | None]:
        self.batches.append([piece.seq for piece in slices])
        assert self.batches[-1] == sorted(set(self.batches[-1])), "streams go through in their order"
        return super().decode(slices)


def streams_of(model: FakeModel, **options: int | list[Scheduler]) -> Streams:
    chosen = {"max_running": 4, "n_batch": 16, "n_streams": 4, "n_tokens": 400, **options}
    return Streams(decoder=model, **chosen)  # type: ignore[arg-type]


def turn(model: FakeModel, before: FakeTask | None, said: Sequence[int], *, max_tokens: int = 4) -> FakeTask:
    """The next turn of a conversation, or its first."""
    told = [*before.prompt, *before.written] if before is not None else HEAD
    task = FakeTask(model, [*told, *said], max_tokens)
    task.continued = True
    return task


def going_on(task: FakeTask) -> FakeTask:
    """A task that writes until it may write no more."""

    def take(row: int) -> bool:
        task.written.append(3)
        return len(task.written) >= task.max_tokens

    task.take = take  # type: ignore[method-assign]
    return task


def run(streams: Streams, tasks: Sequence[FakeTask]) -> None:
    for task in tasks:
        streams.add(task)
    for _ in range(10_000):
        if not streams.busy:
            return
        streams.step()
    raise AssertionError("it does not end")


def steps_held(streams: Streams, endless: FakeTask, short: FakeTask, third: FakeTask) -> int:
    """How many steps the stream of a short turn is held beside an endless one, before a third task gets it."""
    streams.add(endless)
    streams.add(short)
    while short not in streams.step():
        pass
    held_from = streams.counts.steps
    streams.add(third)
    while third not in streams.entered:
        streams.step()
    return streams.counts.steps - held_from


@settings(max_examples=120, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 6), st.integers(1, 6), st.integers(3, 40), st.sampled_from([0, 0, 3]))
def test_every_turn_of_every_conversation_is_what_it_is_alone(
    rng: random.Random, n_streams: int, max_running: int, n_batch: int, n_forced: int
) -> None:
    model = StreamModel()
    streams = streams_of(model, n_streams=n_streams, max_running=min(max_running, n_streams), n_batch=n_batch)
    done: list[FakeTask] = []
    last: dict[int, FakeTask] = {}
    left = {talk: rng.randint(1, 4) for talk in range(rng.randint(1, 9))}
    cancelled: set[int] = set()
    while left or streams.busy:
        for talk in [t for t in left if t not in last or last[t] in done]:
            said = [rng.randint(1, 4) for _ in range(rng.randint(1, 20))]
            last[talk] = turn(model, last.get(talk), said, max_tokens=rng.randint(1, 8))
            last[talk].n_forced = n_forced
            last[talk].continued = rng.random() < 0.8
            streams.add(last[talk])
            left[talk] -= 1
        left = {talk: n for talk, n in left.items() if n and talk not in cancelled}
        if rng.random() < 0.05:
            victim = rng.choice(list(last))
            if streams.cancel(last[victim]):
                cancelled.add(victim)
                left.pop(victim, None)
        if streams.busy:
            finished = streams.step()
            done += [task for task in finished if isinstance(task, FakeTask)]
    check(done)
    assert streams.n_running == 0
    assert streams.n_kept == sum(len(held) for held in model.held.values()), "it knows exactly what is in the cache"
    streams.clear()
    assert not any(model.held.values())
    assert streams.n_kept == 0


def test_a_turn_reads_only_what_is_new() -> None:
    model = StreamModel()
    streams = streams_of(model)
    first = [turn(model, None, [10 + i] * 20) for i in range(4)]
    run(streams, first)
    second = [turn(model, task, [30, 31, 32]) for task in first]
    run(streams, second)
    check(second)
    assert [task.n_cached for task in second] == [len(task.prompt) + len(task.written) - 1 for task in first]


def test_what_conversations_begin_with_is_read_once_and_copied() -> None:
    model = StreamModel()
    streams = streams_of(model, n_batch=256)
    tasks = [turn(model, None, [10 + i] * 20) for i in range(4)]
    for task in tasks:
        task.prompt = [*range(100, 200), *task.prompt]
    run(streams, tasks)
    check(tasks)
    assert [task.n_cached for task in tasks] == [0, 150, 150, 150]
    assert streams.counts.prompt_tokens == 150 + 4 * 20


def test_a_conversation_keeps_its_stream_while_others_wait_for_one() -> None:
    model = StreamModel()
    streams = streams_of(model, n_streams=2, max_running=2)
    long, short = going_on(turn(model, None, [10] * 20, max_tokens=60)), turn(model, None, [11] * 20, max_tokens=2)
    third = turn(model, None, [12] * 20)
    for task in (long, short, third):
        streams.add(task)
    while short not in (finished := streams.step()):
        assert finished == []
    for _ in range(5):  # its tool is at work
        streams.step()
    assert third not in streams.entered
    following = turn(model, short, [40, 41])
    run(streams, [following])
    check([short, third, following])
    assert following.n_cached == len(short.prompt) + len(short.written) - 1
    assert streams.entered.index(following) < streams.entered.index(third)


def test_a_stream_is_not_held_for_ever() -> None:
    model = StreamModel()
    streams = streams_of(model, n_streams=2, max_running=2, n_tokens=400)
    endless, short = going_on(turn(model, None, [10], max_tokens=5 * HELD_STEPS)), turn(model, None, [11] * 20, max_tokens=2)
    third = turn(model, None, [12] * 20)
    assert steps_held(streams, endless, short, third) == HELD_STEPS + 1
    assert streams.n_running == 2


def test_a_turn_that_came_hours_later_holds_no_stream_longer_than_others_do() -> None:
    model = StreamModel()
    streams = streams_of(model, n_streams=2, max_running=2, n_tokens=2000)
    talk = turn(model, None, [10] * 20)
    run(streams, [talk])
    run(streams, [going_on(FakeTask(model, [1, 2, 3], 300))])  # meanwhile
    for _ in range(60):  # then everybody comes back at once
        talk = turn(model, talk, [40])
        run(streams, [talk])
    short, endless, third = (
        turn(model, None, [11] * 20, max_tokens=1),
        going_on(turn(model, None, [12], max_tokens=300)),
        turn(model, None, [13] * 20),
    )
    assert steps_held(streams, endless, short, third) < HELD_STEPS / 2


def test_where_nothing_runs_nobody_waits_for_a_turn_that_may_never_come() -> None:
    model = StreamModel()
    streams = streams_of(model, n_streams=2, max_running=2)
    run(streams, [turn(model, None, [10 + i] * 20) for i in range(2)])
    before = streams.counts.steps
    other = turn(model, None, [20] * 20)
    streams.add(other)
    streams.step()
    assert streams.entered[-1] is other
    assert streams.counts.steps == before + 1


def test_a_held_stream_is_not_taken_for_the_same_question_asked_again() -> None:
    model = StreamModel()
    streams = streams_of(model)
    first = turn(model, None, [10] * 20)
    run(streams, [first])
    again = turn(model, None, [10] * 20)
    run(streams, [again])
    following = turn(model, first, [40])
    run(streams, [following])
    check([first, again, following])
    assert again.n_cached == len(first.prompt) - 1
    assert following.n_cached == len(first.prompt) + len(first.written) - 1


def test_a_turn_whose_stream_was_lost_does_not_take_that_of_a_conversation_that_began_alike() -> None:
    model = StreamModel()
    streams = streams_of(model)
    kept = turn(model, None, [10, 11, 12])
    run(streams, [kept])
    lost = turn(model, None, [20, 21, 22])  # as the model read it in another process
    lost.written = alone(lost.prompt, 4)
    lost_next, kept_next = turn(model, lost, [40]), turn(model, kept, [40])
    run(streams, [lost_next, kept_next])
    check([lost_next, kept_next])
    assert lost_next.n_cached == len(HEAD)
    assert kept_next.n_cached == len(kept.prompt) + len(kept.written) - 1


def test_a_template_may_write_the_end_of_a_prompt_otherwise_in_the_next_turn() -> None:
    model = StreamModel()
    streams = streams_of(model, n_streams=2, max_running=2)
    first, endless = turn(model, None, [10] * 40 + [45, 46]), going_on(turn(model, None, [3], max_tokens=100))
    first.n_opening = 2
    streams.add(endless)
    streams.add(first)
    while first not in streams.step():
        pass
    following = turn(model, None, [10] * 40 + [47, 48, 49])
    run(streams, [following])
    check([following])
    assert following.n_cached == len(HEAD) + 40
    assert following.prompt == streams.entered[-1].prompt
    assert len(endless.written) == 100


def test_single_questions_run_in_neighbouring_streams() -> None:
    model = StreamModel()
    streams = streams_of(model, n_streams=8, max_running=3, n_batch=64)
    tasks = [FakeTask(model, [*HEAD, *[10 + i] * (5 + 7 * i % 11)], 2 + 5 * i % 9) for i in range(30)]
    run(streams, tasks)
    check(tasks)
    assert {seq for batch in model.batches for seq in batch} == {0, 1, 2}, "nobody comes back to what the others held"
    assert sum(task.n_cached for task in tasks) >= 27 * len(HEAD), "what they have in common is read by those alone that were first"


def test_idle_streams_between_two_that_run_go_along_and_keep_what_they_hold() -> None:
    model = StreamModel()
    streams = streams_of(model, n_streams=8, max_running=8, n_batch=64)
    lengths = (40, 2, 2, 40, 2, 2, 2, 40)
    tasks = [going_on(turn(model, None, [10 + i] * 20, max_tokens=length)) for i, length in enumerate(lengths)]
    for task in tasks:
        streams.add(task)
    while streams.n_running > 3 or len(streams.entered) < 8:
        streams.step()
    model.batches.clear()
    streams.step()
    seqs = model.batches[-1]
    assert max(b - a for a, b in pairwise(seqs)) == 1
    assert len(seqs) > 3
    assert MAX_BRIDGE >= 3
    following = turn(model, tasks[1], [41, 42])
    run(streams, [following])
    assert following.n_cached == len(tasks[1].prompt) + len(tasks[1].written) - 1


@pytest.mark.parametrize("lone_is_in_streams", [True, False])
def test_a_suspect_runs_beside_nobody_of_the_other_layout_either(*, lone_is_in_streams: bool) -> None:
    model = StreamModel()
    queues: list[Scheduler] = []  # an empty batch is what llama.cpp refuses: the models here do too
    shared = Scheduler(decoder=FakeModel(), n_sequences=8, max_running=4, n_batch=16, patience_tokens=1000, beside=queues)  # type: ignore[arg-type]
    streams = streams_of(model, beside=queues)
    suspect_in, other_in = (streams, shared) if lone_is_in_streams else (shared, streams)
    suspect = FakeTask(suspect_in.decoder, [*HEAD, 1, 2], 6, alone=True)  # type: ignore[arg-type]
    other = FakeTask(other_in.decoder, [*HEAD, 3, 4], 6)  # type: ignore[arg-type]
    suspect_in.add(suspect)
    suspect_in.step()
    other_in.add(other)
    while suspect_in.busy:
        other_in.step()  # nothing to decode, and no fault
        assert other_in.n_running == 0
        suspect_in.step()
    run_on = [other_in.step() for _ in range(20) if other_in.busy]
    assert [other] in run_on
    check([suspect, other])
