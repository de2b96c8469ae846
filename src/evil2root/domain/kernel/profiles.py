"""The one place where a policy is put together: live from the settings, a backtest from them and `--set key=value`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from evil2root.domain.core.conversion import conversions_of
from evil2root.domain.core.instrument import AssetClass, Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.factors import Challenge
from evil2root.domain.decision.strategies.fusion import Fusion
from evil2root.domain.decision.strategies.plain import BuyHold, Metronome
from evil2root.domain.decision.strategies.sma_cross import SmaCross
from evil2root.domain.decision.strategies.strategy import Strategy
from evil2root.domain.execution.costs import Costs, Slippage
from evil2root.domain.execution.exits import Exits, TrailKind
from evil2root.domain.kernel.options import ANSWER_WITHIN, OPTIONS, Option, canonical, parsed
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.market.features import FEATURES_HASH
from evil2root.domain.risk.limits import BOUNDS, WIDE, Limits
from evil2root.domain.risk.methods import (
    CapitalShare,
    CashFraction,
    FixedUnits,
    Kelly,
    RiskAtStop,
    RiskParity,
    Sizing,
    VolatilityTarget,
)
from evil2root.domain.signals.fusion import Weights
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS, PANEL_HASH

STRATEGIES: tuple[str, ...] = tuple(OPTIONS)
"""The public names."""

__all__ = ["ANSWER_WITHIN", "STRATEGIES", "DataOptions", "Option", "data_options", "make_policy", "options_for"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """What a strategy's options say about the bars it is given."""

    adjusted: bool
    """False: raw prices, as they were traded."""


def options_for(strategy: str) -> tuple[Option, ...]:
    """Return the options of a strategy. Raises `ValueError` for an unknown one."""
    if strategy not in OPTIONS:
        msg = f"{strategy!r} is no strategy; known are {', '.join(OPTIONS)}."
        raise ValueError(msg)
    return OPTIONS[strategy]


def data_options(strategy: str, options: Mapping[str, str]) -> DataOptions:
    """Return which bars the run wants. Raises `ValueError` as `make_policy` does."""
    return DataOptions(adjusted=_values(strategy, options)["prices"] == "adjusted")


def make_policy(  # noqa: PLR0913 - the strategy, its options, and the account they are for
    strategy: str,
    options: Mapping[str, str],
    *,
    account: str,
    currency: str,
    interval: Interval,
    instruments: Mapping[str, Instrument],
    rates: Sequence[str] = (),
) -> Policy:
    """Put a policy together from texts. Raises `ValueError` naming the option, its value and what it may be.

    `instruments` are in the order of the watchlist; a reference strategy trades them without tick rounding.
    Those named in `rates` are watched for their rates and not traded.
    """
    values = _values(strategy, options)
    traded = [symbol for symbol in instruments if symbol not in rates]
    if not traded:
        msg = "A policy needs at least one symbol: name some."
        raise ValueError(msg)
    if strategy == "sma_cross":
        instruments = {symbol: replace(instrument, tick=None) for symbol, instrument in instruments.items()}
    elif values["prices"] == "adjusted":
        instruments = {symbol: _finer(instrument) for symbol, instrument in instruments.items()}
    conversions = conversions_of(instruments.values(), currency=currency)
    return Policy(
        account=account,
        currency=currency,
        interval=interval,
        instruments=dict(instruments),
        strategy=_strategy(strategy, values),
        sizing=_sizing(strategy, values, symbols=len(traded)),
        size_at_open=strategy in {"sma_cross", "buy_hold"},
        challenge=_challenge(values) if strategy == "fusion" else None,
        answer_within=timedelta(seconds=values.get("answer_within_s", ANSWER_WITHIN.total_seconds())),
        exits=_exits(strategy, values),
        limits=_limits(strategy, values),
        costs=_costs(values),
        conversions=conversions,
        rates=frozenset(rates),
        digest=_digest(
            strategy, values, interval, tuple(instruments), currency=currency if conversions else "", rates=rates
        ),
    )


ADJUSTED_TICK = Decimal("0.0001")
"""Adjusting divides old share prices, often by tens: a cent of then is far less than a cent of the adjusted price."""


def _finer(instrument: Instrument) -> Instrument:
    """Give a share whose prices are adjusted a tick that does not weigh more than the real one did."""
    if instrument.asset_class is not AssetClass.EQUITY or instrument.tick is None:
        return instrument
    return replace(instrument, tick=min(instrument.tick, ADJUSTED_TICK))


def _values(strategy: str, options: Mapping[str, str]) -> dict[str, Any]:
    """Every option of the strategy with its value, given or default."""
    values = parsed(strategy, options_for(strategy), options)
    if strategy == "sma_cross" and "units" in options and "pct" in options:
        msg = f"units={options['units']} and pct={options['pct']} contradict each other: give one of them."
        raise ValueError(msg)
    return values


