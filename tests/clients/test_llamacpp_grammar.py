"""The grammar check: grammars that work pass, those that crash or exhaust llama.cpp are refused with the line or the rule."""

from __future__ import annotations

import time

import pytest

from reasoner.clients.llamacpp.worker.grammar import check_grammar
from reasoner.errors import BadConfig

GOOD = [
    'root ::= "yes" | "no"',
    '# a comment\nroot ::= item ("," item)*   # another\nitem ::= [a-z0-9]+ | "\\"" [^"\\\\]* "\\""\n',
    'root ::= (\n  "a" |\n  b\n)\n\nb ::= . "b"{2,3} "c"{4} "d"{0,} "e"{ 1 , 2 }\r\n',
    'root ::= "(" root ")" | "x"',
    'root ::= "a" |\n  "b"',
    'root ::= ""',
    'root ::=\n "\\x41" "\\u00e9" [\\U0001F600-\\U0001F64F]',
    "root ::= " + "(" * 100 + '"a"' + ")" * 100,
]

BAD = {
    "": "no rule named root",
    'start ::= "a"': "no rule named root",
    "root ::= (": "never closed",
    'root ::= "a" )': "without its",
    'root ::= "a': "not understood",
    "root ::= [a": "not understood",
    'root ::= "\\q"': "unknown escape",
    'root ::= "\\x4"': "not understood",
    "root ::= nothing": "line 1: the rule 'nothing' is not defined",
    'root ::= "a"\nroot ::= "b"': "line 2: the rule 'root' is defined twice",
    "root ::= root": "left recursion",
    'root ::= "a" | b\nb ::= c "x"\nc ::= "q"? ("" | "z"*) b': "left recursion",
    'root ::= ("a" | x)\nx ::= y\ny ::= z | "b"\nz ::= x "c"': "left recursion",
    'root ::= e root | "x"\ne ::= f\nf ::= "y"{0,3}': "left recursion",
    "root ::= *": "repeats nothing",
    'root ::= "a"{1001}': "over 1000",
    'root ::= "a"{99999999999999999999999}': "over 1000",
    'root ::= "a"{3,2}': "wrong way round",
    'root ::= (("a"{300}){300}){300}': "27000000 symbols",
    'root ::= "a"{300}{300}': "90000 symbols",
    'root "a"': "starts with its name",
    'root ::= "a" ::= "b"': "out of place",
    'root ::= "a"\0': "NUL",
    "root ::= " + "(" * 101 + '"a"' + ")" * 101: "more than 100 deep",
    "root ::= " + "(" * 30_000 + '"a"' + ")" * 30_000: "more than 100 deep",
    "root ::= " + "(" * 60_000 + '"a"' + ")" * 60_000: "larger than 65536",
    "\n".join(f'r{i} ::= "a"' for i in range(1001)): "more than 1000 rules",
}


@pytest.mark.parametrize("grammar", GOOD)
def test_accepts(grammar: str) -> None:
    check_grammar(grammar)


@pytest.mark.parametrize("grammar", BAD, ids=lambda g: g[:30])
def test_refuses(grammar: str) -> None:
    with pytest.raises(BadConfig) as caught:
        check_grammar(grammar)
    assert BAD[grammar] in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_chain_of_a_thousand_rules_is_checked_quickly() -> None:
    chain = "\n".join(f"r{i} ::= r{i + 1}?" for i in range(997)) + '\nr997 ::= "a"\nroot ::= r0 r0'
    started = time.process_time()
    check_grammar(chain)
    assert time.process_time() - started < 5
    with pytest.raises(BadConfig, match="left recursion"):
        check_grammar(chain.replace('"a"', "r500"))
