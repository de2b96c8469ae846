"""Pictures of charts for reports and messages: what is stored, drawn in a thread, one at a time."""

import asyncio

from evil2root.domain.book.positions import Trade
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import session_of
from evil2root.domain.signals.levels.find import HISTORY_MAX, levels
from evil2root.domain.signals.patterns.detect import patterns
from evil2root.engine.chart_drawing import Subject, png
from evil2root.engine.chart_overlays import Mark
from evil2root.engine.desk import Desk

BARS_READ = HISTORY_MAX
TRADES_MAX = 40
_ONE_AT_A_TIME = asyncio.Semaphore(1)
"""A picture costs half a second of one core: two at once would only hold up the rest for longer."""


async def chart_picture(desk: Desk, symbol: str, interval: Interval, *, theme: str) -> bytes | None:
    """Draw what the Symbol page shows; none while no bar is stored. The caller has checked symbol and theme."""
    async with _ONE_AT_A_TIME:
        subject = await subject_of(desk, symbol, interval)
        return None if subject is None else await asyncio.to_thread(png, subject, theme=theme)


async def subject_of(desk: Desk, symbol: str, interval: Interval) -> Subject | None:
    """What the Symbol page shows; none while no bar is stored."""
    now = desk.status().now
    frame = await desk.reads.bars(symbol, interval, start=None, until=now, limit=BARS_READ)
    if not frame.height:
        return None
    trades = await desk.reads.trades(symbol=symbol, limit=TRADES_MAX, cursor=None)
    marks = [mark for trade in trades.items for mark in _round_trip(trade, desk.policy.currency)]
    held = desk.status().portfolio.positions.get(symbol)
    lines: list[tuple[str, float]] = []
    if held is not None:
        marks.append(Mark(at=held.opened_at, is_buy=held.quantity > 0))
        named = (("entry", held.average_price), ("stop", held.stop), ("target", held.target))
        lines = [(name, float(value)) for name, value in named if value is not None]
    instrument = desk.policy.instruments.get(symbol)
    shapes = await asyncio.to_thread(patterns, frame, symbol=symbol, interval=interval)
    return Subject(
        title=f"{symbol}  {interval.value}", bars=frame,
        decimals=decimals(instrument, frame["close"][-1]), has_volume=instrument is None or instrument.has_volume,
        patterns=shapes, levels=await asyncio.to_thread(levels, frame, session=session_of(symbol)), marks=marks, lines=lines,
    )  # fmt: skip


def decimals(instrument: Instrument | None, last: float | None) -> int:
    """Decimals of a price on a chart: those of the tick; without one, by how large the price is."""
    if instrument is None or instrument.tick is None:
        return 2 if last is None or last >= 10 else 4
    exponent = instrument.tick.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 2


def _round_trip(trade: Trade, currency: str) -> tuple[Mark, Mark]:
    is_buy = trade.side is Side.BUY
    says, gained = (f"{trade.pnl:+,.2f} {currency}", trade.pnl) if trade.r is None else (f"{trade.r:+.2f}R", trade.r)
    shown = round(gained, 2)
    tone = "up" if shown > 0 else "down" if shown < 0 else "text"
    says = says.replace("-", "\N{MINUS SIGN}") if shown else says.lstrip("+-")
    return Mark(at=trade.entry_time, is_buy=is_buy), Mark(at=trade.exit_time, is_buy=not is_buy, says=says, tone=tone)
