"""The real command line, each call a process of its own, on a data directory of the test."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ENDS_WITHIN_S = 120.0
AT_ONCE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a call left behind."""

    code: int
    out: str
    err: str


def call(data_dir: Path, *words: str, settings: Mapping[str, str] | None = None) -> Ended:
    """Run `evil2root WORDS` with no settings but the data directory and those named."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EVIL2ROOT_")}
    done = subprocess.run(
        [sys.executable, "-m", "evil2root", *words], env=environment | {"EVIL2ROOT_DATA_DIR": str(data_dir)} | dict(settings or {}),
        capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False,
    )  # fmt: skip
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def call_each(data_dir: Path, calls: Sequence[Sequence[str]]) -> list[Ended]:
    """Run several calls that do not depend on each other, a few at a time; their ends in the order given."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda words: call(data_dir, *words), calls))


def is_one_line(ended: Ended) -> bool:
    """Whether a failure is one line on standard error, with nothing on standard output."""
    return ended.out == "" and ended.err.endswith("\n") and ended.err.count("\n") == 1 and "Traceback" not in ended.err
