"""What the kernel is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from evil2root.domain.book.charges import Charge
from evil2root.domain.book.external import External
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.core.money import Money, Price
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.verdict import Verdict
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.recent import Recent


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposited:
    """The owner put money in: the first event of every account."""

    amount: Money
    at: datetime
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    """New bars opened at these prices, after the exits due at the open have filled."""

    at: datetime
    opens: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarsClosed:
    """Bars that became known together, in the order of the watchlist."""

    at: datetime
    evidence: tuple[Evidence, ...]
    recent: Recent | None = None
    """The last bars of the whole watchlist up to this close; without them, limits that need them refuse entries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictArrived:
    """The challenge to a proposal was answered."""

    decision_id: str
    verdict: Verdict
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswered:
    """The broker said something about an order that is not a fill."""

    client_order_id: str
    state: OrderState
    why: str
    at: datetime
    broker_order_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FillArrived:
    """The broker executed some of an order.

    A venue out there may tell it twice, late, or of an order that is closed here: the engine adds what the books
    know of it.
    """

    fill: Fill
    cursor: str | None = None
    """Where to go on asking after it; none from a venue that is played here."""
    order: Order | None = None
    """Its order, when that is closed already."""
    booked: Fill | None = None
    """What was booked under its execution id before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeArrived:
    """The venue charged the borrow of a short. Told again, it changes nothing."""

    charge: Charge
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OddArrived:
    """The venue told something that can't be read or fits nothing; it is set aside once for each `key`."""

    kind: str
    reason: str
    payload: str
    key: str
    at: datetime
    symbol: str | None = None
    """What it is about, where that is known: frozen until a person has looked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAdopted:
    """The venue has an order of ours that the books do not know: they were restored from before it was sent."""

    order: Order
    """As it must have been sent, not numbered with a decision yet."""
    bar: Bar
    """The bar it was decided on."""
    number: int
    """That bar's place in its stored series, counted from 1."""
    answer: OrderState
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalSeen:
    """The orders at the venue that are not ours, all of them."""

    orders: tuple[External, ...]
    at: datetime


class Settle(StrEnum):
    """What to do about a difference between our books and the venue's."""

    ADOPT = "adopt"
    """The venue is right: book the difference."""
    CLOSE = "close"
    """Book it, and close what is then held."""
    IGNORE = "ignore"
    """Both are right: somebody else owns the difference; it counts in exposure and is not ours to trade."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceSettled:
    """A person says what to do about one difference."""

    what: str
    """A symbol, or `cash`."""
    how: Settle
    theirs: Decimal
    """What the venue has."""
    bar: Bar | None
    """The symbol's last bar: a unit is booked at its close. None for cash, and where there is none."""
    number: int
    """That bar's place in its stored series, counted from 1; 0 without a bar."""
    by: str
    reason: str
    at: datetime
    ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ThawAsked:
    """A person lets entries into a frozen symbol again."""

    symbol: str
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeConfirmed:
    """A person looked at the venue and says whether an order of unknown outcome was placed."""

    client_order_id: str
    placed: bool
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """The venue said for the first time that it has no such order. Once is no proof; kept, so that a restart counts it."""

    client_order_id: str
    at: datetime
    """By the machine's clock, as all that happens at a venue out there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """The process came back: what nobody will answer any more is settled as a no."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HaltAsked:
    """A person (or a file) wants entries stopped, and everything closed if `flatten`."""

    by: str
    reason: str
    at: datetime
    cancel: bool = False
    """Also cancel working entries."""
    flatten: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeAsked:
    """A person ends a halt, with a reason."""

    by: str
    reason: str
    at: datetime
    halt_of: str = ""
    """End a halt of this maker only; empty ends any. A drill ends its own, whatever came in between."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAsked:
    """A person wants a position closed, or `quantity` of it."""

    symbol: str
    by: str
    at: datetime
    attempt: int
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelAsked:
    """A person wants an order canceled."""

    client_order_id: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMoveAsked:
    """A person moves a stop (only tighter) or a target."""

    symbol: str
    by: str
    at: datetime
    stop: Price | None = None
    target: Price | None = None


Event = (
    Deposited
    | SessionOpened
    | BarsClosed
    | VerdictArrived
    | OrderAnswered
    | FillArrived
    | ChargeArrived
    | OddArrived
    | OrderAdopted
    | ExternalSeen
    | DifferenceSettled
    | ThawAsked
    | OutcomeConfirmed
    | NotFound
    | Restarted
    | HaltAsked
    | ResumeAsked
    | CloseAsked
    | CancelAsked
    | StopMoveAsked
)
