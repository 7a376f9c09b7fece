"""GBNF for the constraint engine: the same strings as llama.cpp's own parser lets through, and one line for what is no GBNF."""

from __future__ import annotations

import ctypes
import random
from typing import Any

import llama_cpp
import pytest
from vocabulary_player import Player

from reasoner.clients.llamacpp.worker.gbnf import gbnf_to_lark
from reasoner.errors import BadConfig

GOOD = {
    'root ::= "yes" | "no"': (["yes", "no"], ["ye", "yesno", ""]),
    '# a comment\nroot ::= item ("," item)*   # another\nitem ::= [a-z0-9]+ | "\\"" [^"\\\\]* "\\""\n': (['a,"b c",9'], ["a,", '"a']),
    'root ::= (\n  "a" |\n  b\n)\n\nb ::= . "b"{2,3} "c"{4} "d"{0,} "e"{ 1 , 2 }\r\n': (["a", "\nbbcccce", "xbbbccccdddee"], ["xbcccce"]),
    'root ::= "(" root ")" | "x"': (["x", "((x))"], ["((x)", "()"]),
    'root ::= "a" |\n  "b"': (["b"], ["c"]),
    'root ::= "" | "a"': (["", "a"], ["b"]),
    'root ::=\n "\\x41" "\\u00e9" [\\U0001F600-\\U0001F64F]': (["Aé😀", "Aé🙏"], ["Aé", "AéA"]),
    "root ::= " + "(" * 25 + '"a"' + ")" * 25: (["a"], ["b"]),
    # Lexemes that take the longest part would swallow the rest.
    'root ::= item "a"\nitem ::= [a-z]+': (["bca", "aa"], ["a", "bc"]),
    'root ::= "a" "b" "c" | "ab" "d"': (["abc", "abd"], ["ab", "abcd"]),
    'root ::= list\nlist ::= "[" (item ("," item)*)? "]"\nitem ::= [a-z]* "z" | list': (["[]", "[az,[z,bzz]]"], ["[a]", "[z"]),
    'root ::= root "a" | "b"': (["b", "baa"], ["a", ""]),  # left recursion is no fault here
    "root ::= [a\\]-] [^\\n-] [/\\[]": (["]x/", "-y["], ["\\x/", "a\n/"]),
}  # fmt: skip

BAD = {
    "": "no rule named root",
    'start ::= "a"': "no rule named root",
    "root ::= (": "never closed",
    'root ::= "a" )': "without its",
    'root ::= "a': "not understood",
    "root ::= [a": "not understood",
    "root ::= []": "matches nothing",
    "root ::= [z-a]": "wrong way round",
    'root ::= "\\q"': "unknown escape",
    'root ::= "\\x4"': "not understood",
    'root ::= "\\ud800"': "no character U+D800",
    'root ::= "\\UFFFFFFFF"': "no character U+FFFFFFFF",
    "root ::= nothing": "line 1: the rule 'nothing' is not defined",
    'root ::= "a"\nroot ::= "b"': "line 2: the rule 'root' is defined twice",
    "root ::= *": "repeats nothing",
    'root ::= "a"{1001}': "over 1000",
    'root ::= "a"{99999999999999999999999}': "over 1000",
    'root ::= "a"{3,2}': "wrong way round",
    'root ::= (("a"{300}){300}){300}': "27000000 symbols",
    'root ::= "a"{300}{300}': "90000 symbols",
    'root "a"': "starts with its name",
    'root ::= "a" ::= "b"': "out of place",
    'root ::= "a"\0': "NUL",
    "root ::= " + "(" * 26 + '"a"' + ")" * 26: "more than 25 deep",
    "root ::= " + "(" * 60_000 + '"a"' + ")" * 60_000: "more than 25 deep",
    "\n".join(f'r{i} ::= "a"' for i in range(1001)): "more than 1000 rules",
}


@pytest.fixture(scope="module")
def player() -> Player:
    return Player()


