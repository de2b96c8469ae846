"""What the kernel is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.money import Money, Price
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.verdict import Verdict


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
    """The broker executed some of an order."""

    fill: Fill


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
    | Restarted
    | HaltAsked
    | ResumeAsked
    | CloseAsked
    | CancelAsked
    | StopMoveAsked
)
