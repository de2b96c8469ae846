"""Bars from Yahoo by yfinance.

Facts about Yahoo's prices: they come adjusted for every split until now, with an `Adj Close` that also knows dividends,
daily bars only. Here prices are stored as they were traded (a later split does not restate them) beside the factor
that adjusts them, so what Yahoo adjusted for splits is taken back; that needs every split until now, hence a question
always reaches until now, whatever its end. Intraday bars have no `Adj Close`: their factor is made from the splits and
dividends told with them.

Quotes of many exchanges are delayed by 15 to 20 minutes: a bar that ended since the last trade Yahoo knows of is not
over, whatever the clock says.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from evil2root.adapters.market_data.yahoo_wire import AT_ONCE, YahooEmpty, YahooWire
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable, NotCovered, Unreadable
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.history import STORED_SCHEMA
from evil2root.domain.market.resample import resampled
from evil2root.domain.market.sessions import DAY, EPOCH, MICROSECOND, Sessions, micros, moment
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

KEPT_DAYS = {Interval.M1: 30, Interval.M5: 60, Interval.M15: 60, Interval.M30: 60, Interval.H1: 730, Interval.H4: 729}
"""How far back Yahoo has intraday bars; a day of them is lost to time zones. 4h bars are made of 1h ones of a whole day."""
AT_ONCE_DAYS = 7
"""Days of 1m bars Yahoo gives to one request."""
DELAY_LEAST, DELAY_MOST = timedelta(minutes=2), timedelta(minutes=30)
"""A last trade that long ago, while the market is open or was a moment ago, means delayed quotes."""
CLOSING = timedelta(minutes=1)
"""The last trade of a session may lie that long before its close, or before its lunch break."""

COLUMNS = {"open": "Open", "high": "High", "low": "Low", "close": "Close", "volume": "Volume"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """One chart, as arrays."""

    symbol: str
    currency: str | None
    traded_at: datetime | None
    """Of the last trade Yahoo knows of."""
    rows: pl.DataFrame
    """`opened_at` (UTC), prices, `adjusted` close, `volume`, `dividend`, `split`; oldest first."""


class YahooBars:
    """A `BarSource`."""

    name = "yfinance"

    def __init__(self, wire: YahooWire, *, calendars: Calendars, clock: Clock) -> None:
        self._wire, self._calendars, self._clock = wire, calendars, clock

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        """Return what opened in `[start, end)`; 4h bars are made of 1h ones, those with a hole left out.

        Raises `NotCovered` for a symbol Yahoo does not know and for a start before it keeps bars of the interval,
        `AskedTooOften` and `BarsUnavailable` as they are meant. Asks once: whoever asks again is somebody else.
        """
        now = self._clock.now()
        _require_kept(interval, start, now)
        sessions = self._sessions(symbol)
        asked = Interval.H1 if interval is Interval.H4 else interval
        parts = [
            await self._told(symbol, asked, begin, until)
            for begin, until in _windows(asked, _session_start(sessions, interval, start), now + timedelta(days=1))
        ]
        told = [part for part in parts if part is not None]
        known_at = _known_at([part.traded_at for part in told if part.traded_at], sessions, now)
        rows = pl.concat([part.rows for part in told]) if told else _rows_of(None)
        rows = _as_traded(_placed(rows.sort("opened_at"), sessions, asked))
        splits = tuple((row["opened_at"], row["split"]) for row in rows.iter_rows(named=True) if row["split"] != 1.0)
        raw = rows.select(RAW_SCHEMA.names()).cast(RAW_SCHEMA)
        if interval is Interval.H4:
            raw = _four_hours(raw, sessions, known_at)
        return Fetched(
            symbol=told[0].symbol if told else symbol, interval=interval, source=self.name, fetched_at=known_at,
            rows=raw.filter((pl.col("opened_at") >= start) & (pl.col("opened_at") < end)),
            currency=told[0].currency if told else None, splits=splits,
        )  # fmt: skip

    async def close(self) -> None:
        """Give up the threads."""
        self._wire.close()

    async def many(
        self, symbols: Sequence[str], interval: Interval, *, start: datetime, end: datetime
    ) -> dict[str, Fetched | BarsUnavailable]:
        """Ask for several symbols, a few at a time; each has its answer or the reason why there is none.

        Not by yfinance's own `download`: it asks symbol by symbol as well, and tells failures to its log only.
        """
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(symbol: str) -> Fetched | BarsUnavailable:
            async with slots:
                try:
                    return await self.bars(symbol, interval, start=start, end=end)
                except BarsUnavailable as why:
                    return why

        answers = await asyncio.gather(*(one(symbol) for symbol in symbols))
        return dict(zip(symbols, answers, strict=True))

    def _sessions(self, symbol: str) -> Sessions:
        try:
            return self._calendars.sessions(instrument_for(symbol))
        except ValueError as strange:
            raise NotCovered(str(strange)) from strange

    async def _told(self, symbol: str, interval: Interval, start: datetime, end: datetime) -> _Told | None:
        def question(library: Any, session: Any) -> _Told:
            ticker = library.Ticker(symbol, session=session)
            table = ticker.history(
                start=start, end=end, interval=interval.value, auto_adjust=False, actions=True, keepna=True,
            )  # fmt: skip
            return _read(table, ticker.get_history_metadata())

        try:
            told = await self._wire.ask(question)
        except YahooEmpty:
            return None
        if told.symbol != symbol:
            msg = f"Yahoo was asked for {symbol} and told of {told.symbol[:24]!r}."
            raise Unreadable(msg)
        return told


def _require_kept(interval: Interval, start: datetime, now: datetime) -> None:
    days = KEPT_DAYS.get(interval)
    if days is not None and start < now - timedelta(days=days - 1):
        first = (now - timedelta(days=days - 1)).date() + timedelta(days=1)
        msg = (
            f"Yahoo keeps {interval} bars for {days} days and was asked from {start.date()} on: start at {first} "
            "or later, take a longer interval, or name another source."
        )
        raise NotCovered(msg)


def _session_start(sessions: Sessions, interval: Interval, start: datetime) -> datetime:
    """Reach back to the opening of the day for bars that are put together, and for Yahoo's midnights of daily ones."""
    at = (start - EPOCH) // MICROSECOND
    if interval is Interval.D1:
        return moment(at - DAY)
    row = int(np.searchsorted(sessions.opens, at, side="right")) - 1
    if interval is Interval.H4 and row >= 0:
        return moment(max(int(sessions.opens[row]), at - DAY))
    return start


