"""Small books to measure: points, trades and fills with everything that does not matter filled in."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Trade
from evil2root.domain.core.money import Money, Price, Quantity
from evil2root.domain.core.side import Side

BEGIN = datetime(2024, 1, 1, 21, tzinfo=UTC)
DAY = timedelta(days=1)


def points_of(
    equity: Sequence[float | str],
    *,
    benchmark: Sequence[float | str | None] | None = None,
    gross: Sequence[float | str] | None = None,
    every: timedelta = DAY,
) -> tuple[EquityPoint, ...]:
    amounts = [Money(Decimal(str(amount))) for amount in equity]
    marks = benchmark if benchmark is not None else [None] * len(amounts)
    held = gross if gross is not None else [0] * len(amounts)
    return tuple(
        EquityPoint(
            at=BEGIN + n * every,
            cash=Money(amount - Decimal(str(held[n]))),
            equity=amount,
            gross=Money(Decimal(str(held[n]))),
            peak=max(amounts[: n + 1]),
            benchmark=None if marks[n] is None else Money(Decimal(str(marks[n]))),
        )
        for n, amount in enumerate(amounts)
    )


def a_trade(
    pnl: str = "10", *, risk: str | None = "5", held: timedelta = DAY, symbol: str = "AAPL", reason: str = "signal"
) -> Trade:
    return Trade(
        id=f"D-1/{symbol}",
        symbol=symbol,
        side=Side.BUY,
        quantity=Quantity(Decimal(10)),
        entry_time=BEGIN,
        entry_price=Price(Decimal("100.50")),
        exit_time=BEGIN + held,
        exit_price=Price(Decimal("101.70")),
        exit_reason=reason,
        fees=Money(Decimal(2)),
        pnl=Money(Decimal(pnl)),
        risk=None if risk is None else Money(Decimal(risk)),
        entry_decision_id="D-1",
        exit_decision_id="D-2",
    )


def a_fill(*, quantity: str = "10", price: str = "100", fee: str = "1", slippage: str = "0.5") -> Fill:
    return Fill(
        venue="paper",
        account="paper",
        execution_id="e1",
        client_order_id="c1",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Quantity(Decimal(quantity)),
        price=Price(Decimal(price)),
        fee=Money(Decimal(fee)),
        at=BEGIN,
        slippage=Money(Decimal(slippage)),
    )
