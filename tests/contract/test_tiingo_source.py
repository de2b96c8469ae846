"""Tiingo is a source of bars."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import SecretStr

from evil2root.adapters.market_data.tiingo import TiingoSource
from evil2root.domain.core.timeframe import Interval
from tests.contract.bar_source import CALENDARS, RemoteRig, RemoteSourceContract, TickingClock
from tests.servers.faults import RemoteFaults
from tests.servers.serving import served
from tests.servers.tiingo import KEY, TiingoServer, bar, day

OPENED = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
DAYS = [OPENED + timedelta(days=n) for n in (0, 1, 2, 3, 4, 7, 8, 9)]


class TiingoRig(RemoteFaults):
    """Eight bars of a share, the last not over."""

    symbol, unknown = "AAPL", "NOBODY"

    def __init__(self, address: str, server: TiingoServer, interval: Interval) -> None:
        super().__init__(server.faults)
        self.interval = interval
        self.opened = DAYS if interval is Interval.D1 else [OPENED + interval.length * n for n in range(8)]
        self.clock = TickingClock(self.opened[-1] + timedelta(seconds=5))
        self.source = TiingoSource(address, SecretStr(KEY), clock=self.clock, calendars=CALENDARS)
        server.days["AAPL"] = [day(at.date(), 100.0 + n) for n, at in enumerate(DAYS[:-1])]
        server.bars["AAPL", "5min"] = [bar(at, 100.0 + n) for n, at in enumerate(self.opened)]


@asynccontextmanager
async def a_rig(interval: Interval) -> AsyncIterator[RemoteRig]:
    server = TiingoServer()
    async with served(server) as address:
        rig = TiingoRig(address, server, interval)
        yield rig
        await rig.source.close()


class TestByTheDay(RemoteSourceContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[RemoteRig]:
        async with a_rig(Interval.D1) as rig:
            yield rig


class TestByFiveMinutes(RemoteSourceContract):
    @pytest.fixture
    async def rig(self) -> AsyncIterator[RemoteRig]:
        async with a_rig(Interval.M5) as rig:
            yield rig


def test_a_day_is_written_as_tiingo_does() -> None:
    assert day(date(2026, 1, 5))["date"] == "2026-01-05T00:00:00.000Z"
