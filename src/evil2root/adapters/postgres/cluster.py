"""The files of an embedded cluster: where they lie, how they are made, and what is refused.

    DATA_DIR/
      evil2root.lock      who owns the directory
      postgres.json       where the running server listens; absent while none runs
      postgres.log        the server's own words, rotated by size at each start
      postgres/
        cluster/          PGDATA
        password          of the role `evil2root`, mode 0600
        socket/           the private socket

`postgres/` appears whole or not at all: it is made under another name and renamed.
"""

import errno
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from evil2root.adapters.postgres.binaries import MAJOR_VERSION, Binaries, Launcher
from evil2root.adapters.postgres.errors import DatabaseUnavailable, DataDirectoryUnusable

ROLE = "evil2root"
DATABASE = "evil2root"

INITDB_TIMEOUT_S = 120.0
"""initdb takes 0.9 s on a quiet machine; a loaded one with a slow disk may take a hundred times that."""

LOG_SIZE_MAX = 5_000_000
"""Bytes of postgres.log beyond which a start moves it to postgres.log.1."""

SOCKET_PATH_MAX = 107
"""Bytes in a socket's address on Linux."""

_SOCKET_FILE_LENGTH = len("/.s.PGSQL.65535")
_SAFE_PATH = re.compile(r"[A-Za-z0-9._/~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where everything lies in one data directory."""

    data_dir: Path

    @classmethod
    def of(cls, data_dir: Path) -> Self:
        """Lay out a directory as the user spelt it, `~` included."""
        return cls(data_dir=data_dir.expanduser().absolute())

    @property
    def home(self) -> Path:
        """The folder that holds the cluster, its password and its socket."""
        return self.data_dir / "postgres"

    @property
    def cluster(self) -> Path:
        """PGDATA."""
        return self.home / "cluster"

    @property
    def password_file(self) -> Path:
        """The password of the role, in clear, readable by its owner only."""
        return self.home / "password"

    @property
    def state_file(self) -> Path:
        """Where the running server listens."""
        return self.data_dir / "postgres.json"

    @property
    def log_file(self) -> Path:
        """The server's log."""
        return self.data_dir / "postgres.log"

    @property
    def pid_file(self) -> Path:
        """Written and removed by the server itself."""
        return self.cluster / "postmaster.pid"

    def owner(self) -> tuple[int, int] | None:
        """(uid, gid) of the cluster, or None before there is one."""
        try:
            found = self.cluster.stat()
        except FileNotFoundError:
            return None
        return found.st_uid, found.st_gid

    def password(self) -> str:
        """Read the password, or say why there is none."""
        try:
            return self.password_file.read_text().strip()
        except OSError as error:
            msg = (
                f"The database password {self.password_file} cannot be read ({error.strerror}): "
                "restore it from a copy of the data directory."
            )
            raise DataDirectoryUnusable(msg) from error


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the file system says into a sentence for the operator."""
    try:
        yield
    except DatabaseUnavailable:
        raise
    except OSError as error:
        raise DataDirectoryUnusable(explain(error, path)) from error


def explain(error: OSError, path: Path) -> str:
    """Say what an error of the file system means for the data directory."""
    where = error.filename or path
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return f"The disk that holds {path} is full: free some space or move EVIL2ROOT_DATA_DIR to a larger one."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"The data directory {path} cannot be written ({where}: {error.strerror}): make it writable for this user or choose another EVIL2ROOT_DATA_DIR."
    return f"The data directory {path} cannot be used ({where}: {error.strerror})."


def make_data_dir(layout: Layout, launcher: Launcher) -> None:
    """Make the data directory, private unless the server runs as another user who must walk through it."""
    layout.data_dir.mkdir(parents=True, exist_ok=True, mode=0o711 if launcher.drops_privileges else 0o700)


def make_cluster(layout: Layout, *, launcher: Launcher, binaries: Binaries, durable: bool) -> None:
    """Make the cluster when there is none, and refuse one that this release cannot run.

    Parameters
    ----------
    layout
        Where; the caller holds the directory's lock.
    durable
        Whether the new files are flushed to the disk. Only throw-away clusters of tests say no.
    """
    for leftover in layout.data_dir.glob("postgres.initdb.*"):
        shutil.rmtree(leftover, ignore_errors=True)  # a half-made cluster whose start was killed
    if not layout.home.exists():
        launcher.check_reach(layout.data_dir)
        staging = Path(tempfile.mkdtemp(prefix="postgres.initdb.", dir=layout.data_dir))
        try:
            _initialise(staging, launcher=launcher, binaries=binaries, durable=durable)
            staging.rename(layout.home)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        if durable:
            _flush(layout.data_dir)
    _check_version(layout)


def _initialise(staging: Path, *, launcher: Launcher, binaries: Binaries, durable: bool) -> None:
    password_file = staging / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(secrets.token_urlsafe(24) + "\n")
    launcher.give(staging)
    launcher.give(password_file)
    options = [
        f"--pgdata={staging / 'cluster'}",
        f"--pwfile={password_file}",
        f"--username={ROLE}",
        "--auth=scram-sha-256",
        "--data-checksums",
        "--encoding=UTF8",
        # Not the machine's collation: an upgrade of its C library would silently reorder every index on text.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    ]
    command = launcher.command(
        binaries.path("initdb"), *options, *([] if durable else ["--no-sync"]), death_signal="KILL"
    )
    try:
        made = subprocess.run(  # noqa: S603, our own binary
            command, check=False, capture_output=True, text=True, errors="replace", timeout=INITDB_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        msg = f"The database was not made within {INITDB_TIMEOUT_S:.0f} s in {staging.parent}: is its disk alive?"
        raise DataDirectoryUnusable(msg) from error
    if made.returncode != 0:
        raise DataDirectoryUnusable(explain_output(made.stderr or made.stdout, staging.parent, made.returncode))


def explain_output(output: str, data_dir: Path, exit_code: int) -> str:
    """Say what the last words of a PostgreSQL program mean for the operator."""
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return f"The disk that holds {data_dir} is full: free some space or move EVIL2ROOT_DATA_DIR to a larger one."
    telling = [line for line in output.splitlines() if "error:" in line or "FATAL:" in line or "PANIC:" in line]
    last = (telling or output.strip().splitlines() or [f"it ended with code {exit_code} and said nothing"])[-1].strip()
    if "ermission denied" in output:
        return f"PostgreSQL may not use {data_dir} ({last}): make it writable for this user or choose another EVIL2ROOT_DATA_DIR."
    return f"PostgreSQL did not start in {data_dir}: {last} (more in {data_dir / 'postgres.log'})."


def _check_version(layout: Layout) -> None:
    version_file = layout.cluster / "PG_VERSION"
    try:
        version = version_file.read_text().strip()
    except FileNotFoundError as error:
        msg = (
            f"There is a folder {layout.home} without a database in it: move it away, "
            "and the next start makes a new database."
        )
        raise DataDirectoryUnusable(msg) from error
    if version != str(MAJOR_VERSION):
        msg = (
            f"The database in {layout.home} was made by PostgreSQL {version}, and this release runs {MAJOR_VERSION}: "
            "make a backup with the release that made it and restore it here."
        )
        raise DataDirectoryUnusable(msg)


def take_ownership(layout: Layout, launcher: Launcher) -> None:
    """Hand the whole cluster to the user the server runs as, when that user has changed."""
    if not launcher.drops_privileges or layout.owner() == launcher.owner:
        return
    for folder, _, files in os.walk(layout.home):
        os.chown(folder, *launcher.owner)
        for name in files:
            os.chown(Path(folder) / name, *launcher.owner, follow_symlinks=False)


def make_socket_dir(layout: Layout, launcher: Launcher) -> Path:
    """Give an empty private folder whose socket's address is short and plain enough for every client.

    The caller has made sure that no server runs on this cluster.
    """
    folder = layout.home / "socket"
    address = str(folder)
    if _SAFE_PATH.fullmatch(address) and len(address) + _SOCKET_FILE_LENGTH <= SOCKET_PATH_MAX:
        folder.mkdir(exist_ok=True, mode=0o700)
        for stale in folder.iterdir():
            stale.unlink()  # of a killed server, whose number may be anybody's by now
    else:
        folder = Path(tempfile.mkdtemp(prefix="evil2root-"))
    launcher.give(folder)
    return folder


def drop_socket_dir(layout: Layout, folder: Path) -> None:
    """Remove a socket folder that was made outside the data directory."""
    if folder.parent != layout.home:
        shutil.rmtree(folder, ignore_errors=True)


def open_log(layout: Layout) -> int:
    """Open the server's log for appending; a large one is moved aside first, one old copy is kept."""
    if layout.log_file.exists() and layout.log_file.stat().st_size > LOG_SIZE_MAX:
        layout.log_file.replace(layout.log_file.with_suffix(".log.1"))
    return os.open(layout.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def write_state(layout: Layout, state: dict[str, str | int]) -> None:
    """Write postgres.json whole or not at all; it holds no secret, but is nobody else's business."""
    draft = layout.state_file.with_suffix(".json.new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(state, indent=1) + "\n")
    draft.replace(layout.state_file)


def read_state(layout: Layout) -> dict[str, str | int]:
    """Read postgres.json; empty when it is missing or was cut short."""
    try:
        state = json.loads(layout.state_file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
