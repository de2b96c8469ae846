import csv
from decimal import Decimal

import pytest

from evil2root.domain.book.export import TRADE_COLUMNS, trades_csv
from tests.domain.book.books import a_trade


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_a_trade_is_a_line_of_plain_numbers_and_utc_times() -> None:
    text = trades_csv([a_trade("-12.345", risk="9", reason="stop")])

    assert text == (
        "symbol,side,quantity,entry_time,entry_price,exit_time,exit_price,exit_reason,fees,pnl,r\n"
        "AAPL,buy,10,2024-01-01T21:00:00Z,100.50,2024-01-02T21:00:00Z,101.70,stop,2,-12.345,-1.371667\n"
    )


def test_no_trade_leaves_the_names_of_the_columns() -> None:
    assert trades_csv([]) == ",".join(TRADE_COLUMNS) + "\n"


def test_a_trade_without_a_stop_has_an_empty_r() -> None:
    assert rows_of(trades_csv([a_trade(risk=None)]))[0]["r"] == ""


@pytest.mark.parametrize("reason", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])
def test_text_never_becomes_a_formula(reason: str) -> None:
    assert rows_of(trades_csv([a_trade(reason=reason)]))[0]["exit_reason"] == f"'{reason}"


@pytest.mark.parametrize("pnl", ["1E+3", "-0.00000001", "1234567890.12"])
def test_numbers_are_never_written_with_an_exponent_and_keep_their_value(pnl: str) -> None:
    written = rows_of(trades_csv([a_trade(pnl)]))[0]["pnl"]

    assert "E" not in written
    assert Decimal(written) == Decimal(pnl)
