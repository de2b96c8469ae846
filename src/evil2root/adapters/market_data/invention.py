"""Invented prices: a market with regimes, symbols that follow it, volatility that clusters, and jumps.

A path is a function of (seed, symbol, time) and of nothing else. Its levels at midnights (UTC) come from daily returns:
beta times the market's (regimes by a Markov chain, GARCH(1,1)), a part of the symbol's own (GARCH(1,1)), a jump now and
then, and a pull back to where it began, so that no price leaves the ground in twenty years. Between two midnights lies a
Brownian bridge of minutes that shares its noise with the market's; minutes in which the market is shut move little.

Source: T. Bollerslev, Generalized autoregressive conditional heteroskedasticity, Journal of Econometrics 31, 1986. The
parameters are those of no real asset. The numbers drawn may differ between versions of numpy.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from math import log, sqrt

import numpy as np
import numpy.typing as npt

from evil2root.domain.core.instrument import AssetClass, Instrument

FIRST_DAY, LAST_DAY = 16_801, 25_567
"""Days from 1970: 2016-01-01 to 2040-01-01, where the calendars end as well."""
MINUTES = 1_440
SYMBOLS_KEPT = 500
"""Daily paths held in memory, 0.3 MB each: a watchlist's worth."""

ALPHA, BETA = 0.08, 0.90
"""How much of tomorrow's variance is today's surprise, and how much today's variance."""
PULL = 0.001
"""Share of the distance from the first level that is lost each day."""
REGIME_DAYS = 60
"""Mean length of a regime."""
DRIFTS = np.array([0.0006, 0.0, -0.0006, 0.0])
VOLATILITIES = np.array([0.7, 1.0, 1.8, 0.5])
"""By regime: rising, usual, falling, quiet; a day's drift, and what the market's volatility is multiplied by."""
SHUT = 0.03
"""Variance of a minute in which the market is shut, of one in which it is open."""
CROWD = 12.0
"""How many times the usual volume a jump draws: news is traded on."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How symbols of an asset class move; volatilities and chances are a day's."""

    market: float
    """What the market's volatility is for it, before its own beta."""
    own: float
    jumps: float
    """Chance of a jump."""
    jump: float
    """Standard deviation of a jump's size."""
    price: tuple[float, float]
    """The first price lies between, evenly in its logarithm."""


