"""Indicators once more, in the plainest numpy there is, to compare with: slow, written from the definitions alone.

Each takes the five arrays of a series and gives one array a column, NaN where it says nothing.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from evil2root.domain.market.indicators import Floats

Bars = Mapping[str, Floats]
Reference = Callable[[Bars], tuple[Floats, ...]]


def rolling(values: Floats, length: int, of: Callable[[Floats], float]) -> Floats:
    """`of` over each window of the last `length` values."""
    made = np.full(values.size, np.nan)
    if values.size >= length:
        made[length - 1 :] = [of(window) for window in sliding_window_view(values, length)]
    return made


def mean(values: Floats, length: int) -> Floats:
    return rolling(values, length, lambda w: float(w.mean()))


def top(values: Floats, length: int) -> Floats:
    return rolling(values, length, lambda w: float(w.max()))


def bottom(values: Floats, length: int) -> Floats:
    return rolling(values, length, lambda w: float(w.min()))


def weighted(values: Floats, length: int) -> Floats:
    weights = np.arange(1.0, length + 1.0)
    return rolling(values, length, lambda w: float(w @ weights / weights.sum()))


def smoothed(values: Floats, length: int, share: float) -> Floats:
    """Exponential mean that starts with the plain mean of the first `length` values there are."""
    made = np.full(values.size, np.nan)
    known = np.flatnonzero(~np.isnan(values))
    if known.size < length:
        return made
    start = known[0] + length - 1
    made[start] = values[known[0] : start + 1].mean()
    for row in range(start + 1, values.size):
        made[row] = made[row - 1] + share * (values[row] - made[row - 1])
    return made


def ema(values: Floats, length: int) -> Floats:
    return smoothed(values, length, 2.0 / (length + 1.0))


def wilder(values: Floats, length: int) -> Floats:
    return smoothed(values, length, 1.0 / length)


def ago(values: Floats, bars: int) -> Floats:
    return np.concatenate((np.full(bars, np.nan), values[:-bars]))[: values.size]


def typical(b: Bars) -> Floats:
    return (b["high"] + b["low"] + b["close"]) / 3.0


def true_range(b: Bars) -> Floats:
    before = ago(b["close"], 1)
    return np.maximum(b["high"], before) - np.minimum(b["low"], before)


def money_flow_volume(b: Bars) -> Floats:
    span = b["high"] - b["low"]
    place = (2.0 * b["close"] - b["high"] - b["low"]) / np.where(span > 0.0, span, 1.0)
    return np.where(span > 0.0, place, 0.0) * b["volume"]


def dema(v: Floats, n: int) -> Floats:
    once = ema(v, n)
    return 2.0 * once - ema(once, n)


def tema(v: Floats, n: int) -> Floats:
    once = ema(v, n)
    twice = ema(once, n)
    return 3.0 * once - 3.0 * twice + ema(twice, n)


def kama(v: Floats, n: int) -> Floats:
    made = np.full(v.size, np.nan)
    last = v[n - 1]
    for row in range(n, v.size):
        moved = abs(v[row] - v[row - n])
        way = np.abs(np.diff(v[row - n : row + 1])).sum()
        ratio = 1.0 if way == 0.0 else moved / way
        share = (ratio * (2.0 / 3.0 - 2.0 / 31.0) + 2.0 / 31.0) ** 2
        last = last + share * (v[row] - last)
        made[row] = last
    return made


def hull(v: Floats, n: int) -> Floats:
    return weighted(2.0 * weighted(v, n // 2) - weighted(v, n), int(n**0.5))


def line(v: Floats, n: int, at: float) -> Floats:
    """The least-squares line of each window, at position `at` (0 is its first bar)."""
    x = np.arange(float(n))

    def value(w: Floats) -> float:
        slope, start = np.polyfit(x, w, 1)
        return float(start + slope * at)

    return rolling(v, n, value)


def slope(v: Floats, n: int) -> Floats:
    return line(v, n, 1.0) - line(v, n, 0.0)


def since(values: Floats, length: int, *, highest: bool) -> Floats:
    """Bars since the newest extreme of the last `length + 1` bars."""

    def bars(w: Floats) -> float:
        turned = w[::-1]
        return float(np.argmax(turned) if highest else np.argmin(turned))

    return rolling(values, length + 1, bars)


def aroon(b: Bars) -> tuple[Floats, Floats]:
    up = 100.0 * (14 - since(b["high"], 14, highest=True)) / 14
    down = 100.0 * (14 - since(b["low"], 14, highest=False)) / 14
    return down, up


def cci(b: Bars) -> tuple[Floats]:
    price = typical(b)
    spread = rolling(price, 20, lambda w: float(np.abs(w - w.mean()).mean()))
    return ((price - mean(price, 20)) / (0.015 * spread),)


def cmo(b: Bars) -> tuple[Floats]:
    change = np.diff(b["close"], prepend=np.nan)
    up, down = wilder(np.maximum(change, 0.0), 14), wilder(np.maximum(-change, 0.0), 14)
    return (100.0 * (up - down) / (up + down),)


def mfi(b: Bars) -> tuple[Floats]:
    price = typical(b)
    flow, change = price * b["volume"], np.diff(price, prepend=np.nan)
    up = rolling(np.where(change > 0.0, flow, 0.0)[1:], 14, lambda w: float(w.sum()))
    down = rolling(np.where(change < 0.0, flow, 0.0)[1:], 14, lambda w: float(w.sum()))
    return (np.concatenate(([np.nan], 100.0 * up / (up + down))),)


def ultimate(b: Bars) -> tuple[Floats]:
    before = ago(b["close"], 1)
    pressure = b["close"] - np.minimum(b["low"], before)
    span = true_range(b)

    def share(n: int) -> Floats:
        return mean(pressure, n) / mean(span, n)

    return (100.0 * (4.0 * share(7) + 2.0 * share(14) + share(28)) / 7.0,)


def fast_stochastic(b: Bars) -> tuple[Floats, Floats]:
    low = bottom(b["low"], 14)
    k = 100.0 * (b["close"] - low) / (top(b["high"], 14) - low)
    made = mean(k, 3)
    return np.where(np.isnan(made), np.nan, k), made


def vortex(b: Bars) -> tuple[Floats, Floats]:
    span = mean(true_range(b), 14)
    plus, minus = np.abs(b["high"] - ago(b["low"], 1)), np.abs(b["low"] - ago(b["high"], 1))
    return mean(plus, 14) / span, mean(minus, 14) / span


def trix(b: Bars) -> tuple[Floats]:
    thrice = ema(ema(ema(b["close"], 15), 15), 15)
    return (100.0 * (thrice / ago(thrice, 1) - 1.0),)


def tsi(b: Bars) -> tuple[Floats]:
    change = np.diff(b["close"], prepend=np.nan)
    return (100.0 * ema(ema(change, 25), 13) / ema(ema(np.abs(change), 25), 13),)


def directional(b: Bars) -> tuple[Floats]:
    """Wilder's running sums: the first holds one bar less than the length."""
    up, down = np.diff(b["high"], prepend=np.nan), -np.diff(b["low"], prepend=np.nan)
    moves = np.where((up > down) & (up > 0.0), up, 0.0), np.where((down > up) & (down > 0.0), down, 0.0)
    span = true_range(b)
    sums = [float(series[1:14].sum()) for series in (*moves, span)]
    made = np.full(up.size, np.nan)
    for row in range(14, up.size):
        sums = [s - s / 14 + float(series[row]) for s, series in zip(sums, (*moves, span), strict=True)]
        moved = sums[0] + sums[1]
        made[row] = 100.0 * abs(sums[0] - sums[1]) / moved if moved > 0.0 else np.nan
    return (made,)


