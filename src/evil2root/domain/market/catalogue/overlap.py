"""Averages, bands and stops that lie over the price.

Lengths are the usual ones of the trade. Warm-ups are TA-Lib's; a recursive average (DEMA, KAMA, T3, ...) still
carries its seed for some lengths after that.
"""

from evil2root.domain.market.catalogue.entry import HL, HLC, POSITIVE, PRICE, RATIO, C, by_talib
from evil2root.domain.market.indicators import Indicator

OVERLAP: tuple[Indicator, ...] = (
    by_talib("WMA", C, {"wma_20": POSITIVE}, warm_up=19, timeperiod=20),
    by_talib("DEMA", C, {"dema_20": PRICE}, warm_up=38, timeperiod=20),
    by_talib("TEMA", C, {"tema_20": PRICE}, warm_up=57, timeperiod=20),
    by_talib("TRIMA", C, {"trima_20": POSITIVE}, warm_up=19, timeperiod=20),
    by_talib("KAMA", C, {"kama_20": POSITIVE}, warm_up=20, timeperiod=20),
    by_talib("T3", C, {"t3_5": PRICE}, warm_up=24, timeperiod=5, vfactor=0.7),
    by_talib("HMA", C, {"hma_20": PRICE}, warm_up=22, timeperiod=20),
    by_talib("RMA", C, {"rma_20": POSITIVE}, warm_up=19, timeperiod=20),
    by_talib("ZLEMA", C, {"zlema_20": PRICE}, warm_up=28, timeperiod=20),
    by_talib("VWMA", ("close", "volume"), {"vwma_20": POSITIVE}, warm_up=19, timeperiod=20),
    by_talib("MAMA", C, {"mama": POSITIVE, "fama": POSITIVE}, warm_up=32, fastlimit=0.5, slowlimit=0.05),
    by_talib("HT_TRENDLINE", C, {"ht_trendline": POSITIVE}, warm_up=63),
    by_talib("MIDPOINT", C, {"midpoint_14": POSITIVE}, warm_up=13, timeperiod=14),
    by_talib("MIDPRICE", HL, {"midprice_14": POSITIVE}, warm_up=13, timeperiod=14),
    by_talib("SAR", HL, {"sar": POSITIVE}, warm_up=1, acceleration=0.02, maximum=0.2),
    by_talib(
        "SUPERTREND",
        HLC,
        {"supertrend_10": PRICE, "supertrend_side_10": (RATIO[0], -1.0, 1.0)},
        warm_up=10,
        timeperiod=10,
        multiplier=3.0,
    ),
    by_talib(
        "KC",
        HLC,
        {"keltner_upper_20": PRICE, "keltner_mid_20": POSITIVE, "keltner_lower_20": PRICE},
        warm_up=19,
        timeperiod=20,
        atrperiod=10,
        nbdev=2.0,
    ),
    by_talib(
        "ACCBANDS",
        HLC,
        {"acceleration_upper_20": POSITIVE, "acceleration_mid_20": POSITIVE, "acceleration_lower_20": PRICE},
        warm_up=19,
        timeperiod=20,
    ),
    by_talib("LINEARREG", C, {"linearreg_14": PRICE}, warm_up=13, timeperiod=14),
    by_talib("TSF", C, {"tsf_14": PRICE}, warm_up=13, timeperiod=14),
    by_talib("AVGPRICE", ("open", *HLC), {"average_price": POSITIVE}, warm_up=0),
    by_talib("MEDPRICE", HL, {"median_price": POSITIVE}, warm_up=0),
    by_talib("TYPPRICE", HLC, {"typical_price": POSITIVE}, warm_up=0),
    by_talib("WCLPRICE", HLC, {"weighted_close": POSITIVE}, warm_up=0),
    by_talib(
        "HA",
        ("open", *HLC),
        {"heikin_open": POSITIVE, "heikin_high": POSITIVE, "heikin_low": POSITIVE, "heikin_close": POSITIVE},
        warm_up=0,
    ),
)
