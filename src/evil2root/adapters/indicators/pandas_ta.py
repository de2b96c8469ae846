"""What TA-Lib lacks, by pandas-ta-classic, in the same registry.

The library is imported when the first of these is computed, never at start: no decision uses any of them. Left out
are those that look ahead by their making (a chikou span, a centred mean), those without a unit of ours, those that
TA-Lib has, ALMA, whose weights 0.8.32 turns around (the oldest bars weigh most), and STC and EBSW, which
`catalogue/cycles.py` has by their definitions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from math import inf
from typing import Any

import numpy as np

from evil2root.domain.market.catalogue.registry import BY_TALIB, Registry
from evil2root.domain.market.indicators import Column, Floats, Indicator, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class PandasTa:
    """A pandas-ta function by name, its outputs by position."""

    function: str
    takes: tuple[str, ...]
    """The library's names of the inputs, in the order given."""
    outputs: tuple[int, ...]
    warm_up: int
    """Rows without a value: the library fills some of them by other means than its formula."""

    def __call__(self, *inputs: Floats, **params: float) -> tuple[Floats, ...]:
        """One array an output; all NaN where the series is shorter than the library wants."""
        nothing = tuple(np.full(inputs[0].size, np.nan) for _ in self.outputs)
        if inputs[0].size <= self.warm_up:
            return nothing
        pandas = import_module("pandas")
        # It hands TA-Lib its Series, which TA-Lib was imported without (`lean_talib`): it looks for them under this name.
        setattr(import_module("talib"), "_pd_Series", pandas.Series)  # noqa: B010
        compute: Callable[..., Any] = getattr(import_module("pandas_ta_classic"), self.function)
        series = {name: pandas.Series(values) for name, values in zip(self.takes, inputs, strict=True)}
        made = compute(**series, **params)
        if made is None:
            return nothing
        table = made.to_numpy(dtype=np.float64, na_value=np.nan).reshape(inputs[0].size, -1)
        columns = tuple(table[:, at].copy() for at in self.outputs)
        for column in columns:
            column[: self.warm_up] = np.nan
        return columns


_PRICE = (Unit.PRICE, -inf, inf)
_POSITIVE = (Unit.PRICE, 0.0, inf)
_POINTS = (Unit.POINTS, -inf, inf)
_PERCENT = (Unit.POINTS, 0.0, 100.0)
_RATIO = (Unit.RATIO, -inf, inf)
_FLAG = (Unit.RATIO, 0.0, 1.0)
_TAKEN_AS = {"open": "open_"}


def _entry(
    function: str,
    inputs: str,
    columns: dict[str, tuple[int, tuple[Unit, float, float]]],
    *,
    warm_up: int,
    **params: float,
) -> Indicator:
    """Make an entry; `columns` say which output each is, and its shape."""
    names = tuple(inputs.split())
    return Indicator(
        name=function,
        compute=PandasTa(
            function=function,
            takes=tuple(_TAKEN_AS.get(name, name) for name in names),
            outputs=tuple(at for at, _ in columns.values()),
            warm_up=warm_up,
        ),
        inputs=names,
        params=tuple(params.items()),
        columns=tuple(
            Column(name=name, unit=unit, warm_up=warm_up, low=low, high=high)
            for name, (_, (unit, low, high)) in columns.items()
        ),
    )


