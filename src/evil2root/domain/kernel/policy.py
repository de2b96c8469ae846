"""Everything a run is decided by. The same policy drives live, paper, replay and backtest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from evil2root.domain.book.orders import OrderKind
from evil2root.domain.core.conversion import Conversion
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import ONE, Price
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.factors import Challenge
from evil2root.domain.decision.strategies.strategy import Sourced, Strategy
from evil2root.domain.execution.costs import Costs
from evil2root.domain.execution.exits import Exits
from evil2root.domain.execution.remote import Traits
from evil2root.domain.execution.venue import Terms
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
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    """How symbols that are not simply quoted in the account's currency convert."""
    rates: frozenset[str] = frozenset()
    """Symbols of `instruments` that are watched for their rates only, and not traded."""
    digest: str = ""
    """Hash of the settings it was made from; stored with every decision."""

    @property
    def traded(self) -> tuple[str, ...]:
        """The symbols that are decided on, in the order of the watchlist."""
        return tuple(s for s in self.instruments if s not in self.rates)

    @property
    def threshold(self) -> float | None:
        """The least size of a score that is acted on; none without one."""
        return self.strategy.entry_threshold if isinstance(self.strategy, Sourced) else None

    @property
    def terms(self) -> Terms:
        """The rules of the simulated venue."""
        return Terms(
            instruments=self.instruments, costs=self.costs, target_gap_first=self.exits.target_gap_first,
            foreign=frozenset(self.conversions),
        )  # fmt: skip

    def rate(self, symbol: str, marks: Mapping[str, Price]) -> Decimal | None:
        """Return the account's currency for a price of 1 of a symbol; none while it is not known.

        A venue out there keeps cash in one currency: what is quoted in another can't be paid for there.
        """
        conversion = self.conversions.get(symbol)
        if conversion is None:
            return ONE
        return conversion.rate(marks) if self.venue is None else None

    def no_rate(self, symbol: str) -> str:
        """Say why a symbol has no rate."""
        if self.venue is not None:
            return (
                f"{symbol} is quoted in {self.conversions[symbol].currency}; {self.venue.venue} keeps "
                f"{self.currency} only here, and nothing is converted there."
            )
        return self.conversions[symbol].missing

    def holds(self, kind: OrderKind) -> bool:
        """Does the venue keep protective orders of this kind? What it does not keep is watched here."""
        return self.venue is None or kind in self.venue.guards
