"""From bars to evidence: the same for the last bar of a live series and for every bar of a backtest."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence
from evil2root.domain.decision.strategies.strategy import Strategy
from evil2root.domain.market.bars import Bar
from evil2root.domain.market.days import session_of
from evil2root.domain.market.passport import Passport, passport_at, passports
from evil2root.domain.market.sessions import Sessions
from evil2root.domain.market.window import WINDOW_BARS, window_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What passports are made from beside the bars."""

    sessions: Sessions
    marks: pl.DataFrame | None = None
    """`MARKS_SCHEMA`, of all bars or at least those looked back on."""


TIMES = ("opened_at", "closed_at")


def bars_of(frame: pl.DataFrame, *, symbol: str, interval: Interval) -> list[Bar]:
    """Turn a table of bars into checked values, one a row."""
    names = ("opened_at", "closed_at", "open", "high", "low", "close", "volume")
    columns = zip(*(frame[name].to_list() for name in names), strict=True)
    return [
        Bar(symbol=symbol, interval=interval, opened_at=o, closed_at=c, open=a, high=h, low=lo, close=z, volume=v)
        for o, c, a, h, lo, z, v in columns
    ]


def evidence_series(  # noqa: PLR0913 - a series, its name and what is known of it
    strategy: Strategy, frame: pl.DataFrame, *, symbol: str, interval: Interval,
    background: Background | None = None, window_bars: int = WINDOW_BARS,
) -> list[Evidence]:  # fmt: skip
    """Return the evidence of every bar of a whole stored series, each from its own window."""
    bars = bars_of(frame, symbol=symbol, interval=interval)
    told: list[Passport | None] = [None] * len(bars)
    if background is not None:
        told = list(passports(frame, background.sessions, interval, marks=background.marks))
    made: list[Evidence] = []
    session = session_of(symbol)
    while len(made) < len(bars):
        start = window_start(len(made), window_bars=window_bars)
        window = frame.slice(start, window_bars)
        rows = strategy.features(window, interval=interval, session=session).slice(len(made) - start)
        made += _evidence(strategy, rows, bars=bars[len(made) : start + window.height], first=len(made),
                          told=told[len(made) : start + window.height], window_from=bars[start].opened_at)  # fmt: skip
    return made


def evidence_at(  # noqa: PLR0913 - a series, its name and where the window lies in it
    strategy: Strategy, frame: pl.DataFrame, *, symbol: str, interval: Interval, first_index: int,
    background: Background | None = None, window_bars: int = WINDOW_BARS,
) -> Evidence:  # fmt: skip
    """Return the evidence of the last bar of `frame`, whose first row has the ordinal `first_index` (from 0).

    Equal to that element of `evidence_series` bit for bit. Raises `ValueError` when the window starts earlier.
    """
    last = first_index + frame.height - 1
    start = window_start(last, window_bars=window_bars)
    if start < first_index or not frame.height:
        msg = (
            f"The features of bar {last + 1} of {symbol} start at bar {start + 1}, but bars start at {first_index + 1}."
        )
        raise ValueError(msg)
    window = frame.slice(start - first_index)
    bar = bars_of(window.tail(1), symbol=symbol, interval=interval)
    rows = strategy.features(window, interval=interval, session=session_of(symbol), newest=1)
    told = None if background is None else passport_at(frame, background.sessions, interval, marks=background.marks)
    return next(_evidence(strategy, rows, bars=bar, told=[told], first=last, window_from=window["opened_at"][0]))


def _evidence(  # noqa: PLR0913 - the columns of evidence
    strategy: Strategy,
    rows: pl.DataFrame,
    *,
    bars: list[Bar],
    told: list[Passport | None],
    first: int,
    window_from: datetime,
) -> Iterator[Evidence]:
    numbers = rows.drop(*(name for name in TIMES if name in rows.columns))
    opinions = strategy.opinions(rows)
    for place, (bar, passport, features, (signals, view)) in enumerate(
        zip(bars, told, _named_rows(numbers), opinions, strict=True), start=first + 1
    ):
        yield Evidence(bar=bar, number=place, window_from=window_from, features=features, signals=signals, view=view,
                       passport=passport)  # fmt: skip


def _named_rows(table: pl.DataFrame) -> Iterator[Mapping[str, float | None]]:
    return iter(table.iter_rows(named=True))
