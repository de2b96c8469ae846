"""What a command asks of a running app, and what it can do when none runs."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from evil2root.adapters.postgres.data_lock import app_runs
from evil2root.adapters.postgres.desk_queue import UNTAKEN, PostgresDeskQueue
from evil2root.adapters.postgres.embedded import attach
from evil2root.adapters.postgres.engine import make_engine
from evil2root.adapters.postgres.errors import DatabaseUnavailable
from evil2root.domain.kernel.actions import Reply
from evil2root.main.database import open_database
from evil2root.main.failure import USAGE, Failure
from evil2root.main.halt_file import HALT_FILE, Written
from evil2root.main.people import operator
from evil2root.settings import Settings, load


async def halt(file: Written, *, reason: str, cancel: bool, flatten: bool) -> str:
    """Stop entries: through the app, which keeps it in its books, or by the HALT file that was written when none hears."""
    why = "No app runs here"
    if _runs(file.settings):
        payload = {"reason": reason, "cancel": cancel, "flatten": flatten}
        try:
            reply = await _asked(file.settings, "halt", payload)
        except DatabaseUnavailable as problem:
            why = f"The app can't be asked ({problem})"
        else:
            if not reply.says.startswith(UNTAKEN):
                if not reply.done:
                    text = f"{reply.says} The file {file.path} is there and stops entries all the same."
                    raise Failure(reply.says if file.problem else text)
                file.take_back()
                return reply.says
            why = "No app took the request"
    if file.problem:
        text = f"{why}, and {file.path} can't be written ({file.problem}): entries are not stopped. Stop the app."
        raise Failure(text)
    more = " What is held stays: only a running app that answers can close it." if flatten else ""
    return f"{why}. The file {file.path} is written: an app on this directory makes no entries while it is there.{more}"


async def resume(*, reason: str) -> str:
    """End a halt: the file goes first, since it would halt again at once."""
    if not reason.strip():
        text = "Say why trading may go on, as in --reason 'prices are back': it is kept in the audit log."
        raise Failure(text, code=USAGE)
    settings = load()
    path: Path = settings.data_folder / HALT_FILE
    was_there = _remove(path)
    if _runs(settings):
        reply = await _asked(settings, "resume", {"reason": reason})
        if was_there and not reply.done:
            text = f"The file {path} is removed. {reply.says}"
            raise Failure(text)
        return _done(reply)
    if was_there:
        return f"The file {path} is removed. A halt kept in the database ends by `evil2root resume` while the app runs."
    text = "No app runs here and there is no HALT file. Start the app, then resume."
    raise Failure(text)


async def close(symbol: str, *, quantity: str | None) -> str:
    """Close a position through the app."""
    if quantity is not None:
        _require_quantity(quantity)
    settings = load()
    if not _runs(settings):
        text = f"No app runs on {settings.data_folder}: start it with `evil2root serve`, then close {symbol}."
        raise Failure(text)
    return _done(await _asked(settings, "close", {"symbol": symbol, "quantity": quantity}))


async def compare() -> dict[str, Any]:
    """Have the app compare its books with the broker's."""
    found: dict[str, Any] = json.loads(_done(await _of_the_app("compare", {})))
    return found


async def settle(what: str, *, how: str, reason: str) -> str:
    """Have a difference adopted, closed or let be."""
    return _done(await _of_the_app("settle", {"what": what, "how": how, "reason": reason}))


async def thaw(symbol: str, *, reason: str) -> str:
    """Let entries into a frozen symbol again."""
    return _done(await _of_the_app("thaw", {"symbol": symbol, "reason": reason}))


async def confirm(client_order_id: str, *, placed: bool, reason: str) -> str:
    """Say whether an order of unknown outcome is at the broker."""
    payload = {"client_order_id": client_order_id, "placed": placed, "reason": reason}
    return _done(await _of_the_app("confirm", payload))


async def _of_the_app(kind: str, payload: Mapping[str, Any]) -> Reply:
    settings = load()
    if not _runs(settings):
        text = f"No app runs on {settings.data_folder}: start it with `evil2root serve`, it alone knows the broker."
        raise Failure(text)
    return await _asked(settings, kind, payload)


def _require_quantity(text: str) -> None:
    try:
        is_amount = Decimal(text).is_finite() and Decimal(text) > 0
    except InvalidOperation:
        is_amount = False
    if not is_amount:
        says = f"--quantity {text} is no amount above 0: write it like --quantity 10, or leave it out for all."
        raise Failure(says, code=USAGE)


def _remove(path: Path) -> bool:
    was_there = path.exists()
    path.unlink(missing_ok=True)
    return was_there


def _runs(settings: Settings) -> bool:
    """Tell whether an app runs; with an external database it may run anywhere, so it is asked."""
    return settings.database_url is not None or app_runs(settings.data_folder)


async def _asked(settings: Settings, kind: str, payload: Mapping[str, Any]) -> Reply:
    if settings.database_url is not None:
        async with open_database(settings) as database:
            return await _over(PostgresDeskQueue(database), kind, payload)
    engine = make_engine((await attach(settings.data_folder)).dsn)
    try:
        return await _over(PostgresDeskQueue(engine), kind, payload)
    finally:
        await engine.dispose()


async def _over(queue: PostgresDeskQueue, kind: str, payload: Mapping[str, Any]) -> Reply:
    try:
        return await queue.wait_answer(await queue.ask(kind, payload, by=operator(), origin="cli"))
    except ConnectionError as problem:
        raise DatabaseUnavailable(str(problem)) from problem


def _done(reply: Reply) -> str:
    if not reply.done:
        raise Failure(reply.says)
    return reply.says
