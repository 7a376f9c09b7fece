"""Programs against a user's tests: what passes, what fails and how it is told, and that no program can say by itself that it passed."""

from __future__ import annotations

import hmac
import json
import shutil

import pytest

from reasoner.errors import SandboxMissing
from reasoner.sandbox import tested, tested_worker
from reasoner.sandbox.bubblewrap import ProgramLimits
from reasoner.sandbox.tested import run_tests

needs_bubblewrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed on this machine")
TESTS = ["assert f(1) == 2", "def check(candidate):\n    assert candidate(2) == 3\n    assert abs(candidate(2.5) - 3.5) < 1e-9"]


@needs_bubblewrap
def test_a_program_that_is_right_passes_and_one_that_is_not_is_told_where() -> None:
    assert run_tests("def f(a):\n    return a + 1", name="f", tests=TESTS).fault(2) == ""
    wrong = run_tests("def f(a):\n    return 2", name="f", tests=TESTS)
    assert [result.ok for result in wrong.results] == [True, False]
    assert wrong.fault(2) == "assert candidate(2) == 3 fails"
    raising = run_tests("def f(a):\n    return a[0]", name="f", tests=TESTS).fault(2)
    assert "assert f(1) == 2 fails (TypeError" in raising
    assert "cannot be run: KeyError" in run_tests("g = 1", name="f", tests=TESTS).fault(2)
    assert "SyntaxError" in run_tests("def f(", name="f", tests=TESTS).fault(2)


@needs_bubblewrap
def test_tests_may_mutate_catch_and_use_what_stands_before() -> None:
    tests = [
        "x = [3, 1]\nf(x)\nassert x == [1, 3]",
        "try:\n    f(None)\n    raise AssertionError('no error')\nexcept TypeError:\n    pass",
        "assert twice(len(f([]) or [])) == 0",
    ]
    before = "import math\ndef twice(n):\n    return 2 * n\ndef f(a):\n    '''Sort it.'''"
    assert (
        run_tests("def f(a):\n    a.sort() if a is not None else math.sqrt(a)\n    return a", name="f", tests=tests, before=before).fault(3)
        == ""
    )


TRICKS = {
    "equal to everything": "class A:\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\ndef f(a): return A()",
    "a number that is equal to everything": "class N(int):\n    def __eq__(self, other): return True\n    __hash__ = int.__hash__\ndef f(a): return N(1)",
    "another abs": "import builtins\nbuiltins.abs = lambda x: 0\ndef f(a): return a + 1 if a == 1 else 3 if a == 2 else 100.0",
    "an exit": "import os\ndef f(a): os._exit(0)",
    "an exit at once": "import sys\nsys.exit(0)",
    "an exception that is none": "def f(a): raise SystemExit",
    "a verdict that is printed": "import os\nos.write(1, b'0' * 32 + b' [{\"ok\": true}]\\n')\ndef f(a): print('passed'); return 0",
    "a verdict in the pipe": 'import os\nfor n in range(3, 10):\n    try: os.write(n, b\'{"ready": true}\\n{"gave": ["int", "0x2"], "args": ["tuple", []]}\\n\')\n    except OSError: pass\ndef f(a): return 0',
    "damage in the pipe": "import os\ndef f(a):\n    for n in range(3, 10):\n        try: os.write(n, b'[' * 5000 + b'\\n')\n        except OSError: pass\n    return 0",
    "the memory of the tests": "import os\ndef f(a):\n    try: open(f'/proc/{os.getppid()}/mem', 'rb').read(1)\n    except OSError as e: raise ValueError(str(e))\n    return 2",
    "the other process": "import os, signal\ndef f(a): os.kill(os.getppid(), signal.SIGKILL); return 2",
    "no end": "def f(a):\n    while True: pass",
    "an end of a map": "def f(a): raise StopIteration",
}


@needs_bubblewrap
@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_passes(trick: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "LIMITS", ProgramLimits(seconds=6.0, processor_seconds=2, processes=16, disk_bytes=1 << 20))
    assert run_tests(TRICKS[trick], name="f", tests=[*TESTS, "assert f(7) == 8"]).fault(3)


