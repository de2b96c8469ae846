"""Runs the real kernel against the real simulated venue, so that the journal is tested with what it will be given."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import sin

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.factors import Challenge
from evil2root.domain.decision.strategies.plain import Metronome
from evil2root.domain.execution import venue
from evil2root.domain.execution.costs import Costs
from evil2root.domain.execution.exits import Exits
from evil2root.domain.execution.venue import Dropped, Phase, Terms, VenueAccount
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import BarsClosed, Deposited, Event, FillArrived, OrderAnswered, SessionOpened
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.state import Carry, State, empty
from evil2root.domain.kernel.step import step
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.limits import WIDE
from evil2root.domain.risk.methods import FixedUnits
from evil2root.domain.signals.values import Signal, View

BEGIN = datetime(2024, 1, 2, tzinfo=UTC)
SYMBOLS = ("AAPL", "MSFT")

Step = tuple[tuple[do.Keep, ...], Carry]
"""What one step wants kept."""


def a_policy(*, account: str = "paper", size_at_open: bool = False, challenge: Challenge | None = None) -> Policy:
    return Policy(
        account=account, currency="USD", interval=Interval.D1,
        instruments={symbol: instrument_for(symbol) for symbol in SYMBOLS}, strategy=Metronome(),
        sizing=FixedUnits(units=Decimal(10)), size_at_open=size_at_open, challenge=challenge,
        answer_within=timedelta(minutes=1), exits=Exits(stop_frac=Decimal("0.04"), target_frac=Decimal("0.04")),
        limits=WIDE, costs=Costs(), digest="test",
    )  # fmt: skip


def a_bar(symbol: str, number: int) -> Bar:
    middle = 100 + 20 * SYMBOLS.index(symbol) + 5 * sin(number * 0.9 + SYMBOLS.index(symbol))
    opened = BEGIN + timedelta(days=number)
    close = middle + sin(number * 2.3)
    return Bar(
        symbol=symbol, interval=Interval.D1, opened_at=opened, closed_at=opened + timedelta(hours=7), open=middle,
        high=max(middle, close) + 0.7, low=min(middle, close) - 0.7, close=close, volume=250.0,
    )  # fmt: skip


def an_evidence(bar: Bar, number: int) -> Evidence:
    signal = Signal(
        source="drill", version="1", horizon=5, p_up=0.6, weight=1.0, contribution=0.1 + 0.2, reason="It is one."
    )
    return Evidence(
        bar=bar, number=number, window_from=BEGIN, signals=(signal,),
        features={"close": bar.close, "rsi_14": None, "zero": -0.0, "big": 1e16, "atr_14": 1.5},
        view=View(p_up=0.6, log_odds=0.30000000000000004, agreeing=1, speaking=1),
    )  # fmt: skip


@dataclass
class Run:
    """One account from its first deposit on."""

    policy: Policy
    state: State = field(default_factory=empty)
    steps: list[Step] = field(default_factory=list)
    account: VenueAccount = field(init=False)
    answers: bool = True
    """False: the venue hears nothing and says nothing, as in a crash right after the commit."""

    def __post_init__(self) -> None:
        self.account = VenueAccount(account=self.policy.account, cash=Money(Decimal(50_000)))

    def deposit(self) -> None:
        self.turn(Deposited(amount=Money(Decimal(50_000)), at=BEGIN, ref=f"deposit:{self.policy.account}:1"))

    def turn(self, event: Event) -> None:
        waiting = deque([event])
        while waiting:
            now = waiting.popleft()
            self.state, actions = step(self.state, now, self.policy)
            self.steps.append((tuple(a for a in actions if isinstance(a, do.Keep)), self.state.carry))
            if self.answers:
                for action in actions:
                    waiting.extend(self._ask(action))

    def _ask(self, action: do.Action) -> list[Event]:
        match action:
            case do.Submit(approved=approved):
                self.account = venue.accepted(self.account, approved.order)
                return [self._answer(approved.order.client_order_id, OrderState.ACCEPTED)]
            case do.Cancel(order=order):
                self.account = venue.canceled(self.account, order.client_order_id)
                return [self._answer(order.client_order_id, OrderState.CANCELED)]
            case do.Amend(order=order):
                self.account = venue.amended(self.account, order)
            case _:
                pass
        return []

    def _answer(self, client_order_id: str, state: OrderState) -> OrderAnswered:
        at = self.state.orders[client_order_id].updated_at
        return OrderAnswered(
            client_order_id=client_order_id, state=state, why="", at=at, broker_order_id=f"P-{client_order_id[:8]}"
        )

    def play(self, phase: Phase, bars: Mapping[str, Bar]) -> None:
        terms = Terms(instruments=self.policy.instruments, costs=self.policy.costs)
        self.account, happened = venue.play(self.account, phase, bars, terms)
        for one in happened:
            if isinstance(one, Fill):
                self.turn(FillArrived(fill=one))
            elif isinstance(one, Dropped) and one.client_order_id in self.state.orders:
                self.turn(replace(self._answer(one.client_order_id, OrderState.CANCELED), why=one.why))

    def group(self, number: int, symbols: Sequence[str] = SYMBOLS) -> None:
        """Work through one day of bars, as the engine does."""
        bars = {symbol: a_bar(symbol, number) for symbol in symbols}
        first = next(iter(bars.values()))
        self.play(Phase.EXITS, bars)
        self.turn(SessionOpened(at=first.opened_at, opens={s: b.open for s, b in bars.items()}))
        self.play(Phase.ENTRIES, bars)
        self.play(Phase.INSIDE, bars)
        evidence = tuple(an_evidence(bar, number) for bar in bars.values())
        self.turn(BarsClosed(at=first.closed_at, evidence=evidence))


def a_run(*, days: int = 0, account: str = "paper", size_at_open: bool = False) -> Run:
    run = Run(policy=a_policy(account=account, size_at_open=size_at_open))
    run.deposit()
    for number in range(1, days + 1):
        run.group(number)
    return run
