"""Logs of other tools, read into a store: one file a kind, each found by what its rows hold.

    read_path(store, Path("logs/")) -> Imported(rows=118, taken=117, skipped={"there is no reply of an assistant to anything": 1})

An importer is a class with `name`, `summary`, `finds` and `read` (see `Importer`); the file's name with hyphens is its name. What it gives
are transcripts, or records that hold a judgement (preferences, labels, steps). Nothing a file says of right and wrong is believed: answers
are verified where the solver is known, and stand without a verdict otherwise.
"""

from reasoner.datasets.imports._intake import Imported, read_path
from reasoner.datasets.imports._seam import Context, Importer, NoRequest, Transcript, Unusable

__all__ = ["Context", "Imported", "Importer", "NoRequest", "Transcript", "Unusable", "read_path"]
