"""The live engine: the same as the backtest, and the same again when it is killed at any write."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import polars as pl
import pytest

from evil2root.domain.book.ledger import CASH, balances
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.events import HaltAsked
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Outcome
from evil2root.domain.market.sources import BarGroup
from evil2root.engine.desk import Phase
from evil2root.engine.live import Engine
from evil2root.engine.replay import Run, backtest
from tests.fakes.market import market
from tests.fakes.trading import Books, Fuse, Killed, ListFeed, an_engine, without_times

CASH_IN = Money(Decimal(100_000))
OPTIONS = {
    "fusion": {"entry_threshold": "0.05", "threshold": "0.6"},
    "sma_cross": {"fast": "5", "slow": "20", "stop": "0.03", "target": "0.06", "pct": "0.3"},
    "buy_hold": {},
    "metronome": {},
}


def frames(bars: int) -> dict[str, pl.DataFrame]:
    """Three markets, one of them with gaps and one that starts later."""
    whole = {
        "AAPL": market(1, bars=bars, start=90.0),
        "IBM": market(2, bars=bars, start=40.0),
        "MSFT": market(3, bars=bars, start=25.0),
    }
    kept = pl.int_range(pl.len()) % 7 != 3
    return {"AAPL": whole["AAPL"], "IBM": whole["IBM"].filter(kept), "MSFT": whole["MSFT"].slice(bars // 3)}


def policy(strategy: str, symbols: list[str]) -> Policy:
    return make_policy(
        strategy, OPTIONS[strategy], account="paper", currency="USD", interval=Interval.D1,
        instruments={symbol: instrument_for(symbol) for symbol in symbols},
    )  # fmt: skip


async def until_told_all(engine: Engine) -> None:
    """Run an engine until its feed ends and everything that came of it is done."""
    running = asyncio.create_task(engine.run())
    try:
        while not engine.finished:
            if running.done():
                running.result()
            await asyncio.sleep(0.0005)  # a tighter loop would keep the interpreter from the threads that compute
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def start_of(told: dict[str, pl.DataFrame]) -> datetime:
    start: datetime = told["AAPL"]["closed_at"][9]
    return start


def assert_same(books: Books, truth: Run) -> None:
    """The books of a live run are those of the backtest, to the last digit."""
    assert list(books.fills.values()) == truth.fills
    assert {k: without_times(o) for k, o in books.orders.items()} == {
        k: without_times(o) for k, o in truth.orders.items()
    }
    assert {k: d.outcome for k, d in books.decisions.items()} == truth.decided
    assert [p.equity for p in books.points] == [p.equity for p in truth.points]
    assert balances(books.entries.values())[CASH, "USD"] == truth.state.portfolio.cash
    assert books.trades == truth.trades


@pytest.mark.parametrize(
    ("strategy", "bars"), [*((name, 320) for name in OPTIONS), pytest.param("fusion", 460, marks=pytest.mark.long)]
)
async def test_does_what_the_backtest_does(strategy: str, bars: int) -> None:
    told = frames(bars)  # beyond 300 bars of a symbol, its features are carried from bar to bar
    rules, start, books = policy(strategy, list(told)), start_of(told), Books()
    truth = backtest(rules, told, cash=CASH_IN, start=start)

    await until_told_all(await an_engine(rules, told, books, start=start, cash=CASH_IN))

    assert len(truth.fills) >= 3
    assert not books.parked
    assert_same(books, truth)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("strategy", "every"),
    [("metronome", 1), ("sma_cross", 7), pytest.param("sma_cross", 1, marks=pytest.mark.long)],
)
async def test_is_none_the_worse_for_a_kill_at_any_write(strategy: str, every: int, after: bool) -> None:
    bars = {"metronome": 18, "sma_cross": 46}[strategy]
    told = frames(bars)
    rules, start = policy(strategy, list(told)), start_of(told)
    truth = backtest(rules, told, cash=CASH_IN, start=start)
    counted = Fuse()
    await until_told_all(await an_engine(rules, told, Books(), start=start, cash=CASH_IN, fuse=counted))
    assert counted.seen > 30

    for write in range(1, counted.seen + 1, every):
        books, fuse = Books(), Fuse(writes=write, after=after)
        with pytest.raises(Killed):
            await until_told_all(await an_engine(rules, told, books, start=start, cash=CASH_IN, fuse=fuse))
        await until_told_all(await an_engine(rules, told, books, start=start, cash=CASH_IN))
        assert_same(books, truth)


async def test_settles_a_lost_verdict_as_a_no() -> None:
    told = frames(340)
    rules, start, books = policy("fusion", list(told)), start_of(told), Books()
    with pytest.raises(Killed):
        await until_told_all(
            await an_engine(rules, told, books, start=start, cash=CASH_IN, fuse=Fuse(on_awaiting=True))
        )
    lost = [k for k, d in books.decisions.items() if d.outcome is Outcome.AWAITING_VERDICT]

    await until_told_all(await an_engine(rules, told, books, start=start, cash=CASH_IN))

    assert lost
    assert {books.decisions[k].outcome for k in lost} == {Outcome.LATE}
    assert not any(d.outcome is Outcome.AWAITING_VERDICT for d in books.decisions.values())


async def test_waits_for_a_journal_that_is_away_and_sends_nothing_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evil2root.engine.perform.RETRY_FIRST_S", 0.001)
    told = frames(60)
    rules, start, books = policy("metronome", list(told)), start_of(told), Books()
    truth = backtest(rules, told, cash=CASH_IN, start=start)

    await until_told_all(await an_engine(rules, told, books, start=start, cash=CASH_IN, away=5))

    assert_same(books, truth)


async def test_says_what_differs_and_does_not_trade_when_the_broker_disagrees() -> None:
    told = frames(60)
    rules, start, books = policy("metronome", list(told)), start_of(told), Books()
    with pytest.raises(Killed):
        await until_told_all(
            await an_engine(rules, told, books, start=start, cash=CASH_IN, fuse=Fuse(writes=30, after=True))
        )
    assert books.venue is not None
    account, at, phase = books.venue
    books.venue = type(account)(account=account.account, cash=Money(account.cash - 1), positions=account.positions,
                                working=account.working, taken=account.taken), at, phase  # fmt: skip
    decided = len(books.decisions)

    engine = await an_engine(rules, told, books, start=start, cash=CASH_IN)
    running = asyncio.create_task(engine.run())
    await asyncio.sleep(0.2)
    running.cancel()
    phase_seen, says = engine.phase, engine.says
    await asyncio.gather(running, return_exceptions=True)

    assert phase_seen is Phase.DIVERGED
    assert "cash: ours" in says
    assert len(books.decisions) == decided


async def test_lets_no_entry_through_after_a_halt() -> None:
    told = frames(60)
    rules, start, books = policy("metronome", list(told)), start_of(told), Books()
    engine = await an_engine(rules, told, books, start=start, cash=CASH_IN)
    running = asyncio.create_task(engine.run())
    while len(books.fills) < 4:  # noqa: ASYNC110 - the books of the fake tell nobody
        await asyncio.sleep(0)

    reply = await engine.ask(HaltAsked(by="test", reason="enough", at=start, flatten=True), urgent=True)
    decided = len(books.decisions)
    while not engine.finished:  # noqa: ASYNC110
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert reply.done
    later = [d for d in books.decisions.values() if d.sequence > decided]
    assert later
    assert not any(d.outcome is Outcome.ORDERED for d in later)
    assert not books.positions


class LateFeed(ListFeed):
    """One symbol's bar is not told in its moment; it is stored by the time of the next, which says so."""

    def __init__(self, frames: dict[str, pl.DataFrame], *, late: tuple[str, datetime]) -> None:
        super().__init__(frames)
        self.late = late

    async def groups(self, after: datetime | None) -> AsyncIterator[BarGroup]:
        symbol, moment = self.late
        is_renewed = False
        async for group in super().groups(after):
            if group.closed_at == moment:
                yield replace(group, bars=tuple(bar for bar in group.bars if bar.symbol != symbol))
                continue
            renewed = not is_renewed and group.closed_at > moment
            is_renewed |= renewed
            yield replace(group, renewed=frozenset({symbol} if renewed else ()))


async def test_a_bar_that_came_late_is_part_of_what_the_next_decisions_rest_on() -> None:
    told = frames(60)
    moment: datetime = told["AAPL"]["closed_at"][40]
    rules, start, late, whole_books = policy("sma_cross", list(told)), start_of(told), Books(), Books()
    feed = LateFeed(told, late=("AAPL", moment))

    await until_told_all(await an_engine(rules, told, whole_books, start=start, cash=CASH_IN))
    await until_told_all(await an_engine(rules, told, late, start=start, cash=CASH_IN, feed=feed))

    made, whole = (
        {d.bar.closed_at: d for d in books.decisions.values() if d.symbol == "AAPL"} for books in (late, whole_books)
    )
    assert set(whole) - set(made) == {moment}
    after = [at for at in made if at > moment]
    assert len(after) == 19
    assert all((made[at].features, made[at].number) == (whole[at].features, whole[at].number) for at in after)
