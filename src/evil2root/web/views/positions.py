"""Positions and working orders: what is on, and what can hurt?"""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.book.orders import Leg, Order, OrderKind
from evil2root.domain.book.positions import Position
from evil2root.domain.core.money import ZERO
from evil2root.domain.core.side import Side
from evil2root.engine.desk import Desk
from evil2root.web import format as f
from evil2root.web.svg import RangeBar, Spark, range_bar, spark
from evil2root.web.views import common
from evil2root.web.views.common import Badge, Delta, Place, SideWord, place_of

SPARK_BARS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """One open position."""

    symbol: str
    name: str
    direction: str
    quantity: str
    entry: str
    last: str
    value: str
    weight: str
    pnl: Delta
    pnl_frac: Delta
    r: Delta | None
    at_risk: str
    stop: str
    """Empty without one."""
    target: str
    stop_note: str
    """`initial`, `trailing`, or what is wrong."""
    range: RangeBar | None
    spark: Spark | None
    opened: f.Moment
    decision_id: str
    closing: bool
    """An exit is working."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One working order."""

    id: str
    symbol: str
    side: SideWord | None
    what: str
    quantity: str
    filled: str
    price: str
    """Empty: at the market."""
    badge: Badge
    reason: str
    at: f.Moment
    decision_id: str
    cancelable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionsCard:
    """All open positions."""

    rows: tuple[PositionRow, ...]
    unrealised: Delta
    value: str
    at_risk: str
    cash: str
    empty: str


async def positions_card(desk: Desk) -> PositionsCard:
    """Every open position with its last closes."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    portfolio = status.portfolio
    rows = [await _row(desk, position, place) for position in portfolio.positions.values()]
    open_pnl = sum(map(portfolio.unrealised_of, portfolio.positions.values()), ZERO)
    if status.carry.breaker.lets_in:
        empty = "The next entry is decided when a bar closes and the sources agree enough."
    else:
        empty = "No entries are made while they are halted."
    return PositionsCard(
        rows=tuple(rows), unrealised=place.gain(open_pnl), value=place.money(portfolio.gross),
        at_risk=place.money(-portfolio.risk_at_stops), cash=place.money(portfolio.cash), empty=empty,
    )  # fmt: skip


async def _row(desk: Desk, position: Position, place: Place) -> PositionRow:
    now = desk.status().now
    frame = await desk.reads.bars(position.symbol, desk.policy.interval, start=None, until=now, limit=SPARK_BARS)
    return position_row(desk, position, place, closes=frame["close"].to_list())


def position_row(desk: Desk, position: Position, place: Place, *, closes: list[float]) -> PositionRow:
    """One position, marked at the last close."""
    portfolio, symbol = desk.status().portfolio, position.symbol
    mark = portfolio.mark(position)
    pnl, rate = portfolio.unrealised_of(position), portfolio.rate(position)
    cost = position.average_price * position.entry_rate * position.size
    equity = portfolio.equity
    value = abs(portfolio.value_of(position))
    risk = (
        value
        if position.stop is None
        else max(ZERO, position.side.sign * (mark - position.stop) * position.size * rate)
    )
    closing = any(o.reduce_only and not o.is_guard for o in desk.state.of_symbol(symbol))
    return PositionRow(
        symbol=symbol,
        name=place.name(symbol),
        direction="Long" if position.side is Side.BUY else "Short",
        quantity=f.quantity(position.size),
        entry=place.price(symbol, position.average_price),
        last=place.price(symbol, mark),
        value=place.money(value),
        weight=f.pct(value / equity) if equity > 0 else "none",
        pnl=place.gain(pnl),
        pnl_frac=common.rate(pnl / cost),
        r=common.multiple(r_now(position, mark)),
        at_risk=place.money(-risk),
        stop=place.price(symbol, position.stop) if position.stop is not None else "",
        target=place.price(symbol, position.target) if position.target is not None else "",
        stop_note=_stop_note(position),
        range=_range(position, mark, place),
        spark=spark(closes),
        opened=place.day(position.opened_at),
        decision_id=position.decision_id,
        closing=closing,
    )


def r_now(position: Position, mark: Decimal) -> Decimal | None:
    """The open result in multiples of the risk taken; none without a first stop."""
    if position.initial_stop is None:
        return None
    risk = abs(position.average_price - position.initial_stop)
    return position.side.sign * (mark - position.average_price) / risk if risk else None


def _stop_note(position: Position) -> str:
    if position.unprotected_since is not None:
        return "not working at the broker"
    if position.stop is None:
        return "no stop"
    if position.trailing:
        return "trailing"
    return "initial" if position.stop == position.initial_stop else "moved"


def _range(position: Position, mark: Decimal, place: Place) -> RangeBar | None:
    if position.stop is None or position.target is None:
        return None
    symbol = position.symbol
    words = ", ".join(
        f"{name} {place.price(symbol, at)}"
        for name, at in (("stop", position.stop), ("entry", position.average_price), ("last", mark),
                         ("target", position.target))
    )  # fmt: skip
    return range_bar(
        stop=float(position.stop), target=float(position.target), entry=float(position.average_price),
        last=float(mark), label=words[0].upper() + words[1:],
    )  # fmt: skip


def order_rows(desk: Desk) -> tuple[OrderRow, ...]:
    """Every working order, newest first."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    return tuple(order_row(order, place) for order in reversed(list(desk.state.orders.values())))


KINDS = {
    OrderKind.MARKET: "At the next open",
    OrderKind.LIMIT: "Limit",
    OrderKind.STOP_ENTRY: "Stop entry",
    OrderKind.STOP: "Stop",
    OrderKind.TARGET: "Target",
}
LEGS = {Leg.ENTRY: "Entry", Leg.EXIT: "Exit", Leg.STOP: "Guard", Leg.TARGET: "Guard", Leg.MANUAL: "Exit by hand"}


def order_row(order: Order, place: Place) -> OrderRow:
    """One order."""
    return OrderRow(
        id=order.client_order_id, symbol=order.symbol, side=common.side_word(order.side),
        what=f"{LEGS[order.leg]}, {KINDS[order.kind].lower()}", quantity=f.quantity(order.quantity),
        filled=f.quantity(order.filled), price=place.price(order.symbol, order.price) if order.price else "",
        badge=common.order_badge(order.state), reason=common.sentence(order.reason), at=place.stamp(order.created_at),
        decision_id=order.decision_id, cancelable=not order.is_guard,
    )  # fmt: skip