def chaikin(b: Bars) -> tuple[Floats]:
    line_ = np.cumsum(money_flow_volume(b))

    def run(length: int) -> Floats:
        made, share = line_.copy(), 2.0 / (length + 1.0)
        for row in range(1, made.size):
            made[row] = made[row - 1] + share * (line_[row] - made[row - 1])
        return made

    made = run(3) - run(10)
    made[:9] = np.nan
    return (made,)


def heikin(b: Bars) -> tuple[Floats, ...]:
    close = (b["open"] + b["high"] + b["low"] + b["close"]) / 4.0
    opening = np.empty_like(close)
    opening[0] = (b["open"][0] + b["close"][0]) / 2.0
    for row in range(1, close.size):
        opening[row] = (opening[row - 1] + close[row - 1]) / 2.0
    return opening, np.maximum.reduce((b["high"], opening, close)), np.minimum.reduce((b["low"], opening, close)), close


def awesome(b: Bars) -> Floats:
    middle = (b["high"] + b["low"]) / 2.0
    return mean(middle, 5) - mean(middle, 34)


def relative_index(b: Bars) -> tuple[Floats]:
    gain = np.where(b["close"] > b["open"], b["close"] - b["open"], 0.0)
    loss = np.where(b["close"] < b["open"], b["open"] - b["close"], 0.0)
    return (100.0 * mean(gain, 14) / (mean(gain, 14) + mean(loss, 14)),)


def power(b: Bars) -> tuple[Floats]:
    span = b["high"] - b["low"]
    return (np.where(span > 0.0, (b["close"] - b["open"]) / np.where(span > 0.0, span, 1.0), 0.0),)


