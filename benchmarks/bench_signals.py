"""All sources over 500 symbols x 2,520 bars on two cores, and one new bar of 500 symbols as the live engine works it.

The live engine carries what it knows from bar to bar; the long way is what the first bar after a start costs.

CPU time throughout: what else runs on the machine does not count.
"""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.strategies.fusion import Fusion
from evil2root.domain.signals.panel import evidence_table, p_ups
from evil2root.domain.signals.patterns.detect import patterns
from evil2root.engine.carrying import Carrier, Newest
from evil2root.engine.observe import bars_of

SYMBOLS, BARS, CORES = 500, 2_520, 2
WHOLE_S_MAX = 20.0
NEW_BAR_MS_MAX = 300.0
NEW_BARS = 130
"""Bars carried on: calibration is fitted anew twice among them, for all symbols on the same bar."""


def a_symbol(seed: int, bars: int = BARS) -> pl.DataFrame:
    """A random walk; what is measured does not depend on the prices."""
    numbers = np.random.default_rng(seed)
    at = pl.Series(np.arange(bars) * 86_400_000_000).cast(pl.Datetime("us", "UTC"))
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
        p_ups(evidence_table(bars, interval=Interval.D1))
        took += time.process_time() - start
    return took


def told(frame: pl.DataFrame, symbol: str) -> Newest:
    """The last bar of a series as the engine is told of it."""
    return Newest(bar=bars_of(frame.tail(1), symbol=symbol, interval=Interval.D1)[0], bars=frame)


def new_bars() -> tuple[float, list[float]]:
    """CPU milliseconds of all symbols' first bar, the long way, and of each after: rows, sentences and views."""
    frames = {f"S{seed}": a_symbol(seed, BARS + NEW_BARS) for seed in range(SYMBOLS)}
    carrier = Carrier(Fusion())
    took = []
    for rows in range(BARS, BARS + NEW_BARS):
        closed = [told(frame.head(rows), symbol) for symbol, frame in frames.items()]
        start = time.process_time()
        carrier.evidence(closed)
        took.append(1e3 * (time.process_time() - start))
    return took[0], took[1:]


def main() -> None:
    """Whole series once, the new bar as a median."""
    parts = [range(n, SYMBOLS, CORES) for n in range(CORES)]
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(whole, [range(1)] * CORES))  # loads what is loaded once
        took = list(pool.map(whole, parts))
    print(
        f"all sources, {SYMBOLS} x {BARS} bars: {max(took):.1f} s on each of {CORES} cores (at most {WHOLE_S_MAX:.0f})"
    )
    first, after = new_bars()
    print(f"first bar of {SYMBOLS} symbols after a start, the long way, one core: {first:.0f} ms")
    print(
        f"one new bar of {SYMBOLS} symbols, one core: median {statistics.median(after):.0f} ms (goal "
        f"{NEW_BAR_MS_MAX:.0f}), at most {max(after):.0f} ms where all are fitted anew"
    )
    start = time.process_time()
    patterns(a_symbol(0), symbol="X")
    print(f"chart patterns of one symbol, {BARS} bars: {time.process_time() - start:.3f} s (no source reads them)")


if __name__ == "__main__":
    main()
