"""Which account is traded, and at which venue. What a venue needs is imported only when it is the one."""

from collections.abc import Sequence

from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.execution.remote import RemoteBroker
from evil2root.settings import Settings, SettingsProblem

PAPER = "paper"


def account_of(settings: Settings) -> str:
    """Name the account: paper and real ones live side by side in one database, and never mix."""
    name = settings.broker.replace(":", "-")
    if settings.broker == PAPER and settings.market_data == ("simulated",):
        return "paper-simulated"  # its profits are as invented as its prices
    return f"{name}-live" if settings.mode == "live" else name


def currency_of(settings: Settings, symbols: Sequence[str]) -> str:
    """Name the currency of the account's cash: at an exchange, what the pairs are quoted in."""
    if settings.broker.startswith("ccxt:") and symbols:
        return instrument_for(symbols[0]).currency
    return settings.paper.currency


def remote_broker(settings: Settings, *, symbols: Sequence[str]) -> RemoteBroker | None:
    """Return the venue out there that the settings name; none for the paper broker, which is played here.

    Raises `SettingsProblem` when the venue can't trade `symbols`, or needs a package that is not installed.
    """
    if settings.broker == PAPER:
        return None
    if settings.broker.startswith("ccxt:"):
        return _exchange(settings, symbols)
    from evil2root.adapters.brokers.alpaca import AlpacaBroker  # noqa: PLC0415 - half the start-up time of a paper bot

    alpaca = settings.alpaca
    assert alpaca.api_key is not None, "the settings were checked"
    assert alpaca.api_secret is not None, "the settings were checked"
    return AlpacaBroker(
        alpaca.base_url, alpaca.api_key, alpaca.api_secret, account=account_of(settings), clock=SystemClock()
    )


def _exchange(settings: Settings, symbols: Sequence[str]) -> RemoteBroker:
    """Return a crypto exchange: its test network in paper mode, unless an address is set."""
    from evil2root.adapters.brokers.binance import REAL, TEST, BinanceBroker  # noqa: PLC0415 - see above

    given = settings.ccxt
    assert given.api_key is not None, "the settings were checked"
    assert given.api_secret is not None, "the settings were checked"
    address = given.base_url or (REAL if settings.mode == "live" else TEST)
    try:
        return BinanceBroker(address, given.api_key, given.api_secret, account=account_of(settings), symbols=symbols)
    except ModuleNotFoundError as missing:
        msg = f"EVIL2ROOT_BROKER is {settings.broker}, which needs the package {missing.name}: ./evil2root setup --with ccxt"
        raise SettingsProblem(msg) from missing
    except ValueError as strange:
        msg = (
            f"EVIL2ROOT_BROKER is {settings.broker}. {strange} Set EVIL2ROOT_WATCHLIST and the history it is played on."
        )
        raise SettingsProblem(msg) from strange
