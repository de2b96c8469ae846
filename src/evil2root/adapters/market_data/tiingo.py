"""Tiingo's bars of US shares: days from its end-of-day prices, shorter ones from what is traded at IEX.

Facts from its reference: the key goes into `Authorization: Token KEY`. `/tiingo/daily/TICKER/prices` answers with a list
of days, each with raw and adjusted prices, `divCash` and `splitFactor` (new shares for one old, 1 on other days); a day
is there from 17:30 in New York on. `/iex/TICKER/prices` answers with bars of the session, raw, in UTC. Dates of a
question are whole days, both ends included. An unknown ticker is 404. Free: 50 questions an hour, 1,000 a day, 500
symbols a month: enough for days, not for minutes of many symbols.

Answers do not repeat the ticker: that another one was told is for cleaning to find. How many rows an answer may have is
not said; long spans are asked for in parts. Bars of 1h and 4h are put together here, since hours count by the clock
there. Factors of a day that is not over are not known yet, and null.
"""

from datetime import datetime, timedelta
from urllib.parse import quote
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import SecretStr

from evil2root.adapters.market_data.hours import regrouped
from evil2root.adapters.market_data.reading import (
    Enough,
    Names,
    OnceADay,
    asked_before,
    day_of,
    number_of,
    rows_of,
    within,
)
from evil2root.adapters.market_data.wire import Bounds, Reply, Wire
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import AssetClass, Instrument, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import NotCovered, Unreadable
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

BASE_URL = "https://api.tiingo.com"
NAMES = Names(time="date", open="open", high="high", low="low", close="close", volume="volume")
FREQUENCIES = {Interval.M1: "1min", Interval.M5: "5min", Interval.M15: "15min", Interval.M30: "30min"}
FROM = {Interval.H1: Interval.M30, Interval.H4: Interval.M30}
"""Which shorter bars are asked for, to be put together here."""
BARS_AT_ONCE = 4_000
"""Bars of a session's length that one question may be about."""
NEW_YORK = ZoneInfo("America/New_York")
MICROSECOND = timedelta(microseconds=1)

Splits = tuple[tuple[datetime, float], ...]
NO_SPLITS: Splits = ()


