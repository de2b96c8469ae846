"""What the kernel knows between two events."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from evil2root.domain.book.external import External
from evil2root.domain.book.orders import Leg, Order, OrderState
from evil2root.domain.book.portfolio import Portfolio
from evil2root.domain.core.money import ZERO, Money, Price
from evil2root.domain.kernel.actions import Action, KeepDecision, KeepPosition
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.memory import RiskMemory
from evil2root.domain.risk.recent import Recent

NO_MONEY = Money(ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Carry:
    """The part of the state that the book (orders, fills, ledger, positions) does not hold; stored with each step."""

    decisions: int = 0
    """Decisions made so far: the next one is number `decisions + 1`."""
    capital: Money = NO_MONEY
    """What the owner put in."""
    equity: Money = NO_MONEY
    """At the last close."""
    peak: Money = NO_MONEY
    day: date | None = None
    day_equity: Money = NO_MONEY
    """At the close before the present day."""
    marks: Mapping[str, Price] = field(default_factory=dict)
    """Last close by symbol."""
    first_marks: Mapping[str, Price] = field(default_factory=dict)
    """First close by symbol since the account began: what the benchmark bought at."""
    rates: Mapping[str, Decimal] = field(default_factory=dict)
    """Account currency for a price of 1 at the last close, by symbol that is quoted in another currency."""
    first_rates: Mapping[str, Decimal] = field(default_factory=dict)
    """The same at the first close."""
    charged: Mapping[str, str] = field(default_factory=dict)
    """The last charge that was booked, by symbol."""
    breaker: Breaker = field(default_factory=Breaker)
    closed_at: datetime | None = None
    """The last close that was worked through: the feed goes on after it."""
    cursor: str = ""
    """Where to go on asking the venue for executions."""
    sent_at: datetime | None = None
    """When an order was last sent, by the machine's clock; none before the first."""
    by_hand: Mapping[str, tuple[datetime, int]] = field(default_factory=dict)
    """By symbol: when a person last had it closed, and which attempt of that moment it was."""
    frozen: Mapping[str, str] = field(default_factory=dict)
    """Symbols without entries until a person says so, each with the reason."""
    external: Mapping[str, External] = field(default_factory=dict)
    """Orders at the venue that are not ours, by its id for them: shown, counted, never touched."""
    ignored: Mapping[str, Decimal] = field(default_factory=dict)
    """What the venue has more than our books, by symbol or `cash`, as a person said that it should be let be."""
    risk: RiskMemory = field(default_factory=RiskMemory)
    """What the risk rules have to remember."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The account as the kernel sees it."""

    portfolio: Portfolio
    carry: Carry = field(default_factory=Carry)
    orders: Mapping[str, Order] = field(default_factory=dict)
    """Open orders by client order id, oldest first."""
    awaiting: Mapping[str, Decision] = field(default_factory=dict)
    """Decisions whose proposal waits for a verdict or for the open, by id, oldest first."""
    recent: Recent | None = field(default=None, compare=False)
    """What the market did up to the last close; not stored, so a restart waits for the next one."""

    def of_symbol(self, symbol: str) -> list[Order]:
        """Open orders of one symbol."""
        return [o for o in self.orders.values() if o.symbol == symbol]

    def is_entering(self, symbol: str) -> bool:
        """Is an entry for the symbol working, or waiting for its verdict or its open?"""
        return any(o.leg is Leg.ENTRY for o in self.of_symbol(symbol)) or any(
            d.symbol == symbol for d in self.awaiting.values()
        )


def empty() -> State:
    """Return the state before anything happened."""
    return State(portfolio=Portfolio(cash=Money(ZERO)))


class Turn:
    """One step in the making: the state so far and the actions so far. Lives only inside `step`."""

    def __init__(
        self, state: State, policy: Policy, at: datetime, *, told_at: datetime | None = None,
        present: datetime | None = None,
    ) -> None:  # fmt: skip
        self.state = state
        self.policy = policy
        self.at = at
        self.told_at = told_at or at
        """The machine's time, where the feed's is another: what a venue out there calls now."""
        self.present = at if present is None else max(at, present)
        """What bars are old against: the machine's time where the feed tells of the present, else the feed's."""
        self.actions: list[Action] = []

    def do(self, *actions: Action) -> None:
        """Add actions."""
        self.actions += actions

    def carry(self, **changes: Any) -> None:
        """Change the carried part."""
        self.state = replace(self.state, carry=replace(self.state.carry, **changes))

    def put_order(self, order: Order) -> None:
        """Remember an order while it is open, forget it when it is final."""
        orders = {k: v for k, v in self.state.orders.items() if k != order.client_order_id or order.is_open}
        if order.is_open:
            orders[order.client_order_id] = order
        self.state = replace(self.state, orders=orders)

    def drop_position(self, symbol: str) -> None:
        """Forget a position that is flat, and write that down."""
        positions = {s: p for s, p in self.state.portfolio.positions.items() if s != symbol}
        self.state = replace(self.state, portfolio=replace(self.state.portfolio, positions=positions))
        self.do(KeepPosition(symbol=symbol, position=None))

    def sent(self, order: Order) -> Order:
        """Write an order down as about to be sent."""
        sending = order.moved(OrderState.SENDING, at=self.told_at)
        self.put_order(sending)
        if self.policy.venue is not None:
            self.carry(sent_at=self.told_at)
        return sending

    def await_answer(self, decision: Decision) -> None:
        """Remember a decision that waits."""
        self.state = replace(self.state, awaiting={**self.state.awaiting, decision.id: decision})

    def settle(self, decision: Decision) -> None:
        """Forget a decision that waited, and write down what became of it."""
        awaiting = {k: v for k, v in self.state.awaiting.items() if k != decision.id}
        self.state = replace(self.state, awaiting=awaiting)
        self.do(KeepDecision(decision=decision))
