"""The decision record: everything one bar led to, so that it can be shown and recomputed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.decision.verdict import Verdict
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.passport import Passport
from evil2root.domain.risk.check import Check
from evil2root.domain.risk.exposure import Exposure
from evil2root.domain.risk.methods import Line
from evil2root.domain.signals.values import Signal, View


class Outcome(StrEnum):
    """How far a decision went. What its orders did afterwards is read from the orders."""

    WARMING_UP = "warming_up"
    NO_OPINION = "no_opinion"
    BELOW_THRESHOLD = "below_threshold"
    HOLDING = "holding"
    WAITING = "waiting"
    """An order or a proposal for the symbol is still open."""
    AWAITING_VERDICT = "awaiting_verdict"
    AWAITING_OPEN = "awaiting_open"
    """Approved in principle; sized at the next open."""
    LATE = "late"
    REJECTED = "rejected"
    """Validation said no."""
    REFUSED = "refused"
    """Risk said no."""
    HALTED = "halted"
    ORDERED = "ordered"
    """An entry was sent."""
    EXIT_ORDERED = "exit_ordered"
    ADOPTED = "adopted"
    """Found at the venue: an order of ours that the books had lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldingSeen:
    """The position in the symbol when the decision was made."""

    quantity: Decimal
    average_price: Decimal
    opened_at: datetime
    bars: int | None = None
    """Closes at which it was held, this one included; counted only where a time stop asks for it."""
    reached_r: Decimal | None = None
    """Its best move so far in multiples of the way to its first stop, as `bars`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One bar that reached a strategy, and what came of it."""

    id: str
    sequence: int
    account: str
    strategy: str
    symbol: str
    interval: Interval
    at: datetime
    """When the bar was known and the decision made."""
    bar: Bar
    number: int
    window_from: datetime
    features: Mapping[str, float | None]
    sources: tuple[Signal, ...]
    view: View | None
    holding: HoldingSeen | None
    wants: str
    """`enter`, `exit` or `stay`."""
    side: Side | None
    why: str
    """The strategy's reason."""
    outcome: Outcome
    why_not: str | None
    """Why nothing was ordered; none when something was."""
    proposal: Proposal | None = None
    verdict: Verdict | None = None
    exposure: Exposure | None = None
    price: Decimal | None = None
    """What one unit was sized and judged at."""
    sizing: tuple[Line, ...] = ()
    checks: tuple[Check, ...] = ()
    order_ids: tuple[str, ...] = ()
    policy_digest: str = ""
    passport: Passport | None = None
    """The quality of the data; none for decisions of before there were passports, and runs without calendars."""
