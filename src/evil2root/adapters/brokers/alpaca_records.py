"""Alpaca's records, read with suspicion: what is not what it should be raises `Unreadable`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.adapters.brokers.reading import Unreadable, amount_of, fields_of, text_of, time_of
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.money import ZERO
from evil2root.domain.core.side import Side

S = OrderState
STATES: Mapping[str, OrderState] = {
    "new": S.ACCEPTED, "accepted": S.ACCEPTED, "pending_new": S.ACCEPTED, "accepted_for_bidding": S.ACCEPTED,
    "held": S.ACCEPTED, "suspended": S.ACCEPTED, "calculated": S.ACCEPTED, "stopped": S.ACCEPTED,
    "done_for_day": S.ACCEPTED, "pending_cancel": S.ACCEPTED, "pending_replace": S.ACCEPTED, "replaced": S.ACCEPTED,
    "partially_filled": S.PARTIAL, "filled": S.FILLED, "canceled": S.CANCELED, "expired": S.EXPIRED,
    "rejected": S.REJECTED,
}  # fmt: skip
"""Alpaca's words for the state of an order, and ours. A replaced order lives on in the one that replaced it."""
del S

REVISION = re.compile(r"([0-9a-f-]{36})-r([0-9]{1,9})")
CRYPTO_PAIR = re.compile(r"([A-Z0-9]{1,12}?)/?(USD|USDT|USDC|BTC)")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One of Alpaca's orders; what replaces it is another."""

    id: str
    client_order_id: str
    symbol: str
    side: Side
    kind: str
    quantity: Decimal | None
    filled: Decimal
    price: Decimal | None
    state: OrderState
    status: str
    created_at: datetime
    updated_at: datetime
    replaced_by: str
    replaces: str

    @property
    def ours(self) -> str:
        """Our id: without the number of the revision."""
        found = REVISION.fullmatch(self.client_order_id)
        return found[1] if found else self.client_order_id

    @property
    def revision(self) -> int:
        """How often it was changed by us, as its name says."""
        found = REVISION.fullmatch(self.client_order_id)
        return int(found[2]) if found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution, as the account's activities tell it."""

    id: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    at: datetime


def order_record(raw: object) -> OrderRecord:
    """Read an order."""
    row = fields_of(raw)
    status = text_of(row, "status")
    if status not in STATES:
        msg = f"the state {status!r} of an order is not known"
        raise Unreadable(msg)
    filled, quantity = amount_of(row, "filled_qty", ZERO), amount_of(row, "qty", None)
    if filled is None or filled < 0 or (quantity is not None and quantity <= 0):
        msg = f"an order of {quantity} with {filled} filled"
        raise Unreadable(msg)
    state = STATES[status]
    if state is OrderState.ACCEPTED and filled > 0:
        state = OrderState.PARTIAL
    created = time_of(row, "created_at")
    return OrderRecord(
        id=text_of(row, "id"), client_order_id=text_of(row, "client_order_id", ""), symbol=our_symbol(row),
        side=_side(text_of(row, "side")), kind=text_of(row, "type", ""), quantity=quantity, filled=filled,
        price=amount_of(row, "stop_price", None) or amount_of(row, "limit_price", None), state=state, status=status,
        created_at=created, updated_at=time_of(row, "updated_at", created), replaced_by=text_of(row, "replaced_by", ""),
        replaces=text_of(row, "replaces", ""),
    )  # fmt: skip


def execution(raw: object) -> Execution:
    """Read an activity of the type FILL."""
    row = fields_of(raw)
    quantity, price = amount_of(row, "qty", None), amount_of(row, "price", None)
    if quantity is None or quantity <= 0 or price is None or price <= 0:
        msg = f"an execution of {quantity} at {price}"
        raise Unreadable(msg)
    return Execution(
        id=text_of(row, "id"), order_id=text_of(row, "order_id"), symbol=our_symbol(row),
        side=_side(text_of(row, "side")), quantity=quantity, price=price, at=time_of(row, "transaction_time"),
    )  # fmt: skip


def holding(raw: object) -> tuple[str, Decimal]:
    """Read a position: its symbol and its signed units."""
    row = fields_of(raw)
    quantity = amount_of(row, "qty", None)
    if quantity is None:
        msg = "a position without a quantity"
        raise Unreadable(msg)
    short = text_of(row, "side", "long") == "short"
    return our_symbol(row), -abs(quantity) if short else quantity


def cash_of(raw: object) -> Decimal:
    """Read the cash of an account."""
    cash = amount_of(fields_of(raw), "cash", None)
    if cash is None:
        msg = "an account without cash"
        raise Unreadable(msg)
    return cash


def our_symbol(row: Mapping[str, object]) -> str:
    """Write a symbol as we do: `BTC/USD`, in positions `BTCUSD`, is `BTC-USD` here."""
    theirs = text_of(row, "symbol")
    pair = CRYPTO_PAIR.fullmatch(theirs) if "/" in theirs or row.get("asset_class") == "crypto" else None
    return f"{pair[1]}-{pair[2]}" if pair else theirs


def their_symbol(ours: str) -> str:
    """Write one of our symbols as Alpaca does."""
    return ours.replace("-", "/") if "-" in ours else ours


def _side(word: str) -> Side:
    sides = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL, "buy_to_cover": Side.BUY}
    if word not in sides:
        msg = f"the side {word!r} is not known"
        raise Unreadable(msg)
    return sides[word]
