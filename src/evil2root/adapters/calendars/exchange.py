"""Sessions of exchanges by exchange_calendars, made once and kept as plain tables.

The library brings pandas (0.4 s, 76 MB): it is loaded only for an exchange whose table is neither in the package
(New York's is; `python -m tools.make_sessions` wrote it, a test holds it to the library) nor kept from before.
"""

import warnings
from contextlib import suppress
from datetime import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import structlog

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.market.calendars import NoCalendar
from evil2root.domain.market.sessions import Sessions, computed

log = structlog.get_logger()

FIRST, LAST = "1962-01-02", "2039-12-31"
"""Days a table covers, as far as the library knows them: Tokyo from 1997, Singapore until the end of the year its
release knows the holidays of. Nothing is known of the days beyond, nor of holidays yet to be declared."""

EARLIER_WEEKS = {"XTAE": ("2026-01-05", "1111001")}
"""Exchanges whose week was another one (Monday first, 1 for open) before a day. The library knows that too, but has
pandas count the days, which since 3.1 passes over it: each week is asked for by itself."""

HOURS = {"XFRA": (time(8), time(22))}
"""Hours that the library has otherwise: it gives Frankfurt's floor those of Xetra."""

PACKAGED = Path(__file__).parent

SCHEMA = pl.Schema({"opens": pl.Int64(), "closes": pl.Int64(), "resumes": pl.Boolean()})
"""A row for each stretch of trading; one that resumes after a lunch break belongs to the day of the row before it."""

WORDS_MAX = 160
"""Characters of what the library says that are repeated: it names every day it dislikes."""


class ExchangeCalendars:
    """Gives the sessions of an instrument's market.

    Parameters
    ----------
    folder
        Where tables are kept between runs; without one they are made anew in each process that asks.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._made: dict[str, Sessions | str] = {}

    def sessions(self, instrument: Instrument) -> Sessions:
        """Return the table: 10 ms from disk, a few seconds when the library has to be asked.

        Raises `NoCalendar`, also when asked again: what failed once is not tried until the next start.
        """
        name = instrument.session.name
        if name not in self._made:
            self._made[name] = computed(instrument) or self._tried(name)
        made = self._made[name]
        if isinstance(made, str):
            msg = f"{instrument.symbol} can't be traded, because nobody knows when {name} is open: {made}"
            raise NoCalendar(msg)
        return made

    def _tried(self, name: str) -> Sessions | str:
        """The table, or why there is none: fifty calendars of others fail each in its way, and cost one market only."""
        try:
            return self._kept(name)
        except Exception as problem:  # noqa: BLE001 - see above
            why = f"{type(problem).__name__}: {str(problem)[:WORDS_MAX]}"
            log.warning("calendar.unavailable", market=name, why=why)
            return why

    def _kept(self, name: str) -> Sessions:
        packaged = PACKAGED / f"{name}.parquet"
        if packaged.exists():
            return _table(name, pl.read_parquet(packaged))
        label = f"{name}-{version('exchange-calendars')}"
        path = None if self._folder is None else self._folder / f"{label}.parquet"
        if path is not None:
            with suppress(OSError, pl.exceptions.PolarsError, ValueError):
                return _table(label, pl.read_parquet(path))
        made = asked(name)
        if path is not None:
            # A disk that is full or read-only costs the next start a second, nothing else.
            with suppress(OSError):
                path.parent.mkdir(parents=True, exist_ok=True)
                fresh = path.with_suffix(".new")
                made.write_parquet(fresh)
                fresh.replace(path)
        return _table(label, made)


def _table(label: str, frame: pl.DataFrame) -> Sessions:
    """Take a table as sessions; `ValueError` for one that is damaged."""
    if frame.schema != SCHEMA or frame.null_count().sum_horizontal()[0]:
        msg = f"The table of sessions {label} is not one."
        raise ValueError(msg)
    opens, closes, resumes = (frame[column].to_numpy() for column in SCHEMA)
    if not resumes.any():
        return Sessions(name=label, opens=opens, closes=closes, day_opens=opens, day_closes=closes)
    ends_day = np.append(~resumes[1:], [True])
    return Sessions(
        name=f"{label}+breaks", opens=opens, closes=closes, day_opens=opens[~resumes], day_closes=closes[ends_day]
    )


def asked(name: str) -> pl.DataFrame:
    """Ask the library: `SCHEMA`, microseconds, UTC, oldest first."""
    kind = _kind(name)
    if name in HOURS:
        opens, closes = HOURS[name]
        kind = type(name, (kind,), {"open_times": ((None, opens),), "close_times": ((None, closes),)})
    parts = [(kind, FIRST)]
    if name in EARLIER_WEEKS:
        since, week = EARLIER_WEEKS[name]
        parts = [(type(name, (kind,), {"weekmask": week, "special_weekmasks": []}), FIRST), (kind, since)]
    ends = [*(np.datetime64(since) - 1 for _, since in parts[1:]), np.datetime64(LAST)]
    with warnings.catch_warnings():
        # It uses what pandas 4 will drop; its ranges here say which releases it is known to work with.
        warnings.simplefilter("ignore")
        return pl.concat(_stretches(kind, since, str(until)) for (kind, since), until in zip(parts, ends, strict=True))


def _kind(name: str) -> Any:
    """The library's class of a market. Its `get_calendar` would have to be told bounds that only the class knows."""
    from exchange_calendars import resolve_alias  # noqa: PLC0415 - heavy, and seldom needed

    market = resolve_alias(name)
    module = import_module(f"exchange_calendars.exchange_calendar_{market.lower()}")
    return getattr(module, f"{market}ExchangeCalendar")


def _stretches(kind: Any, since: str, until: str) -> pl.DataFrame:
    """Ask one class of the library, within its bounds, and cut its days at their breaks."""
    low, high = kind.bound_min(), kind.bound_max()
    days = kind(
        start=since if low is None else max(since, str(low.date())),
        end=until if high is None else min(until, str(high.date())),
    ).schedule
    at = {side: days[side].dt.tz_localize(None).to_numpy().astype("datetime64[us]") for side in days.columns}
    breaks = ~np.isnat(at["break_start"])
    before = np.where(breaks, at["break_start"], at["close"])
    return pl.DataFrame(
        {
            "opens": np.concatenate([at["open"], at["break_end"][breaks]]).astype(np.int64),
            "closes": np.concatenate([before, at["close"][breaks]]).astype(np.int64),
            "resumes": np.repeat([False, True], [len(breaks), breaks.sum()]),
        },
        schema=SCHEMA,
    ).sort("opens")
