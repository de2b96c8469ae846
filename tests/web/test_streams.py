"""The page System and the API show what streams of prices told last, and that one is not listened to."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from evil2root.domain.market.streams import Happening, Tick
from evil2root.engine.desk import FeedState
from evil2root.engine.listening import Hearing
from tests.api.door import API
from tests.browser.serving import a_house
from tests.fakes.desk import FakeDesk, a_desk

TICK = Tick(symbol="AAPL", what=Happening.BAR, at=datetime(2005, 11, 18, 20, 59, tzinfo=UTC), price=64.5)
HEARD = Hearing(name="alpaca", is_listened_to=True, says="", symbols=2, last=TICK)


def a_live_desk(*streams: Hearing) -> FakeDesk:
    known: FeedState = a_desk(bars=60).status().feed
    return a_desk(bars=60, feed=replace(known, source="alpaca", due=known.last_bar_at, streams=streams))


@pytest.mark.parametrize(
    ("streams", "shown"),
    [
        ((HEARD,), ["Stream alpaca", "AAPL bar at 64.50", "2 symbols told of"]),
        ((replace(HEARD, last=None, symbols=0),), ["nothing told yet", "listened to"]),
        (
            (replace(HEARD, says="the line is dead"),),
            ["lost, opened again", "the line is dead; last AAPL bar at 64.50"],
        ),
        ((replace(HEARD, is_listened_to=False, says="no coins", last=None),), ["not listened to", "no coins"]),
        ((), ["not listened to", "no source named has one"]),
    ],
)
async def test_the_machine_page_tells_what_a_stream_told_last(streams: tuple[Hearing, ...], shown: list[str]) -> None:
    async with a_house(a_live_desk(*streams)).signed_in() as (client, _):
        html = (await client.get("/system")).text

    assert [words for words in shown if words not in html] == []


async def test_a_replay_has_no_stream_to_speak_of() -> None:
    async with a_house(a_desk(bars=60)).signed_in() as (client, _):
        assert "not listened to" not in (await client.get("/system")).text


@pytest.mark.parametrize("path", ["status", "system"])
async def test_the_api_tells_what_a_stream_told_last(path: str) -> None:
    async with a_house(a_live_desk(HEARD)).keyed() as client:
        (told,) = (await client.get(f"{API}/{path}")).json()["feed"]["streams"]

    assert told["last"] == {"symbol": "AAPL", "what": "bar", "at": "2005-11-18T20:59:00Z", "price": 64.5}
    assert (told["name"], told["is_listened_to"], told["says"], told["symbols"]) == ("alpaca", True, "", 2)
