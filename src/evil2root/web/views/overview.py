"""The overview: am I safe, am I ahead, did anything need me today?"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

from evil2root.domain.book.orders import Leg, OrderState
from evil2root.domain.core.money import ZERO
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.record import Outcome
from evil2root.domain.risk.breaker import BreakerState
from evil2root.engine.desk import Desk, Status
from evil2root.engine.reads import DecisionFilter, DecisionRow
from evil2root.web import format as f
from evil2root.web.curve import SHARPE_DAYS_MIN, Curve, CurveFacts
from evil2root.web.svg import Meter, meter
from evil2root.web.views import common
from evil2root.web.views.common import ACTED, Badge, Delta, Place, SideWord, place_of

FEED_ROWS = 4
FUNNEL_DAYS = 30
"""Days the funnel looks back when a bar is a day: one day alone would hold one decision a symbol."""
FUNNEL_ROWS_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """A figure with its name."""

    label: str
    value: Delta | None
    """None: not known yet."""
    detail: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityCard:
    """What the account is worth and how it got there."""

    equity: str
    today: Delta
    today_frac: Delta
    stats: tuple[Stat, ...]
    has_curve: bool
    summary: str
    """The chart in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """Use of one limit."""

    label: str
    used: str
    limit: str
    """Empty where no limit is set."""
    meter: Meter | None
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCard:
    """What can be lost."""

    at_stops: str
    share: str
    badge: Badge
    rows: tuple[LimitRow, ...]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    """One decision."""

    id: str
    at: f.Moment
    symbol: str
    side: SideWord | None
    score: str
    badge: Badge
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TodayCard:
    """How far decisions went."""

    title: str
    funnel: tuple[tuple[str, str], ...]
    rows: tuple[FeedRow, ...]
    empty: str


def headline(desk: Desk) -> str:
    """The line under the title."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    working = sum(o.leg is Leg.ENTRY for o in desk.state.orders.values())
    parts = [
        f.count(len(status.portfolio.positions), "open position"),
        f.count(working, "working entry", "working entries"),
    ]
    waiting = len(desk.state.awaiting)
    if waiting:
        parts.append(f"{f.count(waiting, 'proposal')} waiting")
    return f"{f.long_day(status.now, zone=place.zone)}: {', '.join(parts)}"


async def equity_card(desk: Desk, curve: Curve) -> EquityCard:
    """Equity, today, and the curve's own figures."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    facts = await curve.facts(desk.reads)
    carry, equity = status.carry, status.portfolio.equity
    gain = equity - carry.day_equity if carry.day is not None else ZERO
    frac = gain / carry.day_equity if carry.day_equity > 0 else ZERO
    return EquityCard(
        equity=place.money(equity),
        today=place.gain(gain),
        today_frac=common.rate(frac),
        stats=_stats(facts, equity, status, place),
        has_curve=facts is not None,
        summary=_curve_words(facts, status, place),
    )


def _stats(facts: CurveFacts | None, equity: Decimal, status: Status, place: Place) -> tuple[Stat, ...]:
    capital = status.carry.capital
    total = common.rate(equity / capital - 1) if capital > 0 and facts is not None else None
    lead = None
    if facts is not None and facts.last.benchmark is not None and capital > 0:
        lead = common.points((facts.last.equity - facts.last.benchmark) / capital)
    since = f"Since {place.day(facts.first_at).text}" if facts is not None else "Since the start"
    fall = None
    if facts is not None:
        fall = Delta(text=f.pct(-facts.drawdown_max), tone="flat")
    sharpe, width = None, ""
    if facts is not None and facts.sharpe is not None:
        sharpe = Delta(text=f.num(facts.sharpe.value), tone="flat")
        width = f"±{f.num(facts.sharpe.half_width, 1)}"
    days = f"Sharpe, {facts.days:,} d" if facts is not None and facts.sharpe is not None else "Sharpe"
    return (
        Stat(label=since, value=total, hint="Equity over what was put in, less one"),
        Stat(label="Ahead of buy and hold", value=lead,
             hint="Equity less what the watchlist would be worth, bought in equal parts at its first close and held, "
             "over what was put in"),
        Stat(label="Worst drawdown", value=fall, hint="Deepest fall from a peak, at the closes"),
        Stat(label=days, value=sharpe, detail=width,
             hint=f"Mean over deviation of returns, scaled to a year; with its 95% interval. "
             f"Said from {SHARPE_DAYS_MIN} days on"),
    )  # fmt: skip


