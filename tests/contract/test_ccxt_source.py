"""Binance's candles through ccxt are a source of bars."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from evil2root.adapters.market_data.ccxt import CcxtSource
from evil2root.domain.core.timeframe import Interval
from tests.contract.bar_source import RemoteRig, RemoteSourceContract, TickingClock
from tests.servers.binance_data import BinanceData, candle
from tests.servers.faults import RemoteFaults
from tests.servers.serving import served

MIDNIGHT = datetime(2026, 1, 5, tzinfo=UTC)


class BinanceRig(RemoteFaults):
    """Eight candles, the last running."""

    symbol, unknown = "BTC-USDT", "DOGE-USDT"

    def __init__(self, address: str, server: BinanceData, interval: Interval) -> None:
        super().__init__(server.faults)
        self.interval = interval
        self.opened = [MIDNIGHT + interval.length * n for n in range(8)]
        self.clock = TickingClock(self.opened[-1] + timedelta(seconds=5))
        self.source = CcxtSource("binance", clock=self.clock, base_url=address, paced=False)
        server.candles["BTCUSDT", interval.value] = [candle(at, 100.0 + n) for n, at in enumerate(self.opened)]


@asynccontextmanager
async def a_rig(interval: Interval) -> AsyncIterator[RemoteRig]:
    server = BinanceData()
    async with served(server) as address:
        rig = BinanceRig(address, server, interval)
        yield rig
        await rig.source.close()


class TestDays(RemoteSourceContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[RemoteRig]:
        async with a_rig(Interval.D1) as rig:
            yield rig


class TestMinutes(RemoteSourceContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[RemoteRig]:
        async with a_rig(Interval.M1) as rig:
            yield rig
