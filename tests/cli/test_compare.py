"""`reasoner compare` on the real command line: what it prints, how it ends, and that a kill in the middle changes nothing."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from model_server import ModelServer
from rich.console import Console

from reasoner.budget import Spent
from reasoner.cli.compare import NARROWEST, drawn
from reasoner.comparison.comparison import compare_trials
from reasoner.comparison.tables import tables
from reasoner.comparison.trials import Trial, Trials

TEACHER = ("compare", "number_path", "game24", "--model", "teacher", "--strategy", "direct,cot,ats", "-n", "3")


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "reasoner", *map(str, args)]


def reasoner(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("REASONER_", "OPENAI_"))} | {"REASONER_THREADS": "1"}
    return subprocess.run(command(*args), cwd=cwd, env=clean, capture_output=True, text=True, timeout=120, check=False)


def test_tables_json_markdown_and_picture(tmp_path: Path) -> None:
    done = reasoner(*TEACHER, "--baseline", "cot", "--markdown", "t.md", "--plot", "t.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in ("Accuracy of a single answer", "What was used", "vs cot", "p (Holm)", "at equal tokens", "baseline", "all"):
        assert words in done.stdout
    page = (tmp_path / "t.md").read_text(encoding="utf-8")
    assert "reasoner compare number_path game24" in page
    assert "(<t.svg>)" in page
    assert (tmp_path / "t.svg").read_text(encoding="utf-8").startswith("<?xml")
    told = json.loads(reasoner("compare", "--from-run", "last", "--baseline", "cot", "--json", cwd=tmp_path).stdout)
    assert told["baseline"] == "cot"
    assert set(told) == {
        "run",
        "command",
        "baseline",
        "samples",
        "left_out",
        "open",
        "rows",
        "levels",
        "tests",
        "claims",
        "inside_thought",
        "groups",
    }
    assert {r["accuracy"] for r in told["rows"]} == {1.0}
    assert told["command"].endswith("--markdown t.md --plot t.svg")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("compare",), "no problem family"),
        (("compare", "game24", "--from-run", "last"), "--from-run"),
        (("compare", "gane24"), "game24"),
        ((*TEACHER, "--baseline", "iott"), "iott"),
        ((*TEACHER, "--model", "teacher"), "twice"),
        ((*TEACHER, "--plot", "t.jpg"), ".png or a .svg"),
        ((*TEACHER, "--plot", "no/t.png"), "does not exist"),
        ((*TEACHER, "--markdown", "no/t.md"), "does not exist"),
        ((*TEACHER, "--level", "77"), "levels"),
    ],
)
def test_usage_errors_are_one_line_and_run_nothing(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    done = reasoner(*args, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert not (tmp_path / "trajectories.db").exists()


def test_no_database_to_compare_from(tmp_path: Path) -> None:
    done = reasoner("compare", "--from-run", "last", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)


@pytest.mark.parametrize("models", [("local",), ("SmolLM2-135M-Instruct.Q4_1", "SmolLM2-135M-Instruct.Q8_0")])
def test_on_a_narrow_terminal_no_name_and_no_number_is_cut(models: tuple[str, ...]) -> None:
    strategies = ("direct", "self_consistency", "best_of_n", "tot:oracle=True")
    trials = tuple(
        Trial("minimal_grass", f"p{p}", 1, s, "oracle" in s, m, 0, p < 33, p == 99, False, False, "x", Spent(40, 6000, 2000, 0, 9.0, None), 0)
        for m in models for s in strategies for p in range(100)
    )  # fmt: skip
    made = compare_trials(Trials("r", "", 1, trials, 0, 0))
    for table in tables(made):
        console = Console(width=NARROWEST, record=True, file=io.StringIO())
        console.print(drawn(table.narrow()))
        lines = console.export_text().splitlines()
        assert all(len(line) <= NARROWEST for line in lines)
        joined = "\n".join(lines)
        assert joined.count("minimal_grass") == len(models) * len(strategies)
        for column, cells in zip(table.narrow().columns, zip(*table.narrow().lines, strict=True), strict=True):
            assert column.name in joined
            if not column.words:
                assert all(cell in joined for cell in cells), column.name
        # A name that does not fit goes on in the next line of its column: read the column downwards.
        begin = lines[1].index("strategy")
        end = begin + max(len("strategy"), *(len(line[begin:].split("  ")[0].split(" …")[0]) for line in lines[2:]))
        read = "".join("".join(line[begin:end].split()) for line in lines[2:])
        assert all(strategy in read for strategy in strategies), read


def wrong(asked: str) -> str:
    return f"Answer: {len(asked)}"


def remote(url: str) -> tuple[str, ...]:
    options = ("--strategy", "direct,cot,ats", "--samples", "2", "-n", "3", "--model", "openai:m", "--base-url", url, "--concurrency", "2")
    return ("compare", "number_path", *options, "--json")


def without_time(output: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(output)
    for row in told["rows"] + told["levels"]:
        del row["seconds"]
    return told


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM])
def test_killed_in_the_middle_the_same_command_goes_on_to_the_same_tables(tmp_path: Path, sent: signal.Signals) -> None:
    with ModelServer(wrong, delay_s=0.05) as server:
        url, asked = server.url(), server.ledger().order
        whole = reasoner(*remote(url), "--db", "whole.db", cwd=tmp_path)
        assert whole.returncode == 0, whole.stderr
        assert len(asked) == len(set(asked)) == 18
        asked.clear()
        child = subprocess.Popen(command(*remote(url), "--db", "killed.db"), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while len(asked) < 6 and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(sent)
        _, said = child.communicate(timeout=60)
        assert child.returncode == (-signal.SIGKILL if sent == signal.SIGKILL else 130), said
        if sent == signal.SIGTERM:
            assert b"same command resumes" in said
        assert 6 <= len(asked) < 18
        again = reasoner(*remote(url), "--db", "killed.db", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    # Twice as many trajectories as calls are under way: while one waits for its reply to be committed, another has the place.
    assert len(asked) <= 18 + 4, "only what was under way is asked again"
    before, after = without_time(whole.stdout), without_time(again.stdout)
    lost = sum(row["unknown_calls"] for row in after["rows"] if row["solver"])
    assert lost <= 4, "twice as many trajectories as calls are under way, each with an intent"
    assert lost > 0 or sent == signal.SIGTERM
    assert {row["unknown_calls"] for row in before["rows"]} == {0}
    for told in (before, after):
        for row in told["rows"] + told["levels"]:
            del row["unknown_calls"]
        told["command"] = ""
    assert after == before


def test_failed_calls_count_as_wrong_and_end_with_the_exit_code_of_the_provider(tmp_path: Path) -> None:
    with ModelServer(wrong, n_broken=3) as server:
        options = ("--model", "openai:m", "--base-url", server.url(), "--strategy", "cot,direct", "-n", "4", "--plot", "t.png")
        done = reasoner("compare", "number_path", *options, cwd=tmp_path)
        assert done.returncode == 3, done.stderr
        assert "3 trajectories failed and count as wrong" in done.stderr
        assert "failed" in done.stdout
        assert (tmp_path / "t.png").exists(), "the tables are written all the same"
        told = json.loads(reasoner("compare", "--from-run", "last", "--json", cwd=tmp_path).stdout)
        assert [(row["answers"], row["solver"]) for row in told["rows"]] == [(4, "number_path")] * 2 + [(4, None)] * 2
        assert sum(row["failed"] for row in told["rows"] if row["solver"]) == 3
        again = reasoner("compare", "number_path", *options, cwd=tmp_path)
    assert again.returncode == 0, "the same command tries them again"
