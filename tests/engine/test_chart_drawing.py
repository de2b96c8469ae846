"""What is on the picture of a chart, held to what it was given: in the drawing's own data and, where it shows, in pixels."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.features import features
from evil2root.domain.signals.levels.level import Level, Origin, Role
from evil2root.domain.signals.patterns.detect import Pattern, patterns
from evil2root.domain.signals.patterns.shape import Direction
from evil2root.engine.chart_drawing import BARS, DPI, HEIGHT, THEMES, WIDTH, Subject, drawing
from evil2root.engine.chart_overlays import BETWEEN_LINES, LEVELS_APART, LEVELS_MAX, Mark, _edges, near
from tests.domain.market.series import a_series
from tests.domain.signals.drawn import drawn

INK = THEMES["dark"]
SERIES = a_series(300, seed=4)
SHOWN = SERIES.tail(BARS)
FIRST = SERIES.height - BARS
ROOM = 1.5
"""Pixels: a dot has a radius of three, so that one drawn a pixel or more off its place is found."""


def price(name: str, row: int) -> float:
    return float(SHOWN[name][row])


def a_pattern(kind: str, turns: Sequence[tuple[int, float]], *, confirmed: int, breakout: float, up: bool) -> Pattern:
    """A pattern with turns at rows of what is shown."""
    opened = SERIES["opened_at"]
    return Pattern(
        id=f"{kind} {confirmed}", kind=kind, direction=Direction.UP if up else Direction.DOWN,
        points=tuple((opened[FIRST + row], at) for row, at in turns), quality=0.5,
        confirmed_at=SHOWN["closed_at"][confirmed], breakout=breakout, target=breakout * (1.1 if up else 0.9),
        invalidation=breakout * (0.95 if up else 1.05),
    )  # fmt: skip


def a_level(at: float, *, strength: float = 0.5, role: Role = Role.SUPPORT, touches: int = 3) -> Level:
    when = SHOWN["closed_at"][0]
    return Level(price=at, role=role, origin=Origin.PIVOTS, strength=strength, touches=touches, flips=0, first_at=when,
                 last_at=when)  # fmt: skip


TOPS = [
    (20, price("high", 20)),
    (28, price("low", 28)),
    (37, price("high", 37)),
    (45, price("low", 45)),
    (52, price("high", 52)),
]
HEAD = a_pattern("head_and_shoulders", TOPS, confirmed=60, breakout=price("low", 45), up=False)
MIDDLE = float(SHOWN["close"].to_numpy().mean())
EDGES = [
    (64, MIDDLE + 6.0),
    (70, MIDDLE - 4.2),
    (76, MIDDLE + 5.0),
    (80, MIDDLE - 2.8),
    (88, MIDDLE + 3.0),
    (94, MIDDLE - 2.3),
]
TRIANGLE = a_pattern("symmetric_triangle", EDGES, confirmed=99, breakout=MIDDLE + 1.75, up=True)
FLAG = a_pattern("flag", [(2, MIDDLE - 9.0), (8, MIDDLE + 3.0), (11, MIDDLE), (14, MIDDLE + 2.5), (18, MIDDLE - 1.0)], confirmed=19,
                 breakout=MIDDLE + 1.9, up=True)  # fmt: skip
BOUGHT, SOLD = (
    Mark(at=SHOWN["closed_at"][30], is_buy=True),
    Mark(at=SHOWN["opened_at"][41], is_buy=False, says="+1.25R", tone="up"),
)
NEAR = a_level(price("close", -1) * 0.98, touches=7)
HELD = (("entry", price("close", 90)), ("stop", price("low", 90) * 0.97), ("target", price("close", 90) * 3.0))
SUBJECT = Subject(
    title="X  1d", bars=SERIES, patterns=(HEAD, TRIANGLE, FLAG), levels=(NEAR,), marks=(BOUGHT, SOLD), lines=HELD
)


@pytest.fixture(scope="module")
def figure() -> Any:
    made = drawing(SUBJECT)
    made.canvas.draw()
    return made


@pytest.fixture(scope="module")
def plain() -> Any:
    """Of a symbol without volume, and nothing over its candles."""
    made = drawing(Subject(title="X  1d", bars=SERIES, has_volume=False, decimals=5))
    made.canvas.draw()
    return made


def pixel(figure: Any, x: float, y: float) -> tuple[int, ...]:
    picture = np.asarray(figure.canvas.buffer_rgba())
    return tuple(int(part) for part in picture[picture.shape[0] - 1 - int(y), int(x), :3])


def rgb(name: str) -> tuple[int, ...]:
    return tuple(int(INK[name][at : at + 2], 16) for at in (1, 3, 5))


def of_name(found: Iterable[Any], name: str) -> list[Any]:
    return [one for one in found if one.get_gid() == name]


def the_line(axes: Any, name: str) -> list[tuple[float, float]]:
    (line,) = of_name(axes.lines, name)
    return [(float(x), float(y)) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]


def ends(axes: Any, name: str) -> list[tuple[float, ...]]:
    """First and last place of each line of a name."""
    lines = [(line.get_xdata(), line.get_ydata()) for line in of_name(axes.lines, name)]
    return [(float(x[0]), float(y[0]), float(x[-1]), float(y[-1])) for x, y in lines]


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_every_candle_stands_at_its_prices(plain: Any) -> None:
    axes = plain.axes[0]
    (wicks,) = of_name(axes.collections, "wicks")
    bodies = of_name(axes.patches, "body")

    assert [[tuple(end) for end in wick] for wick in wicks.get_segments()] == [
        [(row, price("low", row)), (row, price("high", row))] for row in range(BARS)
    ]
    least = 0.001 * float(SHOWN["high"].to_numpy().max() - SHOWN["low"].to_numpy().min())
    for row, body in enumerate(bodies):
        opening, close = price("open", row), price("close", row)
        assert body.get_x() + body.get_width() / 2.0 == pytest.approx(row)
        assert body.get_y() == pytest.approx(min(opening, close))
        assert body.get_height() == pytest.approx(max(abs(close - opening), least))


def test_falling_candles_are_solid_and_rising_ones_hollow_in_pixels(plain: Any) -> None:
    axes, right = plain.axes[0], 0
    for row in range(BARS):
        opening, close = price("open", row), price("close", row)
        x, y = axes.transData.transform((row, opening + (close - opening) / 2.0))
        # Beside the middle, off the wick, which a hollow body hides; the widest lines cross a few of them.
        right += pixel(plain, x + 1.2, y) == rgb("ground" if close >= opening else "down")

    assert len(of_name(axes.patches, "body")) == BARS
    assert right > 0.6 * BARS


@pytest.mark.parametrize(("name", "pane"), [
    ("ema_20", 0), ("ema_50", 0), ("bb_upper", 0), ("bb_lower", 0), ("rsi_14", 1), ("macd", 2), ("macd_signal", 2),
])  # fmt: skip
def test_each_indicator_is_the_whole_series_own(plain: Any, name: str, pane: int) -> None:
    expected = features(SERIES)[name].tail(BARS).to_list()

    drawn = the_line(plain.axes[pane], name)
    assert [x for x, _ in drawn] == list(range(BARS))
    assert [y for _, y in drawn] == pytest.approx(expected)


def test_the_bars_of_the_macd_are_its_histogram(plain: Any) -> None:
    expected = features(SERIES)["macd_hist"].tail(BARS).to_list()

    assert [bar.get_height() for bar in of_name(plain.axes[2].patches, "macd_hist")] == pytest.approx(expected)


def test_the_rsi_is_drawn_between_30_and_70_and_never_cut_off(plain: Any) -> None:
    axes = plain.axes[1]
    values = features(SERIES)["rsi_14"].tail(BARS)

    assert {30.0, 70.0} <= {float(line.get_ydata()[0]) for line in axes.lines}
    low, high = axes.get_ylim()
    assert low < min(values.to_list()) <= max(values.to_list()) < high


def test_volume_is_drawn_in_proportion_along_the_bottom(figure: Any, plain: Any) -> None:
    drawn = of_name(figure.axes[0].patches, "volume")
    volume = SHOWN["volume"].to_numpy()

    assert [bar.get_height() for bar in drawn] == pytest.approx(list(0.11 * volume / volume.max()))
    lowest = figure.axes[0].transData.transform((0.0, float(SHOWN["low"].to_numpy().min())))[1]
    assert max(bar.get_window_extent().y1 for bar in drawn) < lowest
    assert not of_name(plain.axes[0].patches, "volume")


@pytest.mark.parametrize("pattern", [HEAD, TRIANGLE, FLAG])
def test_a_pattern_marks_its_very_points(figure: Any, pattern: Pattern) -> None:
    axes = figure.axes[0]
    rows = {at: row for row, at in enumerate(SHOWN["opened_at"].to_list())}
    points = [(rows[at], level) for at, level in pattern.points]

    assert the_line(axes, f"points {pattern.id}") == points
    colour = rgb("up" if pattern.direction is Direction.UP else "down")
    for point in points:
        x, y = axes.transData.transform(point)
        around = [(x - ROOM, y), (x + ROOM, y), (x, y - ROOM), (x, y + ROOM)]
        assert [pixel(figure, *place) for place in around] == [colour] * 4, point


def test_a_reversal_is_a_path_through_its_points(figure: Any) -> None:
    assert the_line(figure.axes[0], f"pattern {HEAD.id}") == [(float(row), level) for row, level in TOPS]


def test_a_triangle_is_its_two_edges_and_no_zigzag(figure: Any) -> None:
    solid, dashed = (ends(figure.axes[0], f"{what} {TRIANGLE.id}") for what in ("pattern", "guide"))

    # Least squares through (64, 6) (76, 5) (88, 3) and (70, -4.2) (80, -2.8) (94, -2.3), by hand.
    upper = [MIDDLE + 14.0 / 3.0 - 0.125 * (row - 76.0) for row in (64.0, 94.0, 99.0)]
    lower = [MIDDLE - 3.1 + 22.2 / 290.667 * (row - 244.0 / 3.0) for row in (64.0, 94.0, 99.0)]
    for (first, last, at_breakout), at in zip((upper, lower), (0, 1), strict=True):
        assert solid[at] == pytest.approx((64.0, first, 94.0, last), abs=1e-3)
        assert dashed[at] == pytest.approx((94.0, last, 99.0, at_breakout), abs=1e-3)
    assert len(solid) == len(dashed) == 2


def test_a_flag_is_its_pole_and_two_edges(figure: Any) -> None:
    lines = ends(figure.axes[0], f"pattern {FLAG.id}")

    assert [(start, end) for start, _, end, _ in lines] == [(2.0, 8.0), (8.0, 18.0), (8.0, 18.0)]


def test_the_guide_of_a_reversal_leads_from_its_last_turn_to_the_bar_that_confirmed_it(figure: Any) -> None:
    assert ends(figure.axes[0], f"guide {HEAD.id}") == [(*TOPS[-1], 60.0, HEAD.breakout)]


@pytest.mark.parametrize("kind", BETWEEN_LINES)
def test_an_edge_of_what_the_detection_finds_leads_to_its_very_breakout(kind: str) -> None:
    bars = drawn(kind, seed=3)
    found = next(one for one in patterns(bars, symbol="X", interval=Interval.D1) if one.kind == kind)
    rows = {at: row for row, at in enumerate(bars["opened_at"].to_list())}
    confirmed = bars["closed_at"].to_list().index(found.confirmed_at)

    _, dashed = _edges([(rows[at], level) for at, level in found.points], confirmed, pole=BETWEEN_LINES[kind])

    side = max if found.direction is Direction.UP else min
    assert side(line[-1][1] for line in dashed) == pytest.approx(found.breakout)
    assert {line[-1][0] for line in dashed} == {confirmed}


def test_edges_that_meet_before_the_breakout_end_where_they_do() -> None:
    _, dashed = _edges([(0, 2.0), (1, -0.5), (2, 1.5), (3, 0.0), (4, 1.0), (5, 0.5)], 9, pole=0)

    # 2 - x / 4 and x / 4 - 3/4
    assert [line[-1] for line in dashed] == [pytest.approx((5.5, 0.625))] * 2


def test_of_a_pattern_that_began_before_the_picture_the_rest_is_drawn() -> None:
    turns = [(-30, MIDDLE), (-10, MIDDLE + 3.0), (12, MIDDLE)]
    early = a_pattern("double_bottom", turns, confirmed=20, breakout=MIDDLE + 3.0, up=True)
    gone = a_pattern(
        "double_bottom", [(-30, MIDDLE), (-20, MIDDLE + 3.0), (-10, MIDDLE)], confirmed=0, breakout=MIDDLE, up=True
    )

    axes = drawing(replace(SUBJECT, patterns=(early, gone))).axes[0]

    assert the_line(axes, f"points {early.id}")[0] == (-30.0, MIDDLE)
    assert axes.get_xlim()[0] == -1.0
    assert texts(axes).count("double bottom ↑") == 1


def test_names_lie_neither_on_each_other_nor_outside_the_pane() -> None:
    same = [
        a_pattern(kind, TOPS, confirmed=60 + n, breakout=price("low", 45), up=False)
        for n, kind in enumerate(
            ("head_and_shoulders", "triple_top", "double_top", "rising_wedge", "channel", "rectangle")
        )
    ]
    marks = [
        Mark(at=SHOWN["opened_at"][row], is_buy=row % 4 == 0, says="+0.40R", tone="up") for row in range(20, 60, 2)
    ]
    figure = drawing(replace(SUBJECT, patterns=same, marks=marks))

    pane = figure.axes[0].get_window_extent()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_gid()]
    assert sum((text.get_gid() or "").startswith("name ") for text in figure.axes[0].texts) == len(same)
    assert len(boxes) > len(same) + len(marks)
    for one, other in combinations(boxes, 2):
        assert one.x1 <= other.x0 or other.x1 <= one.x0 or one.y1 <= other.y0 or other.y1 <= one.y0
    assert all(pane.x0 < box.x0 and box.x1 < pane.x1 and pane.y0 < box.y0 and box.y1 < pane.y1 for box in boxes)


def test_a_purchase_stands_under_its_bar_and_a_sale_over_it_with_what_came_of_it(figure: Any) -> None:
    axes = figure.axes[0]
    (buy,), (sell,), (result,) = (of_name(axes.texts, name) for name in ("buy", "sell", "result"))

    low, high = axes.transData.transform((30, price("low", 30))), axes.transData.transform((41, price("high", 41)))
    bought, sold = buy.get_window_extent(), sell.get_window_extent()
    assert (bought.x0 + bought.x1) / 2.0 == pytest.approx(low[0], abs=1.0)
    assert low[1] - 20.0 < bought.y1 < low[1]
    assert (sold.x0 + sold.x1) / 2.0 == pytest.approx(high[0], abs=1.0)
    assert high[1] < sold.y0 < high[1] + 20.0
    assert (result.get_text(), result.get_color()) == ("+1.25R", INK["up"])
    assert abs(result.get_window_extent().y0 - sold.y0) < 70.0


def test_what_was_traded_outside_the_bars_shown_is_not_marked() -> None:
    earlier, later = SERIES["opened_at"][FIRST - 1], SHOWN["closed_at"][-1] + timedelta(hours=1)

    axes = drawing(replace(SUBJECT, marks=[Mark(at=at, is_buy=True) for at in (earlier, later)])).axes[0]

    assert not of_name(axes.texts, "buy")


def test_of_levels_those_among_the_prices_shown_are_told_the_strongest_first_and_apart() -> None:
    some = [a_level(200.0, strength=0.9), a_level(110.0, strength=0.8), a_level(110.4, strength=0.7),
            a_level(115.0, strength=0.6), *(a_level(100.0 + n, strength=0.1 + n / 100) for n in range(20))]  # fmt: skip

    told = near(some, 100.0, 120.0)

    assert [level.price for level in told[:2]] == [110.0, 115.0]
    assert len(told) == LEVELS_MAX
    assert all(abs(one.price - other.price) >= LEVELS_APART * 20.0 for one, other in combinations(told, 2))


def test_levels_and_guards_are_lines_at_their_prices_with_the_price_beside_them(figure: Any) -> None:
    axes = figure.axes[0]

    assert the_line(axes, f"level {NEAR.price!r}")[0][1] == NEAR.price
    assert the_line(axes, "entry")[0][1] == HELD[0][1]
    assert the_line(axes, "stop")[0][1] == HELD[1][1]
    assert {f"support {NEAR.price:.2f}, 7 touches", f"entry {HELD[0][1]:.2f}", f"stop {HELD[1][1]:.2f}"} <= {
        *texts(axes)
    }
    assert f"{price('close', -1):.2f}" in texts(axes)


def test_a_stop_near_by_is_brought_into_sight_and_a_target_far_off_is_told_at_the_edge(figure: Any) -> None:
    axes = figure.axes[0]
    low, high = axes.get_ylim()

    assert low < HELD[1][1] < high < HELD[2][1]
    assert not of_name(axes.lines, "target")
    assert f"target {HELD[2][1]:.2f} ↑" in texts(axes)


def test_nothing_is_written_over_the_edge_of_the_picture() -> None:
    far = [a_level(price("close", -1) * 1.01, role=Role.RESISTANCE, touches=12)]
    figure = drawing(replace(SUBJECT, levels=far, decimals=5))

    written = [text.get_window_extent() for axes in figure.axes for text in axes.texts] + [
        t.get_window_extent() for t in figure.texts
    ]
    assert all(box.x0 >= 0.0 and box.y0 >= 0.0 and box.x1 <= WIDTH * DPI and box.y1 <= HEIGHT * DPI for box in written)
    head = sorted((text.get_window_extent() for text in figure.texts), key=lambda box: float(box.x0))
    assert all(one.x1 < other.x0 for one, other in pairwise(head))


@pytest.mark.parametrize(("level", "decimals"), [(1.19, 5), (24.0, 2), (1e-7, 2), (61_000.0, 2)])
def test_the_axis_tells_its_prices_apart(level: float, decimals: int) -> None:
    axes = drawing(Subject(title="X", bars=a_series(60, shape="calm", level=level), decimals=decimals)).axes[0]

    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(set(labels)) == len(labels) >= 4
    assert [float(label) for label in labels] == pytest.approx(list(axes.get_yticks()))
    assert all(len(label.partition(".")[2]) >= decimals for label in labels)


def test_panes_without_a_value_are_left_out() -> None:
    assert len(drawing(Subject(title="X", bars=a_series(20))).axes) == 2
    assert len(drawing(Subject(title="X", bars=a_series(7))).axes) == 1


def test_hours_are_told_where_a_day_has_several_bars() -> None:
    hours = [datetime.fromisoformat("2026-03-02T00:00+00:00") + timedelta(hours=n) for n in range(60)]
    at = pl.Series("opened_at", hours, dtype=pl.Datetime("us", "UTC"))
    figure = drawing(
        Subject(title="X  1h", bars=a_series(60).with_columns(at, (at + timedelta(hours=1)).alias("closed_at")))
    )

    assert "to 04 Mar 2026 12:00 UTC" in figure.texts[1].get_text()
    assert figure.axes[-1].get_xticklabels()[0].get_text() == "02 Mar 10:00"
