"""Volume and volatility.

AD, NVI, PVI, PVT and VWAP run on from the first bar of the table: their changes mean something, their level only
together with that first bar. VWAP here is anchored there, not at each session's start.
"""

from math import inf

from evil2root.domain.market.catalogue.entry import (
    CV,
    HL,
    HLC,
    HLCV,
    PERCENT,
    POINTS,
    POSITIVE,
    RATIO,
    VOLUME,
    C,
    V,
    by_talib,
)
from evil2root.domain.market.indicators import Indicator

_MULTIPLE = (RATIO[0], 0.0, inf)

FLOW: tuple[Indicator, ...] = (
    by_talib("AD", HLCV, {"accumulation": VOLUME}, warm_up=0),
    by_talib("ADOSC", HLCV, {"accumulation_oscillator": VOLUME}, warm_up=9, fastperiod=3, slowperiod=10),
    by_talib("CMF", HLCV, {"cmf_20": (RATIO[0], -1.0, 1.0)}, warm_up=19, timeperiod=20),
    by_talib("NVI", CV, {"nvi": POINTS}, warm_up=0),
    by_talib("PVI", CV, {"pvi": POINTS}, warm_up=0),
    by_talib("PVO", V, {"pvo": POINTS}, warm_up=25, fastperiod=12, slowperiod=26, matype=1),
    by_talib("PVT", CV, {"pvt": VOLUME}, warm_up=0),
    by_talib("VWAP", HLCV, {"vwap": POSITIVE}, warm_up=0),
    by_talib("ADR", HL, {"average_range_14": POSITIVE}, warm_up=13, timeperiod=14),
    by_talib("CVI", HL, {"chaikin_volatility_10": POINTS}, warm_up=19, timeperiod=10, rocperiod=10),
    by_talib("MASSI", HL, {"mass_index": _MULTIPLE}, warm_up=40, fastperiod=9, slowperiod=25),
    by_talib("NATR", HLC, {"natr_14": (POINTS[0], 0.0, inf)}, warm_up=14, timeperiod=14),
    by_talib("RVI", C, {"relative_volatility_14": PERCENT}, warm_up=22, still=23, timeperiod=14, stddevperiod=10),
    by_talib("TRANGE", HLC, {"true_range": POSITIVE}, warm_up=1),
)
