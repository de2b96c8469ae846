"""Runs every check of the house at once and tells which passed: `./evil2root check`, `make check`."""

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = Path(sys.executable).parent

CHECKS = {
    "format": ["ruff", "format", "--check", ".", "evil2root"],
    "lint": ["ruff", "check", ".", "evil2root"],
    "types": ["mypy"],
    "import contracts": ["lint-imports", "--no-logo"],
    "house rules": ["python", "-m", "tools.house_rules"],
}


def main() -> int:
    """Start all checks side by side; 0 when every one passes. A check that fails shows all it has to say."""
    started = time.monotonic()
    running = {
        name: subprocess.Popen(
            [str(PROGRAMS / command[0]), *command[1:]],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name, command in CHECKS.items()
    }
    failed = []
    for name, process in running.items():
        output, _ = process.communicate()
        print(f"{name:18} {'ok' if process.returncode == 0 else 'FAILED'}", flush=True)
        if process.returncode != 0:
            failed.append(name)
            print(output, flush=True)
    verdict = f"failed: {', '.join(failed)}" if failed else "all checks passed"
    print(f"{verdict} in {time.monotonic() - started:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
