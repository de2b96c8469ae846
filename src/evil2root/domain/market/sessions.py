"""When a market is open: plain tables of openings and closes. An adapter fills them; nothing here knows a calendar.

Times are microseconds from 1970, UTC, as Int64: holidays, half days and clock changes are simply other numbers.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from evil2root.domain.core.instrument import FX_WEEK, ROUND_THE_CLOCK, Instrument
from evil2root.domain.core.timeframe import Interval

Micros = npt.NDArray[np.int64]

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3_600_000_000
DAY = 24 * HOUR
WEEK = 7 * DAY

FIRST, LAST = date(1990, 1, 1), date(2040, 1, 1)
"""Days that computed tables cover; an exchange's own may end earlier."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sessions:
    """Trading times of one market, oldest first, not overlapping, half-open `[opens, closes)`.

    A day with a lunch break is two sessions: bars shorter than a day count from each one's opening and end with it.
    Equal tables are told by `name`: it names market and version.
    """

    name: str
    opens: Micros
    closes: Micros
    day_opens: Micros
    day_closes: Micros
    """The daily bars; the same as the sessions but for a market whose session is a week, or whose day has a break."""
    is_known: bool = True
    """False for `nowhere`."""

    def __post_init__(self) -> None:
        for opens, closes in ((self.opens, self.closes), (self.day_opens, self.day_closes)):
            if len(opens) != len(closes) or not len(opens):
                msg = f"Sessions {self.name}: {len(opens)} openings and {len(closes)} closes; both, and at least one."
                raise ValueError(msg)
            if (closes <= opens).any() or (opens[1:] < closes[:-1]).any():
                msg = f"Sessions {self.name} must each have a length, be in order and not overlap."
                raise ValueError(msg)

    @property
    def covers(self) -> tuple[datetime, datetime]:
        """First opening and last close; nothing is known of what lies outside."""
        return moment(int(self.opens[0])), moment(int(self.closes[-1]))

    def grid(self, interval: Interval, *, start: int, end: int) -> tuple[Micros, Micros]:
        """Openings and closes of all bars that open in `[start, end)`, microseconds.

        Bars of a session count from its opening; the last one ends with it, however short. Cost: bars asked for.
        """
        if interval is Interval.D1:
            inside = slice(*np.searchsorted(self.day_opens, (start, end)))
            return self.day_opens[inside], self.day_closes[inside]
        length = micros(interval.length)
        first = max(0, int(np.searchsorted(self.opens, start, side="right")) - 1)
        last = int(np.searchsorted(self.opens, end))
        opens, closes = self.opens[first:last], self.closes[first:last]
        counts = -((opens - closes) // length)
        ends = np.cumsum(counts)
        within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
        opened = np.repeat(opens, counts) + within * length
        closed = np.minimum(opened + length, np.repeat(closes, counts))
        inside = slice(*np.searchsorted(opened, (start, end)))
        return opened[inside], closed[inside]

    def closes_of(self, opened: Micros, interval: Interval) -> Micros:
        """When bars that opened at these times were known; -1 for a time at which no bar of this market opens.

        Parameters
        ----------
        opened
            Microseconds, any order.
        """
        table = self.day_opens if interval is Interval.D1 else self.opens
        row = np.searchsorted(table, opened, side="right") - 1
        at = np.maximum(row, 0)
        if interval is Interval.D1:
            return np.where((row >= 0) & (self.day_opens[at] == opened), self.day_closes[at], -1)
        length = micros(interval.length)
        ends = self.closes[at]
        fits = (row >= 0) & (opened < ends) & ((opened - self.opens[at]) % length == 0)
        return np.where(fits, np.minimum(opened + length, ends), -1)

    def missing(self, opened: Micros, interval: Interval) -> Micros:
        """Openings of bars that should lie between the first and the last of `opened` (ascending) and do not."""
        if len(opened) < 2:
            return np.empty(0, np.int64)
        expected, _ = self.grid(interval, start=int(opened[0]), end=int(opened[-1]))
        return expected[~np.isin(expected, opened, assume_unique=True)]

    def is_open(self, at: datetime) -> bool:
        """Is the market open at this moment?"""
        now = (at - EPOCH) // MICROSECOND
        row = int(np.searchsorted(self.opens, now, side="right")) - 1
        return row >= 0 and now < int(self.closes[row])

    def stopped_at(self, at: datetime) -> datetime | None:
        """When trading stopped last, for the night or a break; none where the table does not reach."""
        row = int(np.searchsorted(self.closes, (at - EPOCH) // MICROSECOND, side="right")) - 1
        return moment(int(self.closes[row])) if row >= 0 else None

    def last_close(self, interval: Interval, *, at: datetime) -> datetime | None:
        """When the newest bar closed that was over at `at`; none where the table does not reach."""
        now = (at - EPOCH) // MICROSECOND
        _, closed = self.grid(interval, start=now - 14 * DAY, end=now)
        row = int(np.searchsorted(closed, now, side="right")) - 1
        return moment(int(closed[row])) if row >= 0 else None


def micros(span: timedelta) -> int:
    """A span in microseconds."""
    return span // MICROSECOND


def moment(at: int) -> datetime:
    """Microseconds from 1970 as a time."""
    return EPOCH + timedelta(microseconds=at)


def round_the_clock(first: date = FIRST, last: date = LAST) -> Sessions:
    """A market that never closes: a session a day, from midnight to midnight UTC."""
    opens = _days(first, last)
    return Sessions(name=ROUND_THE_CLOCK.name, opens=opens, closes=opens + DAY, day_opens=opens, day_closes=opens + DAY)


def fx_week(first: date = FIRST, last: date = LAST) -> Sessions:
    """Currencies: Sunday to Friday, 17:00 in New York each. Daily bars are the days of UTC from Monday to Friday."""
    days = _days(first, last)
    weekday = (days // DAY + 3) % 7  # Monday is 0: 1970 began on a Thursday
    sundays = days[weekday == 6]
    opens, closes = _five_in_new_york(sundays), _five_in_new_york(sundays + 5 * DAY)
    days = days[weekday < 5]
    return Sessions(name=FX_WEEK.name, opens=opens, closes=closes, day_opens=days, day_closes=days + DAY)


def nowhere(name: str) -> Sessions:
    """A market nobody knows the sessions of: its table ends with the first microsecond of 1970."""
    opens = np.zeros(1, np.int64)
    closes = opens + 1
    return Sessions(name=name, opens=opens, closes=closes, day_opens=opens, day_closes=closes, is_known=False)


def computed(instrument: Instrument) -> Sessions | None:
    """The sessions of a market that needs no calendar; none for an exchange."""
    if instrument.session == ROUND_THE_CLOCK:
        return round_the_clock()
    return fx_week() if instrument.session == FX_WEEK else None


def _days(first: date, last: date) -> Micros:
    begin = (datetime(first.year, first.month, first.day, tzinfo=UTC) - EPOCH) // timedelta(days=1)
    end = (datetime(last.year, last.month, last.day, tzinfo=UTC) - EPOCH) // timedelta(days=1)
    return np.arange(begin, end, dtype=np.int64) * DAY


def _five_in_new_york(days: Micros) -> Micros:
    """17:00 in New York on these days."""
    at = pl.Series(days).cast(pl.Datetime("us")) + timedelta(hours=17)
    return at.dt.replace_time_zone("America/New_York").dt.convert_time_zone("UTC").to_physical().to_numpy()
