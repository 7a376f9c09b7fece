"""A part of a run's problems, carried out apart from the rest and in a store of its own, under the identity of the whole run.

    RunOptions(part=Part(manifest))     the run has the id that the whole run has, and so have its trajectories and calls

So what several such runs record can be put together, and is what one run of all the problems would have recorded (`reasoner.scale`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reasoner.errors import BadConfig
from reasoner.store.records import differences

_OWN = ("problems", "n_problems")
"""What of a manifest is another for every part."""


@dataclass(frozen=True, slots=True)
class Part:
    """The manifest of the whole run."""

    manifest: Mapping[str, Any]

    def whole(self, own: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the whole run's manifest, once the one of this part was found to say the same of models, prompts, solvers and versions.

        Raises:
            BadConfig: a model, a prompt or a version is not here what it was where the run was cut.
        """
        told = {name: value for name, value in own.items() if name not in _OWN}
        expected = {name: _restricted(value, told.get(name)) for name, value in self.manifest.items() if name not in _OWN}
        changed = differences({name: value for name, value in expected.items() if value is not None}, told)
        if changed:
            raise BadConfig(
                f"here the run would not be the one that was cut: {'; '.join(changed)}",
                hint="use the same reasoner, prompts, files and models on every machine",
            )
        return self.manifest


def _restricted(whole: Any, own: Any) -> Any:
    """Return what of a value of the whole run concerns a part: a part has fewer families, and so fewer prompts and files."""
    if isinstance(whole, dict) and isinstance(own, dict | None):
        return {name: value for name, value in whole.items() if name in (own or {})} or None
    if isinstance(whole, list) and isinstance(own, list | None) and (own is None or len(own) < len(whole)):
        return [one for one in whole if one in (own or [])] or None
    return whole
