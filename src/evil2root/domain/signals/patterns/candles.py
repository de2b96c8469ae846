"""TA-Lib's candlesticks as patterns: one point, the bar that completes them."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.catalogue.candles import CANDLES
from evil2root.domain.market.indicators import Indicator
from evil2root.domain.market.lean_talib import talib
from evil2root.domain.signals.patterns.detect import Pattern, pattern_id
from evil2root.domain.signals.patterns.shape import Direction

FULL = 100.0
"""TA-Lib's number for a pattern; 80 is a weaker form, 200 one that the next bar confirmed."""
RANGE_BARS = 14
"""The target is one average range of so many bars away."""


def candlesticks(
    bars: pl.DataFrame, *, symbol: str, interval: Interval, indicators: Sequence[Indicator] = CANDLES
) -> tuple[Pattern, ...]:
    """Every candlestick pattern of a series, oldest first, named as in TA-Lib (`CDLENGULFING`).

    Breakout is the completing bar's high (bullish) or low, invalidation its other end, the target one average true
    range beyond the breakout. No target, no pattern: the first 14 bars have none, nor has a market that stands still.
    Known at that bar's close.
    """
    if bars.height <= RANGE_BARS:
        return ()
    arrays = [bars[name].to_numpy() for name in ("open", "high", "low", "close")]
    high, low = arrays[1], arrays[2]
    span = talib.ATR(high, low, arrays[3], RANGE_BARS)
    opened, closed = bars["opened_at"], bars["closed_at"]
    found = []
    for indicator in indicators:
        (values,) = indicator.series(dict(zip(indicator.inputs, arrays, strict=True)))
        kind = indicator.name.upper()
        for row in np.flatnonzero((values != 0.0) & np.isfinite(span)):
            rises = values[row] > 0.0
            edge, guard = (high[row], low[row]) if rises else (low[row], high[row])
            at = opened[int(row)]
            target = float(edge + span[row] if rises else edge - span[row])
            direction = Direction.UP if rises else Direction.DOWN
            if target > 0.0 and target != edge:
                found.append(Pattern(
                    id=pattern_id(symbol, interval, kind, direction, [at]), kind=kind,
                    direction=direction, points=((at, float(arrays[3][row])),),
                    quality=min(1.0, abs(float(values[row])) / FULL), confirmed_at=closed[int(row)],
                    breakout=float(edge), target=target, invalidation=float(guard),
                ))  # fmt: skip
    return tuple(sorted(found, key=lambda pattern: (pattern.confirmed_at, pattern.kind)))
