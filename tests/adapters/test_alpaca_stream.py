"""Alpaca's stream, from a local server that speaks its protocol, and what listening to it is good for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from pydantic import SecretStr

from evil2root.adapters.market_data.alpaca_stream import AlpacaStream
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered
from evil2root.domain.market.streams import Happening, Tick
from evil2root.engine.listening import Listener
from tests.servers.alpaca_data import KEY, SECRET
from tests.servers.alpaca_stream import END, AlpacaStreamServer
from tests.servers.serving import served

AT = datetime(2024, 6, 10, 13, 31, tzinfo=UTC)
BAR = {"T": "b", "S": "AAPL", "o": 100, "h": 101, "l": 99, "c": 100.5, "v": 10, "t": "2024-06-10T13:31:00Z"}
TRADE = {"T": "t", "S": "BRK.B", "p": 400.25, "s": 1, "t": "2024-06-10T13:31:00.123456789Z"}
QUOTE = {"T": "q", "S": "AAPL", "bp": 100.0, "ap": 100.5, "t": "2024-06-10T13:31:00Z"}


@pytest_asyncio.fixture
async def server() -> AsyncIterator[tuple[AlpacaStreamServer, str]]:
    made = AlpacaStreamServer()
    async with served(made) as address:
        yield made, address


def stream_at(address: str, secret: str = SECRET) -> AlpacaStream:
    return AlpacaStream(address, SecretStr(KEY), SecretStr(secret))


async def heard(server: AlpacaStreamServer, stream: AlpacaStream, *said: str | dict[str, object]) -> list[Tick]:
    """Say something to who listens, end the stream, and return what was heard."""
    found: list[Tick] = []

    async def listen() -> None:
        async for tick in stream.ticks(["AAPL", "BRK-B"]):
            found.append(tick)  # noqa: PERF401 - what came before it ended by an error is wanted

    listening = asyncio.create_task(listen())
    await server.subscribed.wait()
    for one in said:
        if isinstance(one, str):
            server.say(one)
        else:
            server.tell(one)
    server.say(END)
    with pytest.raises(BarsUnavailable, match="Alpaca's stream"):
        await listening
    return found


class TestTheStream:
    async def test_tells_bars_quotes_and_trades_of_what_was_subscribed(
        self, server: tuple[AlpacaStreamServer, str]
    ) -> None:
        found = await heard(server[0], stream_at(server[1]), BAR, TRADE, QUOTE)

        assert [(tick.symbol, tick.what, tick.price) for tick in found] == [
            ("AAPL", Happening.BAR, 100.5), ("BRK-B", Happening.TRADE, 400.25), ("AAPL", Happening.QUOTE, 100.25),
        ]  # fmt: skip
        assert found[0].at == AT
        names = ["AAPL", "BRK.B"]
        assert server[0].asked == [{"action": "subscribe", "bars": names, "quotes": names, "trades": names}]

    async def test_skips_what_can_not_be_read(self, server: tuple[AlpacaStreamServer, str]) -> None:
        rubbish: list[str | dict[str, object]] = [
            "", "{", "7", "[7]", "null", "[" * 5_000, "<html>", '[{"T": "b"}]', '[{"T": ["b"], "S": {}}]',
            BAR | {"S": "MSFT"}, BAR | {"c": "100"}, BAR | {"c": -1}, BAR | {"t": None}, BAR | {"t": "now"}, QUOTE | {"bp": 101},
            '[{"T": "b", "S": "AAPL", "c": NaN, "t": "2024-06-10T13:31:00Z"}]', {"T": "x", "S": "AAPL"},
        ]  # fmt: skip

        found = await heard(server[0], stream_at(server[1]), *rubbish, BAR)

        assert [tick.price for tick in found] == [100.5]

    async def test_says_that_keys_are_not_taken_and_does_not_show_them(
        self, server: tuple[AlpacaStreamServer, str]
    ) -> None:
        with pytest.raises(BarsUnavailable, match="auth failed") as said:
            await anext(stream_at(server[1], "other-secret").ticks(["AAPL"]))

        assert "other-secret" not in str(said.value)

    async def test_says_that_another_connection_is_open(self, server: tuple[AlpacaStreamServer, str]) -> None:
        server[0].connections_most = 0

        with pytest.raises(AskedTooOften, match="connection limit"):
            await anext(stream_at(server[1]).ticks(["AAPL"]))

    @pytest.mark.parametrize(
        ("code", "kind"), [(407, AskedTooOften), (409, NotCovered), (405, BarsUnavailable), ("x", BarsUnavailable)]
    )
    async def test_ends_with_the_error_it_is_told(
        self, server: tuple[AlpacaStreamServer, str], code: object, kind: type[BarsUnavailable]
    ) -> None:
        async def first() -> Tick:
            return await anext(stream_at(server[1]).ticks(["AAPL"]))

        listening = asyncio.create_task(first())
        await server[0].subscribed.wait()
        server[0].tell({"T": "error", "code": code, "msg": "no"})

        with pytest.raises(BarsUnavailable) as said:
            await listening
        assert type(said.value) is kind

    async def test_that_is_not_there_is_unavailable(self) -> None:
        with pytest.raises(BarsUnavailable, match="is gone"):
            await anext(stream_at("http://127.0.0.1:9").ticks(["AAPL"]))


class TestListening:
    async def test_wakes_who_sleeps_when_a_bar_is_told_and_opens_the_stream_anew(
        self, server: tuple[AlpacaStreamServer, str]
    ) -> None:
        paused: list[float] = []

        async def pause(seconds: float) -> None:
            paused.append(seconds)
            await asyncio.sleep(0)

        listener = Listener(stream_at(server[1]), ["AAPL"], pause=pause)
        running = asyncio.create_task(listener.run())
        for _ in range(2):
            await server[0].subscribed.wait()
            sleeping = asyncio.create_task(listener.sleep(3_600))
            server[0].tell(BAR, QUOTE)
            await sleeping
            server[0].say(END)
            while server[0].listeners:  # noqa: ASYNC110 - the server says no more than that
                await asyncio.sleep(0.001)

        assert listener.newest["AAPL"].price == 100.25
        assert len(server[0].asked) >= 2
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    async def test_a_stream_that_is_away_lets_sleepers_sleep(self) -> None:
        async def pause(_: float) -> None:
            await asyncio.sleep(0.001)

        listener = Listener(stream_at("http://127.0.0.1:9"), ["AAPL"], pause=pause)
        running = asyncio.create_task(listener.run())

        await listener.sleep(0.3)

        assert not running.done()
        assert listener.newest == {}
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    async def test_a_stream_of_nothing_that_is_watched_is_not_listened_to(self) -> None:
        await asyncio.wait_for(Listener(stream_at("http://127.0.0.1:9"), ["BTC-USD"]).run(), timeout=20)
