"""Features that need more than one series: an index beside a symbol, a whole universe beside itself, the calendar."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from evil2root.domain.market.indicators import FLAT_FRAC, Floats

CROSS_VERSION = "2"
"""Raised by hand when a formula below changes."""

STALE_DAYS = 7
"""A close of something else that is older stands beside no bar."""


def against_index(bars: pl.DataFrame, index: pl.DataFrame, *, length: int = 60) -> pl.DataFrame:
    """Beta and correlation of one-bar log returns to an index over `length` common bars, and the return beyond beta.

    Parameters
    ----------
    bars, index
        Tables with `closed_at` and `close`, oldest first. A bar of the symbol goes with the index's newest bar that
        closed no later; a gap in the index thus repeats its last close for `STALE_DAYS`, and nothing of its future is
        seen.

    Returns
    -------
    pl.DataFrame
        `beta_N`, `correlation_N` (in [-1, 1]) and `residual_N` (this bar's return less beta times the index's), one
        row a bar. Null for the first `length` bars with an index, and while the index stands still.
    """
    joined = bars.select("closed_at", "close").join_asof(
        index.select("closed_at", pl.col("close").alias("index")), on="closed_at", strategy="backward",
        tolerance=f"{STALE_DAYS}d",
    )  # fmt: skip
    own, other = _log_changes(joined["close"]), _log_changes(joined["index"].fill_null(float("nan")))
    beta, correlation = np.full((2, bars.height), np.nan)
    if bars.height > length:
        first, second = (sliding_window_view(values[1:], length) for values in (own, other))
        one, two = (w - w.mean(axis=1, keepdims=True) for w in (first, second))
        spread, index_spread = (one**2).sum(axis=1), (two**2).sum(axis=1)
        together = (one * two).sum(axis=1)
        beta[length:] = together / np.where(index_spread > FLAT_FRAC**2, index_spread, np.nan)
        scale = np.sqrt(spread * index_spread)
        correlation[length:] = np.clip(together / np.where(scale > FLAT_FRAC**2, scale, np.nan), -1.0, 1.0)
    return pl.DataFrame(
        {f"beta_{length}": beta, f"correlation_{length}": correlation, f"residual_{length}": own - beta * other}
    ).fill_nan(None)


def _log_changes(values: pl.Series) -> Floats:
    prices = values.to_numpy().astype(np.float64)
    made = np.full(prices.size, np.nan)
    made[1:] = np.log(prices[1:] / prices[:-1])
    return made


def ranks(universe: Mapping[str, pl.DataFrame], columns: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Each symbol's rank in the universe at each `closed_at`, by column: 0 the lowest, 1 the highest, ties their mean.

    Only symbols with a bar that closed at that very moment are ranked, so a row needs nothing later than itself; a
    symbol alone has no rank (null). Columns come out as `rank_NAME`.
    """
    parts = [
        table.select("closed_at", *columns).with_columns(pl.lit(symbol).alias("symbol"))
        for symbol, table in universe.items()
    ]
    if not parts:
        return {}
    made = pl.concat(parts).with_columns(_rank(name) for name in columns)
    tables = made.partition_by(
        "symbol", as_dict=True
    )  # one pass: filtering by each of 500 symbols takes ten times as long
    kept = ["closed_at", *(f"rank_{name}" for name in columns)]
    return {symbol: tables.get((symbol,), made.clear()).sort("closed_at").select(kept) for symbol in universe}


def _rank(name: str) -> pl.Expr:
    count = pl.col(name).count().over("closed_at")
    rank = (pl.col(name).rank("average").over("closed_at") - 1.0) / (count - 1)
    return pl.when(count > 1).then(rank).otherwise(None).alias(f"rank_{name}")


def calendar(bars: pl.DataFrame) -> pl.DataFrame:
    """What a bar's own date says: weekday and month as points of a circle, turn of the month, days since the last bar.

    Returns
    -------
    pl.DataFrame
        `weekday_sin/cos`, `month_sin/cos` and `hour_sin/cos` in [-1, 1] (UTC), `month_day` in [0, 1] (0 on the
        first), `pause_days` (days from the last close to this opening; null on the first row).

    Notes
    -----
    The opening time alone is read, so no row needs a later one. Sessions left in the month would need the exchange's
    calendar and are not here.
    """
    at = pl.col("opened_at")
    turns = {
        "weekday": (at.dt.weekday() - 1) / 7.0,
        "month": (at.dt.month() - 1) / 12.0,
        "hour": (at.dt.hour() + at.dt.minute() / 60.0) / 24.0,
    }
    circles = [
        getattr(2.0 * np.pi * share, kind)().alias(f"{name}_{kind}")
        for name, share in turns.items()
        for kind in ("sin", "cos")
    ]
    pause = (at - pl.col("closed_at").shift(1)).dt.total_seconds() / 86_400.0
    return bars.select(*circles, ((at.dt.day() - 1) / 30.0).alias("month_day"), pause.alias("pause_days"))
