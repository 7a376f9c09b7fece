"""Constraints over a real vocabulary, without a model: what masks let through, what they keep out, and what is refused with its path.

`REASONER_SCHEMAS=500` is the full measure; `scripts/bench constraint` takes it too.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import jsonschema
import pytest
from schemas import cases
from vocabulary_player import Player, has

from reasoner.errors import BadConfig

N_SCHEMAS = int(os.environ.get("REASONER_SCHEMAS", "120"))
N_WALKS = 2


@pytest.fixture(scope="module")
def player() -> Player:
    return Player()


def validator(schema: dict[str, Any]) -> Any:
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def test_the_corpus_is_what_it_says() -> None:
    for case in cases(N_SCHEMAS):
        if case.served:
            check = validator(case.schema)
            for value in case.instances:
                check.validate(value)
        assert json.loads(json.dumps(case.schema)) == case.schema


@pytest.mark.slow
def test_what_is_written_validates_and_every_instance_may_be_written(player: Player) -> None:
    unfinished = n_walks = 0
    for case in cases(N_SCHEMAS):
        if not case.served:
            continue
        text = json.dumps(case.schema)
        for instance in case.texts():
            assert player.accepts("json_schema", text, instance), (case.number, text, instance)
        check = validator(case.schema)
        for walk in range(N_WALKS):
            written = player.walk("json_schema", text, random.Random(f"walk {case.number} {walk}"))
            n_walks += 1
            if written is None:
                unfinished += 1
                continue
            check.validate(json.loads(written))
    print(f"{n_walks} walks, {unfinished} unfinished")  # noqa: T201 - the measure
    assert unfinished < n_walks // 10


def test_the_rest_is_refused_with_its_path(player: Player) -> None:
    refused = [case for case in cases(N_SCHEMAS) if not case.served]
    assert len(refused) > N_SCHEMAS // 15
    for case in refused:
        with pytest.raises(BadConfig, match=r"cannot be kept as a constraint at #/properties/bad") as caught:
            player.masks.matcher("json_schema", json.dumps(case.schema))
        assert "\n" not in str(caught.value)


LITERALS = ('say "hi"', "C:\\temp", "two\nlines\r\n", "\ttab", "😀 漢字", "<|im_end|>", "</s>", "\x01\x1f", "\x7f", "", "a/b", "\u2028")


@pytest.mark.parametrize("literal", LITERALS)
def test_a_literal_is_exactly_its_value(player: Player, literal: str) -> None:
    schema: dict[str, Any]
    for schema in ({"const": literal}, {"enum": [literal]}, {"$ref": "#/$defs/a", "default": "b", "$defs": {"a": {"const": literal}}}):
        written = player.walk("json_schema", json.dumps(schema), random.Random(1))
        assert written is not None
        assert json.loads(written) == literal


def test_a_name_cannot_be_written_in_another_way(player: Player) -> None:
    """`{"\\u0061": 2}` holds the name `a`, whose value must be a text."""
    schema = json.dumps({"type": "object", "properties": {"a": {"type": "string"}}})
    assert player.accepts("json_schema", schema, '{"a": "x", "b": 2}')
    assert not player.accepts("json_schema", schema, '{"\\u0061": 2}')
    assert not player.accepts("json_schema", schema, '{"a": "x", "a": 2}')
    with pytest.raises(BadConfig, match="control character"):
        player.masks.matcher("json_schema", json.dumps({"properties": {"a": {"const": "\x01"}}}))


def test_properties_keep_the_order_of_the_schema(player: Player) -> None:
    schema = json.dumps({"type": "object", "properties": {"z": {"type": "integer"}, "a": {"type": "integer"}}, "required": ["z", "a"]})
    assert player.accepts("json_schema", schema, '{"z": 1, "a": 2}')
    assert not player.accepts("json_schema", schema, '{"a": 2, "z": 1}')


DATES = {"2024-02-29": True, "2023-02-29": False, "2000-02-29": True, "1900-02-29": False, "2023-04-31": False, "0000-01-01": False}


@pytest.mark.parametrize("date", DATES)
def test_a_date_is_one_of_the_calendar(player: Player, date: str) -> None:
    assert player.accepts("json_schema", '{"format": "date", "type": "string"}', f'"{date}"') == DATES[date]
    stamp = {"format": "date-time", "type": "string", "pattern": "^[12]"}
    assert player.accepts("json_schema", json.dumps(stamp), f'"{date}T23:59:59Z"') == DATES[date]


def test_a_multiple_is_read_in_every_length(player: Player) -> None:
    schema = '{"type": "number", "multipleOf": 0.25, "minimum": 0}'
    for number in ("8", "8.0", "8.5", "8.50", "8.25", "0.75"):
        assert player.accepts("json_schema", schema, number), number
    for number in ("8.1", "8.30", "-0.25"):
        assert not player.accepts("json_schema", schema, number), number


def test_what_binds_nothing_is_left_out(player: Player) -> None:
    idle = {
        "uniqueItems": False,
        "not": False,
        "then": {"minLength": 3},
        "minContains": 2,
        "propertyNames": {},
        "x-guidance": {"lenient": True},
    }
    assert player.accepts(
        "json_schema", json.dumps({"type": "array", "items": [{"type": "integer"}], "additionalItems": False, **idle}), "[1]"
    )
    assert not player.accepts(
        "json_schema", json.dumps({"type": "array", "items": [{"type": "integer"}], "additionalItems": False}), "[1, 2]"
    )


def test_a_stuck_model_cannot_write_blanks_for_ever(player: Player) -> None:
    assert player.accepts("json_schema", '{"type": "array"}', "[" + " " * 60 + "]")
    assert not player.accepts("json_schema", '{"type": "array"}', "[" + " " * 70 + "]")


def test_masks_of_several_answers_are_computed_together_and_alike(player: Player) -> None:
    schema = json.dumps({"type": "array", "items": {"enum": ["one", "two"]}})
    together = [player.masks.matcher("json_schema", schema) for _ in range(5)]
    alone = player.masks.matcher("json_schema", schema)
    for text in ("[", '"', "one"):
        (token,) = player.tokens(text)
        for matcher in (*together, alone):
            assert has(matcher.allowed(), token)
            matcher.take(token)
    first, *others = [matcher.allowed().tolist() for matcher in together]
    assert all(allowed == first for allowed in others)
    assert alone.allowed().tolist() == first
    together[0].close()


@pytest.mark.parametrize(("kind", "value"), [("lark", 'start: "a" start'), ("regex", "a{1000000}"), ("grammar", 'root ::= "a" root')])
def test_what_leaves_no_choice_is_not_followed_to_its_end(player: Player, kind: str, value: str) -> None:
    """llguidance would write down a run without a choice in memory first, which here has no end, or a far one."""
    assert player.masks.matcher(kind, value).forced() == []


def test_a_schemas_runs_are_forced_where_they_are_short(player: Player) -> None:
    assert len(player.masks.matcher("json_schema", '{"const": "one two three four"}').forced()) >= 4
    assert player.masks.matcher("json_schema", '{"type": "string", "pattern": "^(ab{200}){200}$"}').forced() == []


@pytest.mark.parametrize(
    "schema", ['{"$ref": "#"}', '{"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}']
)
def test_what_nothing_fits_is_refused_before_the_first_token(player: Player, schema: str) -> None:
    with pytest.raises(BadConfig, match="at #: nothing fits it"):
        player.masks.matcher("json_schema", schema)
