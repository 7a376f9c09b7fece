"""Mutated command lines over all commands, files and variables: no traceback, an exit code as documented, nothing written that was not named.

Every case is a sound command line of some command with one to three things spoilt: a word, an option's value, a file it reads, a variable.
`REASONER_LINES` sets how many (full tier: 500); each has a seed of its own, and `REASONER_LINE=SEED` repeats just one.
"""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import shutil
import signal
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main
from forks import Forks
from model_server import ModelServer
from spoilt import SPOILT

import reasoner
from reasoner.cli.app import app
from reasoner.clients.scripted import ScriptedClient
from reasoner.store import Store
from reasoner.token_record import written
from reasoner.types import Completion

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = int(os.environ.get("REASONER_LINES", "40"))
ONE = os.environ.get("REASONER_LINE", "")
PATIENCE_S = 60
DOCUMENTED = {0, 1, 2, 3, 4, 5, 130}
BOUNDED = (
    "import resource; resource.setrlimit(resource.RLIMIT_CPU, (90, 95)); resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 28, 1 << 28))"
)

WORDS = (
    "", " ", "-", "--", "-1", "0", "1e400", "nan", "inf", "-inf", "99999999999999999999", "-99999999999999999999", "1" * 5000, "x" * 5000, "\udc80\udcff",
    "é\u202e\x1b[31m", "🙂" * 50, "../../up", "/", "/dev/null", "/dev/full", "/proc/self/mem", ".", "nope/nope.db", "file:x?mode=memory", ":memory:", "{{ 7 * 7 }}",
    "%s%n", "$(id)", "'", '"', "a=b", "=", ",", ":", "::", "()", "((((", "a(b(c(d(e)))):n=1", "NAME:k=v,k=v", "[" * 3000, "{" * 3000, '{"a":' * 2000, "true", "null",
    "--help", "--db", "--json", "-h", "openai:", "openai:m", "local", "teacher", "scripted:nope.json", "anthropic:m", "game24", "question:nope.jsonl", "gym:nope", "last",
    "0x10", "1_000", "٣", "1.5", "1e3", "best_of_n(cot:shots=1):n=4", "ats:order=dfs", "cot,cot,cot", "2" * 300, "a" * 300 + ".gguf",
)  # fmt: skip
"""What a word of a command line is replaced by."""

DEVICES = [name for name in ("/dev/null", "/dev/full") if Path(name).is_char_device()]

REFUSED = {"tune", "improve", "approve", "deny"}
"""Commands whose sound line is refused all the same: there is no such device and no such level, and no action to decide on."""

VARIABLES = (
    "REASONER_DB", "REASONER_PROMPTS", "REASONER_THREADS", "REASONER_LEASE_S", "REASONER_TOKEN", "REASONER_CRASH_AT", "OPENAI_API_KEY",
    "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "COLUMNS", "LINES", "TERM", "NO_COLOR", "FORCE_COLOR",
    "HOME", "TMPDIR", "LANG", "TZ", "SSL_CERT_FILE", "XDG_CACHE_HOME",
)  # fmt: skip


@dataclass
class Ground:
    """What sound command lines read: made once, copied for each case."""

    folder: Path
    url: str
    trajectory: str
    thought: str
    names: tuple[str, ...] = (
        "t.db",
        "rows.jsonl",
        "sft.jsonl",
        "q.jsonl",
        "pairs.tsv",
        "pairs.corpus",
        "prices.toml",
        "ticket.json",
        "step.jinja",
        "out.jsonl",
        "mine/cot/answer.jinja",
        "x.gguf",
        "lines.txt",
        "cut/run.json",
        "cut/manifests/00000.jsonl",
        "cut/manifests/00001.jsonl",
    )

    def copy(self, place: Path) -> None:
        for name in self.names:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self.folder / name, place / name)


