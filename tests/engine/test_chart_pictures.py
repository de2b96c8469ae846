"""The picture of a chart: a PNG of the stated size, of whatever is there to draw."""

import struct

import polars as pl
import pytest

from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import session_of
from evil2root.domain.signals.levels.find import levels
from evil2root.domain.signals.patterns.detect import patterns
from evil2root.engine.chart_drawing import DPI, HEIGHT, THEMES, WIDTH, Subject, png
from evil2root.engine.chart_overlays import Mark
from evil2root.engine.chart_pictures import chart_picture, subject_of
from evil2root.web.format import multiple
from tests.domain.market.series import a_series
from tests.fakes.desk import FakeDesk, a_desk


def size_of(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


@pytest.fixture(scope="module")
def desk() -> FakeDesk:
    """Only read, so that one is enough."""
    return a_desk(symbols=("MSFT", "EURUSD=X"))


@pytest.mark.parametrize("theme", THEMES)
async def test_a_symbol_with_trades_levels_and_patterns_is_drawn_in_each_theme(desk: FakeDesk, theme: str) -> None:
    picture = await chart_picture(desk, "MSFT", Interval.D1, theme=theme)

    assert picture is not None
    assert size_of(picture) == (WIDTH * DPI, HEIGHT * DPI)
    assert len(picture) > 10_000


async def test_the_subject_is_what_the_page_shows_of_a_symbol(desk: FakeDesk) -> None:
    bars = desk.reads.frames["MSFT"].filter(pl.col("closed_at") <= desk.status().now)
    trades = await desk.reads.all_trades(symbol="MSFT")
    held = desk.status().portfolio.positions.get("MSFT")

    subject = await subject_of(desk, "MSFT", Interval.D1)

    assert subject is not None
    assert subject.bars.equals(bars)
    assert subject.patterns == patterns(bars, symbol="MSFT", interval=Interval.D1)
    assert subject.levels == levels(bars, session=session_of("MSFT"))
    assert (subject.decimals, subject.has_volume) == (2, True)
    assert len(trades) > 2
    ends = {(t.entry_time, t.side is Side.BUY) for t in trades} | {
        (t.exit_time, t.side is not Side.BUY) for t in trades
    }
    ends |= set() if held is None else {(held.opened_at, held.quantity > 0)}
    assert {(mark.at, mark.is_buy) for mark in subject.marks} == ends
    results = {mark.at: (mark.says, mark.tone) for mark in subject.marks if mark.says}
    for trade in trades:
        assert trade.r is not None
        assert results[trade.exit_time] == (multiple(trade.r), "up" if trade.r > 0 else "down")


async def test_of_what_is_held_its_entry_and_guards_are_lines(desk: FakeDesk) -> None:
    symbol, held = next(iter(desk.status().portfolio.positions.items()))

    subject = await subject_of(desk, symbol, Interval.D1)

    assert subject is not None
    assert held.stop is not None
    assert dict(subject.lines)["entry"] == float(held.average_price)
    assert dict(subject.lines)["stop"] == float(held.stop)
    assert Mark(at=held.opened_at, is_buy=held.quantity > 0) in subject.marks


async def test_a_currency_has_five_decimals_and_no_volume(desk: FakeDesk) -> None:
    subject = await subject_of(desk, "EURUSD=X", Interval.D1)

    assert subject is not None
    assert (subject.decimals, subject.has_volume) == (5, False)


async def test_without_bars_there_is_no_picture() -> None:
    assert await chart_picture(a_desk(bars=0, symbols=("MSFT",)), "MSFT", Interval.D1, theme="dark") is None


@pytest.mark.parametrize("bars", [a_series(1), a_series(7, shape="flat"), a_series(60, shape="idle")])
def test_any_series_can_be_drawn(bars: pl.DataFrame) -> None:
    assert size_of(png(Subject(title="X", bars=bars))) == (WIDTH * DPI, HEIGHT * DPI)
