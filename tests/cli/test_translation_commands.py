"""`reasoner corpus` and `reasoner translate` on the real command line: build, search, explain, resume, and every fault in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ends import ends

TABLE = "Italian\tLadin\nil cane corre\tl cian cor\nil gatto\tl giat\nbad row\nil cane\t\nla mela è rossa\tl pom é cöce\n"
ENV = {k: v for k, v in os.environ.items() if not k.startswith(("REASONER_", "OPENAI_"))} | {"OPENAI_API_KEY": "k"}


def reasoner(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reasoner", *map(str, args)]
    return subprocess.run(command, cwd=cwd, env=ENV, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpora")
    (folder / "t.tsv").write_text(TABLE, encoding="utf-8")
    done = reasoner("corpus", "build", "t.corpus", "t.tsv", "--report", "report.txt", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "t.tsv, line 4: columns" in done.stderr
    assert "t.tsv, line 5: empty side" in done.stderr
    assert "3 lines" in done.stdout
    assert "1 columns, 1 empty side" in done.stdout
    assert (folder / "report.txt").read_text().count("\n") == 2
    return folder


def test_build_speaks_json_and_holds_out(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("".join(f"parola{n} uno\n" for n in range(20)))
    (tmp_path / "b").write_text("".join(f"word{n} one\n" for n in range(20)))
    done = reasoner(
        "corpus", "build", "x.corpus", "Italian=a", "English=b", "--hold-out", "5", "--normalisation", "paper", "--json", cwd=tmp_path
    )
    made = json.loads(done.stdout)
    assert (made["lines"], made["held_out_lines"], made["skipped"]) == (15, 5, 0)
    assert (tmp_path / "x.heldout.tsv").read_text().splitlines()[0] == "Italian\tEnglish"
    stats = json.loads(reasoner("corpus", "stats", "x.corpus", "--test", "x.heldout.tsv", "--json", cwd=tmp_path).stdout)
    assert [row["coverage"] for row in stats["coverage"]] == [0.5, 0.5]
    assert [row["window"] for row in stats["coverage"]] == [1, 7]
    assert stats["normalisation"] == "paper"


def test_search_and_explain_show_fragments_examples_and_coverage(built: Path) -> None:
    for done in (
        reasoner("corpus", "search", "t.corpus", "Il cane è verde\x1bc", "--from", "Italian", "--to", "Ladin", cwd=built),
        reasoner("translate", "Il cane è verde\x1bc", "--corpus", "t.corpus", "--from", "Italian", "--to", "Ladin", "--explain", cwd=built),
    ):
        assert done.returncode == 0, done.stderr
        assert "[il cane] [è] verde" in done.stdout
        assert "coverage 75.0 % (3 of 4 words)" in done.stdout
        assert "l cian cor" in done.stdout
        assert "\x1b" not in done.stdout
    assert not (built / "trajectories.db").exists(), "explaining asks no model and keeps nothing"
    found = json.loads(
        reasoner("corpus", "search", "t.corpus", "il cane", "--from", "Italian", "--to", "Ladin", "--json", cwd=built).stdout
    )
    assert found["fragments"][0]["examples"] == [{"line": 0, "source": "il cane corre", "target": "l cian cor"}]


def test_the_memory_is_shown_taken_and_left_out(built: Path) -> None:
    way = ("--from", "Italian", "--to", "Ladin")
    for extra, shown in (((), True), (("--leave-out",), False), (("--keep-own",), True)):
        done = reasoner("corpus", "search", "t.corpus", "Il gatto", *way, *extra, "--json", cwd=built)
        found = [match for match in json.loads(done.stdout)["matches"] if match["target"] == "l giat"]
        assert [match["score"] for match in found] == ([87.5] if shown else []), extra
        done = reasoner("translate", "Il gatto", "--corpus", "t.corpus", *way, *extra, "--explain", cwd=built)
        assert ("87.5 %" in done.stdout) == shown, (extra, done.stdout)
    done = reasoner("translate", "il gatto", "--corpus", "t.corpus", *way, "--model", "teacher", "--db", "memory.db", cwd=built)
    assert (done.returncode, done.stdout) == (0, "l giat\n"), done.stderr
    assert "1 of 1 stand in the corpus and were taken without a call" in done.stderr
    done = reasoner("translate", "x", "--corpus", "t.corpus", *way, "--memory", "all", "--model", "teacher", cwd=built)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "memory" in done.stderr


def test_missed_terms_are_told(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("sep=;\nEnglish;Selvan\nriver;fluss\nsleeps;tudasas\n")
    assert reasoner("corpus", "build", "g.corpus", "g.csv", cwd=tmp_path).returncode == 0
    way = ("--from", "English", "--to", "Selvan", "--glossary", "g.corpus", "--model", "teacher")
    done = reasoner("translate", "The river sleeps.", *way, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["rows"][0]["metrics"]["terms_missed"] == 1, done.stderr
    done = reasoner("translate", "The river sleeps.", *way, cwd=tmp_path)
    assert "a term of the glossary was missed: line 1" in done.stderr
    done = reasoner("translate", "x", *way, "-s", "direct", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "--glossary" in done.stderr


def test_explaining_a_pivot_shows_the_second_hop(tmp_path: Path) -> None:
    args = ("--from", "English", "--to", "Mesrin", "--pivot", "Selvan", "--pivot-corpus", "invented-pivot", "--explain", "-k", "1")
    done = reasoner("translate", "The river sleeps.", *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    brackets = [line for line in done.stdout.splitlines() if line.strip().startswith("[")]
    assert len(brackets) == 3, "one line of fragments for the sentence, one under each pair"
    made = json.loads(reasoner("translate", "The river sleeps.", *args, "--json", cwd=tmp_path).stdout)
    assert set(made[0]["pivot"]) == {"0.0", "1.0"}


def test_translating_a_sentence_and_a_file(tmp_path: Path) -> None:
    done = reasoner("translate", "The old woman sees the river.", "--from", "English", "--to", "Selvan", "--model", "teacher", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "Lebr sokl merisem dagusas.\n")
    done = reasoner("translate", "The river sleeps.", "--from", "English", "--to", "Mesrin", "--pivot", "Selvan", "--pivot-corpus", "invented-pivot",
                    "--model", "teacher", cwd=tmp_path)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "Mieris todasave.\n") or done.stdout.startswith("Mieris "), done.stdout
    (tmp_path / "t.txt").write_text("The river sleeps.\n\nThe old river sleeps.\n")
    done = reasoner(
        "translate", "t.txt", "--from", "English", "--to", "Selvan", "--model", "teacher", "--out", "o.txt", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "o.txt").read_text().splitlines()
    assert len(lines) == 3
    assert lines[1] == ""
    assert [row["translation"] for row in json.loads(done.stdout)["rows"]] == lines


def test_a_translation_without_a_reference_is_not_judged(tmp_path: Path) -> None:
    how = ("--strategy", "fragment_shot", "--model", "teacher", "--db", "t.db")
    done = reasoner("solve", "translation", "English>Selvan: The river sleeps.", *how, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not judged: there is no reference" in done.stdout
    left = reasoner("export", "kto", "rows.jsonl", "--db", "t.db", cwd=tmp_path)
    assert "have no verdict" in left.stderr, "a translation that nobody judged is no example of a wrong one"


def test_references_are_scored_with_signatures_and_the_rank_correlation(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("English\tSelvan\nThe river sleeps.\tMeris tudasas.\nThe zebra sleeps.\tX tudasas.\n")
    done = reasoner("translate", "t.tsv", "--from", "English", "--to", "Selvan", "--model", "teacher", cwd=tmp_path)
    assert "nw:2" in done.stderr
    assert "Spearman correlation of coverage and chrF++ over the sentences: 1.000" in done.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("corpus", "build", "x.corpus", "gone.tsv"), "--language"),
        (("corpus", "build", "x.corpus", "gone.tsv", "-l", "A", "-l", "B"), "gone.tsv"),
        (("corpus", "build", "no/such/x.corpus", "A=a", "B=b"), "no/such"),
        (("corpus", "build", "x.corpus", "A=a"), "LANGUAGE=FILE"),
        (("corpus", "stats", "gone.corpus"), "corpus build"),
        (("corpus", "search", "invented", "x", "--from", "Klingon"), "English, Selvan, Torvic"),
        (("corpus", "search", "invented", "x", "--ranking", "best"), "diverse"),
        (("translate", "x", "--from", "English", "--to", "Klingon", "--model", "teacher"), "Klingon"),
        (("translate", "x", "--from", "a>b", "--to", "Selvan", "--model", "teacher"), "line 1"),
        (("translate", "", "--from", "English", "--to", "Selvan", "--model", "teacher"), "no sentence"),
        (("translate", "x", "--from", "English", "--to", "Selvan", "--model", "teacher", "-s", "cot,ats"), "one"),
        (("translate", "x" * 21_000, "--from", "English", "--to", "Selvan", "--model", "teacher"), "20000"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, tuple) else "",
)
def test_faults_are_one_line(tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    done = reasoner(*args, cwd=tmp_path)
    lines = done.stderr.strip().splitlines()
    assert (done.returncode, len(lines)) == (2, 1), done.stderr
    assert lines[0].startswith("error: ")
    assert says in lines[0]


@contextmanager
def server() -> Iterator[tuple[str, Counter[str]]]:
    """Answer slowly; count what each idempotency key was asked."""
    ledger: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            ledger[self.headers["Idempotency-Key"]] += 1
            time.sleep(0.1)
            data = b'{"choices": [{"message": {"role": "assistant", "content": "Answer: x"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{made.server_address[1]}/v1", ledger
    finally:
        made.shutdown()
        made.server_close()


def test_an_interrupted_translation_goes_on_and_asks_nothing_twice(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("".join(f"The river number {n} sleeps.\n" for n in range(30)))
    with server() as (url, ledger):
        args = [sys.executable, "-m", "reasoner", "translate", "t.txt", "--from", "English", "--to", "Selvan", "--model", "openai:m",
                "--base-url", url, "--concurrency", "1", "--out", "o.txt"]  # fmt: skip
        process = subprocess.Popen(args, cwd=tmp_path, env=ENV, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while sum(ledger.values()) < 8 and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)  # SIGINT may be ignored where tests run in the background
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130, said
        assert "the same command resumes there" in said
        assert not (tmp_path / "o.txt").exists()
        done = subprocess.run(args, cwd=tmp_path, env=ENV, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "o.txt").read_text() == "x\n" * 30
    assert len(ledger) == 30
    assert sum(ledger.values()) <= 31, "at most the one call that was under way is asked again"


def test_highlighting_an_example_is_quick_on_a_hostile_line() -> None:
    from reasoner.cli.fragments import _highlighted

    for words, text in ((["#"] * 7, "#" * 60_000), (["a"] * 7, "a " * 30_000), (["a'", "b"], "a'" + "'" * 60_000)):
        with ends(text[:20]):
            _highlighted(text, words)
    assert [(span.start, span.end) for span in _highlighted("Se l’Acqua, è qui", ["l'", "acqua", "è"]).spans] == [(3, 13)]


def test_options_go_to_the_strategy_unless_it_names_them_itself() -> None:
    from reasoner.cli.translate import _strategy
    from reasoner.errors import BadConfig
    from reasoner.runs.strategy_spec import parse_strategies

    shown = {"corpus": "x.corpus", "k": 3, "window": 7, "ranking": "shuffle"}
    assert _strategy(None, shown, None, None) == "fragment_shot:corpus=x.corpus,k=3,window=7,ranking=shuffle"
    assert (
        _strategy("fragment_shot:k=1,reply=line", shown, None, None)
        == "fragment_shot:k=1,reply=line,corpus=x.corpus,window=7,ranking=shuffle"
    )
    assert "pivot=P,pivot_corpus=y" in _strategy("example_shot:method=join", shown, "P", "y")
    assert _strategy(None, shown, "P", "y").startswith("fragment_shot_pivot:corpus=x.corpus")
    assert _strategy("direct", shown | {"corpus": "invented"}, None, None) == "direct"
    with pytest.raises(BadConfig, match="comma"):
        _strategy(None, shown | {"corpus": "a,b.corpus"}, None, None)
    for strategy, pivot in (("direct", None), ("fragment_shot", "P")):
        with pytest.raises(BadConfig):
            _strategy(strategy, shown, pivot, "y")
    (spec,) = parse_strategies(_strategy("example_shot:method=none", shown, None, None))
    assert spec.name == "example_shot"
