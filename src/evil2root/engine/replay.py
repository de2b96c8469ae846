"""The backtest: the kernel and the simulated venue, event by event, in memory. This is the truth other loops answer to.

Cost: bars x (step + fills); nothing is recomputed from bar to bar.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from evil2root.domain.book.charges import Charge
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Trade
from evil2root.domain.core.money import Money
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.factors import challenge
from evil2root.domain.execution import venue
from evil2root.domain.execution.venue import Dropped, Phase, VenueAccount
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import (
    BarsClosed,
    ChargeArrived,
    Deposited,
    Event,
    FillArrived,
    OrderAnswered,
    SessionOpened,
    VerdictArrived,
)
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import State, empty
from evil2root.domain.kernel.step import step
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.recent import Recent
from evil2root.domain.signals.standing import with_standings
from evil2root.engine.aligned import Aligned
from evil2root.engine.conditions import conditions
from evil2root.engine.observe import Background, evidence_series


@dataclass(slots=True, kw_only=True)
class Run:
    """What a backtest wrote down. Grows while it runs."""

    state: State
    points: list[EquityPoint] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    """The last state of every order, in the order they were made."""
    outcomes: dict[Outcome, int] = field(default_factory=dict)
    """Decisions by outcome."""
    decided: dict[str, Outcome] = field(default_factory=dict)
    parked: list[do.Park] = field(default_factory=list)
    bars: int = 0


def groups(series: Sequence[Sequence[Evidence]]) -> Iterator[list[Evidence]]:
    """Yield the bars of all symbols that close together, oldest first, each group in the watchlist's order."""
    by_close: dict[datetime, list[Evidence]] = {}
    for one in series:
        for evidence in one:
            by_close.setdefault(evidence.bar.closed_at, []).append(evidence)
    for closed_at in sorted(by_close):
        yield by_close[closed_at]


def _silent(done: int, total: int) -> None:
    """Report progress to nobody."""


def backtest(  # noqa: PLR0913 - a run and who listens to it
    policy: Policy,
    frames: Mapping[str, pl.DataFrame],
    *,
    cash: Money,
    start: datetime | None = None,
    progress: Callable[[int, int], None] = _silent,
    keep: Callable[[Decision], None] | None = None,
    backgrounds: Mapping[str, Background] | None = None,
) -> Run:
    """Run `policy` over whole series of bars (adjusted or raw, as given), deciding from `start` on.

    Bars before `start` only warm the features up. `keep` is told every decision as it is written down; a decision
    that waited is told again when it is settled. `backgrounds`, by symbol, give decisions their data passports. Raises `ValueError` when no bar is left to decide on.
    """
    ranked = with_standings({symbol: frames[symbol] for symbol in policy.instruments}, among=policy.traded)
    series = [
        evidence_series(
            policy.strategy,
            ranked[symbol],
            symbol=symbol,
            interval=policy.interval,
            background=(backgrounds or {}).get(symbol),
        )
        for symbol in policy.instruments
    ]
    if start is not None:
        series = [[e for e in one if e.bar.opened_at >= start] for one in series]
    total = sum(map(len, series))
    if total == 0:
        msg = f"No bars of {', '.join(policy.instruments)} are left to decide on."
        raise ValueError(msg)
    first = min(one[0].bar.opened_at for one in series if one)
    aligned = Aligned(frames, symbols=tuple(policy.instruments), interval=policy.interval)
    book = _Book(policy, cash=cash, at=first, keep=keep)
    for group in groups(series):
        book.play(group, aligned.recent(group[0].bar.closed_at))
        progress(book.run.bars, total)
    return book.run


