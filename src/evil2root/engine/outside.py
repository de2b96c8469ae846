"""A venue out there, as the engine has it: couriers to it, a watch over it, and the comparison of its books with ours."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.core.clock import Clock
from evil2root.domain.execution.broker import Answer, BrokerUnavailable
from evil2root.domain.execution.remote import RemoteBroker
from evil2root.domain.kernel.events import Deposited, Event
from evil2root.domain.kernel.journal import Journal
from evil2root.domain.market.sources import BarStore
from evil2root.engine.couriers import Couriers
from evil2root.engine.differences import Divergence
from evil2root.engine.perform import Performer, Records, answered
from evil2root.engine.recover import compare
from evil2root.engine.rejoin import Venue, begin, rejoin
from evil2root.engine.watching import Watch

log = structlog.get_logger()

COMPARE_EVERY_S = 30.0
RETRY_FIRST_S, RETRY_MOST_S = 0.2, 10.0
UNPROTECTED_S = 10.0
"""A position without its stop at the venue for longer than this is an alarm."""

MOVING = frozenset(
    {OrderState.PENDING, OrderState.SENDING, OrderState.UNKNOWN, OrderState.PARTIAL, OrderState.CANCEL_SENT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """What the engine needs for a venue out there."""

    broker: RemoteBroker
    records: Records
    wall: Clock
    """The machine's clock: what the venue calls now."""
    quarantine_s: float
    leads: Callable[[], bool]
    halted: Callable[[], bool]
    """Is there a HALT file? Asked before each entry, whatever the books say."""


class Outside:
    """Couriers, watch and comparison over one venue."""

    def __init__(
        self,
        remote: Remote,
        performer: Performer,
        *,
        tell: Callable[[Sequence[Event]], Awaitable[None]],
        objection: Callable[[Order], str],
        bars: BarStore,
    ) -> None:
        self._remote = remote
        self._performer = performer

        async def bring(answer: Answer) -> None:
            await tell((answered(answer),))

        self.couriers = Couriers(
            remote.broker, tell=bring, objection=objection, leads=remote.leads, wall=remote.wall
        )  # fmt: skip
        self.watch = Watch(
            remote.broker, remote.records, state=lambda: performer.state, tell=tell, couriers=self.couriers,
            wall=remote.wall, quarantine_s=remote.quarantine_s,
        )  # fmt: skip
        self._venue = Venue(broker=remote.broker, watch=self.watch, records=remote.records, bars=bars, wall=remote.wall)
        performer.send = self.couriers.take

    async def recover(
        self, *, journal: Journal, opening: Deposited, say: Callable[[str], None]
    ) -> tuple[Divergence, ...]:
        """Come back to the venue, however long it is away; return what differs when it is there."""
        wait = RETRY_FIRST_S
        begun = False
        while True:
            try:
                if not begun:
                    await begin(self._performer, journal=journal, broker=self._remote.broker, opening=opening)
                    begun = True
                at = self._performer.state.carry.closed_at or opening.at
                return await rejoin(self._performer, self._venue, at=at)
            except BrokerUnavailable as problem:
                say(f"The broker can't be reached, trying again in {wait:.1f} s. {problem}")
                log.warning("venue.unavailable", problem=str(problem), retry_in_s=wait)
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_MOST_S)

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Carry and watch from now on."""
        self.couriers.start(tasks)
        tasks.create_task(self.watch.run(), name="venue")
        tasks.create_task(self._alarm(), name="unprotected")

    async def compare(self) -> tuple[Divergence, ...] | None:
        """Compare our books with the venue's; none when something moved meanwhile, so that nothing can be said."""
        await self.watch.executions()
        before = self._performer.state
        books = await self._remote.broker.books()
        await self.watch.executions()
        after = self._performer.state
        moving = any(o.state in MOVING or not o.is_guard for o in [*before.orders.values(), *after.orders.values()])
        same = (before.portfolio.cash, before.portfolio.positions) == (after.portfolio.cash, after.portfolio.positions)
        if moving or not same:
            return None
        return compare(after, books, cent=self._remote.broker.traits.cent)

    async def close(self) -> None:
        """Give up connections."""
        await self._remote.broker.close()

    async def _alarm(self) -> None:
        """Say loudly when a position has no stop at the venue."""
        while True:
            await asyncio.sleep(UNPROTECTED_S)
            now = self._remote.wall.now()
            for position in self._performer.state.portfolio.positions.values():
                since = position.unprotected_since
                if since is not None and (now - since).total_seconds() > UNPROTECTED_S:
                    log.error("position.unprotected", symbol=position.symbol, stop=str(position.stop),
                              seconds=round((now - since).total_seconds()))  # fmt: skip