def _curve_words(facts: CurveFacts | None, status: Status, place: Place) -> str:
    if facts is None:
        return "No equity yet"
    bench = "" if facts.last.benchmark is None else f", against {place.money(facts.last.benchmark)} by buy and hold"
    return (
        f"Equity from {place.money(status.carry.capital)} on {place.day(facts.first_at).text} to "
        f"{place.money(facts.last.equity)} on {place.day(facts.last.at).text}{bench}. "
        f"Worst drawdown {f.pct(facts.drawdown_max)}."
    )


def risk_card(desk: Desk) -> RiskCard:
    """What is at risk now against each limit; what has no limit is shown without a bar."""
    status = desk.status()
    place, limits, portfolio = place_of(desk.policy, status.now), desk.policy.limits, status.portfolio
    equity = portfolio.equity
    base = equity if equity > 0 else Decimal(1)
    at_stops = portfolio.risk_at_stops
    values = {p.symbol: abs(portfolio.value_of(p)) / base for p in portfolio.positions.values()}
    largest = max(values, key=lambda s: values[s], default="")
    peak = max(status.carry.peak, equity)
    fall = 1 - equity / peak if peak > 0 else ZERO
    loss = max(ZERO, 1 - equity / status.carry.day_equity) if status.carry.day_equity > 0 else ZERO
    held = len(portfolio.positions)
    rows = (
        _limit(
            "Loss if all stops hit",
            at_stops / base,
            limits.heat_frac,
            f"sum of quantity {f.TIMES} (last {f.MINUS} stop)",
        ),
        _limit("Gross exposure", portfolio.gross / base, limits.gross_frac, f.count(held, "position")),
        _limit("Largest position", values.get(largest, ZERO), limits.per_symbol_frac, largest or "nothing is held"),
        _count("Positions held", held, limits.positions_max),
        _limit(
            "Drawdown from peak",
            fall,
            limits.drawdown_frac,
            f"peak {place.money(peak)}; at it entries stop until a person resumes",
        ),
        _limit("Daily loss", loss, limits.daily_loss_frac, "stops entries until the next day"),
    )
    return RiskCard(
        at_stops=place.money(-at_stops), share=f.pct(-at_stops / base), badge=_risk_badge(status, rows),
        rows=rows, note=_risk_note(values, limits.per_symbol_frac, status, place),
    )  # fmt: skip


def _limit(label: str, used: Decimal, limit: Decimal | None, hint: str) -> LimitRow:
    if limit is None:
        return LimitRow(label=label, used=f.pct(used), limit="", meter=None, hint=hint)
    share = float(used / limit) if limit > 0 else 0.0
    said = f"{label}: {share:.0%} of its limit"
    return LimitRow(label=label, used=f.pct(used), limit=f.pct(limit, 0), meter=meter(share, label=said), hint=hint)


def _count(label: str, used: int, limit: int) -> LimitRow:
    share = used / limit if limit else 0.0
    bar = meter(share, label=f"{label}: {used} of {limit}")
    return LimitRow(label=label, used=str(used), limit=str(limit), meter=bar, hint="open at the same time")


def _risk_badge(status: Status, rows: tuple[LimitRow, ...]) -> Badge:
    if status.carry.breaker.state is BreakerState.HALTED:
        return Badge(label="Entries halted", tone="plain", glyph="stop")
    if status.carry.breaker.state is BreakerState.REDUCING:
        return Badge(label="Reducing only", tone="warn", glyph="pause")
    if any(row.meter is not None and row.meter.heat == "hot" for row in rows):
        return Badge(label="At a limit", tone="warn", glyph="alert")
    return Badge(label="Within limits", tone="good", glyph="check")


