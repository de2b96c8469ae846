"""Decisions in words: a few lines for `explain`, all of it for `decisions show` and `decisions why`."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from evil2root.cli.console import when

AGAINST_BELOW = 0.5
"""A factor that scores less speaks against the proposal, and is worth a word."""


def in_short(found: Any, fate: Any, mark: Decimal | None, rate: Decimal | None = None, *, utc: bool) -> str:
    """Tell a decision in a line a stage: what was done, then signals, checks, size, order, and how it stands."""
    return _lines([(found.id + ":", headline(found, fate, utc=utc)), *_short(found, fate, mark, rate)])


def in_full(found: Any, fate: Any, mark: Decimal | None, rate: Decimal | None = None, *, utc: bool) -> str:
    """Tell a decision with every source, factor, line of arithmetic and broken limit."""
    return _lines([(found.id + ":", headline(found, fate, utc=utc)), *_full(found, fate, mark, rate)])


def headline(found: Any, fate: Any, *, utc: bool) -> str:
    """Say in one line what was done, or that nothing was."""
    at = f"{when(found.at, utc=utc)} [{found.account}]"
    entry = next((order for order in fate.orders if order.leg == "entry"), None)
    if found.outcome == "exit_ordered":
        return f"Close {found.symbol}, {at}"
    if entry is not None:
        price = f" at {_plain(entry.average_price)}" if entry.average_price is not None else ""
        return f"{found.side.capitalize()} {_plain(entry.quantity)} {found.symbol}{price}, {at}"
    return f"Nothing done in {found.symbol}, {found.outcome.replace('_', ' ')}, {at}"


def _short(found: Any, fate: Any, mark: Decimal | None, rate: Decimal | None = None) -> Iterator[tuple[str, str]]:
    spoke = ", ".join(f"{s.source} {s.p_up:.2f}" for s in found.sources if s.p_up is not None)
    yield "Signals", f"{_view(found)}{f': {spoke}' if spoke else ''}"
    if found.verdict is not None:
        against = "; ".join(f.reason for f in found.verdict.factors if f.score < AGAINST_BELOW)
        yield "Checks", f"{_verdict(found.verdict)}{f'; against: {against}' if against else ''}"
    yield from _broken(found)
    steps = [line for line in found.sizing if line.quantity is not None]
    if steps:
        kept = [line for n, line in enumerate(steps) if n == 0 or line.binds or n == len(steps) - 1]
        yield "Size", " -> ".join(_step(line) for line in kept)
    yield from _afterwards(found, fate, mark, rate)


def _full(found: Any, fate: Any, mark: Decimal | None, rate: Decimal | None = None) -> Iterator[tuple[str, str]]:
    yield "By", f"{found.strategy} on the {found.interval} bar closed {when(found.bar.closed_at, utc=True)}"
    yield "Signals", _view(found)
    for source in found.sources:
        yield "", f"{source.source}: {source.reason}"
    yield "Wanted", found.why
    if found.verdict is not None:
        yield "Checks", _verdict(found.verdict)
        for factor in found.verdict.factors:
            yield "", f"{factor.name} {factor.score:.2f}: {factor.reason}"
    yield from _broken(found)
    for n, line in enumerate(found.sizing):
        quantity = "" if line.quantity is None else f" = {line.quantity:.8g}"
        yield "" if n else "Size", f"{line.label}: {line.detail}{quantity}{'  (binds)' if line.binds else ''}"
    yield from _afterwards(found, fate, mark, rate)


def _view(found: Any) -> str:
    view = found.view
    if view is None:
        return "no source spoke"
    return f"{view.agreeing} of {view.speaking} agree, fused {view.score:+.3f}, P(up) {view.p_up:.3f}"


def _verdict(verdict: Any) -> str:
    return f"{verdict.ruling} by {verdict.by}, confidence {verdict.confidence:.2f}"


def _step(line: Any) -> str:
    label = line.label.strip("/ ").lower()
    return f"{line.quantity:.8g} {label}{' (binds)' if line.binds else ''}"


def _broken(found: Any) -> Iterator[tuple[str, str]]:
    for check in found.checks:
        if not check.holds:
            yield "Limit", f"{check.name} {check.value:.6g} against {check.limit:.6g}: {check.advice}"


def _afterwards(found: Any, fate: Any, mark: Decimal | None, rate: Decimal | None) -> Iterator[tuple[str, str]]:
    for order in fate.orders:
        yield "Order", _order(order, [fill for fill in fate.fills if fill.client_order_id == order.client_order_id])
    if fate.trade is not None:
        r = "" if fate.trade.r is None else f", {fate.trade.r:+.2f}R"
        ended = f"closed by {fate.trade.exit_reason} at {_plain(fate.trade.exit_price)}"
        yield "Now", f"{ended}, {fate.trade.pnl:+.2f}{r}"
    elif fate.position is not None:
        yield "Now", _held(fate.position, mark, rate)
    if found.why_not is not None:
        yield "Why not", found.why_not


def _order(order: Any, fills: list[Any]) -> str:
    wish = f"{order.leg} {order.side} {_plain(order.quantity)}, {order.kind}"
    price = "" if order.price is None else f" {_plain(order.price)}"
    if not fills:
        return f"{wish}{price}, {order.state.lower()}"
    traded = sum(fill.notional for fill in fills)
    bps = 10_000 * sum(fill.slippage for fill in fills) / traded
    count = f"{len(fills)} fill{'s' if len(fills) > 1 else ''}"
    return f"{wish}{price}, {count} at {_plain(order.average_price)}, slippage {bps:.1f} bps, {order.state.lower()}"


def _held(position: Any, mark: Decimal | None, rate: Decimal | None) -> str:
    if mark is None:
        return f"still open: {_plain(position.quantity)} at {_plain(position.average_price)}"
    gain = position.unrealised(mark, rate=position.entry_rate if rate is None else rate)
    risked = (
        position.initial_stop
        and abs(position.average_price - position.initial_stop) * position.size * position.entry_rate
    )
    r = f", {gain / risked:+.2f}R" if risked else ""
    return f"still open, {_plain(mark)}, {gain:+.2f}{r}"


def _plain(value: Decimal) -> str:
    """Write a number without an exponent and without zeros that say nothing."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _lines(told: list[tuple[str, str]]) -> str:
    (name, head), *rest = told
    return "\n".join([f"{name} {head}", *(f"  {label:<9} {text}" for label, text in rest)])
