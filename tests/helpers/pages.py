"""The examples on a page of Markdown: its blocks of code, what stands before them, and the commands with what they print.

for block in blocks(text):
    block.kind, block.run                     "console", True
    conversations(block.code)                 [("reasoner tree", ["★ 1.1.1 11"])]
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLOCK = re.compile(r"(?m)^(?P<before>[^\n]*)\n+```(?P<kind>[a-z]*)\n(?P<code>.*?)^```$", re.DOTALL)
_CONVERSATION = re.compile(r"(?m)^\$ (.*(?:\\\n.*)*)\n((?:(?!\$ ).*\n)*)")


@dataclass(frozen=True)
class Block:
    """A block of code, and the line before it."""

    kind: str
    code: str
    before: str = ""

    @property
    def run(self) -> bool:
        """Whether a test can run it: one that needs a model or the network says so before it."""
        return not self.before.startswith("<!-- not run")

    def lines(self) -> list[str]:
        """Return its lines, those that go on at the next one as one."""
        return [line for line in re.sub(r"\\\n\s*", " ", self.code).splitlines() if line.strip()]


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page in order; the whole text of a file (its path stands before it) is no example."""
    found = [Block(m["kind"], m["code"], m["before"].strip()) for m in _BLOCK.finditer(text)]
    return [block for block in found if not re.fullmatch(r"`[\w./-]+`", block.before)]


def conversations(code: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a console, each with the lines below it that it prints."""
    return [(command, [line.strip() for line in said.splitlines() if line.strip()]) for command, said in _CONVERSATION.findall(code)]


def says(printed: str, line: str) -> bool:
    """Tell whether a line of a page stands in what was printed: `…` stands for anything, white space for any."""
    pattern = r"\s*".join(".*".join(re.escape(part) for part in word.split("…")) for word in line.split())
    return re.search(pattern, printed) is not None
