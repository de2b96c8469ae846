"""What became of patterns: did the price reach the target before it went back beyond the invalidation?"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import sqrt

import numpy as np
import polars as pl

from evil2root.domain.signals.patterns.detect import Pattern
from evil2root.domain.signals.patterns.shape import Direction

CONFIDENT = 1.96
"""Normal quantile of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How a kind of pattern did on some history."""

    kind: str
    reached: int
    failed: int
    undecided: int
    """Neither level was touched before the history ended."""

    @property
    def decided(self) -> int:
        """Those that ended one way or the other."""
        return self.reached + self.failed

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the share that reached the target; none before anything was decided."""
        n = self.decided
        if n == 0:
            return None
        share, z = self.reached / n, CONFIDENT
        centre = (share + z * z / (2 * n)) / (1 + z * z / n)
        half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, centre - half), min(1.0, centre + half)


def outcome(pattern: Pattern, bars: pl.DataFrame) -> bool | None:
    """True when a later bar touched the target first, False the invalidation, none while neither was touched.

    Bars that opened after the confirmation count. One that touches both counts as failed.
    """
    later = bars.filter(pl.col("opened_at") >= pattern.confirmed_at)
    high, low = later["high"].to_numpy(), later["low"].to_numpy()
    if pattern.direction is Direction.UP:
        won, lost = high >= pattern.target, low <= pattern.invalidation
    else:
        won, lost = low <= pattern.target, high >= pattern.invalidation
    ended = np.flatnonzero(won | lost)
    return None if not ended.size else bool(not lost[ended[0]])


def records(found: Iterable[Pattern], bars: pl.DataFrame) -> dict[str, Record]:
    """The record of each kind in `found` over the bars it was found in, as known at the newest of them."""
    counts: dict[str, list[int]] = {}
    for pattern in found:
        ended = outcome(pattern, bars)
        counts.setdefault(pattern.kind, [0, 0, 0])[2 if ended is None else 0 if ended else 1] += 1
    return {
        kind: Record(kind=kind, reached=reached, failed=failed, undecided=undecided)
        for kind, (reached, failed, undecided) in counts.items()
    }
