"""The local engine under attack, with a model of a few kilobytes: workers killed in the middle, hostile grammars, templates and files.

Small numbers by default; `REASONER_ENGINE_KILLS=200 REASONER_MUTANTS=1000` is the full measure. Seeds are printed;
`REASONER_CHAOS_SEED` repeats one.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from ends import ends

from reasoner.clients import ClientOptions, open_client
from reasoner.clients.llamacpp import LlamaCppClient
from reasoner.errors import BadConfig, BadTemplate, EngineLost, ReasonerError
from reasoner.types import Completion, Constraint, Message, Request, Sampling

KILLS = int(os.environ.get("REASONER_ENGINE_KILLS", "16"))
MUTANTS = int(os.environ.get("REASONER_MUTANTS", "60"))
MAX_SECONDS = 120.0
"""By the clock on the wall, since a worker does the work: a hang lasts longer, a busy machine does not."""
SIGNALS = (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGSTOP)

pytestmark = pytest.mark.model


def seeded() -> random.Random:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    return random.Random(seed)


def opened(path: Path, **options: Any) -> LlamaCppClient:
    client = open_client(str(path), ClientOptions(**{"threads": 1, "n_ctx": 1024, **options}))
    assert isinstance(client, LlamaCppClient)
    return client


def request(text: str, seed: int = 0, constraint: Constraint | None = None, **sampling: Any) -> Request:
    return Request((Message("user", text),), Sampling(**{"max_tokens": 8, "temperature": 1.0, **sampling}), seed, constraint)


ENDLESS = Constraint("grammar", "root ::= [a-z]+")
NEVER_ENDS = ((2, -1e9),)
"""Keeps the end token of the tiny model out."""


@pytest.mark.slow
async def test_workers_killed_stopped_and_aborted_at_random_tokens(tiny_model: Path) -> None:
    rng = seeded()
    client = opened(tiny_model, token_deadline_s=1.0)
    struck: Counter[str] = Counter()
    runs = 0
    while sum(struck.values()) < KILLS:
        runs += 1
        assert runs < 20 * KILLS, "the signals never meet a request that is being worked on"
        calls = [
            asyncio.create_task(
                client.complete(request(f"{runs} {i}", i, ENDLESS, max_tokens=rng.randint(200, 800), logit_bias=NEVER_ENDS))
            )
            for i in range(6)
        ]
        await asyncio.sleep(rng.uniform(0.0, 0.3))
        pid = client.worker_pid
        worker = client.keeper.worker
        if pid is not None and worker is not None and worker.loaded and worker._active:
            chosen = rng.choice(SIGNALS)
            os.kill(pid, chosen)
            struck[chosen.name] += 1
        for call in calls:
            reply = await call
            assert reply.finish_reason == "length"
            assert reply.usage.completion_tokens >= 200
    await client.aclose()
    print(dict(struck), f"{runs} runs")  # noqa: T201 - the measure of the full run


def nested(n: int) -> str:
    return "root ::= " + "(" * n + '"a"' + ")" * n


GRAMMARS = [
    *(nested(n) for n in (101, 1000, 60_000)),
    *("root ::= " + "(" * n for n in (1, 5, 60_000)),
    *(f'root ::= "a"{{{n}}}' for n in (1001, 10**6, 2**31, 2**32, 2**64, 10**30)),
    *(f'root ::= ("a"{{{n}}}){{{n}}}' for n in (500, 999)),
    'root ::= ((("a"{90}){90}){90}){90}',
    *(f"root ::= {body}" for body in ("root", 'root "a"', '"" root', 'x root\nx ::= ""', "nothing", '(nothing | "a")', "[", "[a", '"', '"a', "\\")),
    *(f"root ::= a\na ::= {body}" for body in ("root", "b\nb ::= a", "a*", "(a)?", '"x" | a')),
    *("\n".join([f"r{i} ::= r{i + 1}" for i in range(n)] + [f"r{n} ::= r0", "root ::= r0"]) for n in (5, 500, 5000)),
    *("", " ", "\0", "\n" * 10_000, "root", "::=", "root ::=:=", 'start ::= "a"', "root ::= ]", "root ::= )", "root ::= |*", "root ::= *"),
    *('root ::= "\\' + c + '"' for c in ("x", "xZZ", "u12", "UFFFFFFFF", "q")),
    *(f"root ::= [{a}]" for a in ("\\", "\\x", "a\nb")),
    "root ::= " + " | ".join(f"r{i}" for i in range(2000)),
    'root ::= "' + "a" * 70_000 + '"',
]  # fmt: skip


async def test_hostile_grammars_are_refused_or_harmless_and_the_worker_lives(tiny_model: Path) -> None:
    assert len(GRAMMARS) >= 50
    client = opened(tiny_model)
    await client.complete(request("Hi"))
    pid = client.worker_pid
    refused = 0
    for text in GRAMMARS:
        with ends(text, MAX_SECONDS, time.monotonic):
            try:
                await client.complete(request("Hi", 0, Constraint("grammar", text)))
            except BadConfig as error:
                refused += 1
                assert "\n" not in str(error)
    assert client.worker_pid == pid, "no grammar may bring the worker down"
    assert refused > len(GRAMMARS) * 0.8
    await client.aclose()


def deep(n: int, step: str) -> str:
    return f'{{"{step}": ' * n + "{}" + "}" * n


CONSTRAINTS = [
    *(Constraint("json_schema", deep(n, step)) for n in (50, 70, 5000, 40_000) for step in ("items", "additionalProperties", "not")),
    *(Constraint("json_schema", '{"enum": [' + "[" * n + "]" * n + "]}") for n in (60, 200, 100_000)),
    *(Constraint("json_schema", f'{{"type": "string", "pattern": "{pattern}"}}') for pattern in (
        "^(a{1000}){1000}$", "^((a*)*)*$", "^.*a.{500}$", "(a|aa)+$", "[", "a{2000000000}", "(" * 3000, "^(x+x+)+y$", "\\\\p{L}{1,900}",
    )),
    *(Constraint("json_schema", text) for text in (
        "", "{", "[]", "NaN", '{"const": NaN}', '{"const": "\\ud800"}', '{"minimum": 1e999}', '{"type": "integer", "multipleOf": 0}', '{"multipleOf": 99991, "type": "integer"}',
        '{"minLength": 1e30, "type": "string"}', '{"minItems": 100000000, "type": "array"}', '{"$ref": "#"}', '{"allOf": [{"$ref": "#"}]}',
        '{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}', '{"properties": {"a": {"$ref": "#"}}, "required": ["a"]}',
        '{"allOf": [' + ", ".join('{"anyOf": [' + ", ".join(f'{{"const": {i * 9 + j}}}' for j in range(9)) + "]}" for i in range(9)) + "]}",
        '{"enum": [' + ", ".join(f'"v{i}"' for i in range(9000)) + "]}", '{"const": ' + "9" * 5000 + "}", '{"x": "' + "a" * 300_000 + '"}',
    )),
    Constraint("grammar", 'root ::= "a" root'),
    *(Constraint.regex(text) for text in ("a{100000000}", "(" * 5000, "(a{1000}){1000}", "((a*)*)*b", "[^", "(?i)" + "é" * 5000, "a|" * 20_000, "\\x{110000}", "\0", "/", "(?:)")),
    *(Constraint.lark(text) for text in (
        "start: start", 'start: "a" start', "start: a\na: start", 'start: ("a"*)*', "start: " + "(" * 5000, 'start: "' + "a" * 100_000 + '"', "start: A\nA: A", "start: /a{99999}/{99999}",
        "%llguidance {", '%ignore /.*/\nstart: "a"', "start: <[0-999999999]>", "start: <[*]>", "start: x[stop=/a/]\nx: /b/", "start: %json {", "%import common.NOTHING\nstart: NOTHING",
    )),
]  # fmt: skip


async def test_hostile_constraints_are_refused_or_harmless_and_the_worker_lives(tiny_model: Path) -> None:
    client = opened(tiny_model)
    await client.complete(request("Hi"))
    pid = client.worker_pid
    refused = 0
    for constraint in CONSTRAINTS:
        with ends(constraint.value, MAX_SECONDS, time.monotonic):
            try:
                await client.complete(request("Hi", 0, constraint))
            except BadConfig as error:
                refused += 1
                assert "\n" not in str(error)
                assert len(str(error)) < 500
    assert client.worker_pid == pid, "no constraint may bring the worker down"
    assert refused > len(CONSTRAINTS) // 2
    await client.aclose()


# One template holds them all, chosen by the message: a worker need not be started for each.
TEMPLATES = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ messages.__init__.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ self._TemplateReference__context }}",
    "{{ lipsum.__globals__ }}",
    "{{ range(10 ** 9) | list | length }}",
    "{{ ('a' ~ messages[0].content) * 10 ** 9 }}",
    "{{ messages[0].content.rjust(10 ** 10) }}",
    "{{ '%999999999s' % messages[0].content }}",
    "{{ '{:>999999999}'.format(messages[0].content) }}",
    "{{ messages[0].content | center(10 ** 10) }}",
    "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "{% for a in range(9000) %}{{ 'x' * 9000 }}{% endfor %}",
    "{{ raise_exception('no') }}",
    "{{ messages[99].content }}",
    "{{ nothing.at.all }}",
    "{{ 1 / 0 }}",
    "{% set x = namespace(s='aa') %}{% for i in range(60) %}{% set x.s = x.s + x.s %}{% endfor %}{{ x.s }}",
    "{{ messages | tojson(indent=10 ** 9) }}",
    "{{ [messages] | map('attr', '__class__') | list }}",
    "{{ messages.append(1) }}",
]


async def test_hostile_templates_are_refused_in_bounds_and_the_worker_lives(tiny_model: Path, tmp_path: Path) -> None:
    branches = "".join(f"{{% elif messages[0].content == 't{i}' %}}{text}" for i, text in enumerate(TEMPLATES))
    path = tmp_path / "t.jinja"
    path.write_text(f"{{% if messages[0].content == 'fine' %}}fine{branches}{{% endif %}}", encoding="utf-8")
    client = opened(tiny_model, chat_template=path)
    await client.complete(request("fine"))
    pid = client.worker_pid
    harmless = []
    for i, text in enumerate(TEMPLATES):
        with ends(text, MAX_SECONDS, time.monotonic):
            try:
                reply = await client.complete(request(f"t{i}"))
            except (BadTemplate, BadConfig) as error:
                assert "\n" not in str(error)
            else:
                harmless.append((text, reply.usage.prompt_tokens))
    assert client.worker_pid == pid, "no template may bring the worker down"
    assert all(n_tokens < 40 for _, n_tokens in harmless), harmless  # what is let through says next to nothing
    assert len(harmless) < len(TEMPLATES) // 5, harmless
    assert (await client.complete(request("fine"))).text is not None
    await client.aclose()


def mutant(rng: random.Random, data: bytes) -> bytes:
    """Return a copy with a few things wrong, most of them in the part that describes the rest."""
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        at = rng.randrange(8200) if rng.random() < 0.8 else rng.randrange(len(found))
        how = rng.randrange(4)
        if how == 0:
            found[at] ^= 1 << rng.randrange(8)
        elif how == 1:
            found[at] = rng.randrange(256)
        elif how == 2:
            found[at : at + 8] = rng.choice((0, 1, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1)).to_bytes(8, "little")
        else:
            other = rng.randrange(8000)
            found[at : at + 16] = found[other : other + 16]
    return bytes(found[: rng.randrange(len(found))] if rng.random() < 0.05 else found)


@pytest.mark.slow
async def test_mutated_files_never_bring_the_parent_down(tiny_model: Path, tmp_path: Path) -> None:
    rng = seeded()
    data = tiny_model.read_bytes()
    outcomes: Counter[str] = Counter()
    slowest = 0.0
    for number in range(MUTANTS):
        path = tmp_path / "mutant.gguf"
        path.write_bytes(mutant(rng, data))
        started = time.monotonic()
        with ends(f"mutant {number}", MAX_SECONDS, time.monotonic):
            outcomes[await tried(path)] += 1
        slowest = max(slowest, time.monotonic() - started)
    print(dict(outcomes), f"slowest {slowest:.1f} s")  # noqa: T201 - the measure of the full run
    assert sum(outcomes.values()) == MUTANTS
    assert outcomes["BadConfig: the header"] > 0
    assert not [how for how in outcomes if how.startswith("EngineLost")], "a file that is no good was taken for one that is"


LEADS = [*range(0xC0, 0x800, 0x40), 0x800, *range(0x1000, 0x10000, 0x1000), 0x10000, *range(0x40000, 0x110000, 0x40000)]
EVERY_BYTE = "".join(map(chr, [*range(0xC0), *LEADS]))
"""A text that has every byte UTF-8 has."""


async def tried(path: Path) -> str:
    """Open a file and ask for one token; say in a few words how it ended."""
    try:
        client = opened(path)
    except BadConfig as error:
        assert "\n" not in str(error)
        return "BadConfig: the header"
    try:
        reply = await client.complete(request(EVERY_BYTE, max_tokens=2))
    except ReasonerError as error:
        assert "\n" not in str(error)
        died = isinstance(error, EngineLost) or "did not survive" in str(error)
        return f"{type(error).__name__}: the worker {'died' if died else 'refused'}"
    finally:
        await client.aclose()
    assert isinstance(reply, Completion)
    return "answered"


@pytest.mark.slow
async def test_memory_does_not_grow_over_five_hundred_requests(tiny_model: Path) -> None:
    client = opened(tiny_model)

    def rss_mib() -> float:
        pages = int(Path(f"/proc/{client.worker_pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    async def ask(first: int, n: int) -> None:
        texts = [f"{'the same beginning ' * (i % 7)}{i} {'x' * (i % 90)}" for i in range(first, first + n)]
        constraints = [ENDLESS if i % 3 else None for i in range(n)]
        await asyncio.gather(
            *(client.complete(request(t, i, c, max_tokens=20)) for i, (t, c) in enumerate(zip(texts, constraints, strict=True)))
        )

    await ask(0, 150)
    warm = rss_mib()
    for first in range(150, 650, 50):
        await ask(first, 50)
    grown = rss_mib()
    await client.aclose()
    print(f"{warm:.1f} -> {grown:.1f} MiB")  # noqa: T201 - the measure of the full run
    assert grown < 1.05 * warm
