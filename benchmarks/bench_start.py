"""What a start costs: a call of `./evil2root` on top of Python itself, and importing the command line.

Best of five, since a machine only ever adds to the true cost. Seconds of wall time, megabytes resident.
"""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRIES = 5
RESIDENT = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"  # kB on Linux


def best_s(command: list[str]) -> float:
    """Give the shortest wall time of a command that must succeed."""
    times = []
    for _ in range(TRIES):
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return min(times)


def resident_mb(imports: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-c", f"{imports}; {RESIDENT}"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def main() -> None:
    python = best_s([sys.executable, "-c", "pass"])
    rows = {
        "python itself": ("pass", python),
        "the stamps are looked at": ("from tools import stamps; stamps.is_current('base')", None),
        "the command line is imported": ("import evil2root.cli", None),
        "the whole app is imported": ("import evil2root.main", None),
    }
    print(f"{'':30}{'seconds':>10}{'MB':>8}")
    for name, (imports, known) in rows.items():
        seconds = known if known is not None else best_s([sys.executable, "-c", imports])
        print(f"{name:30}{seconds:10.3f}{resident_mb(imports):>8}")


if __name__ == "__main__":
    main()