def lines(url: str, trajectory: str = "t", thought: str = "t") -> dict[str, list[str]]:
    """A sound line for every command, by the command's name; formats that are more than a file of rows have one of their own."""
    openai = f"--model openai:m --base-url {url}"
    beside = url.replace("127.0.0.1", "localhost")  # the same server, named as another one
    written = {
        "solve": f"solve game24 '4 9 10 13' --strategy cot {openai} --db t.db --json --max-tokens 64 --temperature 0.5 --seed 3 --max-calls 9 --prices prices.toml --max-cost 5 --record tokens",
        "bench": f"bench number_path question:q.jsonl -n 2 --strategy cot,direct {openai} --db t.db --concurrency 2 --samples 1 --prompts mine --level 1 --run-max-calls 50",
        "compare": f"compare number_path -n 2 --strategy cot,direct {openai} --base-url {beside} --db t.db --json --seed 1",
        "translate": f"translate lines.txt --corpus pairs.corpus --from A --to B --strategy example_shot {openai} --db t.db --out done.txt",
        "corpus build": "corpus build built.corpus pairs.tsv --language A=A --language B=B --hold-out 2 --report wrong.txt --json",
        "corpus add": "corpus add pairs.corpus pairs.tsv --language A=A --language B=B --from A --json",
        "review": "review last --db t.db --limit 2 --json",
        "corpus stats": "corpus stats pairs.corpus --test pairs.tsv --from A --to B --json",
        "corpus search": "corpus search pairs.corpus 'word 3' --from A --to B --window 3",
        "resume": "resume last --db t.db --prices prices.toml --run-max-calls 5",
        "replay": "replay last --db t.db --json",
        "fork": f"fork {trajectory} --at {thought} --db t.db --temperature 0.3 --seed 4 --json",
        "runs": "runs --db t.db --limit 5 --json",
        "show": "show last --db t.db --full",
        "annotate": f"annotate {trajectory} --label good --note short --db t.db --json",
        "tree": f"tree {trajectory} --db t.db --json",
        "serve": "serve --model teacher --port 0 --db t.db --max-requests 3 --max-body 2000 --drain 1",
        "view": "view --db t.db --port 0",
        "report": "report last --db t.db --output page.html --limit 3",
        "export": "export sft made.jsonl --db t.db --solver number_path --seed 1 --split train=0.5,test=0.5 --min-score 0.5 --limit 4",
        "export grouped": "export grouped groups.jsonl --db t.db --tokens --thinking tags --pass-rate 0:1 --card --seed 2",
        "export verifiers": "export verifiers made/some-paths --db t.db --pass-rate 0:1 --split train=0.5,test=0.5 --solver number_path --card --seed 1",
        "import": "import rows.jsonl --db t.db --json",
        "trace": "trace sft.jsonl:1 --db t.db",
        "tune": "tune sft.jsonl --out adapter.gguf --model x.gguf --epochs 1 --tokens 10 --device nope",
        "improve": "improve number_path --out loop --model x.gguf --strategy direct -n 1 --samples 1 --held-out 1 --rounds 1 --levels number_path=99 --max-tokens 4 --exact",
        "pick": f"pick number_path --tokens-per-answer 3000 -n 4 --test 2 --strategy direct,cot {openai} --db t.db --json",
        "tour": "tour --model teacher --folder trip --yes",
        "list": "list --json",
        "ask": f"ask 'What is 2+2?' --strategy direct --schema ticket.json {openai} --db t.db --json",
        "map": f"map q.jsonl --prompt step.jinja --out mapped.jsonl {openai} --db t.db --limit 1 --card --licence MIT --record tokens --json",
        "actions": "actions --db t.db",
        "approve": "approve 1 --db t.db",
        "deny": "deny 1 --db t.db --reason no",
        "shard": f"shard --shards 2 --out parts --slurm job.sh --json bench number_path -n 3 --strategy cot {openai} --db t.db --seed 5",
        "run-shard": "run-shard cut/manifests/00001.jsonl --out cut --local scratch --seal-calls 1 --seal-seconds 0.5 --json",
        "merge": "merge cut --db merged.db --json",
        "check": "check q.jsonl",
        "score": "score out.jsonl --problems question:q.jsonl",
        "doctor": "doctor --db t.db --json",
    }  # fmt: skip
    return {name: shlex.split(line) for name, line in written.items()}


def commands() -> set[str]:
    """Every command there is, from the application itself."""

    def walk(command: Any, name: str) -> Iterator[str]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name
        else:
            for each, child in inner.items():
                yield from walk(child, f"{name} {each}".strip())

    return set(walk(typer.main.get_command(app), ""))


