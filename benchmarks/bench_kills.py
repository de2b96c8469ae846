"""The kill drills in full, and how soon the bot is ready again after each `kill -9`.

100 at a paper venue that is played here, then 1,000 (KILLS=... for another number) at a local Alpaca with 5 % faults.
Nothing may be lost or doubled: the drills are the suite's own and fail if something is. Takes about an hour; a quiet
machine with two cores is ready again within 5 s at the paper venue, within 3 s in 99 of 100 cases at the other.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

DRILLS = (
    ("paper venue", "tests/system/test_kill_drill.py::test_no_kill_loses_or_doubles_an_order", 100, 5.0, 1.0),
    (
        "faulty Alpaca",
        "tests/system/test_venue_drill.py::test_no_kill_and_no_lie_loses_or_doubles_an_order",
        1_000,
        3.0,
        0.99,
    ),
)
"""Name, test, kills, seconds to be ready in, and in which share of the cases."""

TELL_EVERY_S = 60.0


def main() -> int:
    """Run both; 1 when one lost something, doubled something or was late."""
    chosen = os.environ.get("KILLS")
    codes = []
    for name, test, kills, limit, share in DRILLS:
        codes.append(drill(name, test, int(chosen or kills), limit, share))
    return max(codes)


def drill(name: str, test: str, kills: int, limit: float, share: float) -> int:
    """Run one, say now and then how far it is, and print its row."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "restarts.json"
        print(f"{name}: {kills} kills ...", flush=True)
        env = {**os.environ, "KILLS": str(kills), "RESTARTS_FILE": str(told)}
        code = _watched([sys.executable, "-m", "pytest", "-q", "--no-header", test], env, told)
        seconds = _seconds(told)
        if not seconds:
            print(f"{name}: FAILED, see above")
            return 1
    p50, p99, at = (float(np.quantile(seconds, q)) for q in (0.5, 0.99, share))
    late = at > limit
    lost = "FAILED, see above" if code else "nothing lost or doubled"
    print(
        f"{name}: {len(seconds)} kills, {lost}; ready again in {p50:.2f} s at the median, {p99:.2f} s at p99, "
        f"{max(seconds):.2f} s at worst; {share:.0%} within {limit:g} s: {'NO' if late else 'yes'}",
        flush=True,
    )
    return int(late or code != 0)


def _watched(command: list[str], env: dict[str, str], told: Path) -> int:
    """Run it to its end; the exit code."""
    running = subprocess.Popen(command, env=env)
    while True:
        try:
            return running.wait(timeout=TELL_EVERY_S)
        except subprocess.TimeoutExpired:
            seconds = _seconds(told)
            if seconds:
                print(f"  {len(seconds)} kills, the last start took {seconds[-1]:.2f} s", flush=True)


def _seconds(told: Path) -> list[float]:
    """How long each start took so far; the file may be half-written just now."""
    try:
        found: list[float] = json.loads(told.read_text())
    except (OSError, ValueError):
        return []
    return found


if __name__ == "__main__":
    sys.exit(main())
