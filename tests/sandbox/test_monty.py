"""Python in Monty: what it keeps, what it bounds, what is lent to it, and that no program gets out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from attempts import CanaryPort, python_programs

from reasoner.errors import BudgetExhausted
from reasoner.sandbox.monty import Interpreter, LentFunctionFailed, MontyLimits

CANARY = "canary-1f0e5f6f2c"


async def test_variables_stay_and_two_interpreters_share_none() -> None:
    one, other = Interpreter(), Interpreter()
    assert (await one.run("x = 6 * 7\nx")).value == "42"
    assert (await one.run("x + 1")).value == "43"
    assert "NameError" in (await other.run("x")).error
    await asyncio.gather(one.aclose(), other.aclose())
    await one.aclose()


async def test_the_same_seed_gives_the_same_numbers_and_the_clock_stands() -> None:
    program = "import random, time\n[random.random(), random.random(), time.time()]"
    values = []
    for seed in ("a", "a", "b"):
        interpreter = Interpreter(seed=seed)
        values.append((await interpreter.run(program)).value)
        await interpreter.aclose()
    assert values[0] == values[1] != values[2]
    assert values[0] is not None
    assert values[0].endswith("1767225600.0]")


async def test_a_limit_costs_the_variables_and_says_so() -> None:
    interpreter = Interpreter(limits=MontyLimits(seconds=0.2))
    await interpreter.run("x = 1")
    late = await interpreter.run("while True: pass")
    assert late.anew
    assert late.error == "TimeoutError: the program ran longer than 0.2 s"
    assert "NameError" in (await interpreter.run("x")).error
    assert (await interpreter.run("1 + 1")).value == "2"
    await interpreter.aclose()


async def test_output_is_bounded() -> None:
    interpreter = Interpreter(limits=MontyLimits(output_chars=100))
    ran = await interpreter.run("print('a' * 5000)\n'b' * 300")
    assert ran.printed.startswith("a" * 100 + "\n[")
    assert "left out" in ran.printed
    assert ran.value is not None
    assert len(ran.value) < 160
    await interpreter.aclose()


async def test_a_number_too_long_to_be_shown_is_no_crash() -> None:
    interpreter = Interpreter()
    assert "cannot be shown" in (await interpreter.run("10 ** 5000")).error
    await interpreter.aclose()


async def test_lent_functions_are_called_here_and_their_faults_come_through() -> None:
    loop = asyncio.get_running_loop()
    called = []

    async def add(a: int, b: int = 1) -> int:
        assert asyncio.get_running_loop() is loop
        called.append((a, b))
        return a + b

    async def refuse() -> None:
        raise LentFunctionFailed("there is no such table")

    async def stop() -> None:
        raise BudgetExhausted("used up")

    interpreter = Interpreter()
    lent: dict[str, Callable[..., Awaitable[Any]]] = {"add": add, "refuse": refuse, "stop": stop}
    assert (await interpreter.run("[add(1), add(2, b=5)]", lent)).value == "[2, 7]"
    assert (
        await interpreter.run("try:\n    refuse()\nexcept RuntimeError as e:\n    print(e)", lent)
    ).printed == "there is no such table\n"
    with pytest.raises(BudgetExhausted):
        await interpreter.run("while True:\n    try:\n        stop()\n    except BaseException:\n        add(9)", lent)
    assert called == [(1, 1), (2, 5)], "nothing is called after a fault that ends the program"
    await interpreter.aclose()


async def test_a_cancelled_run_ends_its_worker() -> None:
    interpreter = Interpreter(limits=MontyLimits(seconds=30))
    running = asyncio.ensure_future(interpreter.run("while True: pass"))
    await asyncio.sleep(0.3)
    worker = interpreter._worker
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert worker is not None
    assert await _gone(worker)
    assert (await interpreter.run("2")).value == "2"
    await interpreter.aclose()


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def _gone(pid: int) -> bool:
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] == "Z":
            return True
        await asyncio.sleep(0.05)
    return False


@pytest.mark.slow
async def test_no_program_gets_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over 200 programs: none reads the canary from file or environment, writes, connects, hangs, or harms this process."""
    secret = tmp_path / "secret"
    secret.write_text(CANARY, encoding="utf-8")
    monkeypatch.setenv("CANARY", CANARY)
    programs = python_programs()
    assert len(set(programs)) == len(programs) >= 200

    async def lent(*_: object, **__: object) -> str:
        return "lent"

    escaped, hung = [], []
    with CanaryPort() as port:
        for program in programs:
            filled = program.replace("{secret}", str(secret)).replace("{folder}", str(tmp_path)).replace("{port}", str(port.number))
            interpreter = Interpreter(limits=MontyLimits(seconds=0.3, memory_bytes=48 << 20, calls=50))
            started = time.monotonic()
            ran = await interpreter.run(filled, {"lent": lent})
            await interpreter.aclose()
            if time.monotonic() - started > 60:
                hung.append(program)
            if CANARY in f"{ran}" or _names(tmp_path) != ["secret"] or port.reached or "root:x:" in f"{ran}":
                escaped.append(program)
    assert (escaped, hung) == ([], [])
    assert secret.read_text(encoding="utf-8") == CANARY
