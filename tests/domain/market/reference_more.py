"""Less common indicators once more: see `reference.py`."""

from collections.abc import Mapping
from math import comb

import numpy as np

from evil2root.domain.market.indicators import Floats
from tests.domain.market.reference import (
    Bars,
    Reference,
    ago,
    bottom,
    ema,
    mean,
    rolling,
    top,
    true_range,
    typical,
    wilder,
)
from tests.domain.market.reference_core import change, rsi


def by_weights(values: Floats, weights: Floats) -> Floats:
    """Weighted mean, the last weight the newest bar's."""
    return rolling(values, weights.size, lambda w: float(w @ weights / weights.sum()))


def roc(values: Floats, bars: int) -> Floats:
    return 100.0 * (values / ago(values, bars) - 1.0)


def t3(v: Floats) -> Floats:
    """Tillson: six exponential means of each other, volume factor 0.7."""
    made = [v]
    for _ in range(6):
        made.append(ema(made[-1], 5))
    a = 0.7
    return (
        -(a**3) * made[6] + 3.0 * (a**2 + a**3) * made[5] - 3.0 * (2.0 * a**2 + a + a**3) * made[4]
        + (1.0 + 3.0 * a + a**3 + 3.0 * a**2) * made[3]
    )  # fmt: skip


def sar(b: Bars) -> Floats:
    """Wilder's stop and reverse; the first side is that of the first bar's larger move, falling only when lows led."""
    high, low = b["high"], b["low"]
    fell, rose = low[0] - low[1], high[1] - high[0]
    is_long = not (fell > 0.0 and fell > rose)
    far, stop = (high[1], low[0]) if is_long else (low[1], high[0])
    share, made = 0.02, np.full(high.size, np.nan)
    for row in range(1, high.size):
        before = (row - 1, row) if row > 1 else (row, row)
        if (low[row] <= stop) if is_long else (high[row] >= stop):
            is_long, share = not is_long, 0.02
            stop = max(far, *high[list(before)]) if not is_long else min(far, *low[list(before)])
            made[row], far = stop, low[row] if not is_long else high[row]
        else:
            made[row] = stop
            if (high[row] > far) if is_long else (low[row] < far):
                far, share = (high[row] if is_long else low[row]), min(share + 0.02, 0.2)
        stop += share * (far - stop)
        stop = min(stop, *low[list(before)]) if is_long else max(stop, *high[list(before)])
    return made


def supertrend(b: Bars) -> tuple[Floats, Floats]:
    """Bands of three true ranges around the middle that only come closer, until a close goes through."""
    span, close = 3.0 * wilder(true_range(b), 10), b["close"]
    upper, lower = (b["high"] + b["low"]) / 2.0 + span, (b["high"] + b["low"]) / 2.0 - span
    side, made = np.full(close.size, np.nan), np.full(close.size, np.nan)
    side[10] = 1.0
    made[10] = lower[10]
    for row in range(11, close.size):
        if close[row - 1] <= upper[row - 1]:
            upper[row] = min(upper[row], upper[row - 1])
        if close[row - 1] >= lower[row - 1]:
            lower[row] = max(lower[row], lower[row - 1])
        was_up = side[row - 1] > 0.0
        side[row] = (-1.0 if close[row] < lower[row] else 1.0) if was_up else (1.0 if close[row] > upper[row] else -1.0)
        made[row] = lower[row] if side[row] > 0.0 else upper[row]
    return made, side


def keltner(b: Bars) -> tuple[Floats, Floats, Floats]:
    """Both begin on one bar: the range is seeded by the ten up to the mean's first."""
    late = np.where(np.arange(b["close"].size) < 10, np.nan, true_range(b))
    centre, span = ema(typical(b), 20), 2.0 * wilder(late, 10)
    return centre + span, centre, centre - span


def acceleration(b: Bars) -> tuple[Floats, Floats, Floats]:
    width = 4.0 * (b["high"] - b["low"]) / (b["high"] + b["low"])
    return mean(b["high"] * (1.0 + width), 20), mean(b["close"], 20), mean(b["low"] * (1.0 - width), 20)


