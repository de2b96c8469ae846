"""What the sources are worth on the history that is stored: read, computed in a thread, nothing kept."""

import asyncio
from dataclasses import dataclass

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.strategies.strategy import Sourced
from evil2root.domain.market.days import session_of
from evil2root.domain.market.window import WINDOW_BARS
from evil2root.domain.signals.calibration import REGIMES, column_names, regimes
from evil2root.domain.signals.panel import evidence_table
from evil2root.domain.signals.reliability import FUSED, FUSED_HORIZON, Reliability, reliability, said_and_rose
from evil2root.domain.signals.source import Source
from evil2root.domain.signals.standing import STANDING_WARM_UP, with_standings
from evil2root.engine.desk import Desk

SYMBOLS_MAX = 25
"""Symbols looked at, in the order of the watchlist: some 50 ms of one core each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The parameters of one source on one symbol's newest bar."""

    symbol: str
    regime: str
    """Of `REGIMES`, or empty while it is not known yet."""
    slope: float | None
    base: float | None
    """Both none while the prior speaks."""
    outcomes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """One source: how much it weighs, how it did, how its scores are read now."""

    source: Source
    weight: float
    reliability: Reliability
    calibrations: tuple[Calibration, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesReport:
    """All sources, and their view."""

    strategy: str
    sources: tuple[SourceReport, ...]
    """In the panel's order; empty for a strategy without sources."""
    fused: Reliability | None
    symbols: tuple[str, ...]
    """Those looked at."""
    left_out: int
    """Symbols of the watchlist beyond `SYMBOLS_MAX`."""


async def sources_report(desk: Desk) -> SourcesReport:
    """Report on the sources of the strategy in force, up to now."""
    strategy = desk.policy.strategy
    if not isinstance(strategy, Sourced):
        return SourcesReport(strategy=strategy.name, sources=(), fused=None, symbols=(), left_out=0)
    traded = desk.policy.traded
    interval, now = desk.policy.interval, desk.status().now
    # Also those not looked at: standings are among all of them.
    frames = {
        symbol: await desk.reads.bars(symbol, interval, start=None, until=now, limit=WINDOW_BARS + STANDING_WARM_UP)
        for symbol in traded
    }
    looked_at = [symbol for symbol in traded[:SYMBOLS_MAX] if frames[symbol].height]
    left_out = max(0, len(traded) - SYMBOLS_MAX)
    return await asyncio.to_thread(_made, strategy, frames, looked_at, interval=interval, left_out=left_out)


def _made(
    strategy: Sourced, universe: dict[str, pl.DataFrame], looked_at: list[str], *, interval: Interval, left_out: int
) -> SourcesReport:
    sources, weights = strategy.sources, strategy.weights
    frames = {symbol: frame.tail(WINDOW_BARS) for symbol, frame in with_standings(universe, of=looked_at).items()}
    told = said_and_rose(frames, sources, weights, interval=interval)
    newest = {
        symbol: evidence_table(frame, interval=interval, session=session_of(symbol), sources=sources, newest=1)
        for symbol, frame in frames.items()
    }
    by_source = dict(weights.by_source)
    return SourcesReport(
        strategy=strategy.name, sources=tuple(
            SourceReport(
                source=source, weight=by_source.get(source.name, 0.0),
                reliability=reliability(source.name, *told[source.name], horizon=source.horizon),
                calibrations=tuple(_calibration(symbol, row, source.name) for symbol, row in newest.items()),
            )
            for source in sources
        ),
        fused=reliability(FUSED, *told[FUSED], horizon=FUSED_HORIZON), symbols=tuple(frames), left_out=left_out,
    )  # fmt: skip


def _calibration(symbol: str, row: pl.DataFrame, source: str) -> Calibration:
    slope, base, outcomes = (row[name][0] for name in column_names(source))
    place = int(regimes(row)[0])
    return Calibration(
        symbol=symbol, regime=REGIMES[place] if place >= 0 else "", slope=slope, base=base, outcomes=int(outcomes or 0)
    )
