"""Statistics of a window of closes, and Ehlers' cycle measures.

Left out of TA-Lib's list: VAR and LINEARREG_ANGLE (not in any unit of ours: the one is price squared, the other the
arc tangent of a price), MA, MAVP, MACDEXT, SAREXT (other entries with free parameters), BETA and CORREL (they want two
instruments: `cross.py`), FOSC and FRACTAL, EFI and MARKETFI (price times or over volume: no unit of ours).
PERCENTILE is the nearest rank: of an even number of values the median is the lower of the middle two.
"""

from math import inf

from evil2root.domain.market.catalogue.entry import PERCENT, POINTS, POSITIVE, PRICE, RATIO, C, by_talib
from evil2root.domain.market.indicators import Indicator

_WAVE = (RATIO[0], -1.0, 1.0)

STATISTIC: tuple[Indicator, ...] = (
    by_talib("LINEARREG_SLOPE", C, {"linearreg_slope_14": PRICE}, warm_up=13, timeperiod=14),
    by_talib("LINEARREG_INTERCEPT", C, {"linearreg_intercept_14": PRICE}, warm_up=13, timeperiod=14),
    by_talib("STDDEV", C, {"stddev_20": POSITIVE}, warm_up=19, timeperiod=20, nbdev=1.0),
    by_talib("AVGDEV", C, {"avgdev_14": POSITIVE}, warm_up=13, timeperiod=14),
    by_talib("PERCENTILE", C, {"median_30": POSITIVE}, warm_up=29, timeperiod=30, percentile=50.0),
    by_talib("PERCENTRANK", C, {"percent_rank_100": PERCENT}, warm_up=100, still=101, timeperiod=100),
    by_talib("HT_DCPERIOD", C, {"cycle_period": (POINTS[0], 0.0, inf)}, warm_up=32, still=33),
    by_talib("HT_DCPHASE", C, {"cycle_phase": POINTS}, warm_up=63, still=64),
    by_talib("HT_SINE", C, {"cycle_sine": _WAVE, "cycle_lead_sine": _WAVE}, warm_up=63, still=64),
    by_talib("HT_TRENDMODE", C, {"trend_mode": (RATIO[0], 0.0, 1.0)}, warm_up=63, still=64),
)