@pytest.mark.parametrize("grammar", GOOD, ids=lambda g: g[:30])
def test_lets_through_what_the_grammar_says(player: Player, grammar: str) -> None:
    inside, outside = GOOD[grammar]
    for text in inside:
        assert player.accepts("grammar", grammar, text), text
    for text in outside:
        assert not player.accepts("grammar", grammar, text), text


@pytest.mark.parametrize("grammar", BAD, ids=lambda g: g[:30])
def test_refuses(grammar: str) -> None:
    with pytest.raises(BadConfig) as caught:
        gbnf_to_lark(grammar)
    assert BAD[grammar] in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_chain_of_a_thousand_rules_is_translated() -> None:
    chain = "\n".join(f"r{i} ::= r{i + 1}?" for i in range(997)) + '\nr997 ::= "a"\nroot ::= r0 r0'
    assert gbnf_to_lark(chain).startswith("start: T0\n")
    assert gbnf_to_lark(chain.replace('"a"', "r500")).startswith("start: r0\n")


def llama_cpp_accepts(player: Player, grammar: str, text: str) -> bool:
    """Ask llama.cpp's own grammar sampler, character by character: the oracle."""
    sampler = llama_cpp.llama_sampler_init_grammar(player.vocabulary.handle, grammar.encode(), b"root")
    assert sampler
    (end,) = list(player.ends)[:1]
    try:
        for token in [*(t for character in text for t in player.tokens(character)), end]:
            one = (llama_cpp.llama_token_data * 1)(llama_cpp.llama_token_data(token, 1.0, 0.0))
            array = llama_cpp.llama_token_data_array(data=one, size=1, selected=-1, sorted=False)
            llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
            if one[0].logit == float("-inf"):
                return False
            if token != end:
                llama_cpp.llama_sampler_accept(sampler, token)
        return True
    finally:
        llama_cpp.llama_sampler_free(sampler)


def chance_grammar(rng: random.Random) -> str:
    """Return a small grammar; nothing that may be empty is repeated, which sends llama.cpp's parser into an endless loop."""

    def symbol(names: list[str]) -> str:
        made = rng.choice(
            [
                '"' + "".join(rng.choice("abc") for _ in range(rng.randint(1, 3))) + '"',
                rng.choice(("[ab]", "[^a]", "[a-c]", ".", "[\\x61-\\u0062]")),
            ]
        )
        return made + rng.choice(("", "", "", "*", "+", "?", "{2}", "{1,2}")) if not names or rng.random() < 0.6 else rng.choice(names)

    def alternatives(names: list[str]) -> str:
        return " | ".join(" ".join(symbol(names) for _ in range(rng.randint(1, 3))) for _ in range(rng.randint(1, 3)))

    rules: list[str] = []
    names: list[str] = []
    for number in range(rng.randrange(4)):
        loop = f' | "a" r{number} "b"' if rng.random() < 0.3 else ""
        rules.append(f"r{number} ::= {alternatives(names)}{loop}")
        names.append(f"r{number}")
    return "\n".join([f"root ::= {alternatives(names)}", *rules])


def test_agrees_with_llama_cpp_on_chance_grammars(player: Player) -> None:
    n_accepted = n_too_involved = 0
    for seed in range(60):
        rng = random.Random(seed)
        grammar = chance_grammar(rng)
        for _ in range(15):
            text = "".join(rng.choice("abc") for _ in range(rng.randrange(6)))
            wanted = llama_cpp_accepts(player, grammar, text)
            try:
                found = player.accepts("grammar", grammar, text)
            except BadConfig as error:
                assert "Too many items" in str(error)
                n_too_involved += 1
                break
            n_accepted += wanted
            assert found == wanted, (seed, grammar, text)
    assert n_accepted > 50
    assert n_too_involved < 3  # recursive and ambiguous at every character


def test_the_converter_of_the_library_is_not_enough() -> None:
    """Why there is a translation of our own: the one that comes with llguidance loses strings."""
    from llguidance.gbnf_to_lark import any_to_lark

    converted: Any = any_to_lark('root ::= item "a"\nitem ::= [a-z]+')
    player = Player()
    assert not player.accepts("lark", converted, "bca")
