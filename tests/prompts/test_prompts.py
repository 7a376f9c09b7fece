"""Templates: strict, bounded, overridable; each refusal names file, line and variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from reasoner.errors import BadTemplate, MissingAsset, UnknownName
from reasoner.prompts import MAX_RENDERED_BYTES, Prompts, load_prompt
from reasoner.types import Message

HEAD = '+++\nversion = 1\nvariables = ["statement", "items"]\n+++\n'


def write(tmp_path: Path, body: str, head: str = HEAD) -> Path:
    path = tmp_path / "t.jinja"
    path.write_text(head + body, encoding="utf-8")
    return path


def test_blocks_become_messages_in_role_order(tmp_path: Path) -> None:
    path = write(tmp_path, "{% block user %}Q: {{ statement }}{% endblock %}{% block system %}Be brief.{% endblock %}")
    prompt = load_prompt("x/t", path)
    assert prompt.render({"statement": "2+2", "items": []}) == (Message("system", "Be brief."), Message("user", "Q: 2+2"))
    assert prompt.version == 1
    assert len(prompt.hash) == 64


def test_text_given_to_a_template_is_never_a_template(tmp_path: Path) -> None:
    prompt = load_prompt("x/t", write(tmp_path, "{% block user %}{{ statement }}{% endblock %}"))
    (message,) = prompt.render({"statement": "{{ items }} {% for i in items %}", "items": [1]})
    assert message.content == "{{ items }} {% for i in items %}"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("{% block user %}{{ nobody }}{% endblock %}", "'nobody'"),
        ("\n\n{% block user %}{{ nobody }}{% endblock %}", "line 7"),
        ("{% block user %}{{ statement.__class__.__mro__() }}{% endblock %}", "a call"),
        ("{% block user %}{{ 'a' * 10 }}{% endblock %}", "mul"),
        ("{% block user %}{{ 9 ** 9 }}{% endblock %}", "pow"),
        ("{% block user %}{{ '%s' % statement }}{% endblock %}", "mod"),
        ("{% block user %}{{ statement|center(99999999) }}{% endblock %}", "'center'"),
        (
            "{% block user %}{% for a in items %}{% for b in items %}{% for c in items %}x{% endfor %}{% endfor %}{% endfor %}{% endblock %}",
            "loops",
        ),
        ("{% include 'other' %}", "include"),
        ("{% macro m() %}{{ m() }}{% endmacro %}", "macro"),
        ("{% block user %}{{ 99999999999 }}{% endblock %}", "over a million"),
        ("{% block user %}{{ statement ", "line"),
        ("{% block user %}{{ range }}{% endblock %}", "'range' as a value"),
        ("{% block user %}{{ [range]|join }}{% endblock %}", "'range' as a value"),
        ("{% block user %}{{ self.user }}{% endblock %}", "'self' as a value"),
        ("{% block user %}{% for i in items %}{{ loop }}{% endfor %}{% endblock %}", "'loop' as a value"),
        ("{% block user %}{{ " + "[" * 150 + "]" * 150 + " }}{% endblock %}", "nested too deeply"),
    ],
)
def test_refused_with_the_place(tmp_path: Path, body: str, what: str) -> None:
    with pytest.raises(BadTemplate) as refused:
        load_prompt("x/t", write(tmp_path, body))
    assert what in str(refused.value).lower() or what in str(refused.value)
    assert "t.jinja" in str(refused.value)


@pytest.mark.parametrize(
    "head", ["", "+++\nversion = 'x'\n+++\n", "+++\nversion = 1\nwhat = 2\n+++\n", "+++\nversion =\n+++\n", "+++\nversion = 1\n"]
)
def test_front_matter_is_demanded(tmp_path: Path, head: str) -> None:
    with pytest.raises(BadTemplate, match="front matter"):
        load_prompt("x/t", write(tmp_path, "{% block user %}hi{% endblock %}", head))


def test_missing_and_undefined_variables(tmp_path: Path) -> None:
    prompt = load_prompt("x/t", write(tmp_path, "{% block user %}{{ statement.name }}{% endblock %}"))
    with pytest.raises(BadTemplate, match="was not given 'items'"):
        prompt.render({"statement": "s"})
    with pytest.raises(BadTemplate, match="name"):
        prompt.render({"statement": "s", "items": []})


@pytest.mark.parametrize(
    "value",
    [
        "statement.format_map", "statement.format", "statement['format_map']", "statement.upper ~ ''", "statement.upper|string", "[statement.upper]|join",
        "items.append", "items[0].keys", "items[0]['keys']",
    ],
)  # fmt: skip
def test_a_method_is_no_value(tmp_path: Path, value: str) -> None:
    prompt = load_prompt("x/t", write(tmp_path, "{% block user %}{{ " + value + " }}{% endblock %}"))
    with pytest.raises(BadTemplate, match="is unsafe"):
        prompt.render({"statement": "s", "items": [{"a": 1}]})


def test_a_key_that_is_called_as_a_method_is_reached(tmp_path: Path) -> None:
    prompt = load_prompt("x/t", write(tmp_path, "{% block user %}{{ items.values }}/{{ items['keys'] }}/{{ items.get }}{% endblock %}"))
    assert prompt.render({"statement": "s", "items": {"values": 1, "keys": 2, "get": "x"}})[0].content == "1/2/x"


def test_output_and_work_are_bounded(tmp_path: Path) -> None:
    body = "{% block user %}{% for i in range(1000) %}{% for j in range(1000) %}{{ statement }}{% endfor %}{% endfor %}{% endblock %}"
    prompt = load_prompt("x/t", write(tmp_path, body))
    with pytest.raises(BadTemplate, match=str(MAX_RENDERED_BYTES)):
        prompt.render({"statement": "s" * 100, "items": []})
    wide = load_prompt("x/t", write(tmp_path, "{% block user %}{% for i in range(100000) %}{% endfor %}{% endblock %}"))
    with pytest.raises(BadTemplate, match="range"):
        wide.render({"statement": "", "items": []})


def test_override_directory_replaces_single_files(tmp_path: Path) -> None:
    shipped = Prompts()
    mine = tmp_path / "cot" / "answer.jinja"
    mine.parent.mkdir()
    mine.write_text(
        '+++\nversion = 9\nvariables = ["statement"]\n+++\n{% block user %}MINE {{ statement }}{% endblock %}', encoding="utf-8"
    )
    prompts = Prompts(tmp_path)
    assert prompts.get("cot/answer").version == 9
    assert prompts.get("direct/answer").hash == shipped.get("direct/answer").hash
    assert prompts.fingerprint("cot/") != shipped.fingerprint("cot/")
    assert prompts.fingerprint("direct/") == shipped.fingerprint("direct/")


def test_environment_names_the_override(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONER_PROMPTS", str(tmp_path / "nowhere"))
    with pytest.raises(MissingAsset, match="nowhere"):
        Prompts()


@pytest.mark.parametrize("name", ["../secrets", "cot/../../etc/passwd", "/etc/passwd", "cot", "cot/answr"])
def test_names_never_leave_the_folder(name: str) -> None:
    with pytest.raises(UnknownName):
        Prompts().get(name)


def test_a_file_outside_the_folder_is_not_reached(tmp_path: Path) -> None:
    outside = write(tmp_path, "{% block user %}hi{% endblock %}")
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("../t", "cot/../../t", str(outside.with_suffix("")), f"/{outside.with_suffix('')}"):
        with pytest.raises(UnknownName):
            Prompts(mine).get(name)


def test_every_shipped_template_loads() -> None:
    prompts = Prompts()
    assert len(prompts.names()) >= 8
    for name in prompts.names():
        prompts.get(name)
