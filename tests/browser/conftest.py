import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page, async_playwright

from evil2root.engine.access import Role
from tests.api.door import PASSWORD, House
from tests.browser.serving import a_house, served
from tests.fakes.desk import FakeDesk, a_desk

LAUNCH = ("--no-sandbox", "--disable-background-networking")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The app as a browser reaches it."""

    base: str
    house: House
    desk: FakeDesk


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """One a test: the blocking interface would leave its loop running under the other async tests."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(LAUNCH))
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """For looking at; the desk is shared."""
    yield from _site()


@pytest.fixture
def own_site() -> Iterator[Site]:
    """For doing; the desk is this test's own."""
    yield from _site()


def _site() -> Iterator[Site]:
    desk = a_desk()
    house = a_house(desk)
    with served(house.app) as base:
        for role in Role:
            added = house.access.add_user(role.value, role=role, password=PASSWORD, by="t", origin="t")
            asyncio.run_coroutine_threadsafe(added, house.app.state.loop).result(timeout=5)
        yield Site(base=base, house=house, desk=desk)


async def sign_in(page: Page, site: Site, role: Role = Role.TRADER) -> None:
    await page.goto(f"{site.base}/login")
    await page.fill("[name=name]", role.value)
    await page.fill("[name=password]", PASSWORD)
    await page.click("button.primary")
    await page.wait_for_url(f"{site.base}/")
