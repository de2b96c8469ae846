"""The currency of a symbol, and the way from it to the account's."""

from decimal import Decimal

import pytest

from evil2root.domain.core.conversion import conversions_of
from evil2root.domain.core.instrument import AssetClass, instrument_for
from evil2root.domain.core.money import Price


@pytest.mark.parametrize(
    ("symbol", "kind", "base", "currency", "unit"),
    [
        ("AAPL", AssetClass.EQUITY, "", "USD", "1"),
        ("BRK.B", AssetClass.EQUITY, "", "USD", "1"),
        ("BRK-B", AssetClass.EQUITY, "", "USD", "1"),
        ("GOOGLE", AssetClass.EQUITY, "", "USD", "1"),
        ("AIR.PA", AssetClass.EQUITY, "", "EUR", "1"),
        ("SAP.DE", AssetClass.EQUITY, "", "EUR", "1"),
        ("VOD.L", AssetClass.EQUITY, "", "GBP", "0.01"),
        ("NESN.SW", AssetClass.EQUITY, "", "CHF", "1"),
        ("7203.T", AssetClass.EQUITY, "", "JPY", "1"),
        ("NPN.JO", AssetClass.EQUITY, "", "ZAR", "0.01"),
        ("BTC-USD", AssetClass.CRYPTO, "BTC", "USD", "1"),
        ("BTC-EUR", AssetClass.CRYPTO, "BTC", "EUR", "1"),
        ("BTC/USDT", AssetClass.CRYPTO, "BTC", "USDT", "1"),
        ("ETH-BTC", AssetClass.CRYPTO, "ETH", "BTC", "1"),
        ("EURUSD=X", AssetClass.FX, "EUR", "USD", "1"),
        ("EURUSD", AssetClass.FX, "EUR", "USD", "1"),
        ("JPY=X", AssetClass.FX, "USD", "JPY", "1"),
    ],
)
def test_a_symbol_tells_what_it_is_quoted_in(
    symbol: str, kind: AssetClass, base: str, currency: str, unit: str
) -> None:
    made = instrument_for(symbol)

    assert (made.asset_class, made.base, made.currency, made.quote_unit) == (kind, base, currency, Decimal(unit))


def test_an_exchange_that_is_not_known_is_no_dollar() -> None:
    with pytest.raises(ValueError, match=r"\.XX names no exchange that is known here, so its currency is unknown"):
        instrument_for("FOO.XX")


@pytest.mark.parametrize(
    ("symbol", "account", "marks", "rate"),
    [
        ("AIR.PA", "USD", {"EURUSD=X": "1.25"}, "1.25"),
        ("AAPL", "EUR", {"EURUSD=X": "1.25"}, "0.8"),
        ("VOD.L", "USD", {"GBPUSD=X": "1.5"}, "0.015"),
        ("VOD.L", "GBP", {}, "0.01"),
        ("VOD.L", "EUR", {"GBPUSD=X": "1.5", "EURUSD=X": "1.25"}, "0.012"),
        ("7203.T", "EUR", {"USDJPY": "160", "EURUSD=X": "1.25"}, "0.005"),
        ("ETH-BTC", "USD", {"BTC-USD": "50000"}, "50000"),
        ("AAPL", "EUR", {"EURUSD=X": "1.3"}, "0.769230769231"),
    ],
)
def test_prices_convert_over_the_pairs_that_are_watched(
    symbol: str, account: str, marks: dict[str, str], rate: str
) -> None:
    instruments = [instrument_for(one) for one in (symbol, *marks)]

    found = conversions_of(instruments, currency=account)[symbol]

    assert found.rate({s: Price(Decimal(m)) for s, m in marks.items()}) == Decimal(rate)


def test_what_is_quoted_in_the_accounts_currency_needs_no_rate() -> None:
    assert conversions_of([instrument_for("AAPL"), instrument_for("EURUSD=X")], currency="USD") == {}


def test_without_a_way_or_a_close_there_is_no_rate_and_it_says_so() -> None:
    lost = conversions_of([instrument_for("AIR.PA")], currency="USD")["AIR.PA"]
    late = conversions_of([instrument_for("AIR.PA"), instrument_for("EURUSD=X")], currency="USD")["AIR.PA"]

    assert lost.rate({}) is None
    assert "No rate from EUR to USD is known: add EURUSD=X to the watchlist" in lost.missing
    assert late.rate({}) is None
    assert "EURUSD=X has no close so far" in late.missing


@pytest.mark.parametrize(
    ("symbol", "told"),
    [("AAPL", "USD"), ("AIR.PA", "EUR"), ("VOD.L", "GBp"), ("NPN.JO", "ZAc"), ("TEVA.TA", "ILA"), ("BTC-EUR", "EUR"),
     ("JPY=X", "JPY"), ("^FTSE", None)],
)  # fmt: skip
def test_says_how_sources_write_what_prices_are_in(symbol: str, told: str | None) -> None:
    assert instrument_for(symbol).told_in == told
