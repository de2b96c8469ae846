"""A million entries of any size put to the gate, answers shuffled: none may pass outside a limit.

The same world and the same books of its own as in the suite, which asks for 20,000. `bench_gate_law.py 5000` asks for
fewer; a breach ends it with the limit's name and the seed.
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the world is the tests'

from tests.domain.risk.gate_world import World

ORDERS = 1_000_000
EACH = 2_000
"""Entries a world: it then has had its say about its limits."""


def main(orders: int) -> None:
    approved, began, seed = 0, time.perf_counter(), 0
    for seed in range(-(-orders // EACH)):
        world = World(np.random.default_rng(seed))
        try:
            world.live(EACH)
        except AssertionError as breach:
            sys.exit(f"seed {seed}, entry {world.asked}: {breach}")
        approved += world.approved
    seconds = time.perf_counter() - began
    asked = (seed + 1) * EACH
    print(f"{asked:,} entries asked for, {approved:,} let through, 0 outside a limit; {seconds:.0f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)
