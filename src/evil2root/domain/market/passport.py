"""The data passport of a bar: what is known of the quality of the data a decision on it would rest on."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.sessions import Micros, Sessions

LOOKBACK = 20
"""Bars of the calendar up to the one decided on that a passport tells about."""

MARKS_SCHEMA = pl.Schema(
    {"opened_at": pl.Datetime("us", "UTC"), "source": pl.String(), "repaired": pl.Boolean(), "agreed": pl.Boolean()}
)
"""What the store knows of a bar beside its numbers, one row a bar, oldest first."""

Flags = npt.NDArray[np.bool_]

NUMBERS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passport:
    """Computed from bars up to this one and nothing later: the same live, in a replay and in a backtest."""

    calendar: str
    """Name of the sessions it was held against."""
    expected: int
    """Bars of the calendar looked back on, this one included; fewer at the start of a series."""
    missing: int
    """Those of them that are not there: never told, or quarantined."""
    off_calendar: bool
    """True when the calendar knows no such bar."""
    repeats: int
    """Bars in a row, up to this one, with the same five numbers; 1 when it differs from the one before."""
    source: str = ""
    """Who told the bar; empty where the run was not told."""
    repaired: int = 0
    """Bars looked back on of which a rule changed a value."""
    agreed: bool = False
    """Does another source tell the same close?"""


def passports(
    bars: pl.DataFrame, sessions: Sessions, interval: Interval, *, marks: pl.DataFrame | None = None
) -> list[Passport]:
    """Return a passport for every row of `bars`.

    Parameters
    ----------
    bars
        `BARS_SCHEMA`, oldest first, from the first bar of the series on or at least `LOOKBACK` rows before the ones
        that are asked about, so that the start of the table is not taken for that of the series.
    marks
        `MARKS_SCHEMA`; bars without a row there have no known source.

    Notes
    -----
    A row depends on itself and the rows before it. Cost: rows.
    """
    if not bars.height:
        return []
    opened = bars["opened_at"].to_physical().to_numpy()
    grid, _ = sessions.grid(interval, start=int(opened[0]), end=int(opened[-1]) + 1)
    known = np.isin(opened, grid, assume_unique=True)
    place = np.searchsorted(grid, opened, side="right")  # bars of the calendar up to and with each row
    expected = np.minimum(place, LOOKBACK)
    there = np.searchsorted(opened[known], _since(grid, place), side="left")
    have = np.cumsum(known) - there
    source, repaired, agreed = _marked(opened, marks)
    window = np.searchsorted(opened, _since(grid, place), side="left")
    changed = np.concatenate(([0], np.cumsum(repaired)))
    repaired_in = changed[np.arange(1, len(opened) + 1)] - changed[np.minimum(window, np.arange(len(opened)))]
    columns = zip(
        expected.tolist(), (expected - have).tolist(), (~known).tolist(), _repeats(bars).tolist(), source,
        repaired_in.tolist(), agreed.tolist(), strict=True,
    )  # fmt: skip
    return [
        Passport(
            calendar=sessions.name, expected=e, missing=m, off_calendar=o, repeats=r, source=s, repaired=c, agreed=a
        )
        for e, m, o, r, s, c, a in columns
    ]


def passport_at(
    bars: pl.DataFrame, sessions: Sessions, interval: Interval, *, marks: pl.DataFrame | None = None
) -> Passport:
    """Return the passport of the last of `bars`, equal to the last of `passports` over the whole series.

    Cost: bars looked back on; a tail holds them all, as each bar of the calendar is in it once at most, and bars the
    calendar does not know lengthen it.
    """
    tail = 2 * LOOKBACK
    while True:
        part = bars.tail(tail)
        opened = _openings(part)
        grid, _ = sessions.grid(interval, start=int(opened[0]), end=int(opened[-1]) + 1)
        repeats = _repeats_at_end(part)
        if len(grid) > LOOKBACK and repeats < part.height:
            return _of_the_last(opened, grid[-LOOKBACK:], calendar=sessions.name, repeats=repeats, marks=marks)
        if tail >= bars.height:
            return passports(part, sessions, interval, marks=marks)[-1]
        tail *= 4


def _of_the_last(
    opened: Micros, grid: Micros, *, calendar: str, repeats: int, marks: pl.DataFrame | None
) -> Passport:  # fmt: skip
    """The passport of the last opening, given the bars of the calendar it looks back on."""
    window = opened[np.searchsorted(opened, grid[0]) :]
    known = grid[np.minimum(np.searchsorted(grid, window), LOOKBACK - 1)] == window
    source, repaired, agreed = _marked(window, marks)
    return Passport(
        calendar=calendar, expected=LOOKBACK, missing=LOOKBACK - int(known.sum()), off_calendar=not known[-1],
        repeats=repeats, source=source[-1], repaired=int(repaired.sum()), agreed=bool(agreed[-1]),
    )  # fmt: skip


def _openings(table: pl.DataFrame) -> Micros:
    """Microseconds from 1970. `to_physical` would ask the query engine: that takes longer than all the rest."""
    return table["opened_at"].to_numpy().view(np.int64)


def _repeats_at_end(part: pl.DataFrame) -> int:
    """The last of `_repeats`: nearly always found at the first look."""
    if part.height < 2 or any(part[name].item(-1) != part[name].item(-2) for name in NUMBERS):
        return 1
    return int(_repeats(part)[-1])


def _since(grid: Micros, place: Micros) -> Micros:
    """Opening of the first bar of the calendar each row looks back on; far back where there is none."""
    first = np.maximum(place - LOOKBACK, 0)
    return grid[np.minimum(first, len(grid) - 1)] if len(grid) else np.zeros(len(place), np.int64)


def _repeats(bars: pl.DataFrame) -> Micros:
    same = np.ones(bars.height, dtype=np.bool_)
    same[0] = False
    for name in NUMBERS:
        column = bars[name].to_numpy()
        same[1:] &= column[1:] == column[:-1]
    row = np.arange(bars.height)
    return row - np.maximum.accumulate(np.where(same, 0, row)) + 1


def _marked(opened: Micros, marks: pl.DataFrame | None) -> tuple[list[str], Flags, Flags]:
    nobody = np.zeros(len(opened), dtype=np.bool_)
    if marks is None or not marks.height:
        return [""] * len(opened), nobody, nobody
    at = _openings(marks)
    row = np.minimum(np.searchsorted(at, opened), len(at) - 1)
    found = at[row] == opened
    told = marks["source"].to_list()
    source = [told[r] if f else "" for r, f in zip(row.tolist(), found.tolist(), strict=True)]
    return source, found & marks["repaired"].to_numpy()[row], found & marks["agreed"].to_numpy()[row]