def kdj(b: Bars) -> tuple[Floats, Floats, Floats]:
    low = bottom(b["low"], 9)
    k = wilder(100.0 * (b["close"] - low) / (top(b["high"], 9) - low), 3)
    d = wilder(k, 3)
    return k, d, 3.0 * k - 2.0 * d


def smi(b: Bars) -> tuple[Floats, Floats]:
    highest, lowest = top(b["high"], 13), bottom(b["low"], 13)
    made = 200.0 * ema(ema(b["close"] - (highest + lowest) / 2.0, 25), 2) / ema(ema(highest - lowest, 25), 2)
    return made, ema(made, 9)


def stochastic_rsi(b: Bars) -> tuple[Floats, Floats]:
    strength = rsi(b["close"], 14)
    low = bottom(strength, 14)
    k = 100.0 * (strength - low) / (top(strength, 14) - low)
    return k, mean(k, 3)


def williams(b: Bars) -> Floats:
    before, c = ago(b["close"], 1), b["close"]
    step = np.where(c > before, c - np.minimum(b["low"], before), c - np.maximum(b["high"], before))
    step = np.where((c == before) | np.isnan(before), 0.0, step)
    return np.cumsum(step)


def volume_index(b: Bars, *, rising: bool) -> Floats:
    more = np.diff(b["volume"], prepend=b["volume"][0])
    counts = more > 0.0 if rising else more < 0.0
    factors: Floats = np.where(counts, b["close"] / np.append(b["close"][0], b["close"][:-1]), 1.0)
    return 1000.0 * np.multiply.accumulate(factors)


def price_volume(b: Bars) -> Floats:
    return np.cumsum(np.nan_to_num(b["close"] / ago(b["close"], 1) - 1.0) * b["volume"])


def relative_volatility(b: Bars) -> Floats:
    spread, step = rolling(b["close"], 10, lambda w: float(w.std())), change(b["close"])
    known = np.where(np.isnan(spread), np.nan, 0.0)
    up, down = (wilder(np.where(way > 0.0, spread, known), 14) for way in (step, -step))
    return 100.0 * up / (up + down)


def mass(b: Bars) -> Floats:
    once = ema(b["high"] - b["low"], 9)
    return 25.0 * mean(once / ema(once, 9), 25)


def mcginley(v: Floats) -> Floats:
    made = v.copy()
    for row in range(1, v.size):
        made[row] = made[row - 1] + (v[row] - made[row - 1]) / (10.0 * (v[row] / made[row - 1]) ** 4)
    return made


def moment(values: Floats, length: int, power: int) -> Floats:
    """Sample skew (3) or excess kurtosis (4), corrected for bias."""

    def value(w: Floats) -> float:
        n, z = float(length), (w - w.mean()) / w.std(ddof=1)
        if power == 3:
            return float(n / (n - 1) / (n - 2) * (z**3).sum())
        return float(n * (n + 1) / (n - 1) / (n - 2) / (n - 3) * (z**4).sum() - 3 * (n - 1) ** 2 / (n - 2) / (n - 3))

    return rolling(values, length, value)


def entropy(w: Floats) -> float:
    share = w / w.sum()
    return -float((share * np.log2(share)).sum())


def middle(b: Bars, n: int) -> Floats:
    return (top(b["high"], n) + bottom(b["low"], n)) / 2.0


def ichimoku(b: Bars) -> tuple[Floats, ...]:
    turn, base = middle(b, 9), middle(b, 26)
    return ago((turn + base) / 2.0, 26), ago(middle(b, 52), 26), turn, base


def sure(b: Bars) -> tuple[Floats, Floats]:
    """Pring's Know Sure Thing of rates in percent; pandas-ta takes it times a hundred once more."""
    pairs = ((10, 10, 1.0), (15, 10, 2.0), (20, 10, 3.0), (30, 15, 4.0))
    made = 100.0 * sum(((weight * mean(roc(b["close"], ago_), of)) for ago_, of, weight in pairs), start=np.zeros(1))
    return made, mean(made, 9)


