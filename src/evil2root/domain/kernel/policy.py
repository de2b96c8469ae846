"""Everything a run is decided by. The same policy drives live, paper, replay and backtest."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from evil2root.domain.book.orders import OrderKind
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.factors import Challenge
from evil2root.domain.decision.strategies.strategy import Strategy
from evil2root.domain.execution.costs import Costs
from evil2root.domain.execution.exits import Exits
from evil2root.domain.execution.remote import Traits
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.methods import Sizing


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules of one account."""

    account: str
    currency: str
    interval: Interval
    instruments: Mapping[str, Instrument]
    """By symbol, in the order of the watchlist; entries that compete are taken in this order."""
    strategy: Strategy
    sizing: Sizing
    size_at_open: bool
    """True: an entry is sized and judged at the open it is bought at; false: at the close it is decided at."""
    challenge: Challenge | None
    """How proposals are validated; none for reference strategies that take every signal."""
    answer_within: timedelta
    """How long a proposal may wait for its verdict; a later one is a no."""
    exits: Exits
    limits: Limits
    costs: Costs
    venue: Traits | None = None
    """What the venue out there can do; none for the simulated one, which plays bars and keeps every guard."""
    digest: str = ""
    """Hash of the settings it was made from; stored with every decision."""

    def holds(self, kind: OrderKind) -> bool:
        """Does the venue keep protective orders of this kind? What it does not keep is watched here."""
        return self.venue is None or kind in self.venue.guards
