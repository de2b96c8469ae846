"""What a picture of a chart shows over its candles: patterns, levels, trades and the guards of what is held."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from evil2root.domain.signals.levels.level import Level, Role
from evil2root.domain.signals.patterns.detect import Pattern
from evil2root.domain.signals.patterns.pivots import Pivot
from evil2root.domain.signals.patterns.shape import Direction, Line
from evil2root.engine.chart_board import Board, Path
from evil2root.engine.chart_panes import Ink
from evil2root.engine.spacing import spaced

LEVELS_MAX = 6
PATTERNS_MAX = 6
LEVELS_APART, LEVELS_BEYOND = 0.045, 0.05
"""Of the height of the candles: levels nearer together than the first are one, the strongest; the second is how far
beyond the candles they are told. As on the page."""
LABEL_SHARE = 0.038
"""Least distance of two labels beside the chart, as a share of the pane's height."""
RESULT_PX_MAX = 48.0
"""A result further from its arrow than this would seem to be another's: it is left out."""

BETWEEN_LINES: Mapping[str, int] = {
    "ascending_triangle": 0, "descending_triangle": 0, "symmetric_triangle": 0, "rising_wedge": 0, "falling_wedge": 0,
    "channel": 0, "rectangle": 0, "flag": 2, "pennant": 2,
}  # fmt: skip
"""Kinds that are two lines, with how many turns make the pole before them; the others are a path through their turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something bought or sold."""

    at: datetime
    is_buy: bool
    says: str = ""
    """What came of it, told beside its arrow."""
    tone: str = "text"
    """`up` or `down` where it ended a trade with a gain or a loss."""


def draw_patterns(  # noqa: PLR0913 - what is drawn, and where
    axes: Any, patterns: Sequence[Pattern], bars: pl.DataFrame, *, first: int, ink: Ink, board: Board
) -> None:
    """Draw the newest patterns that reach into sight; `first` is the row of `bars` that stands at 0."""
    opened = {at: row - first for row, at in enumerate(bars["opened_at"].to_list())}
    closed = {at: row - first for row, at in enumerate(bars["closed_at"].to_list())}
    seen = [
        one for one in patterns
        if all(at in opened for at, _ in one.points) and closed.get(one.confirmed_at, -1) >= 0
    ]  # fmt: skip
    for pattern in sorted(seen, key=lambda one: one.confirmed_at)[-PATTERNS_MAX:]:
        turns = [(opened[at], price) for at, price in pattern.points]
        paths = _pattern(axes, pattern, turns, closed[pattern.confirmed_at], ink)
        if turns[-1][0] < 0:
            continue  # its way to the breakout is all that is seen
        words = f"{pattern.kind.replace('_', ' ')} {'↑' if pattern.direction is Direction.UP else '↓'}"
        board.name(
            _text(axes, words, ink["text"], ink, gid=f"name {pattern.id}"), paths=[*map(board.pixels, paths)],
            middle=board.pixels([((max(turns[0][0], 0) + turns[-1][0]) / 2.0, turns[-1][1])])[0][0],
        )  # fmt: skip


def _pattern(axes: Any, pattern: Pattern, turns: Path, confirmed: int, ink: Ink) -> Sequence[Path]:
    """Draw a pattern, and return the lines through its turns."""
    solid: list[Path] = [turns]
    dashed: list[Path] = [[turns[-1], (confirmed, pattern.breakout)]]
    if pattern.kind in BETWEEN_LINES:
        solid, dashed = _edges(turns, confirmed, pole=BETWEEN_LINES[pattern.kind])
    look: dict[str, Any] = {"color": ink["accent"], "linewidth": 1.3, "zorder": 3}
    for path in solid:
        axes.plot(*zip(*path, strict=True), **look, gid=f"pattern {pattern.id}")
    for path in dashed:
        axes.plot(*zip(*path, strict=True), **look, linestyle=(0, (3, 3)), gid=f"guide {pattern.id}")
    axes.plot(*zip(*turns, strict=True), linestyle="none", marker="o", markersize=4.4, markeredgewidth=0, zorder=3.1,
              color=ink["up" if pattern.direction is Direction.UP else "down"], gid=f"points {pattern.id}")  # fmt: skip
    return solid


def _edges(turns: Path, confirmed: int, *, pole: int) -> tuple[list[Path], list[Path]]:
    """The two lines that hold a figure, as the detection draws them, and on to the bar that left it, or their crossing."""
    body = turns[max(0, pole - 1) :]
    start, end = body[0][0], body[-1][0]
    one, other = (
        Line.through([Pivot(row=int(row), price=price, is_high=True, known=int(row)) for row, price in side])
        for side in (body[0::2], body[1::2])
    )
    until = float(confirmed)
    if (one(end) - other(end)) * (one(until) - other(until)) < 0.0:
        until = end + (one(end) - other(end)) / (other.slope - one.slope)
    solid: list[Path] = [[(row, line(row)) for row in (start, end)] for line in (one, other)]
    dashed: list[Path] = [[(row, line(row)) for row in (end, until)] for line in (one, other)]
    return ([turns[:pole], *solid] if pole else solid), dashed


