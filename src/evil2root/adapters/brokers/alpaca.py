"""Alpaca: shares and crypto, on a paper or a live account.

Orders can be looked up by the id we give them, and are never sent twice (class B). The HTTP status of a refusal proves
nothing about what was placed: only a record of the venue does. Facts from Alpaca's reference of the Trading API, in
particular "Replace Order by ID" and "Account Activities": a replaced order is a new one that names the old, and may
still be rejected when the old one filled first; a working stop holds its shares back; an unknown id is answered with
the code 40410000; a page of activities goes on after the id of its last.

Fees: shares are traded without commission. Regulatory fees and crypto fees are activities of their own (FEE, CFEE),
booked there at the end of the day without naming an execution; they are not read, and show as a difference of the
books that a person settles.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import quote

import httpx
import structlog
from pydantic import SecretStr
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from evil2root.adapters.brokers.alpaca_http import AlpacaHttp
from evil2root.adapters.brokers.alpaca_orders import levels, request
from evil2root.adapters.brokers.alpaca_records import (
    Execution,
    OrderRecord,
    cash_of,
    execution,
    holding,
    order_record,
    their_symbol,
)
from evil2root.adapters.brokers.bounded import Reply, parsed
from evil2root.adapters.brokers.reading import Unreadable, as_told
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import FINAL, Order, OrderKind, OrderState
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.money import ZERO, Money, Price, Quantity
from evil2root.domain.execution.broker import Answer, Books, BrokerUnavailable
from evil2root.domain.execution.remote import Heard, Repeat, Traits, VenueOrder
from evil2root.domain.risk.gate import Approved

log = structlog.get_logger()

NOT_FOUND_CODE = "40410000"
PAGE = 100
"""Activities a page; Alpaca's most."""
LISTED_MAX = 500
"""Orders a page; Alpaca's most."""
CHAIN_MAX = 5_000
"""Replacements of one order that are followed; a trailing stop has one for each time it moved."""
SINGLY_MAX = 3
"""Replacements that are asked for one by one; more are taken from lists."""
MOMENT = timedelta(microseconds=1)
OVERLAP, FIRST_OVERLAP = timedelta(seconds=10), timedelta(seconds=60)
"""How far before the last known execution is asked again: executions of one moment may be told out of order."""
AHEAD_MOST = timedelta(minutes=1)
"""How far ahead of our clock an execution may be to move the cursor: one from the future would leave out all others."""
KNOWN_MAX = 50_000
SHOWN_WITHIN_S = 5.0
STREAM_S = 10.0


