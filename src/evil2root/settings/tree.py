"""The whole tree of settings, what may not stand together, and what this build has not got yet."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.profiles import STRATEGIES, options_for
from evil2root.settings import blocks
from evil2root.settings.kinds import (
    BarInterval,
    Broker,
    Compute,
    DatabaseUrl,
    Providers,
    RedisUrl,
    Watchlist,
    check_secret_key,
    nearest,
)

PREFIX = "EVIL2ROOT_"
CONFIRM = "I-UNDERSTAND"
EXCHANGES = ("ccxt:binance",)
"""Crypto exchanges whose answers are read, order by order, by an adapter that passes the port's contract suite."""

LIVE_SOURCES: tuple[str, ...] = ("yfinance", "alpaca", "tiingo", "ccxt")
"""Sources of prices of the present that this build has, without `:EXCHANGE`: what `MODE=live` can trade on."""
UNREAL_SOURCES = ("folder", "simulated", "replay")
"""Sources whose prices never move real money: nobody knows how old, or how true, they are."""
ALONE = ("simulated", "replay")
"""Sources that stand alone: bars of another time or of no market must never fill a gap in those of the present."""

REAL_MONEY_AT = "https://api.alpaca.markets"
PAPER_MONEY_AT = "https://paper-api.alpaca.markets"

REAL_COINS_AT = re.compile(r"https?://(api|www|ws-api)[0-9a-z.-]*\.binance\.com(:\d+)?(/.*)?")
TEST_COINS_AT = re.compile(r"https?://(testnet\.binance\.vision|demo-api\.binance\.com)(:\d+)?(/.*)?")

OPTION_NAMES = {
    "risk.short_allowed": "short",
    "costs.fee_frac": "fee",
    "costs.volume_share_frac": "fill_volume_frac",
}
"""Where an option of a strategy is called otherwise than the last part of its setting."""

OPTION_BLOCKS = ("risk", "execution", "costs", "paper", "validation", "signals")


def _strategy(name: str) -> str:
    if name not in STRATEGIES:
        msg = f"{name!r} is no strategy{nearest(name, STRATEGIES)} Known are {', '.join(STRATEGIES)}."
        raise ValueError(msg)
    return name


