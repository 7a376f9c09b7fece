"""The tools that come along, opened as a user names them."""

from __future__ import annotations

import shutil
import sqlite3
from fractions import Fraction
from pathlib import Path

import pytest

from reasoner import registry
from reasoner.errors import BadConfig, SandboxMissing, ToolFailed, UnknownName
from reasoner.grading.expression import evaluate
from reasoner.tools import Result, Tool, open_tools, tool
from reasoner.tools.python import ANEW

needs_bubblewrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed on this machine")


def one(named: str) -> Tool:
    (opened,) = open_tools([named])
    return opened


async def test_calculator() -> None:
    calculator = one("calculator")
    for expression, value in (
        ("2*(3+4)", "14"),
        ("1/4", "0.25"),
        ("-1/8", "-0.125"),
        ("1/3", "1/3 (about 0.333333333333)"),
        ("7/1000", "0.007"),
        ("-5", "-5"),
        ("0.1+0.2", "0.3"),
        ("4 * $13.50 - €2", "52"),
        ("10 * 5 = 51", "50"),
    ):
        assert await calculator.call({"expression": expression}) == value
        if "about" not in value and not set("$=") & set(expression):
            assert Fraction(value) == evaluate(expression).value
    for wrong in ("1/0", "2**3", "x", "", "9" * 2000, "= 5", "$", "4 km * 2", "$x"):
        with pytest.raises(ToolFailed, match="write numbers, "):
            await calculator.call({"expression": wrong})


async def test_python_keeps_variables_within_a_trajectory_and_shares_none() -> None:
    python = one("python")
    first, second = python.fresh("a"), python.fresh("b")
    assert await first.call({"code": "x = 2\nprint('set')"}) == "set"
    assert await first.call({"code": "x + 1"}) == "3"
    assert "NameError" in await second.call({"code": "x"})
    assert await first.call({"code": "pass"}) == "[no output]"
    for opened in (python, first, second):
        await opened.aclose()


async def test_python_goes_on_where_a_trajectory_was_left() -> None:
    asked = []

    async def look(name: str) -> str:
        asked.append(name)
        return "salt"

    python = one("python").fresh("a")
    python.remember({"code": "x = 1"}, Result(ok=True, text=f"TimeoutError\n{ANEW}"), [])
    python.remember({"code": "y = look('a') + look('b')"}, Result(ok=True, text=""), [Result(ok=True, text="1"), Result(ok=True, text="2")])
    assert await python.call({"code": "print(y, look('c'))"}, {"look": look}) == "3 salt"
    assert asked == ["c"], "what was called before is not called again"
    assert "NameError" in await python.call({"code": "x"})
    await python.aclose()


async def test_sql_shows_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a, b)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(1, None), (2, "x\ny")])
    connection.commit()
    connection.close()
    sql = one(f"sql:{path}")
    assert await sql.call({"query": "SELECT * FROM t"}) == "a | b\n1 | NULL\n2 | x\\ny\n[2 rows]"
    assert await sql.call({"query": "SELECT 1 WHERE 0"}) == "1\n[0 rows]"
    with pytest.raises(ToolFailed, match="no such column"):
        await sql.call({"query": "SELECT c FROM t"})
    with pytest.raises(ToolFailed, match="only reading"):
        await sql.call({"query": "DELETE FROM t"})
    await sql.aclose()


