"""What the kernel wants done: things to write down, then things to ask of the world."""

from dataclasses import dataclass
from datetime import datetime

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.ledger import Entry
from evil2root.domain.book.orders import Order
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Position, Trade
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.kernel.record import Decision
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.gate import Approved


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepDecision:
    """Write a decision down, or what became of one that was awaiting an answer."""

    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOrder:
    """Write down an order's new state."""

    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepFill:
    """Write down a fill; its ledger lines follow as `KeepEntries`."""

    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepEntries:
    """Write down a ledger transaction."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepPosition:
    """Write down what is held in a symbol now; none when it is flat."""

    symbol: str
    position: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepTrade:
    """Write down a closed round trip."""

    trade: Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepEquity:
    """Write down the account at a close."""

    point: EquityPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepBreaker:
    """Write down that the breaker moved."""

    breaker: Breaker


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Set aside an event that fits nothing we know, with the reason; a person looks at it."""

    kind: str
    reason: str
    payload: str
    at: datetime
    key: str = ""
    """Names the event, where it may be told again: it is then written down once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Answer to a person who asked for something."""

    done: bool
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Validate:
    """Have a proposal challenged."""

    proposal: Proposal
    evidence: Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Submit:
    """Send an approved order; it has been written down as SENDING before."""

    approved: Approved


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """Have an order canceled; it has been written down as CANCEL_SENT before."""

    order: Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Amend:
    """Give a working protective order a new price or quantity."""

    order: Order


Keep = KeepDecision | KeepOrder | KeepFill | KeepEntries | KeepPosition | KeepTrade | KeepEquity | KeepBreaker | Park
Ask = Validate | Submit | Cancel | Amend
Action = Keep | Ask | Reply
