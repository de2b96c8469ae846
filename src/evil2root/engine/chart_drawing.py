"""A symbol's chart as a picture: candles, volume, averages, patterns, levels and trades, drawn by matplotlib.

matplotlib takes seconds to load and tens of megabytes, so it is loaded with the first picture. Its own windows and
global state (pyplot) are never touched: a figure and its canvas belong to one call, in whatever thread it runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import ema
from evil2root.domain.signals.levels.level import Level, Role
from evil2root.domain.signals.patterns.detect import Pattern
from evil2root.domain.signals.patterns.shape import Direction
from evil2root.engine.spacing import spaced

WIDTH, HEIGHT, DPI = 12.0, 6.75, 100
"""1200 x 675 pixels: what a message and a page of a report show without scaling."""
BARS = 130
"""Newest bars drawn: candles stay a few pixels wide."""
LEVELS_MAX = 6
PATTERNS_MAX = 4
LABEL_SHARE = 0.035
"""Least distance of two labels beside the chart, as a share of its height."""

THEMES: Mapping[str, Mapping[str, str]] = {
    "dark": {"ground": "#11141a", "line": "#222833", "text": "#e9ecf2", "quiet": "#a9b2c1", "up": "#3fd0c9",
             "down": "#ff7350", "fast": "#f0b849", "slow": "#c8ecff", "accent": "#a394ff"},
    "light": {"ground": "#ffffff", "line": "#e4e7ec", "text": "#12161d", "quiet": "#475061", "up": "#007a7a",
              "down": "#c93c10", "fast": "#b06a00", "slow": "#4a97bd", "accent": "#5540d6"},
}  # fmt: skip
"""The dashboard's colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something bought or sold."""

    at: datetime
    is_buy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is drawn."""

    title: str
    bars: pl.DataFrame
    """Oldest first, at least one; the newest `BARS` are shown, all of them feed the averages."""
    patterns: Sequence[Pattern] = ()
    levels: Sequence[Level] = ()
    marks: Sequence[Mark] = ()
    lines: Sequence[tuple[str, float]] = ()
    """Entry, stop and target of what is held, by name."""


def png(subject: Subject, *, theme: str = "dark") -> bytes:
    """Draw a chart; some 0.3 s once matplotlib is loaded."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - see the module's first lines
    from matplotlib.figure import Figure  # noqa: PLC0415

    ink = THEMES[theme]
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor=ink["ground"])
    FigureCanvasAgg(figure)  # the figure keeps it: without one it would ask the machine for a window
    price, volume = figure.subplots(2, 1, sharex=True, height_ratios=(5, 1))
    figure.subplots_adjust(left=0.05, right=0.86, top=0.93, bottom=0.06, hspace=0.03)
    shown = subject.bars.tail(BARS)
    for axes in (price, volume):
        _plain(axes, ink)
    _candles(price, shown, ink)
    _averages(price, subject.bars, shown.height, ink)
    _volume(volume, shown, ink)
    _patterns(price, subject, shown, ink)
    _marks(price, subject.marks, shown, ink)
    low, high = float(shown["low"].to_numpy().min()), float(shown["high"].to_numpy().max())
    room = 0.08 * (high - low) or 0.01 * high
    price.set_ylim(low - room, high + room)
    price.set_xlim(-1.0, shown.height + 1.0)
    _levels(price, subject, float(shown["close"][-1]), ink)
    _times(volume, shown)
    figure.text(0.015, 0.955, subject.title, color=ink["text"], fontsize=13, fontweight="bold")
    out = BytesIO()
    figure.savefig(out, format="png", facecolor=ink["ground"])
    return out.getvalue()