def test_every_command_has_a_line_to_spoil() -> None:
    missing = commands() - lines("http://127.0.0.1:1/v1").keys()
    assert not missing, f"give these a line in `lines`: {sorted(missing)}"


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: f"A step.\nAnswer: {len(asked)}") as made:
        yield made


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, server: ModelServer, forks: Forks, tiny_model: Path) -> Ground:
    folder = tmp_path_factory.mktemp("ground")
    (folder / "pairs.tsv").write_text("A\tB\n" + "".join(f"word {n}\twort {n}\n" for n in range(20)))
    built = forks.run(["corpus", "build", "pairs.corpus", "pairs.tsv", "--language", "A=A", "--language", "B=B"], cwd=folder)
    assert built.code == 0, built.err
    told = ["--corpus", "pairs.corpus", "--from", "A", "--to", "B", "--model", "teacher", "--db", "t.db"]
    translated = forks.run(["translate", "word 3", *told], cwd=folder)
    assert translated.code == 0, translated.err
    recorded = Completion("Answer: 9 -> 10 -> 20", tokens=written([1, 5], [7, 2], [-0.5, -0.25]))
    reasoner.solve(
        "number_path", "2 9 20", strategy="direct", model=ScriptedClient([recorded], name="m"), record="tokens", db=folder / "t.db"
    )
    done = forks.run(
        ["bench", "number_path", "arithmetic", "-n", "3", "--strategy", "cot,ats", "--model", "teacher", "--db", "t.db"], cwd=folder
    )
    assert done.code == 0, done.err
    done = forks.run(["export", "sft", "sft.jsonl", "--db", "t.db"], cwd=folder)
    assert done.code == 0, done.err
    row = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Answer: 3"}]}
    (folder / "rows.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "q.jsonl").write_text(
        '{"question": "2+2?", "answer": "4"}\n{"question": "3+3?", "answer": "6"}\n{"question": "4+4?", "answer": "8"}\n'
    )
    (folder / "prices.toml").write_text('["openai:m"]\nprompt_per_million = 1.0\ncompletion_per_million = 1.0\n')
    (folder / "mine/cot").mkdir(parents=True)
    from reasoner.prompts import Prompts

    shutil.copy(Prompts().get("cot/answer").path, folder / "mine/cot/answer.jinja")
    shutil.copy(tiny_model, folder / "x.gguf")
    (folder / "lines.txt").write_text("a word\n")
    (folder / "step.jinja").write_text("Say {{ question }} again.")
    (folder / "ticket.json").write_text('{"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}')
    (folder / "out.jsonl").write_text(
        "".join(json.dumps({"question": f"{n}+{n}?", "output": f"Answer: {2 * n}"}) + "\n" for n in (2, 3, 4))
    )
    done = forks.run(
        ["shard", "--shards", "2", "--out", "cut", "bench", "number_path", "-n", "2", "--strategy", "cot", "--model", "teacher"], cwd=folder
    )
    assert done.code == 0, done.err
    with Store.read(folder / "t.db") as store:
        (thought,) = store.rows("SELECT id, trajectory_id FROM thoughts WHERE call_id IS NOT NULL ORDER BY id LIMIT 1")
    made = Ground(folder, server.url("fuzz"), thought["trajectory_id"], thought["id"])
    for name, words in lines(made.url, made.trajectory, made.thought).items():
        if name not in {"serve", "view", "doctor"}:
            made.copy(folder / "try" / name)
            ended = forks.run(words, cwd=folder / "try" / name, env={"OPENAI_API_KEY": "x"})
            # What is spoilt has to be sound before: a line that ends at its first option proves nothing.
            assert (ended.code in {0, 1}) != (name in REFUSED), (name, ended)
    return made


@dataclass
class Case:
    """One spoilt command line. Everything in it comes from its seed."""

    seed: str
    words: list[str]
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"REASONER_LINE={self.seed}: {shlex.join(self.words)[:600]!r} {self.env} { ({k: v[:40] for k, v in self.files.items()}) }"


def case(seed: str, ground: Ground) -> Case:
    rng = random.Random(seed)
    known = lines(ground.url, ground.trajectory, ground.thought)
    words = list(known[rng.choice(sorted(known))])
    made = Case(seed, words)
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(words)) if words else 0
        kinds = ("word", "value", "value", "drop", "double", "add", "swap", "cut", *("file",) * 5, *("variable",) * 3)
        kind = rng.choice(kinds)
        if kind == "word" and words:
            words[at] = rng.choice(WORDS)
        elif kind == "value" and (options := [i for i, word in enumerate(words[:-1]) if word.startswith("--")]):
            words[rng.choice(options) + 1] = rng.choice(WORDS)
        elif kind == "drop" and words:
            del words[at]
        elif kind == "double" and words:
            words.insert(at, words[at])
        elif kind == "add":
            words.insert(at, rng.choice(WORDS))
        elif kind == "swap" and len(words) > 1:
            other = rng.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif kind == "file":
            read = [name for name in ground.names if name.split("/")[0] in " ".join(words)]
            name = rng.choice(read or ground.names)
            data = (ground.folder / name).read_bytes()
            spoilt = rng.choice(SPOILT)
            cut = rng.randrange(len(data) + 1)
            made.files[name] = rng.choice(
                (spoilt, data[:cut], data[:cut] + spoilt + data[cut:], data[:cut] + bytes([rng.randrange(256)]) + data[cut + 1 :])
            )
        elif kind == "variable":
            made.env[rng.choice(VARIABLES)] = rng.choice(WORDS).replace("\0", "")
        elif kind == "cut" and words and len(words[at]) > 1:
            words[at] = words[at][: rng.randrange(1, len(words[at]))]
    made.words = [word.replace("\0", "") for word in words]
    return made


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def named(case: Case, place: Path) -> tuple[str, ...]:
    """What the case names, as beginnings of paths, and what a command writes by default."""
    pieces = {piece for word in [*case.words, *case.env.values()] for piece in (word, word.partition("=")[2]) if piece}
    paths = {os.path.normpath(place / piece[:4000]) for piece in pieces if "\0" not in piece}
    paths |= {str(Path(path).with_suffix("")) for path in paths if Path(path).suffix}  # made.jsonl is split into made.train.jsonl
    return tuple(
        {path for path in paths if path not in {str(place), str(place.parent), "/"}}
        | {str(place / name) for name in ("trajectories.db", "report.html", "README.md", "reasoner-tour")}
    )