def _text(axes: Any, words: str, colour: str, ink: Ink, *, gid: str) -> Any:
    """A text placed in pixels, on a ground that keeps it readable over lines."""
    from matplotlib.transforms import IdentityTransform  # noqa: PLC0415 - loaded with the first picture, as all of it

    return axes.text(0.0, 0.0, words, color=colour, fontsize=8.5, ha="center", va="bottom", gid=gid, zorder=4,
                     transform=IdentityTransform(),
                     bbox={"facecolor": ink["ground"], "alpha": 0.8, "linewidth": 0, "pad": 1.5})  # fmt: skip


def draw_arrows(
    axes: Any, marks: Sequence[Mark], shown: pl.DataFrame, *, ink: Ink, board: Board
) -> list[tuple[Mark, float, float]]:
    """Draw an arrow for each mark in sight, under the bar for a buy and over it for a sale; where each stands."""
    opened, closed = shown["opened_at"], shown["closed_at"][-1]
    low, high = shown["low"].to_list(), shown["high"].to_list()
    placed = []
    for mark in marks:
        row = int((opened <= mark.at).sum()) - 1
        if row < 0 or mark.at > closed:
            continue
        ((x, edge),) = board.pixels([(row, low[row] if mark.is_buy else high[row])])
        arrow = _text(axes, "▲" if mark.is_buy else "▼", ink[mark.tone], ink, gid="buy" if mark.is_buy else "sell")
        arrow.set_bbox(None)
        size = arrow.get_window_extent()
        y = board.beyond(x, edge, width=size.width, height=size.height, is_below=mark.is_buy)
        arrow.set_position((x, y))
        placed.append((mark, x, y if mark.is_buy else y + size.height))  # its side away from the bar
    return placed


def draw_results(axes: Any, placed: Sequence[tuple[Mark, float, float]], *, ink: Ink, board: Board) -> None:
    """Tell what came of trades beside their arrows, where there is room."""
    for mark, x, y in placed:
        if mark.says:
            board.name(_text(axes, mark.says, ink[mark.tone], ink, gid="result"), middle=x, paths=[[(x, y)]],
                       within=RESULT_PX_MAX)  # fmt: skip


def near(levels: Sequence[Level], low: float, high: float) -> tuple[Level, ...]:
    """The strongest levels about the candles, which reach from `low` to `high`; none next to a stronger one."""
    kept: list[Level] = []
    beyond, gap = LEVELS_BEYOND * (high - low), LEVELS_APART * (high - low)
    for level in sorted(levels, key=lambda one: -one.strength):
        apart = all(abs(level.price - other.price) >= gap for other in kept)
        if low - beyond <= level.price <= high + beyond and apart and len(kept) < LEVELS_MAX:
            kept.append(level)
    return tuple(kept)


def draw_prices(  # noqa: PLR0913 - what stands beside the chart
    axes: Any, levels: Sequence[Level], lines: Sequence[tuple[str, float]], shown: pl.DataFrame, *,
    words: Callable[[float], str], ink: Ink,
) -> None:  # fmt: skip
    """Lines across and their names beside the chart, where no candle is; names that would touch are moved apart.

    Guards beyond the prices shown are told at the edge, with an arrow to where they are.
    """
    low, high = axes.get_ylim()
    colours = {"stop": ink["down"], "target": ink["up"]}
    named = []
    last = float(shown["close"][-1])
    for level in near(levels, float(shown["low"].to_numpy().min()), float(shown["high"].to_numpy().max())):
        colour = ink["up" if level.role is Role.SUPPORT else "down"]
        axes.axhline(level.price, color=colour, linewidth=0.9, linestyle=(0, (1, 3)), alpha=0.35 + 0.6 * level.strength,
                     gid=f"level {level.price!r}", zorder=1.5)  # fmt: skip
        named.append((f"{level.role} {words(level.price)}{_touches(level.touches)}", level.price, colour))
    for name, value in lines:
        colour, style = colours.get(name, ink["quiet"]), "-" if name == "entry" else (0, (4, 3))
        if low <= value <= high:
            axes.axhline(value, color=colour, linewidth=1.0, linestyle=style, alpha=0.8, gid=name, zorder=1.6)
        beyond = " ↑" if value > high else " ↓" if value < low else ""
        named.append((f"{name} {words(value)}{beyond}", value, colour))
    named.append((words(last), last, ""))
    heights = spaced([min(max((value - low) / (high - low), 0.0), 1.0) for _, value, _ in named], gap=LABEL_SHARE)
    for (text, _, colour), height in zip(named, heights, strict=True):
        ground = {"facecolor": ink["text"], "linewidth": 0, "pad": 2.0} if not colour else None
        axes.annotate(text, (1.0, height), xycoords="axes fraction", xytext=(6, 0), textcoords="offset points",
                      va="center", color=colour or ink["ground"], fontsize=8.5, bbox=ground, annotation_clip=False)  # fmt: skip


def _touches(count: int) -> str:
    return f", {count} {'touch' if count == 1 else 'touches'}" if count else ""
