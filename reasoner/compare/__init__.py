"""Tables over runs: the plain one of `bench`, and the comparison of strategies and models with its statistics.

`rows` sums outcomes; `statistics` holds the formulas; `trials` reads what a run recorded; `standings`, `pairs`, `matched` and `claims`
say what follows from it; `comparison` puts them together; `markdown` and `plot` draw it. None of them runs a strategy.

    tabulate(outcomes) -> [Row(solver="game24", strategy="ats", n=50, correct=31, ...)]

`reasoner.compare` is this package and also the function that makes and runs a comparison, so the package can be called; what it
does then is `reasoner.api.compare`.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from reasoner.compare.rows import Row, tabulate
from reasoner.compare.statistics import holm, mcnemar, paired_difference, pass_at_k, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.compare.comparison import Comparison

# Only what is light to import: the command line reads this module before it knows what it is asked.
__all__ = ["Row", "holm", "mcnemar", "paired_difference", "pass_at_k", "tabulate", "wilson"]


class _Package(ModuleType):
    """A package that is a function too: importing a submodule binds its name in `reasoner`, over a function of that name."""

    def __call__(self, solvers: str | Sequence[str], **arguments: Any) -> Comparison:
        """Run a comparison, see `reasoner.api.compare`."""
        made: Comparison = importlib.import_module("reasoner.api").compare(solvers, **arguments)
        return made


sys.modules[__name__].__class__ = _Package
