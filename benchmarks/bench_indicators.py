"""500 symbols x 2,520 bars through the default features, beside the same columns by TA-Lib and NumPy with nothing around.

Like is set beside like: arrays beside arrays, and the table with its nulls beside the same table made of bare arrays.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import talib

from evil2root.domain.market.features import FEATURE_NAMES, feature_arrays, features

SYMBOLS, BARS, ROUNDS = 500, 2_520, 7


def a_market() -> list[pl.DataFrame]:
    """Random walks; what is measured does not depend on the prices."""
    numbers = np.random.default_rng(1)
    at = pl.Series(np.arange(BARS) * 86_400_000_000).cast(pl.Datetime("us", "UTC"))
    tables = []
    for _ in range(SYMBOLS):
        close = 100.0 * np.exp(np.cumsum(numbers.normal(0.0, 0.01, BARS)))
        opening = np.concatenate((close[:1], close[:-1]))
        tables.append(
            pl.DataFrame({
                "opened_at": at, "closed_at": at.dt.offset_by("6h"), "open": opening,
                "high": np.maximum(opening, close) * 1.005, "low": np.minimum(opening, close) * 0.995,
                "close": close, "volume": numbers.uniform(1e5, 1e6, BARS),
            })
        )  # fmt: skip
    return tables


def bare(bars: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The same 33 columns as one writes them in a notebook: no scaling, no ranges, no flat markets, no exact sums."""
    h, l, c, v = (bars[name] for name in ("high", "low", "close", "volume"))  # noqa: E741
    upper, mid, lower = talib.BBANDS(c, 20, 2.0, 2.0)
    made = [talib.RSI(c, 14), *talib.MACD(c, 12, 26, 9), upper, mid, lower]
    made += [(c - lower) / (upper - lower), (upper - lower) / mid]
    made += [talib.ATR(h, l, c, 14), talib.ADX(h, l, c, 14), talib.PLUS_DI(h, l, c, 14), talib.MINUS_DI(h, l, c, 14)]
    made += [talib.SMA(c, n) for n in (10, 20, 30, 50, 200)] + [talib.EMA(c, n) for n in (12, 20, 26, 50)]
    made += [*talib.STOCH(h, l, c, 14, 3, 0, 3, 0), talib.OBV(c, v)]
    made += [before(talib.MAX(h, 20)), before(talib.MIN(l, 20))]
    returns = [talib.ROCP(c, n) for n in (1, 5, 20)]
    made += [*returns, talib.STDDEV(returns[0], 20) * (20 / 19) ** 0.5, v / before(talib.SMA(v, 20))]
    return made


def before(values: np.ndarray) -> np.ndarray:
    """The value one row earlier."""
    return np.concatenate(([np.nan], values[:-1]))


def bare_table(table: pl.DataFrame, bars: dict[str, np.ndarray]) -> pl.DataFrame:
    """The bare columns as a table whose unknown values are null."""
    made = pl.DataFrame(dict(zip(FEATURE_NAMES, bare(bars), strict=True)), nan_to_null=True)
    return table.select("opened_at", "closed_at", "close").hstack(made)


def main() -> None:
    """CPU seconds over all symbols, each symbol's best of some rounds that take turns: a neighbour spoils a few only."""
    tables = a_market()
    arrays = [{name: t[name].to_numpy() for name in ("open", "high", "low", "close", "volume")} for t in tables]
    runs: dict[str, Callable[[int], Any]] = {
        "bare TA-Lib and NumPy, arrays": lambda at: bare(arrays[at]),
        "our features, arrays": lambda at: feature_arrays(tables[at]),
        "bare TA-Lib and NumPy, table": lambda at: bare_table(tables[at], arrays[at]),
        "our features, table": lambda at: features(tables[at]),
    }
    spent = {name: np.full((ROUNDS, SYMBOLS), np.inf) for name in runs}
    for turn in range(ROUNDS):
        for name, run in runs.items():
            for at in range(SYMBOLS):
                start = time.process_time_ns()
                run(at)
                spent[name][turn, at] = time.process_time_ns() - start
    best = {name: float(ns.min(axis=0).sum()) / 1e9 for name, ns in spent.items()}
    print(f"{SYMBOLS} x {BARS}, CPU seconds, best of {ROUNDS}")
    for name, seconds in best.items():
        print(f"{name:32}{seconds:.3f}")
    theirs, ours, their_table, our_table = best.values()
    print(f"arrays {ours / theirs:.2f} x, tables {our_table / their_table:.2f} x; the goal is 1.2")


if __name__ == "__main__":
    main()
