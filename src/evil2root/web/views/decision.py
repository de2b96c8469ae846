"""One decision from bar to outcome: explain this trade, or why there was none."""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.desk import Desk, Recomputed
from evil2root.engine.reads import Fate
from evil2root.web import format as f
from evil2root.web.views import common
from evil2root.web.views.common import Badge, Place, place_of
from evil2root.web.views.decision_nearest import nearest
from evil2root.web.views.decision_outcome import OutcomeCard, outcome_card
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
    limits_words,
    sizing_rows,
    slack_words,
)
from evil2root.web.views.decision_words import order_state_of, summary, title


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
    nearest: tuple[str, ...]
    """What would have had to be otherwise, the nearest first."""
    factors: tuple[FactorRow, ...]
    verdict: Badge | None
    verdict_says: str
    verdict_meta: tuple[str, ...]
    no_verdict: str
    sizing: tuple[SizingRow, ...]
    slack: str
    """Of the caps among them that did not bind; empty if there is none."""
    sizing_sub: str
    checks: tuple[CheckRow, ...]
    limits_said: str
    breaches: bool
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
    place = place_of(desk.policy, status.now, marks=status.portfolio.marks, rates=status.portfolio.rates)
    state = order_state_of(decision, fate)
    rows, total = ledger(decision)
    events, events_sub = event_rows(fate, decision.order_ids, place)
    sizing, checks = sizing_rows(decision, place), check_rows(decision, place)
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
        nearest=nearest(decision, await desk.threshold_of(decision.policy_digest)),
        factors=factor_rows(decision),
        verdict=_verdict_badge(decision),
        verdict_says="" if verdict is None else common.sentence(verdict.reason),
        verdict_meta=() if verdict is None else _verdict_meta(decision),
        no_verdict=_no_verdict(desk, decision),
        sizing=sizing,
        slack=slack_words(sizing),
        sizing_sub="" if decision.exposure is None else f"Equity {place.money(decision.exposure.equity)}",
        checks=checks,
        limits_said=limits_words(checks),
        breaches=not all(row.holds for row in checks),
        no_sizing=_no_sizing(decision),
        events=events,
        events_sub=events_sub,
        no_order=_no_order(decision),
        outcome=outcome_card(desk, decision, fate, place),
        provenance=_provenance(decision, place),
        features=tuple(
            (name, "not yet" if v is None else f"{v:.6g}".replace("-", f.MINUS))
            for name, v in sorted(decision.features.items())
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