def _windows(interval: Interval, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    if start >= end:
        return []
    if interval is not Interval.M1:
        return [(start, end)]
    step = timedelta(days=AT_ONCE_DAYS)
    count = max(1, math.ceil((end - start) / step))
    return [(start + step * i, min(start + step * (i + 1), end)) for i in range(count)]


def _read(table: Any, metadata: Any) -> _Told:
    """Take a table of yfinance's (pandas) as it is; nothing is filled in."""
    traded = metadata.get("regularMarketTime")
    currency = metadata.get("currency")
    return _Told(
        symbol=str(metadata.get("symbol")), currency=str(currency) if currency else None,
        traded_at=None if traded is None else _moment_of(traded), rows=_rows_of(table),
    )  # fmt: skip


def _moment_of(traded: Any) -> datetime:
    """A time as yfinance tells it: a pandas Timestamp, or seconds where it did not convert them."""
    found = traded.to_pydatetime() if hasattr(traded, "to_pydatetime") else datetime.fromtimestamp(float(traded), UTC)
    assert isinstance(found, datetime)
    return found.astimezone(UTC)


def _rows_of(table: Any) -> pl.DataFrame:
    schema = dict.fromkeys((*COLUMNS, "adjusted", "dividend", "split"), pl.Float64())
    if table is None or not len(table):
        return pl.DataFrame(schema={"opened_at": RAW_SCHEMA["opened_at"], **schema})
    at = table.index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
    names = {**COLUMNS, "adjusted": "Adj Close", "dividend": "Dividends", "split": "Stock Splits"}
    columns = {name: table[theirs].to_numpy(dtype=np.float64) for name, theirs in names.items()}
    made = pl.DataFrame({"opened_at": pl.Series(at).cast(RAW_SCHEMA["opened_at"]), **columns})
    split = pl.col("split")
    return made.with_columns(
        pl.col("dividend").fill_null(0.0).fill_nan(0.0),
        pl.when(split.is_finite() & (split > 0.0)).then(split).otherwise(1.0).alias("split"),
    ).sort("opened_at")


def _placed(rows: pl.DataFrame, sessions: Sessions, interval: Interval) -> pl.DataFrame:
    """Name daily rows by the opening of their session, and a running bar, told by its last trade, by its own opening."""
    at = rows["opened_at"].to_physical().to_numpy().copy()
    if interval is Interval.D1:
        row = np.minimum(np.searchsorted(sessions.day_opens, at), len(sessions.day_opens) - 1)
        opens = sessions.day_opens[row]
        at = np.where((opens >= at) & (opens < at + DAY), opens, at)
    elif len(at) and sessions.closes_of(at[-1:], interval)[0] < 0:
        opens, closes = sessions.grid(interval, start=int(at[-1]) - micros(interval.length), end=int(at[-1]) + 1)
        if len(opens) and opens[-1] <= at[-1] < closes[-1]:
            at[-1] = opens[-1]
    return rows.with_columns(opened_at=pl.Series(at).cast(RAW_SCHEMA["opened_at"]))


def _as_traded(rows: pl.DataFrame) -> pl.DataFrame:
    """Take splits out of prices and volumes, and make the factor that adjusts them for splits and dividends.

    `factor` is Yahoo's adjusted close over the price as traded; where Yahoo tells none (intraday), it is made as Yahoo
    does: each dividend takes its share of the close before it from all earlier prices.
    """
    split, close = rows["split"].to_numpy(), rows["close"].to_numpy()
    later = np.append(np.cumprod(split[::-1])[::-1][1:], 1.0)[: len(split)]
    factor = rows["adjusted"].to_numpy() / close
    if len(close) and np.array_equal(rows["adjusted"].to_numpy(), close, equal_nan=True):
        kept = np.ones(len(close))
        kept[1:] = 1.0 - rows["dividend"].to_numpy()[1:] / close[:-1]
        kept[~(np.isfinite(kept) & (kept > 0.0))] = 1.0
        factor = np.append(np.cumprod(kept[::-1])[::-1][1:], 1.0)
    return rows.with_columns(
        *(pl.Series(name, rows[name].to_numpy() * later) for name in ("open", "high", "low", "close")),
        pl.Series("volume", rows["volume"].to_numpy() / later),
        pl.Series("factor", factor / later).fill_nan(None),
    )


def _known_at(traded: Sequence[datetime], sessions: Sessions, now: datetime) -> datetime:
    """Until when the answer tells what happened: the last trade's time where quotes are delayed, else the present."""
    last = max(traded, default=None)
    if last is None or not DELAY_LEAST <= now - last <= DELAY_MOST:
        return now
    closed = sessions.stopped_at(now)
    at_rest = closed is not None and not sessions.is_open(now) and last >= closed - CLOSING
    return now if at_rest else last


def _four_hours(raw: pl.DataFrame, sessions: Sessions, known_at: datetime) -> pl.DataFrame:
    """Put hours together, session by session; hours that are no bars make no bars."""
    at = raw["opened_at"].to_physical().to_numpy()
    closed = sessions.closes_of(at, Interval.H1)
    prices = [pl.col(name).is_finite() & (pl.col(name) > 0.0) for name in ("open", "high", "low", "close")]
    hours = raw.with_columns(
        closed_at=pl.Series(closed).cast(RAW_SCHEMA["opened_at"]), factor=pl.col("factor").fill_null(1.0)
    ).filter(pl.Series(closed >= 0), pl.col("closed_at") <= known_at, *prices)
    made = resampled(
        hours.select(STORED_SCHEMA.names()).cast(STORED_SCHEMA), sessions, interval=Interval.H1, into=Interval.H4
    )
    return made.select(RAW_SCHEMA.names()).cast(RAW_SCHEMA)
