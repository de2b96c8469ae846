"""What decisions are made from, and measures of our own, once more: see `reference.py`."""

from collections.abc import Mapping

import numpy as np

from evil2root.domain.market.indicators import Floats
from tests.domain.market.reference import Bars, Reference, ago, bottom, ema, mean, rolling, top, true_range, wilder


def change(values: Floats) -> Floats:
    return np.diff(values, prepend=np.nan)


def deviation(values: Floats, length: int) -> Floats:
    return rolling(values, length, lambda w: float(w.std(ddof=1)))


def logs(b: Bars) -> Floats:
    return change(np.log(b["close"]))


def rsi(v: Floats, n: int) -> Floats:
    up, down = wilder(np.maximum(change(v), 0.0), n), wilder(np.maximum(-change(v), 0.0), n)
    return 100.0 * up / (up + down)


def macd(b: Bars) -> tuple[Floats, Floats, Floats]:
    """Both means begin on one bar: the fast one is seeded by the 12 closes up to the slow one's first."""
    late = np.where(np.arange(b["close"].size) < 14, np.nan, b["close"])
    line = ema(late, 12) - ema(b["close"], 26)
    signal = ema(line, 9)
    return np.where(np.isnan(signal), np.nan, line), signal, line - signal


def bollinger(b: Bars) -> tuple[Floats, ...]:
    c, mid = b["close"], mean(b["close"], 20)
    spread = 2.0 * rolling(c, 20, lambda w: float(w.std()))
    place = np.where(spread > 1e-9 * mid, (c - mid + spread) / (2.0 * spread), np.nan)
    return mid + spread, mid, mid - spread, place, 2.0 * spread / mid


def moves(b: Bars) -> tuple[Floats, Floats]:
    up, down = change(b["high"]), -change(b["low"])
    return np.where((up > down) & (up > 0.0), up, 0.0), np.where((down > up) & (down > 0.0), down, 0.0)


def wilder_sum(values: Floats, length: int) -> Floats:
    """Wilder's running sum, seeded by one value less than the length."""
    made = np.full(values.size, np.nan)
    made[length - 1] = values[1:length].sum()
    for row in range(length, values.size):
        made[row] = made[row - 1] * (1.0 - 1.0 / length) + values[row]
    return made


def directional(b: Bars) -> tuple[Floats, Floats]:
    span = wilder_sum(true_range(b), 14)
    made = [100.0 * wilder_sum(move, 14) / span for move in moves(b)]
    for values in made:
        values[13] = np.nan
    return made[0], made[1]


def adx(b: Bars) -> Floats:
    """While neither direction moves, the last strength is kept; TA-Lib takes none for 0 before anything has moved."""
    plus, minus = directional(b)
    strength = 100.0 * np.abs(plus - minus) / (plus + minus)
    for row in range(14, strength.size):
        if not plus[row] + minus[row] > 0.0:
            strength[row] = strength[row - 1] if row > 14 else 0.0
    return wilder(strength, 14)


def stochastic(b: Bars) -> tuple[Floats, Floats]:
    low = bottom(b["low"], 14)
    k = mean(100.0 * (b["close"] - low) / (top(b["high"], 14) - low), 3)
    return k, mean(k, 3)


def obv(b: Bars) -> Floats:
    return np.cumsum(b["volume"] * np.sign(np.diff(b["close"], prepend=0.0)))


def volatility(b: Bars, length: int) -> Floats:
    return deviation(b["close"] / ago(b["close"], 1) - 1.0, length)


def yang_zhang(b: Bars, n: int) -> Floats:
    o, h, low, c = (np.log(b[name]) for name in ("open", "high", "low", "close"))
    k = 0.34 / (1.34 + (n + 1) / (n - 1))
    rogers = mean((h - c) * (h - o) + (low - c) * (low - o), n)
    gaps, bodies = deviation(o - ago(c, 1), n) ** 2, deviation(c - o, n) ** 2
    return np.sqrt(np.maximum(gaps + k * bodies + (1.0 - k) * rogers, 0.0))


def garman_klass(b: Bars, n: int) -> Floats:
    daily = np.log(b["high"] / b["low"]) ** 2 / 2 - (2 * np.log(2) - 1) * np.log(b["close"] / b["open"]) ** 2
    return np.sqrt(np.maximum(mean(daily, n), 0.0))


def parkinson(b: Bars, n: int) -> Floats:
    made: Floats = np.sqrt(mean(np.log(b["high"] / b["low"]) ** 2, n) / (4 * np.log(2)))
    return made


