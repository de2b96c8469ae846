"""Where names stand on a drawn chart."""

from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import IdentityTransform

from evil2root.engine.chart_board import GAP, Board
from tests.domain.market.series import bars_of

FLOOR = 0.2


@pytest.fixture
def axes() -> Any:
    """A pane of 500 x 400 pixels over 50 bars and prices from 0 to 100."""
    figure = Figure(figsize=(5.0, 4.0), dpi=100)
    FigureCanvasAgg(figure)
    made = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    made.set_xlim(0.0, 50.0)
    made.set_ylim(0.0, 100.0)
    return made


def a_board(axes: Any, *, low: float, high: float) -> Board:
    """Over candles that all reach from `low` to `high`."""
    ends = np.full(50, low), np.full(50, high)
    bars = bars_of(opening=ends[0], high=ends[1], low=ends[0], close=ends[1], volume=np.ones(50))
    return Board(axes, bars, floor_frac=FLOOR)


def a_text(axes: Any) -> Any:
    return axes.text(0.0, 0.0, "channel", ha="center", va="bottom", transform=IdentityTransform())


def test_a_name_keeps_off_the_candles_on_the_nearer_side(axes: Any) -> None:
    board, text = a_board(axes, low=50.0, high=60.0), a_text(axes)

    board.name(text, middle=250.0, paths=[[(200.0, 205.0), (300.0, 205.0)]])

    box = text.get_window_extent()
    assert (box.x0 + box.x1) / 2.0 == pytest.approx(250.0, abs=0.5)
    assert 200.0 - GAP - 1.0 < box.y1 <= 200.0


def test_a_name_without_room_above_the_volume_stands_over_the_candles(axes: Any) -> None:
    board, text = a_board(axes, low=22.0, high=60.0), a_text(axes)

    board.name(text, middle=250.0, paths=[[(200.0, 90.0), (300.0, 90.0)]])

    assert text.get_window_extent().y0 >= 240.0


def test_a_name_at_the_edge_of_the_pane_is_moved_into_it(axes: Any) -> None:
    board, text = a_board(axes, low=50.0, high=60.0), a_text(axes)

    board.name(text, middle=-30.0, paths=[[(-60.0, 240.0), (0.0, 240.0)]])

    assert text.get_window_extent().x0 == pytest.approx(GAP, abs=0.5)


def test_where_candles_fill_the_pane_a_name_stands_on_them_beside_its_lines(axes: Any) -> None:
    board, text = a_board(axes, low=0.0, high=100.0), a_text(axes)

    board.name(text, middle=250.0, paths=[[(200.0, 100.0), (300.0, 300.0)]])

    box = text.get_window_extent()
    assert box.y0 > 200.0 or box.y1 < 200.0
    assert FLOOR * 400.0 <= box.y0 < box.y1 <= 400.0


def test_the_second_of_two_names_steps_aside_and_one_that_would_stand_too_far_is_left_out(axes: Any) -> None:
    board, texts = a_board(axes, low=50.0, high=60.0), [a_text(axes) for _ in range(3)]
    path = [(200.0, 240.0), (300.0, 240.0)]

    for text in texts:
        board.name(text, middle=250.0, paths=[path], within=12.0)

    above, below = (text.get_window_extent() for text in texts[:2])
    assert [*axes.texts] == texts[:2]
    assert below.y1 <= 240.0 <= above.y0
