from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from tests.api.door import House
from tests.fakes.desk import FakeDesk, a_desk


@pytest.fixture(scope="session")
def shared_desk() -> FakeDesk:
    return a_desk(bars=230)


@pytest.fixture
def house(shared_desk: FakeDesk) -> House:
    """For looking at: the desk is shared, so ask it nothing that changes it."""
    return House(shared_desk)


@pytest.fixture
def fresh_house() -> House:
    """For doing: the desk is this test's own."""
    return House(a_desk(bars=230))


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What was logged; drawing a traceback with all its values would take half a minute."""
    with capture_logs() as events:
        yield events
