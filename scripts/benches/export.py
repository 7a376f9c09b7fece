"""How fast verified trajectories become a training file, in how much memory, and how many bytes the store takes.

    scripts/bench export [--json]            a store of 1,000,000 thoughts (REASONER_BENCH_THOUGHTS names another size)

Every measurement runs in a process of its own, held to one core. Compared with the same file written by a plain program (sqlite-utils, a
query for each thing it needs, json.dumps), and with what Inspect and llm log for the same calls (`pip install '.[bench]'`, or an
interpreter that has them in REASONER_BENCH_PYTHON; without them those rows are left out). Calls of a conversation of depth 64 repeat all
before them, which is where logs grow.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _report import report
from _store import THOUGHTS_EACH, fill

from reasoner import registry
from reasoner.api.bench import arun
from reasoner.clients.scripted import ScriptedClient
from reasoner.prompts import Prompts
from reasoner.runs.few_shot import statement
from reasoner.runs.problems import draw, instance_of
from reasoner.runs.strategy_spec import StrategySpec
from reasoner.store import Store
from reasoner.strategies import Strategy
from reasoner.types import Message

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer

THOUGHTS = int(os.environ.get("REASONER_BENCH_THOUGHTS", "1000000"))
CALLS = 2_560
SOUNDS = [
    first + second
    for first in ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"]
    for second in ["a", "e", "i", "o", "u"]
]

_TIMED = """
import json, os, sys, time
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
from pathlib import Path
calls = 0
BODY
def peak():
    # Not ru_maxrss: a child takes over its parent's there.
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
db, out = sys.argv[1:3]
before = peak()
wall, cpu = time.perf_counter(), time.process_time()
rows = run(db, Path(out))
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps({"rows": rows, "cpu_s": round(cpu, 2), "wall_s": round(wall, 2), "rows_per_cpu_s": round(rows / cpu), "rss_mib": round(peak(), 1), "rss_before_mib": round(before, 1), "verifier_calls": calls}))
"""

_OURS = """
from reasoner.datasets.export import export
from reasoner.datasets.options import Options
from reasoner.store import Store
from solvers.number_path import NumberPathSolver
verify = NumberPathSolver.verify
def counted(self, instance, text):
    global calls
    calls += 1
    return verify(self, instance, text)
NumberPathSolver.verify = counted
def run(db, out):
    with Store.open(db) as store:
        return export(store, "sft", out, None, Options(trust_verdicts=TRUST)).taken
"""

_NAIVE = """
from sqlite_utils import Database
from sqlite_utils.utils import sqlite3
def run(db, out):
    data = Database(sqlite3.connect(db))
    n = 0
    with out.open("w") as file:
        for t in data["trajectories"].rows_where("status = 'closed'"):
            verdict = next(data["verdicts"].rows_where("trajectory_id = ? and correct = 1", [t["id"]]), None)
            if verdict is None:
                continue
            problem = data["problems"].get(t["problem_id"])
            call = data["calls"].get(data["thoughts"].get(t["answer_thought"])["call_id"])
            messages, context = [], call["context_id"]
            while context:
                row = data["contexts"].get(context)
                message = data["messages"].get(row["message_id"])
                messages.insert(0, {"role": message["role"], "content": message["content"]})
                context = row["parent_id"]
            messages.append({"role": "assistant", "content": data["messages"].get(call["reply_id"])["content"], "reasoning_content": ""})
            lineage = {"run": t["run_id"], "trajectory": t["id"], "calls": [call["key"]], "problem": problem["id"], "solver": problem["solver"],
                       "instance": problem["line"], "level": problem["level"], "strategy": t["strategy"], "model": t["model"],
                       "judged_by": verdict["judged_by"], "reasoning": False, "divided": "", "answer": "", "written_as": ""}
            file.write(json.dumps({"messages": messages, "lineage": lineage}) + "\\n")
            n += 1
    return n
"""

_INSPECT = """
import json, sys
from pathlib import Path
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, ModelOutput, ModelUsage, get_model
from inspect_ai.solver import solver
talks, folder = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]
@solver
def converse():
    async def solve(state, generate):
        state.messages = []
        for asked, _ in talks[state.sample_id - 1]:
            state.messages.append(ChatMessageUser(content=asked))
            state = await generate(state)
        return state
    return solve
