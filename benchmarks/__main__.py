"""Runs every benchmark beside this file, one after the other: `make bench`, `./evil2root bench [name]`."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; 1 when one of them failed or there is none of that name."""
    known = {path.stem.removeprefix("bench_"): path for path in sorted(HERE.glob("bench_*.py"))}
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"No benchmark {', '.join(unknown)}; there are: {', '.join(known)}.", file=sys.stderr)
        return 1
    codes = []
    for name in names or known:
        print(f"\n{name}", flush=True)
        codes.append(subprocess.run([sys.executable, known[name]], cwd=HERE.parent, check=False).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
