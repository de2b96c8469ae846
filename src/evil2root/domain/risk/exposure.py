"""The account as the gate sees it: what is owned plus what is approved and unanswered. Stored with each decision."""

from dataclasses import dataclass, field
from decimal import Decimal

from evil2root.domain.book.protection import Protect
from evil2root.domain.core.money import ONE, ZERO
from evil2root.domain.core.side import Side
from evil2root.domain.market.passport import Passport


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Symbols that share something with the one asked about, itself included."""

    kind: str
    """`sector`, `asset class` or `currency`."""
    name: str
    used: Decimal
    """Value of their positions and working entries, without sign."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """How the symbol moved beside what is held, by the returns of the last bars."""

    correlation: Decimal
    """Mean correlation with what is held, weighted by value; above 0 where the new position is the same bet."""
    cluster: tuple[str, ...]
    """Symbols held whose correlation with the new position exceeds 0.7, signed by side."""
    cluster_used: Decimal
    """Value of their positions and working entries, without sign."""
    held: tuple[float, ...]
    """What each of the last bars would have earned on what is held and in flight, in money, oldest first."""
    unit: tuple[float, ...]
    """What each would have earned on one unit of money in the new position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast entries are being sent, and how old the bar is that this one rests on."""

    second: int = 0
    minute: int = 0
    day: int = 0
    same: tuple[Decimal, ...] = ()
    """Quantities of entries of the same symbol and side in the last minute."""
    age: Decimal = ZERO
    """Of the bar, since its close, in bar lengths."""
    losses: int = 0
    """Round trips in a row that lost."""
    rejections: int = 0
    """Orders in a row that the broker rejected."""
    drawdown_frac: Decimal = ZERO
    """Fall from the peak at the last close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The account as the gate sees it: what is owned plus what is approved and unanswered."""

    equity: Decimal
    """At the last close."""
    cash: Decimal
    cash_in_flight: Decimal
    """What working entries will still take, costs included."""
    gross: Decimal
    """Value of all positions and working entries, without sign."""
    symbol: Decimal
    """The same for the one symbol."""
    positions: int
    """Symbols held or being entered."""
    day_loss_frac: Decimal
    """Loss since the previous day's close as a share of equity then; never negative."""
    day_volume: Decimal | None
    """Volume of the last bar; none where there is none."""
    fee_frac: Decimal
    slippage_frac: Decimal
    asked_at_open: bool = False
    """True when the price is the open that is traded at, false when it is the close before."""
    capital: Decimal = ZERO
    """What the owner paid in."""
    net: Decimal = ZERO
    """Value of all positions and working entries, shorts below zero."""
    held: Decimal = ZERO
    """Units of the symbol that are held or being entered, signed."""
    groups: tuple[Group, ...] = ()
    """What the symbol's groups have in use. A symbol whose sector is unknown is in no group of unknowns."""
    heat: Decimal = ZERO
    """Loss if every stop is hit, that of working entries included; what has no stop counts whole."""
    average_volume: Decimal | None = None
    """Mean volume of the symbol's last bars; none where there is none."""
    last_price: Decimal | None = None
    """The last price the symbol was valued at."""
    previous_close: Decimal | None = None
    """The close of the bar before the one decided on."""
    company: Company | None = None
    """None without enough returns: limits that need them then refuse."""
    volatility: Decimal | None = None
    """Of the symbol's returns, a year; none without enough of them."""
    parity_share: Decimal | None = None
    """The symbol's part where every symbol of the watchlist is to add the same risk; none unless it is sized by it."""
    win: Decimal | None = None
    """Probability that the new position earns, by the view it rests on; none without a view."""
    rate: Decimal | None = ONE
    """Account currency for a price of 1 of the symbol; none while it is not known, so that nothing can be ordered."""
    pace: Pace = field(default_factory=Pace)
    passport: Passport | None = None
    """How good the data is; none where the run has no calendars."""


def risk_of_unit(price: Decimal, side: Side, protect: Protect | None) -> Decimal:
    """Return what one unit entered at `price` loses at its stop; without a stop, all of it."""
    if protect is None or protect.stop is None:
        return price
    distance = protect.stop * price if protect.relative else protect.stop
    return min(price, distance) if side is Side.BUY else distance
