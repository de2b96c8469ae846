"""Whatever the OpenAPI allows or forbids may be sent: the app answers as it says it will, and never with a 500."""

import asyncio
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from evil2root.engine.access import Role
from tests.api.door import BASE, House
from tests.fakes.desk import a_desk

EXAMPLES = 30
"""Of each operation, allowed and forbidden ones together. By hand, EXAMPLES=500 finds what is rarer."""
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

HOUSE = House(a_desk(bars=60))
OPENAPI = schemathesis.openapi.from_dict(HOUSE.app.openapi())
Operation = schemathesis.APIOperation[Any, Any, Any, Any]
OPERATIONS = [found.ok() for found in OPENAPI.get_all_operations() if isinstance(found, Ok)]


async def _key() -> str:
    name = f"fuzz-{len(await HOUSE.access.keys())}"
    made = await HOUSE.access.add_key(name, role=Role.ADMIN, scopes=(), expires_at=None, by="t", origin="t")
    return made.raw


async def _send(case: Case[Any], key: str) -> httpx.Response:
    sent = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
    headers = [(n, str(v)) for n, v in sent.headers.items() if n.lower() not in {"authorization", "host", "cookie"}]
    async with HOUSE.client() as client:
        return await client.request(
            str(sent.method),
            str(sent.url),
            headers=[*headers, ("Authorization", f"Bearer {key}")],
            content=sent.body if isinstance(sent.body, bytes) else (str(sent.body or "")).encode(),
        )


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method.upper()} {o.path}")
def test_answers_as_its_description_says(operation: Operation) -> None:
    key = asyncio.run(_key())
    cases = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=cases)
    def answers(case: Case[Any]) -> None:
        answer = asyncio.run(_send(case, key))
        case.validate_response(answer, checks=CHECKS)

    answers()
