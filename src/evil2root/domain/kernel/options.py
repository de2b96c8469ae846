"""The options of each strategy: name, default, limit, meaning; and how their texts are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any

from evil2root.domain.decision.factors import Challenge
from evil2root.domain.decision.strategies.fusion import ENTRY_THRESHOLD
from evil2root.domain.execution.costs import Costs, Slippage
from evil2root.domain.execution.exits import Exits, TrailKind
from evil2root.domain.risk.limits import ALWAYS_ON, BOUNDS, Limits
from evil2root.domain.risk.methods import Kelly, RiskAtStop, VolatilityTarget
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS

ANSWER_WITHIN = timedelta(seconds=60)
"""How long a proposal waits for its verdict unless something else is set."""

TEXT_MAX = 40
"""Characters of an option's value: a number or a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing about a strategy that can be set."""

    name: str
    default: str
    limit: str
    """What it may be, in words."""
    meaning: str
    read: Callable[[str], Any]
    """From text to value; raises `ValueError` for what it may not be."""


def parsed(strategy: str, options: tuple[Option, ...], given: Mapping[str, str]) -> dict[str, Any]:
    """Return every option's value. Raises `ValueError` for an unknown name or a bad value."""
    names = [option.name for option in options]
    for name in given:
        if name not in names:
            close = get_close_matches(name, names, n=1, cutoff=0.5)
            hint = f" Did you mean {close[0]}?" if close else ""
            msg = f"{strategy} has no option {name!r}.{hint} It has {', '.join(names)}."
            raise ValueError(msg)
    return {option.name: _read(option, given.get(option.name, option.default)) for option in options}


