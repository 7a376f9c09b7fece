"""Files of data as people have them: one way to open, decode and number their rows, and one way to say what is wrong with one.

    read_records(Path("test.csv.gz")) -> Records(kind="csv", rows=(Record(line=2, values={"question": "...", "answer": "18"}), ...), faults=())

`text` turns bytes into text (BOM, UTF-16, Latin-1, gzip), `lines` numbers lines, `records` finds the rows of JSON Lines, JSON, CSV, TSV,
XML and Parquet, `streams` reads large files of JSON Lines a line at a time, `spool` keeps what may be too much for memory. Knows no column by name; what rows mean is for those who read them (questions, translation items, shots, imports).
"""

from reasoner.files.decoding import Decoded, decode, read_bytes, read_text
from reasoner.files.faults import Fault, complaint
from reasoner.files.lines import Line, lines_of, read_lines
from reasoner.files.records import Record, Records, read_records
from reasoner.files.spool import Chosen, Spool, keep, reordered

__all__ = [
    "Chosen",
    "Decoded",
    "Fault",
    "Line",
    "Record",
    "Records",
    "Spool",
    "complaint",
    "decode",
    "keep",
    "lines_of",
    "read_bytes",
    "read_lines",
    "read_records",
    "read_text",
    "reordered",
]
