"""Who may trade: one process at a time. The others stand by, show what is kept, and take over when it is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.kernel.journal import Journal, JournalUnavailable, StepRefused
from evil2root.engine.desk import Phase
from evil2root.engine.live import Engine

log = structlog.get_logger()

SHOW_EVERY_S = 1.0
"""How often a process that stands by reads the books again, for its pages."""

REST_TIMES = 9
"""How many times longer than it took to read them it rests at least: large books are read less often."""

BOOKS = frozenset({"equity", "risk", "positions", "orders", "decisions", "trades"})
"""What of a page may have changed when somebody else has traded."""


class LeadsNotNow(JournalUnavailable, BrokerUnavailable):
    """The process does not lead at the moment: nothing was written or sent. It may lead again."""


class Superseded(StepRefused):
    """Somebody else leads, or has led since: what this process remembers is old, and it has to end."""


class Leader(Protocol):
    """What whoever writes or sends has to ask."""

    @property
    def leads(self) -> bool:
        """May this process write and send, now? Asked just before it does; no look at the network is needed."""
        ...

    @property
    def epoch(self) -> int:
        """Number of the reign, 0 before the first: it grows by one whenever leadership was taken or lost for a while."""
        ...


class Leadership(Leader, Protocol):
    """The right to trade for the account."""

    @property
    def leader(self) -> str:
        """Who leads, as far as is known, in words for a person."""
        ...

    async def acquire(self) -> int:
        """Wait, however long, until this process leads; give the epoch. `lost` has to be awaited from then on."""
        ...

    async def lost(self) -> str:
        """Hold on to it, through losses that nobody used; end when it is gone for good, and say why."""
        ...

    async def release(self) -> None:
        """Let the next one lead at once."""
        ...


@dataclass(frozen=True, slots=True)
class Unopposed:
    """A leader by assumption: for commands and tests that hold the database alone."""

    epoch: int = 1
    leads: bool = True


UNOPPOSED = Unopposed()


class Leading:
    """Brings an engine to work when its process leads, and says when it may work no more.

    Parameters
    ----------
    open_account
        Loads what another leader may have changed, before the engine recovers. Tried again while the database is away.
    look
        Reads what the leader decides by, for the pages of a process that stands by. Raises `ConnectionError`.
    """

    def __init__(
        self, *, engine: Engine, journal: Journal, leadership: Leadership, open_account: Callable[[], Awaitable[None]],
        look: Callable[[], Awaitable[None]] | None = None,
    ) -> None:  # fmt: skip
        self._look = look
        self._engine = engine
        self._journal = journal
        self._leadership = leadership
        self._open_account = open_account

    async def stand_by(self) -> None:
        """Show the books as they are kept until this process leads."""
        async with asyncio.TaskGroup() as tasks:
            showing = tasks.create_task(self._show(), name="standby")
            epoch = await self._leadership.acquire()
            showing.cancel()
        log.info("leadership.acquired", epoch=epoch)

    async def trade(self) -> None:
        """Recover and trade; raise `Superseded` when leadership is lost for good."""
        self._engine.phase, self._engine.says = Phase.RECOVERING, "Loading what is kept."
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._end_when_lost(), name="leadership")
            await self._engine.performer.until_there(self._open_account)
            await self._engine.run()

    async def _end_when_lost(self) -> None:
        why = await self._leadership.lost()
        raise Superseded(why)

    async def _show(self) -> None:
        """Say who leads, and read the books now and then."""
        await asyncio.sleep(SHOW_EVERY_S)  # whoever finds nobody leading is no standby
        engine, loop = self._engine, asyncio.get_running_loop()
        while True:
            began = loop.time()
            engine.phase, engine.says = Phase.STANDBY, f"{self._leadership.leader} This process stands by."
            try:
                kept = await self._journal.load()
                if self._look is not None:
                    await self._look()
            except (JournalUnavailable, ConnectionError) as problem:
                engine.phase, engine.says = Phase.DATABASE, str(problem)
            else:
                if kept is not None and kept.carry != engine.performer.state.carry:
                    engine.performer.state = kept
                    if kept.carry.closed_at is not None:
                        await engine.changes.add(BOOKS, kept.carry.closed_at)
            await asyncio.sleep(max(SHOW_EVERY_S, REST_TIMES * (loop.time() - began)))
