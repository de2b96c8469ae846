"""Which venue the settings mean, and what is said when it can't be had."""

import sys

import pytest

from evil2root.adapters.brokers.alpaca import AlpacaBroker
from evil2root.adapters.brokers.binance import BinanceBroker
from evil2root.main.venues import account_of, remote_broker
from evil2root.settings import SettingsProblem
from tests.test_settings import read

KEYS = {"BROKER": "ccxt:binance", "CCXT__API_KEY": "k", "CCXT__API_SECRET": "s"}
PAIRS = ("BTC-USDT", "ETH-USDT")


def test_the_paper_broker_is_no_venue_out_there() -> None:
    assert remote_broker(read(), symbols=PAIRS) is None


def test_alpaca_is_one() -> None:
    settings = read(BROKER="alpaca", ALPACA__API_KEY="k", ALPACA__API_SECRET="s")

    assert isinstance(remote_broker(settings, symbols=("AAPL",)), AlpacaBroker)


@pytest.mark.parametrize(
    ("base_url", "root"), [(None, "https://testnet.binance.vision"), ("http://127.0.0.1:9/", "http://127.0.0.1:9")]
)
def test_an_exchange_is_its_test_network_unless_an_address_is_set(base_url: str | None, root: str) -> None:
    settings = read(**KEYS, **({} if base_url is None else {"CCXT__BASE_URL": base_url}))

    broker = remote_broker(settings, symbols=PAIRS)

    assert isinstance(broker, BinanceBroker)
    assert set(broker._wire._exchange.urls["api"].values()) == {f"{root}/api/v3"}
    assert account_of(settings) == "ccxt-binance"


@pytest.mark.parametrize("symbols", [("AAPL",), ("BTC-USDT", "ETH-BTC"), ()])
def test_what_an_exchange_does_not_trade_stops_the_start(symbols: tuple[str, ...]) -> None:
    with pytest.raises(SettingsProblem, match="EVIL2ROOT_WATCHLIST"):
        remote_broker(read(**KEYS), symbols=symbols)


def test_a_missing_package_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ccxt.async_support", None)

    with pytest.raises(SettingsProblem, match="setup --with ccxt"):
        remote_broker(read(**KEYS), symbols=PAIRS)
