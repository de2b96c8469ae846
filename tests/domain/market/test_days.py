from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.listings import Session
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import session_of, trading_days, trading_months, trading_parts, trading_weeks
from evil2root.domain.market.sessions import EPOCH, HOUR, MICROSECOND, Micros

FX, COIN, SHARE, SYDNEY = (session_of(symbol) for symbol in ("EURUSD=X", "BTC-USD", "AAPL", "BHP.AX"))


def micros(*times: datetime) -> Micros:
    return np.array([(at - EPOCH) // MICROSECOND for at in times], dtype=np.int64)


def day(at: datetime, session: Session) -> date:
    return date(1970, 1, 1) + timedelta(days=int(trading_days(micros(at), session=session)[0]))


@pytest.mark.parametrize(
    ("session", "at", "expected"),
    [
        (FX, datetime(2017, 11, 19, 22, tzinfo=UTC), date(2017, 11, 20)),  # Sunday, 17:00 in New York
        (FX, datetime(2017, 11, 20, 21, 59, tzinfo=UTC), date(2017, 11, 20)),
        (FX, datetime(2017, 11, 20, 22, tzinfo=UTC), date(2017, 11, 21)),
        (FX, datetime(2017, 7, 16, 21, tzinfo=UTC), date(2017, 7, 17)),  # the same in summer
        (FX, datetime(2017, 7, 17, 20, 59, tzinfo=UTC), date(2017, 7, 17)),
        (FX, datetime(2017, 7, 17, tzinfo=UTC), date(2017, 7, 17)),  # a daily bar is of its own date
        (COIN, datetime(2017, 11, 19, 23, 59, tzinfo=UTC), date(2017, 11, 19)),
        (COIN, datetime(2017, 11, 20, tzinfo=UTC), date(2017, 11, 20)),
        (SHARE, datetime(2017, 11, 20, 14, 30, tzinfo=UTC), date(2017, 11, 20)),
        (SYDNEY, datetime(2017, 11, 19, 23, tzinfo=UTC), date(2017, 11, 20)),  # Monday at ten
        (SYDNEY, datetime(2017, 11, 20, 4, tzinfo=UTC), date(2017, 11, 20)),
    ],
)
def test_a_day_is_cut_where_its_market_cuts_it(session: Session, at: datetime, expected: date) -> None:
    assert day(at, session) == expected


def test_a_currencys_whole_history_is_whole_days_five_a_week() -> None:
    opened = packaged(Interval.H1)["EURUSD=X"].stored["opened_at"].to_physical().to_numpy()

    days, lengths = np.unique(trading_days(opened, session=FX), return_counts=True)

    assert np.isin((days + 3) % 7, range(5)).all(), "Monday to Friday"
    assert lengths.max() == 24
    assert (lengths < 24).sum() == 1, "Christmas; cut at midnight in UTC 52 of 312 have three hours at most"


def test_weeks_begin_with_mondays_session_and_months_with_the_first_days() -> None:
    sunday, saturday = datetime(2017, 12, 31, 22, tzinfo=UTC), datetime(2017, 12, 30, 12, tzinfo=UTC)
    times = micros(saturday, sunday, datetime(2018, 1, 5, 21, tzinfo=UTC), datetime(2018, 1, 7, 22, tzinfo=UTC))

    before, *same, after = trading_weeks(times, session=FX).tolist()

    assert same == [before + 1] * 2
    assert after == before + 2
    assert trading_months(times, session=FX).tolist() == [575, 576, 576, 576]  # December 2017, January 2018


@pytest.mark.parametrize("summer", [False, True])
def test_parts_count_from_the_opening_in_summer_and_winter(summer: bool) -> None:
    opening = datetime(2017, 7, 17, 13, 30, tzinfo=UTC) if summer else datetime(2017, 11, 20, 14, 30, tzinfo=UTC)
    times = micros(*(opening + timedelta(minutes=30 * n) for n in range(13)), opening + timedelta(days=1))

    parts = trading_parts(times, session=SHARE, length=4 * HOUR)

    assert (np.flatnonzero(np.diff(parts)) + 1).tolist() == [8, 13]
    assert (np.diff(parts) >= 0).all()
