"""What can be wrong with the database, before any query is asked.

    DatabaseUnavailable
    ├── BinariesMissing         the embedded server's programs are not installed
    ├── DataDirectoryInUse      another process holds the data directory
    ├── DataDirectoryUnusable   disk full, not permitted, another version, half a cluster
    ├── ServerNotRunning        nothing to attach to
    ├── ServerDidNotStart       the server was started and gave up
    ├── DatabaseNewerThanCode   a newer release has migrated this database
    └── MigrationNotPossible    another start holds the migration lock, or there are no scripts

Every message is one sentence or two for the operator: what happened, with which value, and what to do.
"""

from pathlib import Path


class DatabaseUnavailable(Exception):  # noqa: N818, says what is the case, as the ports' exceptions do
    """There is no database to work with, and the message says why."""


class BinariesMissing(DatabaseUnavailable):
    """The embedded server's programs are not installed here."""


class DataDirectoryUnusable(DatabaseUnavailable):
    """The data directory cannot hold or start a cluster."""


class ServerNotRunning(DatabaseUnavailable):
    """No embedded server answers for this data directory."""


class ServerDidNotStart(DatabaseUnavailable):
    """The embedded server was started and gave up."""


class DatabaseNewerThanCode(DatabaseUnavailable):
    """A newer release has already migrated this database."""


class MigrationNotPossible(DatabaseUnavailable):
    """The migrations cannot be run now."""


class DataDirectoryInUse(DatabaseUnavailable):
    """Another process holds the data directory.

    Parameters
    ----------
    data_dir
        The directory that was asked for.
    pid
        Who holds it, or None when the holder has not written its name yet.
    """

    def __init__(self, data_dir: Path, *, pid: int | None) -> None:
        self.data_dir = data_dir
        self.pid = pid
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"The data directory {data_dir} is in use by {holder}: stop it, or choose another EVIL2ROOT_DATA_DIR."
        )
