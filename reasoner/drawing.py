"""What a puzzle shows of an answer beside its text, and who speaks in a strategy's dialogue, as plain values; a page makes a picture of them.

    Chain("The path to 20", (Stop("9"), Stop("10", by="+ 1"), Stop("20", by="× 2", marked=True)))

Holds numbers and short texts, no markup, no colours, no sizes. Texts may come from a model; whoever shows them escapes and bounds them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vessel:
    """A container of a size and what it holds; `marked` where it holds what is wanted."""

    holds: int
    size: int
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Vessels:
    """Containers, state after state."""

    title: str
    states: tuple[tuple[Vessel, ...], ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """One place of a chain and the step that led to it (`× 2`)."""

    text: str
    by: str = ""
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """Places one after the other, with the steps between them."""

    title: str
    stops: tuple[Stop, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a grid; `right` says whether its text belongs there."""

    text: str
    right: bool = True


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of cells, and notes to be read beside them, each a name and a text (`("row 1", "a kind of fruit")`)."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Named columns and rows of cells: the result of a query, tests, who does what when. A cell that is not right is shown as wrong."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[tuple[str, str], ...] = ()


Drawing = Vessels | Chain | Grid | Table


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks in a dialogue; `leads` tells the one that asks from those that answer."""

    who: str
    leads: bool = False
