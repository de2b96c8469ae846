"""The groups of settings. Defaults of trading rules are the domain's own, so that they are written once."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from evil2root.domain.decision.factors import Challenge
from evil2root.domain.decision.strategies.fusion import ENTRY_THRESHOLD
from evil2root.domain.execution.costs import Costs, Slippage
from evil2root.domain.execution.exits import Exits, TrailKind
from evil2root.domain.kernel.profiles import ANSWER_WITHIN
from evil2root.domain.market.around.family import US_NEIGHBOURS, Neighbours, Role
from evil2root.domain.market.keeping import Retention
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.methods import KELLY_MOST, Kelly, RiskAtStop, VolatilityTarget
from evil2root.domain.signals.panel import DEFAULT_WEIGHTS
from evil2root.settings.kinds import (
    Amount,
    Atrs,
    AtrsOrNone,
    Frac,
    FracOrNone,
    Multiple,
    MultipleOrNone,
    Names,
    OrNone,
    PaidIn,
    Seconds,
    Sectors,
    Speed,
    SymbolOrNone,
    Web,
    Weight,
)

_LIMITS, _EXITS, _COSTS, _CHALLENGE = Limits(), Exits(), Costs(), Challenge()
_WEIGHTS = dict(DEFAULT_WEIGHTS.by_source)


class Block(BaseModel):
    """A group of settings: frozen, and without room for names it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


Count = Annotated[int, Field(ge=0, le=1_000_000)]
Row = Annotated[int, Field(ge=1, le=10_000)]
"""How often something may happen one after the other."""


class ReplaySettings(Block):
    """Recorded history played as if it were live."""

    path: Path | None = None
    """A folder of SYMBOL_INTERVAL.csv files; none is the packaged history."""
    speed: Speed = 1.0
    loop: bool = False


class FolderSettings(Block):
    """Bars in files of one's own, that something else keeps writing: SYMBOL_INTERVAL.csv or .parquet."""

    path: Path | None = None


class SimulatedSettings(Block):
    """Invented prices, for tests and drills."""

    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Another seed is another market."""


class PaperSettings(Block):
    """The simulated broker's account."""

    cash: PaidIn = Decimal(100_000)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    latency_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0
    reject_frac: Frac = _COSTS.reject_frac
    seed: Annotated[int, Field(ge=0, lt=2**31)] = _COSTS.seed


class RiskSettings(Block):
    """Size and limits; fractions are of equity at the last close, `none` switches a limit off where it may be."""

    sizing: Literal["risk", "volatility", "kelly", "parity"] = "risk"
    risk_per_trade_frac: Annotated[Decimal, Field(gt=0, le=1)] = RiskAtStop().risk_per_trade_frac
    volatility_frac: Annotated[Decimal, Field(gt=0, le=1)] = VolatilityTarget().volatility_frac
    kelly_frac: Annotated[Decimal, Field(gt=0, le=KELLY_MOST)] = Kelly().kelly_frac
    per_symbol_frac: Multiple = _LIMITS.per_symbol_frac
    gross_frac: Multiple = _LIMITS.gross_frac
    net_frac: MultipleOrNone = _LIMITS.net_frac
    leverage_max: Annotated[Annotated[Decimal, Field(ge=0, le=100)] | None, OrNone] = _LIMITS.leverage_max
    sector_frac: MultipleOrNone = _LIMITS.sector_frac
    asset_class_frac: MultipleOrNone = _LIMITS.asset_class_frac
    currency_frac: MultipleOrNone = _LIMITS.currency_frac
    cash_reserve_frac: Frac = _LIMITS.cash_reserve_frac
    positions_max: Annotated[int, Field(ge=0, le=10_000)] = _LIMITS.positions_max
    order_units_max: Annotated[Amount | None, OrNone] = _LIMITS.order_units_max
    order_value_frac: MultipleOrNone = _LIMITS.order_value_frac
    price_collar_frac: MultipleOrNone = _LIMITS.price_collar_frac
    volume_share_frac: FracOrNone = _LIMITS.volume_share_frac
    average_volume_frac: FracOrNone = _LIMITS.average_volume_frac
    correlation_max: Annotated[Annotated[Decimal, Field(ge=-1, le=1)] | None, OrNone] = _LIMITS.correlation_max
    cluster_frac: MultipleOrNone = _LIMITS.cluster_frac
    heat_frac: FracOrNone = _LIMITS.heat_frac
    value_at_risk_frac: FracOrNone = _LIMITS.value_at_risk_frac
    shortfall_frac: FracOrNone = _LIMITS.shortfall_frac
    duplicate_s: Annotated[int, Field(ge=0, le=60)] = _LIMITS.duplicate_s
    orders_per_second_max: Annotated[Count | None, OrNone] = _LIMITS.orders_per_second_max
    orders_per_minute_max: Annotated[Count | None, OrNone] = _LIMITS.orders_per_minute_max
    orders_per_day_max: Annotated[Count | None, OrNone] = _LIMITS.orders_per_day_max
    stale_bars_max: Annotated[Annotated[Decimal, Field(ge=0, le=1_000)] | None, OrNone] = _LIMITS.stale_bars_max
    missing_bars_max: Annotated[Annotated[int, Field(ge=0, le=20)] | None, OrNone] = _LIMITS.missing_bars_max
    repeated_bars_max: Annotated[Annotated[int, Field(ge=1, le=1_000_000)] | None, OrNone] = _LIMITS.repeated_bars_max
    daily_loss_frac: FracOrNone = _LIMITS.daily_loss_frac
    drawdown_frac: FracOrNone = _LIMITS.drawdown_frac
    losing_streak_max: Annotated[Row | None, OrNone] = _LIMITS.losing_streak_max
    rejections_max: Annotated[Row | None, OrNone] = _LIMITS.rejections_max
    short_allowed: bool = _LIMITS.short_allowed