BY_PANDAS_TA: tuple[Indicator, ...] = (
    _entry("mcgd", "close", {"mcginley_10": (0, _POSITIVE)}, warm_up=9, length=10),
    _entry("pwma", "close", {"pascal_wma_10": (0, _POSITIVE)}, warm_up=9, length=10),
    _entry("sinwma", "close", {"sine_wma_14": (0, _POSITIVE)}, warm_up=13, length=14),
    _entry("swma", "close", {"symmetric_wma_10": (0, _POSITIVE)}, warm_up=9, length=10),
    _entry("ssf", "close", {"super_smoother_10": (0, _PRICE)}, warm_up=9, length=10, poles=2),
    _entry("vidya", "close", {"vidya_14": (0, _POSITIVE)}, warm_up=14, length=14),
    _entry("hilo", "high low close", {"gann_hilo": (0, _POSITIVE)}, warm_up=21, high_length=13, low_length=21),
    _entry("cksp", "high low close", {"kroll_stop_long": (0, _PRICE), "kroll_stop_short": (1, _PRICE)}, warm_up=18, p=10, x=1, q=9),
    _entry("chop", "high low close", {"choppiness_14": (0, (Unit.POINTS, 0.0, inf))}, warm_up=14, length=14, atr_length=1),
    _entry("psl", "close", {"psychological_12": (0, _PERCENT)}, warm_up=12, length=12),
    _entry("cti", "close", {"correlation_trend_12": (0, (Unit.RATIO, -1.0, 1.0))}, warm_up=11, length=12),
    _entry("fisher", "high low", {"fisher_9": (0, _POINTS), "fisher_signal_9": (1, _POINTS)}, warm_up=9, length=9, signal=1),
    _entry("kst", "close", {"kst": (0, _POINTS), "kst_signal": (1, _POINTS)}, warm_up=53, signal=9),
    _entry("lrsi", "close", {"laguerre_rsi": (0, _PERCENT)}, warm_up=13, length=14, gamma=0.5),
    _entry("pgo", "high low close", {"pretty_good_14": (0, _POINTS)}, warm_up=27, length=14),
    _entry("qqe", "close", {"qqe": (0, _POINTS), "qqe_rsi": (1, _PERCENT)}, warm_up=71, length=14, smooth=5, factor=4.236),
    _entry("rvgi", "open high low close", {"rvgi_14": (1, _RATIO), "rvgi_signal_14": (2, _RATIO)}, warm_up=19, length=14, swma_length=4),
    _entry("bias", "close", {"bias_26": (0, _RATIO)}, warm_up=25, length=26),
    _entry("cfo", "close", {"forecast_oscillator_9": (0, _POINTS)}, warm_up=8, length=9),
    _entry("cg", "close", {"centre_of_gravity_10": (0, _POINTS)}, warm_up=9, length=10),
    _entry("aberration", "high low close", {"aberration_mid": (0, _PRICE), "aberration_upper": (1, _PRICE), "aberration_lower": (2, _PRICE)}, warm_up=15, length=5, atr_length=15),
    _entry("pdist", "open high low close", {"price_distance": (0, _PRICE)}, warm_up=1),
    _entry("ui", "close", {"ulcer_14": (0, (Unit.POINTS, 0.0, inf))}, warm_up=26, length=14),
    _entry("kvo", "high low close volume", {"klinger": (0, (Unit.VOLUME, -inf, inf)), "klinger_signal": (1, (Unit.VOLUME, -inf, inf))}, warm_up=66, fast=34, slow=55, signal=13),
    _entry("vosc", "volume", {"volume_oscillator": (0, _POINTS)}, warm_up=27, fast=14, slow=28),
    _entry("entropy", "close", {"entropy_10": (0, (Unit.RATIO, 0.0, inf))}, warm_up=18, length=10, base=2.0),
    _entry("kurtosis", "close", {"kurtosis_30": (0, _RATIO)}, warm_up=29, length=30),
    _entry("skew", "close", {"skew_30": (0, _RATIO)}, warm_up=29, length=30),
    _entry("mad", "close", {"mad_30": (0, _POSITIVE)}, warm_up=29, length=30),
    _entry("zscore", "close", {"zscore_30": (0, _RATIO)}, warm_up=29, length=30, std=1.0),
    _entry("ichimoku", "high low close", {"ichimoku_span_a": (0, _POSITIVE), "ichimoku_span_b": (1, _POSITIVE), "ichimoku_tenkan": (2, _POSITIVE), "ichimoku_kijun": (3, _POSITIVE)}, warm_up=77, tenkan=9, kijun=26, senkou=52, include_chikou=False, as_dataframe=True),
    _entry("ttm_trend", "high low close", {"ttm_trend_6": (0, (Unit.RATIO, -1.0, 1.0))}, warm_up=5, length=6),
    _entry("jma", "close", {"jma_7": (0, _PRICE)}, warm_up=6, length=7, phase=0.0),
    _entry("stderr", "close", {"stderr_14": (0, _POSITIVE)}, warm_up=13, length=14),
)  # fmt: skip

REGISTRY = Registry((*BY_TALIB, *BY_PANDAS_TA))
"""Every indicator there is."""
