"""Start-up with a venue out there: pull what it knows, adopt what our books lost, and trade only when both agree."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from evil2root.domain.book.orders import Leg, Order, OrderKind, OrderState
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.ids import client_order_id
from evil2root.domain.core.money import Money, Quantity
from evil2root.domain.execution.remote import RemoteBroker, VenueOrder
from evil2root.domain.kernel.events import Deposited, OrderAdopted, Restarted
from evil2root.domain.kernel.journal import Journal
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.sources import BarStore
from evil2root.engine.differences import Divergence
from evil2root.engine.observe import bars_of
from evil2root.engine.perform import Performer, Records
from evil2root.engine.recover import compare
from evil2root.engine.watching import OVER, Watch

log = structlog.get_logger()

COMPARE_TIMES, COMPARE_WAIT_S = 6, 0.3
"""A fill that happens between two questions makes the books differ for a moment: they are compared again."""

BACK = timedelta(days=7)
"""How far before the last close bars are tried: a verdict or a cancel may have come after the bar it is about."""

REASONS = {Leg.ENTRY: "entry", Leg.EXIT: "signal", Leg.MANUAL: "manual", Leg.STOP: "stop", Leg.TARGET: "target"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A venue out there and what it takes to come back to it."""

    broker: RemoteBroker
    watch: Watch
    records: Records
    bars: BarStore
    wall: Clock


async def begin(performer: Performer, *, journal: Journal, broker: RemoteBroker, opening: Deposited) -> None:
    """Load the books; on the first start they begin with the cash the venue has.

    Raises `BrokerUnavailable` when the venue has to be asked and gives no answer.
    """
    kept = await journal.load()
    if kept is not None:
        performer.state = kept
        return
    cash = Money((await broker.books()).cash)
    await performer.turn(Deposited(amount=cash, at=opening.at, ref=opening.ref))


async def rejoin(performer: Performer, venue: Venue, *, at: datetime) -> tuple[Divergence, ...]:
    """Bring the books to where the venue is; what still differs afterwards is returned, and trading waits.

    May be tried again after `BrokerUnavailable`: what was learned is kept, and telling it twice changes nothing.
    """
    await performer.turn(Restarted(at=at))
    seen = await venue.broker.orders(venue.watch.since())
    for adopted in await _lost(performer, venue, seen):
        log.warning("order.adopted", order=adopted.order.client_order_id, symbol=adopted.order.symbol)
        await performer.turn(adopted)
    await venue.watch.executions()
    await venue.watch.orders(seen)
    await venue.watch.look()
    return await agreed(performer, venue)


async def agreed(performer: Performer, venue: Venue) -> tuple[Divergence, ...]:
    """Compare our books with the venue's until they agree, a few times; return what differs in the end."""
    found: tuple[Divergence, ...] = ()
    for _ in range(COMPARE_TIMES):
        found = compare(performer.state, await venue.broker.books(), cent=venue.broker.traits.cent)
        if not found:
            break
        await asyncio.sleep(COMPARE_WAIT_S)
        await venue.watch.executions()
    return found


