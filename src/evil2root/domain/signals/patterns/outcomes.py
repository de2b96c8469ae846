"""What became of patterns: did the price reach the target before it went back to the invalidation?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import Floats
from evil2root.domain.signals.patterns.detect import Pattern
from evil2root.domain.signals.patterns.shape import Direction

CONFIDENT = 1.96
"""Normal quantile of a 95 % interval."""
LOOKED_AT = 64
"""Bars looked at first for an end; each further look takes twice as many, since most patterns end soon."""
_TIME = pl.Datetime("us", "UTC")
ENDINGS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "kind": pl.String,
    "confirmed_at": _TIME,
    "ended_at": _TIME,
    "reached": pl.Boolean,
    "chance": pl.Float64,
}
"""One row a pattern; `ended_at` is the close of the bar that touched a level, null (and `reached` with it) before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How a kind of pattern did on some history."""

    kind: str
    reached: int
    failed: int
    undecided: int
    """Neither level was touched before the history ended."""
    chance: float | None = None
    """What a walk without drift would have reached of those decided; none before anything was."""

    @property
    def decided(self) -> int:
        """Those that ended one way or the other."""
        return self.reached + self.failed

    @property
    def share(self) -> float | None:
        """Share of the decided that reached the target; none before anything was."""
        return self.reached / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of that share; none before anything was decided."""
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
    ended = _end(pattern, later["high"].to_numpy(), later["low"].to_numpy(), since=0)
    return None if ended is None else ended[1]


def endings(found: Sequence[Pattern], bars: pl.DataFrame) -> pl.DataFrame:
    """What became of each pattern over the bars it was found in, as a table of `ENDINGS_SCHEMA`.

    `chance` is what a walk without drift would do from the confirming close c on: it meets the target t before the
    invalidation i with probability (c - i) / (t - i).
    """
    high, low, close = (bars[name].to_numpy() for name in ("high", "low", "close"))
    confirmed = pl.Series([pattern.confirmed_at for pattern in found], dtype=_TIME)
    closed_at = bars["closed_at"]
    rows = []
    for pattern, row, since in zip(
        found, closed_at.search_sorted(confirmed), bars["opened_at"].search_sorted(confirmed), strict=True
    ):
        ended = _end(pattern, high, low, since=int(since))
        span = pattern.target - pattern.invalidation
        rows.append((
            pattern.kind, pattern.confirmed_at, None if ended is None else closed_at[ended[0]],
            None if ended is None else ended[1], (float(close[row]) - pattern.invalidation) / span,
        ))  # fmt: skip
    return pl.DataFrame(rows, schema=ENDINGS_SCHEMA, orient="row")


def records(ends: pl.DataFrame, *, until: datetime) -> dict[str, Record]:
    """The record of each kind as it was known at a time: of what was confirmed, and what had ended, by then."""
    ended = (pl.col("ended_at") <= until).fill_null(value=False)
    counted = (
        ends.filter(pl.col("confirmed_at") <= until)
        .group_by("kind")
        .agg(
            reached=(ended & pl.col("reached")).sum(),
            failed=(ended & ~pl.col("reached")).sum(),
            undecided=(~ended).sum(),
            chance=pl.col("chance").filter(ended).mean(),
        )
    )
    return {row["kind"]: Record(**row) for row in counted.iter_rows(named=True)}


def _end(pattern: Pattern, high: Floats, low: Floats, *, since: int) -> tuple[int, bool] | None:
    """Row of the first bar from `since` on that touches a level, and whether it was the target."""
    step = LOOKED_AT
    while since < high.size:
        highs, lows = high[since : since + step], low[since : since + step]
        if pattern.direction is Direction.UP:
            won, lost = highs >= pattern.target, lows <= pattern.invalidation
        else:
            won, lost = lows <= pattern.target, highs >= pattern.invalidation
        ended = np.flatnonzero(won | lost)
        if ended.size:
            return since + int(ended[0]), not bool(lost[ended[0]])
        since, step = since + step, 2 * step
    return None
