"""The judging process: limits hold, a death is survived, a fork gets its own."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from ends import ends

from reasoner.grading import grader, read
from reasoner.grading.trust import trust
from reasoner.grading.worker.process import MATH, PLAIN, Worker, worker

REGEX = {"op": "regex", "pattern": r"(a+)+b", "text": "a" * 40}


def test_a_catastrophic_pattern_is_cut_and_the_next_question_is_answered() -> None:
    one = Worker(PLAIN)
    try:
        assert one.ask({"op": "regex", "pattern": "x(.)", "text": "xaxb"}) == {"found": "b"}
        with ends("2^40 steps", clock=time.monotonic):
            assert one.ask(REGEX) is None
        assert one.ask({"op": "regex", "pattern": "x.", "text": "xa"}) == {"found": "xa"}
    finally:
        one.close()


def test_what_hears_no_signal_is_killed(tmp_path: Path) -> None:
    """A function that sleeps uses no processor time, so that its own limit never falls; only the other end can end it."""
    file = tmp_path / "g.py"
    file.write_text("import time\ndef judge(given, golds):\n    time.sleep(100)\n")
    one = Worker(PLAIN)
    try:
        assert one.ask({"op": "python", "file": str(file), "function": "judge", "arguments": ["", []]}) is None
        with ends("a sleep of 100 s", clock=time.monotonic):
            assert one.ask({"op": "regex", "pattern": "x", "text": "x"}) == {"found": "x"}
    finally:
        one.close()


def test_memory_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "g.py"
    file.write_text("def judge(given, golds):\n    return bool(bytearray(1 << 33))\n")
    made = worker(PLAIN).ask({"op": "python", "file": str(file), "function": "judge", "arguments": ["", []]})
    assert made is None or "MemoryError" in made["error"]


def test_a_killed_child_is_replaced() -> None:
    one = Worker(PLAIN)
    try:
        one.ask({"op": "regex", "pattern": "x", "text": "x"})
        os.kill(one._child, 9)
        answers = [one.ask({"op": "regex", "pattern": "x", "text": "x"}) for _ in range(2)]
        assert answers[1] == {"found": "x"}
    finally:
        one.close()


def test_a_forked_process_has_its_own(tmp_path: Path) -> None:
    one = Worker(PLAIN)
    try:
        assert one.ask({"op": "regex", "pattern": "x", "text": "x"}) == {"found": "x"}
        pid = os.fork()
        if pid == 0:
            same = one.ask({"op": "regex", "pattern": "y", "text": "y"}) == {"found": "y"}
            one.close()
            os._exit(0 if same else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert one.ask({"op": "regex", "pattern": "x", "text": "x"}) == {"found": "x"}
    finally:
        one.close()


def test_a_function_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def short(given, golds):\n    return len(given) < 5, 'it is short'\n"
        "def breaks(given, golds):\n    return 1 / 0\n"
        "def hangs(given, golds):\n    while True: pass\n"
        "def dies(given, golds):\n    import os; os._exit(9)\n"
    )
    trust(f"python:{file}:short")
    verdicts = {name: grader(f"python:{file}:{name}").judge("abc", ["x"]) for name in ("short", "breaks", "hangs", "dies", "missing")}
    assert (verdicts["short"].correct, verdicts["short"].reason) == (True, "it is short")
    assert {name: verdict.correct for name, verdict in verdicts.items() if name != "short"} == dict.fromkeys(
        ["breaks", "hangs", "dies", "missing"]
    )
    assert "ZeroDivisionError" in verdicts["breaks"].reason
    assert grader(f"python:{file}:short").judge("abcdef", ["x"]).correct is False


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|aa)+$", r"([a-z]+)*=", r"(.*a){25}"])
def test_a_pattern_of_the_users_never_hangs_a_reader(pattern: str) -> None:
    read(f"regex:{pattern}", "a" * 5000 + "!")


def test_math_verify_is_asked_in_its_process() -> None:
    pytest.importorskip("math_verify", reason="the extra tasks is not installed")
    assert worker(MATH).ask({"op": "math", "gold": "x+1", "given": "1+x"}) == {"same": True}
