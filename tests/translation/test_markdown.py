"""Markdown, 30 files: what is text is found, code, targets, HTML and front matter stay, and no translation changes the blocks.

The oracles are the parts a file was made of, and the tokens that markdown-it makes of what was written.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reasoner.errors import DataError
from reasoner.translation.documents import Filled, open_document
from reasoner.translation.documents._markdown import Markdown

INLINE = ["`co*de`", "``a ` b``", '[link](http://a.example/x_(y) "t")', "[map]", "[map][]", "[the map][map]", "![img](a.png)", "<b>bold</b>", "*it*", "**so _very_**",
          "~~no~~", "<https://example.org>", "snake_case", "$x_1$", "$5 and $6", "&amp;", "%s", "{name}", "[^n]", "[no]", "\\*star", "https://example.org/a", "2 * 3"]  # fmt: skip
FIXED = ["```py\nriver = 1\n```", "<div>\nriver\n</div>", "***", "<!-- river -->", "~~~\nriver\n~~~"]


def words(rng: random.Random) -> str:
    parts = ["word", *rng.choices(["word", "l'acqua", "è", "5", *INLINE], k=rng.randint(0, 6))]
    rng.shuffle(parts)
    return " ".join([*(["word"] if re.match(r"[\[5<\\]", parts[0]) else []), *parts])


def block(rng: random.Random) -> tuple[str, int]:
    """A block, and how many units it has."""
    one, other = words(rng), words(rng)
    kinds = [
        (f"{one}\n{other}", 1), (f"{one}  \n{other}\\\nword", 1), (f"## {one} ##", 1), (f"{one}\n===", 1), (f"> {one}\n> {other}", 1), (f"> - {one}\n>   {other}", 1),
        (f"- {one}\n- [ ] {other}\n  1. {one}", 3), (f"1. {one}\n\n   {other}", 2), (f"| a1 | {one} |\n|:--|---|\n| `river` | {other} |\n|{one}| |", 4),
        (f"[^n]: The note {one}", 1), ("word:\n\n    river = 2", 1), (rng.choice(FIXED), 0), ("| river \\| b | 5 |\n|---|---|", 1), ("`river`", 0),
    ]  # fmt: skip
    return rng.choice(kinds)


def made_of(rng: random.Random) -> tuple[str, int]:
    blocks = [block(rng) for _ in range(rng.randint(1, 9))]
    front = "---\ntitle: river\n---\n\n" if rng.random() < 0.4 else ""
    text = front + "\n\n".join(each for each, _ in blocks) + "\n\n[map]: http://river.example 'river'\n"
    return rng.choice((str, lambda whole: whole.replace("\n", "\r\n")))(text), sum(n for _, n in blocks)


def shape(text: str) -> list[Any]:
    """The blocks and, without the order, the markup in them, as markdown-it sees them."""
    text = re.sub(r"\A---\r?\n.*?\r?\n---\r?\n", "", text, flags=re.DOTALL)
    found: list[Any] = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        if token.type != "inline":
            found.append((token.type, token.tag, token.info, token.content))
        else:
            found.append(sorted((c.type, str(c.attrs), c.content if c.type not in {"text", "text_special"} else "") for c in token.children or () if c.type not in {"text", "softbreak", "text_special"}))  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(30))
def test_markdown_keeps_everything_but_its_text(tmp_path: Path, seed: int) -> None:
    text, n_units = made_of(random.Random(seed))
    (tmp_path / "a.md").write_bytes(text.encode())
    document = open_document(tmp_path / "a.md")
    assert len(document.units) == n_units
    assert document.written({}) == text.encode()
    assert not any("river" in unit.text for unit in document.units if unit.text != "river {1} b")
    made = document.written({n: Filled(unit.text.replace("word", "Wört")) for n, unit in enumerate(document.units)}).decode()
    assert shape(made) == shape(text)
    for fixed in [
        *FIXED,
        "title: river",
        "http://river.example 'river'",
        "`river`",
        *INLINE[:3],
        "](map)",
        "![img](a.png)",
        "https://example.org",
        "{name}",
        "%s",
        "[^n]",
    ]:
        assert made.replace("\r\n", "\n").count(fixed) == text.replace("\r\n", "\n").count(fixed)
    assert made.count("Wört") == len(re.findall(r"\bword\b", text))


HOSTILE = st.lists(st.sampled_from(["#", "##", "- ", "1. ", "* ", "+", "> ", "---", "===", "```", "`", "<script>", "<!--", "[x](http://evil)", "![x](y)", "|", "*", "_", "~~", "a", "\\", "{1}", "b ", "~~~", "![", "]", "("]), max_size=6)  # fmt: skip


@given(HOSTILE, st.sampled_from(["one", "# one", "- one", "> one", "| one | two |\n|---|---|\n", "- [ ] one", "1. one\n   more"]))
def test_no_translation_changes_the_blocks_or_adds_markup(reply: list[str], source: str) -> None:
    document = Markdown(f"{source}\n\n    code\n".encode(), Path("a.md"))
    made = document.written({0: Filled(" ".join("".join(reply).split()) or "x")}).decode()
    assert shape(made) == shape(f"{source}\n\n    code\n"), made


def test_a_link_outlives_its_words_and_marks_stay_first(tmp_path: Path) -> None:
    text = "- [x] See [the map] and [Map][]\n\n[the  map]: a\n[map]: b\n"
    (tmp_path / "a.md").write_text(text)
    document = open_document(tmp_path / "a.md")
    assert [unit.text for unit in document.units] == ["See {1}the map{2} and {3}Map{4}"]
    made = document.written({0: Filled("{3}Carta{4} y {1}la carta{2}")}).decode()
    assert made == text.replace("See [the map] and [Map][]", "[Carta][Map] y [la carta][the map]")
    assert document.written({0: Filled("- niente")}).decode().startswith("- [x] \\- niente[][the map]")


def test_signs_beside_spans_make_no_link_or_image() -> None:
    document = Markdown(b"word [no] [a](b)\n", Path("a.md"))
    for reply, wanted in (
        ("!{3}a{4} {1}no{2}(http://evil)", "! [a](b) [no] (http://evil)"),
        ("{1}no{2}: http://evil {3}a{4}", "\\[no]: http://evil [a](b)"),
    ):
        assert document.written({0: Filled(reply)}).decode() == f"{wanted}\n"


def test_a_file_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"one\n\xc3\xa8 \xff")
    with pytest.raises(DataError, match="line 2: it is not UTF-8"):
        open_document(tmp_path / "a.md")
