"""What the risk rules have to remember from one event to the next; stored with every step, so it stays small."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.core.side import Side

MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)

NO_MONEY = Money(ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An entry that was sent a moment ago."""

    symbol: str
    side: Side
    quantity: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The first close at which a position was held."""

    opened_at: datetime
    number: int
    """The bar's place in its series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskMemory:
    """Entries sent, losses and rejections in a row, and the peak that drawdown is measured from."""

    sent: tuple[Sent, ...] = ()
    """Entries of the last minute, oldest first."""
    day: date | None = None
    sent_today: int = 0
    losses: int = 0
    """Round trips in a row that lost; a new start after each pause it caused."""
    rejections: int = 0
    """Orders in a row that the broker rejected."""
    peak: Money = NO_MONEY
    """Highest equity at a close since the account began or a person resumed after a halt."""
    capital: Money = NO_MONEY
    """What the owner had paid in when `peak` was last looked at."""
    begun: Mapping[str, Begun] = field(default_factory=dict)
    """By symbol held; kept only where a time stop asks for it."""

    def remembering(self, sent: Sent) -> "RiskMemory":
        """Return it with one more entry, without those older than a minute."""
        young = tuple(one for one in self.sent if abs(sent.at - one.at) < MINUTE)
        before = self.sent_today if self.day == sent.at.date() else 0
        return replace(self, sent=(*young, sent), day=sent.at.date(), sent_today=before + 1)

    def sent_within(self, window: timedelta, at: datetime) -> int:
        """Count entries less than `window` away from `at`; bars of several markets may tell earlier times later."""
        return sum(abs(at - one.at) < window for one in self.sent)

    def sent_on(self, day: date) -> int:
        """Count entries of a day."""
        return self.sent_today if self.day == day else 0

    def same(self, symbol: str, side: Side, at: datetime) -> tuple[Decimal, ...]:
        """Return the quantities of entries of one symbol and side in the last minute."""
        return tuple(
            one.quantity for one in self.sent if (one.symbol, one.side) == (symbol, side) and abs(at - one.at) < MINUTE
        )

    def marked(self, equity: Money, *, capital: Money) -> "RiskMemory":
        """Return it after a close: money paid in or out moves the peak with it."""
        peak = Money(max(self.peak + capital - self.capital, equity))
        return replace(self, peak=peak, capital=capital)

    def forgiven(self, equity: Money, *, capital: Money) -> "RiskMemory":
        """Return it after a person resumed: peak and counts begin anew."""
        return replace(self, peak=equity, capital=capital, losses=0, rejections=0)

    def drawdown(self, equity: Decimal) -> Decimal:
        """Return the fall from the peak as a share of it, in [0, 1] while equity is positive."""
        return max(ZERO, 1 - equity / self.peak) if self.peak > 0 else ZERO
