"""The books of a small Alpaca: orders, executions, cash and positions, exact."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from evil2root.adapters.system_clock import SystemClock

DONE = ("filled", "canceled", "expired", "rejected", "replaced")


@dataclass
class Row:
    """One order as the server keeps it."""

    id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: Decimal
    stop_price: Decimal | None
    created_at: datetime
    updated_at: datetime
    status: str = "new"
    filled_qty: Decimal = Decimal(0)
    replaced_by: str | None = None
    replaces: str | None = None
    visible_at: datetime | None = None
    """A late order is not found before this moment."""

    @property
    def left(self) -> Decimal:
        return self.qty - self.filled_qty

    @property
    def is_open(self) -> bool:
        return self.status not in DONE

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id, "client_order_id": self.client_order_id, "created_at": stamp(self.created_at),
            "updated_at": stamp(self.updated_at), "submitted_at": stamp(self.created_at), "replaced_by": self.replaced_by,
            "replaces": self.replaces, "symbol": self.symbol, "asset_class": "us_equity", "notional": None,
            "qty": str(self.qty), "filled_qty": str(self.filled_qty), "order_class": "", "order_type": self.type,
            "type": self.type, "side": self.side, "time_in_force": self.time_in_force, "limit_price": None,
            "stop_price": None if self.stop_price is None else str(self.stop_price), "status": self.status,
            "extended_hours": False, "legs": None,
        }  # fmt: skip


@dataclass
class Done:
    """One execution."""

    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    at: datetime
    leaves: Decimal

    def shown(self) -> dict[str, Any]:
        return {
            "activity_type": "FILL", "id": self.id, "cum_qty": str(self.qty), "leaves_qty": str(self.leaves),
            "price": str(self.price), "qty": str(self.qty), "side": self.side, "symbol": self.symbol,
            "transaction_time": stamp(self.at), "order_id": self.order_id, "type": "fill" if not self.leaves else "partial_fill",
        }  # fmt: skip


class Refusal(Exception):  # noqa: N818 - an answer, not a failure
    """What the venue answers instead of doing it."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class AlpacaBook:
    """One account."""

    cash: Decimal = Decimal(100_000)
    prices: dict[str, Decimal] = field(default_factory=dict)
    """By symbol; others trade at 100."""
    part: Decimal | None = None
    """Market orders fill so much at first; none: all."""
    orders: dict[str, Row] = field(default_factory=dict)
    done: list[Done] = field(default_factory=list)
    positions: dict[str, Decimal] = field(default_factory=dict)
    posts: list[str] = field(default_factory=list)
    """Client order ids of every order request that was read, in order."""
    numbers: int = 0

    def place(self, asked: dict[str, str], *, late_s: float = 0.0) -> Row:
        """Take an order as the venue does, or refuse it."""
        name = asked.get("client_order_id") or self._id()
        if any(r.client_order_id == name for r in self.orders.values()):
            raise Refusal(422, 40010001, "client_order_id must be unique")
        qty = Decimal(asked["qty"])
        if qty <= 0:
            raise Refusal(422, 40010001, "qty must be > 0")
        symbol, side = asked["symbol"], asked["side"]
        free = self.positions.get(symbol, Decimal(0)) - self._reserved(symbol)
        if side == "sell" and self.positions.get(symbol, Decimal(0)) > 0 and qty > free:
            raise Refusal(403, 40310000, f"insufficient qty available for order (requested: {qty}, available: {free})")
        now = present()
        row = Row(
            id=self._id(), client_order_id=name, symbol=symbol, side=side, type=asked["type"], qty=qty,
            time_in_force=asked["time_in_force"], created_at=now, updated_at=now,
            stop_price=Decimal(asked["stop_price"]) if "stop_price" in asked else None,
            visible_at=now + timedelta(seconds=late_s) if late_s else None,
        )  # fmt: skip
        self.orders[row.id] = row
        if row.type == "market":
            self.execute(row, min(self.part or qty, qty))
        return row

    def execute(self, row: Row, qty: Decimal, price: Decimal | None = None) -> Done:
        """Fill some of an order."""
        at = price or row.stop_price or self.prices.get(row.symbol, Decimal(100))
        sign = 1 if row.side == "buy" else -1
        now = present()
        row.filled_qty += qty
        row.updated_at = now
        row.status = "filled" if not row.left else "partially_filled"
        self.cash -= sign * qty * at
        held = self.positions.get(row.symbol, Decimal(0)) + sign * qty
        self.positions = {k: v for k, v in {**self.positions, row.symbol: held}.items() if v}
        one = Done(
            id=f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}::{self._id()}", order_id=row.id, symbol=row.symbol,
            side=row.side, qty=qty, price=at, at=now, leaves=row.left,
        )  # fmt: skip
        self.done.append(one)
        return one

    def cancel(self, row: Row) -> None:
        """Take an order out."""
        if not row.is_open:
            raise Refusal(422, 42210000, f'order is already in "{row.status}" state')
        row.status, row.updated_at = "canceled", present()

    def replace(self, row: Row, asked: dict[str, str]) -> Row:
        """Put a new order in the place of one."""
        if not row.is_open:
            raise Refusal(422, 42210000, f'order is already in "{row.status}" state')
        name = asked.get("client_order_id") or self._id()
        if any(r.client_order_id == name for r in self.orders.values()):
            raise Refusal(422, 40010001, "client_order_id must be unique")
        now = present()
        qty = Decimal(asked.get("qty", str(row.left)))
        held = self.positions.get(row.symbol, Decimal(0))
        if row.side == "sell" and qty > held - self._reserved(row.symbol) + row.left:
            raise Refusal(403, 40310000, "insufficient qty available for order")
        new = Row(
            id=self._id(), client_order_id=name, symbol=row.symbol, side=row.side, type=row.type,
            time_in_force=row.time_in_force, qty=qty, created_at=now, updated_at=now, replaces=row.id,
            stop_price=Decimal(asked["stop_price"]) if "stop_price" in asked else row.stop_price,
        )  # fmt: skip
        self.orders[new.id] = new
        row.status, row.replaced_by, row.updated_at = "replaced", new.id, now
        return new

    def outrun(self, row: Row, asked: dict[str, str]) -> Row:
        """Accept a replacement, and reject it because the old order was touched first."""
        new = self.replace(row, asked)
        new.status, row.status = "rejected", "new"
        self.execute(row, row.left)
        return new

    def found(self, *, by_id: str = "", by_name: str = "") -> Row:
        """Find an order that can be seen."""
        for row in self.orders.values():
            if (by_id and row.id == by_id) or (by_name and row.client_order_id == by_name):
                if row.visible_at is not None and present() < row.visible_at:
                    break
                return row
        raise Refusal(404, 40410000, f"order not found for {by_id or by_name}")

    def _reserved(self, symbol: str) -> Decimal:
        return sum((r.left for r in self.orders.values() if r.symbol == symbol and r.side == "sell" and r.is_open),
                   Decimal(0))  # fmt: skip

    def _id(self) -> str:
        self.numbers += 1
        return str(UUID(int=(0xE << 124) + self.numbers))


def stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def present() -> datetime:
    return SystemClock().now()
