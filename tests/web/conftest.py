from collections.abc import AsyncIterator

import httpx
import pytest

from evil2root.engine.access import Role
from tests.browser.serving import a_house
from tests.fakes.desk import FakeDesk, a_desk


@pytest.fixture(scope="session")
def shared_desk() -> FakeDesk:
    """For looking at: ask it nothing that changes it."""
    return a_desk()


@pytest.fixture
async def trader(shared_desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    async with a_house(shared_desk).signed_in(Role.TRADER) as (client, _):
        yield client


@pytest.fixture
async def viewer(shared_desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    async with a_house(shared_desk).signed_in(Role.VIEWER) as (client, _):
        yield client
