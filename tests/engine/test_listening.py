"""What is heard of a stream is there to look at: what it told last, or why nobody listens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from evil2root.domain.market.bars import BarsUnavailable, NotCovered
from evil2root.domain.market.streams import Happening, Tick
from evil2root.engine.listening import NOT_YET, Listener

NOON = datetime(2026, 11, 2, 17, tzinfo=UTC)


def a_tick(symbol: str, minutes: int, price: float) -> Tick:
    return Tick(symbol=symbol, what=Happening.TRADE, at=NOON + timedelta(minutes=minutes), price=price)


class Telling:
    """Tells what it was given, then ends as it was told to."""

    name = "alpaca"

    def __init__(self, *ticks: Tick, end: Exception | None = None) -> None:
        self._ticks, self._end = ticks, end
        self.told = asyncio.Event()

    async def ticks(self, symbols: Sequence[str]) -> AsyncIterator[Tick]:
        for tick in (one for one in self._ticks if one.symbol in symbols):
            yield tick
        self.told.set()
        if self._end is not None:
            raise self._end
        await asyncio.Event().wait()


async def for_ever(_: float) -> None:
    await asyncio.Event().wait()


async def test_nobody_listens_before_it_is_run() -> None:
    hearing = Listener(Telling(), ["AAPL"]).hearing

    assert (hearing.name, hearing.is_listened_to, hearing.says, hearing.last) == ("alpaca", False, NOT_YET, None)


@pytest.mark.parametrize(("end", "says"), [(None, ""), (BarsUnavailable("the line is dead"), "the line is dead")])
async def test_it_tells_the_newest_by_the_exchange_and_why_the_stream_ended(end: Exception | None, says: str) -> None:
    stream = Telling(a_tick("AAPL", 2, 101.0), a_tick("MSFT", 1, 50.0), end=end)
    listener = Listener(stream, ["AAPL", "MSFT"], pause=for_ever)

    running = asyncio.create_task(listener.run())
    await stream.told.wait()
    await asyncio.sleep(0)

    hearing = listener.hearing
    assert (hearing.is_listened_to, hearing.says, hearing.symbols) == (True, says, 2)
    assert hearing.last == a_tick("AAPL", 2, 101.0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert not listener.hearing.is_listened_to


async def test_a_stream_of_none_of_the_symbols_is_not_listened_to_and_says_so() -> None:
    listener = Listener(Telling(end=NotCovered("Alpaca streams no coins")), ["BTC-USD"], pause=for_ever)

    await listener.run()

    assert (listener.hearing.is_listened_to, listener.hearing.says) == (False, "Alpaca streams no coins")


async def test_a_listener_that_breaks_says_so() -> None:
    listener = Listener(Telling(end=ZeroDivisionError("odd")), ["AAPL"], pause=for_ever)

    with pytest.raises(ZeroDivisionError):
        await listener.run()

    assert not listener.hearing.is_listened_to
    assert "ZeroDivisionError" in listener.hearing.says
