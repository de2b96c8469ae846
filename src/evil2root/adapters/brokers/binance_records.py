"""Binance's records, read with suspicion: what is not what it should be raises `Unreadable`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from evil2root.adapters.brokers.binance_names import our_name
from evil2root.adapters.brokers.reading import Unreadable, amount_of, as_told, fields_of, text_of
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.money import ZERO
from evil2root.domain.core.side import Side

S = OrderState
STATES: Mapping[str, OrderState] = {
    "NEW": S.ACCEPTED, "PENDING_NEW": S.ACCEPTED, "PENDING_CANCEL": S.ACCEPTED, "PARTIALLY_FILLED": S.PARTIAL,
    "FILLED": S.FILLED, "CANCELED": S.CANCELED, "REJECTED": S.REJECTED, "EXPIRED": S.EXPIRED,
    "EXPIRED_IN_MATCH": S.EXPIRED,
}  # fmt: skip
"""Binance's words for the state of an order, and ours."""
del S

SIDES = {"BUY": Side.BUY, "SELL": Side.SELL}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBER_MAX = 2**63
MILLISECONDS = range(946_684_800_000, 7_258_118_400_000)
"""The years 2000 to 2199: an execution from before or after would lead the cursor astray."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """One of Binance's orders; what was put in its place is another."""

    id: int
    """Counted up within its market."""
    name: str
    market: str
    """As Binance writes it: `BTCUSDT`."""
    side: Side
    kind: str
    quantity: Decimal | None
    filled: Decimal
    price: Decimal | None
    state: OrderState
    status: str
    created_at: datetime
    updated_at: datetime

    @property
    def ours(self) -> str:
        """Our id, without the number of the revision; the name as it is when it is not ours."""
        found = our_name(self.name)
        return found[0] if found else self.name

    @property
    def revision(self) -> int:
        """How often it was changed by us, as its name says."""
        found = our_name(self.name)
        return found[1] if found else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One execution."""

    id: int
    """Counted up within its market."""
    order_id: int
    market: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What Binance allows in one market."""

    market: str
    base: str
    quote: str
    open: bool
    tick: Decimal
    lot: Decimal
    least: Decimal
    """Smallest quantity of an order."""
    notional: Decimal
    """Smallest value of an order, in the quote currency."""
    takes: frozenset[str]
    """Types of orders."""


def order_record(raw: object) -> OrderRecord:
    """Read an order, as a question shows it or as placing it is answered."""
    row = fields_of(raw)
    status, side = text_of(row, "status"), text_of(row, "side")
    if status not in STATES or side not in SIDES:
        msg = f"the state {status!r} or the side {side!r} of an order is not known"
        raise Unreadable(msg)
    filled, quantity = _required(row, "executedQty"), amount_of(row, "origQty", None)
    if filled < 0 or (quantity is not None and not quantity >= 0):
        msg = f"an order of {quantity} with {filled} filled"
        raise Unreadable(msg)
    state = STATES[status]
    if state is OrderState.ACCEPTED and filled > 0:
        state = OrderState.PARTIAL
    created = _moment(row, "time" if "time" in row else "transactTime")
    return OrderRecord(
        id=_number(row, "orderId"), name=text_of(row, "clientOrderId"), market=text_of(row, "symbol"),
        side=SIDES[side], kind=text_of(row, "type"), quantity=quantity or None, filled=filled,
        price=(amount_of(row, "stopPrice", None) or amount_of(row, "price", None)) or None, state=state, status=status,
        created_at=created, updated_at=_moment(row, "updateTime") if "updateTime" in row else created,
    )  # fmt: skip


def trade(raw: object) -> Trade:
    """Read an execution."""
    row = fields_of(raw)
    quantity, price, fee = (_required(row, name) for name in ("qty", "price", "commission"))
    is_buyer = row.get("isBuyer")
    if quantity <= 0 or price <= 0 or fee < 0 or not isinstance(is_buyer, bool):
        msg = f"an execution of {quantity} at {price} for {fee}, buyer {as_told(is_buyer)}"
        raise Unreadable(msg)
    return Trade(
        id=_number(row, "id"), order_id=_number(row, "orderId"), market=text_of(row, "symbol"),
        side=Side.BUY if is_buyer else Side.SELL, quantity=quantity, price=price, fee=fee,
        fee_asset=text_of(row, "commissionAsset"), at=_moment(row, "time"),
    )  # fmt: skip


def balances(raw: object) -> dict[str, Decimal]:
    """Read what an account holds of each asset, free and locked."""
    listed = fields_of(raw).get("balances")
    if not isinstance(listed, list):
        msg = f"balances are {as_told(listed)}"
        raise Unreadable(msg)
    rows = [fields_of(one) for one in listed]
    return {text_of(row, "asset"): _required(row, "free") + _required(row, "locked") for row in rows}


def market(raw: object) -> Market:
    """Read what is allowed in a market."""
    row = fields_of(raw)
    listed, types = row.get("filters"), row.get("orderTypes")
    if not isinstance(listed, list) or not isinstance(types, list):
        msg = f"a market with the filters {as_told(listed)} and types {as_told(types)}"
        raise Unreadable(msg)
    filters = {text_of(f, "filterType"): f for f in map(fields_of, listed)}
    prices, lots = filters.get("PRICE_FILTER", {}), filters.get("LOT_SIZE", {})
    value = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    tick, lot = _required(prices, "tickSize"), _required(lots, "stepSize")
    if tick <= 0 or lot <= 0:
        msg = f"a market with the tick {tick} and the lot {lot}"
        raise Unreadable(msg)
    return Market(
        market=text_of(row, "symbol"), base=text_of(row, "baseAsset"), quote=text_of(row, "quoteAsset"),
        open=text_of(row, "status") == "TRADING", tick=tick, lot=lot, least=_required(lots, "minQty"),
        notional=amount_of(value, "minNotional", None) or ZERO, takes=frozenset(map(str, types)),
    )  # fmt: skip


def milliseconds(at: datetime) -> int:
    """Write a time as Binance does; what is finer than a millisecond is cut off."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def _required(row: Mapping[str, object], name: str) -> Decimal:
    value = amount_of(row, name, None)
    if value is None:
        msg = f"{name} is missing"
        raise Unreadable(msg)
    return value


def _number(row: Mapping[str, object], name: str) -> int:
    value = _required(row, name)
    if value != value.to_integral_value() or not 0 <= value < NUMBER_MAX:
        msg = f"{name} is {as_told(row.get(name))}"
        raise Unreadable(msg)
    return int(value)


def _moment(row: Mapping[str, object], name: str) -> datetime:
    value = _number(row, name)
    if value not in MILLISECONDS:
        msg = f"{name} is {value}, which is no time"
        raise Unreadable(msg)
    return EPOCH + timedelta(milliseconds=value)
