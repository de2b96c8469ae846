"""Series of bars for tests: valid, reproducible, of several characters."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import strategies as st

from evil2root.domain.market.frame import PRICES

ORIGIN = datetime(2001, 1, 1, 14, 30, tzinfo=UTC)
SHAPES = ("walk", "trend", "calm", "flat", "ticks", "steps", "idle")
LEVELS = (100.0, 1e-12, 1e12, 3e-150, 1.1)


def a_series(rows: int, *, seed: int = 1, shape: str = "walk", level: float = 100.0) -> pl.DataFrame:
    """`rows` daily bars that pass `check_bars`, starting near `level`."""
    numbers = np.random.default_rng(seed)
    drift, spread = {"trend": (0.004, 0.006), "calm": (0.0, 0.0005), "flat": (0.0, 0.0)}.get(shape, (0.0, 0.015))
    close = level * np.exp(np.cumsum(numbers.normal(drift, spread, rows)))
    if shape == "ticks":  # few distinct prices: many ties
        close = level * np.maximum(1.0, np.round(10.0 * close / level)) / 10.0
    if shape == "steps":  # long halts between jumps
        close = close[(np.arange(rows) // 40) * 40]
    wick = spread * numbers.uniform(0.0, 0.5, (2, rows)) if shape != "steps" else np.zeros((2, rows))
    opening = np.concatenate((close[:1], close[:-1]))
    volume = numbers.integers(0, 1_000_000, rows).astype(np.float64)
    return bars_of(
        opening=opening,
        high=np.maximum(opening, close) * (1.0 + wick[0]),
        low=np.minimum(opening, close) * (1.0 - wick[1]),
        close=close,
        volume=np.zeros(rows) if shape == "idle" else volume,
    )


def bars_of(
    *, opening: np.ndarray, high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray
) -> pl.DataFrame:
    """Bars of these values, a day apart."""
    opened_at = pl.Series([ORIGIN + timedelta(days=day) for day in range(len(close))], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "opened_at": opened_at,
            "closed_at": opened_at + timedelta(hours=6, minutes=30),
            "open": opening,
            "high": high,
            "low": low,
            "close": close,
            "volume": volume,
        }
    )


def bars_closing_at(closes: list[float], *, volume: float = 1_000.0) -> pl.DataFrame:
    """Bars that open at the close before and reach one percent beyond both."""
    close = np.asarray(closes, dtype=np.float64)
    opening = np.concatenate((close[:1], close[:-1]))
    return bars_of(
        opening=opening,
        high=np.maximum(opening, close) * 1.01,
        low=np.minimum(opening, close) * 0.99,
        close=close,
        volume=np.full(len(close), volume),
    )


@st.composite
def series(draw: st.DrawFn, *, rows_min: int = 0, rows_max: int = 320) -> pl.DataFrame:
    """Any character, any level, any length in the limits."""
    return a_series(
        draw(st.integers(rows_min, rows_max)),
        seed=draw(st.integers(0, 2**32 - 1)),
        shape=draw(st.sampled_from(SHAPES)),
        level=draw(st.sampled_from(LEVELS)),
    )


def poisoned(bars: pl.DataFrame, *, since: int, factor: float) -> pl.DataFrame:
    """The same bars, but from row `since` on prices and volumes are absurd; still each a possible bar."""
    later = pl.int_range(bars.height, eager=True) >= since
    return bars.with_columns(
        pl.when(later).then(pl.col(name) * factor).otherwise(pl.col(name)).alias(name) for name in (*PRICES, "volume")
    )
