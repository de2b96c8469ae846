"""The moving-average cross against results that two public engines agree on."""

from datetime import date
from decimal import Decimal

import pytest

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.profiles import make_policy
from evil2root.engine.replay import Run, backtest

TEN, MOST = {"units": "10"}, {"pct": "0.95"}
WIDE, NEAR = {"stop": "0.05", "target": "0.10"}, {"stop": "0.02", "target": "0.04"}
R = {"reference": "R"}

RESULTS = [
    ("GOOG", TEN | WIDE | R, 33, 0, "12957.852035"),
    ("GOOG", TEN | NEAR | R, 33, 0, "12063.074708"),
    ("GOOG", MOST | WIDE | R, 33, 0, "18566.0981895"),
    ("GOOG", MOST | NEAR | R, 33, 0, "14348.7460514"),
    ("GOOG", TEN | NEAR, 33, 0, "12117.33839"),
    ("GOOG", MOST | NEAR, 33, 0, "14601.002132"),
    ("MSFT", TEN | WIDE | R, 58, 1, "10157.5742475"),
    ("MSFT", MOST | NEAR | R, 58, 1, "13483.7072908"),
    ("MSFT", TEN | NEAR, 58, 1, "10101.6349428"),
    ("MSFT", MOST | NEAR, 58, 1, "11944.58701284"),
]


def run(symbol: str, options: dict[str, str]) -> Run:
    given = {"prices": "raw", "fast": "10", "slow": "30", "fee": "0.001", **options}
    policy = make_policy(
        "sma_cross", given, account="reference", currency="USD", interval=Interval.D1,
        instruments={symbol: instrument_for(symbol)},
    )  # fmt: skip
    return backtest(policy, {symbol: packaged(Interval.D1)[symbol].raw}, cash=Money(Decimal(10_000)))


@pytest.mark.parametrize(("symbol", "options", "closed", "still_open", "equity"), RESULTS)
def test_ends_where_the_reference_ends(
    symbol: str, options: dict[str, str], closed: int, still_open: int, equity: str
) -> None:
    done = run(symbol, options)

    assert len(done.trades) == closed
    assert len(done.state.portfolio.positions) == still_open
    assert abs(done.points[-1].equity / Decimal(equity) - 1) < Decimal("1e-9")
    assert not done.parked


def test_takes_the_first_and_the_last_trade_of_the_reference() -> None:
    goog, msft = run("GOOG", TEN | WIDE | R), run("MSFT", MOST | NEAR | R)

    trades = [
        (t.entry_time.date(), str(t.quantity), float(t.entry_price), t.exit_time.date(), float(t.exit_price))
        for t in (goog.trades[0], goog.trades[-1], msft.trades[0], msft.trades[-1])
    ]

    assert trades == [
        (date(2004, 12, 21), "10", 186.28, date(2005, 1, 18), 204.908),
        (date(2012, 12, 4), "10", 695.00, date(2013, 2, 1), 764.50),
        (date(2000, 6, 14), "135", 69.81, date(2000, 6, 15), 72.6024),
        (date(2012, 12, 21), "470", 27.45, date(2012, 12, 26), 26.901),
    ]
