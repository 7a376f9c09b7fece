"""Templates of a user's own that would run for hours or fill the memory: each is cut, and counting costs a plain template little.

The bombs stand in `tests/corpus/templates`; one that is found later is added there. They run in a child with an address space of its
own, so that one which is not cut fails a test instead of the machine.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reasoner.errors import BadTemplate
from reasoner.prompts import bounds, load_prompt

BOMBS = sorted((Path(__file__).parent.parent / "corpus" / "templates").glob("*.jinja"))
DEADLINE_S = 0.3
"""The product's is 2 s; a shorter one tests the same and takes less of everybody's time."""
PATIENCE_S = 240
"""For all of them together. One that is not cut runs for hours."""

RUN = """
import json, resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from reasoner.prompts import bounds as template_work
from reasoner.errors import BadTemplate
from reasoner.prompts import load_prompt
template_work.MAX_SECONDS = float(sys.argv.pop(1))
given = {"statement": "a word or\\n" * 20000, "items": [{"text": "x" * 50}] * 2000}
told = {}
for name in sys.argv[1:]:
    try:
        load_prompt("bomb", Path(name)).render(given)
        how = "rendered"
    except BadTemplate as error:
        how = str(error)
    except BaseException as error:
        how = "escaped: " + type(error).__name__
    told[Path(name).stem] = how
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(DEADLINE_S), *map(str, BOMBS)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", [path.stem for path in BOMBS])
def test_a_bomb_is_cut(told: dict[str, str], name: str) -> None:
    how = told[name]
    assert how.startswith(("a template", "range of", "template bomb")), how[:300]
    assert "\n" not in how


def test_what_is_refused_once_is_refused_always(tmp_path: Path) -> None:
    path = tmp_path / "t.jinja"
    path.write_text(
        '+++\nversion = 1\nvariables = ["items"]\n+++\n'
        "{% block user %}{% for a in items %}{% for b in items %}{% endfor %}{% endfor %}{% endblock %}"
    )
    prompt = load_prompt("t", path)
    assert prompt.render({"items": list(range(1400))}) == ()  # 1,961,400 turns
    with pytest.raises(BadTemplate, match="steps"):
        prompt.render({"items": list(range(1450))})


def test_no_template_can_name_the_counters(tmp_path: Path) -> None:
    for body in (
        "{{ environment.turn }}",
        "{{ context }}",
        "{{ environment.held(context, 1) }}",
        "{% set environment = 1 %}{{ environment.turn }}",
    ):
        path = tmp_path / "t.jinja"
        path.write_text(f"+++\nversion = 1\n+++\n{{% block user %}}{body}{{% endblock %}}")
        with pytest.raises(BadTemplate):
            load_prompt("t", path).render({})


def test_every_turn_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact count, so that a Jinja2 whose compiler no longer asks `CountingCode` is noticed."""
    made: list[bounds.Work] = []

    class Seen(bounds.Work):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    monkeypatch.setattr("reasoner.prompts.templates.Work", Seen)
    path = tmp_path / "t.jinja"
    for body, steps in (
        ("x", 1),  # the block
        ("{% for i in items %}{% endfor %}", 1 + 10),
        ("{% for i in items if i > 6 %}{% endfor %}", 1 + 10 + 3),
        ("{% for i in items %}{% if i == 3 %}y{% endif %}{% endfor %}", 1 + 10 + 1),
        ("{% for i in items %}{{ loop.index }}{% for j in items %}{% endfor %}{% endfor %}", 1 + 10 + 100),
        ("{{ 'a' ~ items[0] }}", 1 + 2),
        ("{{ items[0] + 1 }}", 1 + 1),
        ("{% set x = [1, (2, 3), {'a': 4}] %}", 1 + 3),
        ("{{ items|length }}", 1 + 2),
    ):
        path.write_text('+++\nversion = 1\nvariables = ["items"]\n+++\n{% block user %}' + body + "{% endblock %}")
        load_prompt("t", path).render({"items": list(range(10))})
        assert made[-1].steps == steps, body


def test_loops_know_where_they_are(tmp_path: Path) -> None:
    path = tmp_path / "t.jinja"
    path.write_text(
        '+++\nversion = 1\nvariables = ["items"]\n+++\n{% block user %}{% for i in items if i != 2 %}{{ loop.index }}/{{ loop.length }}'
        "{{ i ~ ',' if not loop.last else '.' }}{% else %}none{% endfor %}{{ [1, (2, 3)]|tojson }}{{ {'a': 1}|tojson }}{% endblock %}"
    )
    prompt = load_prompt("t", path)
    assert prompt.render({"items": [1, 2, 3]})[0].content == '1/21,2/2.[1, [2, 3]]{"a": 1}'
    assert prompt.render({"items": []})[0].content.startswith("none")


def test_counting_costs_little(tmp_path: Path) -> None:
    """Function calls, Python's and C's, against the same template in a sandbox that counts nothing: one process gives the same number always."""
    body = "{% block user %}{% for i in items %}{{ i.text }} {{ statement }}\n{% endfor %}{% endblock %}"
    path = tmp_path / "t.jinja"
    path.write_text('+++\nversion = 1\nvariables = ["statement", "items"]\n+++\n' + body)
    prompt = load_prompt("t", path)
    plain = ImmutableSandboxedEnvironment().from_string(body)
    given = {"statement": "a statement", "items": [{"text": "x"}] * 200}

    def calls(run: Callable[[], object]) -> int:
        seen: Counter[str] = Counter()
        run()
        sys.setprofile(lambda _frame, event, _argument: seen.update([event]))
        try:
            run()
        finally:
            sys.setprofile(None)
        return seen["call"] + seen["c_call"]

    ours = calls(lambda: prompt.render(given))
    theirs = calls(lambda: "".join(plain.blocks["user"](plain.new_context(dict(given)))))
    assert ours < 5 * theirs, f"{ours / theirs:.2f} times"


def test_no_value_grows_past_its_bound(tmp_path: Path) -> None:
    """Where neither steps nor time would end it: one concatenation, one replacement, one list."""
    for body in (
        "{{ (items ~ items)|length }}",
        "{{ items|replace('x', items)|length }}",
        "{{ items + items }}",
        "{{ [items, items]|length }}",
    ):
        path = tmp_path / "t.jinja"
        path.write_text('+++\nversion = 1\nvariables = ["items"]\n+++\n{% block user %}' + body + "{% endblock %}")
        with pytest.raises(BadTemplate, match="value of"):
            load_prompt("t", path).render({"items": "x" * 3_000_000})
