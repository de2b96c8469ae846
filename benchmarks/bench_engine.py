"""What deciding costs: features, one step of the kernel and whole backtests, beside arrays that only do the sums.

The bars are a random walk with a fixed seed: 3 symbols, daily. Best of three, since a machine only ever adds to the
true cost. The floor is the same moving-average cross by TA-Lib and numpy: no orders, no fees, no money, no record.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import talib

from evil2root.domain.book.performance import measure
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.events import BarsClosed
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.step import step
from evil2root.domain.market.features import FEATURE_NAMES, features
from evil2root.engine.observe import evidence_series
from evil2root.engine.replay import Run, backtest, groups

SYMBOLS = ("AAPL", "IBM", "MSFT")
BARS = 2_500
"""A symbol: about ten years of sessions."""
TRIES = 3
STEPS = 200
CASH = Money(Decimal(100_000))


def walk(*, seed: int) -> pl.DataFrame:
    """Bars that wander by 1.5 % a day."""
    chance = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(chance.normal(0.0003, 0.015, BARS)))
    opening = np.concatenate(([100.0], close[:-1]))
    wick = chance.uniform(0, 0.008, (2, BARS))
    begin = datetime(2001, 1, 1, 14, 30, tzinfo=UTC)
    opened_at = pl.Series([begin + timedelta(days=n) for n in range(BARS)], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "opened_at": opened_at,
            "closed_at": opened_at + timedelta(hours=6, minutes=30),
            "open": opening,
            "high": np.maximum(opening, close) * (1 + wick[0]),
            "low": np.minimum(opening, close) * (1 - wick[1]),
            "close": close,
            "volume": chance.uniform(1e6, 1e7, BARS),
        }
    )


def best_s(work: Callable[[], object]) -> float:
    times = []
    for _ in range(TRIES):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def floor(frames: dict[str, pl.DataFrame]) -> float:
    """Return what the cross of 10 and 30 would have made, costs left out."""
    total = 0.0
    for frame in frames.values():
        close = frame["close"].to_numpy()
        fast, slow = talib.SMA(close, 10), talib.SMA(close, 30)
        held = np.concatenate(([0.0], (fast > slow)[:-1]))
        total += float(np.prod(1 + held[1:] * (close[1:] / close[:-1] - 1)))
    return total


def policy_of(strategy: str) -> Policy:
    instruments = {symbol: instrument_for(symbol) for symbol in SYMBOLS}
    return make_policy(strategy, {}, account="bench", currency="USD", interval=Interval.D1, instruments=instruments)


def step_s(policy: Policy, frames: dict[str, pl.DataFrame], run: Run) -> float:
    """Return the seconds of one step over the last close of all symbols, from the state at the end of a run."""
    series = [evidence_series(policy.strategy, frames[s], symbol=s, interval=policy.interval) for s in SYMBOLS]
    *_, last = groups(series)
    event = BarsClosed(at=last[0].bar.closed_at, evidence=tuple(last))
    return best_s(lambda: [step(run.state, event, policy) for _ in range(STEPS)]) / STEPS


def row(name: str, seconds: float, amount: int, unit: str, note: str = "") -> None:
    print(f"{name:44}{seconds * 1e3:12.3f} ms{amount / seconds:14,.0f} {unit}/s  {note}".rstrip())


def decide(strategy: str, frames: dict[str, pl.DataFrame], *, least: float) -> None:
    """Print what a strategy costs from bars to figures."""
    policy = policy_of(strategy)
    run = backtest(policy, frames, cash=CASH)
    seconds = best_s(lambda: backtest(policy, frames, cash=CASH))
    note = f"{seconds / least:,.0f} x the floor, {len(run.trades)} trades"
    row(f"backtest, {strategy}", seconds, run.bars, "bars", note)
    row(f"one step at the close, {strategy}", step_s(policy, frames, run), 1, "steps", f"{len(SYMBOLS)} symbols")
    figures = best_s(lambda: measure(run.points, trades=run.trades, fills=run.fills))
    row(f"figures of the performance, {strategy}", figures, len(run.points), "points")


def main() -> None:
    frames = {symbol: walk(seed=n) for n, symbol in enumerate(SYMBOLS)}
    least = best_s(lambda: floor(frames))
    row("floor: the cross by TA-Lib and numpy", least, BARS * len(SYMBOLS), "bars")
    thousand = frames[SYMBOLS[0]].head(1_000)
    row(f"features of 1,000 bars, {len(FEATURE_NAMES)} columns", best_s(lambda: features(thousand)), 1_000, "bars")
    for strategy in ("sma_cross", "fusion"):
        decide(strategy, frames, least=least)


if __name__ == "__main__":
    main()
