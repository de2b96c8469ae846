"""The live stream tells what changed, in the very blocks the page was made of."""

import asyncio
from datetime import UTC, datetime

import pytest

from evil2root.engine.access import Identity, Role
from evil2root.engine.changes import CHANGES_MAX
from evil2root.engine.desk import Phase
from evil2root.web.curve import Curve
from evil2root.web.events import TOPICS, Listener, stream
from tests.browser.serving import a_house
from tests.fakes.desk import FakeDesk, a_desk

AT = datetime(2005, 6, 1, tzinfo=UTC)


@pytest.fixture
def desk() -> FakeDesk:
    return a_desk()


def a_listener(page: str = "overview", subject: str = "", topics: frozenset[str] = TOPICS) -> Listener:
    who = Identity(name="ada", role=Role.TRADER, via="session")
    return Listener(page=page, topics=topics, subject=subject, identity=who, csrf="t")


async def told(desk: FakeDesk, listener: Listener, *topics: str, since: int | None = None, count: int = 1) -> list[str]:
    """The messages after the welcome that follow one change."""
    messages = stream(desk, Curve(), listener, since=since, is_stopping=lambda: False)
    await anext(messages)
    if topics:
        await desk.log.add(frozenset(topics), AT)
    heard = [await asyncio.wait_for(anext(messages), 5) for _ in range(count)]
    await messages.aclose()  # type: ignore[attr-defined]
    return heard


async def test_a_change_of_risk_is_told_as_the_pages_own_block(desk: FakeDesk) -> None:
    (message,) = await told(desk, a_listener(), "risk")

    assert message.startswith("id: 1\ndata: ")
    assert '<hx-partial hx-target="#risk" hx-swap="outerMorph">' in message
    assert '<section class="card risk" id="risk"' in message
    assert 'hx-target="#today"' not in message
    assert all(line.startswith(("id: ", "data: ")) for line in message.splitlines() if line)
    house = a_house(desk)
    async with house.signed_in(Role.TRADER) as (client, _):
        part = (await client.get("/", headers={"HX-Request": "true", "HX-Target": "section#risk"})).text
    assert [x.strip() for x in part.splitlines() if x.strip()] == _block(message, "risk")


def _block(message: str, name: str) -> list[str]:
    text = "\n".join(line.removeprefix("data: ") for line in message.splitlines())
    found = text.partition(f'<hx-partial hx-target="#{name}" hx-swap="outerMorph">')[2].partition("</hx-partial>")[0]
    return [x.strip() for x in found.splitlines() if x.strip()]


async def test_a_new_point_goes_to_the_chart_as_json(desk: FakeDesk) -> None:
    parts, point = await told(desk, a_listener(), "equity", count=2)

    assert 'hx-target="#equity"' in parts
    assert "event: equity\ndata: [{" in point
    assert f'"equity": "{desk.state.portfolio.equity}"' in point


async def test_a_new_bar_goes_to_its_own_chart_page(desk: FakeDesk) -> None:
    parts, bar = await told(desk, a_listener("symbol", "MSFT"), "equity", count=2)

    assert 'hx-target="#quote"' in parts
    assert 'event: bar\ndata: {"bars": [{' in bar
    assert '"position": {"entry": 255.15' in bar
    assert '"closed_at": "2005-11-18T21:00:00+00:00"' in bar


async def test_changes_that_come_quickly_are_told_together(desk: FakeDesk) -> None:
    messages = stream(desk, Curve(), a_listener(), since=None, is_stopping=lambda: False)
    await anext(messages)
    for _ in range(50):
        await desk.log.add(frozenset({"risk"}), AT)

    message = await asyncio.wait_for(anext(messages), 5)

    assert message.startswith("id: 50\n")
    assert message.count('hx-target="#risk"') == 1
    await messages.aclose()  # type: ignore[attr-defined]


async def test_who_comes_back_is_told_what_was_missed(desk: FakeDesk) -> None:
    await desk.log.add(frozenset({"risk"}), AT)
    await desk.log.add(frozenset({"decisions"}), AT)

    (message,) = await told(desk, a_listener(), since=1)

    assert message.startswith("id: 2\n")
    assert 'hx-target="#today"' in message
    assert 'hx-target="#risk"' not in message


async def test_who_is_too_far_behind_loads_the_page_anew(desk: FakeDesk) -> None:
    for _ in range(CHANGES_MAX + 5):
        await desk.log.add(frozenset({"risk"}), AT)

    (message,) = await told(desk, a_listener(), since=1)

    assert "event: resync" in message


async def test_a_stream_ends_when_the_app_stops(desk: FakeDesk) -> None:
    stopping: list[str] = []
    messages = stream(desk, Curve(), a_listener(), since=None, is_stopping=lambda: bool(stopping))
    await anext(messages)
    stopping.append("now")

    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(messages), 3)


async def test_an_engine_that_stops_on_an_error_is_told_at_once(desk: FakeDesk) -> None:
    messages = stream(desk, Curve(), a_listener(), since=None, is_stopping=lambda: False)
    await anext(messages)
    desk.status_changes.update(phase=Phase.STOPPED, says="Trading stopped on an error: KeyError.")

    message = await asyncio.wait_for(anext(messages), 5)

    assert 'hx-target="#banner"' in message
    assert "Trading stopped on an error: KeyError." in message
    assert 'hx-target="#health"' in message
    await messages.aclose()  # type: ignore[attr-defined]


async def test_an_unknown_topic_is_refused_by_name(desk: FakeDesk) -> None:
    async with a_house(desk).signed_in() as (client, _):
        answer = await client.get("/events?topics=equity,gossip")

    assert answer.status_code == 422
    assert "gossip is no topic" in answer.text
