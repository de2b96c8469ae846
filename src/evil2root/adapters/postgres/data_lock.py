"""Who owns a data directory: one lock for its owner, one shared by those who merely use its server."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from evil2root.adapters.postgres.errors import DataDirectoryInUse

LOCK_NAME = "evil2root.lock"
USERS_NAME = "postgres.users"

COMMAND_WAIT_S = 10.0
"""How long a start waits for a short command that holds the directory."""

APP_WAIT_S = 2.0
"""The same for an app: a killed one keeps its lock until its memory is torn down, tens of milliseconds later."""

_PAUSE_S = 0.05


class Role(StrEnum):
    """What the owner of a data directory is: it decides whether a second start waits or gives up."""

    APP = "app"
    COMMAND = "command"


class DataDirectoryLock:
    """Held by the one process that owns a data directory; the kernel frees it whenever that process ends.

    The file also names its holder, for the message that a second start prints. Children do not inherit the lock.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self.path = data_dir / LOCK_NAME
        self._descriptor: int | None = None

    def acquire(self, *, role: Role) -> None:
        """Take the lock, waiting for whoever holds it as long as its role deserves."""
        began = time.monotonic()
        while not self._try(role):
            holder, held_as = self.holder()
            patience = APP_WAIT_S if held_as is Role.APP else COMMAND_WAIT_S
            if time.monotonic() - began > patience:
                raise DataDirectoryInUse(self._data_dir, pid=holder)
            time.sleep(_PAUSE_S)

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _try(self, role: Role) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _try_lock(descriptor, fcntl.LOCK_EX):
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "role": role}).encode(), 0)
        self._descriptor = descriptor
        return True

    def holder(self) -> tuple[int | None, Role]:
        try:
            named = json.loads(self.path.read_text())
            return int(named["pid"]), Role(named["role"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            # The moment between taking the lock and writing the name, or a name cut short by a full disk.
            return None, Role.COMMAND


@contextmanager
def using(data_dir: Path) -> Iterator[bool]:
    """Say that a server somebody else owns is in use; False when there is none, or it is being stopped."""
    try:
        descriptor = os.open(data_dir / USERS_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        yield False  # no data directory yet
        return
    try:
        yield _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


@contextmanager
def unused(data_dir: Path, *, timeout_s: float) -> Iterator[bool]:
    """Wait until nobody else uses the server and keep new users out; False when `timeout_s` passed first."""
    descriptor = os.open(data_dir / USERS_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up_at = time.monotonic() + timeout_s
        while not (free := _try_lock(descriptor, fcntl.LOCK_EX)) and time.monotonic() < give_up_at:
            time.sleep(_PAUSE_S)
        yield free
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def app_runs(data_dir: Path) -> bool:
    """Tell whether an app holds this data directory now; a short command that does is none."""
    lock = DataDirectoryLock(data_dir)
    try:
        descriptor = os.open(lock.path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        free = _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)
    return not free and lock.holder()[1] is Role.APP