class AlpacaBroker:
    """One account at Alpaca."""

    def __init__(self, base_url: str, key: SecretStr, secret: SecretStr, *, account: str, clock: Clock) -> None:
        self._http = AlpacaHttp(base_url, key, secret)
        self._key, self._secret = key, secret
        self._stream_url = base_url.rstrip("/").replace("http", "ws", 1) + "/stream"
        self._account = account
        self._clock = clock
        self._names: dict[str, str] = {}
        """Our ids by theirs."""
        self._replaced: dict[str, OrderRecord] = {}
        """Orders that were replaced, by their id: nothing about them changes any more."""
        self._asked = False
        self._unshown: dict[str, float] = {}
        """When an order was first missed that has executions."""

    @property
    def traits(self) -> Traits:
        """What Alpaca can do."""
        return Traits(
            venue="alpaca", repeat=Repeat.LOOK_UP, guards=frozenset({OrderKind.STOP}), shorts=True, reserves=True,
            cent=Decimal("0.01"),
        )  # fmt: skip

    async def submit(self, approved: Approved) -> Answer:
        """Send an order once."""
        order = approved.order
        reply = await self._http.command("POST", "/v2/orders", request(order))
        record = self._record_of(reply, f"the order {order.client_order_id}")
        if record.ours != order.client_order_id:
            raise self._http.refused(reply, what=f"the order {order.client_order_id}, but another one")
        return _answer(order, record)

    async def cancel(self, order: Order) -> Answer:
        """Ask for a cancel of whatever stands for the order now."""
        chain = await self._chain(order)
        if not chain:
            msg = f"Alpaca has no record of {order.client_order_id} to cancel"
            raise BrokerUnavailable(msg)
        last = chain[-1]
        if last.state not in FINAL:
            reply = await self._http.command("DELETE", f"/v2/orders/{quote(last.id, safe='')}")
            if reply.status not in (httpx.codes.NO_CONTENT, httpx.codes.OK):
                raise self._http.refused(reply, what=f"the cancel of {order.client_order_id}")
        return Answer(
            client_order_id=order.client_order_id, state=OrderState.CANCEL_SENT, broker_order_id=last.id,
            why=order.why_state, at=last.updated_at,
        )  # fmt: skip

    async def amend(self, order: Order) -> Answer:
        """Replace the order by one with the present price and quantity, unless that was done already."""
        chain = await self._chain(order)
        if not chain:
            msg = f"Alpaca has no record of {order.client_order_id} to amend"
            raise BrokerUnavailable(msg)
        last, name = chain[-1], f"{order.client_order_id}-r{order.revision}"
        if last.revision < order.revision:
            if last.state in FINAL:
                msg = f"Alpaca has {order.client_order_id} as {last.status}: it can't be amended"
                raise BrokerUnavailable(msg)
            body = {"client_order_id": name, **levels(order)}
            if last.filled or order.left != last.quantity:  # of fractions, the quantity may not even be named
                body["qty"] = f"{order.left:f}"
            path = f"/v2/orders/{quote(last.id, safe='')}"
            last = self._record_of(await self._http.command("PATCH", path, body), f"the change {name}")
            if last.client_order_id != name or last.state is OrderState.REJECTED:
                msg = f"Alpaca answered the change {name} with {last.client_order_id}, {last.status}"
                raise BrokerUnavailable(msg)
        return Answer(
            client_order_id=order.client_order_id, state=OrderState.ACCEPTED, broker_order_id=last.id, why="",
            at=last.updated_at,
        )  # fmt: skip

    async def look_up(self, order: Order) -> VenueOrder | None:
        """Return what stands for the order now, with all that was filled on the way."""
        chain = await self._chain(order)
        return _venue_order(chain) if chain else None

    async def orders(self, since: datetime) -> tuple[VenueOrder, ...]:
        """Return every order that is open, and every one that was made at or after `since`."""
        rows = {r.id: r for r in await self._listed({"status": "open"}, None)}
        rows |= {r.id: r for r in await self._listed({"status": "all"}, since - MOMENT)}
        found: list[VenueOrder] = []
        for record in rows.values():
            if record.status == "replaced":
                continue  # the one that replaced it is open, or was made later
            if record.replaces and record.state is OrderState.REJECTED:
                continue  # it never came to be: the one it was to replace stands
            chain = [record]
            while chain[0].replaces and len(chain) < CHAIN_MAX:
                before = rows.get(chain[0].replaces) or await self._by_id(chain[0].replaces, again=False)
                if before is None:
                    break
                chain.insert(0, before)
            found.append(_venue_order(chain))
        return tuple(found)

    async def executions(self, cursor: str, *, since: datetime) -> Heard:
        """Return a page of executions; what lies shortly before the cursor is told again."""
        at, token = _unpacked(cursor)
        start = since if at is None else at - (OVERLAP if self._asked else FIRST_OVERLAP)
        params = {"direction": "asc", "page_size": str(PAGE), "after": start.isoformat()}
        if token:
            params["page_token"] = token
        reply = await self._http.question("/v2/account/activities/FILL", params)
        if reply.status != httpx.codes.OK or not isinstance(reply.document, list):
            raise self._http.refused(reply, what="the executions")
        fills: list[tuple[Fill, str]] = []
        garbled: list[str] = []
        last, latest = "", at or start
        for raw in reply.document:
            try:
                one = execution(raw)
                fill = await self._fill(one)
            except Unreadable as problem:
                garbled.append(f"{problem}: {as_told(raw)}")
                continue
            last = one.id
            if one.at <= self._clock.now() + AHEAD_MOST:
                latest = max(latest, one.at)
            # Never the end of the page: whoever stops in the middle of it comes back to the rest.
            fills.append((fill, _packed(latest, "")))
        if len(reply.document) < PAGE:
            self._asked = True
            return Heard(fills=tuple(fills), garbled=tuple(garbled))
        if not last:
            msg = f"None of {PAGE} executions of Alpaca can be read: {garbled[0]}"
            raise BrokerUnavailable(msg)
        after = _packed(at or start, last)
        return Heard(fills=tuple(fills), garbled=tuple(garbled), more=True, after=after)

    async def books(self) -> Books:
        """Return cash and positions."""
        account = await self._http.question("/v2/account")
        positions = await self._http.question("/v2/positions")
        if account.status != httpx.codes.OK:
            raise self._http.refused(account, what="the account")
        if positions.status != httpx.codes.OK or not isinstance(positions.document, list):
            raise self._http.refused(positions, what="the positions")
        try:
            held = dict(holding(raw) for raw in positions.document)
            return Books(cash=cash_of(account.document), positions={s: q for s, q in held.items() if q}, orders=())
        except Unreadable as problem:
            msg = f"Alpaca's books can't be read: {problem}"
            raise BrokerUnavailable(msg) from problem

    async def hints(self) -> AsyncIterator[None]:
        """Yield at every message of the trade stream; what it says is asked for, not believed."""
        try:
            async with connect(self._stream_url, open_timeout=STREAM_S, max_size=1_000_000, proxy=None) as stream:
                key, secret = self._key.get_secret_value(), self._secret.get_secret_value()
                await stream.send(json.dumps({"action": "auth", "key": key, "secret": secret}))
                await stream.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
                async for message in stream:
                    said = parsed(message if isinstance(message, str) else message.decode("utf-8", errors="replace"))
                    if isinstance(said, dict) and said.get("stream") == "trade_updates":
                        yield
                    elif isinstance(said, dict) and "unauthorized" in as_told(said.get("data")):
                        msg = "Alpaca's stream does not take the keys"
                        raise BrokerUnavailable(msg)
        except (WebSocketException, OSError, TimeoutError) as problem:
            msg = f"Alpaca's stream is gone: {type(problem).__name__}"
            raise BrokerUnavailable(msg) from problem
        msg = "Alpaca's stream ended"
        raise BrokerUnavailable(msg)

    async def close(self) -> None:
        """Give up connections."""
        await self._http.close()

    async def _chain(self, order: Order) -> list[OrderRecord]:
        """Return the order and all that replaced it, in that order; empty when the venue says that it has none."""
        name = order.client_order_id
        reply = await self._http.question("/v2/orders:by_client_order_id", {"client_order_id": name})
        if _is_not_found(reply):
            return []
        chain = [self._record_of(reply, f"the record of {name}")]
        if chain[0].ours != name:
            raise self._http.refused(reply, what=f"the record of {name}, but another one")
        asked = 0
        while chain[-1].replaced_by:
            before = chain[-1]
            if before.replaced_by not in self._replaced:
                asked += 1
                if asked == SINGLY_MAX:
                    await self._listed(
                        {"status": "all", "symbols": their_symbol(before.symbol)}, before.created_at - MOMENT
                    )
            following = await self._by_id(before.replaced_by, again=False)
            if following is None or len(chain) > CHAIN_MAX:
                msg = f"Alpaca says that {name} was replaced, and does not show by what"
                raise BrokerUnavailable(msg)
            if following.state is OrderState.REJECTED and before.status != "replaced":
                break  # what was to replace it never came to be: it stands
            chain.append(following)
        return chain

    async def _by_id(self, broker_order_id: str, *, again: bool = True) -> OrderRecord | None:
        """Ask for an order; `again` False is content with what is known of one that was replaced."""
        if not again and broker_order_id in self._replaced:
            return self._replaced[broker_order_id]
        reply = await self._http.question(f"/v2/orders/{quote(broker_order_id, safe='')}")
        return None if _is_not_found(reply) else self._record_of(reply, f"the order {broker_order_id}")

    async def _listed(self, what: Mapping[str, str], since: datetime | None) -> list[OrderRecord]:
        found: list[OrderRecord] = []
        while True:
            params = {**what, "limit": str(LISTED_MAX), "direction": "asc", "nested": "false"}
            if since is not None:
                params["after"] = since.isoformat()
            reply = await self._http.question("/v2/orders", params)
            if reply.status != httpx.codes.OK or not isinstance(reply.document, list):
                raise self._http.refused(reply, what="the orders")
            page: list[OrderRecord] = []
            for raw in reply.document:
                try:
                    page.append(order_record(raw))
                except Unreadable as problem:
                    # One order nobody can read, perhaps not ours, must not hide the others: ours are looked up singly.
                    log.warning("venue.unreadable", problem=str(problem))
            self._learn(page)
            new = {r.id for r in page} - {r.id for r in found}
            found += page
            if len(reply.document) < LISTED_MAX or not new:
                return found
            since = page[-1].created_at - MOMENT  # one moment may have several

    async def _fill(self, one: Execution) -> Fill:
        name = self._names.get(one.order_id)
        if name is None:
            reply = await self._http.question(f"/v2/orders/{quote(one.order_id, safe='')}")
            if _is_not_found(reply):
                name = self._nameless(one)
            elif reply.status == httpx.codes.OK and isinstance(reply.document, dict):
                record = order_record(reply.document)
                self._learn([record])
                name = record.ours
            else:
                raise self._http.refused(reply, what=f"the order {one.order_id}")
        # Regulatory fees are not part of an execution there: they come as activities of their own.
        return Fill(
            venue="alpaca", account=self._account, execution_id=one.id, client_order_id=name, symbol=one.symbol,
            side=one.side, quantity=Quantity(one.quantity), price=Price(one.price), fee=Money(ZERO), at=one.at,
            slippage=Money(ZERO),
        )  # fmt: skip

    def _nameless(self, one: Execution) -> str:
        """Give an execution whose order nobody knows no name, once the venue had time to show the order."""
        now = asyncio.get_running_loop().time()
        if now - self._unshown.setdefault(one.order_id, now) < SHOWN_WITHIN_S:
            msg = f"Alpaca tells an execution of the order {one.order_id}, and does not show that order yet"
            raise BrokerUnavailable(msg)
        return ""

    def _record_of(self, reply: Reply, what: str) -> OrderRecord:
        if reply.status not in (httpx.codes.OK, httpx.codes.CREATED):
            raise self._http.refused(reply, what=what)
        try:
            record = order_record(reply.document)
        except Unreadable as problem:
            msg = f"Alpaca did not confirm {what}: {problem}"
            raise BrokerUnavailable(msg) from problem
        self._learn([record])
        return record

    def _learn(self, records: list[OrderRecord]) -> None:
        if len(self._names) > KNOWN_MAX:
            self._names.clear()
            self._unshown.clear()
            self._replaced.clear()
        self._names |= {r.id: r.ours for r in records}
        self._replaced |= {r.id: r for r in records if r.status == "replaced"}