class ExecutionSettings(Block):
    """Exits and patience."""

    quarantine_s: Seconds = 60.0
    """How long an order of unknown outcome is looked for before it may be called not placed."""
    stop_atr: AtrsOrNone = _EXITS.stop_atr
    target_atr: AtrsOrNone = _EXITS.target_atr
    trail: TrailKind = _EXITS.trail
    trail_arm_frac: Frac = _EXITS.trail_arm_frac
    trail_frac: Frac = _EXITS.trail_frac
    trail_atr: Atrs = _EXITS.trail_atr
    break_even_r: AtrsOrNone = _EXITS.break_even_r
    time_stop_bars: Annotated[Row | None, OrNone] = _EXITS.time_stop_bars
    time_stop_r: Atrs = _EXITS.time_stop_r
    answer_within_s: Seconds = ANSWER_WITHIN.total_seconds()
    drill_every_s: Annotated[Annotated[float, Field(ge=1, le=31_536_000, allow_inf_nan=False)] | None, OrNone] = None
    """In paper: how often everything is closed to measure how long that takes. None: never."""
    drill_patience_s: Annotated[float, Field(gt=0, le=2_592_000, allow_inf_nan=False)] = 604_800.0
    """How long a drill waits until all is closed; what is ordered on a closed market waits for its opening."""


class CostsSettings(Block):
    """What the simulated venue charges."""

    fee_frac: Frac = _COSTS.fee_frac
    fee_minimum: Amount = _COSTS.fee_minimum
    slippage_bps: Annotated[Decimal, Field(ge=0, le=10_000)] = _COSTS.slippage_bps
    volume_share_frac: FracOrNone = _COSTS.volume_share_frac
    fee_equity_frac: FracOrNone = _COSTS.fee_equity_frac
    fee_crypto_frac: FracOrNone = _COSTS.fee_crypto_frac
    fee_fx_frac: FracOrNone = _COSTS.fee_fx_frac
    fee_per_share: Amount = _COSTS.fee_per_share
    slippage: Slippage = _COSTS.slippage
    spread_bps: Annotated[Decimal, Field(ge=0, le=10_000)] = _COSTS.spread_bps
    impact_k: Annotated[Decimal, Field(ge=0, le=100)] = _COSTS.impact_k
    borrow_frac: Annotated[Decimal, Field(ge=0, le=10)] = _COSTS.borrow_frac


class ValidationSettings(Block):
    """How hard proposals are challenged. The four weights sum to 1."""

    threshold: Weight = _CHALLENGE.threshold
    reward_to_risk_min: Annotated[float, Field(gt=0, le=100, allow_inf_nan=False)] = _CHALLENGE.reward_to_risk_min
    age_max_s: Seconds = _CHALLENGE.age_max.total_seconds()
    on_llm_failure: Literal["reject", "rules"] = "reject"
    trend_weight: Weight = _CHALLENGE.trend_weight
    reward_weight: Weight = _CHALLENGE.reward_weight
    conviction_weight: Weight = _CHALLENGE.conviction_weight
    freshness_weight: Weight = _CHALLENGE.freshness_weight


class SignalsSettings(Block):
    """Default weights of the sources, summing to 1, and how strong a view must be."""

    trend_following_weight: Weight = _WEIGHTS["trend_following"]
    mean_reversion_weight: Weight = _WEIGHTS["mean_reversion"]
    breakout_weight: Weight = _WEIGHTS["breakout"]
    momentum_weight: Weight = _WEIGHTS["momentum"]
    volume_flow_weight: Weight = _WEIGHTS["volume_flow"]
    volatility_regime_weight: Weight = _WEIGHTS["volatility_regime"]
    higher_trend_weight: Weight = _WEIGHTS["higher_trend"]
    entry_threshold: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)] = ENTRY_THRESHOLD


