"""What Binance executed, market by market, told as one line of events.

Facts from Binance's reference of `myTrades`: one market a question, up to 1,000 trades from a moment or from an id on,
oldest first; a trade names its order by number only and tells its fee with the asset it was taken in. By default that
is the asset received: the coins of a purchase, the money of a sale.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from evil2root.adapters.brokers.binance_records import EPOCH, OrderRecord, Trade, milliseconds, trade
from evil2root.adapters.brokers.binance_wire import BinanceWire
from evil2root.adapters.brokers.reading import Unreadable, as_told
from evil2root.domain.book.fills import Fill
from evil2root.domain.core.money import ZERO, Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.execution.remote import Heard

log = structlog.get_logger()

PAGE = 1_000
"""Trades a page; Binance's most."""
MOMENT_PAGES_MAX = 50
"""Pages of trades of one millisecond."""
OVERLAP, FIRST_OVERLAP = timedelta(seconds=10), timedelta(seconds=60)
"""How far before the last known execution is asked again: markets may be told out of order."""
AHEAD_MOST = timedelta(minutes=1)
"""How far ahead of the venue's own clock a trade may be."""
SHOWN_WITHIN_S = 5.0
"""How long the venue may take to show the order of a trade, or the trades of an order."""
KNOWN_MAX = 50_000
EXACTLY = "!"
"""Behind a cursor that is gone on from without an overlap: the next page of one walk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    trades: tuple[Trade, ...]
    garbled: tuple[str, ...]
    until: datetime | None = None
    """From here on there is more; none when this was all."""


class BinanceTrades:
    """Executions of one account in the markets it trades.

    Parameters
    ----------
    markets
        Our symbols by Binance's.
    assets
        Base and quote asset by market.
    name_of
        Gives our id of a market's order number, or nothing when the venue has no such order.
    """

    def __init__(
        self,
        wire: BinanceWire,
        *,
        markets: Mapping[str, str],
        assets: Mapping[str, tuple[str, str]],
        account: str,
        name_of: Callable[[str, int], Awaitable[str | None]],
    ) -> None:
        self._wire = wire
        self._markets = markets
        self._assets = assets
        self._account = account
        self._name_of = name_of
        self._asked = False
        self._unshown: dict[tuple[str, int], float] = {}
        """When something of an order was first missed that must be there."""
        self._known: dict[tuple[str, int], dict[int, tuple[Decimal, Decimal]]] = {}
        """By order: units executed and units kept as the fee, by trade."""

    async def executions(self, cursor: str, *, since: datetime) -> Heard:
        """Return what was executed after a cursor in all markets, oldest first, as far as all of them are known."""
        at, exactly = _unpacked(cursor)
        overlap = OVERLAP if self._asked else FIRST_OVERLAP
        start = since if at is None else at if exactly else at - overlap
        pages = [await self._page(market, start) for market in self._markets]
        ends = [page.until for page in pages if page.until is not None]
        until = min(ends) if ends else None
        found = [one for page in pages for one in page.trades if until is None or one.at < until]
        garbled = [text for page in pages for text in page.garbled]
        fills: list[tuple[Fill, str]] = []
        latest = start if at is None else at
        for one in sorted(found, key=lambda one: (one.at, one.market, one.id)):
            try:
                fill = await self._fill(one)
            except Unreadable as problem:
                garbled.append(f"{problem}: {as_told(one)}")
                continue
            latest = max(latest, one.at)
            # Never the end of the page: whoever stops in the middle of it comes back to the rest.
            fills.append((fill, _packed(latest)))
        if until is None:
            self._asked = True
            return Heard(fills=tuple(fills), garbled=tuple(garbled))
        return Heard(fills=tuple(fills), garbled=tuple(garbled), more=True, after=f"{_packed(until)}{EXACTLY}")

    async def kept(self, record: OrderRecord) -> Decimal:
        """Return how many of the units an order bought the venue kept as its fee.

        Raises `BrokerUnavailable` while the venue does not show all trades of the order; what it does not show for
        longer is taken for untouched.
        """
        if record.side is not Side.BUY or not record.filled:
            return ZERO
        key = (record.market, record.id)
        if self._executed(key) != record.filled:
            raw = await self._ask(record.market, {"orderId": str(record.id)})
            for row in raw:
                try:
                    self._learn(trade(row))
                except Unreadable as problem:
                    log.warning("venue.unreadable", problem=str(problem))
            if self._executed(key) != record.filled and self._may_be_late(key):
                msg = f"Binance does not show all trades of the order {record.id} of {record.market} yet"
                raise BrokerUnavailable(msg)
        return sum((kept for _, kept in self._known.get(key, {}).values()), ZERO)

    async def _page(self, market: str, start: datetime) -> _Page:
        trades: list[Trade] = []
        garbled: list[str] = []
        params = {"startTime": str(milliseconds(start))}
        for _ in range(MOMENT_PAGES_MAX):
            raw = await self._ask(market, params)
            for row in raw:
                try:
                    one = trade(row)
                    self._check(one, market)
                    self._learn(one)
                    trades.append(one)
                except Unreadable as problem:
                    garbled.append(f"{problem}: {as_told(row)}")
            if len(raw) < PAGE:
                return _Page(trades=tuple(trades), garbled=tuple(garbled))
            if not trades:
                msg = f"None of {PAGE} trades of Binance can be read: {garbled[0]}"
                raise BrokerUnavailable(msg)
            until = max(one.at for one in trades)
            if until > min(one.at for one in trades):
                return _Page(trades=tuple(trades), garbled=tuple(garbled), until=until)
            params = {"fromId": str(max(one.id for one in trades) + 1)}
        msg = f"Binance tells more than {MOMENT_PAGES_MAX} pages of trades of one moment"
        raise BrokerUnavailable(msg)

    def _check(self, one: Trade, market: str) -> None:
        """Refuse a trade of another market, or of a time that is still to come: the cursor would run away with it."""
        if one.market != market or one.at > self._wire.now() + AHEAD_MOST:
            msg = f"a trade of {one.market} at {one.at.isoformat()}, asked for was {market}"
            raise Unreadable(msg)

    async def _ask(self, market: str, params: Mapping[str, str]) -> list[object]:
        reply = await self._wire.question("private_get_mytrades", {"symbol": market, "limit": str(PAGE), **params})
        if reply.status != 200 or not isinstance(reply.document, list):
            raise self._wire.refused(reply, what=f"the trades of {market}")
        return reply.document

    async def _fill(self, one: Trade) -> Fill:
        name = await self._name_of(one.market, one.order_id)
        if name is None:
            if self._may_be_late((one.market, one.order_id)):
                msg = f"Binance tells a trade of the order {one.order_id} of {one.market}, and does not show that order"
                raise BrokerUnavailable(msg)
            name = ""
        kept, fee = self._kept(one), self._fee(one)
        return Fill(
            venue="binance", account=self._account, execution_id=f"{one.market}:{one.id}", client_order_id=name,
            symbol=self._markets[one.market], side=one.side, quantity=Quantity(one.quantity - kept),
            price=Price(one.price), fee=fee, at=one.at, slippage=Money(ZERO),
        )  # fmt: skip

    def _kept(self, one: Trade) -> Decimal:
        """Units of a purchase that the venue kept: they never arrive, and their price is the fee."""
        base, _ = self._assets[one.market]
        if one.fee_asset != base or not one.fee:
            return ZERO
        if one.side is not Side.BUY or one.fee >= one.quantity:
            msg = f"a fee of {one.fee} {base} for a {one.side} of {one.quantity}"
            raise Unreadable(msg)
        return one.fee

    def _fee(self, one: Trade) -> Money:
        base, quote = self._assets[one.market]
        if one.fee_asset == base:
            return Money(self._kept(one) * one.price)
        if one.fee_asset == quote:
            return Money(one.fee)
        if one.fee:
            # It moves neither the cash nor the units of these books; at what price it was bought nobody said.
            log.warning(
                "fill.fee_elsewhere", execution_id=f"{one.market}:{one.id}", fee=str(one.fee), asset=one.fee_asset
            )
        return Money(ZERO)

    def _learn(self, one: Trade) -> None:
        if len(self._known) > KNOWN_MAX:
            self._known.clear()
            self._unshown.clear()
        try:
            kept = self._kept(one)
        except Unreadable:
            kept = ZERO  # it is set aside where it is told
        self._known.setdefault((one.market, one.order_id), {})[one.id] = (one.quantity, kept)

    def _executed(self, key: tuple[str, int]) -> Decimal:
        return sum((quantity for quantity, _ in self._known.get(key, {}).values()), ZERO)

    def _may_be_late(self, key: tuple[str, int]) -> bool:
        now = asyncio.get_running_loop().time()
        return now - self._unshown.setdefault(key, now) < SHOWN_WITHIN_S


def _packed(at: datetime) -> str:
    return str(milliseconds(at))


def _unpacked(cursor: str) -> tuple[datetime | None, bool]:
    digits = cursor.removesuffix(EXACTLY)
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 15):
        return None, False
    return EPOCH + timedelta(milliseconds=int(digits)), cursor.endswith(EXACTLY)
