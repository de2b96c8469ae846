"""Alpaca's bars of US shares and of coins in dollars, by its Market Data API.

Facts from its reference: `/v2/stocks/bars` and `/v1beta3/crypto/us/bars` answer with `{"bars": {SYMBOL: [...]},
"next_page_token": ...}`, at most 10,000 bars a page; `start` and `end` both belong to the answer; `adjustment` is `raw`,
`split`, `dividend` or `all`; the feed `iex` is free and carries what is traded at that one exchange (some 2 % of the
volume), `sip` is the whole market and wants a subscription for the last 15 minutes. A symbol that does not exist is 400.

Shares are told raw; what `all` makes of a day's closes over the raw ones is the day's factor. Splits are confirmed by
`/v1/corporate-actions`. Trading before and after the session is left out. Hours are counted by the clock there: bars of
1h and 4h are put together here from half hours, those of coins from 4h on from hours, since a day of theirs begins at
midnight in New York. Such bars are told once they are over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import structlog
from pydantic import SecretStr

from evil2root.adapters.market_data.hours import regrouped, without_extended_hours
from evil2root.adapters.market_data.reading import Enough, Names, OnceADay, asked_before, day_of, number_of, rows_of
from evil2root.adapters.market_data.wire import Bounds, Reply, Wire
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import AssetClass, Instrument, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable, NotCovered, Unreadable
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

log = structlog.get_logger()

DATA_URL = "https://data.alpaca.markets"
PAGE = 10_000
NAMES = Names(time="t", open="o", high="h", low="l", close="c", volume="v")
TIMEFRAMES = {
    Interval.M1: "1Min", Interval.M5: "5Min", Interval.M15: "15Min", Interval.M30: "30Min", Interval.H1: "1Hour",
    Interval.D1: "1Day",
}  # fmt: skip
SHARES_FROM = {Interval.H1: Interval.M30, Interval.H4: Interval.M30}
COINS_FROM = {Interval.H4: Interval.H1, Interval.D1: Interval.H1}
"""Which shorter bars are asked for, to be put together here."""
NEW_YORK = ZoneInfo("America/New_York")
MICROSECOND = timedelta(microseconds=1)

Splits = tuple[tuple[datetime, float], ...]
NO_SPLITS: Splits = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """What is asked for, in Alpaca's words."""

    path: str
    symbol: str
    more: Mapping[str, str]


