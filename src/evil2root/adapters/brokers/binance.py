"""Binance spot, through ccxt: coins against one quote currency, on the test network or for real.

An id is unique among open orders only: an order that filled may be placed again under the same id. Orders are therefore
looked up by their id and never sent twice (class B), and this adapter refuses to send an id a second time. The status
of a refusal proves nothing about what was placed; an order is not there only when the venue says so with its own code
-2013 to a question about it. Coins that are not held can't be sold. A working stop holds its coins back.

Fees in the coins of a purchase: the fill is told with the units that arrived, and the price of those kept is its fee,
so that cash and units are the venue's to the last digit. Fees in the quote currency are fees. Fees in a third asset
(BNB) move neither: they are logged and are in no figure; switch that way of paying off to have all costs in the books.

Moving a stop cancels it and places another, under its next revision (`cancelReplace`, stopping when the cancel fails).
The quote currency is the account's cash; balances in assets that are not on the watchlist are not looked at.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

import structlog
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from evil2root.adapters.brokers.binance_listing import BinanceListing
from evil2root.adapters.brokers.binance_orders import Unfit, request
from evil2root.adapters.brokers.binance_records import OrderRecord, balances, order_record
from evil2root.adapters.brokers.binance_rules import BinanceRules
from evil2root.adapters.brokers.binance_trades import BinanceTrades
from evil2root.adapters.brokers.binance_wire import BinanceWire
from evil2root.adapters.brokers.bounded import parsed
from evil2root.adapters.brokers.reading import Unreadable, fields_of
from evil2root.domain.book.orders import FINAL, Order, OrderKind, OrderState
from evil2root.domain.core.money import ZERO
from evil2root.domain.execution.broker import Answer, Books, BrokerUnavailable
from evil2root.domain.execution.remote import Heard, Repeat, Traits, VenueOrder
from evil2root.domain.risk.gate import Approved

log = structlog.get_logger()

REAL, TEST = "https://api.binance.com", "https://testnet.binance.vision"
STREAMS = {REAL: "wss://ws-api.binance.com/ws-api/v3", TEST: "wss://ws-api.testnet.binance.vision/ws-api/v3"}
KNOWN_MAX = 50_000
REPLACED_WITHIN_S = 5.0
"""How long a replacement that was asked for may take to be shown."""
STREAM_S = 10.0


class BinanceBroker:
    """One account at Binance.

    Parameters
    ----------
    symbols
        What is traded, as we write it (`BTC-USDT`), all against one quote currency. Raises `ValueError` otherwise.
    """

    def __init__(
        self, base_url: str, key: SecretStr, secret: SecretStr, *, account: str, symbols: Sequence[str]
    ) -> None:
        self._assets = _pairs(symbols)
        self._quote = next(iter(self._assets.values()))[1]
        self._markets = {base + quote: symbol for symbol, (base, quote) in self._assets.items()}
        self._replacing: dict[str, tuple[int, float]] = {}
        """Our id, to the revision asked for and when."""
        self._sent: dict[str, None] = {}
        """Ids that were sent by this process."""
        self._wire = BinanceWire(base_url, key, secret)
        root = base_url.rstrip("/")
        self._stream_url = STREAMS.get(root) or root.replace("http", "ws", 1) + "/ws-api/v3"
        self._rules = BinanceRules(self._wire, self._assets)
        self._listing = BinanceListing(self._wire, list(self._markets))
        self._trades = BinanceTrades(
            self._wire, markets=self._markets, account=account, name_of=self._listing.name_of,
            assets={name: self._assets[symbol] for name, symbol in self._markets.items()},
        )  # fmt: skip

    @property
    def traits(self) -> Traits:
        """What Binance can do."""
        return Traits(
            venue="binance", repeat=Repeat.LOOK_UP, guards=frozenset({OrderKind.STOP}), shorts=False, reserves=True,
            cent=Decimal("0.01"),
        )  # fmt: skip

    async def submit(self, approved: Approved) -> Answer:
        """Send an order once. What the market's own rules forbid is not sent at all: the answer is then CANCELED."""
        order = approved.order
        rules = await self._rules.of(order.symbol)
        try:
            asked = request(order, rules)
        except Unfit as why:
            return Answer(
                client_order_id=order.client_order_id, state=OrderState.CANCELED, broker_order_id=None,
                why=f"not sent: {why}", at=order.updated_at,
            )  # fmt: skip
        if order.client_order_id in self._sent:
            msg = f"The order {order.client_order_id} was sent already; it is looked up, never sent again"
            raise BrokerUnavailable(msg)
        self._remember(order.client_order_id)
        what = f"the order {order.client_order_id}"
        reply = await self._wire.command("private_post_order", asked)
        record = self._listing.record_of(reply, what)
        if record.ours != order.client_order_id:
            raise self._wire.refused(reply, what=f"{what}, but another one")
        over = record.state in (OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED) and not record.filled
        return Answer(
            client_order_id=order.client_order_id, state=record.state if over else OrderState.ACCEPTED,
            broker_order_id=str(record.id), why=record.status if over else "", at=record.updated_at,
        )  # fmt: skip

    async def cancel(self, order: Order) -> Answer:
        """Ask for a cancel of whatever stands for the order now."""
        chain = await self._chain(order)
        if not chain:
            msg = f"Binance has no record of {order.client_order_id} to cancel"
            raise BrokerUnavailable(msg)
        last = chain[-1]
        if last.state not in FINAL:
            asked = {"symbol": last.market, "origClientOrderId": last.name}
            reply = await self._wire.command("private_delete_order", asked)
            if reply.status != 200:
                raise self._wire.refused(reply, what=f"the cancel of {order.client_order_id}")
        return Answer(
            client_order_id=order.client_order_id, state=OrderState.CANCEL_SENT, broker_order_id=str(last.id),
            why=order.why_state, at=last.updated_at,
        )  # fmt: skip

    async def amend(self, order: Order) -> Answer:
        """Put another order in the place of one, unless that was done already or would change nothing there."""
        chain = await self._chain(order)
        if not chain:
            msg = f"Binance has no record of {order.client_order_id} to amend"
            raise BrokerUnavailable(msg)
        last = chain[-1]
        if last.revision < order.revision:
            if last.state in FINAL:
                msg = f"Binance has {order.client_order_id} as {last.status}: it can't be amended"
                raise BrokerUnavailable(msg)
            last = await self._replace(order, last)
        return Answer(
            client_order_id=order.client_order_id, state=OrderState.ACCEPTED, broker_order_id=str(last.id), why="",
            at=last.updated_at,
        )  # fmt: skip

    async def _replace(self, order: Order, last: OrderRecord) -> OrderRecord:
        what = f"the change {order.revision} of {order.client_order_id}"
        try:
            asked = request(order, await self._rules.of(order.symbol), revision=order.revision)
        except Unfit as why:
            msg = f"Binance would not take {what}: {why}; nothing was sent"
            raise BrokerUnavailable(msg) from why
        unchanged = (Decimal(asked.get("stopPrice", "0")), Decimal(asked["quantity"]))
        if (last.price, (last.quantity or ZERO) - last.filled) == unchanged:
            return last
        asked |= {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrigClientOrderId": last.name}
        if not last.filled:
            asked["cancelRestrictions"] = "ONLY_NEW"  # what fills meanwhile is not to be placed a second time
        self._replacing[order.client_order_id] = (order.revision, _steady())
        reply = await self._wire.command("private_post_order_cancelreplace", asked)
        if reply.status != 200:
            raise self._wire.refused(reply, what=what)
        try:
            answered = fields_of(reply.document)
            new = order_record(answered.get("newOrderResponse"))
        except Unreadable as problem:
            msg = f"Binance did not confirm {what}: {problem}"
            raise BrokerUnavailable(msg) from problem
        self._listing.learn([new])
        if new.name != asked["newClientOrderId"] or new.state is OrderState.REJECTED:
            msg = f"Binance answered {what} with {new.name}, {new.status}"
            raise BrokerUnavailable(msg)
        return new

    async def look_up(self, order: Order) -> VenueOrder | None:
        """Return what stands for the order now, with all that was filled on the way."""
        chain = await self._chain(order)
        if not chain:
            return None
        if self._is_being_replaced(chain[-1]):
            msg = f"Binance canceled {order.client_order_id} for a change, and does not show yet what replaced it"
            raise BrokerUnavailable(msg)
        return await self._venue_order(chain)

    async def orders(self, since: datetime) -> tuple[VenueOrder, ...]:
        """Return every order that is open, and every one that was made at or after `since` in a traded market."""
        found: list[VenueOrder] = []
        for chain in await self._listing.chains(since):
            if self._is_being_replaced(chain[-1]):
                continue
            try:
                found.append(await self._venue_order(chain))
            except BrokerUnavailable as late:
                # One order that is not shown whole yet must not hide the others: ours are looked up singly.
                log.warning("venue.unreadable", problem=str(late))
        return tuple(found)

    async def executions(self, cursor: str, *, since: datetime) -> Heard:
        """Return a page of executions; what lies shortly before the cursor is told again."""
        return await self._trades.executions(cursor, since=since)

    async def books(self) -> Books:
        """Return the quote currency as cash and the coins on the watchlist as positions."""
        reply = await self._wire.question("private_get_account", {"omitZeroBalances": "true"})
        if reply.status != 200:
            raise self._wire.refused(reply, what="the account")
        try:
            held = balances(reply.document)
        except Unreadable as problem:
            msg = f"Binance's books can't be read: {problem}"
            raise BrokerUnavailable(msg) from problem
        positions = {symbol: held.get(base, ZERO) for symbol, (base, _) in self._assets.items()}
        return Books(
            cash=held.get(self._quote, ZERO), positions={s: q for s, q in positions.items() if q}, orders=()
        )  # fmt: skip

    async def hints(self) -> AsyncIterator[None]:
        """Yield at every event of the account; what it says is asked for, not believed."""
        try:
            async with connect(self._stream_url, open_timeout=STREAM_S, max_size=1_000_000, proxy=None) as stream:
                await stream.send(json.dumps(self._wire.subscription()))
                async for message in stream:
                    said = parsed(message if isinstance(message, str) else message.decode("utf-8", errors="replace"))
                    if isinstance(said, dict) and "event" in said:
                        yield
                    elif isinstance(said, dict) and said.get("status") != 200:
                        msg = "Binance's stream does not take the keys"
                        raise BrokerUnavailable(msg)
        except (WebSocketException, OSError, TimeoutError) as problem:
            msg = f"Binance's stream is gone: {type(problem).__name__}"
            raise BrokerUnavailable(msg) from problem
        msg = "Binance's stream ended"
        raise BrokerUnavailable(msg)

    async def close(self) -> None:
        """Give up connections."""
        await self._wire.close()

    async def _chain(self, order: Order) -> list[OrderRecord]:
        """Return the order and all that replaced it, in that order; empty when the venue says that it has none."""
        base, quote = self._assets.get(order.symbol, ("", ""))
        if not base:
            msg = f"{order.symbol} is not traded at this account"
            raise BrokerUnavailable(msg)
        return await self._listing.named(base + quote, order.client_order_id)

    async def _venue_order(self, chain: Sequence[OrderRecord]) -> VenueOrder:
        first, last = chain[0], chain[-1]
        before = sum((r.filled for r in chain[:-1]), ZERO)
        filled = before + last.filled - await self._trades.kept(last)
        state = OrderState.PARTIAL if last.state is OrderState.ACCEPTED and filled else last.state
        return VenueOrder(
            client_order_id=first.ours, broker_order_id=str(last.id), symbol=self._markets.get(last.market, last.market),
            side=last.side, kind=last.kind, quantity=None if last.quantity is None else before + last.quantity,
            price=last.price, filled=filled, state=state, why=last.status, created_at=first.created_at,
            updated_at=last.updated_at,
        )  # fmt: skip

    def _is_being_replaced(self, last: OrderRecord) -> bool:
        """Was this canceled to be replaced, by what is not shown yet?"""
        wanted, asked_at = self._replacing.get(last.ours, (0, 0.0))
        return (
            last.state is OrderState.CANCELED
            and last.revision < wanted
            and _steady() - asked_at < REPLACED_WITHIN_S
        )  # fmt: skip

    def _remember(self, client_order_id: str) -> None:
        self._sent[client_order_id] = None
        while len(self._sent) > KNOWN_MAX:
            del self._sent[next(iter(self._sent))]


def _pairs(symbols: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Take symbols apart into base and quote asset."""
    pairs = {
        symbol: (base, quote) for symbol in symbols for base, _, quote in [symbol.replace("/", "-").partition("-")]
    }
    strange = [symbol for symbol, (base, quote) in pairs.items() if not (base.isalnum() and quote.isalnum())]
    if strange or not pairs:
        msg = f"{', '.join(strange) or 'Nothing'} is traded there: name pairs like BTC-USDT."
        raise ValueError(msg)
    quotes = sorted({quote for _, quote in pairs.values()})
    if len(quotes) > 1:
        msg = f"The pairs are quoted in {' and '.join(quotes)}; an account there has one quote currency."
        raise ValueError(msg)
    return pairs


def _steady() -> float:
    return asyncio.get_running_loop().time()
