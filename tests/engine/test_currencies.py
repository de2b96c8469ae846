"""Several currencies in one account: every figure in the account's, every booking in its own, never at a guessed rate."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.domain.book.ledger import CASH, CONVERSION, Entry, balances
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel import actions as do
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import State
from evil2root.domain.kernel.step import step
from evil2root.domain.signals.standing import with_standings
from evil2root.engine import replay
from evil2root.engine.replaying import recompute
from tests.engine.test_live_engine import OPTIONS, start_of, until_told_all
from tests.fakes.market import market
from tests.fakes.trading import Books, an_engine, without_times

CASH_IN = Money(Decimal(100_000))
STARTS = {
    "AAPL": 90.0, "AIR.PA": 120.0, "VOD.L": 800.0, "BTC-EUR": 300.0, "EURUSD=X": 1.1, "GBPUSD=X": 1.3, "USDJPY": 110.0,
    "7203.T": 2_000.0,
}  # fmt: skip
RATES = ("EURUSD=X", "GBPUSD=X", "USDJPY")


def told(seed: int, bars: int, *, without: tuple[str, ...] = ()) -> dict[str, pl.DataFrame]:
    return {
        symbol: market(seed + n, bars=bars, start=start, drift=0.0)
        for n, (symbol, start) in enumerate(STARTS.items())
        if symbol not in without
    }


def rules(frames: Mapping[str, pl.DataFrame], strategy: str, currency: str = "USD") -> Policy:
    options = {**OPTIONS[strategy]}
    if strategy == "fusion":
        options |= {"short": "true", "value_at_risk_frac": "1", "shortfall_frac": "1"}
    return make_policy(
        strategy, options, account="paper", currency=currency, interval=Interval.D1,
        instruments={symbol: instrument_for(symbol) for symbol in frames},
        rates=[symbol for symbol in RATES if symbol in frames],
    )  # fmt: skip


@dataclass
class Audited:
    """The kernel, with the account worked out again from the ledger and the prices after every event."""

    entries: list[Entry] = field(default_factory=list)
    steps: int = 0

    def step(self, state: State, event: Any, policy: Policy) -> tuple[State, tuple[do.Action, ...]]:
        state, actions = step(state, event, policy)
        for action in actions:
            if isinstance(action, do.KeepEntries):
                assert_balanced(action.entries)
                self.entries += action.entries
        self.steps += 1
        if any(isinstance(a, do.KeepEntries | do.KeepEquity) for a in actions):
            assert state.portfolio.equity == pytest.approx(self._equity(state, policy), rel=Decimal("1e-11"))
        return state, actions

    def _equity(self, state: State, policy: Policy) -> Decimal:
        """Cash as it was booked, and units as they were booked at the last close in the account's currency."""
        sums = balances(self.entries)
        worth = sums[CASH, policy.currency]
        assert {unit for account, unit in sums if account == CASH} == {policy.currency}
        for (account, unit), held in sums.items():
            if account.startswith("position:") and held:
                worth += held * state.portfolio.marks[unit] * self._rate(unit, state, policy.currency)
        return worth

    def _rate(self, symbol: str, state: State, ours: str) -> Decimal:
        """In dollars first, then in ours: not the way the program goes."""
        dollars = {"USD": Decimal(1)}
        marks = state.carry.marks
        for pair, currency in (("EURUSD=X", "EUR"), ("GBPUSD=X", "GBP")):
            if pair in marks:
                dollars[currency] = Decimal(marks[pair])
        if "USDJPY" in marks:
            dollars["JPY"] = 1 / Decimal(marks["USDJPY"])
        instrument = instrument_for(symbol)
        return instrument.quote_unit * dollars[instrument.currency] / dollars[ours]


def assert_balanced(entries: tuple[Entry, ...]) -> None:
    sums: dict[str, Decimal] = {}
    for entry in entries:
        sums[entry.unit] = sums.get(entry.unit, ZERO) + entry.amount
    assert not any(sums.values()), sums


def audited(policy: Policy, frames: Mapping[str, pl.DataFrame], patch: pytest.MonkeyPatch, **more: Any) -> tuple[
    replay.Run, Audited
]:  # fmt: skip
    auditor = Audited()
    patch.setattr(replay, "step", auditor.step)
    return replay.backtest(policy, frames, cash=CASH_IN, **more), auditor