def canonical(value: Any) -> str:
    """Write a value so that equal values read the same: 0.10 and 0.1 are one number."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return repr(value) if isinstance(value, float) else str(value)


def _read(option: Option, text: str) -> Any:
    try:
        # What is cut off can't be right: no value is that long.
        return option.read(text.strip()[: TEXT_MAX + 1])
    except (ValueError, InvalidOperation):
        shown = text if len(text) <= TEXT_MAX else text[:TEXT_MAX] + "…"
        msg = f"{option.name}={shown}: it must be {option.limit}, for example {option.name}={option.default}."
        raise ValueError(msg) from None


def _number(  # noqa: PLR0913 - name, default, bounds and meaning of one option
    name: str, default: Decimal | None, least: str, most: str, meaning: str, *, above: bool = False,
    optional: bool = False,
) -> Option:  # fmt: skip
    """An exact number between two bounds, or `none` where the thing may be off."""

    def read(text: str) -> Decimal | None:
        if optional and text.lower() in {"none", "off"}:
            return None
        value = Decimal(text if len(text) <= TEXT_MAX else "NaN")
        if not value.is_finite() or not Decimal(least) <= value <= Decimal(most) or (above and value == Decimal(least)):
            raise ValueError(text)
        return value

    low = f"above {least}" if above else f"from {least}"
    limit = f"a number {low} {'and at most' if above else 'to'} {most}" + (" or none" if optional else "")
    shown = "none" if default is None else canonical(default)
    return Option(name=name, default=shown, limit=limit, meaning=meaning, read=read)


def _float(  # noqa: PLR0913 - as `_number`
    name: str, default: float, least: str, most: str, meaning: str, *, above: bool = False
) -> Option:
    """A statistic between two bounds: read exactly, then handed on as a float."""
    option = _number(name, Decimal(str(default)), least, most, meaning, above=above)
    return replace(option, read=lambda text: float(option.read(text)))


def _count(name: str, default: int | None, least: int, most: int, meaning: str) -> Option:
    def read(text: str) -> int:
        value = int(text) if text.isdecimal() and text.isascii() else -1
        if not least <= value <= most:
            raise ValueError(text)
        return value

    limit = f"a whole number from {least} to {most}"
    shown = "none" if default is None else str(default)
    return Option(name=name, default=shown, limit=limit, meaning=meaning, read=read)


def _limit(name: str, meaning: str) -> Option:
    """A hard limit: its bounds and its default are where the limits are."""
    least, most = next((least, most) for known, least, most in BOUNDS if known == name)
    default, optional = getattr(_LIMITS, name), name not in ALWAYS_ON
    if isinstance(default, int):
        option = _count(name, default, int(least), int(most), meaning)
        return _or_none(option) if optional else option
    return _number(name, default, least, most, meaning, optional=optional)


def _or_none(option: Option) -> Option:
    def read(text: str) -> Any:
        return None if text.lower() in {"none", "off"} else option.read(text)

    return replace(option, limit=f"{option.limit} or none", read=read)


def _word(name: str, default: str, words: tuple[str, ...], meaning: str) -> Option:
    def read(text: str) -> str:
        found = {word.lower(): word for word in words}.get(text.lower())
        if found is None:
            raise ValueError(text)
        return found

    return Option(name=name, default=default, limit=f"one of {', '.join(words)}", meaning=meaning, read=read)


def _switch(name: str, *, default: bool, meaning: str) -> Option:
    option = _word(name, str(default).lower(), ("true", "false"), meaning)
    return replace(option, read=lambda text: option.read(text) == "true")


SIZINGS = ("risk", "volatility", "kelly", "parity")

_LIMIT_MEANINGS = {
    "per_symbol_frac": "most of equity in one symbol",
    "gross_frac": "most of equity in all positions, without sign",
    "net_frac": "most of equity in longs less shorts, either way",
    "leverage_max": "most times equity in all positions",
    "sector_frac": "most of equity in one sector; unknown sectors are not thrown together",
    "asset_class_frac": "most of equity in one asset class",
    "currency_frac": "most of equity in what is quoted in one currency",
    "cash_reserve_frac": "share of equity that entries leave in cash",
    "positions_max": "most symbols held at a time",
    "order_units_max": "most units in one order",
    "order_value_frac": "most of equity in one order",
    "price_collar_frac": "how far a price may be from the last one and the previous close",
    "volume_share_frac": "share of the last bar's volume an entry may ask for",
    "average_volume_frac": "share of the mean volume of the last 20 bars an entry may ask for",
    "correlation_max": "highest mean correlation of a new position with what is held",
    "cluster_frac": "most of equity in a position and what is held that moves as it does",
    "heat_frac": "most of equity lost if every stop is hit",
    "value_at_risk_frac": "most of equity lost on one bar in twenty, by the last 60",
    "shortfall_frac": "most of equity lost on the mean of the worst bars, one in twenty",
    "duplicate_s": "seconds in which the same entry again is a repetition; 0 lets it through",
    "orders_per_second_max": "most entries a second",
    "orders_per_minute_max": "most entries a minute",
    "orders_per_day_max": "most entries a day",
    "stale_bars_max": "oldest bar an entry may rest on, in bar lengths",
    "missing_bars_max": "most bars missing of the last 20 of the market's calendar",
    "repeated_bars_max": "most bars in a row with the same numbers",
    "daily_loss_frac": "loss of a day that stops entries until the next",
    "drawdown_frac": "fall from the peak that stops entries until a person resumes",
    "losing_streak_max": "losses in a row that stop entries until the next day",
    "rejections_max": "orders rejected in a row that stop entries until the next day",
}

_LIMITS, _EXITS, _COSTS, _CHALLENGE, _WEIGHTS = Limits(), Exits(), Costs(), Challenge(), dict(DEFAULT_WEIGHTS.by_source)

_PRICES = _word("prices", "adjusted", ("adjusted", "raw"), "prices adjusted for splits and dividends, or as traded")


def _cost_options(costs: Costs) -> tuple[Option, ...]:
    return (
        _number("fee", costs.fee_frac, "0", "1", "fee of each side as a share of the notional; 0.001 is 0.1 %"),
        *(
            _number(f"fee_{kind}_frac", None, "0", "1", f"the same for {kind}; none takes fee", optional=True)
            for kind in ("equity", "crypto", "fx")
        ),
        _number("fee_per_share", costs.fee_per_share, "0", "1000000", "fee added for each share, in the account's currency"),
        _word("slippage", costs.slippage.value, tuple(kind.value for kind in Slippage), "by what fills that take liquidity move"),
        _number("spread_bps", costs.spread_bps, "0", "10000", "the whole spread; fills move by half of it (slippage=half_spread)"),
        _number("impact_k", costs.impact_k, "0", "100", "times volatility and root of the share of volume (slippage=impact)"),
        _number("borrow_frac", costs.borrow_frac, "0", "10", "borrow of shorts a year, as a share of their value"),
        _count("latency_ms", 0, 0, 86_400_000, "milliseconds an order is on its way; it acts from the first open after"),
        _number("reject_frac", costs.reject_frac, "0", "1", "share of orders that are rejected, for drills; guards never are"),
        _count("seed", costs.seed, 0, 2**31 - 1, "decides, with the order's id, which orders are rejected"),
        _number("fee_minimum", costs.fee_minimum, "0", "1000000", "least fee of a fill, in the account's currency"),
        _number("slippage_bps", costs.slippage_bps, "0", "10000", "how far fills that take liquidity move against us"),
        _number("fill_volume_frac", costs.volume_share_frac, "0", "1", "share of a bar's volume that fills may take", optional=True),
    )  # fmt: skip


_FUSION = (
    _float("entry_threshold", ENTRY_THRESHOLD, "0", "0.999999", "least size of the view's score that is acted on"),
    *(
        _float(f"{name}_weight", _WEIGHTS[name], "0", "1", f"default weight of {name}; the weights sum to 1")
        for name in _WEIGHTS
    ),
    _number("risk_per_trade_frac", RiskAtStop().risk_per_trade_frac, "0", "1", "share of equity lost at the stop", above=True),
    _word("sizing", "risk", SIZINGS, "by what an entry is sized: fixed risk at the stop, volatility target, Kelly's share, risk parity"),
    _number("volatility_frac", VolatilityTarget().volatility_frac, "0", "1", "volatility a year a position adds, of equity (sizing=volatility)", above=True),
    _number("kelly_frac", Kelly().kelly_frac, "0", "0.25", "part of Kelly's share, at most risk_per_trade_frac (sizing=kelly)", above=True),
    *(_limit(name, meaning) for name, meaning in _LIMIT_MEANINGS.items()),
    _switch("short", default=_LIMITS.short_allowed, meaning="whether short positions may be opened"),
    _number("stop_atr", _EXITS.stop_atr, "0", "100", "stop distance in ATR(14)", above=True, optional=True),
    _number("target_atr", _EXITS.target_atr, "0", "100", "target distance in ATR(14)", above=True, optional=True),
    _word("trail", _EXITS.trail.value, tuple(kind.value for kind in TrailKind), "by what the stop trails"),
    _number("trail_arm_frac", _EXITS.trail_arm_frac, "0", "1", "favourable move that arms the trailing stop"),
    _number("trail_frac", _EXITS.trail_frac, "0", "1", "distance of a percent trail"),
    _number("trail_atr", _EXITS.trail_atr, "0", "100", "distance of an ATR or a chandelier trail, in ATR(14)", above=True),
    _number("break_even_r", _EXITS.break_even_r, "0", "100", "favourable move, in R, that moves the stop to the entry", above=True, optional=True),
    _or_none(_count("time_stop_bars", None, 1, 10_000, "bars after which a position is left that has not reached time_stop_r")),
    _number("time_stop_r", _EXITS.time_stop_r, "0", "100", "move, in R, that a position must have reached by time_stop_bars", above=True),
    _float("threshold", _CHALLENGE.threshold, "0", "1", "least confidence that lets a proposal through"),
    _float("reward_to_risk_min", _CHALLENGE.reward_to_risk_min, "0", "100", "least target distance over stop distance", above=True),
    _float("age_max_s", _CHALLENGE.age_max.total_seconds(), "0", "86400", "oldest bar a proposal may rest on, seconds", above=True),
    _float("trend_weight", _CHALLENGE.trend_weight, "0", "1", "weight of trend agreement; the four sum to 1"),
    _float("reward_weight", _CHALLENGE.reward_weight, "0", "1", "weight of reward to risk"),
    _float("conviction_weight", _CHALLENGE.conviction_weight, "0", "1", "weight of the sources' agreement"),
    _float("freshness_weight", _CHALLENGE.freshness_weight, "0", "1", "weight of the bar's age"),
    _float("answer_within_s", ANSWER_WITHIN.total_seconds(), "0", "86400", "how long a proposal waits for its verdict", above=True),
    *_cost_options(_COSTS),
    _PRICES,
)  # fmt: skip

_REFERENCE_COSTS = Costs(slippage_bps=Decimal(0), volume_share_frac=None)

_SMA_CROSS = (
    _count("fast", 10, 1, 10_000, "bars of the fast mean, below slow"),
    _count("slow", 30, 2, 10_000, "bars of the slow mean"),
    _number("stop", None, "0", "1", "stop as a fraction of the fill", above=True, optional=True),
    _number("target", None, "0", "100", "target as a fraction of the fill", above=True, optional=True),
    _number("units", None, "0", "1000000000", "fixed quantity; else pct", above=True, optional=True),
    _number("pct", Decimal("0.95"), "0", "1", "share of the cash an entry takes, fees included", above=True),
    _word("reference", "none", ("none", "R"), "R: levels live from the bar after the entry, stop before a gap to the target"),
    *_cost_options(_REFERENCE_COSTS),
    _PRICES,
)  # fmt: skip

_BUY_HOLD = (
    _number("pct", Decimal(1), "0", "1", "share of the capital invested, in equal parts over the symbols", above=True),
    *_cost_options(_COSTS),
    _PRICES,
)

_METRONOME = (
    _number("units", Decimal(10), "0", "1000000000", "quantity of each entry", above=True),
    *_cost_options(_COSTS),
    _PRICES,
)

OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "fusion": _FUSION,
    "sma_cross": _SMA_CROSS,
    "buy_hold": _BUY_HOLD,
    "metronome": _METRONOME,
}
"""By the public name of the strategy."""
