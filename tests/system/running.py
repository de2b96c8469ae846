"""The real program in a process of its own, as a user starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

PASSWORD = "correct horse battery staple"
START_WITHIN_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(data_dir: Path, **more: str) -> dict[str, str]:
    """Settings of a bot on replayed history, and nothing of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("EVIL2ROOT_")}
    password = data_dir.parent / "password"
    password.write_text(PASSWORD)
    return {
        **kept,
        "EVIL2ROOT_DATA_DIR": str(data_dir),
        "EVIL2ROOT_MARKET_DATA": "replay",
        "EVIL2ROOT_REPLAY__SPEED": "0",
        "EVIL2ROOT_ADMIN_PASSWORD_FILE": str(password),
        "EVIL2ROOT_LOG__FORMAT": "json",
        **more,
    }


@dataclass
class Bot:
    """One start of the program after another on one data directory."""

    data_dir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> float:
        """Start it and wait until it is ready to trade; seconds that took."""
        began = time.monotonic()
        log = (self.data_dir.parent / "bot.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "evil2root", "serve", "--port", str(self.port)],
                env=environment(self.data_dir, **self.settings), cwd=self.data_dir.parent, stdout=log, stderr=log,
            )  # fmt: skip
        while True:
            if self.ready():
                return time.monotonic() - began
            code = self.process.poll()
            if code is not None or time.monotonic() - began > START_WITHIN_S:
                tail = (self.data_dir.parent / "bot.log").read_text(errors="replace")[-3_000:]
                msg = f"The bot is not ready (exit code {code}):\n{tail}"
                raise AssertionError(msg)
            time.sleep(0.02)

    def ready(self) -> bool:
        return self.asked("/readyz")[0] == HTTPStatus.OK

    def asked(self, path: str) -> tuple[int, bytes]:
        """Status and body of an answer; 0 and the reason when there is none.

        By the plainest of clients: it is asked many times a second, on the cores that the bot is to start on.
        """
        connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, HTTPException) as problem:
            return 0, str(problem).encode()
        finally:
            connection.close()

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=20)

    def stop(self) -> int:
        """Ask it to stop, as a service manager does."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=30)

    def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run another command of the program on the same data directory."""
        return subprocess.run(
            [sys.executable, "-m", "evil2root", *words], env=environment(self.data_dir, **self.settings),
            cwd=self.data_dir.parent, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
