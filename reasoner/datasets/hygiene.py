"""What every record goes through before it is written: scans, duplicates, contamination, length. One pass, little memory.

hygiene = Hygiene(Options(), tally)
hygiene.passes(record) -> True          (or False, and counted with its reason)
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from reasoner.datasets import thinking
from reasoner.datasets.contamination import Evaluation
from reasoner.datasets.duplicates import NearDuplicates, Seen
from reasoner.datasets.line_scan import LineScan
from reasoner.datasets.records import Conversation, Document, Group, Label, Pair, Prompt, Record, Steps, map_texts, prompt_texts, texts
from reasoner.datasets.scan import ControlTokens, findings, redacted
from reasoner.datasets.tokens import Tokenizer

if TYPE_CHECKING:
    from reasoner.datasets.options import Options
    from reasoner.datasets.select import Tally

NAMES: dict[type[Record], str] = {
    Conversation: "conversation", Pair: "pair", Label: "reply with the same label", Steps: "chain of steps", Prompt: "prompt",
    Document: "trajectory", Group: "group",
}  # fmt: skip
DUPLICATE = "the same {} was taken already"
NEAR = "nearly the same text was taken already"
SENSITIVE = "it holds what looks like a secret or personal data"
CONTROL = "it holds a control token of a tokenizer"
CONTAMINATED = "it holds a question of the evaluation files, or shares a run of words with them"


class Hygiene:
    """The state of one pass: what was seen, what was counted."""

    def __init__(self, options: Options, tally: Tally, *, fields: bool = False) -> None:
        self._options = options
        self._fields = fields
        """Whether messages may have a field for their thought."""
        self._tally = tally
        self._seen = Seen()
        self._near = NearDuplicates(options.near_duplicates) if options.near_duplicates is not None else None
        self._evaluation = Evaluation.read(options.contamination, n=options.ngram) if options.contamination else None
        if self._evaluation is not None:
            tally.compared = self._evaluation.report()
        self._stack = ExitStack()
        self._tokenizer = self._stack.enter_context(Tokenizer(options.tokenizer)) if options.tokenizer else None
        self._length = 0
        """Characters of the record that passed last, as it was before it was divided."""
        self._control = ControlTokens(self._tokenizer.control if self._tokenizer else ())
        self._scan = LineScan(self._control)

    def passes(self, record: Record) -> bool:
        """Tell whether a record may be written; it may be changed on the way (redacted, escaped, divided)."""
        prompts, written = prompt_texts(record), texts(record)
        whole = "\x1f".join((*prompts, "\x1e", *written))
        self._length = len(whole) - 1 - len(prompts) - len(written)
        data = whole.encode("utf-8", "surrogatepass")
        if not self._is_clean(record, data):
            return False
        if not self._seen.add(b"%b\x1e%b" % (data, _more(record))):
            self._tally.leave_out(DUPLICATE.format(NAMES.get(type(record), "row")))
            return False
        if self._evaluation is not None and any(self._evaluation.touches(text) for text in (*prompts, *written) if text):
            self._tally.leave_out(CONTAMINATED)
            return False
        if self._near is not None and written and not self._near.add("\n".join(written)):
            self._tally.leave_out(NEAR)
            return False
        try:
            thinking.apply(record, self._options.thinking, fields=self._fields)
        except thinking.Nested:
            self._tally.leave_out(thinking.NESTED)
            return False
        return True

    def measure(self, record: Record) -> None:
        """Count the length of a record that was taken."""
        if self._tokenizer is not None:
            self._tally.measure("tokens", self._tokenizer.count(*(text for text in (*prompt_texts(record), *texts(record)) if text)))
        else:
            self._tally.measure("characters", self._length)

    def _is_clean(self, record: Record, data: bytes) -> bool:
        """Scan the texts of a record, joined as UTF-8, and do with what is found as the options say."""
        found, tokens = self._scan.look(data)
        if not found and not tokens:
            return True
        self._tally.findings.update(finding.kind for finding in found)
        if tokens:
            self._tally.findings["control token"] += len(tokens)
        if found and self._options.secrets == "drop":
            self._tally.leave_out(SENSITIVE)
            return False
        if tokens and self._options.special_tokens == "drop":
            self._tally.leave_out(CONTROL)
            return False
        if found and self._options.secrets == "redact":
            map_texts(record, lambda text: redacted(text, findings(text)))
        if tokens and self._options.special_tokens == "escape":
            map_texts(record, self._control.escaped)
        return True

    def close(self) -> None:
        """Release the tokenizer."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _more(record: Record) -> bytes:
    """Return what, besides its texts, makes a record another one."""
    match record:
        case Conversation():
            return b""
        case Label():
            return str(record.label).encode()
        case Steps():
            return str(record.labels).encode()
        case Group():
            return str(record.rewards).encode()
        case Document():
            return ",".join(record.origin.strategies).encode()  # what one does besides its calls is not in every format
        case _:
            return b""
