"""The tables of a decision's page: the ledger of log-odds, the factors, the arithmetic of the size, the order."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.orders import Leg, Order, OrderState
from evil2root.domain.decision.verdict import Factor
from evil2root.domain.kernel.record import Decision
from evil2root.domain.risk.check import Check, Unit
from evil2root.domain.risk.methods import Line
from evil2root.engine.reads import Fate
from evil2root.web import format as f
from evil2root.web.svg import Diverging, Meter, diverging, meter
from evil2root.web.views import common
from evil2root.web.views.common import Delta, Place
from evil2root.web.views.positions import KINDS
from evil2root.web.views.symbols import source_name

LEDGER_SCALE_MIN = 0.25
"""Log-odds at the end of the ledger's bars, at least: small contributions stay small to the eye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """What one source added."""

    name: str
    version: str
    reason: str
    bar: Diverging
    p_up: str
    logit: str
    weight: str
    adds: Delta
    speaks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSum:
    """The fused view."""

    bar: Diverging
    total: str
    p_up: str
    score: str


def ledger(decision: Decision) -> tuple[tuple[LedgerRow, ...], LedgerSum | None]:
    """Return one row a source in log-odds, and their sum; weight times log-odds is what each adds."""
    view = decision.view
    reach = [abs(s.contribution) for s in decision.sources] + ([abs(view.log_odds)] if view is not None else [])
    scale = max([LEDGER_SCALE_MIN, *reach])
    rows = tuple(
        LedgerRow(
            name=source_name(s.source), version=f"v{s.version}, {s.horizon} bars ahead", reason=f.true_minus(s.reason),
            bar=diverging(s.contribution, scale=scale,
                          label=f"{source_name(s.source)} adds {f.num(s.contribution, 3, plus=True)}"),
            p_up="abstains" if s.p_up is None else f.num(s.p_up, 3),
            logit="" if s.p_up is None or s.weight == 0 else f.num(s.contribution / s.weight, 3, plus=True),
            weight="" if s.p_up is None else f.num(s.weight, 3),
            adds=Delta(text=f.num(s.contribution, 3, plus=True), tone=f.tone(s.contribution, 3)),
            speaks=s.p_up is not None,
        )
        for s in decision.sources
    )  # fmt: skip
    if view is None:
        return rows, None
    total = f.num(view.log_odds, 3, plus=True)
    return rows, LedgerSum(
        bar=diverging(view.log_odds, scale=scale, label=f"Sum {total} log-odds"), total=total,
        p_up=f.num(view.p_up, 3), score=f.num(view.score, 3, plus=True),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRow:
    """One check of the proposal, with its numbers."""

    name: str
    state: str
    """`pass`, `caution` or `fail`."""
    glyph: str
    reason: str
    numbers: str


def factor_rows(decision: Decision) -> tuple[FactorRow, ...]:
    """The factors behind the verdict."""
    return () if decision.verdict is None else tuple(_factor(x) for x in decision.verdict.factors)


def _factor(factor: Factor) -> FactorRow:
    state = "fail" if factor.veto else "pass" if factor.score >= 1 else "caution"
    numbers = f"score {f.num(factor.score)}"
    if factor.weight > 0:
        numbers += f" {f.TIMES} weight {f.num(factor.weight)} = {f.num(factor.score * factor.weight, 3)}"
    if factor.veto:
        numbers += ", rejects alone"
    return FactorRow(
        name=source_name(factor.name), state=state, glyph={"pass": "check", "caution": "alert", "fail": "x"}[state],
        reason=common.sentence(factor.reason), numbers=numbers,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingRow:
    """One line of the arithmetic."""

    label: str
    detail: str
    value: str
    meter: Meter | None
    binds: bool
    is_total: bool
    is_cap: bool
    room: Decimal
    """Units."""

    @property
    def is_slack(self) -> bool:
        """A cap that left more room than another one."""
        return self.is_cap and not self.binds


def sizing_rows(decision: Decision, place: Place) -> tuple[SizingRow, ...]:
    """The arithmetic as the risk room kept it; the last line is the size."""
    lines = decision.sizing
    most = max((line.quantity for line in lines[:-1] if line.quantity is not None and not _is_cap(line)), default=None)
    return tuple(_sizing(line, place, most=most, is_total=n == len(lines) - 1) for n, line in enumerate(lines))


def slack_words(rows: Collection[SizingRow]) -> str:
    """The line that stands for the caps that did not bind."""
    slack = [row for row in rows if row.is_slack]
    if not slack:
        return ""
    least = min(slack, key=lambda row: row.room)
    return f"{f.count(len(slack), 'cap leaves', 'caps leave')} more room, {least.label.lower()} least: {least.value}"


NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?e[+-]?[0-9]+|[0-9]+\.[0-9]+|[0-9]{4,}")
CAPS = frozenset({"Cash", "Volume share", "Average volume share"})
"""Limits among the lines, beside those that are called a cap."""


def _sizing(line: Line, place: Place, *, most: Decimal | None, is_total: bool) -> SizingRow:
    label = (
        line.label.replace("x ", f"{f.TIMES} ", 1) if line.label.startswith("x ") else line.label.replace("/ ", "÷ ", 1)
    )
    if line.amount is not None:
        return SizingRow(label=label, detail=_tidy(line.detail), value=place.money(line.amount), meter=None,
                         binds=line.binds, is_total=is_total, is_cap=False, room=Decimal(0))  # fmt: skip
    units = line.quantity if line.quantity is not None else Decimal(0)
    is_cap = _is_cap(line)
    bar = None
    if most and (not is_cap or line.binds):
        bar = meter(float(units / most), label=label, heat=False)
    value = f"{f.quantity(units)} units" if is_total else f"{f.num(units, 1)} units"
    return SizingRow(label=label, detail=_tidy(line.detail), value=value, meter=bar, binds=line.binds,
                     is_total=is_total, is_cap=is_cap, room=units)  # fmt: skip


def _is_cap(line: Line) -> bool:
    return line.label in CAPS or line.label.endswith(" cap")


def _tidy(detail: str) -> str:
    """Write the kept arithmetic as a page writes numbers: grouped, and without endless decimals."""
    return NUMBER.sub(_short, detail.replace(" x ", f" {f.TIMES} ").replace(" / ", " ÷ "))


def _short(found: re.Match[str]) -> str:
    value = Decimal(found[0])
    return f.num(value) if abs(value) >= 1000 else f.num(value, 5).rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRow:
    """One hard limit."""

    name: str
    holds: bool
    value: str
    limit: str
    advice: str


def check_rows(decision: Decision, place: Place) -> tuple[CheckRow, ...]:
    """Every limit the gate looked at, with its number."""
    rows = []
    for check in decision.checks:
        name = check.name[0].upper() + check.name[1:]
        value, limit = _numbers(check, place)
        rows.append(
            CheckRow(name=name, holds=check.holds, value=value, limit=limit,
                     advice="" if check.holds else common.sentence(check.advice))
        )  # fmt: skip
    return tuple(rows)


def limits_words(rows: Collection[CheckRow]) -> str:
    """The line that stands for the hard limits."""
    broken = sum(not row.holds for row in rows)
    if broken:
        return f"{f.count(broken, 'hard limit')} of {len(rows)} broken"
    return "The hard limit holds" if len(rows) == 1 else f"All {len(rows)} hard limits hold"


def _numbers(check: Check, place: Place) -> tuple[str, str]:
    """What was found and what is allowed, in the check's unit; a flag has no limit to show."""
    match check.unit:
        case Unit.MONEY:
            return place.money(check.value), place.money(check.limit)
        case Unit.SHARE:
            return f.pct(check.value), f.pct(check.limit)
        case Unit.COUNT:
            return f.quantity(check.value), f.quantity(check.limit)
        case Unit.UNITS:
            return _units(check.value), _units(check.limit)
        case Unit.NUMBER:
            return f.num(check.value), f.num(check.limit)
        case Unit.FLAG if check.name == "breaker":
            return "active" if check.holds else "stopped", ""
        case Unit.FLAG:
            return "yes" if check.holds else "no", ""


def _units(amount: Decimal) -> str:
    """A quantity; of thousands nobody reads the eighth decimal."""
    return f.quantity(amount) if abs(amount) < 1000 else f.num(amount, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One line of the order's history."""

    at: f.Moment
    day: str
    says: str
    code: str
    quantity: str
    price: str
    left: str


def event_rows(fate: Fate, own: Collection[str], place: Place) -> tuple[tuple[EventRow, ...], str]:
    """Return the history of the decision's orders, fills among their states, and what the fills cost.

    What happened at one instant is told in the order it must have had: `own` orders are sent, fills come, guards follow.
    """
    rows: list[tuple[tuple[datetime, int, int], EventRow]] = []
    orders = {o.client_order_id: o for o in fate.orders}
    for event in fate.events:
        order = orders[event.client_order_id]
        if event.state in (OrderState.PARTIAL, OrderState.FILLED):
            continue  # told by the fill itself
        why = f" ({event.reason})" if event.reason and event.reason not in (order.reason, "trailing") else ""
        says = f"{HAPPENED[event.state]}: {_what(order)}{why}"
        # A stop may have moved since: what it stood at then is not known any more.
        price = place.price(order.symbol, order.price) if order.price is not None and order.leg is not Leg.STOP else ""
        rank = 0 if event.client_order_id in own else 2
        rows.append(
            ((event.at, rank, event.sequence),
             _event(event.at, place, says=says, code=order.client_order_id[:8], quantity=f.quantity(order.quantity),
                    price=price, left=""))
        )  # fmt: skip
    left: dict[str, Decimal] = {name: order.quantity for name, order in orders.items()}
    for n, fill in enumerate(sorted(fate.fills, key=lambda x: x.at)):
        rest = left[fill.client_order_id] - fill.quantity
        left[fill.client_order_id] = rest
        says = f"{'Filled' if rest == 0 else 'Partly filled'}: {_what(orders[fill.client_order_id])}"
        says += f", fee {place.money(fill.fee)}"
        rows.append(
            ((fill.at, 1, n),
             _event(fill.at, place, says=says, code=fill.execution_id[:8], quantity=f.quantity(fill.quantity),
                    price=place.price(fill.symbol, fill.price), left=f.quantity(rest)))
        )  # fmt: skip
    rows.sort(key=lambda pair: pair[0])
    return tuple(row for _, row in rows), _costs(fate, place)


HAPPENED: Mapping[OrderState, str] = {
    OrderState.PENDING: "Written down",
    OrderState.SENDING: "Sent",
    OrderState.ACCEPTED: "Accepted",
    OrderState.REJECTED: "Rejected by the broker",
    OrderState.UNKNOWN: "Outcome unknown, looked up",
    OrderState.CANCEL_SENT: "Cancel asked",
    OrderState.CANCELED: "Canceled",
    OrderState.EXPIRED: "Expired",
    OrderState.NOT_PLACED: "Found not placed",
    OrderState.PARTIAL: "Partly filled",
    OrderState.FILLED: "Filled",
}


def _what(order: Order) -> str:
    return f"{order.side.value} {KINDS[order.kind].lower()}"


def _event(at: datetime, place: Place, **parts: str) -> EventRow:
    when = f.to_the_ms(at, zone=place.zone)
    return EventRow(at=when, day=place.day(at).text, **parts)


def _costs(fate: Fate, place: Place) -> str:
    if not fate.fills:
        return ""
    slipped = sum((x.slippage for x in fate.fills), Decimal(0))
    fees = sum((x.fee for x in fate.fills), Decimal(0))
    traded = sum((x.notional for x in fate.fills), Decimal(0))
    return f"Slippage {place.money(slipped)}, {f.bps(slipped / traded)}; fees {place.money(fees)}"
