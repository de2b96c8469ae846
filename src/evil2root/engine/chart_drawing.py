"""A symbol's chart as a picture, as the Symbol page draws it with every layer on, by matplotlib.

matplotlib takes seconds to load and tens of megabytes, so it is loaded with the first picture. Its own windows and
global state (pyplot) are never touched: a figure and its canvas belong to one call, in whatever thread it runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import polars as pl

from evil2root.domain.market.features import features
from evil2root.domain.signals.levels.level import Level
from evil2root.domain.signals.patterns.detect import Pattern
from evil2root.engine import chart_panes as panes
from evil2root.engine.chart_board import Board
from evil2root.engine.chart_overlays import Mark, draw_arrows, draw_patterns, draw_prices, draw_results
from evil2root.engine.chart_panes import Ink

WIDTH, HEIGHT, DPI = 12.0, 7.5, 100
"""1200 x 750 pixels: what a message and a page of a report show without scaling."""
BARS = 110
"""Newest bars drawn, as many as the page shows at first: candles stay a few pixels wide."""
TOP_FRAC, BOTTOM_FRAC = 0.06, 0.14
"""Shares of the pane left free over the highest and under the lowest price; without volume `TOP_FRAC` on both sides."""
STRETCH_MAX = 2.0
"""Guards of what is held are brought into sight unless that makes the candles smaller by more than this."""

THEMES: Mapping[str, Ink] = {
    "dark": {"ground": "#11141a", "line": "#222833", "strong": "#343c4a", "text": "#e9ecf2", "quiet": "#a9b2c1",
             "up": "#3fd0c9", "down": "#ff7350", "second": "#f0b849", "third": "#c8ecff", "accent": "#a394ff"},
    "light": {"ground": "#ffffff", "line": "#e4e7ec", "strong": "#cdd3dc", "text": "#12161d", "quiet": "#475061",
              "up": "#007a7a", "down": "#c93c10", "second": "#b06a00", "third": "#4a97bd", "accent": "#5540d6"},
}  # fmt: skip
"""The dashboard's colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is drawn."""

    title: str
    bars: pl.DataFrame
    """Oldest first, at least one; the newest `BARS` are shown, all of them feed the indicators."""
    decimals: int = 2
    """Of a price, at least; more where the prices shown differ by less."""
    has_volume: bool = True
    patterns: Sequence[Pattern] = ()
    levels: Sequence[Level] = ()
    marks: Sequence[Mark] = ()
    lines: Sequence[tuple[str, float]] = ()
    """Entry, stop and target of what is held, by name."""


def png(subject: Subject, *, theme: str = "dark") -> bytes:
    """Draw a chart; some 0.5 s once matplotlib is loaded."""
    out = BytesIO()
    drawing(subject, theme=theme).savefig(out, format="png", facecolor=THEMES[theme]["ground"])
    return out.getvalue()


