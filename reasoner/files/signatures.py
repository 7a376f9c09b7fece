"""How files of the kinds begin that hold what a run, a training or an index has cost."""

from __future__ import annotations

DATABASE = b"SQLite format 3\x00"
MODEL = b"GGUF"
"""A model or an adapter."""
CORPUS = b"reasoner-corpus\n"
