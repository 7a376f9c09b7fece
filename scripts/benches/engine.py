"""The local engine on a tree search, against llama-cpp-python's `Llama`, an in-process llama-server, and the ideal.

Each contender runs the workload of `_tree_workload` in a process of its own, in turn, five rounds. The ideal is what llama.cpp itself
takes on this machine when nothing is read twice and every level is decoded together: unique prompt tokens / measured reading rate,
plus for each level its tokens / the rate measured at as many sequences (bare `llama_decode` without sampling, 48 steps, on the same root
and hanging on as many parents as in the workload; nothing else in the cache). `--model FILE.gguf` runs another model, `--rounds N` other rounds,
`--levels N` and `--child-tokens N` a smaller workload for a slow one, which the report names. `--form F` runs all contenders on the model converted to that form.
`--forms F,F` adds a row for each form, against the file as it is; with `--rounds 0` these are all there is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import _tree_workload as workload
from _form_rows import FORMS, form_bars, form_rows, weights_of
from _report import print_report

from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient, bundled_model, physical_cores
from reasoner.types import Message, Request, Sampling

N_CTX = 4096
SLOTS = 8
PLAIN_TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"
LONE_TOKENS = 64
LONE_REPEATS = 5
MAX_CACHED = 4
"""Tokens a lone request may find in the cache: prompts that begin alike by chance."""
SHARE_WIDTH = 16
CONTENDERS = ("ideal", "reasoner", "llama", "llama-server")


def open_reasoner(model: str, threads: int) -> LlamaCppClient:
    """Open our client with a template that adds nothing."""
    template = Path(os.environ["BENCH_TEMPLATE"])
    client = open_client(model, ClientOptions(n_ctx=N_CTX, threads=threads, chat_template=template))
    assert isinstance(client, LlamaCppClient)
    return client


def request(prompt: str, n_tokens: int, seed: int, ends: list[int], *, temperature: float = workload.TEMPERATURE) -> Request:
    """Ask for exactly so many tokens."""
    bias = tuple((token, -1e9) for token in ends)
    sampling = Sampling(temperature, top_k=workload.TOP_K, max_tokens=n_tokens, logit_bias=bias)
    # As `tot` does: nobody continues an evaluation.
    return Request((Message("user", prompt),), sampling, seed, discard_cache=n_tokens == workload.VALUE_TOKENS)


async def run_reasoner(model: str, threads: int, run: int) -> dict[str, Any]:
    """Run the workload through our client, then sixteen answers at once for Python's share of a step."""
    client = open_reasoner(model, threads)
    ends = (await client.info())["end_tokens"]

    async def ask(jobs: Any) -> list[str]:
        return [c.text for c in await asyncio.gather(*(client.complete(request(*job, ends)) for job in jobs))]

    started = time.perf_counter()
    transcript = await workload.walk(ask, run=run)
    seconds = time.perf_counter() - started
    after = await client.info()
    await ask([(workload.root_prompt(-run), 2, seed) for seed in range(SHARE_WIDTH)])
    before = await client.info()
    await ask([(workload.root_prompt(-run), 48, seed) for seed in range(SHARE_WIDTH)])
    last = await client.info()
    share = 1 - (last["native_s"] - before["native_s"]) / (last["step_s"] - before["step_s"])
    await client.aclose()
    return {
        "seconds": seconds,
        "calls": transcript.calls,
        "evaluated": after["evaluated_prompt_tokens"],
        "written": after["drawn_tokens"],
        "python_share": share,
    }


def llama(model: str, threads: int) -> Any:
    """Load llama-cpp-python's own class."""
    import llama_cpp  # noqa: PLC0415 - native code, in this contender's process only

    return llama_cpp.Llama(model, n_ctx=N_CTX, n_threads=threads, n_threads_batch=threads, verbose=False)


def run_llama(model: str, threads: int, run: int) -> dict[str, Any]:
    """Run the workload one call after the other; `Llama` keeps the prefix it shares with the call before."""
    llm = llama(model, threads)
    import llama_cpp  # noqa: PLC0415

    vocab = llama_cpp.llama_model_get_vocab(llm.model)
    bias = {t: -1e9 for t in range(llm.n_vocab()) if llama_cpp.llama_vocab_is_eog(vocab, t)}
    read: list[int] = []
    original = llm.eval

    def counted(tokens: Any) -> None:
        read.append(len(tokens))
        original(tokens)

    llm.eval = counted

    async def ask(jobs: Any) -> list[str]:
        return [
            llm.create_completion(
                prompt, max_tokens=n, seed=seed, temperature=workload.TEMPERATURE, top_k=workload.TOP_K, top_p=1.0, min_p=0.0,
                repeat_penalty=1.0, logit_bias=bias if LOGIT_BIAS_IN_LLAMA else None,
            )["choices"][0]["text"]
            for prompt, n, seed in jobs
        ]  # fmt: skip

    started = time.perf_counter()
    transcript = asyncio.run(workload.walk(ask, run=run))
    return {"seconds": time.perf_counter() - started, "calls": transcript.calls, "evaluated": sum(n for n in read if n > 1)}


