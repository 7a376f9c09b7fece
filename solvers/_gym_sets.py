"""Which data sets of reasoning-gym can be judged, and how: a list made by reading version 0.1.25.

A data set that is not named here is refused: its scorer may evaluate the answer, and its answer may not be the only right one.
"""

from __future__ import annotations

from typing import Literal

Judge = Literal["exact", "ours"]

PLAIN = frozenset(
    [
        "acre",
        "aiw",
        "arc_1d",
        "base_conversion",
        "basic_arithmetic",
        "bf",
        "binary_alternation",
        "caesar_cipher",
        "count_bits",
        "count_primes",
        "course_schedule",
        "gcd",
        "isomorphic_strings",
        "largest_island",
        "lcm",
        "leg_counting",
        "letter_counting",
        "list_functions",
        "mahjong_puzzle",
        "maze",
        "modulo_grid",
        "number_filtering",
        "number_sequence",
        "ransom_note",
        "rotate_matrix",
        "rotten_oranges",
        "simple_equations",
        "simple_geometry",
        "string_manipulation",
        "string_splitting",
        "string_synthesis",
        "syllogism",
        "word_sequence_reversal",
    ]
)
"""Those that use the package's plain comparison with their one answer."""

UNIQUE = frozenset(
    [
        "ab",
        "arc_agi",
        "binary_matrix",
        "bitwise_arithmetic",
        "chain_sum",
        "circuit_logic",
        "color_cube_rotation",
        "decimal_chain_sum",
        "emoji_mystery",
        "family_relationships",
        "game_of_life",
        "game_of_life_halting",
        "gsm_symbolic",
        "letter_jumble",
        "manipulate_matrix",
        "mini_sudoku",
        "needle_haystack",
        "number_format",
        "number_sorting",
        "path_star",
        "products",
        "rearc",
        "self_reference",
        "spell_backward",
        "spiral_matrix",
        "string_insertion",
        "sudoku",
        "word_sorting",
        "zebra_puzzles",
    ]
)
"""Those with a scorer of their own, whose answer is nevertheless the only right one; they are compared with it and not scored by it."""

OURS = frozenset({"puzzle24", "countdown"})
"""Those with many right answers, checked by our own expression verifier."""

EVALUATING = frozenset(["codeio", "intermediate_integration", "n_queens", "polynomial_multiplication", "simple_integration"])
"""Those whose scorer hands text to an evaluator, and which have more than one right answer."""

KNOWN = tuple(sorted(PLAIN | UNIQUE | OURS))


def judge(name: str) -> Judge:
    """Return how a data set is judged.

    Raises:
        ValueError: it is not judged here; the message says why.
    """
    if name in OURS:
        return "ours"
    if name in PLAIN or name in UNIQUE:
        return "exact"
    if name in EVALUATING:
        raise ValueError("its scorer evaluates the answer as code, and its answer is not the only right one")
    raise ValueError("no data set with one right answer is known by this name, and no other can be judged without its own scorer")