outputs = [ModelOutput.from_content("mockllm/model", reply) for talk in talks for _, reply in talk]
for output in outputs:  # without, it fetches a tokenizer
    output.usage = ModelUsage(input_tokens=100, output_tokens=60, total_tokens=160)
task = Task(dataset=[Sample(id=n + 1, input=talk[0][0]) for n, talk in enumerate(talks)], solver=converse())
logs = eval(task, model=get_model("mockllm/model", custom_outputs=outputs), log_dir=folder, log_format=sys.argv[3], display="none", max_samples=1, max_connections=1)
assert logs[0].status == "success", logs[0].error
print(sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file()))
"""

_LLM = """
import json, sys
from pathlib import Path
import llm, sqlite_utils
from llm.migrations import migrate
talks, path = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]
class Scripted(llm.Model):
    model_id = "scripted"
    can_stream = False
    replies = iter(())
    def arun(self, prompt, stream, response, conversation):
        yield next(self.replies)
model = Scripted()
model.replies = iter([reply for talk in talks for _, reply in talk])
db = sqlite_utils.Database(path)
migrate(db)
for talk in talks:
    conversation = llm.Conversation(model=model)
    for asked, _ in talk:
        response = conversation.prompt(asked, stream=False)
        response.text()
        response.log_to_db(db)
