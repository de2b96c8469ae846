"""What a picture of a chart shows bar by bar: candles, averages, bands, volume, RSI and MACD."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

import numpy as np
import polars as pl

from evil2root.domain.market.indicators import INDICATORS

Ink = Mapping[str, str]
"""Colours by what they are for."""

CHOSEN = tuple(
    one for one in INDICATORS if {"ema_20", "ema_50", "bb_upper", "rsi_14", "macd"} & {c.name for c in one.columns}
)
"""What the Symbol page draws, by the functions its figures come from."""
VOLUME_FRAC = 0.11
"""Share of the prices' pane that the tallest bar of volume takes."""
DECIMALS_MAX = 12
BODY = 0.66
"""Width of a candle's body, in bars."""


def candles(axes: Any, bars: pl.DataFrame, ink: Ink) -> None:
    """Draw rising bars hollow and falling ones solid: the shape tells them apart without colour."""
    opening, high, low, close = (bars[name].to_numpy() for name in ("open", "high", "low", "close"))
    at, rises = np.arange(bars.height), close >= opening
    edge = np.where(rises, ink["up"], ink["down"])
    axes.vlines(at, low, high, colors=edge, linewidth=0.9, gid="wicks", zorder=2)
    least = 0.001 * (high.max() - low.min())  # a body of nothing is still seen
    drawn = axes.bar(
        at, np.maximum(np.abs(close - opening), least), bottom=np.minimum(opening, close), width=BODY,
        color=np.where(rises, ink["ground"], ink["down"]), edgecolor=edge, linewidth=0.9, zorder=2.1,
    )  # fmt: skip
    for body in drawn:
        body.set_gid("body")


def averages(axes: Any, values: pl.DataFrame, ink: Ink) -> None:
    """Draw the two exponential averages, the slow one fainter."""
    line(axes, values, "ema_50", ink["second"], alpha=0.6)
    line(axes, values, "ema_20", ink["second"])


def bands(axes: Any, values: pl.DataFrame, ink: Ink) -> None:
    """Draw Bollinger's bands and tint what lies between them."""
    high, low = (values[name].to_numpy() for name in ("bb_upper", "bb_lower"))
    axes.fill_between(np.arange(values.height), low, high, color=ink["third"], alpha=0.06, linewidth=0, zorder=1)
    for name in ("bb_upper", "bb_lower"):
        line(axes, values, name, ink["third"], alpha=0.4)


def volume(axes: Any, bars: pl.DataFrame, ink: Ink) -> None:
    """Draw the volume along the bottom of the prices' pane."""
    most = float(bars["volume"].to_numpy().max())
    if most <= 0.0:
        return
    rises = (bars["close"] >= bars["open"]).to_numpy()
    drawn = axes.bar(np.arange(bars.height), VOLUME_FRAC * bars["volume"].to_numpy() / most, width=BODY, alpha=0.25,
                     transform=axes.get_xaxis_transform(), color=np.where(rises, ink["up"], ink["down"]), zorder=1)  # fmt: skip
    for one in drawn:
        one.set_gid("volume")


def rsi(axes: Any, values: pl.DataFrame, ink: Ink) -> None:
    """Draw the RSI between its lines at 30 and 70."""
    line(axes, values, "rsi_14", ink["third"])
    for edge in (30.0, 70.0):
        axes.axhline(edge, color=ink["strong"], linewidth=0.9, linestyle=":")
    known = values["rsi_14"].drop_nulls()
    axes.set_ylim(min(20.0, float(known.to_numpy().min()) - 3.0), max(80.0, float(known.to_numpy().max()) + 3.0))
    axes.set_yticks([30.0, 70.0])
    beside(axes, "RSI 14", f"{known[-1]:.0f}", ink)


def macd(axes: Any, values: pl.DataFrame, ink: Ink) -> None:
    """Draw the MACD, its signal and what is between them."""
    step = values["macd_hist"].to_numpy()
    drawn = axes.bar(np.arange(values.height), np.nan_to_num(step), width=BODY, alpha=0.5, zorder=1,
                     color=np.where(np.nan_to_num(step) >= 0.0, ink["up"], ink["down"]))  # fmt: skip
    for one in drawn:
        one.set_gid("macd_hist")
    line(axes, values, "macd", ink["third"])
    line(axes, values, "macd_signal", ink["second"])
    axes.set_yticks([0.0])
    least = float(np.nanmax(np.abs(values["macd"].to_numpy().astype(np.float64))))
    digits = decimals_of(least / 100.0, least=2) if least > 0.0 else 2
    beside(axes, "MACD 12, 26, 9", _signed(values["macd"].drop_nulls()[-1], digits), ink)


PANES: tuple[tuple[str, Callable[[Any, pl.DataFrame, Ink], None]], ...] = (("rsi_14", rsi), ("macd", macd))
"""Panes below the prices, each by the column without which it has nothing to show."""


def line(axes: Any, values: pl.DataFrame, name: str, colour: str, *, alpha: float = 1.0) -> None:
    """Draw a column over the bars, named by it."""
    axes.plot(np.arange(values.height), values[name].to_numpy(), color=colour, alpha=alpha, linewidth=1.2, gid=name,
              zorder=2.3)  # fmt: skip


def beside(axes: Any, name: str, value: str, ink: Ink) -> None:
    """Name a pane and its newest value, right of it."""
    axes.annotate(f"{name}\n{value}", (1.0, 0.5), xycoords="axes fraction", xytext=(6, 0), textcoords="offset points",
                  va="center", color=ink["quiet"], fontsize=9, annotation_clip=False)  # fmt: skip


def decimals_of(step: float, *, least: int) -> int:
    """Decimals that tell prices a step apart: at least those of the instrument."""
    return least if step <= 0.0 else min(DECIMALS_MAX, max(least, ceil(-log10(step) - 1e-9)))


def ticks(low: float, high: float, *, most: int) -> Sequence[float]:
    """Round prices between two, at most so many: steps of 1, 2 or 5 times a power of ten."""
    least = (high - low) / most
    power = 10.0 ** floor(log10(least))
    step = next(power * times for times in (1.0, 2.0, 5.0, 10.0) if power * times >= least * (1.0 - 1e-9))
    return [n * step for n in range(ceil(low / step), floor(high / step) + 1)]


def times(axes: Any, shown: pl.DataFrame) -> None:
    """Dates below the lowest pane, with the hour where bars are shorter than a day."""
    opened = shown["opened_at"].to_list()
    rows = sorted({round(n * (len(opened) - 1) / 6) for n in range(1, 6)}) if len(opened) > 6 else [0]
    daily = is_daily(shown)
    axes.set_xticks(rows)
    axes.set_xticklabels([f"{opened[n]:%d %b %Y}" if daily else f"{opened[n]:%d %b %H:%M}" for n in rows])


def is_daily(shown: pl.DataFrame) -> bool:
    """Are no two bars of the same day?"""
    return bool(shown["opened_at"].dt.date().n_unique() == shown.height)


def _signed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")
