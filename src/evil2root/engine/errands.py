"""What reaches the desk from outside the process: requests of the command line, and a file named HALT."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Protocol

import structlog

from evil2root.domain.kernel.actions import Reply
from evil2root.domain.kernel.events import Settle
from evil2root.engine.desk import Desk, Phase
from evil2root.engine.differences import Comparison

log = structlog.get_logger()

OURS = "Written by the running app: "

LOOK_EVERY_S = 0.5
"""How often the HALT file is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command asks of the running app."""

    id: str
    kind: str
    """`halt`, `resume`, `close`, `cancel`, `compare`, `settle`, `thaw`, `confirm`."""
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

    def write(self, reason: str) -> None:
        """Put it there: it halts this process and the next one, whatever the database does. Raises `OSError`.

        One that is there already stays as it is: it halts as well, and whoever put it there removes it.
        """
        with suppress(FileExistsError), self.path.open("x", encoding="utf-8") as file:
            file.write(f"{OURS}{reason}\n")

    def take_back(self, reason: str = "") -> None:
        """Remove it when `write` made it for a reason that begins so; a person's file is theirs. Raises `OSError`."""
        if self.present() and self.path.read_text(encoding="utf-8", errors="replace").startswith(f"{OURS}{reason}"):
            self.path.unlink(missing_ok=True)


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
                    reply = await self._tried(request)
                    await self._queue.answer(request.id, done=reply.done, says=reply.says)
            except (OSError, TimeoutError) as problem:
                # What was taken was carried out; whoever asked hears nothing and is told to look.
                log.warning("desk_queue.unavailable", problem=str(problem))
                await asyncio.sleep(1)

    async def _tried(self, request: Request) -> Reply:
        """Carry a request out; one that nobody can read is refused, it must not end the trading beside it."""
        try:
            return await self._carry_out(request)
        except ValueError as problem:
            return Reply(done=False, says=f"The request {request.kind!r} can't be read: {problem}")

    async def _carry_out(self, request: Request) -> Reply:
        desk, given = self._desk, request.payload
        match request.kind:
            case "halt":
                return await desk.halt(
                    by=request.by, origin="cli", reason=str(given.get("reason", "")),
                    cancel=bool(given.get("cancel")), flatten=bool(given.get("flatten")),
                )  # fmt: skip
            case "resume":
                return await desk.resume(by=request.by, origin="cli", reason=str(given.get("reason", "")))
            case "close":
                try:
                    quantity = None if given.get("quantity") is None else Decimal(str(given["quantity"]))
                except InvalidOperation:
                    return Reply(done=False, says=f"The quantity {given['quantity']!r} is no number.")
                return await desk.close(str(given.get("symbol")), by=request.by, origin="cli", quantity=quantity)
            case "compare":
                return Reply(done=True, says=json.dumps(described(await desk.reconciling.compare())))
            case "settle":
                return await desk.reconciling.settle(
                    str(given.get("what")), Settle(str(given.get("how"))), by=request.by, origin="cli",
                    reason=str(given.get("reason", "")),
                )  # fmt: skip
            case "thaw":
                return await desk.reconciling.thaw(
                    str(given.get("symbol")), by=request.by, origin="cli", reason=str(given.get("reason", ""))
                )
            case "confirm":
                return await desk.reconciling.confirm(
                    str(given.get("client_order_id")), placed=bool(given.get("placed")), by=request.by, origin="cli",
                    reason=str(given.get("reason", "")),
                )  # fmt: skip
            case "cancel":
                return await desk.cancel(str(given.get("client_order_id")), by=request.by, origin="cli")
            case _:
                return Reply(done=False, says=f"This version does not know the request {request.kind!r}.")


def described(found: Comparison) -> dict[str, Any]:
    """Lay a comparison out as plain JSON, as the API does."""
    return {
        "agrees": None if found.unsure else not found.differences,
        "unsure": found.unsure,
        "differences": [{"what": d.what, "ours": str(d.ours), "theirs": str(d.theirs)} for d in found.differences],
        "ignored": {what: str(extra) for what, extra in found.ignored.items()},
        "external": [
            {"broker_order_id": e.broker_order_id, "client_order_id": e.client_order_id, "symbol": e.symbol,
             "side": e.side.value, "kind": e.kind, "left": None if e.left is None else str(e.left),
             "price": None if e.price is None else str(e.price), "created_at": e.created_at.isoformat()}
            for e in found.external
        ],
        "frozen": [{"symbol": symbol, "reason": why} for symbol, why in found.frozen.items()],
        "doubtful": [
            {"client_order_id": o.client_order_id, "symbol": o.symbol, "side": o.side.value,
             "quantity": str(o.quantity), "sent_at": None if o.sent_at is None else o.sent_at.isoformat(),
             "why": o.why_state}
            for o in found.doubtful
        ],
    }  # fmt: skip