@dataclass
class Seen:
    """How the cases ended."""

    codes: Counter[int] = field(default_factory=Counter)
    commands: set[str] = field(default_factory=set)
    stopped: int = 0


def judge(made: Case, folder: Path, ground: Ground, forks: Forks, seen: Seen) -> list[str]:
    """Run one case and return what is wrong with how it went."""
    place, home = folder / "work", folder / "home"
    place.mkdir(parents=True)
    home.mkdir()
    ground.copy(place)
    for name, data in made.files.items():
        (place / name).write_bytes(data)
    before = snapshot(folder)
    env = {
        "OPENAI_API_KEY": "x",
        "HOME": str(home),
        "COLUMNS": "120",
        "REASONER_DB": "",
        "OPENAI_BASE_URL": "",
        "HTTPS_PROXY": "",
        **made.env,
    }
    child = forks.start(made.words, cwd=place, env=env, prelude=BOUNDED)
    serves = bool({"serve", "view"} & set(made.words))
    timers = [
        threading.Timer(s, os.kill, (child.pid, sent))
        for s, sent in ((4 if serves else PATIENCE_S, signal.SIGTERM), (PATIENCE_S + 30, signal.SIGKILL))
    ]
    for timer in timers:
        timer.start()
    ended = child.wait()
    for timer in timers:
        timer.cancel()
    seen.codes[ended.code] += 1
    seen.stopped += ended.code == 130
    wrong = []
    if "Traceback (most recent call last)" in ended.err + ended.out or "Exception ignored" in ended.err:
        wrong.append("a traceback: " + ended.err[-1500:])
    if ended.code not in DOCUMENTED and not ("REASONER_CRASH_AT" in made.env and ended.code == -signal.SIGKILL):
        wrong.append(f"exit code {ended.code}: {ended.err[-1500:]}")
    if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f]", ended.err):
        wrong.append(f"control characters: {ended.err[-300:]!r}")
    if ended.code in {2, 3, 4, 5} and not ended.err.strip():
        wrong.append(f"exit code {ended.code} without a word")
    allowed = named(made, place)
    after = snapshot(folder)
    for name in sorted(name for name in after.keys() | before.keys() if after.get(name) != before.get(name)):
        path = str(folder / name)
        if not path.startswith(allowed) and not name.startswith("home/.cache"):
            wrong.append(f"{name} was {'written' if name in after else 'removed'} and not named")
    wrong += [f"{name} is no device any more" for name in DEVICES if not Path(name).is_char_device()]
    return wrong


@pytest.mark.slow
def test_no_command_line_ends_in_a_traceback(tmp_path: Path, ground: Ground) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    seen = Seen()
    faults: list[str] = []
    with Forks() as forks:
        for number, each in enumerate([ONE] if ONE else [f"{seed}.{n}" for n in range(LINES)]):
            made = case(each, ground)
            wrong = judge(made, tmp_path / str(number), ground, forks, seen)
            faults += [f"{made}\n    {what}" for what in wrong]
            if not wrong:
                shutil.rmtree(tmp_path / str(number), ignore_errors=True)
    figures = {"lines": sum(seen.codes.values()), "faults": len(faults), "stopped": seen.stopped, "codes": dict(sorted(seen.codes.items()))}
    print(json.dumps(figures))  # noqa: T201 - the measure of the full run
    assert not faults, "\n\n".join(faults)
