from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs
from structlog.typing import EventDict

from evil2root.api.app import create_app
from tests.api.door import House
from tests.fakes.desk import FakeDesk, a_desk


@pytest.fixture(scope="session")
def shared_desk() -> FakeDesk:
    return a_desk(bars=230)


@pytest.fixture(scope="session")
def shared_app() -> FastAPI:
    return create_app(version="0.1.0")


@pytest.fixture
def house(shared_desk: FakeDesk, shared_app: FastAPI) -> House:
    """For looking at: desk and app are shared, so ask for nothing that changes them."""
    return House(shared_desk, app=shared_app)


@pytest.fixture
def fresh_house(shared_app: FastAPI) -> House:
    """For doing: the desk is this test's own."""
    return House(a_desk(bars=230), app=shared_app)


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What was logged; drawing a traceback with all its values would take half a minute."""
    with capture_logs() as events:
        yield events