LOGIT_BIAS_IN_LLAMA = False
"""`Llama` applies a bias by a Python callback over the whole vocabulary, which would slow it down; the end token hardly ever comes."""


def run_server(model: str, threads: int, run: int) -> dict[str, Any]:
    """Run the workload on an in-process llama-server with eight slots and prompt caching."""
    import xllamacpp  # noqa: PLC0415 - the extra `bench`

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.n_ctx = N_CTX * SLOTS
    params.n_parallel = SLOTS
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.warmup = True
    server = xllamacpp.Server(params)
    evaluated: list[int] = []

    def complete(job: tuple[str, int, int]) -> str:
        prompt, n, seed = job
        body = {
            "prompt": prompt, "n_predict": n, "seed": seed, "temperature": workload.TEMPERATURE, "top_k": workload.TOP_K, "top_p": 1.0,
            "min_p": 0.0, "ignore_eos": True, "cache_prompt": True, "stream": False,
        }  # fmt: skip
        reply = server.handle_completions(body)
        reply = json.loads(reply) if isinstance(reply, str) else reply
        if "timings" in reply:
            evaluated.append(reply["timings"]["prompt_n"])
        return str(reply["choices"][0]["text"] if "choices" in reply else reply["content"])

    pool = ThreadPoolExecutor(32)

    async def ask(jobs: Any) -> list[str]:
        loop = asyncio.get_running_loop()
        return list(await asyncio.gather(*(loop.run_in_executor(pool, complete, job) for job in jobs)))

    started = time.perf_counter()
    transcript = asyncio.run(workload.walk(ask, run=run))
    return {"seconds": time.perf_counter() - started, "calls": transcript.calls, "evaluated": sum(evaluated)}


