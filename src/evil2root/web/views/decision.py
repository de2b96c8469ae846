"""One decision from bar to outcome: explain this trade, or why there was none."""

import json
from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.book.positions import Position
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.desk import Desk, Recomputed
from evil2root.engine.reads import Fate
from evil2root.web import format as f
from evil2root.web.views import common
from evil2root.web.views.common import Badge, Delta, Place, place_of
from evil2root.web.views.decision_parts import (
    CheckRow,
    EventRow,
    FactorRow,
    LedgerRow,
    LedgerSum,
    SizingRow,
    check_rows,
    event_rows,
    factor_rows,
    ledger,
    sizing_rows,
)
from evil2root.web.views.decision_words import order_state_of, summary, title
from evil2root.web.views.positions import r_now
from evil2root.web.views.symbols import precision
from evil2root.web.views.trades import reason_word

OUTCOME_BARS_BEFORE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One of the six stages."""

    anchor: str
    label: str
    fact: str
    tone: str
    """`good warn info bad off`."""
    glyph: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCard:
    """What came of it."""

    badge: Badge
    figure: Delta | None
    says: str
    pairs: tuple[tuple[str, str], ...]
    chart_src: str
    marks: str
    chart_words: str
    interval: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceRow:
    """A field that came out otherwise."""

    field: str
    stored: str
    recomputed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecomputeCard:
    """What recomputing showed."""

    identical: bool
    rows: tuple[DifferenceRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPage:
    """Everything about one decision."""

    id: str
    title: str
    sub: str
    badge: Badge
    summary: tuple[tuple[str, bool], ...]
    """Pieces of the sentence, and whether each is emphasised."""
    previous: str
    next: str
    steps: tuple[Step, ...]
    window: str
    ledger: tuple[LedgerRow, ...]
    ledger_sum: LedgerSum | None
    no_signals: str
    factors: tuple[FactorRow, ...]
    verdict: Badge | None
    verdict_says: str
    verdict_meta: tuple[str, ...]
    no_verdict: str
    sizing: tuple[SizingRow, ...]
    sizing_sub: str
    checks: tuple[CheckRow, ...]
    no_sizing: str
    events: tuple[EventRow, ...]
    events_sub: str
    no_order: str
    outcome: OutcomeCard
    provenance: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, str], ...]
    json_url: str
    symbol: str


async def decision_page(desk: Desk, decision: Decision) -> DecisionPage:
    """Build the page of a decision that exists."""
    fate = await desk.reads.fate(decision.id)
    status = desk.status()
    place = place_of(desk.policy, status.now, marks=status.portfolio.marks)
    state = order_state_of(decision, fate)
    rows, total = ledger(decision)
    events, events_sub = event_rows(fate, place)
    verdict = decision.verdict
    return DecisionPage(
        id=decision.id,
        title=title(decision, fate, place),
        sub=_sub(decision, fate, place),
        badge=common.outcome_badge(decision.outcome, state),
        summary=summary(decision, fate, place),
        previous=f"/decisions/{fate.previous}" if fate.previous else "",
        next=f"/decisions/{fate.next}" if fate.next else "",
        steps=_steps(decision, fate, place),
        window=f"Bars from {place.day(decision.window_from).text} to {place.day(decision.bar.opened_at).text}, "
        f"bar {decision.number:,} of its series",
        ledger=rows,
        ledger_sum=total,
        no_signals="This strategy has no sources: it decides by its rule alone." if not rows else "",
        factors=factor_rows(decision),
        verdict=_verdict_badge(decision),
        verdict_says="" if verdict is None else common.sentence(verdict.reason),
        verdict_meta=() if verdict is None else _verdict_meta(decision),
        no_verdict=_no_verdict(desk, decision),
        sizing=sizing_rows(decision, place),
        sizing_sub="" if decision.exposure is None else f"Equity {place.money(decision.exposure.equity)}",
        checks=check_rows(decision, place),
        no_sizing=_no_sizing(decision),
        events=events,
        events_sub=events_sub,
        no_order=_no_order(decision),
        outcome=_outcome(desk, decision, fate, place),
        provenance=_provenance(decision, place),
        features=tuple(
            (name, "not yet" if v is None else f"{v:.6g}".replace("-", f.MINUS))
            for name, v in decision.features.items()
        ),
        json_url=f"/api/v1/decisions/{decision.id}",
        symbol=decision.symbol,
    )


def recompute_card(found: Recomputed) -> RecomputeCard:
    """What recomputing showed, in words."""
    rows = tuple(
        DifferenceRow(field=d.field, stored=str(d.stored), recomputed=str(d.recomputed)) for d in found.differences
    )
    return RecomputeCard(identical=found.identical, rows=rows)


def _sub(decision: Decision, fate: Fate, place: Place) -> str:
    said = f"{f.long_day(decision.at, zone=place.zone)}, {f.to_the_ms(decision.at, zone=place.zone).text[:8]} "
    said += f"{f.city(place.zone)} · strategy {decision.strategy}, {decision.interval.value} bar"
    own = [x.at for x in fate.fills if x.client_order_id in decision.order_ids]
    if own:
        took = max(own) - decision.at
        said += f" · last fill {f.lasted(took)} later"
    return said


def _steps(decision: Decision, fate: Fate, place: Place) -> tuple[Step, ...]:
    view, verdict = decision.view, decision.verdict
    spoke = sum(s.p_up is not None for s in decision.sources)
    wants = decision.wants != "stay"
    steps = [
        _step("signals", "Signals", f"{spoke} of {len(decision.sources)} speak" if decision.sources else "none used",
              "good" if spoke or not decision.sources else "off"),
        _step("fusion", "Fusion", f.num(view.score, 2, plus=True) if view is not None else "no view",
              "good" if wants else "off" if view is None else "bad"),
    ]  # fmt: skip
    if verdict is not None:
        tone = "bad" if verdict.size_factor == 0 else "warn" if verdict.size_factor < 1 else "good"
        word = "Rejected" if verdict.size_factor == 0 else "Passed"
        steps.append(_step("validation", "Validation", f"{word}, {f.num(verdict.confidence)}", tone))
    elif decision.outcome is Outcome.AWAITING_VERDICT:
        steps.append(_step("validation", "Validation", "awaited", "info"))
    else:
        passed = bool(decision.sizing or decision.order_ids)
        steps.append(_step("validation", "Validation", "not asked" if passed else "not reached", "off"))
    ordered = bool(decision.order_ids)
    steps.append(_risk_step(decision, ordered=ordered))
    steps.append(_order_step(fate, place, ordered=ordered))
    steps.append(_outcome_step(fate, place, decision))
    return tuple(steps)


GLYPHS = {"good": "check", "warn": "alert", "info": "clock", "bad": "x", "off": "minus"}


def _step(anchor: str, label: str, fact: str, tone: str) -> Step:
    return Step(anchor=anchor, label=label, fact=fact, tone=tone, glyph=GLYPHS[tone])


def _risk_step(decision: Decision, *, ordered: bool) -> Step:
    if decision.outcome is Outcome.AWAITING_OPEN:
        return _step("risk", "Risk sizing", "at the next open", "info")
    if decision.outcome is Outcome.REFUSED:
        return _step("risk", "Risk sizing", "vetoed", "bad")
    if ordered and decision.sizing:
        units = decision.sizing[-1].quantity or Decimal(0)
        return _step("risk", "Risk sizing", f"{f.quantity(units)} units", "good")
    if ordered:
        return _step("risk", "Risk", "reduces only", "good")
    return _step("risk", "Risk sizing", "not reached", "off")


def _order_step(fate: Fate, place: Place, *, ordered: bool) -> Step:
    if not ordered or not fate.orders:
        return _step("order", "Order and fills", "not reached", "off")
    order = fate.orders[0]
    if order.average_price is not None:
        return _step("order", "Order and fills", place.price(order.symbol, round(order.average_price, 6)), "good")
    badge = common.order_badge(order.state)
    return _step("order", "Order and fills", badge.label, "info" if order.is_open else "bad")


def _outcome_step(fate: Fate, place: Place, decision: Decision) -> Step:
    if fate.trade is not None:
        r = fate.trade.r
        word = f.multiple(r) if r is not None else place.money(fate.trade.pnl, plus=True)
        return _step("outcome", "Outcome", f"Closed {word}", "good")
    if fate.position is not None:
        return _step("outcome", "Outcome", "Open", "info")
    if decision.wants == "exit" and decision.order_ids:
        return _step("outcome", "Outcome", "Position closed", "good" if fate.fills else "info")
    return _step("outcome", "Outcome", "not reached", "off")


def _verdict_badge(decision: Decision) -> Badge | None:
    verdict = decision.verdict
    if verdict is None:
        return None
    if verdict.size_factor == 0:
        return Badge(label=f"Rejected, {f.num(verdict.confidence)}", tone="plain", glyph="x")
    return Badge(label=f"Passed, {f.num(verdict.confidence)}", tone="good", glyph="check")


def _verdict_meta(decision: Decision) -> tuple[str, ...]:
    verdict = decision.verdict
    assert verdict is not None, "asked only of a decision with a verdict"
    by = "Rules only, LLM not configured" if verdict.by == "rules" else verdict.by
    return by, f"confidence {f.num(verdict.confidence, 3)}", f"size {f.TIMES} {f.num(verdict.size_factor, 3)}"


def _no_verdict(desk: Desk, decision: Decision) -> str:
    if decision.verdict is not None:
        return ""
    if decision.wants == "exit":
        return "Not asked: closing a position is never challenged."
    if decision.outcome is Outcome.AWAITING_VERDICT:
        return "The proposal waits for its verdict."
    if decision.order_ids or decision.sizing:
        return "Not asked: this strategy takes every signal."
    if desk.policy.challenge is None:
        return "Not reached. This strategy would not be challenged anyway."
    return "Not reached: nothing was proposed."


def _no_sizing(decision: Decision) -> str:
    if decision.sizing:
        return ""
    if decision.wants == "exit" and decision.order_ids:
        return "An exit closes what is held; there is nothing to size. It was checked that it only reduces."
    if decision.outcome is Outcome.AWAITING_OPEN:
        return "Sized at the next open, at the price that is traded then."
    return "Not reached."


def _no_order(decision: Decision) -> str:
    if decision.order_ids:
        return "The order was written down; nothing is known of it yet."
    return f"Not reached. {common.sentence(decision.why_not)}" if decision.why_not else "Not reached."


def _outcome(desk: Desk, decision: Decision, fate: Fate, place: Place) -> OutcomeCard:
    symbol, trade, position = decision.symbol, fate.trade, fate.position
    chart = f"/api/v1/symbols/{f.path(symbol)}/bars?interval={decision.interval.value}&limit={OUTCOME_BARS_BEFORE}"
    if trade is not None:
        end = min(trade.exit_time + 6 * decision.interval.length, desk.status().now)
        chart += f"&end={f.path(end.isoformat().replace('+00:00', 'Z'))}"
    elif position is None:
        chart += f"&end={f.path((decision.bar.closed_at + 12 * decision.interval.length).isoformat().replace('+00:00', 'Z'))}"
    badge, figure, says, pairs = _outcome_words(decision, fate, place)
    return OutcomeCard(
        badge=badge, figure=figure, says=says, pairs=pairs, chart_src=chart, interval=decision.interval.value,
        marks=_marks(desk, decision, fate), chart_words=f"Bars of {symbol} around the decision, with entry, stop and target",
    )  # fmt: skip


def _outcome_words(
    decision: Decision, fate: Fate, place: Place
) -> tuple[Badge, Delta | None, str, tuple[tuple[str, str], ...]]:
    symbol, trade, position = decision.symbol, fate.trade, fate.position
    if trade is not None:
        held = f.lasted(trade.exit_time - trade.entry_time)
        badge = Badge(label=f"Closed after {held}", tone="mute", glyph="check")
        result = f", {f.multiple(trade.r)}" if trade.r is not None else ""
        pairs = (
            ("Entry", place.price(symbol, round(trade.entry_price, 6))),
            ("Exit", place.price(symbol, round(trade.exit_price, 6))),
            ("Why it ended", reason_word(trade.exit_reason)),
            ("Fees", place.money(trade.fees)),
        )
        return badge, place.gain(trade.pnl), f"after fees{result}", pairs
    if position is not None:
        return _open_words(position, place)
    if decision.order_ids and decision.wants == "exit":
        word = "Filled" if fate.fills else "Working"
        return Badge(label=word, tone="good" if fate.fills else "info", glyph="check" if fate.fills else "clock"), None, \
            "This decision closed a position; its result stands with the decision that opened it.", ()  # fmt: skip
    said = "Nothing was bought or sold. The bars since show what would have come of it."
    return Badge(label="No trade", tone="mute", glyph="minus"), None, said, ()


def _open_words(position: Position, place: Place) -> tuple[Badge, Delta, str, tuple[tuple[str, str], ...]]:
    symbol = position.symbol
    mark = place.marks.get(symbol, position.average_price)
    r = r_now(position, mark)
    result = f", {f.multiple(r)}" if r is not None else ""
    held = f.lasted(place.now - position.opened_at)
    pairs = (
        ("Stop", place.price(symbol, position.stop) if position.stop is not None else "none"),
        ("Target", place.price(symbol, position.target) if position.target is not None else "none"),
        ("Held", f.quantity(position.size)),
        ("Best price", place.price(symbol, position.best_price) if position.best_price is not None else "not yet"),
    )
    badge = Badge(label=f"Open, {held}", tone="info", glyph="clock")
    return badge, place.gain(position.unrealised(mark)), f"unrealised{result}; last {place.price(symbol, mark)}", pairs


def _marks(desk: Desk, decision: Decision, fate: Fate) -> str:
    trade, position, proposal = fate.trade, fate.position, decision.proposal
    marks: list[dict[str, object]] = []
    levels = None
    if trade is not None:
        marks = [
            {"at": trade.entry_time.isoformat(), "side": trade.side.value, "tone": "flat", "text": ""},
            {
                "at": trade.exit_time.isoformat(),
                "side": trade.side.opposite.value,
                "tone": f.tone(trade.pnl),
                "text": "",
            },
        ]
        levels = {"entry": float(trade.entry_price), "stop": None, "target": None}
    elif position is not None:
        marks = [{"at": position.opened_at.isoformat(), "side": position.side.value, "tone": "flat", "text": ""}]
        levels = {"entry": float(position.average_price), "stop": None, "target": None}
    elif proposal is not None:
        levels = {"entry": float(proposal.entry), "stop": None, "target": None}
    if levels is not None:
        guards = position or proposal
        if guards is not None:
            levels["stop"] = None if guards.stop is None else float(guards.stop)
            levels["target"] = None if guards.target is None else float(guards.target)
    if not marks and decision.side is not None:
        marks = [{"at": decision.bar.opened_at.isoformat(), "side": decision.side.value, "tone": "flat", "text": ""}]
    return json.dumps(
        {"trades": marks, "position": levels, "precision": precision(desk, decision.symbol), "hasVolume": False}
    )


def _provenance(decision: Decision, place: Place) -> tuple[tuple[str, str], ...]:
    versions = ", ".join(f"{s.source} {s.version}" for s in decision.sources) or "none"
    return (
        ("Decision", decision.id),
        ("Policy", decision.policy_digest[:16] or "none"),
        ("Strategy", decision.strategy),
        ("Sources", versions),
        ("Bar", place.stamp(decision.bar.opened_at).title),
        ("Known at", place.stamp(decision.bar.closed_at).title),
        ("First bar used", place.stamp(decision.window_from).title),
        ("Account", decision.account),
    )