async def _lost(performer: Performer, venue: Venue, seen: Sequence[VenueOrder]) -> list[OrderAdopted]:
    """Find the orders of ours that the books do not know, by making their ids again from the bars."""
    named = {r.client_order_id: r for r in seen if r.client_order_id not in performer.state.orders}
    known = await venue.records.orders(list(named)) if named else {}
    wanted = {name: record for name, record in named.items() if name and name not in known}
    if not wanted:
        return []
    places = {p.name: p for p in await _places(performer, venue) if p.name in wanted}
    wanted_guards = {name: record for name, record in wanted.items() if name not in places}
    if places and wanted_guards:
        places |= {p.name: p for p in await _guards(performer, venue, places) if p.name in wanted_guards}
    now = venue.wall.now()
    return [
        OrderAdopted(order=_order(performer.policy, places[r.client_order_id], r), bar=places[r.client_order_id].bar,
                     number=places[r.client_order_id].number, answer=_answer(r), at=now)
        for r in sorted(wanted.values(), key=lambda r: (r.created_at, r.broker_order_id))
        if r.client_order_id in places and r.quantity is not None
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What an id stands for."""

    name: str
    bar: Bar
    number: int
    leg: Leg
    bar_at: datetime


async def _places(performer: Performer, venue: Venue) -> list[_Place]:
    """Name every order that could have been decided since the last close. O(symbols x bars since)."""
    policy, closed_at = performer.policy, performer.state.carry.closed_at
    found: list[_Place] = []
    for symbol in policy.instruments:
        frame = await venue.bars.series(symbol, policy.interval, until=None)
        first = 0 if closed_at is None else int((frame["closed_at"] < closed_at - BACK).sum())
        bars = bars_of(frame.slice(first), symbol=symbol, interval=policy.interval)
        for number, bar in enumerate(bars, start=first + 1):
            found += _of_bar(policy, bar, number)
    return found


def _of_bar(policy: Policy, bar: Bar, number: int) -> Iterator[_Place]:
    for leg, text, at in (
        (Leg.ENTRY, "entry", bar.opened_at),
        (Leg.EXIT, "exit", bar.opened_at),
        (Leg.MANUAL, "manual", bar.closed_at),
        (Leg.STOP, "stop:again", bar.opened_at),
    ):
        place = _place(policy, bar, number, leg, text, at)
        yield place
        if leg in (Leg.EXIT, Leg.MANUAL):  # the stop that came back when this exit died
            yield _place(policy, bar, number, Leg.STOP, f"stop:{place.name}", at)


def _place(policy: Policy, bar: Bar, number: int, leg: Leg, text: str, at: datetime) -> _Place:  # noqa: PLR0913 - an id
    name = client_order_id(
        account=policy.account, strategy=policy.strategy.name, symbol=bar.symbol, bar=at, leg=text, attempt=1
    )
    return _Place(name=name, bar=bar, number=number, leg=leg, bar_at=at)


async def _guards(performer: Performer, venue: Venue, places: Mapping[str, _Place]) -> list[_Place]:
    """Name the guards of adopted entries: their ids hold the execution that they guard."""
    found: list[_Place] = []
    cursor, since = performer.state.carry.cursor, venue.watch.since()
    while True:
        heard = await venue.broker.executions(cursor, since=since)
        for fill, _ in heard.fills:
            place = places.get(fill.client_order_id)
            if place is not None:
                found += (
                    _place(performer.policy, place.bar, place.number, leg, f"{leg.value}:{fill.execution_id}", place.bar_at)
                    for leg in (Leg.STOP, Leg.TARGET)
                )  # fmt: skip
        if not heard.more or heard.after == cursor:
            return found
        cursor = heard.after


def _order(policy: Policy, place: _Place, record: VenueOrder) -> Order:
    assert record.quantity is not None, "checked before"
    kind = {Leg.STOP: OrderKind.STOP, Leg.TARGET: OrderKind.TARGET}.get(place.leg, OrderKind.MARKET)
    price = None
    if kind is not OrderKind.MARKET and record.price is not None:
        price = policy.instruments[place.bar.symbol].price(record.price)
    return Order(
        client_order_id=place.name, decision_id="", account=policy.account, strategy=policy.strategy.name,
        symbol=place.bar.symbol, side=record.side, kind=kind if price is not None else OrderKind.MARKET, leg=place.leg,
        quantity=Quantity(record.quantity), price=price, reduce_only=place.leg is not Leg.ENTRY,
        reason=REASONS[place.leg], created_at=record.created_at, updated_at=record.updated_at, bar_at=place.bar_at,
        broker_order_id=record.broker_order_id,
    )  # fmt: skip


def _answer(record: VenueOrder) -> OrderState:
    """What to book an adopted order as: over only when nothing of it has been filled."""
    return record.state if record.state in OVER and record.filled == 0 else OrderState.ACCEPTED
