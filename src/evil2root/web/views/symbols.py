"""The watchlist, and one symbol's chart page: what does the bot see here, and what would it do?"""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.chart_pictures import decimals
from evil2root.engine.desk import Desk
from evil2root.engine.reads import DecisionFilter
from evil2root.web import format as f
from evil2root.web.svg import Diverging, diverging
from evil2root.web.views import common
from evil2root.web.views.common import Badge, Delta, Place, place_of
from evil2root.web.views.decisions import ListRow, list_row
from evil2root.web.views.positions import PositionRow, position_row

DECISIONS = 8
MARKS_MAX = 200
TABLE_BARS = 60
CHART_BARS = 1_000
LOG_ODDS_SCALE = 0.5
"""Log-odds at the end of a bar: a single source at its prior's strongest adds at most 0.85 times its weight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolLine:
    """One symbol of the watchlist."""

    symbol: str
    name: str
    last: str
    change: Delta | None
    score: str
    bar: Diverging | None
    p_up: str
    badge: Badge | None
    held: str
    at: f.Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """What one source adds now."""

    name: str
    p_up: str
    weight: str
    adds: str
    bar: Diverging
    speaks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalNow:
    """The newest decision's view."""

    decision_id: str
    at: f.Moment
    badge: Badge
    score: str
    says: str
    sources: tuple[SourceLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BarLine:
    """One bar of the table behind the chart."""

    at: str
    open: str
    high: str
    low: str
    close: str
    volume: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolPage:
    """One symbol."""

    symbol: str
    name: str
    about: str
    last: str
    change: Delta | None
    change_frac: Delta | None
    at: f.Moment | None
    intervals: tuple[tuple[str, str, bool], ...]
    """Label, address, chosen."""
    interval: str
    previous: str
    next: str
    bars_url: str
    indicators_url: str
    patterns_url: str
    levels_url: str
    marks: str
    """JSON for the chart: trades, position, decimals, whether there is volume."""
    summary: str
    has_bars: bool
    has_volume: bool
    signal: SignalNow | None
    position: PositionRow | None
    decisions: tuple[ListRow, ...]
    decisions_href: str
    table: tuple[BarLine, ...]


async def watchlist(desk: Desk) -> tuple[SymbolLine, ...]:
    """Every symbol of the policy with its last price and newest decision."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    return tuple([await _line(desk, symbol, place, status.now) for symbol in desk.policy.instruments])


async def _line(desk: Desk, symbol: str, place: Place, now: datetime) -> SymbolLine:
    frame = await desk.reads.bars(symbol, desk.policy.interval, start=None, until=now, limit=2)
    closes = frame["close"].to_list()
    newest = await desk.reads.latest_decision(symbol, at=now)
    view = newest.view if newest is not None else None
    held = desk.status().portfolio.positions.get(symbol)
    order_state = _order_state(desk, newest)
    return SymbolLine(
        symbol=symbol, name=place.name(symbol), last=place.price(symbol, closes[-1]) if closes else "",
        change=common.rate(closes[-1] / closes[-2] - 1) if len(closes) == 2 else None,
        score="" if view is None else f.num(view.score, 2, plus=True),
        bar=None if view is None else diverging(view.score, label=f"Fused {f.num(view.score, 2, plus=True)}"),
        p_up="" if view is None else f.num(view.p_up),
        badge=common.outcome_badge(newest.outcome, order_state) if newest is not None else None,
        held="" if held is None else f"{'Long' if held.quantity > 0 else 'Short'} {f.quantity(held.size)}",
        at=place.day(frame["closed_at"][-1]) if closes else None,
    )  # fmt: skip


def _order_state(desk: Desk, decision: Decision | None) -> str | None:
    if decision is None or not decision.order_ids:
        return None
    order = desk.state.orders.get(decision.order_ids[0])
    return None if order is None else order.state.value


async def symbol_page(desk: Desk, symbol: str, interval: Interval) -> SymbolPage:
    """One symbol's page. The caller has checked that the symbol is known."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    frame = await desk.reads.bars(symbol, interval, start=None, until=status.now, limit=TABLE_BARS)
    closes = frame["close"].to_list()
    instrument = desk.policy.instruments.get(symbol)
    has_volume = instrument is None or instrument.has_volume
    stored = sorted({r.interval for r in await desk.reads.symbols(until=status.now) if r.symbol == symbol})
    order = [*desk.policy.instruments]
    place_at = order.index(symbol) if symbol in order else -1
    held = status.portfolio.positions.get(symbol)
    newest = await desk.reads.latest_decision(symbol, at=status.now)
    rows = await desk.reads.decisions(
        DecisionFilter(symbol=symbol, outcomes=common.ACTED), limit=DECISIONS, cursor=None
    )
    base = f"/api/v1/symbols/{f.path(symbol)}"
    asked = f"interval={interval.value}&limit={CHART_BARS}"
    return SymbolPage(
        symbol=symbol, name=place.name(symbol), about=_about(desk, symbol),
        last=place.price(symbol, closes[-1]) if closes else "",
        change=_change(symbol, closes, place),
        change_frac=common.rate(closes[-1] / closes[-2] - 1) if len(closes) > 1 else None,
        at=place.stamp(frame["closed_at"][-1]) if closes else None,
        intervals=tuple(
            (i.value, f"/symbols/{f.path(symbol)}?interval={i.value}", i is interval) for i in stored
        ),
        interval=interval.value,
        previous=f"/symbols/{f.path(order[place_at - 1])}" if place_at > 0 else "",
        next=f"/symbols/{f.path(order[place_at + 1])}" if 0 <= place_at < len(order) - 1 else "",
        bars_url=f"{base}/bars?{asked}", indicators_url=f"{base}/indicators?{asked}",
        patterns_url=f"{base}/patterns?{asked}", levels_url=f"{base}/levels?interval={interval.value}",
        marks=json.dumps(await chart_marks(desk, symbol, closes=closes)),
        summary=_summary(symbol, interval, closes, place),
        has_bars=bool(closes), has_volume=has_volume,
        signal=signal_now(desk, newest, place),
        position=position_row(desk, held, place, closes=closes) if held is not None else None,
        decisions=tuple(list_row(r, place) for r in rows.items),
        decisions_href=f"/decisions?symbol={f.path(symbol)}",
        table=tuple(_bar(row, symbol, place, interval, has_volume=has_volume)
                    for row in reversed(frame.to_dicts())),
    )  # fmt: skip


def _about(desk: Desk, symbol: str) -> str:
    instrument = desk.policy.instruments.get(symbol)
    if instrument is None:
        return "not on the watchlist"
    kind = {"equity": "US share", "crypto": "crypto", "fx": "currency pair"}[instrument.asset_class.value]
    return " · ".join(part for part in (instrument.name, kind, instrument.currency) if part)


def _change(symbol: str, closes: list[float], place: Place) -> Delta | None:
    if len(closes) < 2:
        return None
    moved = closes[-1] - closes[-2]
    text = place.price(symbol, abs(moved))
    tone = f.tone(moved, len(text.rpartition(".")[2]) if "." in text else 0)
    sign = {"up": "+", "down": f.MINUS, "flat": ""}[tone]
    return Delta(text=sign + text, tone=tone)


def _summary(symbol: str, interval: Interval, closes: list[float], place: Place) -> str:
    if not closes:
        return f"{symbol}: no bars"
    return (
        f"{symbol}, bars of {interval.value}, last {place.price(symbol, closes[-1])}. "
        "Arrow keys move bar by bar, Page Up and Page Down 21 bars, Home and End to the ends, plus and minus zoom. The table button shows the figures."
    )


def _bar(row: dict[str, object], symbol: str, place: Place, interval: Interval, *, has_volume: bool) -> BarLine:
    opened = row["opened_at"]
    assert isinstance(opened, datetime)
    when = place.day(opened) if interval is Interval.D1 else place.stamp(opened)

    def price(name: str) -> str:
        value = row[name]
        assert isinstance(value, float)
        return place.price(symbol, value)

    volume = row["volume"]
    assert isinstance(volume, float)
    return BarLine(at=when.text, open=price("open"), high=price("high"), low=price("low"), close=price("close"),
                   volume=f.big(volume) if has_volume else "")  # fmt: skip


async def chart_marks(desk: Desk, symbol: str, *, closes: list[float]) -> dict[str, object]:
    """What the chart draws over the bars: round trips, the open position and its guards."""
    instrument = desk.policy.instruments.get(symbol)
    trades = await desk.reads.trades(symbol=symbol, limit=MARKS_MAX, cursor=None)
    made: list[dict[str, object]] = []
    for trade in trades.items:
        result = f.multiple(trade.r) if trade.r is not None else f.money(trade.pnl, plus=True)
        made.append(
            {
                "at": trade.entry_time.isoformat(),
                "side": trade.side.value,
                "tone": "flat",
                "text": "",
                "price": float(trade.entry_price),
            }
        )
        made.append(
            {
                "at": trade.exit_time.isoformat(),
                "side": trade.side.opposite.value,
                "tone": f.tone(trade.pnl),
                "text": result,
                "price": float(trade.exit_price),
            }
        )
    held = desk.status().portfolio.positions.get(symbol)
    if held is not None:
        made.append(
            {
                "at": held.opened_at.isoformat(),
                "side": held.side.value,
                "tone": "flat",
                "text": "",
                "price": float(held.average_price),
            }
        )
    position = None
    if held is not None:
        position = {"entry": float(held.average_price), "stop": _number(held.stop), "target": _number(held.target)}
    return {
        "trades": made,
        "position": position,
        "precision": precision(desk, symbol, closes[-1] if closes else None),
        "hasVolume": instrument is None or instrument.has_volume,
    }


def precision(desk: Desk, symbol: str, last: float | None) -> int:
    """Decimals of a price on the chart."""
    return decimals(desk.policy.instruments.get(symbol), last)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def signal_now(desk: Desk, decision: Decision | None, place: Place) -> SignalNow | None:
    """What the sources said on the newest bar; none before the first decision."""
    if decision is None:
        return None
    view = decision.view
    return SignalNow(
        decision_id=decision.id, at=place.stamp(decision.at),
        badge=common.outcome_badge(decision.outcome, _order_state(desk, decision)),
        score="none" if view is None else f.num(view.score, 2, plus=True),
        says=common.sentence(decision.why_not or decision.why)
        if decision.outcome is not Outcome.WARMING_UP else "The indicators still warm up.",
        sources=source_lines(decision),
    )  # fmt: skip


def source_lines(decision: Decision) -> tuple[SourceLine, ...]:
    """What each source adds to the pooled log-odds."""
    return tuple(
        SourceLine(
            name=source_name(s.source), p_up="abstains" if s.p_up is None else f.num(s.p_up),
            weight=f"{s.weight:.0%}", adds=f.num(s.contribution, 2, plus=True),
            bar=diverging(s.contribution, scale=LOG_ODDS_SCALE,
                          label=f"{source_name(s.source)} adds {f.num(s.contribution, 3, plus=True)} log-odds"),
            speaks=s.p_up is not None,
        )
        for s in decision.sources
    )  # fmt: skip


def source_name(source: str) -> str:
    """`trend_following` as people write it."""
    words = source.replace("_", " ")
    return words[:1].upper() + words[1:]
