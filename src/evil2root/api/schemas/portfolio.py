"""The account as a whole: its worth, its curve, its risks and its results."""

from decimal import Decimal
from typing import Self

from evil2root.api.values import Exact, Lasting, Moment, Out
from evil2root.domain.book.performance import Performance
from evil2root.domain.core.side import Side
from evil2root.engine.desk import Status


class PortfolioOut(Out):
    """The account, marked at the last known prices."""

    currency: str
    cash: Exact
    value: Exact
    """Signed market value of all positions."""
    equity: Exact
    gross: Exact
    capital: Exact
    """What the owner put in."""
    peak: Exact
    drawdown_frac: float
    risk_at_stops: Exact
    """Loss from the marks if every stop is hit."""
    day_pnl: Exact
    positions: int
    at: Moment | None
    """The close it is marked at."""

    @classmethod
    def of(cls, status: Status, *, currency: str) -> Self:
        """Make it from the desk's status."""
        portfolio, carry = status.portfolio, status.carry
        equity = portfolio.equity
        peak = max(carry.peak, equity)
        return cls(
            currency=currency, cash=portfolio.cash, value=portfolio.value, equity=equity, gross=portfolio.gross,
            capital=carry.capital, peak=peak, drawdown_frac=float(1 - equity / peak) if peak > 0 else 0.0,
            risk_at_stops=portfolio.risk_at_stops,
            day_pnl=equity - carry.day_equity if carry.day is not None else Decimal(0),
            positions=len(portfolio.positions), at=carry.closed_at,
        )  # fmt: skip


class EquityPointOut(Out):
    """The account at one close."""

    at: Moment
    equity: Exact
    cash: Exact
    gross: Exact
    benchmark: Exact | None
    """The same starting money spread over the watchlist and held."""
    drawdown: float
    """Fall from the peak, in [0, 1]."""


class ShareOut(Out):
    """One symbol's part of the risk."""

    symbol: str
    side: Side
    value: Exact
    frac: float | None
    """Of equity, without sign."""


class ExposureNowOut(Out):
    """How much is at work, beside its limits. Fractions are of equity."""

    equity: Exact
    gross: Exact
    net: Exact
    gross_frac: float | None
    net_frac: float | None
    gross_limit_frac: Exact
    per_symbol_limit_frac: Exact
    positions: int
    positions_limit: int
    risk_at_stops: Exact
    by_symbol: list[ShareOut]


class DrawdownOut(Out):
    """One fall from a peak."""

    depth_frac: float
    peak_at: Moment
    trough_at: Moment
    recovered_at: Moment | None
    length: Lasting


class CurveOut(Out):
    """The figures of one curve; null where there is too little to tell."""

    points: int
    start: Moment | None
    end: Moment | None
    years: float
    return_frac: float | None
    cagr_frac: float | None
    volatility_frac: float | None
    sharpe: float | None
    sharpe_error: float | None
    sortino: float | None
    calmar: float | None
    max_drawdown_frac: float | None
    max_drawdown: DrawdownOut | None
    underwater_longest: Lasting | None
    best_frac: float | None
    worst_frac: float | None
    ruined_at: Moment | None


class RoundTripsOut(Out):
    """What the closed trades earned, after fees."""

    count: int
    won: int
    lost: int
    win_rate_frac: float | None
    profit_factor: float | None
    expectancy: Exact | None
    expectancy_r: float | None
    with_r: int
    average_win: Exact | None
    average_loss: Exact | None
    best: Exact | None
    worst: Exact | None
    holding_mean: Lasting | None


class PerformanceOut(Out):
    """What the account earned, beside the same money bought and held."""

    account: CurveOut
    benchmark: CurveOut | None
    beta: float | None
    alpha_frac: float | None
    time_in_market_frac: float | None
    exposure_mean_frac: float | None
    trades: RoundTripsOut
    thinned: bool
    """The curve was longer than what is read of it: falls between the points that were kept are not seen."""

    @classmethod
    def of(cls, performance: Performance, *, thinned: bool) -> Self:
        """Make it from what was measured."""
        return cls(
            account=CurveOut.model_validate(performance.account),
            benchmark=None if performance.benchmark is None else CurveOut.model_validate(performance.benchmark),
            beta=performance.beta, alpha_frac=performance.alpha_frac,
            time_in_market_frac=performance.time_in_market_frac, exposure_mean_frac=performance.exposure_mean_frac,
            trades=RoundTripsOut.model_validate(performance.trades), thinned=thinned,
        )  # fmt: skip
