"""Recursions once more, each with its source and with how it starts: see `reference.py`."""

from collections.abc import Mapping
from math import cos, exp, log, log2, pi, radians, sin, sqrt

import numpy as np

from evil2root.domain.market.indicators import Floats
from tests.domain.market.reference import Bars, Reference, ago, bottom, ema, mean, top, true_range, typical, wilder
from tests.domain.market.reference_core import change, rsi


def super_smoother(v: Floats) -> Floats:
    """Two poles over ten bars, begun by the first two closes. J. F. Ehlers, Cybernetic Analysis, 2004, chapter 13."""
    angle = sqrt(2.0) * pi / 10.0
    first, second = 2.0 * exp(-angle) * cos(angle), -exp(-2.0 * angle)
    made = v.copy()
    for row in range(2, v.size):
        made[row] = (1.0 - first - second) * v[row] + first * made[row - 1] + second * made[row - 2]
    return made


def dynamic_average(v: Floats, n: int) -> Floats:
    """Chande's VIDYA, as fast as his momentum is strong; begun by a plain mean. T. Chande, TASC, October 1995."""
    up, down = np.maximum(change(v), 0.0), np.maximum(-change(v), 0.0)
    strength = np.abs(mean(up, n) - mean(down, n)) / (mean(up, n) + mean(down, n))
    made = np.full(v.size, np.nan)
    made[n - 1] = v[:n].mean()
    for row in range(n, v.size):
        made[row] = made[row - 1] + 2.0 / (n + 1.0) * strength[row] * (v[row] - made[row - 1])
    return made


def gann(b: Bars) -> Floats:
    """Mean low while a close above yesterday's mean high was the last to leave, mean high after one below. R. Krausz."""
    high, low, c = mean(b["high"], 13), mean(b["low"], 21), b["close"]
    made = np.full(c.size, np.nan)
    for row in range(1, c.size):
        if c[row] > high[row - 1]:
            made[row] = low[row]
        elif c[row] < low[row - 1]:
            made[row] = high[row]
        else:
            made[row] = made[row - 1]
    return made


def fisher(b: Bars) -> tuple[Floats, Floats]:
    """Ehlers, TASC, November 2002, 0 at the first full window; a range counts as a thousandth at least."""
    middle = (b["high"] + b["low"]) / 2.0
    lowest = bottom(middle, 9)
    place = (middle - lowest) / np.maximum(top(middle, 9) - lowest, 0.001) - 0.5
    made = np.full(middle.size, np.nan)
    made[8], value = 0.0, 0.0
    for row in range(9, middle.size):
        value = 0.66 * place[row] + 0.67 * value
        value = 0.999 * float(np.sign(value)) if abs(value) > 0.99 else value
        made[row] = 0.5 * log((1.0 + value) / (1.0 - value)) + 0.5 * made[row - 1]
    return made, ago(made, 1)


def laguerre(v: Floats) -> Floats:
    """RSI of four Laguerre filters, all begun by the first close. Ehlers, Cybernetic Analysis, 2004, chapter 14."""
    lines = np.full((4, v.size), v[0])
    for row in range(1, v.size):
        lines[0, row] = 0.5 * (v[row] + lines[0, row - 1])
        for k in (1, 2, 3):
            lines[k, row] = lines[k - 1, row - 1] + 0.5 * (lines[k, row - 1] - lines[k - 1, row])
    steps = lines[:-1] - lines[1:]
    up, down = np.maximum(steps, 0.0).sum(axis=0), np.maximum(-steps, 0.0).sum(axis=0)
    made: Floats = 100.0 * up / (up + down)
    return made


def quantified(b: Bars) -> tuple[Floats, Floats]:
    """QQE, by I. Livshin: a stop that trails the smoothed RSI at 4.236 of its twice smoothed range; both start at 0."""
    line = ema(rsi(b["close"], 14), 5)
    span = 4.236 * ema(ema(np.abs(change(line)), 27), 27)
    below, above = np.zeros(line.size), np.zeros(line.size)
    made, is_up = np.full(line.size, np.nan), True
    for row in range(1, line.size):
        now, was = line[row], line[row - 1]
        low, high = below[row - 1], above[row - 1]
        below[row] = max(low, now - span[row]) if min(now, was) > low else now - span[row]
        above[row] = min(high, now + span[row]) if max(now, was) < high else now + span[row]
        lower, higher = below[max(row - 2, 0)], above[max(row - 2, 0)]
        if (now > high and was < higher) or (now <= high and was >= higher):
            is_up = True
        elif (now > low and was < lower) or (now <= low and was >= lower):
            is_up = False
        made[row] = below[row] if is_up else above[row]
    return made, line


