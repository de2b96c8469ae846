"""Trading at a venue out there: whatever it loses, delays, repeats or lies about, our books end up like its own."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from evil2root.domain.book.ledger import CASH, balances
from evil2root.domain.book.orders import FINAL, Order, OrderState
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import ZERO
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.execution.remote import Repeat
from evil2root.domain.kernel.journal import JournalUnavailable
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.engine import outside, watching
from evil2root.engine.desk import Phase
from evil2root.engine.live import Engine
from evil2root.engine.outside import MOVING
from tests.fakes.market import market
from tests.fakes.remote import FakeVenue, Fault, VenueBooks
from tests.fakes.trading import Books, Fuse, Killed, an_engine_outside

SYMBOLS = ("AAPL", "IBM")
ENDS_IN_S = 20.0


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Milliseconds instead of seconds."""
    monkeypatch.setattr(watching, "ASK_EVERY_S", 0.004)
    monkeypatch.setattr(watching, "ASK_GAP_S", 0.001)
    monkeypatch.setattr(watching, "WAIT_MOST_S", 0.01)
    monkeypatch.setattr(watching, "APART_S", 0.03)
    monkeypatch.setattr(watching, "AGAIN_S", 0.01)
    monkeypatch.setattr(outside, "RETRY_FIRST_S", 0.001)


def told(bars: int) -> dict[str, pl.DataFrame]:
    return {s: market(n, bars=bars, start=40.0) for n, s in enumerate(SYMBOLS, start=1)}


def rules(strategy: str = "metronome", **options: str) -> Policy:
    return make_policy(
        strategy, options, account="real", currency="USD", interval=Interval.D1,
        instruments={symbol: instrument_for(symbol) for symbol in SYMBOLS},
    )  # fmt: skip


def a_venue(books: VenueBooks | None = None, *, repeat: Repeat = Repeat.LOOK_UP) -> FakeVenue:
    venue = FakeVenue(books or VenueBooks(), repeat=repeat)
    venue.prices = {s: Decimal(40) for s in SYMBOLS}
    return venue


def start_of(frames: dict[str, pl.DataFrame]) -> datetime:
    start: datetime = frames["AAPL"]["closed_at"][9]
    return start


async def until(engine: Engine, done: Callable[[], bool] | None = None) -> None:
    """Run an engine until its feed has ended and nothing moves, or `done()` says so."""
    running = asyncio.create_task(engine.run())
    try:
        async with asyncio.timeout(ENDS_IN_S):
            while not (is_quiet(engine) if done is None else done()):
                if running.done():
                    running.result()
                await asyncio.sleep(0.002)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def is_quiet(engine: Engine) -> bool:
    orders = engine.performer.state.orders.values()
    return engine.finished and not any(o.state in MOVING or not o.is_guard for o in orders)


def assert_the_same(books: Books, venue: FakeVenue) -> None:
    """Our books and the venue's tell the same story."""
    sums = balances(books.entries.values())
    assert sums[CASH, "USD"] == venue.kept.cash
    assert {s: p.quantity for s, p in books.positions.items()} == venue.kept.positions
    assert sorted(books.fills) == sorted(f.execution_id for f in venue.kept.executions)
    assert len(set(venue.kept.placed)) == len(venue.kept.placed), "an order was placed twice"
    placed = set(venue.kept.placed)
    for name, order in books.orders.items():
        assert (name in placed) != (order.state is OrderState.NOT_PLACED), order
    assert placed <= set(books.orders), "an order was lost"


async def test_ends_up_with_the_books_of_the_venue() -> None:
    frames, books, venue = told(60), Books(), a_venue()

    await until(an_engine_outside(rules(), frames, books, venue, start=start_of(frames)))

    assert len(venue.kept.placed) > 20
    assert not books.parked
    assert_the_same(books, venue)


async def test_an_order_ends_when_all_that_the_venue_took_of_it_is_filled() -> None:
    frames, books, venue = told(60), Books(), a_venue()
    venue.keeps = Decimal("0.01")

    await until(an_engine_outside(rules(), frames, books, venue, start=start_of(frames)))

    bought = [o for o in books.orders.values() if o.side is Side.BUY and o.filled]
    assert len(bought) > 10
    assert {(o.filled, o.state) for o in bought} == {(o.quantity - venue.keeps, OrderState.CANCELED) for o in bought}
    assert_the_same(books, venue)


async def test_what_is_too_little_to_be_sold_is_given_back_and_keeps_no_symbol_from_trading() -> None:
    frames, books, venue = told(60), Books(), a_venue()
    venue.keeps, venue.lot = Decimal("0.0137"), Decimal("0.01")

    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    await until(engine)
    found = await engine.compare()

    bought = [f for f in venue.kept.executions if f.side is Side.BUY]
    left = engine.performer.state.carry.ignored
    held = {s: p.quantity for s, p in books.positions.items()}
    sums = balances(books.entries.values())
    assert len(bought) > 10
    assert all(left[symbol] > 0 for symbol in SYMBOLS)
    assert {s: held.get(s, ZERO) + left[s] for s in SYMBOLS} == venue.kept.positions
    assert sums[CASH, "USD"] == venue.kept.cash
    assert all(sums[f"position:{s}", s] == held.get(s, ZERO) for s in SYMBOLS)
    assert not found
    assert not books.parked


