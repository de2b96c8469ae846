"""The switch above all decisions: what trips it, and how each pause ends."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import polars as pl
import pytest

from evil2root.domain.book.orders import Leg, OrderState
from evil2root.domain.book.portfolio import Portfolio
from evil2root.domain.book.positions import Trade
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import BarsClosed, Event, OrderAnswered, Restarted, ResumeAsked
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.remembering import remember
from evil2root.domain.kernel.state import Carry, State, Turn
from evil2root.domain.kernel.step import step
from evil2root.domain.risk.breaker import Breaker, BreakerState, Cause
from evil2root.domain.risk.limits import WIDE, Limits
from evil2root.domain.risk.memory import RiskMemory
from evil2root.engine.replay import Run, backtest
from tests.builders import DAY_ONE, an_order

CASH = Money(Decimal(100_000))
STRICT = replace(WIDE, losing_streak_max=3, rejections_max=2)


def policy(limits: Limits, strategy: str = "metronome", options: dict[str, str] | None = None) -> Policy:
    made = make_policy(
        strategy, options or {}, account="paper", currency="USD", interval=Interval.D1,
        instruments={"AAPL": instrument_for("AAPL")},
    )  # fmt: skip
    return replace(made, limits=limits)


def a_trade(pnl: int) -> Trade:
    price = Price(Decimal(100))
    return Trade(
        id="t", symbol="AAPL", side=Side.BUY, quantity=Quantity(Decimal(1)), entry_time=DAY_ONE, entry_price=price,
        exit_time=DAY_ONE, exit_price=price, exit_reason="stop", fees=Money(Decimal(0)), pnl=Money(Decimal(pnl)),
        risk=None, entry_decision_id="D-1", exit_decision_id=None,
    )  # fmt: skip


def closed(state: State, *pnls: int, limits: Limits = STRICT) -> State:
    for pnl in pnls:
        turn = Turn(state, policy(limits), DAY_ONE)
        turn.do(do.KeepTrade(trade=a_trade(pnl)))
        remember(turn, Restarted(at=DAY_ONE))
        state = turn.state
    return state


def an_account(**carry: object) -> State:
    return State(portfolio=Portfolio(cash=CASH), carry=replace(Carry(equity=CASH, capital=CASH), **carry))  # type: ignore[arg-type]


def told(state: State, *events: Event, limits: Limits = STRICT) -> State:
    for event in events:
        state, _ = step(state, event, policy(limits))
    return state


class TestLosingStreak:
    def test_pauses_entries_at_its_limit(self) -> None:
        two, three = closed(an_account(), -1, -1), closed(an_account(), -1, -1, -1)

        assert two.carry.breaker.lets_in
        assert (three.carry.breaker.state, three.carry.breaker.cause) == (BreakerState.REDUCING, Cause.LOSING_STREAK)
        assert three.carry.breaker.reason == "3 losses in a row reached the limit 3"

    def test_is_broken_by_a_gain_and_not_by_nothing(self) -> None:
        assert closed(an_account(), -1, -1, 0, -1).carry.risk.losses == 3
        assert closed(an_account(), -1, -1, 5, -1).carry.risk.losses == 1

    def test_is_only_counted_where_its_limit_is_off(self) -> None:
        state = closed(an_account(), -1, -1, -1, limits=WIDE)

        assert state.carry.risk.losses == 3
        assert state.carry.breaker.lets_in

    def test_ends_with_the_day_and_counts_anew(self) -> None:
        state = told(closed(an_account(day=DAY_ONE.date()), -1, -1, -1), BarsClosed(at=DAY_ONE, evidence=()))
        next_day = told(state, BarsClosed(at=DAY_ONE + timedelta(days=1), evidence=()))

        assert state.carry.breaker.state is BreakerState.REDUCING
        assert (next_day.carry.breaker.state, next_day.carry.risk.losses) == (BreakerState.ACTIVE, 0)

    def test_does_not_loosen_a_halt(self) -> None:
        halted = Breaker(state=BreakerState.HALTED, reason="a person", by="me")

        state = closed(an_account(breaker=halted), -1, -1, -1)

        assert state.carry.breaker == halted


class TestRejections:
    def rejected(self, state: State, number: int, to: OrderState = OrderState.REJECTED) -> State:
        order = an_order(Side.BUY, 1, client_order_id=f"o-{number}")
        asked = replace(state, orders={order.client_order_id: order})
        return told(asked, OrderAnswered(client_order_id=order.client_order_id, state=to, why="no", at=DAY_ONE))

    def test_pause_entries_at_their_limit_and_end_with_the_day(self) -> None:
        state = self.rejected(self.rejected(an_account(day=DAY_ONE.date()), 1), 2)
        next_day = told(state, BarsClosed(at=DAY_ONE + timedelta(days=1), evidence=()))

        assert (state.carry.breaker.state, state.carry.breaker.cause) == (BreakerState.REDUCING, Cause.REJECTIONS)
        assert next_day.carry.breaker.lets_in
        assert next_day.carry.risk.rejections == 0

    def test_are_forgotten_when_the_broker_takes_an_order(self) -> None:
        state = self.rejected(self.rejected(self.rejected(an_account(), 1), 2, OrderState.ACCEPTED), 3)

        assert state.carry.risk.rejections == 1
        assert state.carry.breaker.lets_in

    def test_are_not_forgotten_by_a_doubt_nor_counted_for_orders_we_do_not_know(self) -> None:
        state = self.rejected(self.rejected(an_account(), 1), 2, OrderState.UNKNOWN)
        again = told(state, OrderAnswered(client_order_id="other", state=OrderState.REJECTED, why="", at=DAY_ONE))

        assert again.carry.risk.rejections == 1


def falling(bars: int) -> pl.DataFrame:
    """Half a percent down a day, opening where it closed."""
    close = [100 * 0.995**n for n in range(1, bars + 1)]
    opened = [DAY_ONE + timedelta(days=n) for n in range(bars)]
    return pl.DataFrame(
        {
            "opened_at": opened, "closed_at": [at + timedelta(hours=6) for at in opened],
            "open": [100.0, *close[:-1]], "high": [100.0, *close[:-1]], "low": close, "close": close,
            "volume": [1e6] * bars,
        },
        schema_overrides={name: pl.Datetime("us", "UTC") for name in ("opened_at", "closed_at")},
    )  # fmt: skip


class TestDrawdown:
    def run(self, limits: Limits) -> Run:
        # Everything into one symbol that falls: half a percent of equity a day.
        return backtest(policy(limits, "buy_hold"), {"AAPL": falling(60)}, cash=CASH)

    def test_halts_at_its_limit_and_says_why(self) -> None:
        run = self.run(replace(WIDE, drawdown_frac=Decimal("0.10")))

        breaker = run.state.carry.breaker
        assert (breaker.state, breaker.cause, breaker.by) == (BreakerState.HALTED, Cause.DRAWDOWN, "rule")
        assert breaker.reason.startswith("drawdown 0.10")
        assert breaker.at is not None
        assert breaker.at < DAY_ONE + timedelta(days=25)

    def test_lets_a_day_s_pause_become_a_halt(self) -> None:
        run = self.run(replace(WIDE, drawdown_frac=Decimal("0.10"), daily_loss_frac=Decimal("0.001")))

        assert run.state.carry.breaker.state is BreakerState.HALTED

    def test_does_nothing_where_it_is_off(self) -> None:
        assert self.run(WIDE).state.carry.breaker.lets_in

    def test_is_forgiven_by_a_person_and_measured_anew(self) -> None:
        run = self.run(replace(WIDE, drawdown_frac=Decimal("0.10")))

        after = told(run.state, ResumeAsked(by="me", reason="I looked", at=DAY_ONE + timedelta(days=70)))

        assert after.carry.breaker.lets_in
        assert after.carry.risk.drawdown(after.carry.equity) == 0
        assert after.carry.risk.peak < after.carry.peak


class TestPace:
    def test_remembers_entries_and_no_exits(self) -> None:
        run = backtest(policy(WIDE), {"AAPL": falling(9)}, cash=CASH)

        entries = [order for order in run.orders.values() if order.leg is Leg.ENTRY]
        assert len(entries) == 4
        assert run.state.carry.risk.sent_today == 1
        assert [one.at.date() for one in run.state.carry.risk.sent] == [entries[-1].created_at.date()]

    def test_stops_a_second_entry_on_one_day(self) -> None:
        frames = {"AAPL": falling(9), "MSFT": falling(9)}
        made = replace(policy(replace(WIDE, orders_per_day_max=1)), instruments={s: instrument_for(s) for s in frames})

        run = backtest(made, frames, cash=CASH)

        assert {order.symbol for order in run.orders.values()} == {"AAPL"}


@pytest.mark.parametrize("field", ["losses", "rejections", "sent_today"])
def test_an_account_of_before_begins_with_nothing_remembered(field: str) -> None:
    assert getattr(RiskMemory(), field) == 0
