"""`evil2root backtest` as a user starts it."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.cli_process import call, call_each, is_one_line

RULES = ("--strategy", "sma_cross", "--cash", "10000", "--set", "prices=raw", "--set", "fast=10", "--set", "slow=30",
         "--set", "fee=0.001")  # fmt: skip
NEAR = ("--set", "stop=0.02", "--set", "target=0.04", "--set", "pct=0.95")
WIDE = ("--set", "stop=0.05", "--set", "target=0.10", "--set", "units=10", "--set", "reference=R")

WRONG = {
    "interval": (("--interval", "7x"), "'7x' is not an interval"),
    "strategy": (("--strategy", "nope"), "'nope' is no strategy"),
    "option": (("--set", "entry_treshold=1"), "Did you mean entry_threshold?"),
    "value of an option": (("--strategy", "sma_cross", "--set", "fast=x"), "fast=x: it must be a whole number"),
    "option without a value": (("--set", "fast"), "write key=value"),
    "cash": (("--cash", "-5"), "--cash -5 must be an amount above 0"),
    "times": (("--start", "2012-01-01", "--end", "2012-01-01"), "is not before --end"),
    "shape of a symbol": (("--symbols", "GO OG"), "'GO OG' is not a symbol"),
    "list of symbols": (("--symbols", ","), "names no symbol"),
}


@pytest.mark.slow
def test_ends_where_the_reference_ends_and_starts_no_database(tmp_path: Path) -> None:
    goog, msft = call_each(
        tmp_path / "data",
        [("backtest", "--symbols", "GOOG", *RULES, *WIDE, "--json"), ("backtest", "--symbols", "MSFT", *RULES, *NEAR, "--json")],
    )  # fmt: skip

    assert (goog.code, goog.err, msft.code, msft.err) == (0, "", 0, "")
    first, second = json.loads(goog.out), json.loads(msft.out)
    assert first["final_equity"] == pytest.approx(12957.852035, rel=1e-9)
    assert (first["closed_trades"], first["open_trades"], first["bars"]) == (33, 0, 2148)
    assert second["final_equity"] == pytest.approx(11944.58701284, rel=1e-9)
    assert (second["closed_trades"], second["open_trades"], second["bars"]) == (58, 1, 3270)
    assert len(second["trades"]) == 58
    assert [p["symbol"] for p in second["open_positions"]] == ["MSFT"]
    assert first["trades"][0] == {
        "symbol": "GOOG", "side": "buy", "quantity": 10, "entry_time": "2004-12-21T14:30:00Z", "entry_price": 186.28,
        "exit_time": "2005-01-18T20:59:59Z", "exit_price": 204.908, "exit_reason": "target", "fees": 3.91188,
        "borrow": 0.0, "pnl": 182.36812,
    }  # fmt: skip
    assert not (tmp_path / "data" / "postgres").exists()


@pytest.mark.slow
def test_tells_a_person_and_writes_both_files(tmp_path: Path) -> None:
    sheet, trades = tmp_path / "sheet.html", tmp_path / "trades.csv"
    words = ("backtest", "--symbols", "GOOG", *RULES, *WIDE, "--start", "2012-01-01", "--end", "2013-01-01")

    told, as_json = call_each(
        tmp_path / "data", [(*words, "--html", str(sheet), "--trades", str(trades)), (*words, "--json")]
    )

    found = json.loads(as_json.out)
    assert (told.code, told.err) == (0, "")
    assert "sma_cross on GOOG, 2012-01-03 to 2012-12-31: 10,000.00 became" in told.out
    assert "No profit is promised" in told.out
    assert f"{found['closed_trades']} closed trades, {found['open_trades']} open" in told.out
    assert found["start"] >= "2012-01-01"
    assert found["end"] < "2013-01-01"
    assert found["decisions"].get("warming_up", 0) == 0, "bars before the start warm the means up"
    with trades.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["pnl"]) for row in rows] == [trade["pnl"] for trade in found["trades"]]
    assert rows
    fees = sum(Decimal(row["fees"]) for row in rows)
    assert found["fees"] >= float(fees) > 0
    assert sheet.read_text().startswith("<!doctype html>")


@pytest.mark.slow
def test_refuses_wrong_usage_in_one_line(tmp_path: Path) -> None:
    ends = call_each(tmp_path / "data", [("backtest", *words) for words, _ in WRONG.values()])

    for (what, (_, says)), end in zip(WRONG.items(), ends, strict=True):
        assert (end.code, is_one_line(end)) == (2, True), (what, end)
        assert says in end.err, what


@pytest.mark.slow
def test_says_what_is_missing_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    short = ("backtest", "--symbols", "GOOG", *RULES, "--start", "2013-02-01")
    calls = {
        "There are no 1d bars of ZZZZ": ("backtest", "--symbols", "ZZZZ"),
        "There is no packaged history of 5m bars": ("backtest", "--interval", "5m"),
        "No bars of GOOG are left": ("backtest", "--symbols", "GOOG", "--start", "2030-01-01"),
        "missing/sheet.html can't be written": (*short, "--html", str(tmp_path / "missing" / "sheet.html")),
        "folder can't be written": (*short, "--trades", str(folder)),
    }

    ends = call_each(tmp_path / "data", list(calls.values()))

    for says, end in zip(calls, ends, strict=True):
        assert (end.code, is_one_line(end)) == (1, True), (says, end)
        assert says in end.err
    assert [path.name for path in tmp_path.iterdir() if path.name != "data"] == ["folder"]


@pytest.mark.slow
def test_its_help_is_quick_to_read_and_has_an_example(tmp_path: Path) -> None:
    end = call(tmp_path / "data", "backtest", "--help")

    assert end.code == 0
    assert "Example: evil2root backtest --symbols GOOG" in end.out
    assert not (tmp_path / "data").exists(), "help touches nothing"


@pytest.mark.slow
def test_says_since_when_a_limit_lets_nothing_in(tmp_path: Path) -> None:
    words = (
        "backtest",
        "--symbols",
        "MSFT",
        "--start",
        "2000-11-01",
        "--end",
        "2003-01-01",
        "--set",
        "drawdown_frac=0.01",
    )

    told, as_json, free = call_each(
        tmp_path / "data", [words, (*words, "--json"), (*words[:-1], "drawdown_frac=none", "--json")]
    )

    stopped = json.loads(as_json.out)["stopped"]
    assert stopped["reason"].startswith("drawdown 0.01")
    assert f"No entries since {stopped['at'][:10]}: drawdown 0.01" in told.out
    assert "That ends when a person resumes; --set NAME=none switches a limit off." in told.out
    assert json.loads(free.out)["stopped"] is None
