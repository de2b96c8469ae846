"""The mark of a series of bars: another one after every change of ours, so that what was read before is not taken for it.

Drawn at random: a counter would come back with a restored backup and then stand for other bars. Bars changed by
other hands keep their mark; what was read of them is forgotten within a minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.domain.core.timeframe import Interval

_CHANGED = (
    "INSERT INTO bar_series (symbol, interval, mark) "
    "SELECT s, i, gen_random_uuid()::text FROM unnest($1::text[], $2::text[]) AS changed (s, i) "
    "ON CONFLICT (symbol, interval) DO UPDATE SET mark = excluded.mark"
)
_STAMP = text(
    "SELECT s.mark, (SELECT b.opened_at FROM bars b WHERE b.symbol = s.symbol AND b.interval = s.interval "
    "AND b.opened_at < :until AND b.closed_at <= :until ORDER BY b.opened_at DESC LIMIT 1) AS newest "
    "FROM bar_series s WHERE s.symbol = :symbol AND s.interval = :interval"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the newest bars of a series depend on, as long as it is the same."""

    mark: str
    newest: datetime
    """Opening of the last bar that is known."""


async def changed(raw: "asyncpg.Connection[Any]", series: Sequence[tuple[str, str]]) -> None:
    """Give new marks to series (symbol and interval) whose bars this transaction changes."""
    each = sorted(set(series))  # in one order: two loads then never wait for each other
    if each:
        await raw.execute(_CHANGED, [symbol for symbol, _ in each], [interval for _, interval in each])


async def stamp(engine: AsyncEngine, symbol: str, interval: Interval, *, until: datetime) -> Stamp | None:
    """Return the stamp of the bars that closed at or before `until`, None without bars or mark."""
    asked = {"symbol": symbol, "interval": interval.value, "until": until}
    async with engine.connect() as connection:
        row = (await connection.execute(_STAMP, asked)).one_or_none()
    return None if row is None or row.newest is None else Stamp(mark=row.mark, newest=row.newest)