class Settings(BaseSettings):
    """Everything that can be set, read once at the start. Names: `EVIL2ROOT_` and the path, parts joined by `__`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)  # type: ignore[assignment]

    data_dir: Path = Path("~/.local/share/evil2root")
    database_url: DatabaseUrl | None = None
    database_replica_url: DatabaseUrl | None = None
    redis_url: RedisUrl | None = None
    admin_password_file: Path | None = None
    secret_key: Annotated[SecretStr | None, AfterValidator(check_secret_key)] = None
    broker: Broker = "paper"
    strategy: Annotated[str, AfterValidator(_strategy)] = "fusion"
    mode: Literal["paper", "live"] = "paper"
    live_confirm: str = ""
    watchlist: Watchlist = ()
    """Empty: all symbols of the replay."""
    rates: Watchlist = ()
    """Pairs that are watched for the exchange rates they tell, and not traded."""
    interval: BarInterval = Interval.D1
    market_data: Providers = ("yfinance",)
    market_data_voices: Annotated[int, Field(ge=1, le=3)] = 2
    """How many of the sources each question goes to, as far as they are there: 2 holds one's closes against another's."""
    compute: Compute = "local"
    replay: blocks.ReplaySettings = blocks.ReplaySettings()
    folder: blocks.FolderSettings = blocks.FolderSettings()
    simulated: blocks.SimulatedSettings = blocks.SimulatedSettings()
    paper: blocks.PaperSettings = blocks.PaperSettings()
    risk: blocks.RiskSettings = blocks.RiskSettings()
    execution: blocks.ExecutionSettings = blocks.ExecutionSettings()
    costs: blocks.CostsSettings = blocks.CostsSettings()
    validation: blocks.ValidationSettings = blocks.ValidationSettings()
    signals: blocks.SignalsSettings = blocks.SignalsSettings()
    openrouter: blocks.OpenRouterSettings = blocks.OpenRouterSettings()
    telegram: blocks.TelegramSettings = blocks.TelegramSettings()
    alpaca: blocks.AlpacaSettings = blocks.AlpacaSettings()
    ccxt: blocks.CcxtSettings = blocks.CcxtSettings()
    tiingo: blocks.TiingoSettings = blocks.TiingoSettings()
    yfinance: blocks.YfinanceSettings = blocks.YfinanceSettings()
    features: blocks.FeaturesSettings = blocks.FeaturesSettings()
    newsapi: blocks.NewsapiSettings = blocks.NewsapiSettings()
    reddit: blocks.RedditSettings = blocks.RedditSettings()
    stocktwits: blocks.StocktwitsSettings = blocks.StocktwitsSettings()
    log: blocks.LogSettings = blocks.LogSettings()
    retention: blocks.RetentionSettings = blocks.RetentionSettings()
    http: blocks.HttpSettings = blocks.HttpSettings()

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `reading.load` gathered: the library's own readers ignore unknown names and forget origins."""
        return (init_settings,)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        problems = [*_contradictions(self), *_not_built(self)]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def data_folder(self) -> Path:
        """The data directory with `~` resolved."""
        return self.data_dir.expanduser().absolute()

    @property
    def origins(self) -> dict[str, str]:
        """Where each value that is not a default came from, by its key without the prefix."""
        return dict(self._origins)

    def policy_options(self, strategy: str | None = None) -> dict[str, str]:
        """What was set by somebody among the options of `strategy` (its own one if none), as `make_policy` takes it.

        Defaults are left out: a reference strategy has its own.
        """
        known = {option.name for option in options_for(strategy or self.strategy)}
        found: dict[str, str] = {}
        for name in OPTION_BLOCKS:
            block = getattr(self, name)
            for leaf in block.model_fields_set:
                option = OPTION_NAMES.get(f"{name}.{leaf}", leaf)
                if option in known:
                    value = getattr(block, leaf)
                    found[option] = "none" if value is None else str(value).lower()
        return found

    def unbuilt(self) -> str:
        """One sentence on sources of market data that this build has not; empty when it has all that are named."""
        built = (*LIVE_SOURCES, *UNREAL_SOURCES)
        missing = [name for name in self.market_data if name.split(":", 1)[0] not in built]
        if not missing:
            return ""
        return (
            f"{PREFIX}MARKET_DATA={','.join(self.market_data)}: {', '.join(missing)} is reserved: not built yet. "
            f"This build has {', '.join(built)}: set {PREFIX}MARKET_DATA=replay for recorded history, or run `evil2root demo`."
        )

    def reserved(self) -> list[str]:
        """One sentence for each thing that is set although this build does not use it yet."""
        unused = {
            "DATABASE_REPLICA_URL": self.database_replica_url,
            "OPENROUTER__API_KEY": self.openrouter.api_key,
            "TELEGRAM__TOKEN": self.telegram.token,
            "NEWSAPI__API_KEY": self.newsapi.api_key,
            "REDDIT__CLIENT_ID": self.reddit.client_id,
        }
        return [
            f"{PREFIX}{key} is set, but reserved: not built yet, nothing uses it." for key, v in unused.items() if v
        ]


def _contradictions(settings: Settings) -> list[str]:
    """What may not stand together, one line each."""
    found = []
    if settings.mode == "live" and settings.live_confirm != CONFIRM:
        found.append(
            f"{PREFIX}MODE is live, which trades real money: set {PREFIX}LIVE_CONFIRM={CONFIRM} too, or MODE=paper."
        )
    found += _of_the_sources(settings)
    if settings.mode == "live" and settings.broker == "paper":
        found.append(
            f"{PREFIX}MODE is live and {PREFIX}BROKER is paper, which has no real money: set {PREFIX}MODE=paper."
        )
    if settings.mode == "live" and settings.execution.drill_every_s is not None:
        found.append(
            f"{PREFIX}MODE is live and {PREFIX}EXECUTION__DRILL_EVERY_S is set: a drill closes every position. "
            f"Set {PREFIX}EXECUTION__DRILL_EVERY_S=none, or {PREFIX}MODE=paper."
        )
    alpaca = settings.alpaca
    if settings.broker == "alpaca" and not (alpaca.api_key and alpaca.api_secret):
        found.append(
            f"{PREFIX}BROKER is alpaca, which needs {PREFIX}ALPACA__API_KEY and {PREFIX}ALPACA__API_SECRET "
            "(or the same names with _FILE)."
        )
    found += _of_the_exchange(settings)
    if settings.broker == "alpaca" and settings.paper.currency != "USD":
        found.append(
            f"{PREFIX}BROKER is alpaca, whose accounts are kept in USD, and {PREFIX}PAPER__CURRENCY is "
            f"{settings.paper.currency}: set it to USD."
        )
    at = alpaca.base_url.rstrip("/")
    if settings.broker == "alpaca" and (settings.mode, at) in (("paper", REAL_MONEY_AT), ("live", PAPER_MONEY_AT)):
        other = {REAL_MONEY_AT: PAPER_MONEY_AT, PAPER_MONEY_AT: REAL_MONEY_AT}[at]
        found.append(
            f"{PREFIX}MODE is {settings.mode} and {PREFIX}ALPACA__BASE_URL={at} is where the other kind of account is: "
            f"set {PREFIX}ALPACA__BASE_URL={other}, or the other mode."
        )
    checks = settings.validation
    for group, values in (
        (
            "VALIDATION__…_WEIGHT",
            [checks.trend_weight, checks.reward_weight, checks.conviction_weight, checks.freshness_weight],
        ),
        ("SIGNALS__…_WEIGHT", [getattr(settings.signals, name) for name in _source_weights()]),
    ):
        if abs(sum(values) - 1) > 1e-9:
            listed = " + ".join(f"{value:g}" for value in values)
            found.append(f"The weights {PREFIX}{group} are {listed} = {sum(values):g}; they must sum to 1.")
    return found


