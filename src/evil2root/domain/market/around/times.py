"""The calendar: weekday, month, turn of the month, part of the session.

Regular hours and weekdays are used, and no table of sessions: one made today knows of closures that nobody knew of then.
"""

from collections.abc import Mapping
from datetime import time, timedelta
from math import inf

import numpy as np
import polars as pl

from evil2root.domain.market.around.family import Around, Family
from evil2root.domain.market.cross import calendar
from evil2root.domain.market.indicators import Column, Floats, Unit

DAY_MINUTES = 1_440.0


def dates(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """`cross.calendar`, and the place in the month.

    Notes
    -----
    `month_weekdays_left`: Mondays to Fridays after the bar's day (of its market) until the month ends, holidays
    counted. `month_end`: 1 in the last three of them, else 0. `weekday`: 0 Monday to 6 Sunday.
    """
    day = _local(bars["opened_at"], around).dt.date()
    left = np.busday_count(
        (day + timedelta(days=1)).to_numpy().astype("datetime64[D]"),
        (day.dt.month_end() + timedelta(days=1)).to_numpy().astype("datetime64[D]"),
    ).astype(np.float64) if bars.height else np.empty(0)  # fmt: skip
    read = calendar(bars).cast(pl.Float64).fill_null(float("nan"))
    made = {name: read[name].to_numpy() for name in read.columns}
    return made | {
        "weekday": (day.dt.weekday() - 1).cast(pl.Float64).to_numpy(),
        "month_weekdays_left": left,
        "month_end": (left < 3.0).astype(np.float64),
    }


def session_parts(bars: pl.DataFrame, around: Around) -> Mapping[str, Floats]:
    """Where in the regular session a bar closes, 0 (opening) to 1 (close), and which third of it that is (0, 1, 2).

    Round the clock the session is the day of UTC. A bar that closes at the close is 1, at midnight too.
    """
    nothing = np.full(bars.height, np.nan)
    if around.session is None:
        return {"session_part": nothing, "session_third": nothing}
    opens, closes = _minutes(around.session.opens), _minutes(around.session.closes)
    length = (closes - opens) % DAY_MINUTES or DAY_MINUTES
    local = _local(bars["closed_at"], around)
    minute = (local.dt.hour().cast(pl.Float64) * 60.0 + local.dt.minute() + local.dt.second() / 60.0).to_numpy()
    since = (minute - opens) % DAY_MINUTES
    since = np.where(since == 0.0, DAY_MINUTES, since)  # what closes at an opening ended the day before
    part = np.minimum(since / length, 1.0)
    return {"session_part": part, "session_third": np.minimum(np.floor(3.0 * part), 2.0)}


def _local(times: pl.Series, around: Around) -> pl.Series:
    return times.dt.convert_time_zone("UTC" if around.session is None else around.session.zone)


def _minutes(at: time) -> float:
    return at.hour * 60.0 + at.minute


def _ratio(name: str, low: float, high: float, *, warm_up: int = 0) -> Column:
    return Column(name=name, unit=Unit.RATIO, warm_up=warm_up, low=low, high=high)


TIMES = (
    Family(
        name="dates", version=1, compute=dates,
        columns=(
            *(_ratio(f"{name}_{kind}", -1.0, 1.0) for name in ("weekday", "month", "hour") for kind in ("sin", "cos")),
            _ratio("month_day", 0.0, 1.0), _ratio("pause_days", 0.0, inf, warm_up=1), _ratio("weekday", 0.0, 6.0),
            _ratio("month_weekdays_left", 0.0, 23.0), _ratio("month_end", 0.0, 1.0),
        ),
    ),
    Family(
        name="session_parts", version=1, compute=session_parts,
        columns=(_ratio("session_part", 0.0, 1.0), _ratio("session_third", 0.0, 2.0)),
    ),
)  # fmt: skip