REFERENCES: Mapping[str, Reference] = {
    "wma": lambda b: (weighted(b["close"], 20),),
    "dema": lambda b: (dema(b["close"], 20),),
    "tema": lambda b: (tema(b["close"], 20),),
    "trima": lambda b: (mean(mean(b["close"], 10), 11),),
    "kama": lambda b: (kama(b["close"], 20),),
    "hma": lambda b: (hull(b["close"], 20),),
    "rma": lambda b: (wilder(b["close"], 20),),
    "vwma": lambda b: (mean(b["close"] * b["volume"], 20) / mean(b["volume"], 20),),
    "midpoint": lambda b: ((top(b["close"], 14) + bottom(b["close"], 14)) / 2.0,),
    "midprice": lambda b: ((top(b["high"], 14) + bottom(b["low"], 14)) / 2.0,),
    "linearreg": lambda b: (line(b["close"], 14, 13.0),),
    "tsf": lambda b: (line(b["close"], 14, 14.0),),
    "linearreg_slope": lambda b: (slope(b["close"], 14),),
    "linearreg_intercept": lambda b: (line(b["close"], 14, 0.0),),
    "stddev": lambda b: (rolling(b["close"], 20, lambda w: float(w.std())),),
    "avgdev": lambda b: (rolling(b["close"], 14, lambda w: float(np.abs(w - w.mean()).mean())),),
    "percentile": lambda b: (rolling(b["close"], 30, lambda w: float(np.sort(w)[14])),),
    "avgprice": lambda b: ((b["open"] + b["high"] + b["low"] + b["close"]) / 4.0,),
    "medprice": lambda b: ((b["high"] + b["low"]) / 2.0,),
    "typprice": lambda b: (typical(b),),
    "wclprice": lambda b: ((b["high"] + b["low"] + 2.0 * b["close"]) / 4.0,),
    "ha": heikin,
    "ao": lambda b: (awesome(b),),
    "ac": lambda b: (awesome(b) - mean(awesome(b), 5),),
    "apo": lambda b: ((ema(b["close"], 12) - ema(b["close"], 26)),),
    "ppo": lambda b: (100.0 * (ema(b["close"], 12) - ema(b["close"], 26)) / ema(b["close"], 26),),
    "dx": directional,
    "aroon": aroon,
    "aroonosc": lambda b: (aroon(b)[1] - aroon(b)[0],),
    "bop": power,
    "cci": cci,
    "cmo": cmo,
    "er": lambda b: (
        np.abs(b["close"] - ago(b["close"], 10)) / (10.0 * mean(np.abs(np.diff(b["close"], prepend=np.nan)), 10)),
    ),
    "eri": lambda b: (b["high"] - ema(b["close"], 13), b["low"] - ema(b["close"], 13)),
    "imi": relative_index,
    "mfi": mfi,
    "mom": lambda b: (b["close"] - ago(b["close"], 10),),
    "roc": lambda b: (100.0 * (b["close"] / ago(b["close"], 10) - 1.0),),
    "coppock": lambda b: (
        weighted(100.0 * (b["close"] / ago(b["close"], 11) + b["close"] / ago(b["close"], 14) - 2.0), 10),
    ),
    "qstick": lambda b: (mean(b["close"] - b["open"], 10),),
    "stochf": fast_stochastic,
    "trix": trix,
    "tsi": tsi,
    "ultosc": ultimate,
    "vhf": lambda b: (
        (top(b["close"], 28) - bottom(b["close"], 28)) / (28.0 * mean(np.abs(np.diff(b["close"], prepend=np.nan)), 28)),
    ),
    "vortex": vortex,
    "willr": lambda b: (-100.0 * (top(b["high"], 14) - b["close"]) / (top(b["high"], 14) - bottom(b["low"], 14)),),
    "ad": lambda b: (np.cumsum(money_flow_volume(b)),),
    "adosc": chaikin,
    "cmf": lambda b: (mean(money_flow_volume(b), 20) / mean(b["volume"], 20),),
    "vwap": lambda b: (np.cumsum(typical(b) * b["volume"]) / np.cumsum(b["volume"]),),
    "adr": lambda b: (mean(b["high"] - b["low"], 14),),
    "natr": lambda b: (100.0 * wilder(true_range(b), 14) / b["close"],),
    "trange": lambda b: (true_range(b),),
    "psl": lambda b: (100.0 * mean(np.where(np.diff(b["close"], prepend=np.nan) > 0.0, 1.0, 0.0), 12),),
    "bias": lambda b: (b["close"] / mean(b["close"], 26) - 1.0,),
    "cfo": lambda b: (100.0 * (b["close"] - line(b["close"], 9, 9.0)) / b["close"],),
    "mad": lambda b: (rolling(b["close"], 30, lambda w: float(np.abs(w - w.mean()).mean())),),
    "zscore": lambda b: (
        (b["close"] - mean(b["close"], 30)) / rolling(b["close"], 30, lambda w: float(w.std(ddof=1))),
    ),
    "ui": lambda b: (
        np.sqrt(mean((100.0 * (b["close"] / top(b["close"], 14) - 1.0)) ** 2, 14)),
    ),
    "chop": lambda b: (
        100.0 * np.log10(14.0 * mean(true_range(b), 14) / (top(b["high"], 14) - bottom(b["low"], 14))) / np.log10(14.0),
    ),
}  # fmt: skip
