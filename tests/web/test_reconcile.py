"""The page on which a person settles what differs from the broker's books."""

import re
from dataclasses import replace

import pytest

from evil2root.engine.access import Role
from evil2root.engine.desk import Phase
from tests.api.door import House
from tests.api.test_reconcile import FOUND
from tests.browser.serving import a_house
from tests.fakes.desk import NASTY, FakeDesk, a_desk
from tests.fakes.reconciling import NOTHING

FORMS: tuple[tuple[str, dict[str, str], tuple[str, str]], ...] = (
    ("/reconcile", {"what": "AAPL", "how": "ignore"}, ("ignore", "AAPL")),
    ("/symbols/IBM/thaw", {}, ("thaw", "IBM")),
    ("/orders/o-1/confirm", {"placed": "no"}, ("not placed", "o-1")),
)


@pytest.fixture
def desk() -> FakeDesk:
    made = a_desk(bars=40)
    made.reconciling.found = FOUND
    return made


@pytest.fixture
def house(desk: FakeDesk) -> House:
    return a_house(desk)


async def test_shows_what_differs_with_what_each_answer_would_do(house: House) -> None:
    async with house.signed_in(Role.TRADER) as (client, _):
        html = (await client.get("/reconcile")).text

    assert "1 difference" in html
    assert "Books 7.5 at the last close" in html
    assert "the connection was cut" in html
    assert "external" in html
    assert NASTY not in html
    assert html.count('value="adopt"') == 1


@pytest.mark.parametrize(
    ("found", "says"), [(NOTHING, "Both agree"), (replace(NOTHING, unsure="something moves"), "something moves")]
)
async def test_says_so_when_nothing_differs_or_nothing_is_known(
    house: House, desk: FakeDesk, found: object, says: str
) -> None:
    desk.reconciling.found = found  # type: ignore[assignment]
    async with house.signed_in(Role.VIEWER) as (client, _):
        html = (await client.get("/reconcile")).text

    assert says in html
    assert "What differs" not in html


async def test_every_page_leads_there_while_the_books_differ(house: House, desk: FakeDesk) -> None:
    desk.status_changes = {"phase": Phase.DIVERGED, "says": "AAPL: ours 0, the broker's 7.5"}
    async with house.signed_in(Role.VIEWER) as (client, _):
        html = (await client.get("/")).text

    banner = re.search(r'<div id="banner".*?</div>', html, re.DOTALL)
    assert banner is not None
    assert 'href="/reconcile"' in banner[0]


@pytest.mark.parametrize(("path", "fields", "asked"), FORMS)
async def test_a_trader_with_a_reason_is_heard(
    house: House, desk: FakeDesk, path: str, fields: dict[str, str], asked: tuple[str, str]
) -> None:
    async with house.signed_in(Role.TRADER) as (client, token):
        answer = await client.post(path, data={**fields, "reason": " by  hand ", "csrf_token": token})

    assert answer.status_code in (200, 303)
    ((how, what, by, origin, reason),) = desk.reconciling.asked
    assert ((how, what), by, reason) == (asked, "trader-person", "by hand")
    assert origin.startswith("web ")


@pytest.mark.parametrize(("path", "fields", "_asked"), FORMS)
async def test_without_a_reason_a_right_or_a_token_nothing_happens(
    house: House, desk: FakeDesk, path: str, fields: dict[str, str], _asked: tuple[str, str]
) -> None:
    async with house.signed_in(Role.TRADER) as (client, token):
        await client.post(path, data={**fields, "reason": "  ", "csrf_token": token})
        forged = await client.post(path, data={**fields, "reason": "x"})
    async with house.signed_in(Role.VIEWER) as (client, token):
        viewer = await client.post(path, data={**fields, "reason": "x", "csrf_token": token})

    assert (forged.status_code, viewer.status_code) == (403, 403)
    assert not desk.reconciling.asked


async def test_an_answer_that_is_none_is_refused(house: House, desk: FakeDesk) -> None:
    async with house.signed_in(Role.TRADER) as (client, token):
        how = await client.post("/reconcile", data={"what": "A", "how": "x", "reason": "x", "csrf_token": token})
        placed = await client.post("/orders/o/confirm", data={"placed": "x", "reason": "x", "csrf_token": token})

    assert (how.status_code, placed.status_code) == (422, 422)
    assert not desk.reconciling.asked
