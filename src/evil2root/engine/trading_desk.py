"""The desk over a running engine: reads go to the read side, commands through the engine's inbox, and into the audit."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import structlog

from evil2root.domain.core.clock import Clock
from evil2root.domain.core.money import Price
from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.events import CancelAsked, CloseAsked, Event, HaltAsked, ResumeAsked, StopMoveAsked
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.state import State
from evil2root.engine.asking import Standing
from evil2root.engine.changes import ChangeLog
from evil2root.engine.desk import FeedState, Phase, Recomputed, Status
from evil2root.engine.drilled import DRILL
from evil2root.engine.errands import HaltFile
from evil2root.engine.leading import UNOPPOSED, Leader
from evil2root.engine.listening import Hearing
from evil2root.engine.live import Engine
from evil2root.engine.reads import Reads
from evil2root.engine.recomputing import PolicyBook, WindowStore, recomputed
from evil2root.engine.reconciling import EngineReconciling
from evil2root.engine.weighing import EngineWeighing

log = structlog.get_logger()

TEXT_MAX = 500
"""Characters of what a person writes into the audit log: a reason, a symbol."""

HALT_WITHIN_S = 0.4
"""How long a halt waits to be written down properly; it holds from its first instant anyway."""

ANSWER_WITHIN_S = 10.0
"""How long a person waits for the engine. What was asked stays in the inbox and is still done."""


class AuditLog(Protocol):
    """Append-only record of sensitive actions."""

    async def write(  # noqa: PLR0913 - the columns of the log
        self, *, at: datetime, actor: str, origin: str, action: str, subject: str, before: str | None, after: str | None
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What does not change while the engine runs."""

    mode: str
    broker: str
    simulated: bool
    started_at: datetime
    version: str
    feed_source: str
    feed_origin: str
    feed_speed: float | None
    feed_total: int | None
    shown: Callable[[datetime | None], int]
    """Counts the bars of the feed that closed at or before a time."""
    missing: Callable[[], Mapping[str, str]] = dict
    """Symbols without their newest bar, and why."""
    due: Callable[[], datetime | None] = lambda: None
    """The newest close that should have been told by now."""
    providers: Callable[[], tuple[Standing, ...]] = tuple
    """How those who are asked for bars are doing."""
    streams: Callable[[], tuple[Hearing, ...]] = tuple
    """What is heard of their streams."""


