"""What a shard is to do, as a file: a head, then one line for each problem. Everything another machine needs to set the run up is in it.

    manifest = read_manifest(place, 3)
    manifest.problems, manifest.plan(), manifest.options()

    {"format": "reasoner-shard 1", "run": "3f0c...", "shard": 3, "of": 8, "plan": {...}, "manifest": {...}, "problems": "9b2...", "n_problems": 125}
    ["<id of the problem>", "game24", "{...}", "4 9 10 13", 1]
    ...

`manifest` is the identity of the whole run: fingerprints of models and prompts, versions, seeds. The head's `problems` is a hash over the ids, so that
a file that was cut off or changed is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reasoner.budget import Limits
from reasoner.canonical import canonical_json, digest_of
from reasoner.errors import BadConfig, CorruptRecord, DataError, MissingAsset, UnknownName
from reasoner.files import keep
from reasoner.runs.options import RunOptions
from reasoner.runs.part import Part
from reasoner.runs.saved_plan import plan_of_json
from reasoner.scale.storage import Shared
from reasoner.store.records import run_id_of
from reasoner.types import Problem, problem_as_values, problem_of_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reasoner.runs.plan import Plan

H = TypeVar("H", bound="Head")

SHARD, RUN = "reasoner-shard 1", "reasoner-sharded-run 1"
"""What the files say they are, with the version of their form."""
RUN_FILE = "run.json"
MAX_SHARDS = 10_000
MAX_HEAD_BYTES = 1 << 26


class How(BaseModel):
    """What of a run's options travels with it: those that a machine's user does not choose anew."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on_unknown: Literal["auto", "retry", "ask", "skip"] = "auto"
    allow_unpriced: bool = False
    retry_poisoned: bool = False
    command: str = ""


class _PlanShape(BaseModel):
    """What of a kept plan is needed before it is opened."""

    strategies: list[tuple[str, str]]
    models: list[str]
    samples: int = Field(ge=1)


class _ManifestShape(BaseModel):
    """What of a run's identity is read here."""

    models: list[tuple[str, str]]
    version: str


class Head(BaseModel):
    """What all shards of a run share."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str
    run: str = Field(pattern=r"^[0-9a-f]{12}$")
    of: int = Field(ge=1, le=MAX_SHARDS)
    plan: dict[str, Any]
    manifest: dict[str, Any]
    how: How
    budget: Limits | None = None
    """What all shards may use together."""
    at_once: int = Field(ge=1)
    """How many shards run at the same time at most: a rate is divided by it."""

    @model_validator(mode="after")
    def _has_its_shape(self) -> Self:
        _PlanShape.model_validate(self.plan)
        _ManifestShape.model_validate(self.manifest)
        return self

    def opened(self, problems: Sequence[Problem]) -> tuple[Plan, RunOptions]:
        """Return the plan over problems of the run, and how it is carried out as a part of it.

        Raises:
            DataError: what it says of the plan is no plan.
            UsageError: this machine does not have a strategy or tool of it.
        """
        try:
            plan, options = plan_of_json(problems, self.plan, manifest={})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"the plan of run {self.run} cannot be read: {error}", hint="cut the run again") from error
        return plan, replace(
            options, on_unknown=self.how.on_unknown, allow_unpriced=self.how.allow_unpriced, retry_poisoned=self.how.retry_poisoned,
            command=self.how.command, part=Part(self.manifest),
        )  # fmt: skip

    @property
    def models(self) -> list[str]:
        """Names of the models, as they are opened."""
        return list(self.plan["models"])

    @property
    def per_problem(self) -> int:
        """How many trajectories there are of each problem."""
        return len(self.plan["strategies"]) * len(self.models) * int(self.plan["samples"])


class ShardedRun(Head):
    """The run as a whole: `run.json`."""

    sizes: list[int]
    """How many problems each shard has."""

    @model_validator(mode="after")
    def _has_all_sizes(self) -> Self:
        if len(self.sizes) != self.of or min(self.sizes) < 1:
            raise ValueError(f"it says the size of {len(self.sizes)} of {self.of} shards")
        return self

    def check(self, manifest: Manifest) -> None:
        """Hold a shard's manifest to be one of this run.

        Raises:
            BadConfig: it is another's, as after two cuts into one folder at a time.
        """
        told, wanted = ({name: getattr(head, name) for name in Head.model_fields if name != "format"} for head in (manifest.head, self))
        if told != wanted or self.sizes[manifest.head.shard : manifest.head.shard + 1] != [manifest.head.n_problems]:
            raise BadConfig(
                f"the manifest of shard {manifest.head.shard} is not of the run {self.run} that was cut into this folder",
                hint="cut the run again, into a folder of its own",
            )


class ShardHead(Head):
    """The first line of a shard's manifest."""

    shard: int = Field(ge=0)
    problems: str
    n_problems: int = Field(ge=1)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A shard's manifest, read: its head and its problems."""

    head: ShardHead
    problems: Sequence[Problem]

    def opened(self) -> tuple[Plan, RunOptions]:
        """Return its plan and its options."""
        return self.head.opened(self.problems)

    @property
    def n_trajectories(self) -> int:
        """How many trajectories it is to make."""
        return len(self.problems) * self.head.per_problem


