"""The account as a whole."""

import asyncio
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query

from evil2root.api.deps import PROBLEMS, DeskDep
from evil2root.api.schemas.portfolio import EquityPointOut, ExposureNowOut, PerformanceOut, PortfolioOut, ShareOut
from evil2root.api.strict import StrictRoute
from evil2root.api.values import ListOut, midnight, moment
from evil2root.domain.book.performance import measure

router = APIRouter(prefix="/portfolio", route_class=StrictRoute, tags=["portfolio"], responses=PROBLEMS)

POINTS_MAX = 20_000
"""Points the figures are made from: eighty years of days, or two weeks of minutes."""


@router.get("", summary="Cash, positions and equity")
async def get_portfolio(desk: DeskDep) -> PortfolioOut:
    """Tell what the account is worth at the last known prices."""
    return PortfolioOut.of(desk.status(), currency=desk.policy.currency)


@router.get("/equity", summary="The equity curve, oldest first")
async def get_equity(
    desk: DeskDep,
    since: Annotated[str | None, Query(max_length=40, description="RFC 3339, or a plain date (UTC).")] = None,
    points: Annotated[int, Query(ge=2, le=5_000, description="Thinned to at most so many.")] = 1_000,
) -> ListOut[EquityPointOut]:
    """Return the account at each close, thinned; the first and the last point are always there."""
    found = await desk.reads.equity(since=midnight(moment(since, field="since")), points_max=points)
    items = [
        EquityPointOut(
            at=p.at, equity=p.equity, cash=p.cash, gross=p.gross, benchmark=p.benchmark, drawdown=p.drawdown_frac
        )
        for p in found
    ]
    return ListOut(items=items, next=None)


@router.get("/performance", summary="What it earned, and at what risk")
async def get_performance(desk: DeskDep) -> PerformanceOut:
    """Return the statistics of the account beside buying and holding; null where there is too little to tell."""
    points = await desk.reads.equity(since=None, points_max=POINTS_MAX)
    trades = await desk.reads.all_trades(symbol=None)
    measured = await asyncio.to_thread(measure, points, trades=trades, fills=None)
    return PerformanceOut.of(measured, thinned=len(points) >= POINTS_MAX)


@router.get("/exposure", summary="How much is at work")
async def get_exposure(desk: DeskDep) -> ExposureNowOut:
    """Tell gross and net exposure, each symbol's share, and the limits."""
    portfolio, limits = desk.status().portfolio, desk.policy.limits
    equity = portfolio.equity

    def share(value: Decimal) -> float | None:
        return float(value / equity) if equity > 0 else None

    values = [(p, portfolio.value_of(p)) for p in portfolio.positions.values()]
    return ExposureNowOut(
        equity=equity,
        gross=portfolio.gross,
        net=portfolio.value,
        gross_frac=share(portfolio.gross),
        net_frac=share(portfolio.value),
        gross_limit_frac=limits.gross_frac,
        per_symbol_limit_frac=limits.per_symbol_frac,
        positions=len(values),
        positions_limit=limits.positions_max,
        risk_at_stops=portfolio.risk_at_stops,
        by_symbol=[ShareOut(symbol=p.symbol, side=p.side, value=v, frac=share(abs(v))) for p, v in values],
    )
