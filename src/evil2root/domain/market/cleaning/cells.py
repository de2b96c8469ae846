"""Rules about a single row: its time and its values."""

import numpy as np

from evil2root.domain.market.cleaning.table import NO_TIME, Floats, Table
from evil2root.domain.market.sessions import EPOCH, MICROSECOND, Sessions

PRICE_LEAST, PRICE_MOST = 1e-12, 1e12
"""No instrument is quoted outside."""
VOLUME_MOST = 1e15
FACTOR_LEAST, FACTOR_MOST = 1e-6, 1e6
TICK_FRAC = 1e-9
"""A high this little below the close is rounding of the source, and is lifted to it."""

PRICES = ("open", "high", "low", "close")


def times(table: Table, sessions: Sessions) -> None:
    """Set aside rows whose time can't be read, lies in the future, or beyond the calendar (1970 among them)."""
    table.set_aside("bad_value", table.at == NO_TIME, reason="time", detail="a time that is missing or can't be read")
    now = (table.fetched_at - EPOCH) // MICROSECOND
    table.set_aside("bad_value", table.at > now, reason="future", detail="a time in the future")
    first = min(int(sessions.opens[0]), int(sessions.day_opens[0]))
    table.set_aside(
        "bad_value", table.at < first, reason="too early",
        detail=f"a time before {sessions.covers[0].date()}, where the calendar of {sessions.name} begins",
    )  # fmt: skip
    table.set_aside(
        "bad_value", table.at >= max(int(sessions.closes[-1]), int(sessions.day_closes[-1])), reason="too late",
        detail=f"a time after {sessions.covers[1].date()}, where the calendar of {sessions.name} ends",
    )  # fmt: skip


def values(table: Table, *, has_volume: bool) -> None:
    """Set aside rows whose prices, volume or factor can't be true; lift a high that is below the close by rounding."""
    numbers = [table.values[name] for name in PRICES]
    known = np.logical_and.reduce([np.isfinite(column) for column in numbers])
    table.set_aside("bad_value", ~known, reason="no number", detail="a price that is missing, NaN or infinite")
    low = np.minimum.reduce([table.values[name] for name in PRICES])
    table.set_aside("bad_value", low <= 0, reason="not positive", detail="a price of zero or below")
    low, high = _span(table)
    absurd = (low < PRICE_LEAST) | (high > PRICE_MOST)
    table.set_aside("bad_value", absurd, reason="absurd", detail=f"a price outside {PRICE_LEAST:g} to {PRICE_MOST:g}")
    _volume(table, has_volume=has_volume)
    factor = table.values["factor"]
    bad = ~np.isnan(factor) & ~((factor >= FACTOR_LEAST) & (factor <= FACTOR_MOST))
    table.set_aside("bad_value", bad, reason="factor", detail="an adjusting factor that can't be one")
    _enclose(table)


def _span(table: Table) -> tuple[Floats, Floats]:
    columns = [table.values[name] for name in PRICES]
    return np.minimum.reduce(columns), np.maximum.reduce(columns)


def _volume(table: Table, *, has_volume: bool) -> None:
    volume = table.values["volume"]
    if not has_volume:
        missing = np.isnan(volume)
        table.note("bad_value", missing, action="repaired", detail="no volume is told for this market: read as 0")
        table.values["volume"] = volume = np.where(missing, 0.0, volume)
    bad = ~((volume >= 0) & (volume <= VOLUME_MOST))
    table.set_aside(
        "bad_value", bad, reason="volume", detail=f"a volume that is missing, NaN, below zero or above {VOLUME_MOST:g}"
    )


def _enclose(table: Table) -> None:
    low, high = _span(table)
    short = (table.values["high"] < high) | (table.values["low"] > low)
    wrong = (table.values["high"] < high * (1 - TICK_FRAC)) | (table.values["low"] > low * (1 + TICK_FRAC))
    little = short & ~wrong
    table.note("bad_value", little, action="repaired", detail="a high or low that missed the close by rounding")
    table.repaired.update(table.at[little].tolist())
    table.values["high"] = np.where(little, high, table.values["high"])
    table.values["low"] = np.where(little, low, table.values["low"])
    table.set_aside(
        "bad_value", wrong, reason="high below low", detail="a high or low that does not enclose the other prices"
    )
