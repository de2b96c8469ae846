"""What differs between our books and the venue's is shown, settled by a person, and then agrees to the last digit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.book.ledger import CAPITAL, CASH, balances
from evil2root.domain.book.orders import OrderState
from evil2root.domain.execution.remote import Repeat
from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.events import Event, Settle
from evil2root.engine.desk import Phase
from evil2root.engine.live import Engine
from evil2root.engine.reconciling import EngineReconciling
from tests.engine.test_outside import a_venue, is_quiet, rules, start_of, told
from tests.fakes.remote import FakeVenue, Fault
from tests.fakes.trading import Books, an_engine_outside

WHO: dict[str, Any] = {"by": "ann", "origin": "test", "reason": "seen at the broker"}


async def settled_books(frames: Any, books: Books, venue: FakeVenue, *, bars: int = 20) -> None:
    """Trade a while and come to rest, so that something can differ afterwards."""
    engine = an_engine_outside(rules(), {s: f.head(bars) for s, f in frames.items()}, books, venue,
                               start=start_of(frames))  # fmt: skip
    async with running(engine):
        await when(lambda: is_quiet(engine))


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[EngineReconciling]:
    task = asyncio.create_task(engine.run())

    async def do(  # noqa: PLR0913 - the port asks for them
        event: Event, by: str, origin: str, action: str, what: str, *, after: str | None
    ) -> Reply:
        assert all((by, origin, action, what, after))
        return await engine.ask(event)

    clock = SystemClock()
    try:
        yield EngineReconciling(engine, clock, clock, do)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def when(holds: Any) -> None:
    async with asyncio.timeout(15):
        while not holds():  # noqa: ASYNC110 - many things can make it true
            await asyncio.sleep(0.002)


def sums(books: Books) -> dict[tuple[str, str], Decimal]:
    found = balances(books.entries.values())
    by_unit: dict[str, Decimal] = {}
    for (_, unit), amount in found.items():
        by_unit[unit] = by_unit.get(unit, Decimal(0)) + amount
    assert not any(by_unit.values()), "the ledger does not sum to zero"
    return found


@pytest.mark.parametrize("units", [Decimal(7), Decimal(-4)])
async def test_what_the_venue_holds_can_be_adopted(units: Decimal) -> None:
    frames, books, venue = told(20), Books(), a_venue()
    await settled_books(frames, books, venue)
    before = venue.kept.positions.get("IBM", Decimal(0))
    venue.kept.positions["IBM"] = before + units
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    async with running(engine) as desk:
        await when(lambda: engine.phase is Phase.DIVERGED)
        reply = await desk.settle("IBM", Settle.ADOPT, **WHO)
        ready = engine.phase

    assert reply.done, reply.says
    assert ready is Phase.READY
    assert books.positions["IBM"].quantity == before + units
    assert sums(books)["position:IBM", "IBM"] == before + units
    assert -sums(books)[CAPITAL, "USD"] == books.carry.capital  # type: ignore[union-attr]
    assert sums(books)[CASH, "USD"] == venue.kept.cash


async def test_what_is_gone_at_the_venue_ends_the_trade_here() -> None:
    frames, books, venue = told(19), Books(), a_venue()
    await settled_books(frames, books, venue, bars=19)
    held = dict(venue.kept.positions)
    assert held
    symbol = next(iter(held))
    trades = len(books.trades)
    venue.kept.positions.pop(symbol)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    async with running(engine) as desk:
        await when(lambda: engine.phase is Phase.DIVERGED)
        reply = await desk.settle(symbol, Settle.ADOPT, **WHO)

    assert reply.done, reply.says
    assert symbol not in books.positions
    assert books.trades[trades].exit_reason == "adopted"


async def test_what_is_adopted_can_be_closed_at_once() -> None:
    frames, books, venue = told(20), Books(), a_venue()
    await settled_books(frames, books, venue)
    venue.kept.positions["IBM"] = venue.kept.positions.get("IBM", Decimal(0)) + 30
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    async with running(engine) as desk:
        await when(lambda: engine.phase is Phase.DIVERGED)
        reply = await desk.settle("IBM", Settle.CLOSE, **WHO)
        await when(lambda: "IBM" not in books.positions)

    assert reply.done
    assert "IBM" not in venue.kept.positions
    assert sums(books)[CASH, "USD"] == venue.kept.cash


async def test_money_can_be_adopted_and_what_is_not_ours_let_be() -> None:
    frames, books, venue = told(20), Books(), a_venue()
    await settled_books(frames, books, venue)
    venue.kept.cash += Decimal("250.25")
    venue.kept.positions["TSLA"] = Decimal(3)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    async with running(engine) as desk:
        await when(lambda: engine.phase is Phase.DIVERGED)
        shown = await desk.compare()
        refused = await desk.settle("TSLA", Settle.ADOPT, **WHO)
        nothing = await desk.settle("AAPL", Settle.ADOPT, **WHO)
        silent = await desk.settle("TSLA", Settle.IGNORE, **{**WHO, "reason": " "})
        left = await desk.settle("TSLA", Settle.IGNORE, **WHO)
        adopted = await desk.settle("cash", Settle.ADOPT, **WHO)
        after, phase = await desk.compare(), engine.phase

    assert {d.what for d in shown.differences} == {"TSLA", "cash"}
    assert not refused.done
    assert "watchlist" in refused.says
    assert not nothing.done
    assert not silent.done
    assert left.done
    assert "cash still differs" in left.says
    assert adopted.done
    assert "agree" in adopted.says
    assert (after.differences, after.ignored) == ((), {"TSLA": Decimal(3)})
    assert phase is Phase.READY
    assert sums(books)[CASH, "USD"] == venue.kept.cash


async def test_the_feed_goes_on_once_the_books_agree() -> None:
    frames, books, venue = told(40), Books(), a_venue()
    await settled_books(frames, books, venue, bars=20)
    venue.kept.cash -= 5
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    async with running(engine) as desk:
        await when(lambda: engine.phase is Phase.DIVERGED)
        await asyncio.sleep(0.05)
        waited = not engine.finished and engine.shown == 0
        await desk.settle("cash", Settle.ADOPT, **WHO)
        await when(lambda: engine.finished)

    assert waited


async def test_a_person_ends_the_doubt_and_the_freeze_of_a_blind_venue() -> None:
    frames, books, venue = told(14), Books(), a_venue(repeat=Repeat.BLIND)
    venue.faults.append(Fault.DROP_AFTER)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    async with running(engine) as desk:
        await when(lambda: engine.finished)
        doubtful = (await desk.compare()).doubtful
        symbol = next(iter(engine.performer.state.carry.frozen), "")
        wrong = await desk.confirm("nobody", placed=True, **WHO)
        thawed = await desk.thaw(symbol or "AAPL", **WHO)
        again = await desk.thaw(symbol or "AAPL", **WHO)

    # The order was placed before the connection was cut: its record tells, so that no doubt is left.
    assert not doubtful
    assert not wrong.done
    assert thawed.done
    assert not again.done


async def test_an_order_the_venue_never_had_is_given_up_by_a_person() -> None:
    frames, books, venue = told(14), Books(), a_venue(repeat=Repeat.BLIND)
    venue.faults.append(Fault.DROP_BEFORE)
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    async with running(engine) as desk:
        await when(lambda: engine.finished)
        (order,) = (await desk.compare()).doubtful
        reply = await desk.confirm(order.client_order_id, placed=False, **WHO)

    assert reply.done
    assert books.orders[order.client_order_id].state is OrderState.NOT_PLACED


async def test_a_venue_that_is_away_is_said_instead_of_a_difference() -> None:
    frames, books, venue = told(14), Books(), a_venue()
    engine = an_engine_outside(rules(), frames, books, venue, start=start_of(frames))

    async with running(engine) as desk:
        await when(lambda: is_quiet(engine))
        venue.away = 1_000
        shown = await desk.compare()

    assert "can't be asked" in shown.unsure
    assert not shown.differences
