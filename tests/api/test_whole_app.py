"""The API and the pages together: no route of either can be forgotten."""

import re

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

from evil2root.api.app import create_app
from evil2root.api.guard import PUBLIC, SAFE_METHODS
from evil2root.engine.access import Role
from evil2root.web.app import install
from tests.api.door import BASE, House, idempotent
from tests.fakes.desk import FakeDesk, a_desk

FOR_VIEWERS_TOO = {"/login", "/logout", "/decisions/{decision_id}/recompute", "/api/v1/decisions/{decision_id}/replay"}
"""What changes nothing but the caller's own session may be posted by anybody who is let in."""


@pytest.fixture(scope="module")
def desk() -> FakeDesk:
    return a_desk(bars=1)


@pytest.fixture(scope="module")
def house(desk: FakeDesk) -> House:
    app = create_app(version="0.1.0")
    install(app)
    return House(desk, app=app)


def operations(app: FastAPI) -> list[tuple[str, str]]:
    """Every (method, path) anything is at, included routers and mounts too."""
    found: list[tuple[str, str]] = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, Mount):
            found.append(("GET", f"{route.path}/anything"))
        else:
            found += [(method, str(context.path)) for method in sorted(context.methods or {"GET"})]
    return found


def filled(path: str) -> httpx.URL:
    return httpx.URL(BASE).copy_with(raw_path=re.sub(r"\{[^}]*\}", "AAPL", path).encode())


async def test_every_route_but_the_public_ones_needs_somebody(house: House) -> None:
    found = operations(house.app)
    assert {("GET", "/"), ("GET", "/events"), ("GET", "/api/v1/status"), ("POST", "/login")} <= set(found)

    async with house.client() as client:
        for method, path in found:
            answer = await client.request(method, filled(path))
            if path in PUBLIC or path.startswith("/static/"):
                assert answer.status_code != 303, path
                assert path == "/login" or answer.status_code != 401, path
            elif path.startswith(("/api", "/events", "/metrics")):
                assert answer.status_code == 401, (method, path)
            else:
                assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), (method, path)


async def test_every_form_needs_its_token(house: House) -> None:
    async with house.signed_in() as (client, _):
        for method, path in operations(house.app):
            if method not in SAFE_METHODS:
                answer = await client.request(
                    method, filled(path), data={"csrf_token": "0" * 64}, headers=idempotent("k")
                )
                assert answer.status_code == 403, (method, path)


async def test_no_viewer_changes_anything(house: House) -> None:
    before = list(house.desk.asked)
    async with house.signed_in(Role.VIEWER) as (client, token):
        for method, path in operations(house.app):
            if method not in SAFE_METHODS and path not in FOR_VIEWERS_TOO:
                headers = idempotent("k") | {"X-CSRF-Token": token}
                answer = await client.request(method, filled(path), headers=headers)
                assert answer.status_code == 403, (method, path)
    assert house.desk.asked == before
