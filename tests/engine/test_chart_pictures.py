"""The picture of a chart: a PNG of the stated size, of whatever is there to draw."""

import struct

import polars as pl
import pytest

from evil2root.domain.core.timeframe import Interval
from evil2root.engine.chart_drawing import DPI, HEIGHT, THEMES, WIDTH, Subject, png
from evil2root.engine.chart_pictures import chart_picture
from tests.domain.market.series import a_series
from tests.fakes.desk import a_desk


def size_of(picture: bytes) -> tuple[int, int]:
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", picture[16:24])
    return width, height


@pytest.mark.parametrize("theme", THEMES)
async def test_a_symbol_with_trades_levels_and_patterns_is_drawn_in_each_theme(theme: str) -> None:
    picture = await chart_picture(a_desk(), "MSFT", Interval.D1, theme=theme)

    assert picture is not None
    assert size_of(picture) == (WIDTH * DPI, HEIGHT * DPI)
    assert len(picture) > 10_000


async def test_without_bars_there_is_no_picture() -> None:
    assert await chart_picture(a_desk(bars=0), "MSFT", Interval.D1, theme="dark") is None


@pytest.mark.parametrize("bars", [a_series(1), a_series(7, shape="flat"), a_series(60, shape="idle")])
def test_any_series_can_be_drawn(bars: pl.DataFrame) -> None:
    assert size_of(png(Subject(title="X", bars=bars))) == (WIDTH * DPI, HEIGHT * DPI)
