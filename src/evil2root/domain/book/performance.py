"""What an account earned, what it risked for it and what it paid, beside buying and holding.

Money stays `Decimal`; ratios and statistics are floats and never become money again.
A figure that can't be had is None, never 0 and never infinite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import NO_MONEY, Trade
from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.numerics.curves import GROWTH_FROM, YEAR, Curve, beta_alpha, measure_curve, returns


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrips:
    """What the closed trades earned, after fees; what is still open is not in it. None where there is no such trade."""

    count: int
    won: int
    """Trades that earned more than zero."""
    lost: int
    """Trades that lost; one that came out at exactly zero is neither."""
    win_rate_frac: float | None
    """won / count, in [0, 1]."""
    profit_factor: float | None
    """Sum of gains / sum of losses, never negative; none without a losing trade, however much was won."""
    expectancy: Money | None
    """Mean result of a trade."""
    expectancy_r: float | None
    """Mean result in multiples of the risk taken, over the trades that had a stop."""
    with_r: int
    """How many had one."""
    average_win: Money | None
    average_loss: Money | None
    """Below zero."""
    best: Money | None
    worst: Money | None
    holding_mean: timedelta | None
    """Mean time from the first fill to the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """What the fills cost."""

    fills: int
    fees: Money
    slippage: Money
    """Against the undisturbed prices, never negative."""
    borrow: Money
    """What lending the units of shorts cost."""
    traded: Money
    """Sum of the notional of every fill, buys and sales."""
    share_of_gross_frac: float | None
    """costs / (change of equity + costs), costs being fees, slippage and borrow: how much of what the trading earned before
    costs went to them. Above 1 when costs ate more than it earned; none when it earned nothing before costs."""
    turnover_a_year: float | None
    """traded / mean equity / years, from 30 days on: 2 means that the whole account was bought and sold once a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """An account over a time, beside the same money bought and held."""

    account: Curve
    benchmark: Curve | None
    """Over the points that have a benchmark; none when no point has one. It pays no costs."""
    beta: float | None
    """Change of the account for a change of the benchmark of 1; from 30 returns on."""
    alpha_frac: float | None
    """Yearly return that the benchmark does not explain, arithmetic."""
    time_in_market_frac: float | None
    """Share of the points with a position, in [0, 1]."""
    exposure_mean_frac: float | None
    """Mean of gross / equity over the points with equity above zero; above 1 with borrowed money."""
    trades: RoundTrips
    paid: Paid | None
    """None when the fills were not at hand."""


def measure(
    points: Sequence[EquityPoint],
    *,
    trades: Sequence[Trade],
    fills: Sequence[Fill] | None,
    borrow: Money = NO_MONEY,
) -> Performance:
    """Measure an account by its equity points, oldest first, and the trades and fills of the same time.

    `borrow` is that of positions that are still open; that of closed ones is in their trades.

    Money put in or taken out between two points would count as a result. A thinned curve hides what happened between
    the points that were kept.
    """
    account = measure_curve([p.at for p in points], [float(p.equity) for p in points])
    marked = [(p.at, float(p.benchmark)) for p in points if p.benchmark is not None]
    beta, alpha = _beside_benchmark(points, account)
    solvent = [p for p in points if p.equity > 0]
    return Performance(
        account=account,
        benchmark=measure_curve([at for at, _ in marked], [value for _, value in marked]) if marked else None,
        beta=beta,
        alpha_frac=alpha,
        time_in_market_frac=sum(p.gross > 0 for p in points) / len(points) if points else None,
        exposure_mean_frac=float(sum((p.gross / p.equity for p in solvent), ZERO)) / len(solvent) if solvent else None,
        trades=round_trips(trades),
        paid=None if fills is None else _paid(points, fills, sum((t.borrow for t in trades), borrow)),
    )


def round_trips(trades: Sequence[Trade]) -> RoundTrips:
    """Sum up closed trades, in any order."""
    results = [trade.pnl for trade in trades]
    gains = [pnl for pnl in results if pnl > 0]
    losses = [pnl for pnl in results if pnl < 0]
    multiples = [trade.r for trade in trades if trade.r is not None]
    held = [trade.exit_time - trade.entry_time for trade in trades]
    return RoundTrips(
        count=len(results),
        won=len(gains),
        lost=len(losses),
        win_rate_frac=len(gains) / len(results) if results else None,
        profit_factor=float(sum(gains, ZERO) / -sum(losses, ZERO)) if losses else None,
        expectancy=_mean(results),
        expectancy_r=float(sum(multiples, ZERO) / len(multiples)) if multiples else None,
        with_r=len(multiples),
        average_win=_mean(gains),
        average_loss=_mean(losses),
        best=max(results, default=None),
        worst=min(results, default=None),
        holding_mean=sum(held, timedelta(0)) / len(held) if held else None,
    )


def _mean(amounts: Sequence[Decimal]) -> Money | None:
    return Money(sum(amounts, ZERO) / len(amounts)) if amounts else None


def _paid(points: Sequence[EquityPoint], fills: Sequence[Fill], borrow: Decimal) -> Paid:
    fees = sum((fill.fee for fill in fills), ZERO)
    slippage = sum((fill.slippage for fill in fills), ZERO)
    traded = sum((fill.notional for fill in fills), ZERO)
    costs = fees + slippage + borrow
    gross = points[-1].equity - points[0].equity + costs if points else ZERO
    return Paid(
        fills=len(fills),
        fees=Money(fees),
        slippage=Money(slippage),
        borrow=Money(borrow),
        traded=Money(traded),
        share_of_gross_frac=float(costs / gross) if gross > 0 else None,
        turnover_a_year=_turnover(points, traded),
    )


def _turnover(points: Sequence[EquityPoint], traded: Decimal) -> float | None:
    equity = sum((p.equity for p in points), ZERO)
    lasted = _lasted([p.at for p in points])
    if equity <= 0 or lasted < GROWTH_FROM:
        return None
    return float(traded / (equity / len(points))) / (lasted / YEAR)


def _lasted(times: Sequence[datetime]) -> timedelta:
    return times[-1] - times[0] if times else timedelta(0)


def _beside_benchmark(points: Sequence[EquityPoint], account: Curve) -> tuple[float | None, float | None]:
    """Compare point by point, over those that have both values; a ruined curve has no returns to compare."""
    both = [(float(p.equity), float(p.benchmark)) for p in points if p.benchmark is not None]
    if account.periods_a_year is None or np.any(np.asarray(both) <= 0):
        return None, None
    own, market = [pair[0] for pair in both], [pair[1] for pair in both]
    return beta_alpha(returns(own), returns(market), account.periods_a_year)