def place_in_range(v: Floats, n: int) -> Floats:
    """0 to 100 within the last `n` values, the one before where they are all alike, 0 at first."""
    low, high = bottom(v, n), top(v, n)
    made = np.full(v.size, np.nan)
    last = 0.0
    for row in np.flatnonzero(~np.isnan(low)):
        last = 100.0 * (v[row] - low[row]) / (high[row] - low[row]) if high[row] > low[row] else last
        made[row] = last
    return made


def halfway(v: Floats) -> Floats:
    """Half the way from the last value to each new one, begun by the first."""
    made = v.copy()
    for row in range(1, v.size):
        if not np.isnan(made[row - 1]):
            made[row] = made[row - 1] + 0.5 * (v[row] - made[row - 1])
    return made


def schaff(b: Bars) -> Floats:
    """Trend cycle: twice the smoothed place in its range of ten bars, of MACD first. D. Schaff, TASC 2008."""
    line = ema(b["close"], 12) - ema(b["close"], 26)
    return halfway(place_in_range(halfway(place_in_range(line, 10)), 10))


def aberration(b: Bars) -> tuple[Floats, Floats, Floats]:
    """K. Fitschen's bands, as pandas-ta has them: a mean of typical prices and one average true range around it."""
    middle, span = mean(typical(b), 5), wilder(true_range(b), 15)
    return middle, middle + span, middle - span


def klinger(b: Bars) -> tuple[Floats, Floats]:
    """Volume signed by the typical price's move, without Klinger's weight by daily ranges, as charts have it."""
    force = b["volume"] * np.sign(change(typical(b)))
    force[0] = b["volume"][0]
    made = ema(force, 34) - ema(force, 55)
    return made, ema(made, 13)


def sine_wave(v: Floats) -> Floats:
    """Even better sine wave. J. F. Ehlers, Cycle Analytics for Traders, 2013, chapter 12; angles in degrees there."""
    share = (1.0 - sin(radians(360.0 / 40.0))) / cos(radians(360.0 / 40.0))
    pole = exp(-sqrt(2.0) * pi / 10.0)
    first, second = 2.0 * pole * cos(radians(sqrt(2.0) * 180.0 / 10.0)), -(pole**2)
    made, high, wave = np.full(v.size, np.nan), np.zeros(v.size), np.zeros(v.size)
    for row in range(2, v.size):
        high[row] = 0.5 * (1.0 + share) * (v[row] - v[row - 1]) + share * high[row - 1]
        wave[row] = (
            (1.0 - first - second) * (high[row] + high[row - 1]) / 2.0 + first * wave[row - 1] + second * wave[row - 2]
        )
        three = wave[row - 2 : row + 1]
        power = float((three**2).mean())
        made[row] = three.mean() / sqrt(power) if power > 0.0 else np.nan
    return made


def jurik(v: Floats) -> Floats:
    """JMA over 7 bars without phase, as its imitations have it (M. Jurik never published it): all begins at the close."""
    root = sqrt(3.0)
    most = max(log2(root) + 2.0, 0.0)
    power, pull = max(most - 2.0, 0.5), 0.45 * 6.0 / (0.45 * 6.0 + 2.0)
    band = most * root / (most * root + 1.0)
    upper = lower = first = float(v[0])
    drift = step = 0.0
    moves, sums, made = np.zeros(v.size), np.zeros(v.size), v.copy()
    for row in range(1, v.size):
        over, under = v[row] - upper, v[row] - lower
        moves[row] = max(abs(over), abs(under)) if abs(over) != abs(under) else 0.0
        sums[row] = sums[row - 1] + (moves[row] - moves[max(row - 10, 0)]) / 10.0
        usual = float(sums[max(row - 65, 0) : row + 1].mean())
        wild = min(max(moves[row] / usual if usual else 0.0, 1.0), most ** (1.0 / power)) ** power
        upper = v[row] - (0.0 if over > 0.0 else band ** sqrt(wild) * over)
        lower = v[row] - (0.0 if under < 0.0 else band ** sqrt(wild) * under)
        share = pull**wild
        first += (1.0 - share) * (v[row] - first)
        drift += (1.0 - pull) * (v[row] - first - drift)
        step = (first + 1.5 * drift - made[row - 1]) * (1.0 - share) ** 2 + share**2 * step
        made[row] = made[row - 1] + step
    made[:6] = np.nan
    return made


RUNS: Mapping[str, Reference] = {
    "ssf": lambda b: (super_smoother(b["close"]),),
    "vidya": lambda b: (dynamic_average(b["close"], 14),),
    "hilo": lambda b: (gann(b),),
    "fisher": fisher,
    "lrsi": lambda b: (laguerre(b["close"]),),
    "qqe": quantified,
    "stc": lambda b: (schaff(b),),
    "aberration": aberration,
    "kvo": klinger,
    "ebsw": lambda b: (sine_wave(b["close"]),),
    "jma": lambda b: (jurik(b["close"]),),
}
