"""500 symbols x 2,520 bars through the default features, beside the same TA-Lib calls over bare numpy arrays."""

import time

import numpy as np
import polars as pl
import talib

from evil2root.domain.market.features import features

SYMBOLS, BARS, ROUNDS = 500, 2_520, 3


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
    """The same columns where TA-Lib has them, nothing around: no masks, no scaling, no table."""
    h, l, c, v = (bars[name] for name in ("high", "low", "close", "volume"))  # noqa: E741
    made = [talib.RSI(c, 14), *talib.MACD(c, 12, 26, 9), *talib.BBANDS(c, 20, 2.0, 2.0)]
    made += [talib.ATR(h, l, c, 14), talib.ADX(h, l, c, 14), talib.PLUS_DI(h, l, c, 14), talib.MINUS_DI(h, l, c, 14)]
    made += [talib.SMA(c, n) for n in (10, 20, 30, 50, 200)] + [talib.EMA(c, n) for n in (12, 20, 26, 50)]
    made += [*talib.STOCH(h, l, c, 14, 3, 0, 3, 0), talib.OBV(c, v), talib.MAX(h, 20), talib.MIN(l, 20)]
    made += [talib.ROCP(c, n) for n in (1, 5, 20)] + [talib.STDDEV(talib.ROCP(c, 1), 20), talib.SMA(v, 20)]
    return made


def main() -> None:
    """Best of three, alternating."""
    tables = a_market()
    arrays = [{name: t[name].to_numpy() for name in ("open", "high", "low", "close", "volume")} for t in tables]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        start = time.process_time()
        for one in arrays:
            bare(one)
        theirs.append(time.process_time() - start)
        start = time.process_time()
        for table in tables:
            features(table)
        ours.append(time.process_time() - start)
    print(f"{SYMBOLS} x {BARS}, CPU seconds, best of {ROUNDS}")
    print(f"bare TA-Lib  {min(theirs):.3f}")
    print(f"features     {min(ours):.3f}  ({min(ours) / min(theirs):.2f} x; the goal is 1.2)")


if __name__ == "__main__":
    main()