@pytest.mark.parametrize("seed", range(6))
async def test_no_fault_loses_or_doubles_an_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames, books, venue = told(90), Books(), a_venue()
    venue.part = Decimal(3) if seed % 2 else None
    venue.faults.extend(rng.choice([None, None, *Fault], size=200))

    running = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    filling = asyncio.create_task(fill_the_rest(venue))
    await until(running)
    filling.cancel()

    assert len(venue.kept.placed) > 15
    assert_the_same(books, venue)
    assert not running.performer.state.carry.frozen


async def fill_the_rest(venue: FakeVenue) -> None:
    """Execute what partial fills left open, a while later."""
    while True:
        await asyncio.sleep(0.01)
        for name, kept in list(venue.kept.orders.items()):
            if kept.record.state is OrderState.PARTIAL and kept.record.quantity is not None:
                venue.execute(name, kept.record.quantity - kept.record.filled)


def kills(writes: int) -> Iterator[tuple[int, bool]]:
    """Every third write, before it and after it by turns of two: even and odd writes get both."""
    for write in range(1, writes + 1, 3):
        yield write, write // 6 % 2 == 1


async def test_is_none_the_worse_for_a_kill_at_any_write() -> None:
    frames = told(26)
    counted = Fuse()
    await until(
        an_engine_outside(rules(), frames, Books(), a_venue(), start=start_of(frames), fuse=counted, quarantine_s=0.02)
    )
    assert counted.seen > 40
    for write, after in kills(counted.seen):
        books, venue = Books(), a_venue()
        venue.faults.extend(np.random.default_rng(write).choice([None, *Fault], size=60))
        with suppress(Killed):  # faults may make it write less than was counted
            fuse = Fuse(writes=write, after=after)
            await until(an_engine_outside(rules(), frames, books, venue, start=start_of(frames), fuse=fuse))
        await until(an_engine_outside(rules(), frames, books, venue, start=start_of(frames)))
        assert_the_same(books, venue)


@pytest.mark.parametrize(("bars", "ago"), [(80, 20), pytest.param(260, 100, marks=pytest.mark.long)])
async def test_adopts_what_books_restored_from_the_past_do_not_know(bars: int, ago: int) -> None:
    frames, books, venue = told(bars), Books(), a_venue()
    first = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    await until(first, lambda: len(venue.kept.placed) >= 6)
    past = deepcopy(books)
    again = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    await until(again, lambda: len(venue.kept.placed) >= ago + 10)
    lost = len(venue.kept.placed) - len(past.orders)

    restored = an_engine_outside(rules(), frames, past, venue, start=start_of(frames))
    await until(restored)

    assert lost >= ago
    assert sum(d.outcome == "adopted" for d in past.decisions.values()) >= lost
    assert not restored.performer.state.carry.frozen
    assert_the_same(past, venue)


async def test_a_venue_that_deduplicates_is_sent_the_same_order_again() -> None:
    frames, books, venue = told(14), Books(), a_venue(repeat=Repeat.SAFE)
    venue.faults.append(Fault.DROP_BEFORE)

    await until(an_engine_outside(rules(), frames, books, venue, start=start_of(frames)))

    assert OrderState.NOT_PLACED not in {o.state for o in books.orders.values()}
    assert_the_same(books, venue)


async def test_a_blind_venue_freezes_the_symbol_until_a_person_looked() -> None:
    frames, books, venue = told(30), Books(), a_venue(repeat=Repeat.BLIND)
    venue.faults.append(Fault.DROP_BEFORE)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    await until(engine, lambda: engine.finished)

    doubtful = [o for o in books.orders.values() if o.state is OrderState.UNKNOWN]
    assert len(doubtful) == 1
    assert set(engine.performer.state.carry.frozen) == {doubtful[0].symbol}
    assert venue.submits.count(doubtful[0].client_order_id) == 1


async def test_a_late_fill_of_a_dead_order_is_booked_and_freezes_its_symbol() -> None:
    frames, books, venue = told(16), Books(), a_venue()
    venue.fills_at_once = False
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames), pace_s=0.02)

    def canceled() -> bool:
        for kept in venue.kept.orders.values():
            if kept.record.state not in FINAL:
                kept.record = replace(kept.record, state=OrderState.CANCELED)
        return any(o.state is OrderState.CANCELED for o in books.orders.values())

    await until(engine, canceled)
    name = next(k for k, o in books.orders.items() if o.state is OrderState.CANCELED)
    venue.execute(name, Decimal(10))
    again = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    await until(again, lambda: again.finished and len(books.fills) > 0)

    assert books.orders[name].filled == 10
    assert [p.kind for p in books.parked] == ["late fill"]
    assert books.orders[name].symbol in again.performer.state.carry.frozen
    assert balances(books.entries.values())[CASH, "USD"] == venue.kept.cash