def manifest_name(shard: int) -> str:
    """Return the name of a shard's manifest in the shared folder."""
    return f"manifests/{shard:05d}.jsonl"


def line_of(problem: Problem) -> str:
    """Write a problem on a line of a manifest."""
    return canonical_json([problem.id, problem.solver, problem.instance, problem.line, problem.level])


def read_run(place: Shared) -> ShardedRun:
    """Read what was cut.

    Raises:
        MissingAsset: the folder is not one of a sharded run.
        DataError: its file cannot be read.
    """
    data = place.read(RUN_FILE)
    if data is None:
        raise MissingAsset(f"{place.place} is not the folder of a sharded run: it holds no {RUN_FILE}", hint="'reasoner shard' makes one")
    return _valid(ShardedRun, data, f"{place.place}/{RUN_FILE}", RUN)


def read_manifest(place: Shared | Path, shard: int | None = None) -> Manifest:
    """Read a shard's manifest from the shared folder, or from a path.

    Raises:
        UnknownName: there is no such shard.
        MissingAsset: there is no such file.
        DataError: it was cut off or changed.
    """
    if isinstance(place, Path):
        found = _read(place, str(place))
        if found is None:
            raise MissingAsset(f"there is no manifest {place}", hint="'reasoner shard' writes them")
        return found
    with place.local(manifest_name(shard or 0)) as path:
        found = None if path is None else _read(path, f"{place.place}/{manifest_name(shard or 0)}")
    if found is None:
        raise UnknownName("shard", str(shard), [str(number) for number in range(read_run(place).of)])
    return found


def _read(path: Path, called: str) -> Manifest | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = _valid(ShardHead, file.readline(MAX_HEAD_BYTES), called, SHARD)
            problems = keep(_problems(file, path), write=problem_as_values, read=problem_of_values)
    except OSError as error:
        raise DataError(f"cannot read {called}: {error.strerror or error}") from error
    if len(problems) != head.n_problems or digest_of(problem.id for problem in problems) != head.problems:
        raise DataError(f"{called} does not hold the problems its head tells of", hint="it was cut off or changed: cut the run again")
    return Manifest(head, problems)


def _problems(lines: Any, path: Path) -> Iterator[Problem]:
    for number, line in enumerate(lines, start=2):
        try:
            _, solver, instance, text, level = json.loads(line)
            yield Problem(str(solver), str(instance), str(text), None if level is None else int(level))
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise CorruptRecord(path, number, "it is no problem of a manifest") from error


def _valid(kind: type[H], data: bytes, called: str, wanted: str) -> H:
    try:
        head = kind.model_validate_json(data)
    except ValidationError as error:
        raise DataError(f"{called} is not what 'reasoner shard' writes: {error.errors()[0]['msg']}", hint="cut the run again") from error
    if head.format != wanted:
        raise DataError(f"{called} has the form {head.format!r}, this version reads {wanted!r}", hint="use the version that wrote it")
    if run_id_of(head.manifest) != head.run:
        raise DataError(f"{called} was changed: what it says of run {head.run} is another run", hint="cut the run again")
    return head


def whole_problems(place: Shared, run: ShardedRun) -> Sequence[Problem]:
    """Return the problems of all shards in the order the plan had them, kept outside memory where they are many.

    Raises:
        DataError: a manifest is missing or changed.
        BadConfig: one is of another run.
    """
    parts = []
    for shard in range(run.of):
        manifest = read_manifest(place, shard)
        run.check(manifest)
        parts.append(manifest.problems)

    def dealt() -> Iterator[Problem]:
        lines = [iter(part) for part in parts]
        for number in range(sum(run.sizes)):
            yield next(lines[number % run.of])

    return keep(dealt(), write=problem_as_values, read=problem_of_values)
