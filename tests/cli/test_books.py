"""The commands that look into the books of a bot that is not running."""

import json
import shutil
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.cli_process import call, call_each, is_one_line
from tests.cli.held_books import held, rows, tampered
from tests.postgres_fixtures import quick_folder
from tests.system.running import Bot

pytestmark = pytest.mark.slow

DECISIONS_MIN = 300
ORDERS_MIN = 201
"""One more than a page of the read side has."""


@pytest.fixture(scope="module")
def books() -> Iterator[Path]:
    """The data directory of a bot that traded for a few seconds and was stopped."""
    folder = quick_folder()
    bot = Bot(data_dir=folder / "data", settings={"EVIL2ROOT_SIGNALS__ENTRY_THRESHOLD": "0.05"})
    try:
        bot.start()
        until = time.monotonic() + 60
        enough = "SELECT 1 WHERE (SELECT count(*) FROM decisions) >= $1 AND (SELECT count(*) FROM orders) >= $2"
        while not rows(bot.data_dir, enough, DECISIONS_MIN, ORDERS_MIN):
            assert time.monotonic() < until, "the bot trades too little to be looked at"
            time.sleep(0.2)
        assert bot.stop() == 0
        with held(bot.data_dir):
            yield bot.data_dir
    finally:
        if bot.process is not None and bot.process.poll() is None:
            bot.kill()
        shutil.rmtree(folder)


def test_every_decision_is_identical_but_the_one_whose_feature_was_changed(books: Path) -> None:
    (row,) = rows(books, "SELECT id, features::text AS kept FROM decisions WHERE features ? 'rsi_14' AND sequence = 60")
    change = f"features = jsonb_set(features, '{{rsi_14}}', '99') WHERE id = '{row['id']}'"

    with tampered(books, "decisions", change, f"features = '{row['kept']}' WHERE id = '{row['id']}'"):
        one, everything = call_each(books, [("replay", row["id"]), ("replay", "--all", "--json")])

    assert one.code == 1
    assert one.out.startswith(f"{row['id']} features.rsi_14: stored 99.0, recomputed ")
    assert one.out.count("\n") == 1
    found = json.loads(everything.out)
    assert everything.code == 1
    assert found["different"] == {row["id"]: ["features.rsi_14"]}
    assert found["identical"] + 1 == found["decisions"] >= DECISIONS_MIN


def test_verify_counts_what_holds_and_names_the_table_and_row_of_what_does_not(books: Path) -> None:
    (fill,) = rows(books, "SELECT number, execution_id, (SELECT count(*) FROM fills) AS count FROM fills LIMIT 1")

    holds = call(books, "ledger", "verify")
    with tampered(
        books,
        "fills",
        f"fee = fee + 1 WHERE number = {fill['number']}",
        f"fee = fee - 1 WHERE number = {fill['number']}",
    ):
        broken, as_json = call_each(books, [("ledger", "verify"), ("ledger", "verify", "--json")])

    assert holds.code == 0
    assert f" {fill['count']:,} fills," in holds.out
    assert broken.code == as_json.code == 1
    assert broken.out.startswith(
        f"fills {fill['execution_id']}: It was changed after it was written: its seal does not fit"
    )
    breach = json.loads(as_json.out)["breach"]
    assert (breach["table"], breach["row"]) == ("fills", fill["execution_id"])


def test_lists_go_on_beyond_a_page_and_narrow_to_a_symbol(books: Path) -> None:
    names = ("orders", "fills", "decisions")

    *ends, narrowed = call_each(
        books,
        [*((name, "list", "--limit", "100000", "--json") for name in names),
         ("fills", "list", "--symbol", "AAPL", "--limit", "3", "--json")],
    )  # fmt: skip

    for name, end in zip(names, ends, strict=True):
        (counted,) = rows(books, f"SELECT count(*) FROM {name}")  # noqa: S608
        assert (end.code, len(json.loads(end.out))) == (0, counted[0]), name
    every_fill = json.loads(ends[1].out)
    every_order = json.loads(ends[0].out)
    assert len({order["client_order_id"] for order in every_order}) == len(every_order) >= ORDERS_MIN
    assert all(isinstance(fill[name], str) for fill in every_fill for name in ("quantity", "price", "fee"))
    assert json.loads(narrowed.out) == [fill for fill in every_fill if fill["symbol"] == "AAPL"][:3]


def test_explain_tells_the_stored_facts_and_why_finds_the_latest_until_a_time(books: Path) -> None:
    (trade,) = rows(
        books,
        "SELECT t.symbol, t.entry_decision_id AS id, t.pnl, t.exit_price, t.exit_reason, o.quantity, o.average_price, d.at "
        "FROM trades t JOIN orders o ON o.decision_id = t.entry_decision_id AND o.record::jsonb ->> 'leg' = 'entry' "
        "JOIN decisions d ON d.id = t.entry_decision_id ORDER BY t.number LIMIT 1",
    )
    at = trade["at"].isoformat()

    told, why, before = call_each(
        books,
        [("explain", trade["id"], "--utc"), ("decisions", "why", trade["symbol"], "--at", at, "--json"),
         ("decisions", "why", trade["symbol"], "--at", "1950-01-01")],
    )  # fmt: skip

    head, *stages = told.out.splitlines()
    side = json.loads(why.out)["side"].capitalize()
    entry = f"{trade['average_price'].normalize():f}"
    assert head.startswith(f"{trade['id']}: {side} {trade['quantity']:f} {trade['symbol']} at {entry}, ")
    assert head.endswith("UTC [paper]")
    assert [line[2:11].strip() for line in stages][:3] == ["Signals", "Checks", "Size"]
    ended = f"closed by {trade['exit_reason']} at {trade['exit_price'].normalize():f}, {Decimal(trade['pnl']):+.2f}"
    assert f"  Now       {ended}" in told.out
    assert json.loads(why.out)["id"] == trade["id"]
    assert (before.code, is_one_line(before)) == (1, True)
    assert "Nothing was decided on" in before.err


def test_status_says_that_no_app_runs_and_how_the_account_stands(books: Path) -> None:
    (counted,) = rows(books, "SELECT count(*), max(at) FROM decisions")

    as_json, told = call_each(books, [("status", "--json"), ("status",)])

    found = json.loads(as_json.out)
    assert (as_json.code, told.code) == (0, 0)
    assert (found["app_running"], found["decisions"], found["breaker"]) == (False, counted[0], "ACTIVE")
    assert found["worked_through"] == counted[1].isoformat().replace("+00:00", "Z")
    assert isinstance(found["equity"], str)
    assert "App         does not run on" in told.out


def test_what_is_not_there_and_wrong_usage_are_one_line(books: Path) -> None:
    calls = {
        ("explain", "D-999999"): (1, "There is no decision D-999999"),
        ("replay", "D-999999", "--json"): (1, "There is no decision D-999999"),
        ("replay",): (2, "Name one decision"),
        ("decisions", "list", "--outcome", "great"): (2, "--outcome great is not known"),
        ("decisions", "why", "AAPL", "--at", "noon"): (2, "--at noon is no time"),
    }

    ends = call_each(books, list(calls))

    for (words, (code, says)), end in zip(calls.items(), ends, strict=True):
        assert (end.code, is_one_line(end)) == (code, True), (words, end)
        assert says in end.err, words
