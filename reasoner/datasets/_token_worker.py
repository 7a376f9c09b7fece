"""The process behind `tokens`: one line of JSON texts in, one line with their number of tokens out; the control tokens come first."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what native code prints must not get between the answers
    import llama_cpp  # noqa: PLC0415

    llm: Any = llama_cpp.Llama(sys.argv[1], vocab_only=True, verbose=False)
    vocab = llama_cpp.llama_model_get_vocab(llm.model)
    marked = (token for token in range(llm.n_vocab()) if llama_cpp.llama_vocab_get_attr(vocab, token) & llama_cpp.LLAMA_TOKEN_ATTR_CONTROL)
    control = [llama_cpp.llama_vocab_get_text(vocab, token).decode("utf-8", "replace") for token in marked]
    answers.write(json.dumps({"control": sorted(control)}) + "\n")
    for line in sys.stdin:
        texts = [text.encode("utf-8", "replace") for text in json.loads(line)]
        count = sum(len(llm.tokenize(text, add_bos=False, special=False)) for text in texts if text)
        answers.write(json.dumps({"tokens": count}) + "\n")


if __name__ == "__main__":
    main()