WAITS = "try:\n    f(-1)\nexcept Exception:\n    pass\nelse:\n    raise AssertionError"
"""A test that takes every exception for the one it waits for."""


@needs_bubblewrap
@pytest.mark.parametrize(
    ("program", "test", "said"),
    [
        ("import os\ndef f(a): os._exit(0)", WAITS, "the program ended itself"),
        ("import os, signal\ndef f(a): os.kill(os.getpid(), signal.SIGSEGV)", WAITS, "the program crashed (SIGSEGV)"),
        ("import os\ndef f(a):\n    for n in range(3, 10):\n        try: os.write(n, b'[]\\n')\n        except OSError: pass", WAITS, "where it should not"),
        ("def f(a): raise StopIteration", "assert all(map(f, [1, 2, 3]))", "RuntimeError: StopIteration"),
        ("def f(a): return a", "import sys\nsys.exit(f(0))", "sys.exit(f(0)) fails (SystemExit: 0)"),
    ],
)  # fmt: skip
def test_a_program_that_dies_or_ends_a_loop_is_not_taken_for_one_that_passes(program: str, test: str, said: str) -> None:
    tested_ = run_tests(program, name="f", tests=[test, "assert True"])
    assert not tested_.results[0].ok
    assert said in tested_.fault(2)


@needs_bubblewrap
def test_what_stands_before_may_be_words_and_is_named_where_it_cannot_be_run() -> None:
    assert run_tests("def f(a): return a + 1", name="f", tests=TESTS, before="Write f, which adds one.").fault(2) == ""
    missing = run_tests("def f(a): return a + 1", name="f", tests=TESTS, before="import there_is_no_such_module").fault(2)
    assert "f cannot be run: ModuleNotFoundError" in missing
    assert "there_is_no_such_module" in missing


@needs_bubblewrap
def test_a_program_without_end_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "LIMITS", ProgramLimits(seconds=60.0, processor_seconds=1, processes=16, disk_bytes=1 << 20))
    assert "needed more time" in run_tests(TRICKS["no end"], name="f", tests=TESTS).fault(2)


@needs_bubblewrap
def test_much_that_is_said_of_many_tests_is_read_whole() -> None:
    many = ["assert f('" + "\U0001f600" * 300 + "')"] * 200
    results = run_tests("def f(a): raise ValueError('\U0001f600' * 500)", name="f", tests=many).results
    assert [result.ok for result in results] == [False] * 200


def test_only_what_is_signed_and_whole_is_read() -> None:
    told = '[{"ok": true, "said": ""}]'
    line = f"{hmac.new(b'key', told.encode(), 'sha256').hexdigest()} {told}"
    assert tested.signed(f"noise\n{line}\nmore", "key") == json.loads(told)
    for output in ("", line[:-1], line.replace("true", "false"), f"{'0' * 64} {told}", f"é {told}"):
        assert tested.signed(output, "key") is None
    assert tested.signed(line, "another") is None


def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxMissing, match="bubblewrap"):
        run_tests("def f(a): return a", name="f", tests=TESTS)
    assert "at most" in run_tests("#" * 60_000, name="f", tests=TESTS).fault(2)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -(10**30),
        1.5,
        float("inf"),
        1 + 2j,
        "a\ud800",
        b"\x00",
        [1, (2, {3}), {"a": [None]}],
        frozenset({1}),
        {(1, 2): "x"},
        set(),
        bytearray(b"a"),
    ],
)
def test_plain_data_comes_back_as_it_was(value: object) -> None:
    again = tested_worker.decoded(json.loads(json.dumps(tested_worker.encoded(value))))
    assert again == value
    assert type(again) is type(value)


def test_what_is_no_plain_data_is_equal_to_nothing() -> None:
    class Number(int):
        pass

    for value in (Number(3), object(), [Number(3)], lambda: 0):
        assert tested_worker.decoded(tested_worker.encoded(value)) != value
