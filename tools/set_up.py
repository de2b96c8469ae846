"""Makes `.venv`, installs the locks into it and fetches the front-end files; called by `./evil2root` when a stamp is old.

Standard library only: it runs before anything is installed. The stamps are written last and a lock file keeps two
set-ups apart: stop it anywhere, run it again.
"""

import argparse
import contextlib
import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tools.stamps import LOCKS, ROOT, STAGES, VENV, fingerprint, is_current, stamp_of

DISK_FREE_MIN_MB = 1_500
"""The environment takes about 700 MB with the tests' packages, and installers unpack beside it."""

INSTALL_TIMEOUT_S = 3_600
"""A slow line is let finish; a hung one is not waited for all night."""

UNFINISHED = VENV / "evil2root-unfinished"
MADE_FOR = VENV / "evil2root-made-for"
PIP = [str(VENV / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]


class SetupError(Exception):
    """The set-up can't go on; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    """Bring the wanted stages up to date; 0 when they are, 1 with one clear message when that can't be."""
    parser = argparse.ArgumentParser(prog="./evil2root setup", description="Sets up what the bot needs.")
    parser.add_argument("--force", action="store_true", help="install again even if nothing changed")
    parser.add_argument("--with-pip", action="store_true", help="install by pip even if uv can be had")
    parser.add_argument(
        "--with", action="append", default=[], choices=["dev", "ccxt", "yfinance", "deep"], dest="extras"
    )
    parser.add_argument("--accept-cuda", action="store_true", help="take a CUDA build of torch (about 2.7 GB)")
    wanted = parser.parse_args(arguments)
    try:
        with only_one_set_up():
            stages = [stage for stage in STAGES if stage == "base" or stage in wanted.extras]
            stages = [stage for stage in stages if wanted.force or not is_current(stage)]
            if stages:
                set_up(stages, with_pip=wanted.with_pip)
            if "deep" in wanted.extras:
                add_deep(accept_cuda=wanted.accept_cuda)
    except SetupError as problem:
        say(f"\nSet-up: {problem}\n")
        return 1
    except subprocess.TimeoutExpired as late:
        say(f"\nSet-up: {late.cmd[0]} took more than {INSTALL_TIMEOUT_S} s. Check the network and run it again.\n")
        return 1
    except KeyboardInterrupt:
        say("\nSet-up stopped. Run the same command again; what is downloaded already is not fetched twice.\n")
        return 130
    return 0


@contextlib.contextmanager
def only_one_set_up() -> Iterator[None]:
    """Hold the folder's set-up lock; the system frees it even when this process is killed."""
    require_ground()
    with (ROOT / ".setup.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say("Another set-up is running in this folder; waiting for it.\n")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def set_up(stages: list[str], *, with_pip: bool) -> None:
    """Install the stages and stamp them; a stage whose stamp is there needs nothing more."""
    started = time.monotonic()
    say(f"Setting up {ROOT} with Python {sys.version.split()[0]}; only the first time takes long.\n")
    for stage in stages:
        stamp_of(stage).unlink(missing_ok=True)
    if make_venv() and "base" not in stages:
        stages = ["base", *stages]
    UNFINISHED.touch()

    # The front-end files come from another registry: they are fetched beside the installation.
    front_end = start([sys.executable, "tools/front_end.py"])
    try:
        install(stages, Installer(with_pip=with_pip))
        UNFINISHED.unlink()
        compile_ahead()
        with Step("Front-end files, each checked by its hash"):
            finish(front_end, hint="")
    finally:
        front_end.kill()

    for stage in stages:
        stamp_of(stage).write_text(fingerprint(stage))
    say(f"Set-up done in {time.monotonic() - started:.0f} s.\n")


def install(stages: list[str], installer: "Installer") -> None:
    lock = "dev" if "dev" in stages else "base"  # dev.lock holds everything of base.lock
    packages = len(re.findall(r"^\w.*==", (LOCKS / f"{lock}.lock").read_text(), flags=re.MULTILINE))
    installer.add(f"{packages} packages", ["--require-hashes", "-r", f"requirements/{lock}.lock"])
    if "base" in stages:
        installer.add("Recorded price history", ["--require-hashes", "--no-deps", "-r", "requirements/data.lock"])
        installer.add("The package evil2root", ["--no-deps", "--no-build-isolation", "--editable", "."])
    if "ccxt" in stages and "dev" not in stages:  # dev.lock holds it too
        installer.add("Crypto exchanges by ccxt", ["--require-hashes", "-r", "requirements/ccxt.lock"])
    if "yfinance" in stages and "dev" not in stages:
        installer.add("Prices by yfinance", ["--require-hashes", "-r", "requirements/yfinance.lock"])


def compile_ahead() -> None:
    """Write the byte code now: it saves 2 s at the first start, and at every one where Python may not write it later.

    A file that does not compile says so when it is imported; most such files are examples that nobody imports.
    """
    rarely_imported = r"/(tests?|mypyc?|pygments/lexers|pygments/styles)/"
    packages = sorted(str(path) for path in VENV.glob("lib/python*/site-packages"))
    with Step("Byte code, so that every start is quick"):
        python = [str(VENV / "bin" / "python"), "-m", "compileall", "-qq", "-j", "0", "-x", rarely_imported]
        start([*python, *packages, "src"]).communicate()


def make_venv() -> bool:
    """Make the virtual environment, anew if it is half made, moved, or of another Python; say whether it was made."""
    here = f"{ROOT}\n{sys.version_info[0]}.{sys.version_info[1]}\n"
    known = MADE_FOR.read_text() if MADE_FOR.is_file() else here
    usable = (VENV / "bin" / "python").exists() and (VENV / "bin" / "pip").exists()
    if usable and known == here and not UNFINISHED.exists():
        return False

    with Step("Virtual environment in .venv"):
        finish(start([sys.executable, "-m", "venv", "--clear", str(VENV)]), hint="")
        MADE_FOR.write_text(here)
    return True


class Installer:
    """Installs by uv, which is several times faster, or by pip where uv can't be had or fails."""

    def __init__(self, *, with_pip: bool) -> None:
        self.uv = None if with_pip else self.fetch_uv()

    def fetch_uv(self) -> list[str] | None:
        with Step("The installer uv"):
            fetch = start([*PIP, "--require-hashes", "-r", "requirements/uv.lock"])
            fetch.communicate()
        if fetch.returncode != 0:
            say("  uv is not to be had here: going on with pip, which takes some minutes.\n")
            return None
        adopt_pip_settings()
        return [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(VENV / "bin" / "python")]

    def add(self, what: str, options: list[str]) -> None:
        if self.uv is not None:
            with Step(what):
                attempt = start([*self.uv, *options])
                _, complaint = attempt.communicate(timeout=INSTALL_TIMEOUT_S)
            if attempt.returncode == 0:
                return
            say(f"  uv failed, going on with pip. It said: {complaint.strip()[-800:]}\n")
            self.uv = None
        hint = "Check the network (and PIP_INDEX_URL, if you use a mirror) and run the same command again."
        with Step(f"{what}, by pip"):
            finish(start([*PIP, *options]), hint=hint)


def adopt_pip_settings() -> None:
    """Let uv see what the user told pip: the index, local wheels, the certificates."""
    answer, _ = start([str(VENV / "bin" / "python"), "-m", "pip", "config", "list"], keep_output=True).communicate()
    told = {}
    for line in answer.splitlines():
        key, _, value = line.partition("=")
        told[key.rpartition(".")[2]] = value.strip("'\"")
    for key, variable in (
        ("index-url", "UV_DEFAULT_INDEX"),
        ("find-links", "UV_FIND_LINKS"),
        ("cert", "SSL_CERT_FILE"),
    ):
        if told.get(key):
            os.environ.setdefault(variable, told[key])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/nonexistent")) / ".cache")
    nearest = next(folder for folder in (cache, *cache.parents) if folder.exists())
    if not os.access(nearest, os.W_OK):
        os.environ.setdefault("UV_NO_CACHE", "1")  # an account without a home of its own


def add_deep(*, accept_cuda: bool) -> None:
    """Add torch by pip, which alone honours local wheels of a CPU build; ask before a CUDA build."""
    locked = ["-r", "requirements/deep.lock"]
    with Step("Asking which build of torch the package index offers"):
        plan = finish(start([*PIP, "--dry-run", "--report", "-", *locked], keep_output=True), hint="Check the network.")
    chosen = [entry["metadata"] for entry in json.loads(plan)["install"]]
    if not chosen:
        say("Nothing to add: everything of the deep extra is installed.\n")
        return
    if any(package["name"].startswith(("nvidia-", "cuda-")) for package in chosen) and not accept_cuda:
        msg = (
            "the index offers torch as a CUDA build, about 2.7 GB to download. For the CPU build (about 200 MB) set "
            "PIP_EXTRA_INDEX_URL to an index that has it; for the CUDA build add --accept-cuda."
        )
        raise SetupError(msg)
    torch = next((package["version"] for package in chosen if package["name"] == "torch"), "already here")
    with Step(f"{len(chosen)} packages for deep learning (torch {torch}), about 1 GB on disk"):
        finish(start([*PIP, *locked]), hint="Check the network and the free disk space, and run it again.")


def require_ground() -> None:
    """Refuse early, in one sentence, what would fail late with a traceback."""
    for folder in (ROOT, VENV):
        if folder.exists() and not os.access(folder, os.W_OK):
            msg = (
                f"{folder} belongs to user number {folder.stat().st_uid} and you are number {os.geteuid()}: "
                "you may not write there. Clone the project into a folder of your own, or ask its owner to run this once."
            )
            raise SetupError(msg)
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        msg = (
            f"this Python ({sys.executable}) has no {' and no '.join(missing)}: install them "
            f"(on Debian and Ubuntu: apt install python3.{sys.version_info[1]}-venv)."
        )
        raise SetupError(msg)
    free_mb = shutil.disk_usage(ROOT).free // 1_000_000
    if free_mb < DISK_FREE_MIN_MB:
        msg = f"{free_mb} MB are free in {ROOT}, {DISK_FREE_MIN_MB} MB are needed: make room."
        raise SetupError(msg)


def start(command: list[str], *, keep_output: bool = False) -> subprocess.Popen[str]:
    """Start a command of this file in the project's folder; what it complains about is kept."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if keep_output else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], *, hint: str) -> str:
    """Wait for a process and give its output; a failure becomes one readable error."""
    output, complaint = process.communicate(timeout=INSTALL_TIMEOUT_S)
    if process.returncode != 0:
        command = process.args if isinstance(process.args, list) else [str(process.args)]
        what = " ".join(Path(part).name if part.startswith("/") else part for part in command)
        msg = f"`{what}` failed.\n{complaint.strip()[-3000:]}\n{hint}".rstrip()
        raise SetupError(msg)
    return output or ""


class Step:
    """One line on stderr: what is being done, then how long it took."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.started = 0.0

    def __enter__(self) -> None:
        self.started = time.monotonic()
        say(f"  {self.what} ... ")

    def __exit__(self, failed: object, *_: object) -> None:
        say("failed\n" if failed else f"{time.monotonic() - self.started:.1f} s\n")


def say(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
