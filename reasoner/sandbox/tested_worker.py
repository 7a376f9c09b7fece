"""What runs inside the sandbox when a program is tested, started by `reasoner.sandbox.tested`; it imports nothing of this package.

Two processes: the first holds the tests and the word that says they passed, the second runs the program and is asked for the result of every call. The
program never stands in the process of the tests, and what comes back of a call is read as plain data: a value that is equal to everything, a function
that is put in the place of `abs`, an exit in the middle, or a printed verdict lead nowhere.

    stdin  {"word": "8c1f", "before": "import math", "program": "def f(a): ...", "name": "f", "tests": ["assert f(1) == 2"]}
    stdout 8c1f [{"ok": true, "said": ""}]
"""

from __future__ import annotations

import builtins
import ctypes
import json
import os
import sys
from typing import Any

MAX_LINE_BYTES = 4 << 20
MAX_SAID = 200
_NOT_DUMPABLE = 4


class Unlike:
    """A value that is no plain data: equal to nothing."""

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __repr__(self) -> str:
        return self.shown


def encoded(value: Any, depth: int = 0) -> list[Any]:
    """Write plain data (None, truth values, numbers, texts, bytes, lists, tuples, sets, dictionaries) as JSON can hold it."""
    kind = type(value)
    if depth > 50:
        return ["other", "something deeply nested"]
    if value is None or kind in {bool, str}:
        return ["as it is", value]
    if kind is int:
        return ["int", hex(value)]
    if kind in {float, complex}:
        return [kind.__name__, repr(value)]
    if kind in {bytes, bytearray}:
        return [kind.__name__, value.hex()]
    if kind in {list, tuple, set, frozenset}:
        return [kind.__name__, [encoded(each, depth + 1) for each in value]]
    if kind is dict:
        return ["dict", [[encoded(key, depth + 1), encoded(each, depth + 1)] for key, each in value.items()]]
    return ["other", f"a {kind.__name__}"[:MAX_SAID]]


def decoded(told: Any) -> Any:
    """Read what `encoded` has written."""
    kind, value = told
    if kind == "as it is":
        return value if value is None or isinstance(value, bool | str) else Unlike("something else")
    if kind == "int":
        return int(value, 16)
    if kind in {"float", "complex"}:
        return {"float": float, "complex": complex}[kind](value)
    if kind in {"bytes", "bytearray"}:
        plain = bytes.fromhex(value)
        return plain if kind == "bytes" else bytearray(plain)
    if kind in {"list", "tuple", "set", "frozenset"}:
        return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](decoded(each) for each in value)
    if kind == "dict":
        return {decoded(key): decoded(each) for key, each in value}
    return Unlike(str(value)[:MAX_SAID])


def run_program(asked: Any, answers: Any) -> None:
    """Run the program, then answer calls until the other side closes. Nothing it does can be taken for a verdict."""
    task = json.loads(asked.readline())
    space: dict[str, Any] = {"__name__": "answer"}
    try:
        exec(compile(task["before"], "<before>", "exec"), space)  # noqa: S102 - the sandbox is there for this
    except SyntaxError:
        space = {"__name__": "answer"}
    try:
        exec(compile(task["program"], "<answer>", "exec"), space)  # noqa: S102
        found = space[task["name"]]
        tell(answers, {"ready": True})
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told
        tell(answers, {"raised": type(error).__name__, "said": str(error)[:MAX_SAID]})
        return
    for line in asked:
        args, kwargs = decoded(json.loads(line))
        try:
            gave = found(*args, **kwargs)
            tell(answers, {"gave": encoded(gave), "args": encoded(args)})
        except BaseException as error:  # noqa: BLE001
            tell(answers, {"raised": type(error).__name__, "said": str(error)[:MAX_SAID]})


def tell(answers: Any, what: Any) -> None:
    """Write one line."""
    answers.write(json.dumps(what).encode() + b"\n")
    answers.flush()


class Broken(Exception):
    """The program's process has ended, or says what cannot be read."""


