"""Recent returns: the same numbers for a backtest and a live feed, and nothing later than the close they end at."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.risk.recent import PERIODS, Recent
from evil2root.engine.aligned import ROOM, Aligned
from evil2root.engine.observe import bars_of
from tests.fakes.market import market

SYMBOLS = ("AAPL", "EURUSD=X", "MSFT")


def frames(bars: int = 150) -> dict[str, pl.DataFrame]:
    """A share, a currency that closes hours later and rests on other days, and a share that starts late."""
    late = market(2, bars=bars, start=90.0).with_columns(pl.col("closed_at") + pl.duration(hours=3))
    kept = pl.int_range(pl.len()) % 5 != 3
    return {
        "AAPL": market(1, bars=bars, start=90.0),
        "EURUSD=X": late.filter(kept),
        "MSFT": market(3, bars=bars, start=90.0).slice(bars // 2),
    }


def closes(told: dict[str, pl.DataFrame]) -> list[datetime]:
    return sorted({at for frame in told.values() for at in frame["closed_at"].to_list()})


def until(told: dict[str, pl.DataFrame], at: datetime) -> dict[str, pl.DataFrame]:
    return {symbol: frame.filter(pl.col("closed_at") <= at) for symbol, frame in told.items()}


def aligned(told: dict[str, pl.DataFrame]) -> Aligned:
    return Aligned(told, symbols=SYMBOLS, interval=Interval.D1)


def assert_same(one: Recent, other: Recent) -> None:
    assert one.symbols == other.symbols
    for name in ("periods", "returns", "closes", "volumes"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes(), name


class TestAligned:
    def test_tells_nothing_later_than_the_close(self) -> None:
        told = frames()
        whole = aligned(told)

        for at in closes(told)[::7]:
            assert_same(whole.recent(at), aligned(until(told, at)).recent(at))

    @pytest.mark.parametrize("begun", [0, 1, 20, 170])
    def test_grows_live_to_the_same_bits(self, begun: int) -> None:
        told = frames()
        whole, moments = aligned(told), closes(told)
        past = until(told, moments[begun - 1]) if begun else {}
        live = Aligned.live(past, symbols=SYMBOLS, interval=Interval.D1)

        for at in moments[begun:]:
            bars = [
                bar
                for symbol, frame in told.items()
                for bar in bars_of(frame.filter(pl.col("closed_at") == at), symbol=symbol, interval=Interval.D1)
            ]
            live.add(bars)
            assert_same(live.recent(at), whole.recent(at))

    def test_leaves_what_it_handed_out_alone_when_it_makes_room(self) -> None:
        told = {"AAPL": market(1, bars=ROOM + PERIODS + 40, start=90.0)}
        live = Aligned.live({}, symbols=("AAPL",), interval=Interval.D1)
        bars = bars_of(told["AAPL"], symbol="AAPL", interval=Interval.D1)
        for bar in bars[:ROOM]:
            live.add([bar])
        early = live.recent(bars[ROOM - 1].closed_at)
        before = early.returns.tobytes()

        for bar in bars[ROOM:]:
            live.add([bar])

        assert early.returns.tobytes() == before
        whole = Aligned(told, symbols=("AAPL",), interval=Interval.D1)
        assert_same(live.recent(bars[-1].closed_at), whole.recent(bars[-1].closed_at))

    def test_hands_out_views_that_nobody_can_write_to(self) -> None:
        told = frames()

        recent = aligned(told).recent(closes(told)[-1])

        assert recent.returns.base is not None
        with pytest.raises(ValueError):
            recent.returns[0, 0] = 1.0

    def test_is_empty_before_the_first_close(self) -> None:
        recent = aligned(frames()).recent(closes(frames())[0] - timedelta(days=1))

        assert recent.returns.shape == (0, 3)


class TestByPeriod:
    def test_joins_closes_of_one_day(self) -> None:
        told = frames()
        recent = aligned(told).recent(closes(told)[-1])

        joined = recent.by_period([0, 1])

        assert joined.shape == (PERIODS, 2)
        assert len(recent.periods) > PERIODS
        own = np.diff(np.log(told["AAPL"]["close"].to_numpy()))
        assert joined[:, 0] == pytest.approx(own[-PERIODS:], abs=1e-15)

    def test_is_the_table_itself_where_all_close_together(self) -> None:
        told = {"AAPL": market(1, bars=90, start=90.0), "MSFT": market(3, bars=90, start=90.0)}
        recent = Aligned(told, symbols=("AAPL", "MSFT"), interval=Interval.D1).recent(closes(told)[-1])

        assert recent.by_period([1, 0]).tolist() == recent.returns[:, [1, 0]].tolist()
