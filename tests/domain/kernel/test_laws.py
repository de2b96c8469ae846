"""Laws of the kernel: the ledger alone gives the equity, limits hold in any order of answers, nothing looks ahead."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.ledger import CASH, Entry, balances
from evil2root.domain.book.orders import FINAL, MOVES, IllegalMove, Leg, OrderState
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import ZERO, Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.factors import challenge
from evil2root.domain.execution.venue import LAST_MOMENT
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.events import (
    BarsClosed,
    Deposited,
    Event,
    FillArrived,
    HaltAsked,
    OrderAnswered,
    VerdictArrived,
)
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Outcome
from evil2root.domain.kernel.state import State, empty
from evil2root.domain.kernel.step import step
from evil2root.domain.risk.gate import Approved
from evil2root.engine.aligned import Aligned
from evil2root.engine.observe import evidence_series
from evil2root.engine.replay import backtest, groups
from tests.builders import DAY_ONE, an_order
from tests.fakes.market import market

SYMBOLS = ("AAPL", "IBM", "MSFT")
CASH_IN = Money(Decimal(100_000))


def policy(strategy: str, options: dict[str, str] | None = None) -> Policy:
    return make_policy(
        strategy, options or {}, account="paper", currency="USD", interval=Interval.D1,
        instruments={symbol: instrument_for(symbol) for symbol in SYMBOLS},
    )  # fmt: skip


def frames(seed: int, bars: int) -> dict[str, pl.DataFrame]:
    return {s: market(seed + n, bars=bars, start=30.0 + 20 * n, drift=0.0) for n, s in enumerate(SYMBOLS)}


class Crowd:
    """Plays the world: keeps what is asked, and answers in whatever order chance says."""

    def __init__(self, rules: Policy, seed: int) -> None:
        self.policy = rules
        self.rng = np.random.default_rng(seed)
        self.state: State = empty()
        self.entries: list[Entry] = []
        self.owed: list[Event] = []
        self.stops: dict[str, Decimal] = {}
        self.halted = False
        self.outcomes: dict[str, Outcome] = {}
        self.parts = 0

    def tell(self, event: Event) -> None:
        self.state, actions = step(self.state, event, self.policy)
        for action in actions:
            self._note(action)
        self._require_laws()

    def _note(self, action: do.Action) -> None:
        match action:
            case do.KeepEntries(entries=entries):
                self.entries += entries
            case do.KeepDecision(decision=decision):
                self.outcomes[decision.id] = decision.outcome
            case do.Validate(proposal=proposal, evidence=evidence):
                assert self.policy.challenge is not None
                verdict = challenge(proposal, evidence, self.policy.challenge)
                late = self.rng.random() < 0.2
                at = proposal.good_until + timedelta(seconds=1) if late else proposal.made_at
                self.owed.append(VerdictArrived(decision_id=proposal.decision_id, verdict=verdict, at=at))
            case do.Submit(approved=approved):
                assert not (self.halted and approved.order.leg is Leg.ENTRY), "an entry after the halt"
                self.owed += self._answers(approved)
            case do.Cancel(order=order):
                self.owed.append(
                    OrderAnswered(client_order_id=order.client_order_id, state=OrderState.CANCELED, why="asked",
                                  at=order.updated_at)
                )  # fmt: skip
            case do.Amend(order=order) if order.leg is Leg.STOP and order.price is not None:
                before = self.stops.get(order.client_order_id)
                loosens = before is not None and (order.price - before) * (1 if order.side is Side.SELL else -1) < 0
                assert not loosens, "a stop loosened"
                self.stops[order.client_order_id] = order.price
            case _:
                pass

    def _answers(self, approved: Approved) -> Iterator[Event]:
        order = approved.order
        if order.leg is Leg.STOP and order.price is not None:
            self.stops[order.client_order_id] = order.price
        yield OrderAnswered(
            client_order_id=order.client_order_id, state=OrderState.ACCEPTED, why="", at=order.created_at
        )
        if order.is_guard and self.rng.random() < 0.7:
            return
        mark = self.state.portfolio.marks[order.symbol]
        left = int(order.quantity)
        for _ in range(int(self.rng.integers(1, 4))):
            part = left if self.rng.random() < 0.5 else int(self.rng.integers(0, left + 1))
            if part:
                self.parts += 1
                price = Price(
                    (mark * Decimal(str(round(float(self.rng.uniform(0.97, 1.03)), 4)))).quantize(Decimal("0.0001"))
                )
                yield FillArrived(
                    fill=Fill(
                        venue="crowd", account="paper", execution_id=f"x{self.parts}", symbol=order.symbol,
                        client_order_id=order.client_order_id, side=order.side, quantity=Quantity(Decimal(part)),
                        price=price, fee=Money(Decimal("0.001") * part * price), at=order.created_at,
                        slippage=Money(ZERO),
                    )
                )  # fmt: skip
            left -= part
        if self.rng.random() < 0.2:
            yield OrderAnswered(
                client_order_id=order.client_order_id, state=OrderState.ACCEPTED, why="twice", at=order.created_at
            )

    def answer_some(self) -> None:
        """Deliver a chance part of what is owed, shuffled."""
        self.rng.shuffle(self.owed)
        for _ in range(int(self.rng.integers(0, len(self.owed) + 1))):
            self.tell(self.owed.pop())

    def _require_laws(self) -> None:
        portfolio = self.state.portfolio
        sums = balances(self.entries)
        assert sums.get((CASH, "USD"), ZERO) == portfolio.cash
        held = {s: sums.get((f"position:{s}", s), ZERO) for s in SYMBOLS}
        assert {s: q for s, q in held.items() if q} == {s: p.quantity for s, p in portfolio.positions.items()}
        value = sum((held[s] * portfolio.marks[s] for s in SYMBOLS if held[s] and s in portfolio.marks), ZERO)
        assert portfolio.equity == portfolio.cash + value
        for unit in ("USD", *SYMBOLS):
            assert sum((v for (_, u), v in sums.items() if u == unit), ZERO) == 0


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_order_of_answers_breaks_the_books_or_the_limits(seed: int) -> None:
    rules = policy(
        "fusion", {"entry_threshold": "0.03", "threshold": "0.4", "per_symbol_frac": "0.15", "gross_frac": "0.3"}
    )
    told = frames(seed, 380)
    series = [evidence_series(rules.strategy, told[s], symbol=s, interval=Interval.D1)[305:] for s in SYMBOLS]
    aligned = Aligned(told, symbols=SYMBOLS, interval=Interval.D1)
    crowd = Crowd(rules, seed)
    crowd.tell(Deposited(amount=CASH_IN, at=DAY_ONE, ref="deposit:1"))

    for number, group in enumerate(groups(series)):
        at = group[0].bar.closed_at
        crowd.tell(BarsClosed(at=at, evidence=tuple(group), recent=aligned.recent(at)))
        crowd.answer_some()
        if number == 60:
            crowd.tell(HaltAsked(by="test", reason="enough", at=at))
            crowd.halted = True
        exposed = sum(
            (o.left * crowd.state.portfolio.marks[o.symbol] for o in crowd.state.orders.values() if o.leg is Leg.ENTRY),
            crowd.state.portfolio.gross,
        )
        # Prices move after an approval, those of a short up to its stop and beyond: that nothing is approved outside the
        # cap is the law of the gate, held to the cent in tests/domain/risk. Here two answers at once must not double it.
        assert exposed <= Decimal("0.3") * crowd.state.carry.equity * Decimal("1.9")
        assert len(crowd.state.portfolio.positions) <= rules.limits.positions_max

    assert not {Outcome.ORDERED} & {outcome for key, outcome in crowd.outcomes.items() if int(key[2:]) > 3 * 61}, (
        "an entry was ordered after the halt"
    )


@pytest.mark.parametrize("strategy", ["fusion", "sma_cross", "buy_hold", "metronome"])
def test_cutting_off_or_poisoning_the_future_changes_nothing_before_the_cut(strategy: str) -> None:
    options = {"fusion": {"entry_threshold": "0.05"}, "sma_cross": {"fast": "5", "slow": "20", "pct": "0.2"}}.get(
        strategy, {}
    )
    rules, told, cut = policy(strategy, options), frames(7, 430), 390
    whole = backtest(rules, told, cash=CASH_IN)
    until = told["AAPL"]["closed_at"][cut - 1]
    poisoned = {
        s: pl.concat([f.head(cut), f.slice(cut).with_columns(pl.col("open", "high", "low", "close") * 1_000)])
        for s, f in told.items()
    }

    for future in ({s: f.head(cut) for s, f in told.items()}, poisoned):
        run = backtest(rules, future, cash=CASH_IN)
        assert [f for f in run.fills if f.at <= until] == [f for f in whole.fills if f.at <= until]
        decided = 3 * cut
        assert list(run.decided)[:decided] == list(whole.decided)[:decided]
        settled = list(whole.decided)[: decided - 3]
        assert [run.decided[k] for k in settled] == [whole.decided[k] for k in settled]
        assert [p for p in run.points if p.at <= until] == [p for p in whole.points if p.at <= until]


def test_a_trailing_stop_uses_only_bars_that_are_over_and_trails_half_a_percent_once_up_one() -> None:
    run = backtest(policy("fusion", {"entry_threshold": "0.05", "threshold": "0.4"}), frames(3, 430), cash=CASH_IN)

    trailed = [t for t in run.trades if t.exit_reason == "trailing"]

    assert trailed
    for trade in trailed:
        order = next(o for o in run.orders.values() if o.leg is Leg.STOP and o.decision_id == trade.entry_decision_id)
        bars = market(
            3 + SYMBOLS.index(trade.symbol), bars=430, start=30.0 + 20 * SYMBOLS.index(trade.symbol), drift=0.0
        )
        over = bars.filter(
            (pl.col("opened_at") >= trade.entry_time) & (pl.col("closed_at") < trade.exit_time + LAST_MOMENT * 2)
        )
        over = over.filter(pl.col("closed_at") <= trade.exit_time)
        is_long = trade.side is Side.BUY
        best = over["high"].max() if is_long else over["low"].min()
        assert isinstance(best, float)
        assert order.price is not None
        assert float(order.price) == pytest.approx(best * (0.995 if is_long else 1.005), abs=2e-4)


class TestMoves:
    @pytest.mark.parametrize("before", list(OrderState))
    @pytest.mark.parametrize("after", list(OrderState))
    def test_are_the_table_s_and_no_others(self, before: OrderState, after: OrderState) -> None:
        order = an_order(Side.BUY, 10, state=before)

        if after in MOVES[before]:
            assert order.moved(after, at=DAY_ONE).state is after
        else:
            with pytest.raises(IllegalMove):
                order.moved(after, at=DAY_ONE)

    def test_allow_a_late_fill_on_a_dead_order(self) -> None:
        for state in (OrderState.CANCELED, OrderState.EXPIRED, OrderState.NOT_PLACED):
            assert OrderState.FILLED in MOVES[state]
        assert {OrderState.FILLED, OrderState.REJECTED, OrderState.CANCELED} <= FINAL