def _strategy(strategy: str, values: Mapping[str, Any]) -> Strategy:
    match strategy:
        case "fusion":
            weights = {name.removesuffix("_weight"): values[name] for name in _SOURCE_WEIGHTS}
            return Fusion(weights=Weights.of(weights), entry_threshold=values["entry_threshold"])
        case "sma_cross":
            return SmaCross(fast=values["fast"], slow=values["slow"])
        case "buy_hold":
            return BuyHold()
        case _:
            return Metronome()


_SOURCE_WEIGHTS = tuple(f"{name}_weight" for name, _ in DEFAULT_WEIGHTS.by_source)


def _sizing(strategy: str, values: Mapping[str, Any], *, symbols: int) -> Sizing:
    match strategy:
        case "fusion":
            return _chosen_sizing(values)
        case "buy_hold":
            return CapitalShare(capital_frac=values["pct"] / symbols)
        case "sma_cross" if values["units"] is None:
            return CashFraction(cash_frac=values["pct"])
        case _:
            return FixedUnits(units=values["units"])


def _chosen_sizing(values: Mapping[str, Any]) -> Sizing:
    match values["sizing"]:
        case "volatility":
            return VolatilityTarget(volatility_frac=values["volatility_frac"])
        case "kelly":
            return Kelly(kelly_frac=values["kelly_frac"], risk_per_trade_frac=values["risk_per_trade_frac"])
        case "parity":
            return RiskParity()
        case _:
            return RiskAtStop(risk_per_trade_frac=values["risk_per_trade_frac"])


def _challenge(values: Mapping[str, Any]) -> Challenge:
    return Challenge(
        threshold=values["threshold"],
        reward_to_risk_min=values["reward_to_risk_min"],
        age_max=timedelta(seconds=values["age_max_s"]),
        trend_weight=values["trend_weight"],
        reward_weight=values["reward_weight"],
        conviction_weight=values["conviction_weight"],
        freshness_weight=values["freshness_weight"],
    )


def _exits(strategy: str, values: Mapping[str, Any]) -> Exits:
    match strategy:
        case "fusion":
            return Exits(
                stop_atr=values["stop_atr"],
                target_atr=values["target_atr"],
                trail=TrailKind(values["trail"]),
                trail_arm_frac=values["trail_arm_frac"],
                trail_frac=values["trail_frac"],
                trail_atr=values["trail_atr"],
                break_even_r=values["break_even_r"],
                time_stop_bars=values["time_stop_bars"],
                time_stop_r=values["time_stop_r"],
            )
        case "sma_cross":
            reference = values["reference"] == "R"
            return Exits(
                stop_frac=values["stop"],
                target_frac=values["target"],
                stop_atr=None,
                target_atr=None,
                trail=TrailKind.NONE,
                live_from_next_bar=reference,
                target_gap_first=not reference,
            )
        case _:
            return Exits(stop_atr=None, target_atr=None, trail=TrailKind.NONE)


def _limits(strategy: str, values: Mapping[str, Any]) -> Limits:
    if strategy != "fusion":
        return WIDE
    limits = {name: values[name] for name, _, _ in BOUNDS}
    return Limits(**limits, short_allowed=values["short"])


def _costs(values: Mapping[str, Any]) -> Costs:
    return Costs(
        fee_frac=values["fee"],
        fee_minimum=values["fee_minimum"],
        slippage_bps=values["slippage_bps"],
        volume_share_frac=values["fill_volume_frac"],
        fee_equity_frac=values["fee_equity_frac"],
        fee_crypto_frac=values["fee_crypto_frac"],
        fee_fx_frac=values["fee_fx_frac"],
        fee_per_share=values["fee_per_share"],
        slippage=Slippage(values["slippage"]),
        spread_bps=values["spread_bps"],
        impact_k=values["impact_k"],
        borrow_frac=values["borrow_frac"],
        latency=timedelta(milliseconds=values["latency_ms"]),
        reject_frac=values["reject_frac"],
        seed=values["seed"],
    )


def _digest(  # noqa: PLR0913 - everything that decides
    strategy: str, values: Mapping[str, Any], interval: Interval, symbols: tuple[str, ...], *, currency: str,
    rates: Sequence[str],
) -> str:  # fmt: skip
    """Hash of everything that decides, defaults included: the same digest means the same rules."""
    lines = [
        f"strategy={strategy}",
        f"interval={interval}",
        f"symbols={','.join(symbols)}",
        f"features={FEATURES_HASH}",
    ]
    lines += [f"panel={PANEL_HASH}"] if strategy == "fusion" else []
    lines += [f"currency={currency}"] if currency else []
    lines += [f"rates={','.join(sorted(rates))}"] if rates else []
    lines += [f"{name}={canonical(value)}" for name, value in sorted(values.items())]
    return sha256("\n".join(lines).encode()).hexdigest()
