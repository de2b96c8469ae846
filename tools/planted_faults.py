"""Plants faults that would cost money, one at a time in a copy of the tree, and tells which test catches each.

`python -m tools.planted_faults [NAME...]`; exits 1 when a fault goes unnoticed. Each fault is an edit of one place; an
edit that does not fit any more is an error, so that the list follows the code.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".venv", ".git", "__pycache__", ".*_cache", "node_modules", ".hypothesis")
TIMEOUT_S = 600
"""For the tests of one fault; they take seconds on a machine with nothing else to do."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An edit of one file, and where the tests are that should mind."""

    name: str
    path: str
    sound: str
    broken: str
    tests: str

    def text(self, tree: Path = ROOT) -> str:
        """Read the file it is planted in."""
        return (tree / self.path).read_text()


FAULTS = (
    Fault("send before commit", "src/evil2root/engine/perform.py",
          "            if keeps or state.carry != self.state.carry:\n                await self._commit(keeps, state)\n",
          "            for early in actions:\n                if isinstance(early, do.Submit):\n"
          "                    await self._ask(early)\n"
          "            if keeps or state.carry != self.state.carry:\n                await self._commit(keeps, state)\n",
          "tests/engine/test_live_engine.py"),
    Fault("resend on unknown", "src/evil2root/engine/watching.py",
          "if self._venue.traits.repeat is Repeat.SAFE:", "if self._venue.traits.repeat is not Repeat.BLIND:",
          "tests/engine/test_doubts.py"),
    Fault("quarantine 0", "src/evil2root/engine/watching.py",
          "now - first >= APART_S and now - doubt.since >= self._quarantine_s", "now - first >= 0",
          "tests/engine/test_doubts.py"),
    Fault("no epoch check", "src/evil2root/adapters/postgres/journal.py",
          "                    await fence(connection, self._leader, epoch)\n", "",
          "tests/adapters/test_journal.py"),
    Fault("cursor before fills", "src/evil2root/engine/perform.py",
          "await self.until_there(lambda: self._journal.commit(keeps, state.carry))",
          "await self.until_there(lambda: self._journal.commit([], state.carry))\n"
          "        await self.until_there(lambda: self._journal.commit(keeps, state.carry))",
          "tests/engine/test_outside.py::test_is_none_the_worse_for_a_kill_at_any_write"),
    Fault("float money", "src/evil2root/domain/book/fills.py",
          "return self.quantity * self.price",
          "return self.quantity.from_float(float(self.quantity) * float(self.price))",
          "tests/domain/book tests/contract/test_alpaca_broker.py"),
    Fault("network error as not-found", "src/evil2root/adapters/brokers/alpaca.py",
          "return reply.status == httpx.codes.NOT_FOUND and reply.code == NOT_FOUND_CODE",
          "return reply.status >= httpx.codes.BAD_REQUEST or reply.document is None",
          "tests/adapters/test_alpaca_hostile.py"),
    Fault("halt not re-checked after claim", "src/evil2root/engine/couriers.py",
          'objection = self._objection(order) if order.leg is Leg.ENTRY else ""', 'objection = ""',
          "tests/engine/test_outside.py"),
    Fault("in flight not reserved", "src/evil2root/domain/kernel/exposing.py",
          "for order in state.orders.values():", "for order in list(state.orders.values())[:0]:",
          "tests/domain/risk"),
    Fault("stop loosened", "src/evil2root/domain/numerics/levels.py",
          "return max(stop, candidate) if is_long else min(stop, candidate)", "return candidate",
          "tests/domain"),
    Fault("short profit with the wrong sign", "src/evil2root/domain/book/positions.py",
          "gain = position.side.sign * (got - paid) * fill.quantity",
          "gain = (got - paid) * fill.quantity",
          "tests/domain/book tests/domain/kernel"),
    Fault("fill booked twice", "src/evil2root/domain/kernel/fills.py",
          "    if event.booked is not None:\n", "    if event.booked is not None and event.order is None and not fill:\n",
          "tests/engine/test_outside.py"),
)  # fmt: skip


def main(names: list[str]) -> int:
    """Plant the named faults (none named: all); print a row each."""
    unknown = set(names) - {fault.name for fault in FAULTS}
    if unknown:
        print(f"No such fault: {', '.join(sorted(unknown))}. There are: {', '.join(f.name for f in FAULTS)}.")
        return 2
    missed = []
    for fault in FAULTS:
        if names and fault.name not in names:
            continue
        began = time.monotonic()
        caught_by = catches(fault)
        print(f"| {fault.name} | {caught_by or '**nothing**'} | {time.monotonic() - began:.0f} s |", flush=True)
        if not caught_by:
            missed.append(fault.name)
    if missed:
        print(f"Unnoticed: {', '.join(missed)}.")
    return 1 if missed else 0


def catches(fault: Fault) -> str:
    """Name the first test that fails with the fault planted; empty when all pass."""
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        text = fault.text(tree)
        if text.count(fault.sound) != 1:
            msg = f"{fault.name}: {fault.path} has {text.count(fault.sound)} places that read {fault.sound!r}, not one."
            raise SystemExit(msg)
        (tree / fault.path).write_text(text.replace(fault.sound, fault.broken))
        # Before the installed package, which is the sound one.
        env = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-x",
            "--no-header",
            "-p",
            "no:cacheprovider",
            *fault.tests.split(),
        ]
        try:
            run = subprocess.run(
                command, cwd=tree, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired as late:
            msg = f"{fault.name}: {fault.tests} did not end within {TIMEOUT_S} s, which says nothing of who minds."
            raise SystemExit(msg) from late
        if run.returncode == 0:
            return ""
        failed = re.search(r"^(?:FAILED|ERROR) (\S+)", run.stdout, re.MULTILINE)
        if failed is None:
            msg = f"{fault.name}: the tests did not run.\n{run.stdout[-3000:]}{run.stderr[-3000:]}"
            raise SystemExit(msg)
        return failed[1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
