"""The halt rehearsed in paper: everything is closed at set times, and how long that takes is measured and kept."""

import asyncio
from typing import Protocol

import structlog

from evil2root.domain.core.clock import Clock
from evil2root.domain.kernel.state import State
from evil2root.engine.desk import Desk, Phase
from evil2root.engine.drilled import DRILL, DrillResult

log = structlog.get_logger()

LOOK_EVERY_S = 0.05
"""How often it is looked whether all is closed: the measurement is that coarse."""

WAIT_EVERY_S = 1.0
"""How often a drill that is due looks whether it can begin: trading, not halted, something held."""

BY = DRILL


class DrillLog(Protocol):
    """Keeps what drills showed. Raises `ConnectionError` when it can't be written now."""

    async def write(self, result: DrillResult) -> None: ...


class Drills:
    """Halts and closes everything each `every_s` seconds, then lets trading go on.

    It ends its own halt only, and only when all was closed: what a person or a rule halted meanwhile stays halted, and
    so does an account that could not be closed within `patience_s`.
    """

    def __init__(self, *, desk: Desk, kept: DrillLog, clock: Clock, every_s: float, patience_s: float) -> None:
        self._desk = desk
        self._kept = kept
        self._clock = clock
        self._every_s = every_s
        self._patience_s = patience_s

    async def run(self) -> None:
        """Hold drills until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            while not self._can_begin():  # noqa: ASYNC110 - the desk tells it only so
                await asyncio.sleep(WAIT_EVERY_S)
            await self.hold()

    async def hold(self) -> DrillResult | None:
        """Hold one now, and tell what it showed; none when the desk would not halt."""
        loop = asyncio.get_running_loop()
        before, began_at, began = self._desk.state, self._clock.now(), loop.time()
        reply = await self._desk.halt(
            by=BY,
            origin=BY,
            reason="scheduled drill: how long does closing everything take?",
            cancel=True,
            flatten=True,
        )
        if not reply.done:
            log.warning("drill.put_off", problem=reply.says)
            return None
        try:
            async with asyncio.timeout(self._patience_s):
                while not is_flat(self._desk.state):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            took, says = None, f"Not all was closed within {self._patience_s:g} s; a person has to look and resume."
        else:
            took, says = loop.time() - began, await self._go_on(reply.says)
        result = DrillResult(
            began_at=began_at, positions=len(before.portfolio.positions), orders=len(before.orders), flat_after_s=took,
            says=says,
        )  # fmt: skip
        await self._keep(result)
        return result

    async def _go_on(self, closed: str) -> str:
        while (breaker := self._desk.state.carry.breaker).by == BY and not breaker.lets_in:
            try:
                resumed = await self._desk.resume(by=BY, origin=BY, reason="the drill is over: all was closed")
            except ConnectionError as problem:
                log.warning("drill.unwritten", problem=str(problem))
                await asyncio.sleep(WAIT_EVERY_S)
            else:
                return f"{closed} {resumed.says}"
        return closed if breaker.lets_in else f"{closed} Trading stays halted by {breaker.by}: {breaker.reason}."

    async def _keep(self, result: DrillResult) -> None:
        tell = log.info if result.flat_after_s is not None else log.error
        tell("drill.held", positions=result.positions, orders=result.orders, flat_after_s=result.flat_after_s,
             says=result.says)  # fmt: skip
        while True:
            try:
                await self._kept.write(result)
            except ConnectionError as problem:
                log.warning("drill.unwritten", problem=str(problem))
                await asyncio.sleep(WAIT_EVERY_S)
            else:
                return

    def _can_begin(self) -> bool:
        state = self._desk.state
        trades = self._desk.status().phase is Phase.READY and state.carry.breaker.lets_in
        return trades and not is_flat(state)


def is_flat(state: State) -> bool:
    """Is nothing held, and can no order fill any more?"""
    return not state.portfolio.positions and not state.orders
