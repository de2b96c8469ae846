import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from evil2root.domain.book.performance import measure
from evil2root.domain.book.portfolio import EquityPoint
from evil2root.domain.book.positions import Trade
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.execution.costs import Costs
from evil2root.engine.report import TRADES_SHOWN_MAX, Sheet, tear_sheet
from tests.domain.book.books import a_fill, a_trade, points_of

NASTY = """<script>alert("x")</script>&' onload="x" {{ 7 * 7 }}"""


class Reading(HTMLParser):
    """The words, tags and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(page)
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] != ["style"]:
            self.words += f" {data}"


def waves(count: int = 200, *, up: float = 1.012, down: float = 0.99) -> list[float]:
    curve = [1000.0]
    for n in range(count - 1):
        curve.append(round(curve[-1] * (up if n % 2 else down), 6))
    return curve


def a_sheet(
    points: tuple[EquityPoint, ...] | None = None, trades: tuple[Trade, ...] = (a_trade("10"), a_trade("-4", risk="4"))
) -> Sheet:
    if points is None:
        points = points_of(waves(), benchmark=list(waves(up=1.02, down=0.985)), gross=[500] * 200)
    return Sheet(
        title="Cross, daily",
        strategy="sma_cross",
        symbols=("AAPL", "MSFT"),
        interval=Interval.D1,
        start=datetime(2024, 1, 1, tzinfo=UTC),
        end=datetime(2024, 7, 18, tzinfo=UTC),
        options={"fast": "10"},
        points=points,
        trades=trades,
        performance=measure(points, trades=trades, fills=[a_fill()]),
        costs=Costs(),
    )


def test_a_sheet_needs_nothing_but_itself_and_runs_no_script() -> None:
    page = tear_sheet(a_sheet())

    read = Reading(page)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(read.tags)
    assert not [name for name, _ in read.attributes if name.startswith("on") or name in {"src", "href", "style"}]
    assert "url(" not in page
    assert re.search(r"content=\"default-src &#39;none&#39;; style-src &#39;sha256-[\w+/]{43}=&#39;\"", page)


@pytest.mark.parametrize("field", ["title", "strategy", "history", "made_by", "currency"])
def test_whatever_text_comes_in_stays_text(field: str) -> None:
    changes: dict[str, Any] = {field: NASTY}

    read = Reading(tear_sheet(replace(a_sheet(), **changes)))

    assert "script" not in read.tags
    assert "onload" not in dict(read.attributes)
    assert " ".join(NASTY.split()) in read.words


def test_names_of_symbols_reasons_and_settings_stay_text() -> None:
    trade = replace(a_trade(), symbol=NASTY, exit_reason=NASTY)
    sheet = replace(a_sheet(trades=(trade,)), symbols=(NASTY,), options={NASTY: NASTY})

    read = Reading(tear_sheet(sheet))

    assert "script" not in read.tags
    assert (
        read.words.count(NASTY) == 6
    )  # under the title, twice in the settings, by symbol, symbol and reason of a trade


def test_figures_of_the_performance_stand_beside_those_of_buying_and_holding() -> None:
    sheet = a_sheet()

    words = Reading(tear_sheet(sheet)).words

    own, held = sheet.performance.account, sheet.performance.benchmark
    assert own.return_frac is not None
    assert held is not None
    assert held.return_frac is not None
    assert f"Total return {own.return_frac:.2%} {held.return_frac:.2%}" in words
    assert f"Sharpe {own.sharpe:.2f} {held.sharpe:.2f}" in words
    assert "Closed trades, won 2, 50%" in words
    assert "Fees 1.00 USD" in words
    assert "buying and holding did better" in words


class TestVerdict:
    def test_calls_chance_by_its_name_when_the_interval_holds_zero(self) -> None:
        words = Reading(tear_sheet(a_sheet(points_of(waves(40, up=1.0115, down=0.99))))).words

        assert "chance alone could have made this, so it is not enough to trade on" in words

    def test_promises_nothing_even_where_the_interval_lies_above_zero(self) -> None:
        words = Reading(tear_sheet(a_sheet(points_of(waves(400, up=1.02, down=0.99))))).words

        assert "above zero here, if its returns are independent. This is one past path" in words
        assert "no promise of another" in words
        assert "there is no benchmark to hold it against" in words

    def test_says_when_the_account_was_ruined(self) -> None:
        words = Reading(tear_sheet(a_sheet(points_of([100.0] * 40 + [-5.0, 3.0])))).words

        assert "The account was ruined on 10 Feb 2024" in words
        assert "Sharpe none" in words

    @pytest.mark.parametrize("count", [0, 1])
    def test_says_that_there_is_nothing_to_judge(self, count: int) -> None:
        words = Reading(tear_sheet(a_sheet(points_of([100.0] * count), trades=()))).words

        assert f"There is nothing to judge: {count} points make no curve." in words
        assert "No trade was closed." in words

    def test_says_that_an_account_which_never_moved_has_no_ratio(self) -> None:
        words = Reading(tear_sheet(a_sheet(points_of([100.0] * 60), trades=()))).words

        assert "It closed no trade. It has no Sharpe ratio: the equity did not vary." in words


def test_a_profit_factor_without_a_losing_trade_is_said_in_words() -> None:
    assert "Profit factor no losing trade" in Reading(tear_sheet(a_sheet(trades=(a_trade("1"),)))).words


def test_what_weakens_the_result_is_said() -> None:
    words = Reading(tear_sheet(replace(a_sheet(), history="Bars of a test."))).words

    for reason in ("Few trades", "A short time", "Settings may be fitted", "One path", "Survivors only", "Look-ahead"):
        assert reason in words
    assert "0.10% fee and 5.0 bps slippage a side, at most 10% of a bar" in words
    assert "Bars of a test." in words


def test_the_trade_list_ends_and_says_how_many_there_were() -> None:
    trades = tuple(a_trade(str(n), risk=None) for n in range(1, TRADES_SHOWN_MAX + 51))

    words = Reading(tear_sheet(a_sheet(trades=trades))).words

    assert "the latest 200 of 250" in words
    assert "+250.00" in words
    assert "+50.00" not in words


@pytest.mark.parametrize(("days", "is_drawn"), [(300, False), (420, True)])
def test_the_rolling_sharpe_is_drawn_from_two_half_years_on(days: int, is_drawn: bool) -> None:
    page = tear_sheet(a_sheet(points_of(waves(days))))

    assert ("Sharpe, rolling six months" in page) is is_drawn


def test_costs_that_nobody_counted_are_called_unknown() -> None:
    points = points_of(waves())
    sheet = replace(a_sheet(), performance=measure(points, trades=[], fills=None))

    assert "Costs unknown" in Reading(tear_sheet(sheet)).words


def test_a_loss_beyond_chance_is_called_one() -> None:
    words = Reading(tear_sheet(a_sheet(points_of(waves(400, up=1.005, down=0.985))))).words

    assert "it lost more than chance explains" in words


def test_the_same_sheet_is_the_same_page() -> None:
    assert tear_sheet(a_sheet()) == tear_sheet(a_sheet())


def test_a_sheet_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValueError, match="shows nothing"):
        replace(a_sheet(), end=datetime(2023, 1, 1, tzinfo=UTC))


def test_a_loss_has_a_minus_sign_and_no_zero_has_a_sign() -> None:
    words = Reading(tear_sheet(a_sheet(trades=(a_trade("-0.001", risk=None), a_trade("-7"))))).words

    assert "\N{MINUS SIGN}7.00" in words
    assert "-0.00" not in words
    assert "\N{MINUS SIGN}0.00 " not in words
