"""Yahoo, through the real yfinance, is a source of bars."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from yfinance.data import SingletonMeta

from evil2root.adapters.market_data.yahoo import YahooBars
from evil2root.adapters.market_data.yahoo_wire import YahooWire
from evil2root.domain.core.timeframe import Interval
from tests.contract.bar_source import CALENDARS, RemoteRig, RemoteSourceContract, TickingClock
from tests.servers.serving import served
from tests.servers.yahoo import YahooServer
from tests.servers.yahoo_charts import Bar, Listed

DAYS = [datetime(2026, 1, day, 14, 30, tzinfo=UTC) for day in (5, 6, 7, 8, 9, 12, 13, 14)]
HALVES = [datetime(2026, 1, day, hour, 30, tzinfo=UTC) for day in (6, 7, 8, 9) for hour in (14, 18)]


def bar(at: datetime, number: int) -> Bar:
    price = 100.0 + number / 4
    return at, price, price + 1.0, price - 1.0, price + 0.25, 100.0 + number


class YahooRig:
    """Eight bars of one interval, the last not over."""

    symbol, unknown = "AAPL", "NOBODY"

    def __init__(self, server: YahooServer, address: str, folder: Path, interval: Interval) -> None:
        self.server, self.interval = server, interval
        told = HALVES if interval is Interval.H4 else DAYS
        self.opened = told
        self.clock = TickingClock(told[-1] + timedelta(seconds=30))
        if interval is Interval.H4:
            told = [at + timedelta(hours=i) for at in HALVES for i in range(4 if at.hour == 14 else 3)]
            told = [at for at in told if at <= self.clock.at]
        theirs = "1h" if interval is Interval.H4 else interval.value
        bars = [bar(at, i) for i, at in enumerate(told)]
        server.listed["AAPL"] = Listed(
            bars={theirs: bars, "1d": bars if theirs == "1d" else []}, traded_at=self.clock.at
        )
        SingletonMeta._instances.clear()  # yfinance remembers crumbs for the process
        self.source = YahooBars(YahooWire(address, folder=folder), calendars=CALENDARS, clock=self.clock)

    def away(self) -> None:
        self.server.planned.append("error")

    def refuse(self, retry_after_s: int) -> None:
        self.server.retry_after_s = retry_after_s
        self.server.planned.append("busy_for_a_while")

    def garble(self) -> None:
        self.server.planned.append("consent")

    def hang(self) -> None:
        self.server.planned.append("hang")

    def well(self) -> None:
        self.server.planned.clear()


@pytest.mark.parametrize("interval", [Interval.D1, Interval.H4])
class TestYahoo(RemoteSourceContract):
    @pytest.fixture
    async def rig(self, tmp_path: Path, interval: Interval) -> AsyncIterator[RemoteRig]:
        server = YahooServer()
        async with served(server) as address:
            rig = YahooRig(server, address, tmp_path / "yfinance", interval)
            yield rig
            await rig.source.close()
