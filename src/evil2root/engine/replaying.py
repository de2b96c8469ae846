"""Recompute a stored decision from what was stored, with the very functions that made it, and compare field by field."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from decimal import Decimal

import polars as pl

from evil2root.domain.book.positions import Position
from evil2root.domain.core.money import Price, Quantity
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.factors import challenge
from evil2root.domain.decision.intent import Enter, Exit, Stay
from evil2root.domain.decision.verdict import Ruling
from evil2root.domain.kernel.closing import propose
from evil2root.domain.kernel.entering import conclude
from evil2root.domain.kernel.leaving import judged_exit
from evil2root.domain.kernel.overstaying import overruled
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.market.days import session_of
from evil2root.domain.risk.breaker import Breaker, BreakerState
from evil2root.engine.desk import Difference, Recomputed
from evil2root.engine.observe import bars_of


def recompute(stored: Decision, window: pl.DataFrame, policy: Policy) -> Recomputed:
    """Recompute `stored` from the bars of its window (oldest first, its own bar last) under the policy it was made by."""
    if stored.outcome is Outcome.ADOPTED:
        # It rests on what the venue had, not on anything that was computed.
        return Recomputed(identical=True, differences=())
    if not window.height or window["opened_at"][-1] != stored.bar.opened_at:
        return Recomputed(identical=False, differences=(
            Difference(field="bar", stored=stored.bar.opened_at.isoformat(), recomputed="not stored any more"),
        ))  # fmt: skip
    evidence = _evidence(stored, window, policy)
    made = _decide(stored, evidence, policy)
    before, after = dict(_flat("", stored)), dict(_flat("", made))
    differences = tuple(
        Difference(field=name, stored=before.get(name), recomputed=after.get(name))
        for name in before | after
        if before.get(name) != after.get(name)
    )
    return Recomputed(identical=not differences, differences=differences)


def _evidence(stored: Decision, window: pl.DataFrame, policy: Policy) -> Evidence:
    bar = bars_of(window.tail(1), symbol=stored.symbol, interval=stored.interval)[0]
    row = policy.strategy.features(window, interval=stored.interval, session=session_of(stored.symbol), newest=1)
    signals, view = policy.strategy.opinions(row)[0]
    numbers = row.drop([name for name in ("opened_at", "closed_at") if name in row.columns])
    return Evidence(
        bar=bar, number=stored.number, window_from=window["opened_at"][0], features=numbers.row(0, named=True),
        signals=signals, view=view,
    )  # fmt: skip


def _decide(stored: Decision, evidence: Evidence, policy: Policy) -> Decision:
    """Walk the stages again as far as the stored decision went."""
    seen = stored.holding
    holding = None
    if seen is not None:
        holding = Holding(quantity=seen.quantity, average_price=Price(seen.average_price), opened_at=seen.opened_at)
    intent = overruled(policy.strategy.intend(evidence, holding), seen, policy.exits)
    made = replace(
        stored, strategy=policy.strategy.name, interval=policy.interval, bar=evidence.bar,
        window_from=evidence.window_from, features=evidence.features, sources=evidence.signals, view=evidence.view,
        wants={Enter: "enter", Exit: "exit", Stay: "stay"}[type(intent)], why=intent.why,
        side=intent.side if isinstance(intent, Enter) else None,
    )  # fmt: skip
    match intent:
        case Stay(kind=kind, why=why):
            return replace(made, outcome=Outcome(kind.value), why_not=why)
        case Exit():
            return _leave(stored, made, policy)
        case Enter():
            turns = seen is not None and (seen.quantity > 0) != (intent.side.sign > 0)
            return (
                _leave(stored, replace(made, wants="exit"), policy) if turns else _enter(stored, made, evidence, policy)
            )


def _leave(stored: Decision, made: Decision, policy: Policy) -> Decision:
    seen = stored.holding
    if seen is None or stored.outcome is Outcome.WAITING:
        return made
    position = Position(
        symbol=stored.symbol, quantity=seen.quantity, average_price=Price(seen.average_price),
        opened_at=seen.opened_at, decision_id="", entry_quantity=Quantity(abs(seen.quantity)),
    )  # fmt: skip
    concluded, _ = judged_exit(made, position, policy=policy, at=stored.at)
    return concluded


def _enter(stored: Decision, made: Decision, evidence: Evidence, policy: Policy) -> Decision:
    if stored.proposal is None and stored.outcome in (Outcome.HOLDING, Outcome.WAITING, Outcome.HALTED):
        # What was held, under way or halted is given; that nothing was proposed follows from it.
        return made
    proposal = propose(made, evidence, policy)
    if isinstance(proposal, str):
        return replace(made, proposal=None, outcome=Outcome.REJECTED, why_not=proposal)
    made = replace(made, proposal=proposal)
    if stored.verdict is not None and policy.challenge is not None and stored.verdict.by == "rules":
        made = replace(made, verdict=challenge(proposal, evidence, policy.challenge))
    verdict = made.verdict
    if stored.outcome is not Outcome.LATE and verdict is not None and verdict.ruling is Ruling.REJECT:
        return replace(made, outcome=Outcome.REJECTED, why_not=verdict.reason, exposure=None, price=None, sizing=(),
                       checks=(), order_ids=())  # fmt: skip
    if stored.exposure is None or stored.price is None:
        return made
    price = stored.price if stored.exposure.asked_at_open else Decimal(proposal.entry)
    concluded, _ = conclude(
        made, price=price, exposure=stored.exposure, breaker=_breaker(stored), policy=policy, at=stored.at
    )
    return concluded


def _breaker(stored: Decision) -> Breaker:
    """The breaker as the gate saw it, from the check it left."""
    check = next((c for c in stored.checks if c.name == "breaker"), None)
    if check is None or check.holds:
        return Breaker()
    state, _, reason = check.advice.partition(": ")
    return Breaker(state=BreakerState(state), reason=reason)


def _flat(path: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield every leaf of a record with its path, as the decision names it."""
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from _flat(f"{path}.{one.name}" if path else one.name, getattr(value, one.name))
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _flat(f"{path}.{name}", one)
    elif isinstance(value, tuple | list):
        yield f"{path}.length", len(value)
        for place, one in enumerate(value):
            yield from _flat(f"{path}.{place}", one)
    elif isinstance(value, datetime):
        yield path, value.isoformat()
    else:
        yield path, value
