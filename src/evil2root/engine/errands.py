"""What reaches the desk from outside the process: requests of the command line, and a file named HALT."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol

import structlog

from evil2root.domain.kernel.actions import Reply
from evil2root.engine.desk import Desk, Phase

log = structlog.get_logger()

LOOK_EVERY_S = 0.5
"""How often the HALT file is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command asks of the running app."""

    id: str
    kind: str
    """`halt`, `resume`, `close`, `cancel`."""
    payload: dict[str, Any]
    by: str


class DeskQueue(Protocol):
    """Requests other processes leave in the database."""

    async def take_open(self) -> Sequence[Request]:
        """Return the open requests, oldest first, waiting a while for one."""
        ...

    async def answer(self, request_id: str, *, done: bool, says: str) -> None: ...


@dataclass(frozen=True, slots=True)
class HaltFile:
    """A file whose presence halts."""

    path: Path

    def present(self) -> bool:
        """Is it there?"""
        return self.path.exists()


class Errands:
    """Carries requests from outside to the desk."""

    def __init__(self, *, desk: Desk, queue: DeskQueue, halt_file: HaltFile) -> None:
        self._desk = desk
        self._queue = queue
        self._halt_file = halt_file

    async def run(self) -> None:
        """Look after both until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_file(), name="halt file")
            tasks.create_task(self._serve_queue(), name="desk queue")

    async def _watch_file(self) -> None:
        """Halt while the file is there: also again, when somebody resumes without removing it."""
        while True:
            trading = self._desk.status().phase in (Phase.READY, Phase.DIVERGED)
            if trading and self._halt_file.present() and self._desk.state.carry.breaker.state != "HALTED":
                reason = f"the file {self._halt_file.path.name} is in the data directory"
                await self._desk.halt(by="file", origin="file", reason=reason, cancel=False, flatten=False)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _serve_queue(self) -> None:
        while True:
            try:
                for request in await self._queue.take_open():
                    reply = await self._carry_out(request)
                    await self._queue.answer(request.id, done=reply.done, says=reply.says)
            except (OSError, TimeoutError) as problem:
                # What was taken was carried out; whoever asked hears nothing and is told to look.
                log.warning("desk_queue.unavailable", problem=str(problem))
                await asyncio.sleep(1)

    async def _carry_out(self, request: Request) -> Reply:
        desk, given = self._desk, request.payload
        match request.kind:
            case "halt":
                return await desk.halt(
                    by=request.by, origin="cli", reason=str(given.get("reason", "")),
                    cancel=bool(given.get("cancel")), flatten=bool(given.get("flatten")),
                )  # fmt: skip
            case "resume":
                if self._halt_file.present():
                    says = f"The file {self._halt_file.path} still halts: remove it first."
                    return Reply(done=False, says=says)
                return await desk.resume(by=request.by, origin="cli", reason=str(given.get("reason", "")))
            case "close":
                try:
                    quantity = None if given.get("quantity") is None else Decimal(str(given["quantity"]))
                except InvalidOperation:
                    return Reply(done=False, says=f"The quantity {given['quantity']!r} is no number.")
                return await desk.close(str(given.get("symbol")), by=request.by, origin="cli", quantity=quantity)
            case "cancel":
                return await desk.cancel(str(given.get("client_order_id")), by=request.by, origin="cli")
            case _:
                return Reply(done=False, says=f"This version does not know the request {request.kind!r}.")
