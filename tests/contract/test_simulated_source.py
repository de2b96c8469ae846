"""Invented bars come through a source like any other."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.market_data.invention import _days, _market
from evil2root.adapters.market_data.simulated import SimulatedSource
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, moment
from tests.contract.bar_source import CALENDARS, BarSourceContract, Rig, TickingClock, cleaned

NOW = datetime(2026, 3, 11, 15, 0, 30, tzinfo=UTC)
WEEK = timedelta(days=7)


class SimulatedRig:
    """Two days of a symbol, up to a Wednesday noon in New York."""

    unknown = "ABC.QQQ"

    def __init__(self, symbol: str, interval: Interval, back: timedelta) -> None:
        self.symbol, self.interval = symbol, interval
        self.clock = TickingClock(NOW)
        self.source = SimulatedSource(7, clock=self.clock, calendars=CALENDARS)
        first, last = ((at - EPOCH) // MICROSECOND for at in (NOW - back, NOW))
        opened, _ = CALENDARS.sessions(instrument_for(symbol)).grid(interval, start=first, end=last)
        self.opened = [moment(int(at)) for at in opened]


class TestSimulatedMinutes(BarSourceContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return SimulatedRig("AAPL", Interval.M1, timedelta(hours=1))


class TestSimulatedDays(BarSourceContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return SimulatedRig("MSFT", Interval.D1, 2 * WEEK)


class TestSimulatedCoins(BarSourceContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return SimulatedRig("BTC-USD", Interval.H4, WEEK)


async def rows(symbol: str, interval: Interval, *, seed: int = 7, weeks: int = 1) -> pl.DataFrame:
    source = SimulatedSource(seed, clock=TickingClock(NOW), calendars=CALENDARS)
    return (await source.bars(symbol, interval, start=NOW - WEEK * weeks, end=NOW)).rows


class TestTheMarket:
    async def test_is_the_same_for_the_same_seed_and_another_for_another(self) -> None:
        assert (await rows("AAPL", Interval.H1)).equals(await rows("AAPL", Interval.H1))
        assert not (await rows("AAPL", Interval.H1)).equals(await rows("AAPL", Interval.H1, seed=8))

    async def test_tells_of_an_hour_what_its_minutes_tell(self) -> None:
        hours, minutes = await rows("BTC-USD", Interval.H1), await rows("BTC-USD", Interval.M1)

        made = minutes.group_by_dynamic("opened_at", every="1h").agg(
            pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last()
        )

        both = hours.join(made, on="opened_at", how="inner")
        assert both.height == 24 * 7 - 1
        assert all(
            both[name].equals(both[f"{name}_right"], check_names=False) for name in ("open", "high", "low", "close")
        )

    @pytest.mark.parametrize("symbol", ["AAPL", "BTC-USD", "EURUSD=X", "SAP.DE"])
    async def test_is_believed_whole_by_cleaning(self, symbol: str) -> None:
        source = SimulatedSource(7, clock=TickingClock(NOW), calendars=CALENDARS)

        fetched = await source.bars(symbol, Interval.M1, start=NOW - 4 * WEEK, end=NOW)

        assert cleaned(fetched).good.height == fetched.rows.height > 5_000

    def test_moves_its_symbols_together(self) -> None:
        moves = [np.diff(_days(7, instrument_for(symbol)).level) for symbol in ("AAPL", "MSFT", "IBM")]

        assert np.asarray(np.corrcoef(moves)).min() > 0.2

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_has_volatility_that_clusters_and_tails_that_are_fat(self, seed: int) -> None:
        moves = np.diff(_days(seed, instrument_for("AAPL")).level)
        squares, lag = moves**2, 5

        assert np.corrcoef(squares[lag:], squares[:-lag])[0, 1] > 0.03
        assert ((moves - moves.mean()) ** 4).mean() / moves.var() ** 2 > 3.5

    def test_has_regimes_of_different_volatility(self) -> None:
        _, deviation = _market(7)

        assert np.quantile(deviation, 0.9) > 2 * np.quantile(deviation, 0.1)
