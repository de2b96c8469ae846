"""Sessions of exchanges by exchange_calendars, made once and kept as plain tables.

The library brings pandas (0.4 s, 76 MB): it is loaded only for an exchange whose table is neither in the package
(New York's is; `python -m tools.make_sessions` wrote it, a test holds it to the library) nor kept from before.
"""

import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.market.sessions import Sessions, computed

FIRST, LAST = "1962-01-02", "2039-12-31"
"""Days a table covers. Holidays yet to be declared are unknown to it, as to everybody."""

PACKAGED = Path(__file__).parent

SCHEMA = pl.Schema({"opens": pl.Int64(), "closes": pl.Int64()})


class ExchangeCalendars:
    """Gives the sessions of an instrument's market.

    Parameters
    ----------
    folder
        Where tables are kept between runs; without one they are made anew in each process that asks.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._made: dict[str, Sessions] = {}

    def sessions(self, instrument: Instrument) -> Sessions:
        """Return the table: 10 ms from disk, a few seconds when the library has to be asked."""
        name = instrument.session.name
        if name not in self._made:
            self._made[name] = computed(instrument) or self._kept(name)
        return self._made[name]

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
    opens, closes = frame["opens"].to_numpy(), frame["closes"].to_numpy()
    return Sessions(name=label, opens=opens, closes=closes, day_opens=opens, day_closes=closes)


def asked(name: str) -> pl.DataFrame:
    """Ask the library: openings and closes in microseconds, UTC."""
    import exchange_calendars  # noqa: PLC0415 - heavy, and seldom needed

    with warnings.catch_warnings():
        # It uses what pandas 4 will drop; its ranges here say which releases it is known to work with.
        warnings.simplefilter("ignore")
        calendar = exchange_calendars.get_calendar(name, start=FIRST, end=LAST)
        columns = {
            side: times.tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
            for side, times in (("opens", calendar.schedule["open"].dt), ("closes", calendar.schedule["close"].dt))
        }
    return pl.DataFrame(columns, schema=SCHEMA)
