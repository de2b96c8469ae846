"""Looks at everything trading needs, one line each."""

import shutil
from collections.abc import Awaitable, Callable

from evil2root.adapters.market_data.replay import load_histories
from evil2root.adapters.postgres import migrate
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.adapters.postgres.verify import first_breach
from evil2root.adapters.system_clock import SystemClock
from evil2root.main.caching import looked_at
from evil2root.main.database import open_database
from evil2root.main.failure import Failure
from evil2root.main.failures import translated
from evil2root.main.feeds import is_replay
from evil2root.main.finding import Finding
from evil2root.main.looking import providers
from evil2root.main.venues import account_of
from evil2root.settings import Settings, load

DISK_FREE_MIN = 500 * 2**20
"""Bytes. PostgreSQL stops at none, and stops badly."""


async def examine() -> list[Finding]:
    """Check settings, disk, database, books and market data; what can't be checked is said to be so."""
    with translated():
        settings = load()
    found = [Finding(part="settings", state="ok", says="every setting is good")]
    found += [Finding(part="settings", state="!", says=line) for line in settings.reserved()]
    found.append(_disk(settings))
    found += await _tried("database", lambda: _database(settings))
    found += await _tried("data", lambda: _history(settings))
    found.append(Finding(part="llm", state="!", says="not built yet: proposals are validated by rules alone"))
    answers, says = await looked_at(settings)
    found.append(Finding(part="cache", state="ok" if answers else "!", says=says))
    return found


async def _tried(part: str, look: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        with translated():
            return await look()
    except Failure as problem:
        return [Finding(part=part, state="x", says=str(problem))]


def _disk(settings: Settings) -> Finding:
    folder = settings.data_folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    says = f"{free / 2**30:.1f} GiB free for {settings.data_folder}"
    if free < DISK_FREE_MIN:
        return Finding(part="disk", state="x", says=says, remedy="free some space, or set EVIL2ROOT_DATA_DIR")
    return Finding(part="disk", state="ok", says=says)


async def _database(settings: Settings) -> list[Finding]:
    async with open_database(settings) as database:
        health = await PostgresReads(database, account=account_of(settings)).health()
        breach = await first_breach(database)
    says = f"PostgreSQL {health.version}, {health.round_trip_ms:.1f} ms, schema at {migrate.head()}"
    found = [Finding(part="database", state="ok", says=says)]
    if breach is None:
        return [*found, Finding(part="ledger", state="ok", says="every balance and invariant holds")]
    says = f"{breach.table} {breach.row}: {breach.says}"
    return [*found, Finding(part="ledger", state="x", says=says, remedy="evil2root ledger verify")]


async def _history(settings: Settings) -> list[Finding]:
    if settings.unbuilt():
        return [Finding(part="data", state="x", says=settings.unbuilt())]
    if not is_replay(settings):
        return await providers(settings)
    histories = load_histories(
        path=settings.replay.path, watchlist=settings.watchlist, interval=settings.interval, now=SystemClock().now()
    )
    bars = sum(history.stored.height for history in histories.values())
    return [Finding(part="data", state="ok", says=f"replay of {', '.join(histories)}: {bars} {settings.interval} bars")]