db.vacuum()
db.close()
print(sum(p.stat().st_size for p in Path(path).parent.iterdir() if p.name.startswith(Path(path).name)))
"""


def timed(body: str, db: Path, out: Path) -> dict[str, Any]:
    """Run a body over a store in a fresh process and return its measurements."""
    code = _TIMED.replace("BODY", body)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code, str(db), str(out)], capture_output=True, text=True, check=True, env=env)
    return dict(json.loads(done.stdout))


class _Talk(Strategy):
    """Asks the same question again and again, each time with all that was said before."""

    name = "direct"
    summary = "a conversation of `depth` calls"
    depth: int

    async def run(self, session: Session) -> Answer:
        """Ask `depth` times."""
        history: list[Message] = []
        thought = session.root
        for turn in range(self.depth):
            thought = await session.ask("direct/answer", parent=thought, history=history)
            asked = session.statement if turn == 0 else f"{session.statement} (again)"
            history += [Message("user", asked), Message("assistant", thought.text)]
        return session.offer(thought.text, thought)


@dataclass(frozen=True, slots=True)
class _TalkSpec(StrategySpec):
    depth: int = 2

    def make(self) -> Strategy:
        talk = _Talk(_Talk.Params())
        talk.depth = self.depth
        return talk


def reply(number: int) -> str:
    """Return the text of a call: forty words that no other call has in this order, of a vocabulary of some thousands."""
    stream = random.Random(number)
    return f"{number}: " + " ".join("".join(stream.choices(SOUNDS, k=stream.choice((1, 2, 2, 3)))) for _ in range(40))


def talks(folder: Path, depth: int) -> tuple[int, int]:
    """Record CALLS calls in conversations of a depth; return (bytes, thoughts)."""
    db = folder / f"depth{depth}.db"
    problems = draw("number_path", n=CALLS // 64, seed=0)
    spec = _TalkSpec("talk", "direct", "{}", depth=depth)
    client = ScriptedClient([reply(n) for n in range(CALLS)])
    asyncio.run(arun(problems, [spec], [client], db=db, samples=64 // depth))
    with Store.open(db) as store:
        n = store.rows("SELECT count(*) AS n FROM thoughts")[0]["n"]
        calls = store.rows("SELECT count(*) AS n FROM calls")[0]["n"]
    assert calls == CALLS, calls
    return sum(path.stat().st_size for path in folder.iterdir() if path.name.startswith(db.name)), n


def peers(folder: Path, depth: int) -> dict[str, int]:
    """Return the bytes Inspect and llm log for the same calls; those that are not installed are left out."""
    python = os.environ.get("REASONER_BENCH_PYTHON", sys.executable)
    prompts, number = Prompts(), 0
    said: list[list[tuple[str, str]]] = []
    for problem in draw("number_path", n=CALLS // depth, seed=0):
        solver = registry.solver("number_path")
        text = prompts.get("direct/answer").render({"statement": statement(solver, instance_of(solver, problem), prompts)})[-1].content
        said.append([(text, reply(number + turn)) for turn in range(depth)])
        number += depth
    file = folder / "talks.json"
    file.write_text(json.dumps(said))
    found: dict[str, int] = {}
    env = {**os.environ, "INSPECT_LOG_LEVEL": "error", "HOME": str(folder)}
    for name, module, code, args in (
        ("inspect (.eval, compressed)", "inspect_ai", _INSPECT, [str(folder / "inspect-eval"), "eval"]),
        ("inspect (.json)", "inspect_ai", _INSPECT, [str(folder / "inspect-json"), "json"]),
        ("llm (SQLite)", "llm", _LLM, [str(folder / "llm.db")]),
    ):
        if subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode:
            continue
        done = subprocess.run([python, "-c", code, str(file), *args], capture_output=True, text=True, check=False, env=env)
        if done.returncode:
            print(f"{name} could not be measured: {done.stderr.strip()[-200:]}", file=sys.stderr)
            continue
        found[name] = int(done.stdout.split()[-1])
    return found


def main() -> None:
    """Measure and report."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = folder / "big.db"
        n = fill(db, n_thoughts=THOUGHTS)
        rows.append({"what": "store", "thoughts": n * THOUGHTS_EACH, "trajectories": n, "mb": round(db.stat().st_size / 1e6)})
        verified = timed(_OURS.replace("TRUST", "False"), db, folder / "a.jsonl")
        trusted = timed(_OURS.replace("TRUST", "True"), db, folder / "b.jsonl")
        naive = timed(_NAIVE, db, folder / "c.jsonl")
        same = len({hashlib.sha256((folder / f"{letter}.jsonl").read_bytes()).digest() for letter in "abc"}) == 1
        rows.append({"what": "sft, verified again", **verified})
        rows.append({"what": "sft, trust_verdicts", **trusted})
        rows.append({"what": "naive: sqlite-utils + json, nothing verified or scanned", **naive, "same bytes": same})
        db.unlink()
        fill(db, n_thoughts=THOUGHTS, different=True)
        each = timed(_OURS.replace("TRUST", "False"), db, folder / "d.jsonl")
        if each["verifier_calls"] != each["rows"]:
            raise SystemExit(f"an answer was not put to its verifier: {each}")
        rows.append({"what": "sft, verified again, all answers different", **each})
        db.unlink()
        sizes = {depth: talks(folder, depth) for depth in (2, 64)}
        per_thought = {depth: size / thoughts for depth, (size, thoughts) in sizes.items()}
        rows += [{"what": f"depth {depth}", "bytes_per_thought": round(value)} for depth, value in per_thought.items()]
        ours = sizes[64][0] / CALLS
        rows.append(
            {"what": "bytes per call, depth 64", "who": "reasoner (SQLite, with thoughts and full-text index)", "bytes": round(ours)}
        )
        packed = len(zlib.compress((folder / "depth64.db").read_bytes(), 6)) / CALLS
        rows.append({"what": "bytes per call, depth 64", "who": "reasoner, the file compressed (zlib)", "bytes": round(packed)})
        others = {who: size / CALLS for who, size in peers(folder, 64).items()}
        rows += [{"what": "bytes per call, depth 64", "who": who, "bytes": round(size)} for who, size in others.items()]
    bars = {
        "rows_per_s": float(verified["rows_per_cpu_s"]),
        "rows_per_s_all_different": float(each["rows_per_cpu_s"]),
        "rows_per_s_trusted": float(trusted["rows_per_cpu_s"]),
        "rows_per_s_naive": float(naive["rows_per_cpu_s"]),
        "rss_mib": float(verified["rss_mib"]),
        "bytes_per_thought_depth64_over_depth2": round(per_thought[64] / per_thought[2], 3),
        "bytes_per_call_depth64_over_depth2": round(sizes[64][0] / sizes[2][0], 3),
    }
    if others:
        bars["bytes_per_call_over_best_peer"] = round(ours / min(others.values()), 2)
    report("export", rows=rows, bars=bars, packages=("sqlite-utils", "pysqlite3", "inspect-ai", "llm"))


if __name__ == "__main__":
    main()
