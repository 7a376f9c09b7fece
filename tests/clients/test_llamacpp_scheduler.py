"""The scheduler and the prefix tree over a model that is a hash: whatever is shared, evicted or preempted, every answer is what it is alone.

The fake keeps what each sequence holds and refuses what llama.cpp would get wrong: a slice that does not continue its sequence, a
sequence that is given out twice, more cells than there are.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from fake_decoder import FakeModel, FakeTask, alone, check
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner.clients.llamacpp.worker.decoder import Slice
from reasoner.clients.llamacpp.worker.prefix_tree import PrefixTree
from reasoner.clients.llamacpp.worker.scheduler import Scheduler


def scheduler_of(model: FakeModel, **options: int | bool | list[Scheduler]) -> Scheduler:
    chosen = {"n_sequences": 32, "max_running": 8, "n_batch": 16, "patience_tokens": 10_000, "exact": False, **options}
    return Scheduler(decoder=model, **chosen)  # type: ignore[arg-type]


def run(scheduler: Scheduler, tasks: Sequence[FakeTask]) -> None:
    for task in tasks:
        scheduler.add(task)
    for _ in range(10_000):
        if not scheduler.busy:
            break
        scheduler.step()
    assert not scheduler.busy
    assert scheduler.n_running == 0


PROMPTS = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.integers(1, 3), min_size=0, max_size=30), st.integers(1, 12)), min_size=1, max_size=14
)


@settings(max_examples=150, deadline=None)
@given(
    PROMPTS,
    st.integers(4, 64),
    st.sampled_from([70, 120, 10_000]),
    st.sampled_from([2, 5, 32]),
    st.booleans(),
    st.integers(20, 500),
    st.sampled_from([0, 0, 1, 5]),
)
def test_every_answer_is_what_it_is_alone(
    drawn: list[tuple[int, list[int], int]], n_batch: int, n_cells: int, n_sequences: int, exact: bool, patience: int, n_forced: int
) -> None:
    heads = ([7] * 20, [7] * 12 + [8] * 12, [9])
    model = FakeModel(n_cells)
    scheduler = scheduler_of(model, n_batch=n_batch, n_sequences=n_sequences, exact=exact, patience_tokens=patience)
    tasks = [FakeTask(model, [*heads[head], *tail, 5], n, n_forced=n_forced) for head, tail, n in drawn]
    for i, task in enumerate(tasks):
        task.discard_cache = i % 3 == 1
    half = len(tasks) // 2
    run(scheduler, tasks[:half])
    run(scheduler, tasks[half:])
    check(tasks)
    assert scheduler.tree.n_cells == len(model.cells()), "the tree knows exactly what is in the cache"


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([80, 10_000]))
def test_cancelling_at_any_moment_frees_everything_and_disturbs_nobody(rng: random.Random, n_cells: int) -> None:
    model = FakeModel(n_cells)
    scheduler = scheduler_of(model)
    tasks = [FakeTask(model, [7] * 10 + [rng.randint(1, 3) for _ in range(rng.randint(1, 12))], 10) for _ in range(10)]
    for task in tasks:
        scheduler.add(task)
    gone = set()
    while scheduler.busy:
        scheduler.step()
        if rng.random() < 0.4:
            victim = rng.randrange(len(tasks))
            if scheduler.cancel(tasks[victim]):
                gone.add(victim)
    check([task for i, task in enumerate(tasks) if i not in gone])
    assert scheduler.tree.n_cells == len(model.cells())


@pytest.mark.parametrize("continued", [True, False])
def test_a_turn_that_is_to_go_on_outlasts_what_others_read_meanwhile(*, continued: bool) -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, n_batch=64, patience_tokens=320)
    turn = FakeTask(model, range(1, 101), 3)
    turn.continued = continued
    run(scheduler, [turn])
    others = [FakeTask(model, [200 + i, *range(300, 340)], 3) for i in range(4)]
    run(scheduler, others)  # more tokens than a sixteenth of the patience, fewer than all
    next_turn = FakeTask(model, [*turn.prompt, *turn.written, 7, 8, 9], 3)
    run(scheduler, [next_turn, FakeTask(model, range(400, 420), 3)])
    check([next_turn])
    assert next_turn.n_cached == (102 if continued else 0)
    assert scheduler.tree.n_cells == len(model.cells())
    run(scheduler, [FakeTask(model, [500 + i, *range(600, 640)], 3) for i in range(12)])  # nobody came back after all
    assert scheduler.tree.match(next_turn.prompt).length == 0


def test_a_prefix_is_read_once_also_when_all_come_together() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, n_batch=64)
    tasks = [FakeTask(model, [*range(1, 101), 200 + i], 3) for i in range(6)]
    run(scheduler, tasks)
    check(tasks)
    assert scheduler.counts.prompt_tokens == 100 + 6
    assert [task.n_cached for task in tasks] == [0, *[100] * 5]


def test_what_is_known_of_a_prompt_is_in_the_cache_or_about_to_be() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, max_running=1)
    assert scheduler.n_known([1, 2, 3]) == 0
    run(scheduler, [FakeTask(model, range(1, 41), 3)])
    assert scheduler.n_known([*range(1, 31), 99, 98]) == 30
    for task in (FakeTask(model, range(100, 140), 30), FakeTask(model, range(200, 240), 3)):
        scheduler.add(task)
    scheduler.step()
    assert scheduler.n_running == 1
    assert scheduler.n_known([*range(100, 120), 99]) == 20, "it is being read"
    assert scheduler.n_known([*range(200, 225), 99]) == 25, "it waits"


def test_forced_tokens_are_read_together_and_are_no_prompt() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model)
    task = FakeTask(model, range(1, 41), 12, n_forced=3)
    run(scheduler, [task])
    check([task])
    assert scheduler.counts.prompt_tokens == 40
    assert scheduler.counts.forced_tokens > 0
    assert scheduler.counts.steps < 2 + len(task.written)


def test_samples_of_one_prompt_read_it_once_and_to_the_last_token() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model)
    run(scheduler, [FakeTask(model, range(1, 41), 3) for _ in range(5)])
    assert scheduler.counts.prompt_tokens == 40


def test_what_was_written_is_continued_from_the_cache() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model)
    first = FakeTask(model, range(1, 41), 6)
    run(scheduler, [first])
    second = FakeTask(model, [*first.prompt, *first.written, 45, 46], 3)
    run(scheduler, [second])
    check([second])
    assert second.n_cached == 40 + len(first.written) - 1  # nothing came after the last token, so it was never read


def test_nothing_is_kept_of_an_answer_nobody_will_continue_but_what_others_share() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model)
    node = FakeTask(model, range(1, 41), 6)
    run(scheduler, [node])
    before = scheduler.tree.n_cells
    values = [FakeTask(model, [*node.prompt, *node.written, 45, 46], 3) for _ in range(3)]
    for value in values:
        value.discard_cache = True
    run(scheduler, values)
    check(values)
    assert scheduler.tree.n_cells == before == len(model.cells())


def test_a_lone_prompt_does_not_look_at_what_nobody_came_back_for() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, n_batch=64)
    shared, used = FakeTask(model, range(1, 31), 6), FakeTask(model, [*range(1, 31), 45], 6)
    run(scheduler, [shared])
    run(scheduler, [used])
    run(scheduler, [FakeTask(model, [40] * 25, 6)])
    lone = FakeTask(model, [41] * 50, 6)
    scheduler.add(lone)
    scheduler.step()
    assert len(model.cells()) == 50 + 30, "itself, and the thirty tokens that were used twice"
    run(scheduler, [])
    check([shared, used, lone])


def test_a_lone_task_that_goes_on_leaves_its_siblings_in_the_cache() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, n_batch=64)
    children = [FakeTask(model, [*range(1, 31), 40 + i], 8) for i in range(3)]
    run(scheduler, children)
    for child in children:  # each by itself, the others waiting for nobody
        value = FakeTask(model, [*child.prompt, *child.written, 45, 46], 3)
        run(scheduler, [value])
        check([value])
        assert value.n_cached >= 31, "it was dropped while a sibling was read"


@pytest.mark.parametrize("max_running", [1, 8])
def test_a_prompt_in_company_drops_nothing(max_running: int) -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, n_batch=64, max_running=max_running)
    node = FakeTask(model, range(1, 31), 6)
    run(scheduler, [node])
    foreign = [FakeTask(model, [token] * 50, 6) for token in (40, 41)]
    for task in foreign:
        scheduler.add(task)
    scheduler.step()
    follower = FakeTask(model, [*node.prompt, *node.written, 45, 46], 3)
    if max_running > 1:
        run(scheduler, [follower])
        assert follower.n_cached >= 30
    else:
        assert scheduler.tree.match(node.prompt).length == 30, "one waits: it may be the one that comes back"


def test_prompts_and_answers_share_a_batch() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, n_batch=10)
    short, long = FakeTask(model, [1, 2], 30), FakeTask(model, [3] * 35, 1)
    scheduler.add(short)
    scheduler.step()
    scheduler.add(long)
    steps = 0
    while not long.written:
        before = len(short.written)
        scheduler.step()
        steps += 1
        assert len(short.written) > before or len(short.written) == len(alone(short.prompt, 30))
    assert steps == 4  # nine tokens of the prompt beside one of the answer


def test_a_suspect_runs_by_itself() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model)
    tasks = [FakeTask(model, [i], 5, alone=i == 2) for i in range(1, 5)]
    for task in tasks:
        scheduler.add(task)
    most = 0
    while scheduler.busy:
        scheduler.step()
        running = [place.task for place in scheduler._running]
        most = max(most, len(running))
        assert len(running) <= 1 or not any(task.alone for task in running)
    check(tasks)
    assert most > 1


def test_a_suspect_runs_beside_no_task_of_another_adapter_either_and_none_waits_for_ever() -> None:
    models: list[FakeModel] = [FakeModel(), FakeModel()]
    beside: list[Scheduler] = []
    schedulers = [scheduler_of(model, beside=beside) for model in models]
    tasks = {n: [FakeTask(model, [n, i], 5, alone=i in {2, 5}) for i in range(1, 7)] for n, model in enumerate(models)}
    for n, scheduler in enumerate(schedulers):
        for task in tasks[n]:
            scheduler.add(task)
    together = 0
    for turn in range(1000):
        schedulers[turn % 2].step()
        running = [place.task for each in schedulers for place in each._running]
        assert len(running) <= 1 or not any(task.alone for task in running)
        together += all(each._running for each in schedulers)
    assert not any(each.busy for each in schedulers)
    assert together > 0, "the others do run beside each other"
    check([*tasks[0], *tasks[1]])


def test_a_task_that_came_last_gives_way_and_goes_on_later() -> None:
    model = FakeModel(n_cells=200)
    scheduler = scheduler_of(model)
    lasting = [i for i in range(400) if len(alone([i, i, i], 90)) == 90]
    tasks = [FakeTask(model, [i, i, i], 90) for i in lasting[:4]]
    run(scheduler, tasks)
    check(tasks)
    assert scheduler.counts.preempted > 0


def test_exact_runs_one_at_a_time_and_keeps_nothing() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, exact=True)
    tasks = [FakeTask(model, range(1, 21), 3) for _ in range(3)]
    run(scheduler, tasks)
    assert scheduler.counts.prompt_tokens == 60
    assert scheduler.counts.cached_tokens == 0
    assert model.cells() == set()


def test_a_memory_that_cannot_be_cut_shares_nothing_and_still_batches() -> None:
    model = FakeModel(shares_prefixes=False)
    scheduler = scheduler_of(model)
    tasks = [FakeTask(model, [*range(1, 21), i], 4) for i in range(3)]
    run(scheduler, tasks)
    check(tasks)
    assert scheduler.counts.prompt_tokens == 63


def test_what_nobody_comes_back_for_goes_first_and_what_is_shared_stays_longer() -> None:
    model = FakeModel()
    scheduler = scheduler_of(model, patience_tokens=4000, n_batch=64)  # 250 tokens for what is unused, 500 for what was used once
    shared = list(range(1, 31))
    run(scheduler, [FakeTask(model, [*shared, 41], 2), FakeTask(model, [*shared, 42], 2)])
    run(scheduler, [FakeTask(model, [100 + i for i in range(330)], 1)])  # many tokens of somebody else
    assert scheduler.tree.match([*shared, 41]).length == len(shared), "the tails are gone, the beginning they share is not"
    run(scheduler, [FakeTask(model, [500 + i for i in range(330)], 1)])
    assert scheduler.tree.match(shared).length == 0, "in the end it has cost more than it could save"


def test_the_tree_evicts_the_least_recently_used_and_never_what_is_pinned() -> None:
    model = FakeModel()
    for seq, tokens in enumerate([(1, 2, 3), (1, 2, 4), (5, 6)]):
        model.decode([Slice(seq, 0, tokens, wants_logits=False)])
    tree = PrefixTree(model, patience_tokens=10_000)
    tree.insert((1, 2, 3), 0)
    tree.clock = 1
    tree.insert((1, 2, 4), 1)
    tree.clock = 2
    tree.insert((5, 6), 2)
    pinned = tree.pin((1, 2, 3), 3)
    assert tree.evict()
    assert (tree.match((1, 2, 4)).length, tree.match((1, 2, 3)).length, tree.match((5, 6)).length) == (2, 3, 2)
    assert tree.evict()
    assert tree.match((5, 6)).length == 0
    assert not tree.evict()
    tree.unpin(pinned)
    tree.clear()
    assert (tree.n_cells, model.cells()) == (0, set())


def test_pinning_what_is_not_cached_is_a_fault_of_the_program() -> None:
    with pytest.raises(LookupError):
        PrefixTree(FakeModel(), patience_tokens=1).pin((1, 2), 2)