def heard(answers: Any) -> dict[str, Any]:
    """Read one line of the program's process."""
    line = answers.readline(MAX_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise Broken("the program ended itself" if len(line) < MAX_LINE_BYTES else "the program gave more than can be read")
    try:
        made = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Broken("the program wrote where it should not") from error
    if not isinstance(made, dict):
        raise Broken("the program wrote where it should not")
    return made


def raised(told: dict[str, Any]) -> Exception:
    """Return the exception that a call has raised, as far as Python has it."""
    name, said = str(told.get("raised"))[:60], str(told.get("said", ""))[:MAX_SAID]
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(said)
        except TypeError:
            pass
    return RuntimeError(f"{name}: {said}")


def remote(asked: Any, answers: Any) -> Any:
    """Return the function that asks the program's process; lists and dictionaries it was given change as they were changed there."""

    def call(*args: Any, **kwargs: Any) -> Any:
        asked.write(json.dumps(encoded((args, kwargs))).encode() + b"\n")
        asked.flush()
        told = heard(answers)
        if "raised" in told:
            raise raised(told)
        try:
            gave, changed = decoded(told["gave"]), decoded(told["args"])
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise Broken("the program wrote where it should not") from error
        for mine, theirs in zip(args, changed if isinstance(changed, tuple) else (), strict=False):
            if type(mine) is list and type(theirs) is list:
                mine[:] = theirs
            elif type(mine) is dict and type(theirs) is dict:
                mine.clear()
                mine.update(theirs)
        return gave

    return call


def judge(task: dict[str, Any], call: Any) -> list[dict[str, Any]]:
    """Run each test in a space of its own, with the function in its place."""
    results = []
    for test in task["tests"]:
        space: dict[str, Any] = {"__name__": "tests"}
        try:
            exec(compile(task["before"], "<before>", "exec"), space)  # noqa: S102 - the user's own file
        except SyntaxError:
            space = {"__name__": "tests"}
        space[task["name"]] = call
        try:
            exec(compile(test, "<tests>", "exec"), space)  # noqa: S102
            if callable(check := space.get("check")) and check is not call:
                check(call)
            results.append({"ok": True, "said": ""})
        except Exception as error:  # noqa: BLE001 - a test that fails
            results.append({"ok": False, "said": told_of(error, test)})
            if isinstance(error, Broken):
                break
    return results


def told_of(error: Exception, test: str) -> str:
    """Say what failed, with the line of the test."""
    lines, at, where = test.splitlines(), "", error.__traceback__
    while where is not None:
        if where.tb_frame.f_code.co_filename == "<tests>" and 0 < where.tb_lineno <= len(lines):
            at = lines[where.tb_lineno - 1].strip()
        where = where.tb_next
    name = "" if isinstance(error, Broken) else type(error).__name__
    said = ": ".join(part for part in (name, str(error)) if part)
    return f"{at[:300]} fails" + (f" ({said[:MAX_SAID]})" if said != "AssertionError" else "") if at else said[:MAX_SAID]


def main() -> None:
    """Part the two processes, and only then read what the tests are."""
    ctypes.CDLL(None).prctl(_NOT_DUMPABLE, 0, 0, 0, 0)  # the other process may not look into this one
    to_program, to_tests = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.close(to_program[1])
        os.close(to_tests[0])
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nothing, number)
        with os.fdopen(to_program[0], "rb") as asked, os.fdopen(to_tests[1], "wb") as answers:
            run_program(asked, answers)
        os._exit(0)
    os.close(to_program[0])
    os.close(to_tests[1])
    task = json.loads(sys.stdin.buffer.read())
    with os.fdopen(to_program[1], "wb") as asked, os.fdopen(to_tests[0], "rb") as answers:
        try:
            tell(asked, {name: task[name] for name in ("before", "program", "name")})
            first = heard(answers)
            if "ready" in first:
                results = judge(task, remote(asked, answers))
            else:
                results = [{"ok": False, "said": f"{task['name']} cannot be run: {raised(first)!r}"[: 2 * MAX_SAID]}]
        except (Broken, BrokenPipeError) as error:
            results = [{"ok": False, "said": str(error)}]
        sys.stdout.write(f"\n{task['word']} {json.dumps(results)}\n")
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
