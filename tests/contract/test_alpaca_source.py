"""Alpaca's Market Data API is a source of bars."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from evil2root.adapters.market_data.alpaca import AlpacaSource
from evil2root.domain.core.timeframe import Interval
from tests.contract.bar_source import CALENDARS, RemoteRig, RemoteSourceContract, TickingClock
from tests.servers.alpaca_data import KEY, SECRET, AlpacaData, bar
from tests.servers.faults import RemoteFaults
from tests.servers.serving import served

OPENED = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
TIMEFRAMES = {Interval.M5: "5Min", Interval.M30: "30Min", Interval.H1: "1Hour", Interval.D1: "1Day"}


class AlpacaRig(RemoteFaults):
    """Eight bars of a share or a coin, in the parts Alpaca tells them in; the last is not over."""

    unknown = "NOBODY"

    def __init__(self, address: str, server: AlpacaData, *, symbol: str, interval: Interval) -> None:
        super().__init__(server.faults)
        self.symbol, self.interval = symbol, interval
        daily = interval is Interval.D1
        self.opened = [OPENED + timedelta(days=n) for n in (0, 1, 2, 3, 4, 7, 8, 9)] if daily else [
            OPENED + interval.length * n for n in range(8)]  # fmt: skip
        self.clock = TickingClock(self.opened[-1] + timedelta(seconds=5))
        self.source = AlpacaSource(address, SecretStr(KEY), SecretStr(SECRET), clock=self.clock, calendars=CALENDARS)
        server.unknown.add("NOBODY")
        named = [at.replace(hour=5, minute=0) for at in self.opened] if daily else self.opened
        bars = [bar(at, 100.0 + n) for n, at in enumerate(named)]
        if symbol == "AAPL":
            server.put("AAPL", TIMEFRAMES[interval], bars)
        else:
            server.bars["BTC/USD", TIMEFRAMES[interval], ""] = bars


@asynccontextmanager
async def a_rig(symbol: str, interval: Interval) -> AsyncIterator[RemoteRig]:
    server = AlpacaData()
    async with served(server) as address:
        rig = AlpacaRig(address, server, symbol=symbol, interval=interval)
        yield rig
        await rig.source.close()


class TestSharesByTheDay(RemoteSourceContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[RemoteRig]:
        async with a_rig("AAPL", Interval.D1) as rig:
            yield rig


class TestSharesByFiveMinutes(RemoteSourceContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[RemoteRig]:
        async with a_rig("AAPL", Interval.M5) as rig:
            yield rig


class TestCoinsByHalfHours(RemoteSourceContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[RemoteRig]:
        async with a_rig("BTC-USD", Interval.M30) as rig:
            yield rig
