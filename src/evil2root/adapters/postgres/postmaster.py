"""One run of the server's main process: started, waited for, stopped."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evil2root.adapters.postgres.binaries import Binaries, Launcher
from evil2root.adapters.postgres.cluster import Layout, explain_output, open_log
from evil2root.adapters.postgres.errors import ServerDidNotStart

HOST = "127.0.0.1"

READY_TIMEOUT_S = 60.0
"""Until the server accepts connections; recovery after a crash replays at most `max_wal_size`, some seconds."""

FAST_STOP_S = 15.0
"""For a fast shutdown, which ends sessions and writes a checkpoint."""

IMMEDIATE_STOP_S = 5.0
"""For an immediate shutdown, which is like a crash: the next start recovers."""

_PAUSE_S = 0.01
_READY_LINE = 7  # postmaster.pid: pid, data directory, start time, port, socket folder, address, shared memory, status
_STARTED_LINE = 2

SETTINGS: Mapping[str, str] = {
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "40",
    "shared_buffers": "48MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "48MB",
    "effective_cache_size": "512MB",
    "max_wal_size": "256MB",
    "synchronous_commit": "on",
    "wal_compression": "on",
    # One machine, no standby: no processes and no log volume for replication.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    # Queries here are short: compiling them, or sharing them out over processes, costs more than it saves.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_worker_processes": "2",
    "autovacuum_max_workers": "1",
    "io_method": "sync",
    "huge_pages": "off",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server listens: loopback with a port, and a private socket named after the same port."""

    port: int
    socket_dir: Path


class PortTaken(ServerDidNotStart):
    """Somebody took the port between the choice and the start."""


class StillInUse(ServerDidNotStart):
    """Processes of a killed server still hold the cluster; they notice and end by themselves."""


class Postmaster:
    """The server's main process, a child of this one.

    It is told to stop by the kernel when the thread that called `spawn` ends: keep that thread.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", layout: Layout, *, log_start: int) -> None:
        self._process = process
        self._layout = layout
        self._log_start = log_start

    @classmethod
    def spawn(
        cls,
        layout: Layout,
        *,
        address: Address,
        launcher: Launcher,
        binaries: Binaries,
        settings: Mapping[str, str],
    ) -> "Postmaster":
        """Start the server; it does not answer yet."""
        chosen = {
            **SETTINGS,
            **settings,
            "listen_addresses": HOST,
            "port": str(address.port),
            "unix_socket_directories": str(address.socket_dir),
        }
        options = [part for name, value in chosen.items() for part in ("-c", f"{name}={value}")]
        command = launcher.command(binaries.path("postgres"), "-D", str(layout.cluster), *options, death_signal="INT")
        log = open_log(layout)
        try:
            log_start = os.fstat(log).st_size
            process = subprocess.Popen(  # noqa: S603, our own binary
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                # Ctrl-C at the terminal is for the app, which stops its server last.
                start_new_session=True,
            )
        finally:
            os.close(log)
        return cls(process, layout, log_start=log_start)

    @property
    def pid(self) -> int:
        """Of the main process; the same as in postmaster.pid."""
        return self._process.pid

    def started_at(self) -> int:
        """Seconds since 1970, as the server wrote them."""
        return int(_pid_file_lines(self._layout)[_STARTED_LINE])

    def wait_ready(self) -> None:
        """Wait until the server accepts connections, or raise with its own last words."""
        give_up_at = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < give_up_at:
            exit_code = self._process.poll()
            if exit_code is not None:
                raise self._obituary(exit_code)
            lines = _pid_file_lines(self._layout)
            if len(lines) > _READY_LINE and lines[0] == str(self.pid) and lines[_READY_LINE].strip() == "ready":
                return
            time.sleep(_PAUSE_S)
        self.stop()
        msg = f"PostgreSQL did not answer within {READY_TIMEOUT_S:.0f} s in {self._layout.data_dir}: see {self._layout.log_file}."
        raise ServerDidNotStart(msg)

    def wait(self) -> int:
        """Wait until the server ends, for whatever reason, and give its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """Stop it: politely, then firmly, then for good."""
        for number, patience in ((signal.SIGINT, FAST_STOP_S), (signal.SIGQUIT, IMMEDIATE_STOP_S)):
            self._process.send_signal(number)
            try:
                self._process.wait(timeout=patience)
            except subprocess.TimeoutExpired:
                continue
            return
        self._process.kill()
        self._process.wait()

    def _obituary(self, exit_code: int) -> ServerDidNotStart:
        with self._layout.log_file.open("rb") as log:
            log.seek(self._log_start)
            words = log.read().decode(errors="replace")
        message = explain_output(words, self._layout.data_dir, exit_code)
        if "pre-existing shared memory block" in words or ('lock file "' in words and "already exists" in words):
            return StillInUse(message)
        if "could not create any TCP/IP sockets" in words or "could not create any Unix-domain sockets" in words:
            return PortTaken(message)
        return ServerDidNotStart(message)


def running_pid(layout: Layout) -> int | None:
    """Give the pid of the server that runs on this cluster, whoever started it, or None.

    The pid file alone proves nothing: after a power cut, or in a fresh container, its number may be anybody's.
    """
    lines = _pid_file_lines(layout)
    if not lines or not lines[0].lstrip("-").isdigit():
        return None
    pid = abs(int(lines[0]))
    return pid if _is_server_of(pid, layout.cluster) else None


def stop_leftover(layout: Layout) -> None:
    """Stop a server that outlived its app. The caller holds the directory's lock.

    A server whose app was killed is already stopping; asking again does no harm.
    """
    pid = running_pid(layout)
    if pid is None:
        _drop_stale_pid_file(layout)
        return
    for number, patience in (
        (signal.SIGINT, FAST_STOP_S),
        (signal.SIGQUIT, IMMEDIATE_STOP_S),
        (signal.SIGKILL, IMMEDIATE_STOP_S),
    ):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        give_up_at = time.monotonic() + patience
        while time.monotonic() < give_up_at:
            if not _is_server_of(pid, layout.cluster):
                return
            time.sleep(_PAUSE_S)
    msg = f"A PostgreSQL with the process id {pid} holds {layout.cluster} and does not end: end it by hand."
    raise ServerDidNotStart(msg)


def free_port(*, preferred: int | None) -> int:
    """Choose a port on loopback, the preferred one if nobody has it."""
    for port in (preferred or 0, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    msg = f"There is no free port on {HOST}."
    raise ServerDidNotStart(msg)


def _drop_stale_pid_file(layout: Layout) -> None:
    """Remove a pid file whose number belongs to somebody else by now: the new server would refuse to start.

    Real leftovers hold the shared memory block, whose key follows from the folder: the new server checks that as well.
    The file of a process that is gone is left to the new server, which knows what to do with it.
    """
    lines = _pid_file_lines(layout)
    if lines and lines[0].isdigit() and Path(f"/proc/{lines[0]}").exists():
        layout.pid_file.unlink(missing_ok=True)


def _is_server_of(pid: int, cluster: Path) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # another user's process: the server would be ours
    if not Path("/proc/self").exists():
        return True  # not Linux: the pid file is all there is to go by
    try:
        # A server lives in its data directory. A zombie has no directory any more.
        return Path(f"/proc/{pid}/cwd").readlink() == cluster.resolve()
    except OSError:
        return False


def _pid_file_lines(layout: Layout) -> list[str]:
    try:
        return layout.pid_file.read_text().splitlines()
    except FileNotFoundError:
        return []
