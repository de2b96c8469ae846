"""Binance's orders as it lists them, and what is remembered of them.

Facts from Binance's reference: an order is asked for by its name or by its number within its market, `allOrders` lists
one market from a moment or a number on, up to 1,000 a page, and an order that does not exist is -2013. Nothing links an
order to the one that was put in its place but the names we give; whatever is replaced is canceled first.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog

from evil2root.adapters.brokers.binance_names import our_name, their_name
from evil2root.adapters.brokers.binance_records import OrderRecord, milliseconds, order_record
from evil2root.adapters.brokers.binance_wire import BinanceWire
from evil2root.adapters.brokers.bounded import Reply
from evil2root.adapters.brokers.reading import Unreadable
from evil2root.domain.book.orders import FINAL, OrderState
from evil2root.domain.execution.broker import BrokerUnavailable

log = structlog.get_logger()

NOT_FOUND_CODE = "-2013"
LISTED_MAX = 1_000
"""Orders a page; Binance's most."""
PAGES_MAX = 100
KNOWN_MAX = 50_000

Rows = dict[tuple[str, int], OrderRecord]
"""Records by market and number."""


class BinanceListing:
    """Orders of one account. Every method raises `BrokerUnavailable` when no answer can be relied on."""

    def __init__(self, wire: BinanceWire, markets: Sequence[str]) -> None:
        self._wire = wire
        self._markets = tuple(markets)
        self._names: dict[tuple[str, int], str] = {}
        """Our ids by market and number."""
        self._over: dict[str, dict[int, OrderRecord]] = {}
        """Revisions of our orders that are over, by our id: nothing about them changes any more."""

    async def chains(self, since: datetime) -> list[list[OrderRecord]]:
        """Return what is open or was made at or after `since`, each order with all that it replaced, oldest first."""
        rows, _ = await self._listed("private_get_openorders", {})
        for market in self._markets:
            rows |= await self._all(market, {"startTime": str(milliseconds(since))})
        grouped: dict[str, list[OrderRecord]] = {}
        for record in sorted(rows.values(), key=lambda r: (r.revision, r.id)):
            is_ours = our_name(record.name) is not None
            grouped.setdefault(record.ours if is_ours else f"{record.market}:{record.id}", []).append(record)
        found: list[list[OrderRecord]] = []
        for ours, chain in grouped.items():
            before = self._over.get(ours, {})
            whole = [before[n] for n in sorted(before) if n < chain[0].revision] + chain
            if whole[0].revision:
                whole = await self.named(whole[0].market, ours) or whole
            found.append(whole)
        return found

    async def named(self, market: str, ours: str) -> list[OrderRecord]:
        """Return an order and all that replaced it, in that order; empty when the venue says that it has none."""
        asked = {"symbol": market, "origClientOrderId": their_name(ours)}
        reply = await self._wire.question("private_get_order", asked)
        if _is_not_found(reply):
            return []
        first = self.record_of(reply, f"the record of {ours}")
        if (first.ours, first.market) != (ours, market):
            raise self._wire.refused(reply, what=f"the record of {ours}, but another one")
        if first.state is not OrderState.CANCELED:
            return [first]  # what is replaced is canceled first
        later = await self._all(market, {"orderId": str(first.id)})
        return sorted((r for r in [first, *later.values()] if (r.ours == ours and r.id > first.id) or r is first),
                      key=lambda r: r.revision)  # fmt: skip

    async def name_of(self, market: str, number: int) -> str | None:
        """Return our id of an order, its own name when it is not ours, or nothing when the venue has no such order."""
        known = self._names.get((market, number))
        if known is not None:
            return known
        reply = await self._wire.question("private_get_order", {"symbol": market, "orderId": str(number)})
        if _is_not_found(reply):
            return None
        record = self.record_of(reply, f"the order {number} of {market}")
        if (record.market, record.id) != (market, number):
            raise self._wire.refused(reply, what=f"the order {number} of {market}, but another one")
        return record.ours

    async def _all(self, market: str, where: Mapping[str, str]) -> Rows:
        """Return the orders of a market from a moment or a number on."""
        found: Rows = {}
        for _ in range(PAGES_MAX):
            asked = {"symbol": market, "limit": str(LISTED_MAX), **where}
            page, is_full = await self._listed("private_get_allorders", asked)
            new = page.keys() - found.keys()
            found |= page
            if not is_full:
                return found
            if not new:
                msg = f"Nothing new can be read in a page of Binance's orders of {market}"
                raise BrokerUnavailable(msg)
            where = {"orderId": str(max(number for _, number in page) + 1)}
        msg = f"Binance lists more than {PAGES_MAX} pages of orders of {market}"
        raise BrokerUnavailable(msg)

    async def _listed(self, question: str, asked: Mapping[str, str]) -> tuple[Rows, bool]:
        """Return what can be read of a list, and whether it was as long as a list may be."""
        reply = await self._wire.question(question, asked)
        if reply.status != 200 or not isinstance(reply.document, list):
            raise self._wire.refused(reply, what="the orders")
        found: Rows = {}
        for raw in reply.document:
            try:
                record = order_record(raw)
            except Unreadable as problem:
                # One order nobody can read, perhaps not ours, must not hide the others: ours are looked up singly.
                log.warning("venue.unreadable", problem=str(problem))
                continue
            found[record.market, record.id] = record
        self.learn(list(found.values()))
        return found, len(reply.document) >= LISTED_MAX

    def record_of(self, reply: Reply, what: str) -> OrderRecord:
        """Read the order an answer is about; no status but 200 is one."""
        if reply.status != 200:
            raise self._wire.refused(reply, what=what)
        try:
            record = order_record(reply.document)
        except Unreadable as problem:
            msg = f"Binance did not confirm {what}: {problem}"
            raise BrokerUnavailable(msg) from problem
        self.learn([record])
        return record

    def learn(self, records: Sequence[OrderRecord]) -> None:
        """Remember whose number an order has, and what is over."""
        if len(self._names) > KNOWN_MAX:
            self._names.clear()
            self._over.clear()
        for record in records:
            self._names[record.market, record.id] = record.ours
            if record.state in FINAL and record.ours != record.name:
                self._over.setdefault(record.ours, {})[record.revision] = record


def _is_not_found(reply: Reply) -> bool:
    """Has the venue itself said that there is no such order? A proxy's 404 has not its code."""
    return reply.status == 400 and reply.code == NOT_FOUND_CODE
