"""Indicators carried forward bar by bar: a new bar costs the same however long its series is.

The whole-series functions stay the truth. A step gives what they give for the same bar, to the last bit: TA-Lib's own
streams for what runs on, and the same additions in the same order for what looks back on a few bars. Whoever opens
steps holds one row of theirs against the truth first, see `carry.py`.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import pairwise
from math import nan, sqrt
from operator import add
from typing import Any

import numpy as np

from evil2root.domain.market.indicators import FLAT_FRAC, Floats, Indicator, realised_volatility
from evil2root.domain.market.lean_talib import talib

TAIL_BARS = 128
"""Bars a step may look back on, this one included: seven more than the longest return needs."""

Past = Mapping[str, Floats]
"""Open, high, low, close and volume of the bars before, scaled as `features` scales them."""

Tail = Mapping[str, list[float]]
"""The same of the newest `TAIL_BARS` bars, this one the last."""

Step = Callable[[Tail], tuple[float, ...]]
"""Takes one new bar and gives the indicator's raw values, one a column. Each bar once and in order."""

_talib: Any = talib
"""Its stubs leave out what is used below."""

stream = _talib.stream


def opened(indicator: Indicator, past: Past) -> Step:
    """The step of an indicator after all bars of `past`.

    Raises `ValueError` for an indicator that nobody wrote a step for, and while one warms up.
    """
    opener = _OPENERS.get(indicator.name)
    if opener is None:
        msg = f"Nobody has written how to carry {indicator.name} from bar to bar."
        raise ValueError(msg)
    try:
        step: Step = opener(past, indicator.inputs, **dict(indicator.params))
    except _talib.InsufficientHistory as problem:
        msg = f"{indicator.name} warms up."
        raise ValueError(msg) from problem
    return step


def _last(values: list[float], count: int) -> list[float]:
    """The newest `count` values, newest first."""
    return values[: -count - 1 : -1]


def _total(values: Sequence[float]) -> float:
    """First to last; `sum` would compensate from Python 3.12 on."""
    return reduce(add, values)


def _trailing_sum(newest_first: Sequence[float]) -> float:
    """The sum that `trailing_sum` gives a row, to the last bit: neighbours in pairs, pairs of pairs, odd ones first."""
    total, blocks = None, list(newest_first)
    while blocks:
        if len(blocks) % 2:
            odd = blocks.pop(0)
            total = odd if total is None else total + odd
        blocks = [blocks[place] + blocks[place + 1] for place in range(0, len(blocks), 2)]
    return 0.0 if total is None else total


def _plain(name: str, *keys: str) -> Callable[..., Step]:
    """A TA-Lib function whose values are taken as they are; `keys` are TA-Lib's names of our parameters, in order."""

    def open_one(past: Past, inputs: tuple[str, ...], **params: float) -> Step:
        given = dict(zip(keys, params.values(), strict=True)) if keys else params
        handle = getattr(stream, name)(*(past[i] for i in inputs), **given)
        update = handle.update
        if inputs == ("close",):
            return _of_the_close(update)

        def step(tail: Tail) -> tuple[float, ...]:
            made = update(*(tail[i][-1] for i in inputs))
            return made if isinstance(made, tuple) else (made,)

        return step

    return open_one


def _of_the_close(update: Callable[[float], Any]) -> Step:
    def step(tail: Tail) -> tuple[float, ...]:
        made = update(tail["close"][-1])
        return made if isinstance(made, tuple) else (made,)

    return step


def _rsi(past: Past, _: tuple[str, ...], *, length: int) -> Step:
    handle = stream.RSI(past["close"], length)

    def step(tail: Tail) -> tuple[float, ...]:
        close = tail["close"]
        value = handle.update(close[-1])
        recent = _last(close, length + 1)
        return (value if max(recent) - min(recent) > FLAT_FRAC * close[-1] else nan,)

    return step


def _bollinger(past: Past, _: tuple[str, ...], *, length: int, deviations: float) -> Step:
    handle = stream.BBANDS(past["close"], length, deviations, deviations)

    def step(tail: Tail) -> tuple[float, ...]:
        close = tail["close"][-1]
        upper, mid, lower = handle.update(close)
        width = upper - lower
        return upper, mid, lower, nan if width <= FLAT_FRAC * mid else (close - lower) / width, width / mid

    return step


def _directional(past: Past, inputs: tuple[str, ...], *, length: int) -> Step:
    both = [_plain(name)(past, inputs, timeperiod=length) for name in ("PLUS_DI", "MINUS_DI")]
    return lambda tail: (*both[0](tail), *both[1](tail))


def _stochastic(past: Past, _: tuple[str, ...], *, length: int, smoothing: int) -> Step:
    raws: deque[float] = deque(maxlen=smoothing)
    slow: deque[float] = deque(maxlen=smoothing)

    def step(tail: Tail) -> tuple[float, ...]:
        close, lowest = tail["close"][-1], min(_last(tail["low"], length))
        span = max(_last(tail["high"], length)) - lowest
        raws.appendleft(nan if span <= FLAT_FRAC * close else (close - lowest) / span * 100.0)
        slow.appendleft(_trailing_sum(raws) / smoothing if len(raws) == smoothing else nan)
        return slow[0], _trailing_sum(slow) / smoothing if len(slow) == smoothing else nan

    for rows in range(2 * smoothing - 1, 0, -1):  # so many bars ago its memory begins
        end = past["close"].size - rows + 1
        step({name: values[end - length : end].tolist() for name, values in past.items()})
    return step


