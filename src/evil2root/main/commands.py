"""Compositions of the commands that run or set up the app."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import migrate
from evil2root.adapters.postgres.embedded import attach_or_start
from evil2root.main.database import open_database
from evil2root.main.failure import USAGE, Failure
from evil2root.main.failures import translated
from evil2root.settings import Settings, describe, load


async def serve_with(
    overrides: Mapping[str, str], *, host: str | None, port: int | None, say: Callable[[str], None]
) -> int:
    """Run the app with what the command line says on top of the settings; the exit code."""
    from evil2root.main.serving import serve  # noqa: PLC0415 - the web stack

    settings = load(overrides=overrides)
    if settings.market_data != ("replay",):
        text = (
            "This build can only replay recorded history, and EVIL2ROOT_MARKET_DATA is "
            f"{','.join(settings.market_data)}: set EVIL2ROOT_MARKET_DATA=replay, or run `evil2root demo`."
        )
        raise Failure(text, code=USAGE)
    for line in settings.reserved():
        say(line)
    return await serve(
        settings, host=settings.http.host if host is None else host, port=settings.http.port if port is None else port,
        say=say,
    )  # fmt: skip


def effective_settings() -> list[tuple[str, str, str]]:
    """Return (key, value, origin) of every setting; raises `Failure` for what is wrong with them."""
    with translated():
        return describe(load())


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Settings, AsyncEngine]]:
    """Read the settings and open the database for a short command."""
    settings = load()
    async with open_database(settings, for_app=False) as database:
        yield settings, database


async def database_revision(*, upgrade: bool) -> str:
    """Return the database's revision, migrated first if asked."""
    settings = load()
    if settings.database_url is not None:
        return await _revision(settings.database_url.get_secret_value(), upgrade=upgrade)
    async with attach_or_start(settings.data_folder) as running:
        return await _revision(running.dsn, upgrade=upgrade)


async def _revision(dsn: str, *, upgrade: bool) -> str:
    found = await (migrate.upgrade(dsn) if upgrade else migrate.current(dsn))
    return found or "none: run `evil2root db upgrade`"