async def test_hostile_executions_are_set_aside_once_and_freeze_one_symbol() -> None:
    frames, books, venue = told(40), Books(), a_venue()
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    def poisoned() -> bool:
        if venue.kept.executions and not venue.told_again:
            true = venue.kept.executions[0]
            venue.told_again = [true, replace(true, execution_id="poison", client_order_id="nobody", symbol="IBM")]
            venue.garbled = ["\x00{'qty': 'NaN'"]
        return is_quiet(engine)

    await until(engine, poisoned)

    assert sorted(p.kind for p in books.parked) == ["fill", "garbled"]
    assert set(engine.performer.state.carry.frozen) == {"IBM"}
    assert_the_same(books, venue)


async def test_shows_orders_of_others_and_leaves_them_alone() -> None:
    frames, books, venue = told(20), Books(), a_venue()
    theirs = venue.stranger("MSFT")
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    await until(engine)

    assert engine.performer.state.carry.external[theirs.broker_order_id].left == Decimal(5)
    assert venue.kept.strangers[0].state is OrderState.ACCEPTED

    venue.kept.strangers[0] = replace(theirs, filled=Decimal(2))
    engine = an_engine_outside(rules(), told(21), books, venue, start=start_of(frames))
    await until(engine)

    assert engine.performer.state.carry.external[theirs.broker_order_id].left == Decimal(3)


async def test_does_not_trade_on_books_that_differ_and_says_in_what() -> None:
    frames, books, venue = told(20), Books(), a_venue()
    await until(an_engine_outside(rules(), frames, books, venue, start=start_of(frames)))
    venue.kept.positions["MSFT"] = Decimal(7)
    engine = an_engine_outside(rules(), told(30), books, venue, start=start_of(frames))

    said: list[str] = []

    def diverged() -> bool:
        said.append(engine.says)
        return engine.phase is Phase.DIVERGED

    await until(engine, diverged)

    assert "MSFT: ours 0, the broker's 7" in said[-1]
    assert books.positions.get("MSFT") is None


async def test_an_entry_that_was_committed_before_a_halt_does_not_leave_after_it() -> None:
    frames, books, venue = told(20), Books(), a_venue()
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames), halted=lambda: True)

    await until(engine)

    assert not venue.submits
    assert {o.state for o in books.orders.values()} == {OrderState.CANCELED}
    assert "HALT" in next(iter(books.orders.values())).why_state


async def test_nothing_leaves_a_process_that_does_not_lead() -> None:
    frames, books, venue = told(14), Books(), a_venue()
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames), leads=lambda: False)

    await until(engine, lambda: engine.finished and not engine.waiting)

    assert books.orders
    assert not venue.submits


async def test_a_first_start_begins_with_the_cash_of_the_venue() -> None:
    frames, books, venue = told(14), Books(), a_venue(VenueBooks(cash=Decimal("1234.56")))

    await until(an_engine_outside(rules(), frames, books, venue, start=start_of(frames)))

    assert books.carry is not None
    assert books.carry.capital == Decimal("1234.56")


async def test_waits_for_a_venue_that_is_away_at_the_start_and_later() -> None:
    frames, books, venue = told(40), Books(), a_venue()
    venue.away = 5
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    left: list[int] = []

    def leaves() -> bool:
        if len(venue.kept.placed) >= 4 and not left:
            venue.away = 7
            left.append(7)
        return is_quiet(engine)

    await until(engine, leaves)

    assert_the_same(books, venue)


async def test_stops_lie_at_the_venue_and_go_with_the_position() -> None:
    frames, books, venue = told(120), Books(), a_venue()
    options = {"fast": "3", "slow": "8", "stop": "0.2", "target": "0.3", "units": "5"}
    engine = an_engine_outside(rules("sma_cross", **options), frames, books, venue, start=start_of(frames))

    await until(engine)

    assert any(o.leg == "stop" for o in books.orders.values())
    assert not any(o.leg == "target" for o in books.orders.values()), "the venue keeps no targets: they are watched"
    for symbol in SYMBOLS:
        stops = venue.stops(symbol)
        held = venue.kept.positions.get(symbol, ZERO)
        assert sum((k.record.quantity or ZERO for k in stops), ZERO) == abs(held)
    assert all(p.unprotected_since is None for p in books.positions.values())
    assert_the_same(books, venue)


async def test_a_database_that_is_away_does_not_end_the_watch_over_the_venue() -> None:
    frames, books, venue = told(14), Books(), a_venue()
    theirs = venue.stranger("AAPL")
    venue.kept.strangers[0] = replace(theirs, client_order_id="of-somebody")
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))
    assert engine._ports.remote is not None
    records, away = engine._ports.remote.records, 3
    orders = records.orders

    async def away_for_a_moment(names: Sequence[str]) -> Mapping[str, Order]:
        nonlocal away
        if away and engine.phase is Phase.READY:
            away -= 1
            msg = "the database is away"
            raise JournalUnavailable(msg)
        return await orders(names)

    records.orders = away_for_a_moment  # type: ignore[method-assign, assignment]
    await until(engine, lambda: not away and is_quiet(engine))

    assert_the_same(books, venue)
