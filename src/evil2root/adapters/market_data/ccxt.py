"""Public bars of crypto exchanges: ccxt knows their addresses, words and pace; what is sent and read is bounded here.

ccxt turns a hundred dialects into rows of `[milliseconds, open, high, low, close, volume]`, and one bad row into an
exception: here each row is read for itself. Its way to the network is replaced by ours, as for orders (ADR 13).

`since` names the opening of the first bar told; pages follow by it until the end of the question. The bar that is
running is told as well: by its opening and the clock it is known not to be over. Of Binance only the markets asked for
are looked up; another exchange's list of markets is read whole, once, at the first question (some megabytes).
"""

import asyncio
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import polars as pl

from evil2root.adapters.market_data.reading import Enough, asked_before, number_of, within
from evil2root.adapters.market_data.wire import Bounds, Reply, Wire
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import AssetClass, Instrument, instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable, NotCovered, Unreadable
from evil2root.domain.market.sessions import EPOCH
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

PAGE = 500
"""Bars a page where ccxt does not know the exchange's own limit."""
LOOK_AGAIN_S = 0.01
"""How often a request that waits for its turn looks whether it has come; ccxt does so a thousand times a second."""
LISTING_MAX = 32_000_000
"""Bytes of an exchange's list of markets."""
MILLISECOND = timedelta(milliseconds=1)
YEAR_9999_MS = 253_000_000_000_000
UNREADABLE = (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError, RecursionError)
"""What ccxt raises for an answer that is not built as it expects."""
NUMBER = re.compile(r"[+-]?\d{1,30}(\.\d{0,30})?([eE][+-]?\d{1,3})?", re.ASCII)
"""Numbers as text, which many exchanges write. Python would take `1_000` and Arabic digits too."""


