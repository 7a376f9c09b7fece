"""Files of data as people have them: one way to open, decode and number their rows, and one way to say what is wrong with one.

    read_records(Path("test.csv.gz")) -> Records(kind="csv", rows=(Record(line=2, values={"question": "...", "answer": "18"}), ...), faults=())

`text` turns bytes into text (BOM, UTF-16, Latin-1, gzip), `lines` numbers lines, `records` finds the rows of JSON Lines, JSON, CSV, TSV,
XML and Parquet. Knows no column by name; what rows mean is for those who read them (questions, translation items, shots, imports).
"""

from reasoner.files.decoding import Decoded, decode, read_bytes, read_text
from reasoner.files.faults import Fault, complaint
from reasoner.files.lines import Line, lines_of, read_lines
from reasoner.files.records import Record, Records, read_records

__all__ = [
    "Decoded",
    "Fault",
    "Line",
    "Record",
    "Records",
    "complaint",
    "decode",
    "lines_of",
    "read_bytes",
    "read_lines",
    "read_records",
    "read_text",
]
