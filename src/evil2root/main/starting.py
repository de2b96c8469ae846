"""How a start begins, before the heavy libraries load: settings, address, and the database on its way meanwhile.

An embedded PostgreSQL takes as long to be there as the web stack takes to be imported, and it is another process: both
happen at once. Nothing that is slow to import may be needed here.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from evil2root.adapters.postgres.server import EmbeddedServer
from evil2root.main.failure import USAGE, Failure
from evil2root.settings import Settings, SettingsProblem, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A start whose address is its own, and whose database is starting."""

    settings: Settings
    host: str
    listening: socket.socket
    server: EmbeddedServer | None
    """The embedded database; none when another one is used."""

    @property
    def port(self) -> int:
        """The port it listens on, also when any was asked for."""
        return int(self.listening.getsockname()[1])


@contextmanager
def begun(
    overrides: Mapping[str, str], *, host: str | None = None, port: int | None = None, say: Callable[[str], None]
) -> Iterator[Begun]:
    """Read the settings with what the command line says on top, take the address, and begin to start the database.

    Raises `Failure` when the settings or the address are no good. At the end of the block the database is stopped.
    """
    settings = _settings(overrides, say)
    where = settings.http.host if host is None else host
    # First of all: whoever finds the address taken has not started a database, nor traded.
    listening = _listen(where, settings.http.port if port is None else port)
    settings.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    server = _database(settings, say)
    try:
        yield Begun(settings=settings, host=where, listening=listening, server=server)
    finally:
        listening.close()
        if server is not None:
            server.stop()


def _settings(overrides: Mapping[str, str], say: Callable[[str], None]) -> Settings:
    try:
        settings = load(overrides=overrides)
    except SettingsProblem as problem:
        raise Failure(str(problem), code=USAGE) from problem
    unbuilt = settings.unbuilt()
    if unbuilt:  # what nobody set is no mistake before it is to be used
        raise Failure(unbuilt, code=USAGE)
    lacks = _lacks(settings)
    if lacks:
        raise Failure(lacks, code=USAGE)
    for line in settings.reserved():
        say(line)
    return settings


def _lacks(settings: Settings) -> str:
    """Say what bars can't be had without, before a database is started for nothing."""
    if settings.market_data == ("replay",):
        return ""
    from evil2root.main.sources import lacking, uninstalled, unwatched  # noqa: PLC0415 - who replays asks nobody

    return "\n".join((lacking(settings) | uninstalled(settings)).values()) or unwatched(settings)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as problem:
        listening.close()
        text = f"Can't listen on {host}:{port} ({problem.strerror}): choose another with --port, or stop what uses it."
        raise Failure(text) from problem
    return listening


def _database(settings: Settings, say: Callable[[str], None]) -> EmbeddedServer | None:
    if settings.database_url is not None:
        return None
    say(f"Starting the embedded PostgreSQL in {settings.data_folder}")
    server = EmbeddedServer(settings.data_folder)
    server.start()
    return server
