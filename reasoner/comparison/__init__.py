"""Tables over runs: the plain one of `bench`, and the comparison of strategies and models with its statistics.

`rows` sums outcomes; `statistics` holds the formulas; `trials` reads what a run recorded; `standings`, `paired_tests`, `equal_tokens` and `ats_claim`
say what follows from it; `comparison` puts them together; `markdown` and `plot` draw it. None of them runs a strategy.

    tabulate(outcomes) -> [Row(solver="game24", strategy="ats", n=50, correct=31, ...)]
"""

from __future__ import annotations

from reasoner.comparison.rows import Row, tabulate
from reasoner.comparison.statistics import holm, mcnemar, paired_difference, pass_at_k, wilson

# Only what is light to import: the command line reads this module before it knows what it is asked.
__all__ = ["Row", "holm", "mcnemar", "paired_difference", "pass_at_k", "tabulate", "wilson"]
