"""A book of any size and entries asked of it: what the benchmark of the gate measures and its law is tried on."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np

from evil2root.domain.book.portfolio import Portfolio
from evil2root.domain.book.positions import Position
from evil2root.domain.book.protection import Protect
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Carry, State, Turn
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.recent import PERIODS, Recent

CLOSED = datetime(2024, 3, 1, 21, tzinfo=UTC)
EQUITY = Money(Decimal(1_000_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An account that holds `positions` symbols and is asked about one more."""

    policy: Policy
    state: State
    decision: Decision

    @property
    def turn(self) -> Turn:
        """A step about to judge the decision."""
        return Turn(self.state, self.policy, CLOSED)


def a_book(positions: int, *, seed: int = 0) -> Book:
    """Make one by chance with a fixed seed; half of it is short."""
    chance = np.random.default_rng(seed)
    names = [f"S{n:03d}" for n in range(positions + 1)]
    policy = make_policy(
        "fusion", {"positions_max": "10000", "gross_frac": "10", "sector_frac": "none"}, account="bench",
        currency="USD", interval=Interval.D1, instruments={name: instrument_for(name) for name in names},
    )  # fmt: skip
    shape = (PERIODS, len(names))
    returns = chance.normal(0, 0.01, (PERIODS, 1)) + chance.normal(0, 0.012, shape)
    recent = Recent(
        symbols=tuple(names), periods=np.arange(PERIODS), returns=returns, closes=np.full(shape, 100.0),
        volumes=np.full(shape, 1e6),
    )  # fmt: skip
    held = {name: _position(name, int(chance.integers(1, 30)), short=n % 2 == 1) for n, name in enumerate(names[:-1])}
    marks = {name: Price(Decimal("100.25")) for name in names}
    carry = Carry(equity=EQUITY, capital=EQUITY, day_equity=EQUITY, marks=marks, day=CLOSED.date())
    state = State(portfolio=Portfolio(cash=EQUITY, positions=held, marks=marks), carry=carry, recent=recent)
    return Book(policy=policy, state=state, decision=a_decision(policy, names[-1]))


def a_decision(policy: Policy, symbol: str) -> Decision:
    """A decision to buy, with its proposal."""
    bar = Bar(
        symbol=symbol, interval=policy.interval, opened_at=CLOSED - timedelta(hours=6), closed_at=CLOSED, open=100.0,
        high=101.0, low=99.0, close=100.25, volume=1e6,
    )  # fmt: skip
    protect = Protect(stop=Decimal(5), target=Decimal(10), relative=False)
    entry, stop, target = (Price(Decimal(p)) for p in ("100.25", "95.25", "110.25"))
    proposal = Proposal(
        decision_id="D-1", symbol=symbol, side=Side.BUY, entry=entry, stop=stop, target=target, protect=protect,
        made_at=CLOSED, good_until=CLOSED + timedelta(minutes=1),
    )  # fmt: skip
    return Decision(
        id="D-1", sequence=1, account=policy.account, strategy="fusion", symbol=symbol, interval=policy.interval,
        at=CLOSED, bar=bar, number=300, window_from=bar.opened_at, features={}, sources=(), view=None, holding=None,
        wants="enter", side=Side.BUY, why="", outcome=Outcome.WAITING, why_not=None, proposal=proposal,
    )  # fmt: skip


def _position(symbol: str, units: int, *, short: bool) -> Position:
    quantity, stop = Decimal(-units if short else units), Price(Decimal(105 if short else 95))
    made = Position(
        symbol=symbol, quantity=quantity, average_price=Price(Decimal(100)), opened_at=CLOSED, decision_id="D-0",
        entry_quantity=Quantity(Decimal(units)), stop=stop,
    )  # fmt: skip
    return replace(made, initial_stop=stop)
