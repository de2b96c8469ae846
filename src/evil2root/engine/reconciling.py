"""Compares our books with the broker's for a person, and carries out what they decide."""

from collections.abc import Awaitable
from typing import Protocol

from evil2root.domain.book.ledger import CASH
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.clock import Clock
from evil2root.domain.execution.broker import BrokerUnavailable
from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.events import DifferenceSettled, Event, OutcomeConfirmed, Settle, ThawAsked
from evil2root.engine.differences import Comparison
from evil2root.engine.live import Engine

MOVING = "Something is under way at the broker just now, so the books can't be compared: ask again in a moment."


class Asked(Protocol):
    """Takes an event to the engine and writes down who asked for it and what came of it."""

    def __call__(  # noqa: PLR0913 - what is asked and what is written of it
        self, event: Event, by: str, origin: str, action: str, what: str, *, after: str | None
    ) -> Awaitable[Reply]: ...


class EngineReconciling:
    """Over a running engine."""

    def __init__(self, engine: Engine, clock: Clock, machine_clock: Clock, do: Asked) -> None:
        self._engine = engine
        self._clock = clock
        self._machine_clock = machine_clock
        self._do = do

    async def compare(self) -> Comparison:
        """Compare now."""
        unsure, found = "", None
        try:
            found = await self._engine.compare()
            unsure = MOVING if found is None else ""
        except BrokerUnavailable as problem:
            unsure = f"The broker can't be asked: {problem}"
        state = self._engine.performer.state
        return Comparison(
            differences=found or (), unsure=unsure, ignored=state.carry.ignored,
            external=tuple(state.carry.external.values()), frozen=state.carry.frozen,
            doubtful=tuple(o for o in state.orders.values() if o.state is OrderState.UNKNOWN),
        )  # fmt: skip

    async def settle(self, what: str, how: Settle, *, by: str, origin: str, reason: str) -> Reply:
        """Do about one difference what a person decided, and compare again."""
        if not reason.strip():
            return _say_why()
        before = await self.compare()
        one = next((d for d in before.differences if d.what == what), None)
        if one is None:
            names = ", ".join(d.what for d in before.differences) or "nothing"
            return Reply(done=False, says=before.unsure or f"{what[:40]} does not differ: {names} does.")
        bar, number = (None, 0) if what == CASH else self._engine.last_bar(what)
        at = self._machine_clock.now()
        event = DifferenceSettled(
            what=what, how=how, theirs=one.theirs, bar=bar, number=number, by=by, reason=reason, at=self._clock.now(),
            ref=f"adjust:{what}:{at.isoformat()}",
        )  # fmt: skip
        reply = await self._do(event, by, origin, f"reconcile.{how.value}", what, after=f"{one.theirs}: {reason}")
        if not reply.done:
            return reply
        after = await self.compare()
        left = after.unsure or (
            "; ".join(d.what for d in after.differences) + " still differs." if after.differences else ""
        )
        more = left or "The books agree. A halt stays until you resume."
        return Reply(done=True, says=f"{reply.says} {more}")

    async def thaw(self, symbol: str, *, by: str, origin: str, reason: str) -> Reply:
        """Let entries into a frozen symbol again."""
        if not reason.strip():
            return _say_why()
        event = ThawAsked(symbol=symbol, by=by, reason=reason, at=self._clock.now())
        return await self._do(event, by, origin, "thaw", f"symbol:{symbol}", after=reason)

    async def confirm(self, client_order_id: str, *, placed: bool, by: str, origin: str, reason: str) -> Reply:
        """Say whether an order of unknown outcome is at the broker."""
        if not reason.strip():
            return _say_why()
        event = OutcomeConfirmed(
            client_order_id=client_order_id, placed=placed, by=by, reason=reason, at=self._clock.now()
        )
        after = f"{'placed' if placed else 'not placed'}: {reason}"
        return await self._do(event, by, origin, "confirm", f"order:{client_order_id}", after=after)


def _say_why() -> Reply:
    return Reply(done=False, says="Say why: the reason is kept in the audit log.")
