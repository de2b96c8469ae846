"""Fetches the dashboard's front-end files and checks every byte of them.

`package-lock.json` says which packages, `tools/front_end.sha256` which files of them and what they must hash to.
The files land in the git-ignored `src/evil2root/web/static/vendor/`; nothing of them is run while they are fetched.

    .venv/bin/python tools/front_end.py            fetch what is missing or wrong
    .venv/bin/python tools/front_end.py --renew    after a change of package.json: write the hashes anew
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "tools" / "front_end.sha256"
VENDOR = ROOT / "src" / "evil2root" / "web" / "static" / "vendor"
NODE_LOCK = ROOT / "requirements" / "node.lock"
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")

NPM_MAJOR_MIN = 7
"""The first npm that reads version 3 of the lock file."""

FETCH_TIMEOUT_S = 600
"""A slow line needs a minute for these 2 MB; past ten the registry is not answering."""


class FrontEndError(Exception):
    """The front-end files can't be had as they must be; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorFile:
    """One file of a package, the name it is served by, and its SHA-256 in hex."""

    sha256: str
    source: str
    name: str

    def is_served(self, vendor: Path) -> bool:
        path = vendor / self.name
        return path.is_file() and sha256_of(path) == self.sha256


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_manifest(manifest: Path) -> list[VendorFile]:
    """Read the lines `sha256  path in node_modules  served name`."""
    rows = [line.split() for line in manifest.read_text().splitlines() if line and not line.startswith("#")]
    return [VendorFile(sha256=sha256, source=source, name=name) for sha256, source, name in rows]


def copy_checked(files: list[VendorFile], *, packages: Path, vendor: Path) -> None:
    """Copy every file whose bytes are the expected ones; the first other one stops it all, before anything is served."""
    for file in files:
        found = sha256_of(packages / file.source)
        if found != file.sha256:
            msg = f"{file.source} hashes to {found}, not to {file.sha256} as {MANIFEST.name} says: not used."
            raise FrontEndError(msg)

    fresh = vendor.with_name(vendor.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    for file in files:
        target = fresh / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(packages / file.source, target)
    shutil.rmtree(vendor, ignore_errors=True)
    fresh.rename(vendor)


@contextlib.contextmanager
def fetched_packages() -> Iterator[Path]:
    """Give a throw-away `node_modules` made from the lock file, no package script run."""
    with tempfile.TemporaryDirectory(prefix="evil2root-web-") as folder:
        work = Path(folder)
        for name in NPM_FILES:
            shutil.copyfile(ROOT / name, work / name)
        npm = [*npm_command(work), "ci", "--ignore-scripts", "--no-audit", "--no-fund", f"--cache={work / 'cache'}"]
        # A user behind an inspecting proxy has told pip which certificates to trust: node is told the same.
        certificates = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE")
        if certificates:
            os.environ.setdefault("NODE_EXTRA_CA_CERTS", certificates)
        run(npm, cwd=work)
        yield work / "node_modules"


def npm_command(work: Path) -> list[str]:
    """Take the machine's npm if it can read the lock file, else one from the Python index."""
    npm = shutil.which("npm")
    if npm and shutil.which("node"):
        answer = subprocess.run([npm, "--version"], capture_output=True, text=True, check=False, cwd=work)
        major = answer.stdout.strip().partition(".")[0]
        if major.isdigit() and int(major) >= NPM_MAJOR_MIN:
            return [npm]

    print("  no usable node here: taking one from the Python package index, for this once", file=sys.stderr)
    venv = work / "node"
    run([sys.executable, "-m", "venv", str(venv)], cwd=work)
    run([str(venv / "bin" / "pip"), "install", "--quiet", "--require-hashes", "-r", str(NODE_LOCK)], cwd=work)
    os.environ["PATH"] = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return [str(venv / "bin" / "npm")]


def run(command: list[str], *, cwd: Path) -> None:
    try:
        answer = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=FETCH_TIMEOUT_S)
    except subprocess.TimeoutExpired as late:
        msg = f"{Path(command[0]).name} took more than {FETCH_TIMEOUT_S} s: check the network and run this again."
        raise FrontEndError(msg) from late
    if answer.returncode != 0:
        msg = f"{Path(command[0]).name} failed with {answer.returncode}:\n{(answer.stderr or answer.stdout).strip()}"
        raise FrontEndError(msg)


def renew(manifest: Path) -> None:
    """Write the hashes of what the lock file brings now; the list of files stays."""
    files = read_manifest(manifest)
    head = [line for line in manifest.read_text().splitlines() if line.startswith("#")]
    with fetched_packages() as packages:
        rows = [f"{sha256_of(packages / file.source)}  {file.source}  {file.name}" for file in files]
    manifest.write_text("\n".join([*head, *rows]) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Fetches the dashboard's front-end files.")
    parser.add_argument("--renew", action="store_true", help="write the hashes anew from package-lock.json")
    try:
        if parser.parse_args().renew:
            renew(MANIFEST)
        files = read_manifest(MANIFEST)
        if all(file.is_served(VENDOR) for file in files):
            return 0
        with fetched_packages() as packages:
            copy_checked(files, packages=packages, vendor=VENDOR)
    except (FrontEndError, OSError) as problem:
        print(f"Front-end files: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
