"""Technical indicators: TA-Lib over numpy arrays, and one table that says all there is to know of each.

Every function takes Float64 arrays, one value a bar, oldest first, and returns arrays as long, NaN where there is
no value. Every function is causal: the value at a bar depends on that bar and earlier ones only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

import numpy as np
import numpy.typing as npt

from evil2root.domain.market.lean_talib import bare, talib
from evil2root.domain.market.trailing import nan_where, shifted, trailing_mean, trailing_sum

Floats = npt.NDArray[np.float64]

FLAT_FRAC = 1e-9
"""A range below this share of the price is rounding, not movement. The finest real tick is some 1e-7 of its price."""

_adx = bare(talib.ADX)
_atr = bare(talib.ATR)
_bbands = bare(talib.BBANDS)
_cumsum = bare(talib.CUMSUM)
_ema = bare(talib.EMA)
_macd = bare(talib.MACD)
_max = bare(talib.MAX)
_min = bare(talib.MIN)
_minus_di = bare(talib.MINUS_DI)
_plus_di = bare(talib.PLUS_DI)
_rsi = bare(talib.RSI)
_sma = bare(talib.SMA)


class Unit(StrEnum):
    """What a column's numbers measure."""

    PRICE = "price"  # quote currency; a doubled price doubles it
    POINTS = "points"  # an oscillator's own scale, mostly 0 to 100
    RATIO = "ratio"  # a share or multiple: 0.01 is one percent
    VOLUME = "volume"  # units of the instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One output of an indicator. The first `warm_up` rows of a series have no value; values lie in [low, high]."""

    name: str
    unit: Unit
    warm_up: int
    low: float = -inf
    high: float = inf
    settled: int | None = None
    """Bars, its own included, from which on a value is within 1e-6 (of the price, or of 1) of what all bars ever would
    give; a test holds it to real history. None where it never is, or where nobody has measured it."""

    def __post_init__(self) -> None:
        if self.warm_up < 0 or not self.low < self.high:
            msg = f"{self.name}: warm_up {self.warm_up} must not be negative and low {self.low} below high {self.high}."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """A function over columns of bars (`inputs`) with its parameters, and the columns it makes.

    `compute` gives new arrays, none of them one of its inputs or a part of another: whoever asks may write on them.
    """

    name: str
    compute: Callable[..., Floats | tuple[Floats, ...]]
    inputs: tuple[str, ...]
    columns: tuple[Column, ...]
    params: tuple[tuple[str, int | float], ...] = ()
    is_tame: bool = False
    """Arithmetic alone keeps every value finite and within its column's range while prices lie within a thousand times
    of one another: nothing has to be looked for."""
    is_plain: bool = False
    """Prices that are a power of two times others give values that are as many times the others', to the last bit, while
    their squares are numbers and nothing is held against a fixed one: it may read prices as they are."""
    _given: dict[str, int | float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_given", dict(self.params))

    def series(self, bars: Mapping[str, Floats]) -> tuple[Floats, ...]:
        """One array a column, in the order of `columns`."""
        made = self.compute(*[bars[name] for name in self.inputs], **self._given)
        return made if isinstance(made, tuple) else (made,)

    @property
    def formula(self) -> str:
        """Name, inputs and parameters as one stable line, e.g. `rsi(close; length=14) -> rsi_14`."""
        params = ", ".join(f"{key}={value!r}" for key, value in self.params)
        return f"{self.name}({', '.join(self.inputs)}; {params}) -> {', '.join(c.name for c in self.columns)}"


def sma(values: Floats, *, length: int) -> Floats:
    """Mean of the last `length` values, the current one included. Warm-up: `length - 1` rows.

    TA-Lib keeps a running sum, so the last bits depend on where the array starts.
    """
    return _sma(values, length)


def ema(values: Floats, *, length: int) -> Floats:
    """Exponential mean with smoothing 2 / (length + 1), seeded by the mean of the first `length` values."""
    return _ema(values, length)


def rsi(close: Floats, *, length: int) -> Floats:
    """Relative Strength Index with Wilder's smoothing, 0 to 100; above 70 is overbought, below 30 oversold.

    NaN while the close has not moved for `length` bars: TA-Lib says 0 there, which would read as oversold.
    Source: J. W. Wilder, New Concepts in Technical Trading Systems, 1978, section VI.
    """
    values = _rsi(close, length)
    # Of `length + 1` bars in a row at least three lie this far apart: if no three such do, no `length + 1` stand still.
    some = close[:: (length + 1) // 3]
    still = np.abs(some[1:] - some[:-1]) <= 2.0 * FLAT_FRAC * some[1:]
    if (still[1:] & still[:-1]).any():
        span = _max(close, length + 1) - _min(close, length + 1)
        values[~(span > FLAT_FRAC * close)] = np.nan
    return values


def macd(close: Floats, *, fast: int, slow: int, signal: int) -> tuple[Floats, Floats, Floats]:
    """Line (fast less slow exponential mean), its signal mean, and line less signal. Warm-up: slow + signal - 2 rows.

    Source: G. Appel, The Moving Average Convergence Divergence Trading Method, 1979.
    """
    line, mean, histogram = _macd(close, fast, slow, signal)
    return line, mean, histogram


def bollinger(close: Floats, *, length: int, deviations: float) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Upper band, middle, lower band, place of the close between them (0 lower, 1 upper), width over the middle.

    The deviation is the population's. The place is NaN when the bands have no width.
    Source: J. Bollinger, Bollinger on Bollinger Bands, 2001.
    """
    upper, mid, lower = _bbands(close, length, deviations, deviations)
    width = upper - lower
    place = close - lower
    place /= width
    share = width / mid
    if not np.minimum.reduce(share[length - 1 :], initial=inf) > 2.0 * FLAT_FRAC:
        place[width <= FLAT_FRAC * mid] = np.nan
    return upper, mid, lower, place, share


def atr(high: Floats, low: Floats, close: Floats, *, length: int) -> Floats:
    """Average True Range: the mean of the first `length` true ranges, from the second bar on, then Wilder's smoothing."""
    return _atr(high, low, close, length)


def adx(high: Floats, low: Floats, close: Floats, *, length: int) -> Floats:
    """Average Directional Index, 0 to 100: strength of a trend, whatever its direction. Warm-up: 2 length - 1 rows."""
    return _adx(high, low, close, length)


def directional(high: Floats, low: Floats, close: Floats, *, length: int) -> tuple[Floats, Floats]:
    """Wilder's plus and minus directional indicators, 0 to 100. Warm-up: `length` rows."""
    plus, minus = _plus_di(high, low, close, length), _minus_di(high, low, close, length)
    return _at_most_100(plus), _at_most_100(minus)


def stochastic(high: Floats, low: Floats, close: Floats, *, length: int, smoothing: int) -> tuple[Floats, Floats]:
    """Slow stochastic %K and %D, 0 to 100: the close's place in the range of `length` bars, smoothed twice.

    NaN where a bar within the smoothing saw no range at all: TA-Lib says 0 there, which would read as oversold.
    """
    lowest = _min(low, length)
    span = _max(high, length)
    span -= lowest
    raw = close - lowest
    raw /= nan_where(span <= FLAT_FRAC * close, span)
    raw *= 100.0  # last, so that rounding can't carry it over 100
    slow_k = trailing_mean(raw, length=smoothing)
    return slow_k, trailing_mean(slow_k, length=smoothing)


def obv(close: Floats, volume: Floats) -> Floats:
    """On-Balance Volume. Its level is that of the first bar's volume and means nothing; its changes do.

    TA-Lib's, to the last bit: it adds in the same order, and takes twice the time to guess which way the next bar goes.
    """
    made = np.empty_like(volume)
    made[:1] = volume[:1]
    np.sign(close[1:] - close[:-1], out=made[1:])
    made[1:] *= volume[1:]
    return _cumsum(made)


def donchian(high: Floats, low: Floats, *, length: int) -> tuple[Floats, Floats]:
    """Highest high and lowest low of the `length` bars before this one, so that this bar can break out of them."""
    return shifted(_max(high, length), by=1), shifted(_min(low, length), by=1)


def simple_return(close: Floats, *, length: int) -> Floats:
    """Close over the close `length` bars ago, less one."""
    made = np.empty_like(close)
    made[:length] = np.nan
    np.divide(close[length:], close[:-length], out=made[length:])
    made[length:] -= 1.0
    return made


def realised_volatility(close: Floats, *, length: int) -> Floats:
    """Sample standard deviation of the last `length` one-bar returns, per bar, not annualised.

    From the sums of returns and of their squares, see `trailing_sum`. Where all returns are alike rounding leaves up
    to 1e-8 of them.
    """
    made = np.full(close.size, np.nan)
    change = close[1:] / close[:-1]
    change -= 1.0
    total = trailing_sum(change, length=length)
    spread = trailing_sum(change * change, length=length)
    total *= total
    total /= length
    spread -= total
    np.maximum(spread, 0.0, out=spread)
    spread /= length - 1
    np.sqrt(spread, out=made[length:])
    return made


def volume_ratio(volume: Floats, *, length: int) -> Floats:
    """Volume over the mean of the `length` bars before this one. NaN when those traded nothing."""
    made = np.full(volume.size, np.nan)
    usual = trailing_sum(volume[:-1], length=length) / length
    np.divide(volume[length:], nan_where(usual <= 0.0, usual), out=made[length:])
    return made


def _at_most_100(values: Floats) -> Floats:
    """The same array: rounding can carry it 1e-14 over the edge."""
    return np.minimum(values, 100.0, out=values)


def _means(compute: Callable[..., Floats], *lengths: int, settled: int) -> tuple[Indicator, ...]:
    name = compute.__name__
    return tuple(
        Indicator(
            name=name,
            compute=compute,
            is_tame=True,
            is_plain=True,
            inputs=("close",),
            params=(("length", length),),
            columns=(
                Column(name=f"{name}_{length}", unit=Unit.PRICE, warm_up=length - 1, settled=settled * length, low=0.0),
            ),
        )
        for length in lengths
    )


def _returns(*lengths: int) -> tuple[Indicator, ...]:
    return tuple(
        Indicator(
            name="simple_return",
            compute=simple_return,
            is_tame=True,
            is_plain=True,
            inputs=("close",),
            params=(("length", length),),
            columns=(Column(name=f"ret_{length}", unit=Unit.RATIO, warm_up=length, settled=length + 1, low=-1.0),),
        )
        for length in lengths
    )


INDICATORS: tuple[Indicator, ...] = (
    Indicator(
        name="rsi",
        compute=rsi,
        is_tame=True,
        is_plain=True,
        inputs=("close",),
        params=(("length", 14),),
        columns=(Column(name="rsi_14", unit=Unit.POINTS, warm_up=14, settled=290, low=0.0, high=100.0),),
    ),
    Indicator(
        name="macd",
        compute=macd,
        is_tame=True,
        is_plain=True,
        inputs=("close",),
        params=(("fast", 12), ("slow", 26), ("signal", 9)),
        columns=(
            Column(name="macd", unit=Unit.PRICE, warm_up=33, settled=220),
            Column(name="macd_signal", unit=Unit.PRICE, warm_up=33, settled=220),
            Column(name="macd_hist", unit=Unit.PRICE, warm_up=33, settled=220),
        ),
    ),
    Indicator(
        name="bollinger",
        compute=bollinger,
        is_tame=True,
        is_plain=True,
        inputs=("close",),
        params=(("length", 20), ("deviations", 2.0)),
        columns=(
            Column(name="bb_upper", unit=Unit.PRICE, warm_up=19, settled=20),
            Column(name="bb_mid", unit=Unit.PRICE, warm_up=19, settled=20, low=0.0),
            Column(name="bb_lower", unit=Unit.PRICE, warm_up=19, settled=20),
            Column(name="bb_pct", unit=Unit.RATIO, warm_up=19, settled=20),
            Column(name="bb_width", unit=Unit.RATIO, warm_up=19, settled=20, low=0.0),
        ),
    ),
    Indicator(
        name="atr",
        compute=atr,
        is_tame=True,
        is_plain=True,
        inputs=("high", "low", "close"),
        params=(("length", 14),),
        columns=(Column(name="atr_14", unit=Unit.PRICE, warm_up=14, settled=180, low=0.0),),
    ),
    Indicator(
        name="adx",
        compute=adx,
        is_tame=True,
        is_plain=True,
        inputs=("high", "low", "close"),
        params=(("length", 14),),
        columns=(Column(name="adx_14", unit=Unit.POINTS, warm_up=27, settled=300, low=0.0, high=100.0),),
    ),
    Indicator(
        name="directional",
        compute=directional,
        is_tame=True,
        is_plain=True,
        inputs=("high", "low", "close"),
        params=(("length", 14),),
        columns=(
            Column(name="plus_di_14", unit=Unit.POINTS, warm_up=14, settled=280, low=0.0, high=100.0),
            Column(name="minus_di_14", unit=Unit.POINTS, warm_up=14, settled=280, low=0.0, high=100.0),
        ),
    ),
    *_means(sma, 10, 20, 30, 50, 200, settled=1),
    *_means(ema, 12, 20, 26, 50, settled=8),
    Indicator(
        name="stochastic",
        compute=stochastic,
        is_tame=True,
        is_plain=True,
        inputs=("high", "low", "close"),
        params=(("length", 14), ("smoothing", 3)),
        columns=(
            Column(name="stoch_k", unit=Unit.POINTS, warm_up=15, settled=16, low=0.0, high=100.0),
            Column(name="stoch_d", unit=Unit.POINTS, warm_up=17, settled=18, low=0.0, high=100.0),
        ),
    ),
    Indicator(
        name="obv",
        compute=obv,
        is_plain=True,
        inputs=("close", "volume"),
        columns=(Column(name="obv", unit=Unit.VOLUME, warm_up=0),),
    ),
    Indicator(
        name="donchian",
        compute=donchian,
        is_tame=True,
        is_plain=True,
        inputs=("high", "low"),
        params=(("length", 20),),
        columns=(
            Column(name="donchian_high_20", unit=Unit.PRICE, warm_up=20, settled=21, low=0.0),
            Column(name="donchian_low_20", unit=Unit.PRICE, warm_up=20, settled=21, low=0.0),
        ),
    ),
    *_returns(1, 5, 20),
    Indicator(
        name="realised_volatility",
        compute=realised_volatility,
        is_tame=True,
        is_plain=True,
        inputs=("close",),
        params=(("length", 20),),
        columns=(Column(name="vol_20", unit=Unit.RATIO, warm_up=20, settled=21, low=0.0),),
    ),
    Indicator(
        name="volume_ratio",
        compute=volume_ratio,
        is_plain=True,
        inputs=("volume",),
        params=(("length", 20),),
        columns=(Column(name="volume_ratio_20", unit=Unit.RATIO, warm_up=20, settled=21, low=0.0),),
    ),
)
"""Every indicator that becomes a feature. A new one is one entry here: tests and the features' hash follow."""
