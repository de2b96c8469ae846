"""Closed round trips: what worked?"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

from evil2root.domain.book.performance import round_trips
from evil2root.domain.book.positions import Trade
from evil2root.domain.core.money import ZERO
from evil2root.engine.desk import Desk
from evil2root.web import format as f
from evil2root.web.svg import Histogram, histogram
from evil2root.web.views import common
from evil2root.web.views.common import Delta, Place, SideWord, place_of
from evil2root.web.views.decisions import Chip

ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One round trip."""

    symbol: str
    side: SideWord | None
    quantity: str
    entry_at: f.Moment
    entry: str
    exit_at: f.Moment
    exit: str
    held: str
    pnl: Delta
    r: Delta | None
    reason: str
    fees: str
    decision_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of the filtered trades."""

    label: str
    value: str
    tone: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradesPage:
    """Figures, histogram and rows of the trades that fit."""

    figures: tuple[Figure, ...]
    histogram: Histogram | None
    without_r: str
    rows: tuple[TradeRow, ...]
    symbols: tuple[Chip, ...]
    results: tuple[Chip, ...]
    total: str
    more: str
    csv: str
    empty: str


def _href(symbol: str, result: str, first: int = 0) -> str:
    text = urlencode({k: v for k, v in {"symbol": symbol, "result": result, "from": first}.items() if v})
    return f"/trades?{text}" if text else "/trades"


async def trades_page(desk: Desk, *, symbol: str, result: str, first: int) -> TradesPage:
    """Every closed trade that fits, newest first."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    every = await desk.reads.all_trades(symbol=symbol or None)
    kept = [t for t in every if result == "" or (t.pnl > 0) == (result == "won")]
    newest = list(reversed(kept))
    page = newest[first : first + ROWS]
    multiples = [float(t.r) for t in kept if t.r is not None]
    bare = len(kept) - len(multiples)
    return TradesPage(
        figures=_figures(kept, place),
        histogram=histogram(multiples, label=f"Results of {f.count(len(multiples), 'trade')} in multiples of the risk"),
        without_r=f"{f.count(bare, 'trade')} had no stop and so no R." if bare else "",
        rows=tuple(_row(t, place) for t in page),
        symbols=tuple(
            Chip(label=s or "All symbols", count="", href=_href(s, result), chosen=s == symbol)
            for s in ("", *desk.policy.instruments)
        ),
        results=tuple(
            Chip(label=label, count="", href=_href(symbol, word), chosen=word == result)
            for word, label in (("", "All results"), ("won", "Won"), ("lost", "Lost"))
        ),
        total=f.count(len(kept), "closed trade"),
        more=_href(symbol, result, first + ROWS) if first + ROWS < len(newest) else "",
        csv="/api/v1/trades.csv" + (f"?{urlencode({'symbol': symbol})}" if symbol else ""),
        empty="No closed trade fits these filters." if symbol or result
        else "A trade is listed once its position is closed again.",
    )  # fmt: skip


def _figures(trades: Sequence[Trade], place: Place) -> tuple[Figure, ...]:
    measured = round_trips(trades)
    total = sum((t.pnl for t in trades), ZERO)
    fees = sum((t.fees for t in trades), ZERO)
    won = "none" if measured.win_rate_frac is None else f.pct(measured.win_rate_frac, 1)
    factor = "none" if measured.profit_factor is None else f.num(measured.profit_factor)
    mean = "none" if measured.expectancy_r is None else f.multiple(measured.expectancy_r)
    return (
        Figure(label="Closed", value=f"{measured.count:,}", tone="flat", hint="Round trips"),
        Figure(label="Result", value=place.money(total, plus=True), tone=f.tone(total), hint="After fees"),
        Figure(label="Won", value=won, tone="flat", hint=f"{measured.won:,} won, {measured.lost:,} lost"),
        Figure(label="Profit factor", value=factor, tone="flat", hint="Gains over losses"),
        Figure(label="Mean", value=mean, tone="flat" if measured.expectancy_r is None else f.tone(measured.expectancy_r),
               hint="In multiples of the risk taken"),
        Figure(label="Fees", value=place.money(fees), tone="flat", hint="Paid on both sides"),
    )  # fmt: skip


REASONS = {"stop": "Stop", "target": "Target", "trailing": "Trailing stop", "signal": "Signal turned",
           "manual": "Closed by hand", "halt": "Closed by a halt", "time": "Time stop",
           "break-even": "Stop at break-even"}  # fmt: skip


def _row(trade: Trade, place: Place) -> TradeRow:
    return TradeRow(
        symbol=trade.symbol, side=common.side_word(trade.side), quantity=f.quantity(trade.quantity),
        entry_at=place.day(trade.entry_time), entry=place.price(trade.symbol, trade.entry_price),
        exit_at=place.day(trade.exit_time), exit=place.price(trade.symbol, _rounded(trade.exit_price)),
        held=f.lasted(trade.exit_time - trade.entry_time), pnl=place.gain(trade.pnl), r=common.multiple(trade.r),
        reason=reason_word(trade.exit_reason),
        fees=place.money(trade.fees), decision_id=trade.entry_decision_id,
    )  # fmt: skip


def reason_word(reason: str) -> str:
    """Why a trade ended, in words."""
    return REASONS.get(reason, common.sentence(reason).rstrip("."))


def _rounded(price: Decimal) -> Decimal:
    """A mean of several exits may have endless decimals; six say enough."""
    return round(price, 6)
