"""Ehlers' cycles once more: J. F. Ehlers, Rocket Science for Traders, 2001, chapters 6, 9, 10, 11 and 15.

He leaves the first bars open. TA-Lib's choice is taken: all memory is 0 until the smoothing has seen `silent` bars.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import atan, cos, degrees, radians, sin

import numpy as np

from evil2root.domain.market.indicators import Floats
from tests.domain.market.reference import Bars, Reference, weighted


@dataclass(frozen=True, slots=True)
class Moment:
    """What the Hilbert transform knows at one bar."""

    row: int
    in_phase: float
    quadrature: float
    smooth_period: float
    smooth: Floats
    """Smoothed prices up to the bar, the newest last."""


def shifted_by_a_quarter(values: list[float], period: float) -> float:
    """The Hilbert transform of the newest value: four coefficients over seven bars."""
    x = [0.0] * 7 + values
    return (0.0962 * x[-1] + 0.5769 * x[-3] - 0.5769 * x[-5] - 0.0962 * x[-7]) * (0.075 * period + 0.54)


def moments(close: Floats, *, silent: int) -> Iterator[Moment]:
    """Homodyne discriminator, bar by bar."""
    smooth = np.where(np.arange(close.size) < silent, 0.0, weighted(close, 4))
    prices, trendless, quadratures, in_phases = [0.0] * 7, [0.0] * 7, [0.0] * 7, [0.0] * 7
    i2 = q2 = real = imaginary = period = smooth_period = 0.0
    for row in range(silent, close.size):
        prices.append(float(smooth[row]))
        trendless.append(shifted_by_a_quarter(prices, period))
        quadratures.append(shifted_by_a_quarter(trendless, period))
        in_phases.append(trendless[-4])
        i_before, q_before = i2, q2
        i2 = 0.2 * (in_phases[-1] - shifted_by_a_quarter(quadratures, period)) + 0.8 * i2
        q2 = 0.2 * (quadratures[-1] + shifted_by_a_quarter(in_phases, period)) + 0.8 * q2
        real = 0.2 * (i2 * i_before + q2 * q_before) + 0.8 * real
        imaginary = 0.2 * (i2 * q_before - q2 * i_before) + 0.8 * imaginary
        found = period
        if real != 0.0 and imaginary != 0.0:
            found = 360.0 / degrees(atan(imaginary / real))
        found = max(min(found, 1.5 * period), 0.67 * period)
        period = 0.2 * min(max(found, 6.0), 50.0) + 0.8 * period
        smooth_period = 0.33 * period + 0.67 * smooth_period
        yield Moment(row, in_phases[-1], quadratures[-1], smooth_period, smooth[: row + 1])


def adaptive(b: Bars) -> tuple[Floats, Floats]:
    """MESA adaptive average and its follower; the faster the phase turns the slower they move."""
    close = b["close"]
    made = np.full((2, close.size), np.nan)
    phase = mama = fama = 0.0
    for now in moments(close, silent=12):
        before, phase = phase, degrees(atan(now.quadrature / now.in_phase)) if now.in_phase != 0.0 else 0.0
        share = max(0.5 / max(before - phase, 1.0), 0.05)
        mama += share * (float(close[now.row]) - mama)
        fama += 0.5 * share * (mama - fama)
        made[:, now.row] = mama, fama
    made[:, :32] = np.nan
    return made[0], made[1]


def cycle_period(b: Bars) -> tuple[Floats]:
    made = np.full(b["close"].size, np.nan)
    for now in moments(b["close"], silent=12):
        made[now.row] = now.smooth_period
    made[:32] = np.nan
    return (made,)


@dataclass(frozen=True, slots=True)
class Wave:
    """The dominant cycle at one bar."""

    row: int
    period: float
    phase: float
    trend: float
    """Mean of the closes over one cycle, smoothed by four bars."""
    price: float


def waves(close: Floats) -> Iterator[Wave]:
    phase, means = 0.0, [0.0] * 3
    for now in moments(close, silent=37):
        bars = int(now.smooth_period + 0.5)
        angles = [radians(360.0 * bar / bars) for bar in range(bars)]
        newest = [float(now.smooth[-1 - bar]) if bar < now.smooth.size else 0.0 for bar in range(bars)]
        real = sum(sin(angle) * value for angle, value in zip(angles, newest, strict=True))
        imaginary = sum(cos(angle) * value for angle, value in zip(angles, newest, strict=True))
        if imaginary != 0.0:
            phase = degrees(atan(real / imaginary))
        elif real != 0.0:
            phase += 90.0 if real > 0.0 else -90.0
        phase += 90.0 + 360.0 / now.smooth_period + (180.0 if imaginary < 0.0 else 0.0)
        phase -= 360.0 if phase > 315.0 else 0.0
        means.append(float(close[now.row - bars + 1 : now.row + 1].mean()) if bars else 0.0)
        trend = (4.0 * means[-1] + 3.0 * means[-2] + 2.0 * means[-3] + means[-4]) / 10.0
        yield Wave(now.row, now.smooth_period, phase, trend, newest[0] if newest else 0.0)


def by_bar(close: Floats, rows: Iterator[tuple[int, tuple[float, ...]]], *, outputs: int) -> tuple[Floats, ...]:
    made = np.full((outputs, close.size), np.nan)
    for row, values in rows:
        made[:, row] = values
    made[:, :63] = np.nan
    return tuple(made)


def cycle_phase(b: Bars) -> tuple[Floats, ...]:
    return by_bar(b["close"], ((w.row, (w.phase,)) for w in waves(b["close"])), outputs=1)


def cycle_sine(b: Bars) -> tuple[Floats, ...]:
    rows = ((w.row, (sin(radians(w.phase)), sin(radians(w.phase + 45.0)))) for w in waves(b["close"]))
    return by_bar(b["close"], rows, outputs=2)


def trend_line(b: Bars) -> tuple[Floats, ...]:
    return by_bar(b["close"], ((w.row, (w.trend,)) for w in waves(b["close"])), outputs=1)


def trend_mode(b: Bars) -> tuple[Floats, ...]:
    """1 unless the sine crossed its lead within half a cycle, or the phase turns as a cycle's; 1 far from the trend."""

    def rows() -> Iterator[tuple[int, tuple[float, ...]]]:
        phase = sine = lead = 0.0
        bars = 0
        for w in waves(b["close"]):
            turned, phase = w.phase - phase, w.phase
            was = sine - lead
            sine, lead = sin(radians(phase)), sin(radians(phase + 45.0))
            crossed = (sine > lead and was <= 0.0) or (sine < lead and was >= 0.0)
            bars = 1 if crossed else bars + 1
            steady = 0.67 * 360.0 / w.period < turned < 1.5 * 360.0 / w.period
            is_cycle = crossed or bars < 0.5 * w.period or steady
            is_far = w.trend != 0.0 and abs(w.price / w.trend - 1.0) >= 0.015
            yield w.row, (1.0 if is_far or not is_cycle else 0.0,)

    return by_bar(b["close"], rows(), outputs=1)


CYCLES: Mapping[str, Reference] = {
    "mama": adaptive,
    "ht_dcperiod": cycle_period,
    "ht_dcphase": cycle_phase,
    "ht_sine": cycle_sine,
    "ht_trendline": trend_line,
    "ht_trendmode": trend_mode,
}