def _plain(axes: Any, ink: Mapping[str, str]) -> None:
    axes.set_facecolor(ink["ground"])
    axes.grid(visible=True, color=ink["line"], linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=ink["quiet"], labelsize=9, length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def _candles(axes: Any, bars: pl.DataFrame, ink: Mapping[str, str]) -> None:
    opening, high, low, close = (bars[name].to_numpy() for name in ("open", "high", "low", "close"))
    at = np.arange(bars.height)
    colours = np.where(close >= opening, ink["up"], ink["down"])
    axes.vlines(at, low, high, colors=colours, linewidth=0.9)
    least = 0.001 * (high.max() - low.min())  # a body of nothing is still seen
    axes.bar(
        at, np.maximum(np.abs(close - opening), least), bottom=np.minimum(opening, close), width=0.66, color=colours
    )


def _averages(axes: Any, bars: pl.DataFrame, shown: int, ink: Mapping[str, str]) -> None:
    close = bars["close"].to_numpy().astype(np.float64)
    for length, name in ((20, "fast"), (50, "slow")):
        if close.size >= length:
            axes.plot(np.arange(shown), ema(close, length=length)[-shown:], color=ink[name], linewidth=1.2)


def _volume(axes: Any, bars: pl.DataFrame, ink: Mapping[str, str]) -> None:
    rises = (bars["close"] >= bars["open"]).to_numpy()
    axes.bar(np.arange(bars.height), bars["volume"].to_numpy(), width=0.66, alpha=0.45,
             color=np.where(rises, ink["up"], ink["down"]))  # fmt: skip
    axes.set_yticks([])


def _patterns(axes: Any, subject: Subject, shown: pl.DataFrame, ink: Mapping[str, str]) -> None:
    place = {at: n for n, at in enumerate(shown["opened_at"].to_list())}
    whole = [p for p in subject.patterns if all(at in place for at, _ in p.points) and len(p.points) > 1]
    newest = sorted(whole, key=lambda pattern: pattern.confirmed_at)[-PATTERNS_MAX:]
    for pattern in newest:
        at, prices = [place[when] for when, _ in pattern.points], [price for _, price in pattern.points]
        axes.plot(at, prices, color=ink["accent"], linewidth=1.3, marker="o", markersize=3.5)
        words = f"{pattern.kind.replace('_', ' ')} {'up' if pattern.direction is Direction.UP else 'down'}"
        top = prices.index(max(prices))
        axes.annotate(words, (at[top], prices[top]), xytext=(0, 7), textcoords="offset points", ha="center",
                      color=ink["text"], fontsize=8.5)  # fmt: skip


def _marks(axes: Any, marks: Sequence[Mark], shown: pl.DataFrame, ink: Mapping[str, str]) -> None:
    opened = shown["opened_at"].to_list()
    for mark in marks:
        row = sum(at <= mark.at for at in opened) - 1
        if row >= 0:
            edge = float(shown["low"][row]) if mark.is_buy else float(shown["high"][row])
            axes.annotate("▲" if mark.is_buy else "▼", (row, edge), xytext=(0, -13 if mark.is_buy else 6),
                          textcoords="offset points", ha="center", color=ink["text"], fontsize=9)  # fmt: skip


def _levels(axes: Any, subject: Subject, last: float, ink: Mapping[str, str]) -> None:
    """Lines across, and their names beside the chart, where no candle is; names that would touch are moved apart."""
    low, high = axes.get_ylim()
    named = [(f"{last:.6g}", last, ink["text"], "-")]
    named += [(f"{name} {value:.6g}", value, ink["accent"], "-") for name, value in subject.lines]
    strongest = sorted(subject.levels, key=lambda level: -level.strength)[:LEVELS_MAX]
    named += [
        (f"{level.role} {level.price:.6g}", level.price, ink["up" if level.role is Role.SUPPORT else "down"], ":")
        for level in strongest
    ]
    named = [one for one in named if low <= one[1] <= high]
    heights = spaced([(value - low) / (high - low) for _, value, _, _ in named], gap=LABEL_SHARE)
    for (text, value, colour, style), height in zip(named, heights, strict=True):
        axes.axhline(value, color=colour, linewidth=0.9, linestyle=style, alpha=0.75)
        axes.annotate(text, (1.0, height), xycoords="axes fraction", xytext=(6, 0), textcoords="offset points",
                      va="center", color=colour, fontsize=9, annotation_clip=False)  # fmt: skip


def _times(axes: Any, shown: pl.DataFrame) -> None:
    opened = shown["opened_at"].to_list()
    rows = sorted({round(n * (len(opened) - 1) / 6) for n in range(1, 6)}) if len(opened) > 6 else [0]
    daily = len(opened) < 2 or (opened[-1] - opened[0]).days >= len(opened) - 1
    axes.set_xticks(rows)
    axes.set_xticklabels([f"{opened[n]:%d %b %Y}" if daily else f"{opened[n]:%d %b %H:%M}" for n in rows])