def amihud(b: Bars) -> Floats:
    money = np.where(b["volume"] > 0.0, b["close"] * b["volume"], np.nan)
    return 1e9 * mean(np.abs(b["close"] / ago(b["close"], 1) - 1.0) / money, 20)


def trend(b: Bars, n: int) -> Floats:
    def strength(w: Floats) -> float:
        return float(np.corrcoef(w, np.arange(n))[0, 1]) if np.ptp(w) > 1e-8 else np.nan

    return rolling(np.log(b["close"]), n, strength)


def usual(values: Floats, past: int) -> Floats:
    return ago(rolling(values, past, lambda w: float(np.median(w))), 1)


def rank(b: Bars) -> Floats:
    spread = deviation(logs(b), 20)
    spread[spread < 1e-9] = 0.0
    return rolling(
        spread, 253,
        lambda w: np.nan if np.isnan(w).any() else float((np.sign(w[-1] - w[:-1]) + 1.0).mean() / 2.0),
    )  # fmt: skip


def wildness(b: Bars) -> Floats:
    return np.minimum(np.floor(3.0 * rank(b)), 2.0)


def direction(b: Bars) -> Floats:
    strength = trend(b, 60)
    size = np.abs(strength)
    least = np.maximum(usual(size, 252), 0.3)
    return np.where(np.isnan(least) | np.isnan(size), np.nan, np.where(size > least, np.sign(strength), 0.0))


def regime(b: Bars) -> Floats:
    spread, strength = deviation(logs(b), 20), trend(b, 20)
    calm = usual(spread, 252)
    return np.where(np.isnan(calm + strength), np.nan, 2.0 * (spread > calm) + (strength > 0.0))


def fracdiff(b: Bars) -> Floats:
    """Binomial weights of (1 - L)^0.4, down to one ten-thousandth."""
    weights = [1.0]
    while abs(weights[-1] * (len(weights) - 1.4) / len(weights)) >= 1e-4:
        weights.append(weights[-1] * (len(weights) - 1.4) / len(weights))
    return rolling(np.log(b["close"]), len(weights), lambda w: float(w[::-1] @ np.asarray(weights)))


def single(name: str, length: int) -> Reference:
    """The references of a family with several lengths."""
    by: Mapping[str, Reference] = {
        "sma": lambda b: (mean(b["close"], length),),
        "ema": lambda b: (ema(b["close"], length),),
        "ret": lambda b: (b["close"] / ago(b["close"], length) - 1.0,),
        "log_ret": lambda b: (np.log(b["close"]) - np.log(ago(b["close"], length)),),
        "parkinson": lambda b: (parkinson(b, length),),
        "garman_klass": lambda b: (garman_klass(b, length),),
        "yang_zhang": lambda b: (yang_zhang(b, length),),
        "trend_strength": lambda b: (trend(b, length),),
    }
    return by[name]


_LENGTHS = {
    "sma": (10, 20, 30, 50, 200), "ema": (12, 20, 26, 50), "ret": (1, 5, 20),
    "log_ret": (1, 2, 3, 5, 10, 20, 60, 120, 250), "parkinson": (20, 60), "garman_klass": (20, 60),
    "yang_zhang": (20, 60), "trend_strength": (20, 60, 120),
}  # fmt: skip

CORE: Mapping[str, Reference] = {
    **{f"{name}_{length}": single(name, length) for name, lengths in _LENGTHS.items() for length in lengths},
    "rsi": lambda b: (rsi(b["close"], 14),),
    "macd": macd,
    "bollinger": bollinger,
    "atr": lambda b: (wilder(true_range(b), 14),),
    "adx": lambda b: (adx(b),),
    "adxr": lambda b: ((adx(b) + ago(adx(b), 13)) / 2.0,),
    "plus_dm": lambda b: (wilder_sum(moves(b)[0], 14),),
    "minus_dm": lambda b: (wilder_sum(moves(b)[1], 14),),
    "directional": directional,
    "stochastic": stochastic,
    "obv": lambda b: (obv(b),),
    "donchian": lambda b: (ago(top(b["high"], 20), 1), ago(bottom(b["low"], 20), 1)),
    "realised_volatility": lambda b: (volatility(b, 20),),
    "volume_ratio": lambda b: (b["volume"] / ago(mean(b["volume"], 20), 1),),
    "amihud": lambda b: (amihud(b),),
    "regime": lambda b: (regime(b),),
    "fractional_difference": lambda b: (fracdiff(b),),
    "volatility_rank": lambda b: (rank(b),),
    "volatility_state": lambda b: (wildness(b),),
    "trend_state": lambda b: (direction(b),),
    "market_state": lambda b: (3.0 * wildness(b) + direction(b) + 1.0,),
}
