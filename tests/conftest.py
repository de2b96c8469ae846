"""Rules of the whole suite: how hard hypothesis looks, who may be called, what needs a browser."""

import shutil
import sys
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

HERE = Path(__file__).parent

pytest_plugins = [
    f"tests.{plugin}" for plugin in ("postgres_fixtures", "web_fixtures") if (HERE / f"{plugin}.py").is_file()
]

# A busy machine is no bug, so no deadline; a failure prints what reproduces it.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")

# Where a program under test has not set its logs up, structlog would have rich draw tracebacks with all their values:
# seconds each.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, structlog.dev.set_exc_info,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)  # fmt: skip

LOOPBACK = ("127.", "localhost", "::1", "0.0.0.0")  # noqa: S104 - compared with, not bound to
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


class OutsideCallError(BaseException):
    """A test reached for another machine. Not an OSError: code that survives a dead network must not hide it."""


def only_loopback(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse name look-ups and connections that leave this machine, in whatever library they start.

    uvloop and child processes connect below Python and are not seen; the suite gives them local addresses only.
    """
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a string is a Unix socket
    else:
        return
    if isinstance(host, bytes):
        host = host.decode()
    if isinstance(host, str) and host and not host.startswith(LOOPBACK):
        msg = f"A test called {host}: only this machine may be called, point the client at a local server."
        raise OutsideCallError(msg)


sys.addaudithook(only_loopback)


def find_chromium() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the machine's own Chromium is; tests that ask for it carry the mark `browser`."""
    path = find_chromium()
    if path is None:
        pytest.skip("Chromium is not installed on this machine: browser tests are skipped.")
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_chromium() is not None:
        return
    skip = pytest.mark.skip(reason="Chromium is not installed on this machine: browser tests are skipped.")
    for item in items:
        if item.get_closest_marker("browser") is not None:
            item.add_marker(skip)
