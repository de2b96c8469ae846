"""Remembers what is installed: one stamp a stage, holding the fingerprint of all it was made of.

Every `./evil2root ...` reads this first, so it imports next to nothing.
"""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCKS = ROOT / "requirements"
TOOLS = ROOT / "tools"
VENDOR = ROOT / "src" / "evil2root" / "web" / "static" / "vendor"

STAGES = {
    "base": ("requirements/base.lock", "requirements/data.lock", "package-lock.json", "tools/front_end.sha256"),
    "dev": ("requirements/dev.lock",),
    "ccxt": ("requirements/ccxt.lock",),
    "yfinance": ("requirements/yfinance.lock",),
}
"""The files a stage is made of, besides the set-up's own code and the package's description."""


def fingerprint(stage: str) -> str:
    """Name everything a stage is made of: this Python, this place, the set-up's code and the locks."""
    parts = [str(sys.version_info[:2]).encode(), str(ROOT).encode(), (TOOLS / "set_up.py").read_bytes()]
    # The tool configuration below [tool.ruff] changes nothing that is installed.
    parts.append((ROOT / "pyproject.toml").read_bytes().partition(b"\n[tool.ruff]")[0])
    parts.extend((ROOT / name).read_bytes() for name in STAGES[stage])
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stamp_of(stage: str) -> Path:
    return VENV / f"evil2root-{stage}.stamp"


def is_current(stage: str) -> bool:
    """Whether the stage was finished, here, from the very files that lie here now."""
    try:
        stamped = stamp_of(stage).read_text()
    except OSError:
        return False
    return stamped == fingerprint(stage) and VENDOR.is_dir()
