"""All sources over 500 symbols x 2,520 bars on two cores, and one new bar of 500 symbols as the live engine works it.

The live engine carries what it knows from bar to bar; the long way is what the first bar after a start costs.

CPU time throughout: what else runs on the machine does not count.
"""

import asyncio
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime

import numpy as np
import polars as pl

from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.strategies.fusion import Fusion
from evil2root.domain.market.sessions import round_the_clock
from evil2root.domain.signals.panel import evidence_table, p_ups
from evil2root.domain.signals.patterns.detect import patterns
from evil2root.engine.carrying import Carrier, Newest
from evil2root.engine.observe import Background, bars_of
from evil2root.engine.series import Series

SYMBOLS, BARS, CORES = 500, 2_520, 2
WHOLE_S_MAX = 20.0
NEW_BAR_MS_MAX = 300.0
FIRST_DAY = 10_957
"""The first of 2000, in days from 1970: the calendar knows it."""
NEW_BARS = 130
"""Bars carried on: calibration is fitted anew twice among them, for all symbols on the same bar."""


def a_symbol(seed: int, bars: int = BARS) -> pl.DataFrame:
    """A random walk; what is measured does not depend on the prices."""
    numbers = np.random.default_rng(seed)
    at = pl.Series((FIRST_DAY + np.arange(bars)) * 86_400_000_000).cast(pl.Datetime("us", "UTC"))
    close = 100.0 * np.exp(np.cumsum(numbers.normal(0.0, 0.01, bars)))
    opening = np.concatenate((close[:1], close[:-1]))
    return pl.DataFrame({
        "opened_at": at, "closed_at": at.dt.offset_by("6h"), "open": opening,
        "high": np.maximum(opening, close) * 1.005, "low": np.minimum(opening, close) * 0.995, "close": close,
        "volume": numbers.uniform(1e5, 1e6, bars),
    })  # fmt: skip


def whole(seeds: range) -> float:
    """CPU seconds of the evidence and the probabilities of every bar of some symbols."""
    took = 0.0
    for seed in seeds:
        bars = a_symbol(seed)
        start = time.process_time()
        p_ups(evidence_table(bars, interval=Interval.D1, session=NEW_YORK))
        took += time.process_time() - start
    return took


class Stored:
    """The store of bars, up to where the new ones begin."""

    def __init__(self, frames: dict[str, pl.DataFrame]) -> None:
        self.frames = frames

    async def series(self, symbol: str, interval: Interval, *, until: datetime | None) -> pl.DataFrame:  # noqa: ARG002
        """A whole series."""
        return self.frames[symbol].filter(pl.col("closed_at") <= until)


def new_bars() -> tuple[float, float, list[float]]:
    """CPU seconds of loading all symbols, then milliseconds of their first bar, the long way, and of each after.

    A bar is appended to its series, gets its place among the others, and becomes a row, a data passport, sentences and a view.
    """
    frames = {f"S{seed}": a_symbol(seed, BARS + NEW_BARS) for seed in range(SYMBOLS)}
    bars = [bars_of(frame.tail(NEW_BARS), symbol=symbol, interval=Interval.D1) for symbol, frame in frames.items()]
    series, carrier = (
        Series(Stored(frames), symbols=frames, compared=list(frames), interval=Interval.D1),
        Carrier(Fusion()),
    )
    start = time.process_time()
    asyncio.run(series.load(frames["S0"]["closed_at"][BARS - 1], None, forget=carrier.forget))
    loaded = time.process_time() - start
    background, took = Background(sessions=round_the_clock()), []
    for group in zip(*bars, strict=True):
        start = time.process_time()
        grown = series.add(group)
        carrier.evidence([
            Newest(bar=bar, bars=frame, background=background) for bar, frame in zip(group, grown, strict=True)
        ])  # fmt: skip
        took.append(1e3 * (time.process_time() - start))
    return loaded, took[0], took[1:]


def main() -> None:
    """Whole series once, the new bar as a median."""
    parts = [range(n, SYMBOLS, CORES) for n in range(CORES)]
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(whole, [range(1)] * CORES))  # loads what is loaded once
        took = list(pool.map(whole, parts))
    print(
        f"all sources, {SYMBOLS} x {BARS} bars: {max(took):.1f} s on each of {CORES} cores (at most {WHOLE_S_MAX:.0f})"
    )
    loaded, first, after = new_bars()
    print(f"places of {SYMBOLS} symbols among each other over {BARS} bars, at a start: {loaded:.1f} s")
    print(f"first bar of {SYMBOLS} symbols after a start, the long way, one core: {first:.0f} ms")
    print(
        f"one new bar of {SYMBOLS} symbols, one core: median {statistics.median(after):.0f} ms (goal "
        f"{NEW_BAR_MS_MAX:.0f}), at most {max(after):.0f} ms where all are fitted anew"
    )
    start = time.process_time()
    patterns(a_symbol(0), symbol="X", interval=Interval.D1)
    print(f"chart patterns of one symbol, {BARS} bars: {time.process_time() - start:.3f} s (no source reads them)")


if __name__ == "__main__":
    main()
