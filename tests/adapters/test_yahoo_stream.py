"""Yahoo's stream, from a local server that speaks its protocol."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from evil2root.adapters.market_data import yahoo_stream
from evil2root.adapters.market_data.yahoo_stream import YahooStream
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.streams import Happening, Tick
from tests.servers.serving import served
from tests.servers.yahoo_stream import END, YahooStreamServer, priced, wrapped

AT = datetime(2026, 6, 10, 13, 31, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1_000)


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[YahooStreamServer, str]]:
    made = YahooStreamServer()
    async with served(made) as address:
        yield made, address


async def heard(server: YahooStreamServer, address: str, *said: str) -> list[Tick]:
    """Say something to who listens, end the stream, and return what was heard."""
    found: list[Tick] = []

    async def listen() -> None:
        async for tick in YahooStream(address).ticks(["AAPL", "BTC-USD"]):
            found.append(tick)  # noqa: PERF401 - what came before it ended by an error is wanted

    listening = asyncio.create_task(listen())
    await server.subscribed.wait()
    for one in (*said, END):
        server.say(one)
    with pytest.raises(BarsUnavailable, match="Yahoo's stream is gone"):
        await listening
    return found


async def test_tells_prices_of_what_was_subscribed(server: tuple[YahooStreamServer, str]) -> None:
    found = await heard(*server, priced("AAPL", 100.5, at_ms=AT_MS), priced("BTC-USD", 65_000, at_ms=AT_MS + 5))

    assert [(t.symbol, t.what, t.price) for t in found] == [
        ("AAPL", Happening.TRADE, 100.5), ("BTC-USD", Happening.TRADE, 65_000.0),
    ]  # fmt: skip
    assert found[0].at == AT
    assert server[0].asked == [{"subscribe": ["AAPL", "BTC-USD"]}]


async def test_skips_what_can_not_be_read(server: tuple[YahooStreamServer, str]) -> None:
    rubbish = [
        "", "{", "7", "[7]", "null", "[" * 5_000, "<html>", "{}", '{"message": 7}', '{"message": "%%%"}',
        wrapped(b"\xff" * 40), wrapped(b""), priced("MSFT", 5, at_ms=AT_MS), priced("AAPL", -1, at_ms=AT_MS),
        priced("AAPL", float("nan"), at_ms=AT_MS), priced("AAPL", float("inf"), at_ms=AT_MS), priced("AAPL", 5, at_ms=0),
        priced("AAPL", 5, at_ms=2**62),
    ]  # fmt: skip

    found = await heard(*server, *rubbish, priced("AAPL", 100.5, at_ms=AT_MS))

    assert [tick.price for tick in found] == [100.5]


async def test_subscribes_again_lest_yahoo_falls_silent(
    server: tuple[YahooStreamServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yahoo_stream, "SUBSCRIBE_EVERY_S", 0.02)
    ticks = YahooStream(server[1]).ticks(["AAPL"])
    waiting = asyncio.ensure_future(anext(ticks))

    async with asyncio.timeout(10):
        while len(server[0].asked) < 3:  # noqa: ASYNC110 - the server tells it only so
            await asyncio.sleep(0.01)

    server[0].say(priced("AAPL", 7, at_ms=AT_MS))
    assert (await waiting).price == 7.0
    await ticks.aclose()  # type: ignore[attr-defined]  # a generator


async def test_a_stream_that_is_not_there_is_said_so() -> None:
    with pytest.raises(BarsUnavailable, match="Yahoo's stream is gone"):
        await anext(YahooStream("http://127.0.0.1:9").ticks(["AAPL"]))
