"""Bar intervals by their public names."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum


class Interval(StrEnum):
    """The length of a bar."""

    M1 = "1m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def length(self) -> timedelta:
        """Time from a bar's opening to its close on a round-the-clock market; a daily session is shorter."""
        return _LENGTHS[self]

    @property
    def bars_a_year(self) -> float:
        """Bars in a year of 252 sessions of 6.5 hours; what statistics are scaled by when nothing better is known."""
        if self is Interval.D1:
            return 252.0
        return 252.0 * 6.5 * 3600.0 / self.length.total_seconds()


_LENGTHS = {
    Interval.M1: timedelta(minutes=1),
    Interval.M5: timedelta(minutes=5),
    Interval.M15: timedelta(minutes=15),
    Interval.M30: timedelta(minutes=30),
    Interval.H1: timedelta(hours=1),
    Interval.H4: timedelta(hours=4),
    Interval.D1: timedelta(days=1),
}


def interval(name: str) -> Interval:
    """Return the interval called `name`, or raise `ValueError` that lists the known ones."""
    try:
        return Interval(name)
    except ValueError:
        known = " ".join(i.value for i in Interval)
        msg = f"{name!r} is not an interval; use one of {known}."
        raise ValueError(msg) from None


def require_aware(moment: datetime, *, what: str) -> datetime:
    """Return `moment` in UTC; a time without a zone is refused where it enters."""
    if moment.tzinfo is None:
        msg = f"{what} {moment.isoformat()} has no time zone; attach one where the value enters the program."
        raise ValueError(msg)
    return moment.astimezone(UTC)