class TiingoSource:
    """A `BarSource`. Asks each thing once; `FailOver` knows whether to ask again."""

    def __init__(  # noqa: PLR0913 - where, as whom, and what for
        self,
        base_url: str,
        key: SecretStr,
        *,
        clock: Clock,
        calendars: Calendars,
        name: str = "tiingo",
        bounds: Bounds | None = None,
    ) -> None:
        self.name = name
        self._clock, self._calendars = clock, calendars
        headers = {"Authorization": f"Token {key.get_secret_value()}"}
        self._wire = Wire("Tiingo", clock=clock, base_url=base_url, headers=headers, secrets=(key,), bounds=bounds)
        self._actions = OnceADay[tuple[pl.DataFrame, Splits]]()

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        """Return what opened in `[start, end)`. Raises as the port says."""
        share = instrument_for(symbol)
        if share.asset_class is not AssetClass.EQUITY or share.session.name != "XNYS":
            msg = f"Tiingo is asked for shares listed in the US only; {symbol} is none"
            raise NotCovered(msg)
        asked_at = self._clock.now()
        end = min(end, asked_at + MICROSECOND)
        rows, splits = pl.DataFrame(schema=RAW_SCHEMA), NO_SPLITS
        if start < end and interval is Interval.D1:
            rows, splits = await self._days(_ticker(share), start, end)
        elif start < end:
            rows, splits = await self._short(share, interval, start, end)
        rows = asked_before(rows, asked_at=asked_at, answered_at=self._clock.now())
        return Fetched(symbol=symbol, interval=interval, rows=rows, source=self.name, fetched_at=asked_at,
                       currency=share.currency, splits=splits)  # fmt: skip

    async def close(self) -> None:
        """Give up connections."""
        await self._wire.close()

    async def _days(self, ticker: str, start: datetime, end: datetime) -> tuple[pl.DataFrame, Splits]:
        records = await self._told(f"/tiingo/daily/{ticker}/prices", {}, Interval.D1, start, end)
        plain = [record if isinstance(record, dict) else {} for record in records]
        close, adjusted = ([number_of(record.get(name)) for record in plain] for name in ("close", "adjClose"))
        ratio = pl.DataFrame({"a": adjusted, "c": close}, schema={"a": pl.Float64(), "c": pl.Float64()})
        rows = rows_of(records, NAMES).with_columns(factor=ratio.select(pl.col("a") / pl.col("c")).to_series())
        rows = rows.with_columns(
            opened_at=pl.Series([day_of(r.get("date")) for r in plain], dtype=RAW_SCHEMA["opened_at"])
        )
        splits = []
        for record in plain:
            when, ratio_ = day_of(record.get("date")), number_of(record.get("splitFactor"))
            if when is not None and ratio_ is not None and ratio_ != 1 and 1e-6 < ratio_ < 1e6:
                splits.append((when, ratio_))
        return rows, tuple(sorted(splits))

    async def _short(
        self, share: Instrument, interval: Interval, start: datetime, end: datetime
    ) -> tuple[pl.DataFrame, Splits]:
        ticker, parts = _ticker(share), FROM.get(interval, interval)
        days, splits = await self._actions_of(ticker, start)  # first, since it alone says that there is no such ticker
        params = {"resampleFreq": FREQUENCIES[parts], "columns": "open,high,low,close,volume", "afterHours": "false",
                  "forceFill": "false"}  # fmt: skip
        records: list[object] = []
        span = timedelta(days=max(1, BARS_AT_ONCE * parts.length // timedelta(hours=6.5)))
        since = start
        while since < end:
            until = min(since + span, end)
            records += await self._told(f"/iex/{ticker}/prices", params, parts, since, until)
            since = until
        rows = rows_of(records, NAMES)
        if parts is not interval:
            rows = regrouped(rows, self._calendars.sessions(share), interval=parts, into=interval)
        rows = within(rows, start, end, now=self._clock.now())
        factors = days.select(day=pl.col("opened_at").dt.date(), factor="factor").filter(
            pl.col("day").is_not_null() & pl.col("factor").is_finite() & (pl.col("factor") > 0)
        ).unique("day", keep="none")  # fmt: skip
        named = rows.drop("factor").with_columns(
            day=pl.col("opened_at").dt.convert_time_zone("America/New_York").dt.date()
        )
        return named.join(factors, on="day", how="left", maintain_order="left").select(rows.columns), splits

    async def _actions_of(self, ticker: str, start: datetime) -> tuple[pl.DataFrame, Splits]:
        """Return days with their factors, and splits: asked for once a day."""
        now = self._clock.now()
        today, since = (at.astimezone(NEW_YORK).date() for at in (now, start))
        known = self._actions.known(ticker, today=today, since=since)
        if known is None:
            known = await self._days(ticker, start, now)
            self._actions.keep(ticker, known, today=today, since=since)
        return known

    async def _told(
        self, path: str, params: dict[str, str], interval: Interval, start: datetime, end: datetime
    ) -> list[object]:
        first, last = (at.astimezone(NEW_YORK).date() for at in (start, end - MICROSECOND))
        dates = {"startDate": first.isoformat(), "endDate": last.isoformat(), "format": "json"}
        reply = await self._wire.ask(path, dates | params)
        if _is_not_ours(reply):
            msg = f"Tiingo does not tell it: {reply.words}"
            raise NotCovered(msg)
        document = self._wire.good(reply)
        if not isinstance(document, list):
            msg = f"Tiingo's answer is no list of bars: {reply.words}"
            raise Unreadable(msg)
        Enough("Tiingo", interval, start=start - timedelta(days=1), end=end + timedelta(days=1)).page(len(document))
        return document


def _ticker(share: Instrument) -> str:
    return quote(share.symbol.replace(".", "-"), safe="")


def _is_not_ours(reply: Reply) -> bool:
    """Has Tiingo itself said that it has no such ticker, or not for this key?"""
    said = reply.document.get("detail") if isinstance(reply.document, dict) else None
    return isinstance(said, str) and (
        (reply.status == 404 and "not found" in said.lower()) or (reply.status == 403 and "permission" in said.lower())
    )