def _answer(order: Order, record: OrderRecord) -> Answer:
    """What a record says of an order just sent; fills are told by the executions alone."""
    over = record.state in (OrderState.REJECTED, OrderState.CANCELED, OrderState.EXPIRED) and not record.filled
    return Answer(
        client_order_id=order.client_order_id, state=record.state if over else OrderState.ACCEPTED,
        broker_order_id=record.id, why=record.status if over else "", at=record.updated_at,
    )  # fmt: skip


def _venue_order(chain: list[OrderRecord]) -> VenueOrder:
    first, last = chain[0], chain[-1]
    before = sum((r.filled for r in chain[:-1]), ZERO)
    filled = before + last.filled
    state = OrderState.PARTIAL if last.state is OrderState.ACCEPTED and filled else last.state
    return VenueOrder(
        client_order_id=first.ours, broker_order_id=last.id, symbol=last.symbol, side=last.side, kind=last.kind,
        quantity=None if last.quantity is None else before + last.quantity, price=last.price, filled=filled,
        state=state, why=last.status, created_at=first.created_at, updated_at=last.updated_at,
    )  # fmt: skip


def _is_not_found(reply: Reply) -> bool:
    """Has the venue itself said that there is no such order? A proxy's 404 has not its code."""
    return reply.status == httpx.codes.NOT_FOUND and reply.code == NOT_FOUND_CODE


def _packed(at: datetime, token: str) -> str:
    return f"{at.isoformat()}|{token}"


def _unpacked(cursor: str) -> tuple[datetime | None, str]:
    at, _, token = cursor.partition("|")
    try:
        return (datetime.fromisoformat(at), token) if at else (None, "")
    except ValueError:
        return None, ""