class TradingDesk:
    """What pages, the API and the command line talk to."""

    def __init__(  # noqa: PLR0913 - its parts
        self, *, engine: Engine, reads: Reads, windows: WindowStore, policies: PolicyBook, audit: AuditLog,
        clock: Clock, machine_clock: Clock, facts: Facts, settings: Callable[[], Mapping[str, object]],
        halt_file: HaltFile, weighing: EngineWeighing,
        leader: Leader = UNOPPOSED,
    ) -> None:  # fmt: skip
        self._engine = engine
        self._reads = reads
        self._windows = windows
        self._policies = policies
        self._audit = audit
        self._clock = clock
        self._machine_clock = machine_clock
        self._facts = facts
        self._settings = settings
        self._halt_file = halt_file
        self._leader = leader
        self._weighing = weighing

    @property
    def reads(self) -> Reads:
        """The read side."""
        return self._reads

    @property
    def reconciling(self) -> EngineReconciling:
        """Our books beside the broker's."""
        return EngineReconciling(self._engine, self._clock, self._machine_clock, self._do)

    @property
    def weighing(self) -> EngineWeighing:
        """The sources' default weights."""
        return self._weighing

    @property
    def policy(self) -> Policy:
        """The rules in force."""
        return self._engine.policy

    @property
    def state(self) -> State:
        """The account as the kernel has it."""
        return self._engine.performer.state

    def status(self) -> Status:
        """Is the bot trading, and how is it?"""
        engine, facts, state = self._engine, self._facts, self.state
        trouble = engine.performer.trouble
        if not trouble and engine.phase in (Phase.READY, Phase.DIVERGED) and not self._leader.leads:
            trouble = "The hold on the database is lost for now: nothing is sent until it is back."
        phase, says = (Phase.DATABASE, trouble) if trouble else (engine.phase, engine.says)
        carry = state.carry
        return Status(
            phase=phase, says=says, mode=facts.mode, broker=facts.broker, strategy=self.policy.strategy.name,
            simulated=facts.simulated, now=self._clock.now() if carry.closed_at is None else max(
                self._clock.now(), carry.closed_at), started_at=facts.started_at, version=facts.version, carry=carry,
            portfolio=state.portfolio, inbox=engine.waiting, step_ms=engine.step_ms,
            feed=FeedState(
                source=facts.feed_source, origin=facts.feed_origin, last_bar_at=carry.closed_at,
                finished=engine.finished, speed=facts.feed_speed, shown=facts.shown(carry.closed_at),
                total=facts.feed_total, missing=tuple(facts.missing().items()), providers=facts.providers(), due=facts.due(),
                streams=facts.streams(),
            ),
        )  # fmt: skip

    async def threshold_of(self, digest: str) -> float | None:
        """Return the threshold of the rules in force, or of earlier ones that this version can put together again."""
        if digest == self.policy.digest:
            return self.policy.threshold
        try:
            found = await self._policies.find(digest)
        except LookupError:
            return None
        return None if found is None else found.threshold

    async def recompute(self, decision_id: str) -> Recomputed | None:
        """Recompute a stored decision from what was stored."""
        stored = await self._reads.decision(decision_id)
        return None if stored is None else await recomputed(stored, windows=self._windows, policies=self._policies)

    async def halt(self, *, by: str, origin: str, reason: str, cancel: bool, flatten: bool) -> Reply:
        """Stop entries, and more if asked."""
        event = HaltAsked(by=by, reason=reason, at=self._now(), cancel=cancel, flatten=flatten)
        after = "flatten" if flatten else "cancel" if cancel else "pause"
        if self._engine.phase is Phase.STANDBY:
            return await self._do(event, by, origin, "halt", "trading", after=f"{after}: {reason}")
        # From here on no entry leaves, whatever waits in the inbox and whether or not anything can be written.
        self._engine.halted_now = f"halted by {by}: {reason}"
        try:
            async with asyncio.timeout(HALT_WITHIN_S):
                return await self._do(event, by, origin, "halt", "trading", after=f"{after}: {reason}", urgent=True)
        except (TimeoutError, ConnectionError, OSError) as problem:
            log.warning(
                "halt.unwritten", by=by, origin=origin, reason=reason, problem=str(problem) or "no answer in time"
            )
        return await asyncio.to_thread(self._halt_by_file, f"halted by {by}: {reason}")

    def _halt_by_file(self, reason: str) -> Reply:
        path = self._halt_file.path
        try:
            self._halt_file.write(reason)
        except OSError as problem:
            says = f"No entry leaves this process, but that is written nowhere ({path}: {problem.strerror}): keep it running."
            return Reply(done=True, says=says)
        says = (
            f"No entry leaves any more. The engine did not answer in time, so {path} keeps it so: resuming removes it."
        )
        return Reply(done=True, says=says)

    async def resume(self, *, by: str, origin: str, reason: str) -> Reply:
        """End a halt."""
        if not reason.strip():
            return Reply(done=False, says="Say why trading may go on: the reason is kept in the audit log.")
        own = by if origin == DRILL else ""
        await asyncio.to_thread(self._halt_file.take_back, f"halted by {own}:" if own else "")
        if self._halt_file.present():
            return Reply(done=False, says=f"The file {self._halt_file.path} still halts: remove it first.")
        if self._engine.phase is Phase.DIVERGED:
            return Reply(done=False, says=f"{self._engine.says} Settle that first: `evil2root reconcile`.")
        event = ResumeAsked(by=by, reason=reason, at=self._now(), halt_of=own)
        return await self._do(event, by, origin, "resume", "trading", after=reason)

    async def close(self, symbol: str, *, by: str, origin: str, quantity: Decimal | None) -> Reply:
        """Close a position or a part of it."""
        event = CloseAsked(symbol=symbol, by=by, at=self._now(), attempt=1, quantity=quantity)
        after = "all" if quantity is None else str(quantity)
        return await self._do(event, by, origin, "close", f"position:{symbol}", after=after)

    async def cancel(self, client_order_id: str, *, by: str, origin: str) -> Reply:
        """Cancel a working order."""
        event = CancelAsked(client_order_id=client_order_id, by=by, at=self._now())
        return await self._do(event, by, origin, "cancel", f"order:{client_order_id}", after=None)

    async def move_guards(
        self, symbol: str, *, by: str, origin: str, stop: Price | None, target: Price | None
    ) -> Reply:
        """Move a stop (only tighter) or a target."""
        event = StopMoveAsked(symbol=symbol, by=by, at=self._now(), stop=stop, target=target)
        held = self.state.portfolio.positions.get(symbol)
        before = f"stop {held.stop}, target {held.target}" if held is not None else None
        return await self._do(
            event, by, origin, "move_guards", f"position:{symbol}", after=f"stop {stop}, target {target}", before=before
        )

    def settings(self) -> Mapping[str, object]:
        """Return the effective settings, secrets masked."""
        return self._settings()

    def changes(self) -> ChangeLog:
        """Return the stream of what changed."""
        return self._engine.changes

    def _now(self) -> datetime:
        return self._clock.now()

    async def _do(  # noqa: PLR0913 - what is asked and what is written of it
        self, event: Event, by: str, origin: str, action: str, what: str, *, after: str | None,
        before: str | None = None, urgent: bool = False,
    ) -> Reply:  # fmt: skip
        """Ask the engine, then write down who asked and what came of it; also when nothing did."""
        if not all(text.isprintable() and len(text) <= TEXT_MAX for text in (by, origin, what, after or "")):
            return Reply(done=False, says=f"Use printable characters, at most {TEXT_MAX} of them.")
        if self._engine.phase is Phase.STANDBY:
            reply = Reply(done=False, says=f"{self._engine.says} Ask the one that leads.")
        elif self._engine.phase in (Phase.STARTING, Phase.RECOVERING, Phase.STOPPED):
            reply = Reply(done=False, says=f"The engine is {self._engine.phase}: {self._engine.says}")
        else:
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    reply = await self._engine.ask(event, urgent=urgent)
            except TimeoutError:
                reply = Reply(
                    done=False, says="The engine is busy; what you asked waits in its inbox and will be done."
                )
        outcome = "done" if reply.done else f"not done: {reply.says}"
        await self._audit.write(
            at=self._machine_clock.now(), actor=by, origin=origin, action=action, subject=what, before=before,
            after=f"{after or ''} [{outcome}]".strip(),
        )  # fmt: skip
        return reply