@pytest.mark.parametrize(("strategy", "currency"), [("fusion", "EUR"), ("sma_cross", "GBP")])
def test_equity_is_cash_and_market_value_after_every_event(
    strategy: str, currency: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = told(11, 420)

    run, auditor = audited(rules(frames, strategy, currency), frames, monkeypatch)

    units = {entry.unit for entry in auditor.entries if entry.account == CONVERSION}
    assert len(run.trades) >= 5
    assert len(units) >= 2, "nothing was converted"
    for fill in run.fills:
        booked = [e.unit for e in auditor.entries if e.ref.endswith(fill.execution_id) and e.account.startswith("tr")]
        assert booked[-1] == instrument_for(fill.symbol).currency
    earned = sum((t.pnl for t in run.trades), ZERO)
    held = run.state.portfolio
    open_now = sum((held.unrealised_of(p) + p.realised - p.fees - p.borrow for p in held.positions.values()), ZERO)
    assert held.equity - CASH_IN == pytest.approx(earned + open_now, rel=Decimal("1e-9"))


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10_000), currency=st.sampled_from(["USD", "EUR", "GBP", "JPY"]))
def test_whatever_the_prices_do_the_books_balance_in_every_currency(seed: int, currency: str) -> None:
    frames = told(seed, 40)
    with pytest.MonkeyPatch.context() as patch:
        run, auditor = audited(rules(frames, "metronome", currency), frames, patch)

    assert run.fills
    assert auditor.steps > 40


async def test_live_does_what_the_backtest_does() -> None:
    frames = told(5, 40)
    policy, start, books = rules(frames, "metronome"), start_of(frames), Books()
    truth = replay.backtest(policy, frames, cash=CASH_IN, start=start)

    await until_told_all(await an_engine(policy, frames, books, start=start, cash=CASH_IN))

    assert {f.rate for f in truth.fills if f.symbol != "AAPL"} - {Decimal(1)}
    assert list(books.fills.values()) == truth.fills
    assert [p.equity for p in books.points] == [p.equity for p in truth.points]
    assert {k: without_times(o) for k, o in books.orders.items()} == {
        k: without_times(o) for k, o in truth.orders.items()
    }


@pytest.mark.long
def test_every_decision_is_recomputed_as_it_was() -> None:
    frames = told(11, 400)
    policy, kept = rules(frames, "fusion", "EUR"), dict[str, Decision]()
    replay.backtest(policy, frames, cash=CASH_IN, keep=lambda d: kept.update({d.id: d}))

    ranked = with_standings(frames, among=policy.traded)
    different: list[object] = []
    for decision in kept.values():
        frame = ranked[decision.symbol]
        window = frame.filter(
            (pl.col("opened_at") >= decision.window_from) & (pl.col("closed_at") <= decision.bar.closed_at)
        )
        different += recompute(decision, window, policy).differences

    assert not different
    assert any(d.outcome is Outcome.ORDERED and d.exposure is not None and d.exposure.rate != 1 for d in kept.values())


def test_what_is_watched_for_its_rate_is_not_traded() -> None:
    frames, kept = told(11, 60), list[Decision]()

    run = replay.backtest(rules(frames, "metronome"), frames, cash=CASH_IN, keep=kept.append)

    assert not {fill.symbol for fill in run.fills} & set(RATES)
    assert not {decision.symbol for decision in kept} & set(RATES)


class TestWithoutARate:
    def test_nothing_is_bought_and_the_decision_says_why(self) -> None:
        frames, kept = told(11, 60, without=("GBPUSD=X",)), dict[str, Decision]()
        policy = rules(frames, "metronome")

        run = replay.backtest(policy, frames, cash=CASH_IN, keep=lambda d: kept.update({d.id: d}))

        wanted = [d for d in kept.values() if d.symbol == "VOD.L" and d.wants == "enter"]
        assert wanted
        assert {d.outcome for d in wanted} == {Outcome.REFUSED}
        assert "No rate from GBP to USD is known: add GBPUSD=X" in str(wanted[0].why_not)
        assert "VOD.L" not in {fill.symbol for fill in run.fills}
        assert {"AAPL", "AIR.PA", "BTC-EUR"} <= {fill.symbol for fill in run.fills}

    def test_a_rate_serves_from_its_first_close_on_and_no_earlier(self) -> None:
        frames, kept = told(11, 60), list[Decision]()
        frames["EURUSD=X"] = frames["EURUSD=X"].slice(30)
        known_from = frames["EURUSD=X"]["closed_at"][0]

        run = replay.backtest(rules(frames, "metronome"), frames, cash=CASH_IN, keep=kept.append)

        early = [d for d in kept if d.symbol == "AIR.PA" and d.wants == "enter" and d.at < known_from]
        assert {d.outcome for d in early} == {Outcome.REFUSED}
        assert "EURUSD=X has no close so far" in str(early[0].why_not)
        bought = [f for f in run.fills if f.symbol == "AIR.PA"]
        assert bought
        assert min(f.at for f in bought) >= known_from

    def test_a_fill_takes_the_last_rate_that_was_known(self) -> None:
        frames = told(11, 60)

        run = replay.backtest(rules(frames, "metronome"), frames, cash=CASH_IN)

        rate = frames["EURUSD=X"]
        for fill in (f for f in run.fills if f.symbol == "AIR.PA"):
            bar = frames["AIR.PA"].filter((pl.col("opened_at") <= fill.at) & (pl.col("closed_at") > fill.at))
            before = rate.filter(pl.col("closed_at") < bar["closed_at"][0])["close"][-1]
            assert fill.rate == instrument_for("EURUSD=X").price(before)
