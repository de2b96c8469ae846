"""Rules about where rows stand: order, repetitions, and the sessions of the market."""

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.cleaning.table import VALUES, Flags, Table
from evil2root.domain.market.sessions import DAY, HOUR, Micros, Sessions, micros

SHIFTED_FRAC = 0.8
"""Share of an answer that fits the calendar after one shift of all times: then the zone slipped."""

EASTMOST = 3 * HOUR
"""A day may open that long before its midnight in UTC: Sydney's does by one hour, Auckland's by two or three."""


def order(table: Table) -> None:
    """Bring rows into order, and say how many came before an earlier one."""
    behind = np.zeros(len(table), dtype=np.bool_)
    behind[1:] = table.at[1:] < np.maximum.accumulate(table.at)[:-1]
    table.note("out_of_order", behind, action="sorted", detail="rows that came after later ones")
    table.sort(np.argsort(table.at, kind="stable"))


def repetitions(table: Table) -> None:
    """Keep one of rows that are the same; where rows of one time differ, none can be believed."""
    again = _same_time(table)
    if not again.any():
        return
    alike = again.copy()
    for name in VALUES:
        column = table.values[name]
        alike[1:] &= (column[1:] == column[:-1]) | (np.isnan(column[1:]) & np.isnan(column[:-1]))
    table.note("duplicate", alike, action="dropped", detail="rows told twice, the same values: one is kept")
    table.keep(~alike)
    again = _same_time(table)
    both = again.copy()
    both[:-1] |= again[1:]
    table.set_aside(
        "duplicate", both, reason="told differently", detail="rows of one time with different values: none is believed"
    )


def _same_time(table: Table) -> Flags:
    again = np.zeros(len(table), dtype=np.bool_)
    again[1:] = table.at[1:] == table.at[:-1]
    return again


def sessions(table: Table, calendar: Sessions, interval: Interval) -> None:
    """Find each bar's close in the calendar; set aside rows at which no bar of this market opens.

    Daily rows may be named by their session's opening or, as most providers do, by midnight of its day in UTC or New
    York; they are named by the opening from here on.
    """
    table.at = named_by_opening(table.at, calendar, interval)
    table.sort(np.argsort(table.at, kind="stable"))
    table.closed = calendar.closes_of(table.at, interval)
    outside = table.closed < 0
    if not outside.any():
        return
    shift = _slip(table.at[outside], calendar, interval) if outside.mean() >= SHIFTED_FRAC else None
    if shift is not None:
        table.set_aside(
            "outside_session", np.ones(len(table), dtype=np.bool_), reason="time zone",
            detail=f"all times lie {shift / HOUR:+g} h off the sessions of {calendar.name}: the time zone slipped",
        )  # fmt: skip
        return
    table.set_aside(
        "outside_session", outside, reason="outside session",
        detail=f"times at which no {interval} bar of {calendar.name} opens",
    )  # fmt: skip


def named_by_opening(at: Micros, calendar: Sessions, interval: Interval) -> Micros:
    """Midnights of UTC (or of New York, 4 or 5 h later) become the opening of their day's session; others stay."""
    if interval is not Interval.D1:
        return at
    opens = calendar.day_opens
    begins = at // DAY * DAY - EASTMOST
    row = np.minimum(np.searchsorted(opens, begins), len(opens) - 1)
    same_day = (opens[row] >= begins) & (opens[row] < begins + DAY)
    midnight = np.isin(at % DAY, (0, 4 * HOUR, 5 * HOUR))
    return np.where(same_day & midnight, opens[row], at)


def on_grid(rows: pl.DataFrame, calendar: Sessions, interval: Interval) -> pl.DataFrame:
    """Return the rows that have a time, named as `sessions` names them: whoever told them."""
    timed = rows.filter(pl.col("opened_at").is_not_null())
    at = named_by_opening(timed["opened_at"].to_physical().to_numpy(), calendar, interval)
    return timed.with_columns(opened_at=pl.Series(at).cast(rows.schema["opened_at"]))


def _slip(at: Micros, calendar: Sessions, interval: Interval) -> int | None:
    """The shift, a multiple of 15 minutes within 14 hours, after which most times fit; none when there is none."""
    step = HOUR // 4
    for quarter in sorted(range(-56, 57), key=abs):
        moved = at - quarter * step
        if quarter and (calendar.closes_of(moved, interval) >= 0).mean() >= SHIFTED_FRAC:
            return quarter * step
    return None


def gaps(table: Table, calendar: Sessions, interval: Interval) -> None:
    """Name each run of bars that should lie between the first and the last and do not."""
    absent = calendar.missing(table.at, interval)
    if not len(absent):
        return
    expected, _ = calendar.grid(interval, start=int(table.at[0]), end=int(table.at[-1]) + micros(interval.length))
    place = np.searchsorted(expected, absent)
    runs = np.split(absent, np.flatnonzero(np.diff(place) != 1) + 1)
    for run in runs:
        table.gap(run)
