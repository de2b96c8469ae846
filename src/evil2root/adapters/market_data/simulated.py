"""Invented bars, as a source like any other: for tests and drills, never for money."""

import asyncio
from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from evil2root.adapters.market_data.invention import FIRST_DAY, LAST_DAY, MINUTES, Minutes, minutes
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import Instrument, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import NotCovered
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.sessions import DAY, EPOCH, MICROSECOND, Micros, Sessions
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

MINUTE = DAY // MINUTES


class SimulatedSource:
    """Tells of every symbol there could be; the same seed, symbol and time always give the same bar.

    Bars of all intervals are made of the same minutes. Only what is over is told: the future is not known here either.
    """

    name = "simulated"

    def __init__(self, seed: int, *, clock: Clock, calendars: Calendars) -> None:
        self._seed, self._clock, self._calendars = seed, clock, calendars

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        """Return bars that open in `[start, end)` and are over. Raises `NotCovered` for what can be no symbol."""
        asked_at = self._clock.now()
        try:
            instrument = instrument_for(symbol)
        except ValueError as problem:
            raise NotCovered(str(problem)) from problem
        rows = await asyncio.to_thread(self._rows, instrument, interval, start, end, asked_at)
        return Fetched(symbol=symbol, interval=interval, rows=rows, source=self.name, fetched_at=asked_at)

    async def close(self) -> None:
        """Nothing is held open."""

    def _rows(self, instrument: Instrument, interval: Interval, *period: datetime) -> pl.DataFrame:
        first, last, now = ((at - EPOCH) // MICROSECOND for at in period)
        sessions = self._calendars.sessions(instrument)
        first, last = max(first, FIRST_DAY * DAY), min(last, (LAST_DAY - 2) * DAY)
        opened, closed = sessions.grid(interval, start=first, end=max(first, last))
        over = closed <= now
        opened, closed = opened[over], closed[over]
        if not len(opened):
            return pl.DataFrame(schema=RAW_SCHEMA)
        made = self._minutes(instrument, sessions, int(opened[0]) // DAY, int(closed[-1] - 1) // DAY)
        return _bars(made, opened, closed, tick=float(instrument.tick or 0.0001))

    def _minutes(self, instrument: Instrument, sessions: Sessions, first: int, last: int) -> tuple[int, list[Minutes]]:
        days = range(first, last + 1)
        return first, [minutes(self._seed, instrument, day, _is_open(sessions, day)) for day in days]


def _is_open(sessions: Sessions, day: int) -> npt.NDArray[np.bool_]:
    """Tell of each minute of a day, UTC, whether the market is open as it begins."""
    at = day * DAY + MINUTE * np.arange(MINUTES)
    row = np.searchsorted(sessions.opens, at, side="right") - 1
    return (row >= 0) & (at < sessions.closes[np.maximum(row, 0)])


def _bars(made: tuple[int, list[Minutes]], opened: Micros, closed: Micros, *, tick: float) -> pl.DataFrame:
    """Put minutes together, one row for each pair of opening and close."""
    first_day, days = made
    begin = (opened - first_day * DAY) // MINUTE
    end = (closed - first_day * DAY) // MINUTE
    starts = np.concatenate([day.edges[:-1] for day in days])
    ends = np.concatenate([day.edges[1:] for day in days])
    # Pairs of begin and end: `reduceat` fills every other slot with what lies between two bars.
    inside = np.minimum(np.ravel(np.column_stack([begin, end])), len(starts) - 1)

    def over(ufunc: np.ufunc, name: str) -> npt.NDArray[np.float64]:
        values = np.concatenate([getattr(day, name) for day in days])
        if int(end[-1]) == len(values):  # the last bar ends with the last minute: nothing lies behind it
            return np.asarray(ufunc.reduceat(values, inside[:-1])[::2])
        return np.asarray(ufunc.reduceat(values, inside)[::2])

    prices = {
        "open": starts[begin], "high": over(np.maximum, "highs"), "low": over(np.minimum, "lows"),
        "close": ends[end - 1],
    }  # fmt: skip
    # Rounded again: 49321 x 0.01 is not the float nearest to 493.21.
    on_tick = {name: np.round(np.maximum(np.round(v / tick), 1.0) * tick, 10) for name, v in prices.items()}
    at = pl.Series(opened).cast(RAW_SCHEMA["opened_at"])
    rows = {"opened_at": at, **on_tick, "volume": np.round(over(np.add, "volumes")), "factor": np.ones(len(opened))}
    return pl.DataFrame(rows, schema=RAW_SCHEMA)
