"""Valid things with sensible values; a test says only what it is about."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from evil2root.domain.book.orders import Leg, Order, OrderKind, OrderState
from evil2root.domain.core.instrument import Instrument, instrument_for
from evil2root.domain.core.money import Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.execution.costs import Costs
from evil2root.domain.execution.venue import Terms, VenueAccount, accepted
from evil2root.domain.market.bars import Bar

DAY_ONE = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
FREE = Costs(fee_frac=Decimal(0), slippage_bps=Decimal(0), volume_share_frac=None)


def a_bar(  # noqa: PLR0913 - a bar has as many parts
    open_: float, high: float, low: float, close: float, *, symbol: str = "AAPL", day: int = 0, volume: float = 1e6
) -> Bar:
    opened = DAY_ONE + timedelta(days=day)
    return Bar(
        symbol=symbol, interval=Interval.D1, opened_at=opened, closed_at=opened + timedelta(hours=6, minutes=30),
        open=open_, high=high, low=low, close=close, volume=volume,
    )  # fmt: skip


def an_order(side: Side, quantity: int, **changes: Any) -> Order:
    """A market order that was just sent; `kind` and `price` make it another."""
    made = Order(
        client_order_id="o-1", decision_id="D-1", account="paper", strategy="test", symbol="AAPL", side=side,
        kind=OrderKind.MARKET, leg=Leg.ENTRY, quantity=Quantity(Decimal(quantity)), price=None, reduce_only=False,
        reason="entry", created_at=DAY_ONE, updated_at=DAY_ONE, bar_at=DAY_ONE, state=OrderState.SENDING,
    )  # fmt: skip
    return replace(made, **changes)


def a_stop(side: Side, quantity: int, price: str, **changes: Any) -> Order:
    return an_order(
        side, quantity, client_order_id=f"stop-{price}", kind=OrderKind.STOP, leg=Leg.STOP, price=Price(Decimal(price)),
        reduce_only=True, reason="stop", **changes,
    )  # fmt: skip


def a_target(side: Side, quantity: int, price: str, **changes: Any) -> Order:
    return an_order(
        side, quantity, client_order_id=f"target-{price}", kind=OrderKind.TARGET, leg=Leg.TARGET,
        price=Price(Decimal(price)), reduce_only=True, reason="target", **changes,
    )  # fmt: skip


def terms(*, costs: Costs = FREE, tick: str | None = "0.01", target_gap_first: bool = True) -> Terms:
    def shaped(symbol: str) -> Instrument:
        return replace(instrument_for(symbol), tick=None if tick is None else Decimal(tick))

    return Terms(instruments={s: shaped(s) for s in ("AAPL", "MSFT")}, costs=costs, target_gap_first=target_gap_first)


def an_account(*orders: Order, cash: str = "100000", **held: int) -> VenueAccount:
    account = VenueAccount(
        account="paper", cash=Money(Decimal(cash)), positions={s: Decimal(q) for s, q in held.items()}
    )
    for order in orders:
        account = accepted(account, order)
    return account
