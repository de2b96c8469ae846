"""Alpaca's records, read with suspicion: what is not what it should be raises `Unreadable`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

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
TEXT_MAX = 200
DIGITS_MAX = 40
MAGNITUDE_MAX = 20
"""Powers of ten beyond which nothing is a price, a quantity or money."""
YEARS = range(2000, 2200)
"""An execution from before or after would lead the cursor astray."""


class Unreadable(ValueError):  # noqa: N818 - named for what is wrong
    """A record of the venue that can't be what it says it is."""


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
    row = _row(raw)
    status = _text(row, "status")
    if status not in STATES:
        msg = f"the state {status!r} of an order is not known"
        raise Unreadable(msg)
    filled, quantity = _amount(row, "filled_qty", ZERO), _amount(row, "qty", None)
    if filled is None or filled < 0 or (quantity is not None and quantity <= 0):
        msg = f"an order of {quantity} with {filled} filled"
        raise Unreadable(msg)
    state = STATES[status]
    if state is OrderState.ACCEPTED and filled > 0:
        state = OrderState.PARTIAL
    created = _time(row, "created_at")
    return OrderRecord(
        id=_text(row, "id"), client_order_id=_text(row, "client_order_id", ""), symbol=our_symbol(row),
        side=_side(_text(row, "side")), kind=_text(row, "type", ""), quantity=quantity, filled=filled,
        price=_amount(row, "stop_price", None) or _amount(row, "limit_price", None), state=state, status=status,
        created_at=created, updated_at=_time(row, "updated_at", created), replaced_by=_text(row, "replaced_by", ""),
        replaces=_text(row, "replaces", ""),
    )  # fmt: skip


def execution(raw: object) -> Execution:
    """Read an activity of the type FILL."""
    row = _row(raw)
    quantity, price = _amount(row, "qty", None), _amount(row, "price", None)
    if quantity is None or quantity <= 0 or price is None or price <= 0:
        msg = f"an execution of {quantity} at {price}"
        raise Unreadable(msg)
    return Execution(
        id=_text(row, "id"), order_id=_text(row, "order_id"), symbol=our_symbol(row),
        side=_side(_text(row, "side")), quantity=quantity, price=price, at=_time(row, "transaction_time"),
    )  # fmt: skip


def holding(raw: object) -> tuple[str, Decimal]:
    """Read a position: its symbol and its signed units."""
    row = _row(raw)
    quantity = _amount(row, "qty", None)
    if quantity is None:
        msg = "a position without a quantity"
        raise Unreadable(msg)
    short = _text(row, "side", "long") == "short"
    return our_symbol(row), -abs(quantity) if short else quantity


def cash_of(raw: object) -> Decimal:
    """Read the cash of an account."""
    cash = _amount(_row(raw), "cash", None)
    if cash is None:
        msg = "an account without cash"
        raise Unreadable(msg)
    return cash


def our_symbol(row: Mapping[str, object]) -> str:
    """Write a symbol as we do: `BTC/USD`, in positions `BTCUSD`, is `BTC-USD` here."""
    theirs = _text(row, "symbol")
    pair = CRYPTO_PAIR.fullmatch(theirs) if "/" in theirs or row.get("asset_class") == "crypto" else None
    return f"{pair[1]}-{pair[2]}" if pair else theirs


def their_symbol(ours: str) -> str:
    """Write one of our symbols as Alpaca does."""
    return ours.replace("-", "/") if "-" in ours else ours


def as_told(raw: object) -> str:
    """Show the beginning of what came: printable, whatever it was."""
    try:
        return repr(raw)[: 2 * TEXT_MAX]
    except RecursionError:
        return "something nested without end"


def _row(raw: object) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        msg = f"{as_told(raw)} is no record"
        raise Unreadable(msg)
    return raw


def _text(row: Mapping[str, object], name: str, default: str | None = None) -> str:
    value = row.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX or not value.isprintable():
        msg = f"{name} is {as_told(value)}"
        raise Unreadable(msg)
    return value


def _amount(row: Mapping[str, object], name: str, default: Decimal | None) -> Decimal | None:
    value = row.get(name)
    if value is None:
        return default
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) and len(str(value)) <= DIGITS_MAX else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > MAGNITUDE_MAX:
        msg = f"{name} is {as_told(value)}, which is no number"
        raise Unreadable(msg)
    return number


def _time(row: Mapping[str, object], name: str, default: datetime | None = None) -> datetime:
    value = row.get(name)
    if value is None and default is not None:
        return default
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in YEARS:
        msg = f"{name} is {as_told(value)}, which is no time"
        raise Unreadable(msg)
    return moment.astimezone(UTC)


def _side(word: str) -> Side:
    sides = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL, "buy_to_cover": Side.BUY}
    if word not in sides:
        msg = f"the side {word!r} is not known"
        raise Unreadable(msg)
    return sides[word]
