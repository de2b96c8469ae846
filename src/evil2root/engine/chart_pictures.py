"""Pictures of charts for reports and messages: what is stored, drawn in a thread, one at a time."""

import asyncio

import polars as pl

from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import session_of
from evil2root.domain.signals.levels.find import HISTORY_MAX, levels
from evil2root.domain.signals.patterns.detect import patterns
from evil2root.engine.chart_drawing import Mark, Subject, png
from evil2root.engine.desk import Desk

BARS_READ = HISTORY_MAX
TRADES_MAX = 40
_ONE_AT_A_TIME = asyncio.Semaphore(1)
"""A picture costs half a second of one core: two at once would only hold up the rest for longer."""


async def chart_picture(desk: Desk, symbol: str, interval: Interval, *, theme: str) -> bytes | None:
    """Draw what the Symbol page shows; none while no bar is stored. The caller has checked symbol and theme."""
    now = desk.status().now
    frame = await desk.reads.bars(symbol, interval, start=None, until=now, limit=BARS_READ)
    if not frame.height:
        return None
    trades = await desk.reads.trades(symbol=symbol, limit=TRADES_MAX, cursor=None)
    marks = [Mark(at=t.entry_time, is_buy=t.side is Side.BUY) for t in trades.items]
    marks += [Mark(at=t.exit_time, is_buy=t.side is not Side.BUY) for t in trades.items]
    held = desk.status().portfolio.positions.get(symbol)
    lines: list[tuple[str, float]] = []
    if held is not None:
        marks.append(Mark(at=held.opened_at, is_buy=held.quantity > 0))
        named = (("entry", held.average_price), ("stop", held.stop), ("target", held.target))
        lines = [(name, float(value)) for name, value in named if value is not None]
    async with _ONE_AT_A_TIME:
        return await asyncio.to_thread(_drawn, frame, symbol, interval, marks, lines, theme)


def _drawn(  # noqa: PLR0913 - what is on it
    frame: pl.DataFrame, symbol: str, interval: Interval, marks: list[Mark], lines: list[tuple[str, float]], theme: str
) -> bytes:
    subject = Subject(
        title=f"{symbol}  {interval.value}  {frame['closed_at'][-1]:%d %b %Y}", bars=frame,
        patterns=patterns(frame, symbol=symbol, interval=interval), levels=levels(frame, session=session_of(symbol)),
        marks=marks, lines=lines,
    )  # fmt: skip
    return png(subject, theme=theme)
