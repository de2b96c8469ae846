"""All sources over 500 symbols x 2,520 bars on two cores, and one new bar of 500 symbols as the live engine works it.

CPU time throughout: what else runs on the machine does not count.
"""

import statistics
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import polars as pl

from evil2root.domain.signals.panel import evidence_table, p_ups, views
from evil2root.domain.signals.patterns.detect import patterns

SYMBOLS, BARS, CORES, ROUNDS = 500, 2_520, 2, 5
WHOLE_S_MAX = 20.0
NEW_BAR_MS_MAX = 300.0
LATE_BARS = 300
"""Bars the short way loads: beyond them running values differ from those of a whole window by less than 1e-6."""


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
        p_ups(evidence_table(bars))
        took += time.process_time() - start
    return took


def newest(frames: list[pl.DataFrame]) -> None:
    """One new bar of every symbol: its row, its probabilities, its sentences, its view."""
    for frame in frames:
        views(evidence_table(frame, newest=1))


def main() -> None:
    """Whole series once, the new bar as a median."""
    parts = [range(n, SYMBOLS, CORES) for n in range(CORES)]
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(whole, [range(1)] * CORES))  # loads what is loaded once
        took = list(pool.map(whole, parts))
    print(
        f"all sources, {SYMBOLS} x {BARS} bars: {max(took):.1f} s on each of {CORES} cores (at most {WHOLE_S_MAX:.0f})"
    )
    frames = [a_symbol(seed) for seed in range(SYMBOLS)]
    for name, tables in (("whole windows", frames), (f"last {LATE_BARS} bars", [f.tail(LATE_BARS) for f in frames])):
        rounds = []
        for _ in range(ROUNDS):
            start = time.process_time()
            newest(tables)
            rounds.append(1e3 * (time.process_time() - start))
        print(
            f"one new bar of {SYMBOLS} symbols, {name}, one core: median {statistics.median(rounds):.0f} ms "
            f"(goal {NEW_BAR_MS_MAX:.0f})"
        )
    start = time.process_time()
    patterns(frames[0], symbol="X")
    print(f"chart patterns of one symbol, {BARS} bars: {time.process_time() - start:.3f} s (no source reads them)")


if __name__ == "__main__":
    main()