class _Book:
    """The kernel and the venue at work on one run."""

    def __init__(
        self,
        policy: Policy,
        *,
        cash: Money,
        at: datetime,
        keep: Callable[[Decision], None] | None = None,
    ) -> None:
        self.policy = policy
        self.keep = keep
        self.terms = policy.terms
        self.account = VenueAccount(account=policy.account, cash=cash)
        self.run = Run(state=empty())
        self.turn(Deposited(amount=cash, at=at, ref="deposit:1"))

    def play(self, group: list[Evidence], recent: Recent) -> None:
        """Work through the bars that close together."""
        bars = {e.bar.symbol: e.bar for e in group}
        opened, closed = min(b.opened_at for b in bars.values()), group[0].bar.closed_at
        if not self.account.idle:
            self._phase(Phase.EXITS, bars, opened)
        if self.run.state.awaiting:
            self.turn(SessionOpened(at=opened, opens={s: b.open for s, b in bars.items()}))
        if self.account.working:
            self._phase(Phase.ENTRIES, bars, opened)
            self._phase(Phase.INSIDE, bars, closed)
        self.turn(BarsClosed(at=closed, evidence=tuple(group), recent=recent))
        self.run.bars += len(group)

    def _phase(self, phase: Phase, bars: Mapping[str, Bar], at: datetime) -> None:
        self.account, happened = venue.play(
            self.account,
            phase,
            bars,
            self.terms,
            rates=self.run.state.portfolio.rates,
            seen=conditions(self.run.state.recent, self.run.state, self.policy),
        )
        for event in happened:
            match event:
                case Fill():
                    self.turn(FillArrived(fill=event))
                case Charge():
                    self.turn(ChargeArrived(charge=event, at=event.at))
                case Dropped():
                    self.turn(
                        OrderAnswered(client_order_id=event.client_order_id, state=OrderState.CANCELED, why=event.why,
                                      at=at)
                    )  # fmt: skip

    def turn(self, event: Event) -> None:
        """Step the kernel, and every answer that comes at once."""
        inbox: deque[Event] = deque([event])
        while inbox:
            now = inbox.popleft()
            self.run.state, actions = step(self.run.state, now, self.policy)
            at = now.fill.at if isinstance(now, FillArrived) else now.at
            for action in actions:
                self._keep(action)
                answer = self._ask(action, at)
                if answer is not None:
                    inbox.append(answer)

    def _ask(self, action: do.Action, at: datetime) -> Event | None:
        match action:
            case do.Submit(approved=approved):
                order = approved.order
                if not order.is_guard and self.policy.costs.rejects(order.client_order_id):
                    return OrderAnswered(
                        client_order_id=order.client_order_id, state=OrderState.REJECTED, why=venue.DRILL, at=at
                    )
                self.account = venue.accepted(self.account, order)
                return OrderAnswered(client_order_id=order.client_order_id, state=OrderState.ACCEPTED, why="", at=at)
            case do.Cancel(order=order):
                self.account = venue.canceled(self.account, order.client_order_id)
                return OrderAnswered(
                    client_order_id=order.client_order_id, state=OrderState.CANCELED, why=order.why_state, at=at
                )
            case do.Amend(order=order):
                self.account = venue.amended(self.account, order)
            case do.Validate(proposal=proposal, evidence=evidence):
                assert self.policy.challenge is not None, "only a policy with a challenge asks for verdicts"
                verdict = challenge(proposal, evidence, self.policy.challenge)
                return VerdictArrived(decision_id=proposal.decision_id, verdict=verdict, at=at)
            case _:
                pass
        return None

    def _keep(self, action: do.Action) -> None:
        run = self.run
        match action:
            case do.KeepEquity(point=point):
                run.points.append(point)
            case do.KeepOrder(order=order):
                run.orders[order.client_order_id] = order
            case do.KeepFill(fill=fill):
                run.fills.append(fill)
            case do.KeepTrade(trade=trade):
                run.trades.append(trade)
            case do.KeepDecision(decision=decision):
                if self.keep is not None:
                    self.keep(decision)
                before = run.decided.get(decision.id)
                if before is not None:
                    run.outcomes[before] -= 1
                run.decided[decision.id] = decision.outcome
                run.outcomes[decision.outcome] = run.outcomes.get(decision.outcome, 0) + 1
            case do.Park():
                run.parked.append(action)
            case _:
                pass
