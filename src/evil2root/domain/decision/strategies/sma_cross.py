"""The moving-average cross: the reference strategy other engines can be compared with. Long only."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from evil2root.domain.core.listings import Session
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.intent import Enter, Exit, Intent, Stay, StayKind
from evil2root.domain.signals.values import Signal, View


@dataclass(frozen=True, slots=True, kw_only=True)
class SmaCross:
    """UP when the fast mean was at or below the slow one a bar ago and is above it now; DOWN the reverse.

    Both means include the current bar. Speaks from the first bar that has a slow mean and one before it.
    """

    fast: int = 10
    slow: int = 30
    name: str = "sma_cross"

    def __post_init__(self) -> None:
        if not 1 <= self.fast < self.slow:
            msg = f"fast is {self.fast} and slow {self.slow}; 1 <= fast < slow is asked."
            raise ValueError(msg)

    def features(  # the port's signature
        self, bars: pl.DataFrame, *, interval: Interval, session: Session, newest: int | None = None,  # noqa: ARG002
    ) -> pl.DataFrame:  # fmt: skip
        """Columns `close, fast, slow, fast_before, slow_before`."""
        close = bars["close"].to_numpy()
        fast, slow = _mean(close, self.fast), _mean(close, self.slow)
        columns = {
            "close": close, "fast": fast, "slow": slow, "fast_before": _before(fast), "slow_before": _before(slow)
        }  # fmt: skip
        table = pl.DataFrame(
            {"opened_at": bars["opened_at"], **{k: pl.Series(k, v, nan_to_null=True) for k, v in columns.items()}}
        )
        return table if newest is None else table.tail(newest)

    def opinions(self, features: pl.DataFrame) -> list[tuple[tuple[Signal, ...], View | None]]:
        """No sources: the rule itself decides."""
        return [((), None)] * features.height

    def intend(self, evidence: Evidence, holding: Holding | None) -> Intent:
        """Enter on UP while flat, leave on DOWN while holding."""
        fast, slow = evidence.feature("fast"), evidence.feature("slow")
        fast_before, slow_before = evidence.feature("fast_before"), evidence.feature("slow_before")
        if fast is None or slow is None or fast_before is None or slow_before is None:
            return Stay(kind=StayKind.WARMING_UP, why=f"Bar {evidence.number} of {self.slow + 1} needed.")
        now = f"mean of {self.fast} is {fast:.6g}, of {self.slow} {slow:.6g}"
        if fast_before <= slow_before and fast > slow:
            if holding is None:
                return Enter(side=Side.BUY, why=f"Crossed up: {now}.")
            return Stay(kind=StayKind.HOLDING, why=f"Crossed up, already held: {now}.")
        if fast_before >= slow_before and fast < slow and holding is not None:
            return Exit(why=f"Crossed down: {now}.")
        if holding is not None:
            return Stay(kind=StayKind.HOLDING, why=f"No cross down: {now}.")
        return Stay(kind=StayKind.NO_OPINION, why=f"No cross up: {now}.")


def _mean(values: np.ndarray, length: int) -> np.ndarray:
    """Mean of the last `length` values, NaN before there are as many; each window summed on its own.

    A running sum would carry rounding from bar to bar, and two equal means might then seem to cross.
    """
    out = np.full(values.shape, np.nan)
    if len(values) >= length:
        windows = np.lib.stride_tricks.sliding_window_view(values, length)
        out[length - 1 :] = windows.mean(axis=1)
    return out


def _before(values: np.ndarray) -> np.ndarray:
    out = np.full(values.shape, np.nan)
    out[1:] = values[:-1]
    return out