async def test_search_cites_file_and_lines(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.md").write_text("# Salt\n\nSalt is heavy.\n" + "Filler text.\n" * 200, encoding="utf-8")
    (tmp_path / "sub" / "b.txt").write_text("Pepper burns.\n", encoding="utf-8")
    (tmp_path / ".hidden").write_text("salt secret\n", encoding="utf-8")
    (tmp_path / "c.bin").write_bytes(b"salt\x00")
    (tmp_path / "link").symlink_to("/etc/passwd")
    search = one(f"search:{tmp_path}")
    found = await search.call({"query": "heavy salt", "n": 5})
    assert found.startswith("[a.md:1-")
    assert "Salt is heavy." in found
    assert "secret" not in found
    assert await search.call({"query": "burning peppers"}) == "[sub/b.txt:1-1]\nPepper burns."
    assert await search.call({"query": "unheard"}) == "[nothing found]"
    for hostile in ('" OR text:*', "a NEAR b", "text : x", "^salt", "salt*", "(salt", "{salt}", "-salt", "NOT salt", "salt AND"):
        await search.call({"query": hostile})
    with pytest.raises(ToolFailed, match="no word"):
        await search.call({"query": '"*"'})
    await search.aclose()


@needs_bubblewrap
async def test_shell_and_full_python_keep_their_folder() -> None:
    shell = one("shell").fresh("a")
    assert await shell.call({"command": "echo hi > a; cat a; exit 2"}) == "hi\n[exit code 2]"
    assert await shell.call({"command": "cat a"}) == "hi"
    python = one("full_python").fresh("a")
    assert await python.call({"code": "import fractions\nopen('x', 'w').write('7')\nprint(fractions.Fraction(1, 2))"}) == "1/2"
    assert await python.call({"code": "print(open('x').read())"}) == "7"
    later = one("shell").fresh("a")
    later.remember({"command": "echo earlier > b"}, Result(ok=True, text=""), [])
    assert await later.call({"command": "cat b"}) == "earlier"


def test_without_a_sandbox_a_tool_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("shell", "full_python"):
        with pytest.raises(SandboxMissing, match="install bubblewrap"):
            open_tools([name])


def test_tools_are_named_by_name_file_and_function(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "import reasoner\n\n@reasoner.tool\ndef a(x: int) -> int:\n    'A.'\n    return x\n\n@reasoner.tool(effect='once')\ndef b(x: int) -> int:\n    'B.'\n    return x\n",
        encoding="utf-8",
    )

    def plain(x: int) -> int:
        """Give it back."""
        return x

    opened = open_tools(["calculator", str(path), plain, tool(name="c")(plain)])
    assert [(one.name, one.effect) for one in opened] == [
        ("calculator", "pure"),
        ("a", "pure"),
        ("b", "once"),
        ("plain", "pure"),
        ("c", "pure"),
    ]
    assert [one.name for one in open_tools([f"{path}:b"])] == ["b"]
    with pytest.raises(UnknownName, match="did you mean 'calculator'"):
        open_tools(["calculater"])
    with pytest.raises(BadConfig, match="two tools are called 'calculator'"):
        open_tools(["calculator", "calculator"])
    with pytest.raises(UnknownName):
        open_tools([f"{path}:z"])
    (tmp_path / "empty.py").write_text("x = 1\n", encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    for name, says in (("empty.py", "holds no tool"), ("broken.py", "ZeroDivisionError"), ("none.py", "no file")):
        with pytest.raises(BadConfig, match=says):
            open_tools([str(tmp_path / name)])
    for name in ("sql", "search", "sql:/nowhere", "search:/nowhere"):
        with pytest.raises(BadConfig):
            open_tools([name])


@pytest.mark.parametrize("name", registry.names("tool"))
def test_every_tool_tells_a_model_what_it_does(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text", encoding="utf-8")
    sqlite3.connect(tmp_path / "a.sqlite").execute("CREATE TABLE t (a)").connection.close()
    source = {"sql": f":{tmp_path / 'a.sqlite'}", "search": f":{tmp_path}"}.get(name, "")
    if name in {"shell", "full_python"} and shutil.which("bwrap") is None:
        with pytest.raises(SandboxMissing):
            open_tools([name])
        return
    opened = one(name + source)
    assert opened.name == name
    assert 20 < len(opened.description) < 600
    assert opened.effect == "pure"
    schema = opened.parameters
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert all(field["description"] for field in schema["properties"].values())
    assert opened.fingerprint == one(name + source).fingerprint
    with pytest.raises(ToolFailed, match=f"arguments of {name}"):
        opened.accept({"no such argument": 1})
