"""Schemathesis on the description the server gives: no 5xx and no answer that is not described. REASONER_SCHEMA_CASES sets how many cases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from loopback import TOKEN, Loopback
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS

from reasoner.clients.scripted import ScriptedClient
from reasoner.serve.app import application
from reasoner.serve.description import describe
from reasoner.serve.settings import Settings
from reasoner.store import Store

N_CASES = int(os.environ.get("REASONER_SCHEMA_CASES", "200"))
MODELS = ("scripted", "cot/scripted", "ats/scripted")
NAMES = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
OPERATIONS = [(path, method.upper()) for path, methods in describe()["paths"].items() for method in methods]
seen: dict[int, int] = {}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Store.open(tmp_path_factory.mktemp("schema") / "s.db") as store:
        client = ScriptedClient(lambda _: "1: a -> b (x)\nAnswer: 42", name="scripted")
        with Loopback(application(store, Settings(TOKEN), clients=[client])) as server:
            yield server.url


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=[path for path, _ in OPERATIONS])
def test_no_case_breaks_the_description(base: str, path: str, method: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(describe())
    schema.config.update(base_url=base)
    # Schemathesis knows the ways to refuse but for the one of a body that is too large.
    schema.config.checks.negative_data_rejection.expected_statuses = [
        "400",
        "401",
        "403",
        "404",
        "405",
        "406",
        "409",
        "413",
        "415",
        "422",
        "428",
        "429",
    ]
    operation = schema[path][method]
    checks = CHECKS.get_by_names([*NAMES, *(["negative_data_rejection"] if mode is GenerationMode.NEGATIVE else [])])
    counted = {"n": 0}

    @settings(
        max_examples=max(1, N_CASES // (2 * len(OPERATIONS))), deadline=None, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @_given(operation, mode)  # type: ignore[untyped-decorator]  # hypothesis takes the strategy at run time
    def run(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and isinstance(case.body, dict) and counted["n"] % 2 == 0:
            case.body = {**case.body, "model": MODELS[counted["n"] // 2 % len(MODELS)]}
        counted["n"] += 1
        response = case.call(headers={"Authorization": f"Bearer {TOKEN}"})
        seen[response.status_code] = seen.get(response.status_code, 0) + 1
        case.validate_response(response, checks=checks)

    run()
    assert counted["n"] >= min(20, N_CASES // (2 * len(OPERATIONS)))


def _given(operation: Any, mode: GenerationMode) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy(generation_mode=mode))


def test_the_cases_reached_answers_and_refusals() -> None:
    print(sorted(seen.items()))  # noqa: T201 - with -s: how many cases ended with which status
    assert seen.get(200, 0) > 10, seen
    assert seen.get(404, 0) + seen.get(400, 0) > 10, seen
