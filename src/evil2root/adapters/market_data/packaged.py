"""Recorded history that comes with two Python packages, whose files are read where they lie; nothing is imported.

Daily raw bars with adjusted close: `bokeh-sampledata`. Hourly EURUSD: `gym-anytrading`, a Dukascopy export whose times
are UTC: its weeks open at 22:00 in winter and 21:00 in summer, changing on the days New York changes its clocks, as
17:00 New York does in UTC.
"""

import gzip
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.adjust import adjustment_factor
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.frame import BadBars
from evil2root.domain.market.history import STORED_SCHEMA, History
from evil2root.domain.market.importing import closes, dated, session_bounds

DAILY = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
RENAMED = frozenset({"FB"})
"""Of these the names that nobody tells prices of any more."""
HOURLY = ("EURUSD=X",)

SYMBOLS = {Interval.D1: DAILY, Interval.H1: HOURLY}
"""What there is, by interval."""

_STOCKS = ("bokeh_sampledata", "_data/stocks.csv.gz")
_EURUSD = ("gym_anytrading", "datasets/data/FOREX_EURUSD_1H_ASK.csv")
_STOCKS_ORIGIN = "bokeh-sampledata 2026.1: Quandl WIKI daily prices, declared public domain"
_EURUSD_ORIGIN = "gym-anytrading 2.0.0 (MIT): EURUSD hourly, ask side, UTC"


def packaged(interval: Interval) -> dict[str, History]:
    """Read every packaged series of `interval`, by symbol. Raises `BarsUnavailable` that says what to do."""
    try:
        match interval:
            case Interval.D1:
                return _daily(_located(*_STOCKS))
            case Interval.H1:
                return _hourly(_located(*_EURUSD))
            case _:
                known = ", ".join(f"{name} ({', '.join(symbols)})" for name, symbols in SYMBOLS.items())
                msg = f"There is no packaged history of {interval} bars: use {known}, or set EVIL2ROOT_REPLAY__PATH."
                raise BarsUnavailable(msg)
    except (BadBars, pl.exceptions.PolarsError, gzip.BadGzipFile) as bad:
        why = str(bad).split("\n", 1)[0]
        msg = f"The packaged history can't be used, its file must be damaged ({why}). Run ./evil2root setup --force."
        raise BarsUnavailable(msg) from bad


def _located(package: str, inside: str) -> Path:
    """Find a package's file without importing the package, whose own requirements are not installed."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations if spec is not None else None) or ():
        path = Path(folder) / inside
        if path.is_file():
            return path
    msg = (
        f"The recorded history is not installed: the package {package} with {inside} is missing. Run ./evil2root setup."
    )
    raise BarsUnavailable(msg)


def _daily(path: Path) -> dict[str, History]:
    table = pl.read_csv(gzip.decompress(path.read_bytes()), schema=pl.Schema({
        "Ticker": pl.String(), "Date": pl.String(), "Open": pl.Float64(), "High": pl.Float64(), "Low": pl.Float64(),
        "Close": pl.Float64(), "Volume": pl.Float64(), "Adj Close": pl.Float64(),
    }))  # fmt: skip
    table = table.with_columns(pl.col("Date").str.to_date("%Y-%m-%d"))
    return {symbol: _history(symbol, Interval.D1, rows, _STOCKS_ORIGIN) for symbol in DAILY
            if (rows := table.filter(pl.col("Ticker") == symbol)).height}  # fmt: skip


def _hourly(path: Path) -> dict[str, History]:
    names = ("Open", "High", "Low", "Close", "Volume")
    schema = pl.Schema({"Time": pl.String(), **dict.fromkeys(names, pl.Float64())})
    table = pl.read_csv(path, schema=schema)
    table = table.with_columns(
        pl.col("Time").str.to_datetime("%d.%m.%Y %H:%M:%S%.3f", time_unit="us").dt.replace_time_zone("UTC")
    )
    return {symbol: _history(symbol, Interval.H1, table, _EURUSD_ORIGIN) for symbol in HOURLY}


def _history(symbol: str, interval: Interval, rows: pl.DataFrame, origin: str) -> History:
    instrument = instrument_for(symbol)
    if interval is Interval.D1:
        opened, closed = session_bounds(rows["Date"], instrument.session)
        factor = adjustment_factor(rows["Close"], rows["Adj Close"])
    else:
        opened = rows["Time"]
        closed = closes(opened, instrument, interval)
        factor = pl.Series("factor", [1.0]).new_from_index(0, rows.height)
    prices = {name.lower(): rows[name] for name in ("Open", "High", "Low", "Close", "Volume")}
    columns = {"opened_at": opened, "closed_at": closed, **prices, "factor": factor}
    history = History(symbol=symbol, interval=interval, stored=pl.DataFrame(columns, schema=STORED_SCHEMA), origin="")
    return History(symbol=symbol, interval=interval, stored=history.stored, origin=f"{origin}, {dated(history)}")