def _donchian(_: Past, __: tuple[str, ...], *, length: int) -> Step:
    def step(tail: Tail) -> tuple[float, ...]:
        return max(_last(tail["high"], length + 1)[1:]), min(_last(tail["low"], length + 1)[1:])

    return step


def _simple_return(_: Past, __: tuple[str, ...], *, length: int) -> Step:
    return lambda tail: (tail["close"][-1] / tail["close"][-1 - length] - 1.0,)


def _realised_volatility(_: Past, __: tuple[str, ...], *, length: int) -> Step:
    def step(tail: Tail) -> tuple[float, ...]:
        closes = _last(tail["close"], length + 1)
        changes = [now / before - 1.0 for now, before in pairwise(closes)]
        total, squares = _trailing_sum(changes), _trailing_sum([change * change for change in changes])
        return (sqrt(max(squares - total * total / length, 0.0) / (length - 1)),)

    return step


def _mean_range(_: Past, __: tuple[str, ...], *, length: int) -> Step:
    def step(tail: Tail) -> tuple[float, ...]:
        high, low, close = (_last(tail[name], length + 1) for name in ("high", "low", "close"))
        spans = [max(high[place], close[place + 1]) - min(low[place], close[place + 1]) for place in range(length)]
        return (_trailing_sum(spans) / length,)

    return step


def _volume_ratio(_: Past, __: tuple[str, ...], *, length: int) -> Step:
    def step(tail: Tail) -> tuple[float, ...]:
        now, *before = _last(tail["volume"], length + 1)
        usual = _trailing_sum(before) / length
        return (now / usual if usual > 0.0 else nan,)

    return step


def _z_score(past: Past, _: tuple[str, ...], *, length: int) -> Step:
    spreads, means = stream.STDDEV(past["close"], length), stream.SMA(past["close"], length)

    def step(tail: Tail) -> tuple[float, ...]:
        close = tail["close"][-1]
        spread, mean = spreads.update(close), means.update(close)
        return ((close - mean) / spread if spread > FLAT_FRAC * mean else nan,)

    return step


def _usual_volatility(past: Past, _: tuple[str, ...], *, length: int, of: int) -> Step:
    now = _realised_volatility(past, (), length=length)
    before = realised_volatility(past["close"], length=length)[length:]
    means = stream.SMA(np.ascontiguousarray(before), of)
    return lambda tail: (means.update(now(tail)[0]),)


def _obv_pressure(past: Past, _: tuple[str, ...], *, length: int) -> Step:
    balances, filled = stream.OBV.open_and_fill(past["close"], past["volume"])
    totals = stream.SUM(past["volume"], length)
    balance = deque(filled[-length - 1 :].tolist(), maxlen=length + 1)

    def step(tail: Tail) -> tuple[float, ...]:
        volume = tail["volume"][-1]
        balance.append(balances.update(tail["close"][-1], volume))
        traded = totals.update(volume)
        return ((balance[-1] - balance[0]) / traded if traded > 0.0 else nan,)

    return step


def _squeeze(past: Past, _: tuple[str, ...], *, length: int) -> Step:
    high, low, close = past["high"], past["low"], past["close"]
    bands, (uppers, _mids, lowers) = stream.BBANDS.open_and_fill(close, 20, 2.0, 2.0)
    means, middles = stream.EMA.open_and_fill(close, 20)
    spans, widths = stream.ATR.open_and_fill(high, low, close, 20)
    newest = (values[-length:].tolist() for values in (uppers, lowers, middles, widths))
    inside = deque((_is_inside(*four) for four in zip(*newest, strict=True)), maxlen=length)

    def step(tail: Tail) -> tuple[float, ...]:
        share = _total(inside) / length
        now = tail["close"][-1]
        upper, _mid, lower = bands.update(now)
        inside.append(_is_inside(upper, lower, means.update(now), spans.update(tail["high"][-1], tail["low"][-1], now)))
        return (share,)

    return step


def _is_inside(upper: float, lower: float, mean: float, span: float) -> float:
    return 1.0 if upper < mean + 1.5 * span and lower > mean - 1.5 * span else 0.0


def _mfi(past: Past, inputs: tuple[str, ...], *, timeperiod: int) -> Step:
    plain, still = _plain("MFI")(past, inputs, timeperiod=timeperiod), timeperiod + 1

    def step(tail: Tail) -> tuple[float, ...]:
        made = plain(tail)
        highest, lowest = max(_last(tail["high"], still)), min(_last(tail["low"], still))
        return (nan,) if highest - lowest <= FLAT_FRAC * highest else made

    return step


_OPENERS: Mapping[str, Callable[..., Step]] = {
    "rsi": _rsi, "macd": _plain("MACD", "fastperiod", "slowperiod", "signalperiod"), "bollinger": _bollinger,
    "atr": _plain("ATR", "timeperiod"), "adx": _plain("ADX", "timeperiod"), "directional": _directional,
    "sma": _plain("SMA", "timeperiod"), "ema": _plain("EMA", "timeperiod"), "stochastic": _stochastic,
    "obv": _plain("OBV"), "donchian": _donchian, "simple_return": _simple_return,
    "realised_volatility": _realised_volatility, "volume_ratio": _volume_ratio, "z_score": _z_score,
    "usual_volatility": _usual_volatility, "obv_pressure": _obv_pressure, "squeeze": _squeeze, "mfi": _mfi,
    "mean_range": _mean_range, "cmf": _plain("CMF"), "vwma": _plain("VWMA"), "supertrend": _plain("SUPERTREND"),
}  # fmt: skip
