"""The trading day a time belongs to, and hours and weeks of trading days.

Cut where the market cuts them, not at midnight in UTC: a currency's Monday begins on Sunday at 17:00 in New York, a
share's day in Sydney lies across midnight in UTC.
"""

import numpy as np
import polars as pl

from evil2root.domain.core.instrument import FX_WEEK, instrument_for
from evil2root.domain.core.listings import NEW_YORK, Session
from evil2root.domain.market.sessions import DAY, HOUR, Micros

FX_DAY_BEGINS = 17 * HOUR
"""A currency's day begins at 17:00 in New York, as its week does."""
PARTS_MAX = 64
"""More than the hours before and after an opening that can fall into one day."""


def session_of(symbol: str) -> Session:
    """The hours a symbol is traded in. Raises `ValueError` for a name that is no symbol."""
    return instrument_for(symbol).session


def trading_days(opened: Micros, *, session: Session) -> Micros:
    """The day each bar belongs to, as days from 1970-01-01.

    Round the clock it is the day of UTC. For currencies it begins at 17:00 in New York and is named by the date it
    ends on. Else it is the date where the exchange is.
    """
    wall, _ = _clock(opened, session)
    return wall // DAY


def trading_weeks(opened: Micros, *, session: Session) -> Micros:
    """Weeks of trading days, from Monday to Sunday."""
    return (trading_days(opened, session=session) + 3) // 7  # 1970 began on a Thursday


def trading_months(opened: Micros, *, session: Session) -> Micros:
    """Months of trading days, from January 1970."""
    return trading_days(opened, session=session).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def trading_parts(opened: Micros, *, session: Session, length: int) -> Micros:
    """Parts of trading days, `length` microseconds each (an hour or more), counted from the opening; larger is later.

    They begin where the market's day does, so that the first one is whole in summer and in winter.
    """
    wall, opens = _clock(opened, session)
    return wall // DAY * PARTS_MAX + (wall % DAY - opens) // length


def _clock(opened: Micros, session: Session) -> tuple[Micros, int]:
    """Times as the market's own clock shows them, its day beginning at 0; and when in it the market opens."""
    if session == FX_WEEK:
        return _wall(opened, NEW_YORK.zone) + (DAY - FX_DAY_BEGINS), 0
    opens = session.opens
    return _wall(opened, session.zone), opens.hour * HOUR + opens.minute * HOUR // 60


def _wall(opened: Micros, zone: str) -> Micros:
    if zone == "UTC":
        return opened
    at = pl.Series(opened).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    return at.dt.replace_time_zone(None).to_physical().to_numpy()