def _risk_note(values: dict[str, Decimal], cap: Decimal, status: Status, place: Place) -> str:
    bare = [p.symbol for p in status.portfolio.positions.values() if p.unprotected_since is not None]
    if bare:
        return f"{', '.join(bare)} has no working stop at the broker."
    full = [s for s, share in values.items() if share >= cap * Decimal("0.95")]
    if full:
        return f"{', '.join(full)} {'are' if len(full) > 1 else 'is'} at the {f.pct(cap, 0)} cap: no more entries."
    loose = [p.symbol for p in status.portfolio.positions.values() if p.stop is None]
    if loose:
        value = sum((abs(status.portfolio.value_of(p)) for p in status.portfolio.positions.values()
                     if p.stop is None), ZERO)  # fmt: skip
        return f"{', '.join(loose)} has no stop: its whole value, {place.money(value)}, counts as at risk."
    return ""


async def today_card(desk: Desk) -> TodayCard:
    """The funnel from bars to fills, and the newest decisions that wanted something."""
    status = desk.status()
    place = place_of(desk.policy, status.now)
    since, title = _window(desk, status)
    counts = await desk.reads.decision_counts(DecisionFilter(since=since))
    acted = await desk.reads.decisions(DecisionFilter(since=since, outcomes=ACTED), limit=FUNNEL_ROWS_MAX, cursor=None)
    rows = acted.items[:FEED_ROWS]
    if not rows:
        rows = (await desk.reads.decisions(DecisionFilter(since=since), limit=FEED_ROWS, cursor=None)).items
    filled = sum(row.order_state == OrderState.FILLED for row in acted.items)
    return TodayCard(
        title=title,
        funnel=_funnel(counts, filled, is_whole=acted.next is None),
        rows=tuple(feed_row(row, place) for row in rows),
        empty=_next_word(status),
    )


def _window(desk: Desk, status: Status) -> tuple[datetime, str]:
    if desk.policy.interval is Interval.D1:
        return status.now - timedelta(days=FUNNEL_DAYS), f"Decisions, last {FUNNEL_DAYS} days"
    today = status.carry.day or status.now.date()
    return datetime.combine(today, time(0), UTC), "Decisions today"


def _funnel(counts: dict[Outcome, int], filled: int, *, is_whole: bool) -> tuple[tuple[str, str], ...]:
    total = sum(counts.values())
    proposed = sum(counts.get(o, 0) for o in ACTED)
    ordered = counts.get(Outcome.ORDERED, 0) + counts.get(Outcome.EXIT_ORDERED, 0)
    passed = ordered + counts.get(Outcome.REFUSED, 0) + counts.get(Outcome.AWAITING_OPEN, 0)
    steps = (("Decided", total), ("Wanted", proposed), ("Validated", passed), ("Ordered", ordered))
    last = f"{filled:,}" if is_whole else f"{filled:,}+"
    return (*((label, f"{n:,}") for label, n in steps), ("Filled", last))


def feed_row(row: DecisionRow, place: Place) -> FeedRow:
    """One decision as a line."""
    return FeedRow(
        id=row.id, at=place.stamp(row.at) if row.interval is not Interval.D1 else place.day(row.at),
        symbol=row.symbol, side=common.side_word(row.side),
        score=f.num(row.score, 2, plus=True) if row.score is not None else "",
        badge=common.outcome_badge(row.outcome, row.order_state),
        why=common.sentence(row.why_not or row.why),
    )  # fmt: skip


def _next_word(status: Status) -> str:
    if status.feed.finished:
        return "The replay has shown its last bar: no more decisions follow."
    if status.feed.is_replay:
        return "The first decision follows with the next replayed bar, within seconds."
    return f"The first decision follows when the next bar of {status.feed.source} closes."