class CcxtSource:
    """A `BarSource` of one exchange, by ccxt's name for it. Asks each thing once; `FailOver` knows whether to ask again.

    Parameters
    ----------
    base_url
        In place of the exchange's own host; none leaves that.
    paced
        Keep to the pace that ccxt knows of the exchange. Only tests against a server of their own do not.

    Raises `ValueError` for an exchange ccxt does not know or that tells no bars, `ModuleNotFoundError` without ccxt.
    """

    def __init__(  # noqa: PLR0913 - which one, where, and how carefully
        self,
        exchange: str,
        *,
        clock: Clock,
        base_url: str | None = None,
        name: str | None = None,
        bounds: Bounds | None = None,
        paced: bool = True,
    ) -> None:
        self.name = name or f"ccxt:{exchange}"
        self._clock = clock
        self._exchange = _made(exchange, base_url, paced=paced)
        self._exchange.fetch = self._send
        self._exchange.parse_ohlcvs = self._rows
        self._wire = Wire(self.name, clock=clock, bounds=bounds)
        large = Bounds(body_max=LISTING_MAX, total_s=self._wire.bounds.total_s)
        self._listing_wire = Wire(self.name, clock=clock, bounds=large)
        self._is_listing = False
        self._lock = asyncio.Lock()

    async def bars(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Fetched:
        """Return what opened in `[start, end)`. Raises as the port says."""
        coin = instrument_for(symbol)
        if coin.asset_class is not AssetClass.CRYPTO:
            msg = f"{self.name} has coins only; {symbol} is none"
            raise NotCovered(msg)
        if interval.value not in (self._exchange.timeframes or {}):
            msg = f"{self.name} has no {interval} bars"
            raise NotCovered(msg)
        asked_at = self._clock.now()
        rows = pl.DataFrame(schema=RAW_SCHEMA)
        if start < min(end, asked_at):
            try:
                market = await self._market(coin)
                rows = await self._told(market, interval, start, min(end, asked_at), now=asked_at)
            except UNREADABLE as problem:
                msg = f"{self.name} answered what ccxt can't read: {type(problem).__name__}: {self._wire.words(str(problem))}"
                raise Unreadable(msg) from problem
            rows = asked_before(
                within(rows, start, end, now=asked_at), asked_at=asked_at, answered_at=self._clock.now()
            )
        return Fetched(symbol=symbol, interval=interval, rows=rows, source=self.name, fetched_at=asked_at,
                       currency=coin.currency)  # fmt: skip

    async def close(self) -> None:
        """Give up connections."""
        await self._wire.close()
        await self._listing_wire.close()

    async def _told(
        self, market: str, interval: Interval, start: datetime, end: datetime, *, now: datetime
    ) -> pl.DataFrame:
        enough = Enough(self.name, interval, start=start, end=end)
        most = self._page(market)
        records: list[list[Any]] = []
        since = start
        while since < end:
            limit = min(most, (end - since) // interval.length + 2)
            ms = -((EPOCH - since) // MILLISECOND)
            page = await self._asked(self._exchange.fetch_ohlcv(market, interval.value, ms, limit))
            enough.page(len(page))
            records += page
            last = max((at for row in page if (at := _moment(row[0])) is not None and at <= now), default=None)
            if last is None or last < since:
                break
            since = last + interval.length
        return _frame(records)

    def _page(self, market: str) -> int:
        known = self._exchange.feature_value(market, "fetchOHLCV", "limit")
        return int(known) if isinstance(known, int) and 1 <= known <= 5_000 else PAGE

    async def _market(self, coin: Instrument) -> str:
        """Return ccxt's name of the market, once the exchange has said that there is one."""
        wanted = f"{coin.base}/{coin.currency}"
        async with self._lock:
            known = self._exchange.markets or {}
            if wanted not in known and (self._exchange.id == "binance" or not known):
                await self._look_up(coin, known.values())
        market = (self._exchange.markets or {}).get(wanted)
        if not isinstance(market, dict) or not market.get("spot"):
            msg = f"{self.name} has no market {wanted}"
            raise NotCovered(msg)
        return wanted

    async def _look_up(self, coin: Instrument, known: Iterable[Any]) -> None:
        params = {"symbol": f"{coin.base}{coin.currency}"} if self._exchange.id == "binance" else {}
        self._is_listing = True
        try:
            found = await self._asked(self._exchange.fetch_markets(params))
        finally:
            self._is_listing = False
        self._exchange.set_markets([*known, *(m for m in found if isinstance(m, dict) and m.get("spot"))])

    async def _asked(self, question: Any) -> list[Any]:
        """Await what ccxt asks, its exceptions as the port's."""
        from ccxt.base import errors  # noqa: PLC0415 - see `_made`

        try:
            answer = await question
        except (errors.BadSymbol, errors.NotSupported) as problem:
            msg = f"{self.name} has it not: {self._wire.words(str(problem))}"
            raise NotCovered(msg) from problem
        except (errors.RateLimitExceeded, errors.DDoSProtection) as problem:
            msg = f"{self.name} wants to be asked less: {self._wire.words(str(problem))}"
            raise AskedTooOften(msg) from problem
        except errors.BaseError as problem:
            msg = f"{self.name}: {type(problem).__name__}: {self._wire.words(str(problem))}"
            raise (Unreadable if isinstance(problem, errors.BadResponse) else BarsUnavailable)(msg) from problem
        if not isinstance(answer, list):
            msg = f"{self.name} answered with no list: {self._wire.words(repr(answer)[:200])}"
            raise Unreadable(msg)
        return answer

    async def _send(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> object:
        """Take the place of ccxt's own way to the network: one question, bounded, never repeated."""
        if method != "GET" or body:
            msg = f"{self.name} can't be asked by {method}"
            raise NotCovered(msg)
        reply = await (self._listing_wire if self._is_listing else self._wire).ask(url, headers=headers)
        self._judged(reply, url, headers or {})
        return self._wire.good(reply)

    def _judged(self, reply: Reply, url: str, headers: Any) -> None:
        """Have ccxt raise what it makes of an error."""
        document = reply.document if reply.is_json else None
        self._exchange.handle_errors(reply.status, "", url, "GET", reply.headers, reply.text, document, headers, None)
        self._exchange.handle_http_status_code(reply.status, "", url, "GET", reply.words)

    def _rows(self, told: object, market: Any = None, *_: object) -> list[list[Any]]:
        """Take the place of ccxt's own reading of a page, which one bad row spoils, and which sorts and drops."""
        if not isinstance(told, list):
            msg = f"{self.name} answered with no list of bars: {self._wire.words(repr(told)[:200])}"
            raise Unreadable(msg)
        rows: list[list[Any]] = []
        for one in told:
            try:
                row = self._exchange.parse_ohlcv(one, market) if _is_plain(one) else [one[0]]
                rows.append([*row, *[None] * 6][:6])
            except UNREADABLE:
                rows.append([None] * 6)
        return rows


def _is_plain(one: Any) -> bool:
    """Has a row nothing but numbers, some of them as text? ccxt takes a boolean for 1."""
    values = one.values() if isinstance(one, dict) else one
    return not any(
        isinstance(value, bool) or (isinstance(value, str) and NUMBER.fullmatch(value) is None) for value in values
    )


def _frame(records: list[list[Any]]) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {"opened_at": [_moment(row[0]) for row in records]}
    for place, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
        columns[name] = [number_of(row[place]) for row in records]
    return pl.DataFrame({**columns, "factor": [1.0] * len(records)}, schema=RAW_SCHEMA)


def _moment(value: object) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < YEAR_9999_MS:
        return None
    return EPOCH + value * MILLISECOND


def _made(name: str, base_url: str | None, *, paced: bool) -> Any:
    from ccxt import async_support  # noqa: PLC0415 - 2 s, and an extra that other bots do not have

    if name not in async_support.exchanges:
        msg = f"ccxt knows no exchange {name!r}."
        raise ValueError(msg)
    exchange = getattr(async_support, name)(
        {"enableRateLimit": paced, "options": {"maxRetriesOnFailure": 0, "defaultType": "spot"}}
    )
    if not exchange.has.get("fetchOHLCV"):
        msg = f"{name} tells no bars through ccxt."
        raise ValueError(msg)
    exchange.throttler.config["delay"] = LOOK_AGAIN_S
    wanted = exchange.options.get("fetchMarkets")
    if isinstance(wanted, dict) and isinstance(wanted.get("types"), list) and "spot" in wanted["types"]:
        wanted["types"] = ["spot"]
    elif isinstance(wanted, list) and "spot" in wanted:
        exchange.options["fetchMarkets"] = ["spot"]
    if base_url is not None:
        exchange.urls["api"] = _moved(exchange.urls["api"], base_url)
    return exchange


def _moved(addresses: Any, base_url: str) -> Any:
    """Put another scheme and host into every address of an exchange; nothing else of it can be reached then."""
    if isinstance(addresses, dict):
        return {name: _moved(address, base_url) for name, address in addresses.items()}
    if not isinstance(addresses, str):
        return addresses
    host, parts = urlsplit(base_url.rstrip("/")), urlsplit(addresses)
    return urlunsplit((host.scheme, host.netloc, host.path + parts.path, parts.query, ""))
