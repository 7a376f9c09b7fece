r"""Reading and judging: two steps, apart. A reader finds the answer in a text; a grader compares an answer with one or several golds.

    found = read("auto", "So 9 * 2 = 18.\nAnswer: $18")       ->  Found(text="$18", by="answer_line")
    grader("number").judge(found.text, ["18 dollars"])          ->  Verdict(correct=True, ...)

In the map of the program this is one room below the solvers: solvers import it, and it imports nothing but values (`types`, `errors`,
`text`). `readers.py` holds all readers, `graders/` one file a grader, `quantity.py` and `units.py` what a number with a unit is, `notation.py` how formulas are written, `worker/` the process in
which equations are solved and foreign patterns run, with a limit of time. Nothing here knows a solver, a model or a database; the one
verdict that needs calls, a judge's, is made in `reasoner.session.judging`.
"""

from reasoner.grading.graders import Grader, grader, grader_names
from reasoner.grading.readers import Found, check_reader, read, reader_names
from reasoner.grading.suited import suited

__all__ = ["Found", "Grader", "check_reader", "grader", "grader_names", "read", "reader_names", "suited"]
