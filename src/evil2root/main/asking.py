"""What a command asks of a running app, and what it can do when none runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evil2root.adapters.postgres.data_lock import app_runs
from evil2root.adapters.postgres.desk_queue import PostgresDeskQueue
from evil2root.adapters.postgres.embedded import attach
from evil2root.adapters.postgres.engine import make_engine
from evil2root.domain.kernel.actions import Reply
from evil2root.main.database import open_database
from evil2root.main.failure import Failure
from evil2root.main.people import operator
from evil2root.settings import Settings, load

HALT_FILE = "HALT"


async def halt(*, reason: str, cancel: bool, flatten: bool) -> str:
    """Stop entries: through the app, or by the HALT file for its next start."""
    settings = load()
    if _runs(settings):
        payload = {"reason": reason, "cancel": cancel, "flatten": flatten}
        return _done(await _asked(settings, "halt", payload))
    path = settings.data_folder / HALT_FILE
    _write(path, reason)
    more = " What is held stays: only a running app can close it." if flatten else ""
    return f"No app runs here. The file {path} is written: the next start makes no entries.{more}"


async def resume(*, reason: str) -> str:
    """End a halt: the file goes first, since it would halt again at once."""
    settings = load()
    path: Path = settings.data_folder / HALT_FILE
    was_there = _remove(path)
    if _runs(settings):
        return _done(await _asked(settings, "resume", {"reason": reason}))
    if was_there:
        return f"The file {path} is removed. A halt kept in the database ends by `evil2root resume` while the app runs."
    text = "No app runs here and there is no HALT file. Start the app, then resume."
    raise Failure(text)


async def close(symbol: str, *, quantity: str | None) -> str:
    """Close a position through the app."""
    settings = load()
    if not _runs(settings):
        text = f"No app runs on {settings.data_folder}: start it with `evil2root serve`, then close {symbol}."
        raise Failure(text)
    return _done(await _asked(settings, "close", {"symbol": symbol, "quantity": quantity}))


def _write(path: Path, reason: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(f"{reason}\n", encoding="utf-8")


def _remove(path: Path) -> bool:
    was_there = path.exists()
    path.unlink(missing_ok=True)
    return was_there


def _runs(settings: Settings) -> bool:
    """Tell whether an app runs; with an external database it may run anywhere, so it is asked."""
    return settings.database_url is not None or app_runs(settings.data_folder)


async def _asked(settings: Settings, kind: str, payload: Mapping[str, Any]) -> Reply:
    if settings.database_url is not None:
        async with open_database(settings, for_app=False) as database:
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
        text = (
            f"The database can't be reached ({problem}): touch a file named {HALT_FILE} in the data directory to halt."
        )
        raise Failure(text) from problem


def _done(reply: Reply) -> str:
    if not reply.done:
        raise Failure(reply.says)
    return reply.says