def drawing(subject: Subject, *, theme: str = "dark") -> Any:
    """The matplotlib figure of a chart: prices in its first axes, from row 0 for the oldest bar shown."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - see the module's first lines
    from matplotlib.figure import Figure  # noqa: PLC0415

    ink = THEMES[theme]
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor=ink["ground"])
    FigureCanvasAgg(figure)  # the figure keeps it: without one it would ask the machine for a window
    shown = subject.bars.tail(BARS)
    values = features(subject.bars, indicators=panes.CHOSEN).tail(BARS)
    lower = [draw for name, draw in panes.PANES if values[name].null_count() < values.height]
    price, *others = figure.subplots(
        1 + len(lower), 1, sharex=True, squeeze=False, height_ratios=(5.6, *[1.0 for _ in lower])
    )[:, 0]
    figure.subplots_adjust(left=0.06, right=0.81, top=0.93, bottom=0.05, hspace=0.05)
    for axes in (price, *others):
        _plain(axes, ink)
    for axes, draw in zip(others, lower, strict=True):
        draw(axes, values, ink)
    price.set_xlim(-1.0, shown.height)
    _prices(price, subject, shown, values, ink)
    panes.times(others[-1] if others else price, shown)
    _head(figure, subject, shown, ink)
    return figure


def _prices(axes: Any, subject: Subject, shown: pl.DataFrame, values: pl.DataFrame, ink: Ink) -> None:
    low, high = _limits(subject, shown)
    axes.set_ylim(low, high)
    steps = panes.ticks(low, high, most=12)
    digits = panes.decimals_of(steps[1] - steps[0] if len(steps) > 1 else 0.0, least=subject.decimals)
    axes.set_yticks(steps)
    axes.set_yticklabels([f"{step:.{digits}f}" for step in steps])
    if subject.has_volume:
        panes.volume(axes, shown, ink)
    panes.bands(axes, values, ink)
    panes.averages(axes, values, ink)
    panes.candles(axes, shown, ink)
    board = Board(axes, shown, floor_frac=panes.VOLUME_FRAC if subject.has_volume else 0.0)
    arrows = draw_arrows(axes, subject.marks, shown, ink=ink, board=board)
    first = subject.bars.height - shown.height
    draw_patterns(axes, subject.patterns, subject.bars, first=first, ink=ink, board=board)
    draw_results(axes, arrows, ink=ink, board=board)
    draw_prices(axes, subject.levels, subject.lines, shown, ink=ink,
                words=lambda value: f"{value:.{digits}f}")  # fmt: skip


def _limits(subject: Subject, shown: pl.DataFrame) -> tuple[float, float]:
    """Lowest and highest price of the pane: the candles and, where that is not too far, the guards."""
    low, high = float(shown["low"].to_numpy().min()), float(shown["high"].to_numpy().max())
    span_max = STRETCH_MAX * max(high - low, 0.01 * high)
    for value in sorted((value for _, value in subject.lines), key=lambda value: max(low - value, value - high)):
        if max(high, value) - min(low, value) <= span_max:
            low, high = min(low, value), max(high, value)
    under = BOTTOM_FRAC if subject.has_volume else TOP_FRAC
    whole = ((high - low) or 0.01 * high) / (1.0 - TOP_FRAC - under)
    return low - under * whole, high + TOP_FRAC * whole


def _plain(axes: Any, ink: Ink) -> None:
    axes.set_facecolor(ink["ground"])
    axes.grid(visible=True, axis="y", color=ink["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=ink["quiet"], labelsize=9, length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _head(figure: Any, subject: Subject, shown: pl.DataFrame, ink: Ink) -> None:
    """What is shown, the newest bar's figures, and what the lines are."""
    title = figure.text(0.015, 0.958, subject.title, color=ink["text"], fontsize=13, fontweight="bold")
    bar = shown.row(-1, named=True)
    when = f"{bar['opened_at']:%d %b %Y}" if panes.is_daily(shown) else f"to {bar['closed_at']:%d %b %Y %H:%M} UTC"
    told = [
        f"{name} {bar[of]:.{subject.decimals}f}"
        for name, of in zip("OHLC", ("open", "high", "low", "close"), strict=True)
    ]
    if subject.has_volume:
        told.append(f"Vol {_short(bar['volume'])}")
    after = title.get_window_extent().x1 / (WIDTH * DPI) + 0.015
    figure.text(after, 0.96, "   ".join((when, *told)), color=ink["quiet"], fontsize=10)
    right = 0.985
    for name, colour, alpha in (
        ("Bollinger 20, 2", "third", 0.8),
        ("EMA 50", "second", 0.6),
        ("EMA 20", "second", 1.0),
    ):
        text = figure.text(right, 0.96, name, color=ink[colour], alpha=alpha, fontsize=10, ha="right")
        right = text.get_window_extent().x0 / (WIDTH * DPI) - 0.015


def _short(amount: float) -> str:
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "K")):
        if amount >= size:
            return f"{amount / size:.1f}{letter}"
    return f"{amount:.0f}"