def _of_the_sources(settings: Settings) -> list[str]:
    """Find sources that may not stand together, or not move real money."""
    found, names = [], settings.market_data
    unreal = [name for name in names if name in UNREAL_SOURCES]
    if settings.mode == "live" and unreal:
        found.append(
            f"{PREFIX}MODE is live and {PREFIX}MARKET_DATA names {', '.join(unreal)}: recorded prices never move real "
            f"money, nor do invented ones. Set {PREFIX}MODE=paper or another source."
        )
    alone = [name for name in names if name in ALONE]
    if alone and len(names) > 1:
        found.append(
            f"{PREFIX}MARKET_DATA={','.join(names)}: {alone[0]} stands alone, its bars must not fill gaps of others. "
            f"Set {PREFIX}MARKET_DATA={alone[0]}, or leave it out."
        )
    return found


def _of_the_exchange(settings: Settings) -> list[str]:
    """Find what a crypto exchange lacks, or has of the other kind of account."""
    if settings.broker not in EXCHANGES:
        return []
    given, found = settings.ccxt, []
    if not (given.api_key and given.api_secret):
        found.append(
            f"{PREFIX}BROKER is {settings.broker}, which needs {PREFIX}CCXT__API_KEY and {PREFIX}CCXT__API_SECRET "
            "(or the same names with _FILE)."
        )
    at = (given.base_url or "").rstrip("/")
    is_real, is_test = REAL_COINS_AT.fullmatch(at) is not None, TEST_COINS_AT.fullmatch(at) is not None
    if is_real if settings.mode == "paper" else is_test:
        found.append(
            f"{PREFIX}MODE is {settings.mode} and {PREFIX}CCXT__BASE_URL={at} is where the other kind of account is: "
            f"leave {PREFIX}CCXT__BASE_URL out, or set the other mode."
        )
    return found


def _source_weights() -> list[str]:
    return [name for name in blocks.SignalsSettings.model_fields if name.endswith("_weight")]


def _not_built(settings: Settings) -> list[str]:
    """Refuse what was asked for and is not there yet: better no start than another broker than the one named."""
    found = []
    if settings.broker.startswith("ccxt:") and settings.broker not in EXCHANGES:
        found.append(
            f"{PREFIX}BROKER={settings.broker}: how this exchange answers has not been proved here, and orders are not "
            f"sent on a guess. This build has paper, alpaca and {', '.join(EXCHANGES)}."
        )
    kinds = [name.split(":", 1)[0] for name in settings.market_data]
    if settings.mode == "live" and not any(kind in LIVE_SOURCES for kind in kinds):
        found.append(
            f"{PREFIX}MODE=live needs live prices, and {PREFIX}MARKET_DATA={','.join(settings.market_data)} gives none: "
            f"this build has {', '.join(LIVE_SOURCES) or 'no source of them yet'}."
        )
    if "market_data" in settings.model_fields_set and settings.unbuilt():
        found.append(settings.unbuilt())
    if settings.compute != "local":
        found.append(f"{PREFIX}COMPUTE={settings.compute} is reserved: not built yet. This build has only local.")
    return found