class OpenRouterSettings(Block):
    """Reserved: the LLM's gateway."""

    api_key: SecretStr | None = None
    base_url: Web = "https://openrouter.ai/api/v1"
    models: Names = (
        "~anthropic/claude-sonnet-latest",
        "anthropic/claude-sonnet-5",
        "~anthropic/claude-haiku-latest",
    )
    timeout_s: Seconds = 30.0
    daily_budget_usd: Amount = Decimal(5)


class TelegramSettings(Block):
    """Reserved: the Telegram face."""

    token: SecretStr | None = None
    chat_ids: Names = ()
    base_url: Web = "https://api.telegram.org"


class AlpacaSettings(Block):
    """The Alpaca broker, and its prices. Both addresses are without `/v2`."""

    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    base_url: Web = "https://paper-api.alpaca.markets"
    data_url: Web = "https://data.alpaca.markets"
    feed: Literal["iex", "sip"] = "iex"
    """Of shares: what is traded at one exchange (free), or the whole market (a subscription)."""


class TiingoSettings(Block):
    """Prices by Tiingo."""

    api_key: SecretStr | None = None
    base_url: Web = "https://api.tiingo.com"


class CcxtSettings(Block):
    """A crypto exchange. `base_url` is the address without `/api`; none is its test network, or the real one when live."""

    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None
    password: SecretStr | None = None
    """For exchanges that ask for one; Binance does not."""
    base_url: Web | None = None
    data_url: Web | None = None
    """Where prices come from, in place of the exchange's own host; a test network trades at prices of its own."""


class YfinanceSettings(Block):
    """Prices by Yahoo. With another `base_url` every request of yfinance goes there, whatever host of Yahoo's it is for."""

    base_url: Web = "https://query2.finance.yahoo.com"


class NewsapiSettings(Block):
    """Reserved: headlines."""

    api_key: SecretStr | None = None
    base_url: Web = "https://newsapi.org"


class RedditSettings(Block):
    """Reserved: posts."""

    client_id: SecretStr | None = None
    client_secret: SecretStr | None = None
    base_url: Web = "https://oauth.reddit.com"


class StocktwitsSettings(Block):
    """Reserved: posts."""

    base_url: Web = "https://api.stocktwits.com"


class FeaturesSettings(Block):
    """Series around a symbol that features for models are made from; `none` leaves one out."""

    index: SymbolOrNone = US_NEIGHBOURS.symbols[Role.INDEX]
    volatility: SymbolOrNone = US_NEIGHBOURS.symbols[Role.VOLATILITY]
    rate: SymbolOrNone = US_NEIGHBOURS.symbols[Role.RATE]
    sectors: Literal["us"] | Sectors = "us"
    """`us` is the SPDR funds of the sectors."""

    def neighbours(self) -> Neighbours:
        """Name the symbols by role."""
        named = {Role.INDEX: self.index, Role.VOLATILITY: self.volatility, Role.RATE: self.rate}
        symbols = {role: symbol for role, symbol in named.items() if symbol is not None}
        sectors = US_NEIGHBOURS.sectors if self.sectors == "us" else dict(self.sectors)
        return Neighbours(symbols=symbols, sectors=sectors)


class LogSettings(Block):
    """What is written to standard error, and how."""

    format: Literal["auto", "console", "json"] = "auto"
    """`auto` is `console` on a terminal, else `json`."""
    level: Literal["debug", "info", "warning", "error"] = "info"


class RetentionSettings(Block):
    """What goes after a while; nothing does unless a number of days is set."""

    intraday_days: Annotated[int | None, Field(ge=30)] = None
    """Bars shorter than a day, of intervals nobody decides on."""
    copies_days: Annotated[int | None, Field(ge=30)] = None
    """Rows set aside and former values of restated bars, of intervals nobody decides on."""

    def retention(self) -> Retention:
        """Make the policy."""
        return Retention(
            intraday=None if self.intraday_days is None else timedelta(days=self.intraday_days),
            copies=None if self.copies_days is None else timedelta(days=self.copies_days),
        )


class HttpSettings(Block):
    """The pages and the API."""

    host: Annotated[str, Field(min_length=1, max_length=253)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    """0 takes any free port."""
    hosts: Names = ()
    """Names it is reached by, beside the loopback ones and `host`: a domain behind a proxy. Others are refused."""
    secure_cookies: bool = False
    """True behind TLS: cookies are then never sent in the clear."""
    session_hours: Annotated[int, Field(ge=1, le=24 * 90)] = 24 * 7

    @property
    def session_length(self) -> timedelta:
        """How long a sign-in lasts."""
        return timedelta(hours=self.session_hours)
