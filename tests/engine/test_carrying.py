"""The engine's evidence at each close: carried from bar to bar or not, it is the same."""

from collections.abc import Sequence

import polars as pl
import pytest

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.strategies.fusion import Fusion
from evil2root.domain.decision.strategies.sma_cross import SmaCross
from evil2root.domain.decision.strategies.strategy import Strategy
from evil2root.domain.market.bars import Bar
from evil2root.domain.signals.carried.carry import Carried
from evil2root.domain.signals.fusion import Weights
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS, SOURCES
from evil2root.engine.carrying import Carrier, Newest
from evil2root.engine.observe import bars_of, evidence_at
from tests.fakes.market import market

WINDOW = 700
SYMBOLS = ("AAPL", "IBM", "MSFT")


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    """Real daily bars; one symbol lacks some, so that their windows move on at different closes."""
    told = {symbol: packaged(Interval.D1)[symbol].adjusted.head(800) for symbol in SYMBOLS}
    return told | {"IBM": told["IBM"].filter(pl.int_range(pl.len()) % 50 != 7)}


class Counting(Fusion):
    """Counts how often it goes the long way."""

    begins = 0

    def begun(self, window: pl.DataFrame, bar: Bar) -> tuple[pl.DataFrame, Carried | None]:
        type(self).begins += 1
        return super().begun(window, bar)


def newest(frame: pl.DataFrame, symbol: str) -> Newest:
    return Newest(bar=bars_of(frame.tail(1), symbol=symbol, interval=Interval.D1)[0], bars=frame)


def long_way(strategy: Strategy, told: Sequence[Newest]) -> tuple[Evidence, ...]:
    return tuple(
        evidence_at(strategy, one.bars, symbol=one.bar.symbol, interval=one.bar.interval, first_index=0,
                    window_bars=WINDOW)
        for one in told
    )  # fmt: skip


def test_is_that_of_the_long_way_whatever_closes_and_wherever_windows_move_on(frames: dict[str, pl.DataFrame]) -> None:
    strategy, Counting.begins = Counting(), 0
    carrier = Carrier(strategy, window_bars=WINDOW)

    for rows in range(685, 715):
        told = [newest(frame.head(rows), symbol) for symbol, frame in frames.items() if frame.height >= rows]
        assert carrier.evidence(told) == long_way(strategy, told), rows

    assert Counting.begins == 2 * len(SYMBOLS), "once at the start and once where the window moves on"


def test_starts_over_after_a_bar_it_was_not_told_of_one_told_twice_and_one_that_was_corrected(
    frames: dict[str, pl.DataFrame],
) -> None:
    strategy, frame = Counting(), frames["AAPL"]
    corrected = frame.with_columns(volume=pl.when(pl.int_range(pl.len()) == 404).then(1.0).otherwise(pl.col("volume")))
    carrier = Carrier(strategy, window_bars=WINDOW)
    carrier.evidence([newest(frame.head(400), "AAPL")])
    Counting.begins = 0

    for rows, series, begins in ((401, frame, 0), (403, frame, 1), (403, frame, 2), (404, frame, 2), (405, frame, 2),
                                 (406, corrected, 3), (407, corrected, 3)):  # fmt: skip
        told = [newest(series.head(rows), "AAPL")]
        assert carrier.evidence(told) == long_way(strategy, told)
        assert Counting.begins == begins, rows


def test_goes_the_long_way_where_a_price_is_absurd() -> None:
    strategy = Fusion()
    frame = market(1, bars=420, start=100.0)
    spiked = frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 410).then(pl.col(name) * 5e3).otherwise(pl.col(name)).alias(name)
        for name in ("open", "high", "low", "close")
    )
    carrier = Carrier(strategy, window_bars=WINDOW)

    for rows in range(405, 416):
        told = [newest(spiked.head(rows), "X")]
        assert carrier.evidence(told) == long_way(strategy, told)


def test_serves_a_strategy_without_sources_and_a_close_without_bars(frames: dict[str, pl.DataFrame]) -> None:
    strategy = SmaCross()
    told = [newest(frame.head(300), symbol) for symbol, frame in frames.items()]

    assert Carrier(strategy, window_bars=WINDOW).evidence(told) == long_way(strategy, told)
    assert Carrier(Fusion()).evidence([]) == ()


def test_forgets_a_series_that_was_rewritten_further_back(frames: dict[str, pl.DataFrame]) -> None:
    strategy, frame = Fusion(), frames["AAPL"]
    rewritten = frame.with_columns(close=pl.when(pl.int_range(pl.len()) == 390).then(pl.col("low")).otherwise("close"))
    carrier = Carrier(strategy, window_bars=WINDOW)
    carrier.evidence([newest(frame.head(400), "AAPL")])
    told = [newest(rewritten.head(401), "AAPL")]

    carrier.forget(["AAPL"])

    assert carrier.evidence(told) == long_way(strategy, told)
    assert carrier.evidence(told) != long_way(strategy, [newest(frame.head(401), "AAPL")])


def test_other_weights_leave_what_is_carried_other_sources_do_not(frames: dict[str, pl.DataFrame]) -> None:
    frame, Counting.begins = frames["AAPL"], 0
    carrier = Carrier(Counting(), window_bars=WINDOW)
    other = Counting(weights=Weights.of({n: 1.0 / 7 for n, _ in DEFAULT_WEIGHTS.by_source}))
    carrier.evidence([newest(frame.head(400), "AAPL")])

    carrier.decide_by(other)

    told = [newest(frame.head(401), "AAPL")]
    assert carrier.evidence(told) == long_way(other, told)
    assert Counting.begins == 1
    carrier.decide_by(Counting(sources=SOURCES[:3]))
    carrier.evidence([newest(frame.head(402), "AAPL")])
    assert Counting.begins == 2
