"""What runs inside the sandbox when a program is tested, started by `reasoner.sandbox.tested`; it imports nothing of this package.

Two processes: the first holds the tests and the key that signs the results, the second runs the program and is asked for the result of every call. The
program never stands in the process of the tests, and what comes back of a call is read as plain data: a value that is equal to everything, a function
that is put in the place of `abs`, an exit in the middle, or a printed verdict lead nowhere.

    stdin  {"key": "8c1f", "before": "import math", "program": "def f(a): ...", "name": "f", "tests": ["assert f(1) == 2"]}
    stdout 5be0... [{"ok": true, "said": ""}]
"""

from __future__ import annotations

import builtins
import ctypes
import hmac
import json
import os
import signal
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
    try:
        space = space_of("answer", task["before"])
        exec(compile(task["program"], "<answer>", "exec"), space)  # noqa: S102 - the sandbox is there for this
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


def space_of(name: str, before: str) -> dict[str, Any]:
    """Return a space in which what stands before has been run; an empty one where that is no Python, but words."""
    space: dict[str, Any] = {"__name__": name}
    try:
        exec(compile(before, "<before>", "exec"), space)  # noqa: S102 - the user's own file
    except SyntaxError:
        return {"__name__": name}
    return space


def tell(answers: Any, what: Any) -> None:
    """Write one line."""
    answers.write(json.dumps(what).encode() + b"\n")
    answers.flush()


class Broken(Exception):
    """The program's process has ended, or says what cannot be read."""


class Program:
    """The process of the program as the tests' process speaks with it; `fault` says why it cannot be asked any more, empty as long as it can."""

    def __init__(self, child: int, asked: Any, answers: Any) -> None:
        self.child, self.asked, self.answers = child, asked, answers
        self.fault = ""

    def ask(self, what: Any) -> dict[str, Any]:
        """Write one line and read one."""
        try:
            tell(self.asked, what)
        except BrokenPipeError:
            raise self.lost(how_it_ended(self.child)) from None
        line = self.answers.readline(MAX_LINE_BYTES)
        if not line.endswith(b"\n"):
            raise self.lost(how_it_ended(self.child) if len(line) < MAX_LINE_BYTES else "the program gave more than can be read")
        try:
            made = json.loads(line)
        except (ValueError, RecursionError):
            made = None
        if not isinstance(made, dict):
            raise self.lost("the program wrote where it should not")
        return made

    def lost(self, why: str) -> Broken:
        """Keep why the program cannot be asked any more: a test that catches every exception must not take it for the one it waits for."""
        self.fault = self.fault or why
        return Broken(self.fault)


def how_it_ended(child: int) -> str:
    """Wait for the program's process, and say how it ended."""
    try:
        _, status = os.waitpid(child, 0)
    except ChildProcessError:
        return "the program ended itself"
    if not os.WIFSIGNALED(status):
        return "the program ended itself"
    number = os.WTERMSIG(status)
    late = number in {signal.SIGKILL, signal.SIGXCPU}
    return "the program needed more time or memory than it may have" if late else f"the program crashed ({signal.Signals(number).name})"


def raised(told: dict[str, Any]) -> Exception:
    """Return the exception that a call has raised, as far as Python has it; StopIteration would end a `map` of the test as if all were done."""
    name, said = str(told.get("raised"))[:60], str(told.get("said", ""))[:MAX_SAID]
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, (StopIteration, StopAsyncIteration)):
        try:
            return kind(said)
        except TypeError:
            pass
    return RuntimeError(f"{name}: {said}")


def remote(program: Program) -> Any:
    """Return the function that asks the program's process; lists and dictionaries it was given change as they were changed there."""

    def call(*args: Any, **kwargs: Any) -> Any:
        told = program.ask(encoded((args, kwargs)))
        if "raised" in told:
            raise raised(told)
        try:
            gave, changed = decoded(told["gave"]), decoded(told["args"])
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise program.lost("the program wrote where it should not") from error
        for mine, theirs in zip(args, changed if isinstance(changed, tuple) else (), strict=False):
            if type(mine) is list and type(theirs) is list:
                mine[:] = theirs
            elif type(mine) is dict and type(theirs) is dict:
                mine.clear()
                mine.update(theirs)
        return gave

    return call


def judge(task: dict[str, Any], program: Program) -> list[dict[str, Any]]:
    """Run each test in a space of its own, with the function in its place, until the program cannot be asked any more."""
    call, results = remote(program), []
    for test in task["tests"]:
        said = ""
        try:
            space = space_of("tests", task["before"])
            space[task["name"]] = call
            exec(compile(test, "<tests>", "exec"), space)  # noqa: S102
            if callable(check := space.get("check")) and check is not call:
                check(call)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a test raises, it fails
            said = told_of(error, test)
        said = said or program.fault
        results.append({"ok": not said, "said": said})
        if program.fault:
            break
    return results


def told_of(error: BaseException, test: str) -> str:
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
    child = os.fork()
    if child == 0:
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
            program = Program(child, asked, answers)
            first = program.ask({name: task[name] for name in ("before", "program", "name")})
            if "ready" in first:
                results = judge(task, program)
            else:
                results = [{"ok": False, "said": f"{task['name']} cannot be run: {raised(first)!r}"[: 2 * MAX_SAID]}]
        except Broken as error:
            results = [{"ok": False, "said": str(error)}]
        told = json.dumps(results)
        sys.stdout.write(f"\n{hmac.new(task['key'].encode(), told.encode(), 'sha256').hexdigest()} {told}\n")
        sys.stdout.flush()
        os._exit(0)


if __name__ == "__main__":
    main()
