"""Cash, positions and what they are worth at the last close."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.positions import Position
from evil2root.domain.core.money import ZERO, Money, Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The account as the ledger has it, marked at the last known prices."""

    cash: Money
    positions: Mapping[str, Position] = field(default_factory=dict)
    marks: Mapping[str, Price] = field(default_factory=dict)
    """Last close (or fill) of every symbol seen, as quoted."""
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    """Account currency for a price of 1 at the last close, of symbols that are quoted in another."""

    @property
    def value(self) -> Money:
        """Signed market value of all positions."""
        return Money(sum(map(self.value_of, self.positions.values()), ZERO))

    @property
    def equity(self) -> Money:
        """Cash plus market value."""
        return Money(self.cash + self.value)

    @property
    def gross(self) -> Money:
        """Market value of all positions without sign."""
        return Money(sum((abs(self.value_of(p)) for p in self.positions.values()), ZERO))

    def mark(self, position: Position) -> Decimal:
        """Return the price a position is valued at: the last known one, at first its own fill."""
        return self.marks.get(position.symbol, position.average_price)

    def rate(self, position: Position) -> Decimal:
        """Return the account's currency for a price of 1: at the last close, before that as when it was entered."""
        return self.rates.get(position.symbol, position.entry_rate)

    def value_of(self, position: Position) -> Money:
        """Signed market value of one position."""
        return position.value(self.mark(position), rate=self.rate(position))

    def unrealised_of(self, position: Position) -> Money:
        """Profit of one position if it were closed at the last price, before fees."""
        return position.unrealised(self.mark(position), rate=self.rate(position))

    @property
    def risk_at_stops(self) -> Money:
        """Loss from the marks if every stop is hit, never negative; a position without a stop risks its value."""
        total = ZERO
        for p in self.positions.values():
            mark = self.mark(p)
            loss = abs(self.value_of(p)) if p.stop is None else p.side.sign * (mark - p.stop) * p.size * self.rate(p)
            total += max(loss, ZERO)
        return Money(total)


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """The account at one close."""

    at: datetime
    cash: Money
    equity: Money
    gross: Money
    peak: Money
    """Highest equity so far."""
    benchmark: Money | None
    """The same starting money, split equally over the watchlist at each symbol's first close and held."""

    @property
    def drawdown_frac(self) -> float:
        """Fall from the peak, in [0, 1]."""
        return float(1 - self.equity / self.peak) if self.peak > 0 else 0.0