class AlpacaSource:
    """A `BarSource`. Asks each thing once; `FailOver` knows whether to ask again.

    Parameters
    ----------
    feed
        `iex` or `sip`, for shares.
    """

    def __init__(  # noqa: PLR0913 - where, as whom, and what for
        self,
        base_url: str,
        key: SecretStr,
        secret: SecretStr,
        *,
        clock: Clock,
        calendars: Calendars,
        feed: str = "iex",
        name: str = "alpaca",
        bounds: Bounds | None = None,
    ) -> None:
        self.name = name
        self._clock, self._calendars, self._feed = clock, calendars, feed
        keys = {"APCA-API-KEY-ID": key.get_secret_value(), "APCA-API-SECRET-KEY": secret.get_secret_value()}
        self._wire = Wire("Alpaca", clock=clock, base_url=base_url, headers=keys, secrets=(key, secret), bounds=bounds)
        self._splits = OnceADay[Splits]()

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        """Return what opened in `[start, end)`. Raises as the port says."""
        instrument = instrument_for(symbol)
        asked_at = self._clock.now()
        end = min(end, asked_at + MICROSECOND)
        rows, splits = pl.DataFrame(schema=RAW_SCHEMA), NO_SPLITS
        if start >= end:
            pass  # nothing of the future is known, and Alpaca refuses such a question
        elif instrument.asset_class is AssetClass.CRYPTO:
            rows = await self._coins(instrument, interval, start, end)
        else:
            rows, splits = await self._shares(instrument, interval, start, end)
        rows = asked_before(rows, asked_at=asked_at, answered_at=self._clock.now())
        return Fetched(symbol=symbol, interval=interval, rows=rows, source=self.name, fetched_at=asked_at,
                       currency=instrument.currency, splits=splits)  # fmt: skip

    async def close(self) -> None:
        """Give up connections."""
        await self._wire.close()

    async def _coins(self, coin: Instrument, interval: Interval, start: datetime, end: datetime) -> pl.DataFrame:
        if coin.currency not in ("USD", "USDT", "USDC", "BTC"):
            msg = f"Alpaca has coins in USD, USDT, USDC and BTC; {coin.symbol} is quoted in {coin.currency}"
            raise NotCovered(msg)
        asked = _Listing(path="/v1beta3/crypto/us/bars", symbol=f"{coin.base}/{coin.currency}", more={})
        parts = COINS_FROM.get(interval, interval)
        rows = await self._told(asked, parts, _floor(start, interval), end)
        if parts is interval:
            return rows
        return regrouped(rows, self._calendars.sessions(coin), interval=parts, into=interval)

    async def _shares(
        self, share: Instrument, interval: Interval, start: datetime, end: datetime
    ) -> tuple[pl.DataFrame, Splits]:
        if share.asset_class is not AssetClass.EQUITY or share.session.name != "XNYS":
            msg = f"Alpaca has shares listed in the US; {share.symbol} is none"
            raise NotCovered(msg)
        name, parts = share.symbol.replace("-", "."), SHARES_FROM.get(interval, interval)
        start = _midnight(start)  # daily bars are named by it, and parts of a bar may lie before it
        raw = await self._told(self._listing(name, "raw"), parts, start, end)
        whole = await self._told(self._listing(name, "all"), parts, start, end)
        factors = _factors(raw, whole)
        if interval is not Interval.D1:
            sessions = self._calendars.sessions(share)
            raw = without_extended_hours(raw, sessions)
            if parts is not interval:
                raw = regrouped(raw, sessions, interval=parts, into=interval)
        rows = (
            raw.with_columns(day=_days(raw)).drop("factor").join(factors, on="day", how="left", maintain_order="left")
        )
        return rows.select(raw.columns), await self._splits_of(name, start)

    def _listing(self, name: str, adjustment: str) -> _Listing:
        return _Listing(path="/v2/stocks/bars", symbol=name, more={"feed": self._feed, "adjustment": adjustment})

    async def _told(self, asked: _Listing, interval: Interval, start: datetime, end: datetime) -> pl.DataFrame:
        """Read all pages."""
        enough = Enough("Alpaca", interval, start=start, end=end)
        params = {"symbols": asked.symbol, "timeframe": TIMEFRAMES[interval], "start": start.isoformat(),
                  "end": (end - MICROSECOND).isoformat(), "limit": str(PAGE), "sort": "asc", **asked.more}  # fmt: skip
        records: list[object] = []
        token = ""
        while True:
            reply = await self._wire.ask(asked.path, params | ({"page_token": token} if token else {}))
            page, token = self._page(reply, asked.symbol)
            records += page
            enough.page(len(page), token=token)
            if not token:
                return rows_of(records, NAMES)

    def _page(self, reply: Reply, symbol: str) -> tuple[list[object], str]:
        if _is_not_ours(reply):
            msg = f"Alpaca does not tell {symbol}: {reply.words}"
            raise NotCovered(msg)
        document = self._wire.good(reply)
        bars = document.get("bars") if isinstance(document, dict) else document
        token = document.get("next_page_token") if isinstance(document, dict) else None
        bars = {} if bars is None and isinstance(document, dict) and "bars" in document else bars
        if not isinstance(bars, dict) or not isinstance(token, str | None):
            msg = f"Alpaca's answer is not built as its bars are: {reply.words}"
            raise Unreadable(msg)
        if set(bars) - {symbol}:
            msg = f"Alpaca was asked for {symbol} and told of {', '.join(sorted(bars))[:60]}"
            raise Unreadable(msg)
        page = bars.get(symbol) or []
        if not isinstance(page, list):
            msg = f"Alpaca's bars of {symbol} are no list: {reply.words}"
            raise Unreadable(msg)
        return page, token or ""

    async def _splits_of(self, name: str, start: datetime) -> Splits:
        """Return splits since `start`, asked for once a day: none takes place within one."""
        today, since = self._clock.now().astimezone(NEW_YORK).date(), start.astimezone(NEW_YORK).date()
        known = self._splits.known(name, today=today, since=since)
        if known is not None:
            return known
        params = {"symbols": name, "types": "forward_split,reverse_split", "start": since.isoformat(),
                  "end": today.isoformat(), "limit": "1000"}  # fmt: skip
        try:
            told = _splits(await self._wire.document("/v1/corporate-actions", params), name)
        except BarsUnavailable as problem:
            # Without them a split is quarantined until somebody confirms it: that is safe, and bars go on.
            log.warning("source.splits_unknown", source=self.name, symbol=name, problem=str(problem))
            return ()
        self._splits.keep(name, told, today=today, since=since)
        return told


def _is_not_ours(reply: Reply) -> bool:
    """Has Alpaca itself said that there is no such symbol, or not for this subscription?"""
    said = reply.document.get("message") if isinstance(reply.document, dict) else None
    return (
        reply.status in (400, 403, 404, 422)
        and isinstance(said, str)
        and any(words in said.lower() for words in ("invalid symbol", "subscription does not permit"))
    )


def _splits(document: object, name: str) -> Splits:
    actions = document.get("corporate_actions") if isinstance(document, dict) else None
    if not isinstance(actions, dict):
        msg = "Alpaca's answer is not built as its corporate actions are"
        raise Unreadable(msg)
    found = []
    for kind in ("forward_splits", "reverse_splits"):
        for action in actions.get(kind) or ():
            if isinstance(action, dict) and action.get("symbol") == name:
                when, new, old = (
                    day_of(action.get("ex_date")),
                    *(number_of(action.get(r)) for r in ("new_rate", "old_rate")),
                )
                if when is not None and new and old and 1e-6 < new / old < 1e6:
                    found.append((when, new / old))
    return tuple(sorted(found))


def _factors(raw: pl.DataFrame, whole: pl.DataFrame) -> pl.DataFrame:
    """Return the factor of each day: what all adjustments make of its closes, over the raw ones; their median."""
    # Each time once: rows that all name the same one would meet each other, ten thousand times ten thousand.
    told, adjusted = (rows.select("opened_at", "close").unique("opened_at", keep="first") for rows in (raw, whole))
    both = told.join(adjusted.rename({"close": "adjusted"}), on="opened_at", how="inner")
    ratio = pl.col("adjusted") / pl.col("close")
    good = both.filter(ratio.is_finite() & (ratio > 0))
    return good.with_columns(day=_days(good)).group_by("day").agg(factor=ratio.median())


def _days(rows: pl.DataFrame) -> pl.Series:
    return rows["opened_at"].dt.convert_time_zone("America/New_York").dt.date()


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(NEW_YORK).date(), time(0), NEW_YORK)


def _floor(at: datetime, interval: Interval) -> datetime:
    """Return the opening of the bar that holds this moment, on a market that never closes."""
    return at - timedelta(seconds=at.timestamp() % interval.length.total_seconds())