def run_ideal(model: str, threads: int, run: int) -> dict[str, Any]:
    """Measure bare llama.cpp: reading a root, and decoding at the width of each level."""
    from reasoner.clients.llamacpp.worker.decoder import Slice  # noqa: PLC0415
    from reasoner.clients.llamacpp.worker.model import Model  # noqa: PLC0415 - native code

    made = Model.load({"path": model, "n_ctx": N_CTX, "threads": threads})
    made.warm_up()
    tokens = tokenizer(model)(workload.root_prompt(run))
    reading = []
    for _ in range(3):
        made.clear()
        started = time.perf_counter()
        for at in range(0, len(tokens), 512):
            made.decode([Slice(0, at, tokens[at : at + 512], wants_logits=at + 512 >= len(tokens))])
        reading.append(len(tokens) / (time.perf_counter() - started))
    rates = {}
    seqs, depth = [0], len(tokens)
    for width in workload.SIZE.widths:
        # The children of a level hang on as many parents as the level has, whose text is in the cache, as it is in the workload.
        parents, children = seqs, [max(seqs) + 1 + i for i in range(width)]
        for i, child in enumerate(children):
            made.copy(parents[i * len(parents) // width], child, depth)
        started = time.perf_counter()
        for step in range(workload.SIZE.child_tokens):
            made.decode([Slice(seq, depth + step, [tokens[step]], wants_logits=True) for seq in children])
        rates[width] = width * workload.SIZE.child_tokens / (time.perf_counter() - started)
        for seq in [*parents, *children[workload.KEPT :]]:
            made.free(seq)  # a prefix that children share stays with them
        seqs, depth = children[: workload.KEPT], depth + workload.SIZE.child_tokens
    return {"read_per_s": statistics.median(reading), "write_per_s": rates}


def run_lone(model: str, threads: int) -> dict[str, Any]:
    """Time one lone request after another, ours and `Llama`'s in turn: to the first token, and tokens a second after it."""
    client = open_reasoner(model, threads)
    llm = llama(model, threads)
    times: dict[str, list[float]] = {"ours_first": [], "llama_first": [], "ours_all": [], "llama_all": []}

    async def ours(prompt: str, n: int) -> float:
        started = time.perf_counter()
        reply = await client.complete(request(prompt, n, 0, [], temperature=0.0))
        assert reply.usage.cached_tokens < MAX_CACHED
        return time.perf_counter() - started

    def theirs(prompt: str, n: int) -> float:
        llm.reset()
        started = time.perf_counter()
        llm.create_completion(prompt, max_tokens=n, temperature=0.0, repeat_penalty=1.0)
        return time.perf_counter() - started

    async def main() -> None:
        await client.info()
        for turn in range(LONE_REPEATS + 1):
            for n, name in ((1, "first"), (LONE_TOKENS, "all")):
                # Another beginning each time: nothing may come out of a cache.
                prompt = f"{name} {turn}: " + workload.root_prompt(turn)[:600]
                mine, other = await ours(prompt, n), theirs(prompt, n)
                if turn:  # the first of each warms up
                    times[f"ours_{name}"].append(mine)
                    times[f"llama_{name}"].append(other)
        await client.aclose()

    asyncio.run(main())
    medians = {name: statistics.median(values) for name, values in times.items()}
    first = medians["ours_first"] / medians["llama_first"]
    rate = (medians["ours_all"] - medians["ours_first"]) / (medians["llama_all"] - medians["llama_first"])
    return {**medians, "first_ratio": first, "rate_ratio": rate}


def tokenizer(model: str) -> Any:
    """Return a function from text to tokens."""
    import llama_cpp  # noqa: PLC0415

    vocabulary = llama_cpp.Llama(model, vocab_only=True, verbose=False)
    return lambda text: vocabulary.tokenize(text.encode(), add_bos=True, special=True)


def contender(name: str, model: str, threads: int, run: int) -> dict[str, Any]:
    """Run one contender in this process."""
    if name == "reasoner":
        made = asyncio.run(run_reasoner(model, threads, run))
        # The worker is a child: its peak is what counts.
        made["rss_mib"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        return made
    runs: dict[str, Any] = {"ideal": run_ideal, "llama": run_llama, "llama-server": run_server}
    if name.startswith("form:"):
        return {"rows": form_rows(model, [form for form in FORMS if form in name[5:].split(",")])}
    made = run_lone(model, threads) if name == "lone" else runs[name](model, threads, run)
    made["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return made


def spawn(name: str, model: str, threads: int, run: int) -> dict[str, Any]:
    """Run one contender in a process of its own."""
    command = [sys.executable, __file__, "--contender", name, "--model", model, "--threads", str(threads), "--run", str(run)]
    command += ["--levels", str(workload.SIZE.levels), "--child-tokens", str(workload.SIZE.child_tokens)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def ideal_seconds(rates: dict[str, Any], unique: int) -> float:
    """Return the seconds the workload takes when nothing is read twice and each level is decoded together."""
    per_child = workload.SIZE.child_tokens + workload.VALUE_TOKENS
    writing = sum(width * per_child / rates["write_per_s"][str(width)] for width in workload.SIZE.widths)
    return float(unique / rates["read_per_s"] + writing)


def main() -> None:
    """Run the rounds and report medians; every ratio is of one round."""
    parser = argparse.ArgumentParser(description="bench engine", epilog="example: scripts/bench engine --json")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--model", default="local", help="local or a path to a .gguf")
    parser.add_argument("--threads", type=int, default=physical_cores())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without", default="", help="contenders to leave out, separated by commas")
    parser.add_argument("--levels", type=int, choices=range(1, workload.LEVELS + 1), default=workload.LEVELS)
    parser.add_argument("--child-tokens", type=int, default=workload.CHILD_TOKENS, help="tokens a child is continued by")
    parser.add_argument("--form", default="as-is", choices=("as-is", *FORMS), help="form of the weights for all contenders")
    parser.add_argument("--forms", default="", help=f"forms to measure against the file as it is, of {','.join(FORMS)}")
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--run", type=int, default=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child_tokens <= workload.VALUE_TOKENS:
        parser.error(f"--child-tokens must be more than the {workload.VALUE_TOKENS} of an evaluation")
    workload.SIZE.levels, workload.SIZE.child_tokens = options.levels, options.child_tokens
    model = str(bundled_model()) if options.model == "local" else options.model
    if options.contender:
        print(json.dumps(contender(options.contender, model, options.threads, options.run)))
        return
    if options.form != "as-is":
        held = weights_of(model, options.form)  # until this process ends
        model = str(held.path)
    rounds(options, model)


def rounds(options: argparse.Namespace, model: str) -> None:
    """Run all contenders in turn, as often as was asked."""
    names = [name for name in CONTENDERS if name not in options.without.split(",")]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    tokenize = tokenizer(model)
    for run in range(1, options.rounds + 1):
        for name in names:
            made = spawn(name, model, options.threads, run)
            if "calls" in made:
                calls = workload.Transcript([(prompt, text) for prompt, text in made.pop("calls")])
                made["unique"], made["total"] = workload.unique_prompt_tokens(calls, tokenize)
            found[name].append(made)
            print(f"round {run}: {name} {made.get('seconds', 0):.1f} s", file=sys.stderr)
    rows, bars = measured(options, model, names, found) if options.rounds else ([], {})
    if options.forms:
        made = spawn(f"form:{options.forms}", model, options.threads, 0)["rows"]
        rows, bars = rows + made, bars | form_bars(made)
    print_report(
        "engine",
        rows=rows,
        bars=bars,
        packages=("llama-cpp-python", "xllamacpp", "numpy"),
        as_json=options.json,
        notes={
            "threads": options.threads, "model": Path(model).name, "form": options.form, "levels": options.levels,
            "child_tokens": options.child_tokens,
        },
    )  # fmt: skip


def measured(
    options: argparse.Namespace, model: str, names: list[str], found: dict[str, list[dict[str, Any]]]
) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """Return the rows of all contenders and the bars, with a lone request measured now."""
    lone = spawn("lone", model, options.threads, 0)
    ideals = [ideal_seconds(rates, ours["unique"]) for rates, ours in zip(found["ideal"], found["reasoner"], strict=True)]
    bars = bars_of(found, ideals, lone)
    rows = [row for name in names if name != "ideal" for row in [row_of(name, found[name])]]
    rows.insert(0, ideal_row(found["ideal"], ideals))
    rows.append({"contender": "lone request", **{key: round(value, 4) for key, value in lone.items() if key != "rss_mib"}})
    return rows, bars


def bars_of(found: dict[str, list[dict[str, Any]]], ideals: list[float], lone: dict[str, Any]) -> dict[str, float]:
    """Return the figures the bench exists for."""
    ours = [made["seconds"] for made in found["reasoner"]]

    def over_ours(name: str) -> float:
        return statistics.median(made["seconds"] / mine for made, mine in zip(found[name], ours, strict=True))

    bars = {
        "time_over_ideal": statistics.median(mine / ideal for mine, ideal in zip(ours, ideals, strict=True)),
        "evaluated_over_unique": statistics.median(made["evaluated"] / made["unique"] for made in found["reasoner"]),
        "lone_request_slowdown": max(lone["first_ratio"], lone["rate_ratio"]) - 1,
        "python_share": statistics.median(made["python_share"] for made in found["reasoner"]),
    }
    for bar, name in (("speedup_over_llama_server", "llama-server"), ("speedup_over_llama", "llama")):
        if name in found:
            bars[bar] = over_ours(name)
    return {name: round(value, 4) for name, value in bars.items()}


def row_of(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one contender's medians."""

    def median(key: str) -> float:
        return statistics.median(made[key] for made in runs)

    return {
        "contender": name, "seconds": round(median("seconds"), 2), "seconds_all": [round(made["seconds"], 2) for made in runs],
        "evaluated_prompt_tokens": int(median("evaluated")), "unique_prompt_tokens": int(median("unique")),
        "total_prompt_tokens": int(median("total")), "rss_mib": int(median("rss_mib")),
    }  # fmt: skip


def ideal_row(runs: list[dict[str, Any]], ideals: list[float]) -> dict[str, Any]:
    """Return the ideal's medians with the rates it is made of."""
    rates = {
        f"write_per_s_at_{width}": round(statistics.median(made["write_per_s"][str(width)] for made in runs), 1)
        for width in workload.SIZE.widths
    }
    reading = round(statistics.median(made["read_per_s"] for made in runs), 1)
    return {"contender": "ideal", "seconds": round(statistics.median(ideals), 2), "read_per_s": reading, **rates}


if __name__ == "__main__":
    if "BENCH_TEMPLATE" not in os.environ:
        import tempfile

        with tempfile.NamedTemporaryFile("w", suffix=".jinja") as file:
            file.write(PLAIN_TEMPLATE)
            file.flush()
            os.environ["BENCH_TEMPLATE"] = file.name
            main()
    else:
        main()