KINDS = {
    AssetClass.EQUITY: Kind(market=0.010, own=0.011, jumps=0.010, jump=0.04, price=(20.0, 400.0)),
    AssetClass.CRYPTO: Kind(market=0.018, own=0.026, jumps=0.015, jump=0.05, price=(20.0, 40_000.0)),
    AssetClass.FX: Kind(market=0.001, own=0.004, jumps=0.0, jump=0.0, price=(0.7, 1.5)),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Minutes:
    """One day, UTC. Prices at the 1441 edges of its minutes; highs, lows and volumes of the 1440 between."""

    edges: Floats
    highs: Floats
    lows: Floats
    volumes: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Days:
    """Log price at each midnight, and by day: volatility, the market's share of its variance, jump."""

    level: Floats
    deviation: Floats
    shared: Floats
    jump: Floats


def minutes(seed: int, instrument: Instrument, day: int, is_open: npt.NDArray[np.bool_]) -> Minutes:
    """Return the minutes of `day` (from 1970, in `[FIRST_DAY, LAST_DAY)`); `is_open` tells which are traded in."""
    days, at = _days(seed, instrument), day - FIRST_DAY
    own = _generator(seed, instrument.symbol, day)
    noise = sqrt(days.shared[at]) * _generator(seed, "", day).standard_normal(MINUTES)
    noise += sqrt(1 - days.shared[at]) * own.standard_normal(MINUTES)
    weight = np.where(is_open, 1.0, SHUT)
    weight /= weight.sum()
    step = days.deviation[at] * np.sqrt(weight)
    jump = float(days.jump[at])
    path = np.concatenate([[0.0], np.cumsum(step * noise)])
    along = np.concatenate([[0.0], np.cumsum(weight)])
    path += along * (days.level[at + 1] - days.level[at] - jump - path[-1])
    volumes = np.exp(0.4 * own.standard_normal(MINUTES)) * (0.5 + np.abs(noise)) * _usual_volume(instrument)
    wicks = np.abs(own.standard_normal((2, MINUTES))) * step * 0.5
    chance = own.random()
    if jump:
        traded = np.flatnonzero(is_open) if is_open.any() else np.arange(MINUTES)
        when = int(traded[int(chance * len(traded))])
        path[when + 1 :] += jump
        volumes[when : when + 5] *= CROWD
    edges = np.exp(days.level[at] + path)
    highs = np.maximum(edges[:-1], edges[1:]) * np.exp(wicks[0])
    lows = np.minimum(edges[:-1], edges[1:]) * np.exp(-wicks[1])
    return Minutes(edges=edges, highs=highs, lows=lows, volumes=np.where(is_open, volumes, 0.0))


@lru_cache(maxsize=SYMBOLS_KEPT)
def _days(seed: int, instrument: Instrument) -> _Days:
    kind, count = KINDS[instrument.asset_class], LAST_DAY - FIRST_DAY
    own = _generator(seed, instrument.symbol)
    beta, place = own.uniform(0.6, 1.4), own.random()
    returns, deviations = _market(seed)
    followed = kind.market * beta * deviations
    surprise, spread = _garch(own.standard_normal(count))
    jump = np.where(own.random(count) < kind.jumps, own.standard_normal(count) * kind.jump, 0.0)
    moves = kind.market * beta * returns + kind.own * surprise + jump
    low, high = (log(price) for price in kind.price)
    home = low + place * (high - low)
    level, away = np.empty(count + 1), 0.0
    for day, move in enumerate(moves):
        level[day] = home + away
        away += move - PULL * away
    level[count] = home + away
    variance = followed**2 + (kind.own * spread) ** 2
    return _Days(level=level, deviation=np.sqrt(variance), shared=followed**2 / variance, jump=jump)


@lru_cache(maxsize=4)
def _market(seed: int) -> tuple[Floats, Floats]:
    """Return the market's returns and volatilities by day, in units of its usual volatility."""
    count = LAST_DAY - FIRST_DAY
    generator = _generator(seed, "")
    changes = generator.random(count) < 1 / REGIME_DAYS
    changes[0] = True
    regime = generator.integers(len(DRIFTS), size=count)[np.maximum.accumulate(np.where(changes, np.arange(count), 0))]
    surprise, deviation = _garch(generator.standard_normal(count))
    usual = KINDS[AssetClass.EQUITY].market
    return DRIFTS[regime] / usual + VOLATILITIES[regime] * surprise, VOLATILITIES[regime] * deviation


def _garch(noise: Floats) -> tuple[Floats, Floats]:
    """Return surprises and their standard deviations, of mean variance 1."""
    deviation, variance = np.empty(len(noise)), 1.0
    for day, drawn in enumerate(noise):
        deviation[day] = sqrt(variance)
        variance = (1 - ALPHA - BETA) + (ALPHA * drawn * drawn + BETA) * variance
    return deviation * noise, deviation


def _usual_volume(instrument: Instrument) -> float:
    """Units a minute; none where no provider reports real volume."""
    if not instrument.has_volume:
        return 0.0
    low, high = KINDS[instrument.asset_class].price
    return 2_000_000.0 / sqrt(low * high) / 10 if instrument.asset_class is AssetClass.CRYPTO else 20_000.0


def _generator(seed: int, symbol: str, day: int = 0) -> np.random.Generator:
    """Return a stream of its own for each symbol (none: the market) and day (0: the daily path)."""
    name = int.from_bytes(sha256(symbol.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, name, day])
