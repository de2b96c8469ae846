"""TA-Lib's candlestick patterns: -100 (bearish), 0 or 100 (bullish); 200 where the next bar confirmed it (HIKKAKE).

Each is a column `cdl...`, named as in TA-Lib. Seven of them take a penetration (share of the first body).
"""

from evil2root.domain.market.catalogue.entry import OHLC, by_talib
from evil2root.domain.market.indicators import Indicator, Unit
from evil2root.domain.market.lean_talib import talib

_PENETRATION = {
    "CDLABANDONEDBABY": 0.3,
    "CDLDARKCLOUDCOVER": 0.5,
    "CDLEVENINGDOJISTAR": 0.3,
    "CDLEVENINGSTAR": 0.3,
    "CDLMATHOLD": 0.5,
    "CDLMORNINGDOJISTAR": 0.3,
    "CDLMORNINGSTAR": 0.3,
}


def _candle(name: str) -> Indicator:
    columns = {name.lower(): (Unit.POINTS, -200.0, 200.0)}
    if name in _PENETRATION:
        return by_talib(name, OHLC, columns, warm_up=0, penetration=_PENETRATION[name])
    return by_talib(name, OHLC, columns, warm_up=0)


CANDLES: tuple[Indicator, ...] = tuple(_candle(name) for name in sorted(dir(talib)) if name.startswith("CDL"))
"""TA-Lib says 0 while a pattern lacks its bars, so none has a warm-up."""