def kroll(b: Bars) -> tuple[Floats, Floats]:
    span = wilder(true_range(b), 10)
    return top(top(b["high"], 10) - span, 9), bottom(bottom(b["low"], 10) + span, 9)


def gravity(v: Floats) -> Floats:
    places = np.arange(10.0, 0.0, -1.0)
    return rolling(v, 10, lambda w: -float(w @ places / w.sum()))


def vigour(b: Bars) -> tuple[Floats, Floats]:
    four = np.array([1.0, 2.0, 2.0, 1.0])
    up, span = by_weights(b["close"] - b["open"], four), by_weights(b["high"] - b["low"], four)
    made = mean(up, 14) / mean(span, 14)
    return made, by_weights(made, four)


def distance(b: Bars) -> tuple[Floats]:
    gap = np.abs(b["open"] - ago(b["close"], 1))
    return (2.0 * (b["high"] - b["low"]) + gap - np.abs(b["close"] - b["open"]),)


def zero_lag(v: Floats) -> Floats:
    return ema(2.0 * v - ago(v, 9), 20)


def percent_rank(v: Floats) -> Floats:
    return rolling(v, 101, lambda w: 100.0 * float((w[:-1] < w[-1]).mean()))


def correlation(w: Floats) -> float:
    return float(np.corrcoef(w, np.arange(w.size))[0, 1])


MORE: Mapping[str, Reference] = {
    "t3": lambda b: (t3(b["close"]),),
    "zlema": lambda b: (zero_lag(b["close"]),),
    "sar": lambda b: (sar(b),),
    "supertrend": supertrend,
    "kc": keltner,
    "accbands": acceleration,
    "kdj": kdj,
    "smi": smi,
    "stochrsi": stochastic_rsi,
    "wad": lambda b: (williams(b),),
    "nvi": lambda b: (volume_index(b, rising=False),),
    "pvi": lambda b: (volume_index(b, rising=True),),
    "pvo": lambda b: (100.0 * (ema(b["volume"], 12) / ema(b["volume"], 26) - 1.0),),
    "pvt": lambda b: (price_volume(b),),
    "cvi": lambda b: (roc(ema(b["high"] - b["low"], 10), 10),),
    "massi": lambda b: (mass(b),),
    "rvi": lambda b: (relative_volatility(b),),
    "percentrank": lambda b: (percent_rank(b["close"]),),
    "mcgd": lambda b: (mcginley(b["close"]),),
    "pwma": lambda b: (by_weights(b["close"], np.array([float(comb(9, k)) for k in range(10)])),),
    "sinwma": lambda b: (by_weights(b["close"], np.sin(np.pi * np.arange(1.0, 15.0) / 15.0)),),
    "swma": lambda b: (by_weights(b["close"], np.array([1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 4.0, 3.0, 2.0, 1.0])),),
    "cksp": kroll,
    "cti": lambda b: (rolling(b["close"], 12, correlation),),
    "kst": sure,
    # Johnson divides by an exponential mean of true ranges; pandas-ta by one of their Wilder mean.
    "pgo": lambda b: ((b["close"] - mean(b["close"], 14)) / ema(wilder(true_range(b), 14), 14),),
    "rvgi": vigour,
    "cg": lambda b: (gravity(b["close"]),),
    "pdist": distance,
    "vosc": lambda b: (100.0 * (mean(b["volume"], 14) / mean(b["volume"], 28) - 1.0),),
    "entropy": lambda b: (rolling(b["close"], 10, entropy),),
    "kurtosis": lambda b: (moment(b["close"], 30, 4),),
    "skew": lambda b: (moment(b["close"], 30, 3),),
    "ichimoku": ichimoku,
    "ttm_trend": lambda b: (np.where(b["close"] > mean((b["high"] + b["low"]) / 2.0, 6), 1.0, -1.0),),
    "stderr": lambda b: (rolling(b["close"], 14, lambda w: float(w.std(ddof=1) / 14.0**0.5)),),
}
