"""How many threads compute: fewer while others want the cores, and the same bits whatever the number."""

from __future__ import annotations

import llama_cpp
import numpy as np
import pytest

from reasoner.clients.llamacpp import bundled_model
from reasoner.clients.llamacpp.worker.decoder import Slice
from reasoner.clients.llamacpp.worker.model import Model
from reasoner.clients.llamacpp.worker.thread_count import RETRY_MOST_S, ThreadCount


def compute(count: ThreadCount, cores: float, seconds: float) -> list[int]:
    """Compute for a while on a machine that gives a model so many cores; return the numbers of threads that were changed to."""
    return [count.now for _ in range(round(seconds / 0.125)) if count.add(0.125, 0.125 * min(count.now, cores))]


def test_what_has_its_cores_stays() -> None:
    assert compute(ThreadCount(now=4, most=4), cores=4, seconds=30) == []
    assert compute(ThreadCount(now=2, most=2), cores=1.5, seconds=30) == []  # three quarters of each: two are still faster than one


def test_the_number_falls_to_what_is_had() -> None:
    assert compute(ThreadCount(now=8, most=8), cores=3, seconds=1.75) == [3]
    assert compute(ThreadCount(now=2, most=2), cores=0.66, seconds=1.75) == [1]
    assert compute(ThreadCount(now=2, most=None), cores=0.66, seconds=30) == [], "a number that was asked for is kept"


def test_more_are_tried_ever_less_often_while_it_is_in_vain() -> None:
    count = ThreadCount(now=2, most=2)
    changes = compute(count, cores=1, seconds=600)
    assert set(changes) == {1, 2}
    assert 10 <= changes.count(2) <= 600 / RETRY_MOST_S + 6
    assert compute(ThreadCount(now=1, most=1), cores=0.2, seconds=30) == []


def test_free_cores_are_taken_again_and_no_more_than_there_are() -> None:
    count = ThreadCount(now=2, most=6)
    compute(count, cores=1, seconds=20)
    assert count.now == 1
    assert compute(count, cores=8, seconds=200) == [2, 4, 6]
    assert compute(count, cores=1, seconds=0.5) == [1], "one that was kept is not returned to when it is taken away later"


@pytest.mark.model
def test_the_number_of_threads_changes_no_bit() -> None:
    model = Model.load({"path": str(bundled_model()), "n_ctx": 256, "threads": 1, "plain": True})
    n_tokens = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model.handle))

    def logits(threads: int) -> list[bytes]:
        llama_cpp.llama_set_n_threads(model.context, threads, threads)
        model.clear()
        rows = model.decode([Slice(0, 0, range(100, 137), wants_logits=True)])
        rows += model.decode([Slice(0, 37, [5], wants_logits=True), Slice(1, 0, range(40, 51), wants_logits=True)])
        return [np.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.context, row), (n_tokens,)).tobytes() for row in rows[1:]]

    assert logits(1) == logits(2) == logits(3)


@pytest.mark.model
def test_a_model_takes_up_what_was_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.load({"path": str(bundled_model()), "n_ctx": 256, "threads": 2, "most_threads": 2, "plain": True})

    def one(count: ThreadCount, *_: float) -> bool:
        count.now = 1
        return True

    monkeypatch.setattr(ThreadCount, "add", one)
    model.decode([Slice(0, 0, [5], wants_logits=True)])
    assert model.threads == llama_cpp.llama_n_threads(model.context) == llama_cpp.llama_n_threads_batch(model.context) == 1
