"""From a proposal that passed its challenge to a sized, judged order, or a refusal."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.orders import Leg, Order, OrderKind
from evil2root.domain.core.ids import client_order_id
from evil2root.domain.core.money import ONE, exact
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.kernel.exposing import exposure_of
from evil2root.domain.kernel.leaving import send
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Turn
from evil2root.domain.risk.breaker import Breaker
from evil2root.domain.risk.exposure import Exposure
from evil2root.domain.risk.gate import Approved, judge_entry
from evil2root.domain.risk.memory import Sent
from evil2root.domain.risk.sizing import Sized, size


def order_or_refuse(turn: Turn, decision: Decision, *, price: Decimal, at_open: bool) -> None:
    """Size and judge the decision's proposal at `price`, then send it or settle why not."""
    frozen = turn.state.carry.frozen.get(decision.symbol)
    if frozen is not None:
        why = f"{decision.symbol} is frozen until a person has looked. {frozen}."
        turn.settle(replace(decision, outcome=Outcome.HALTED, why_not=why))
        return
    exposure = exposure_of(turn, decision, at_open=at_open)
    concluded, approved = conclude(
        decision, price=price, exposure=exposure, breaker=turn.state.carry.breaker, policy=turn.policy, at=turn.at
    )
    turn.settle(concluded)
    if approved is not None:
        send(turn, approved)
        order = approved.order
        sent = Sent(symbol=order.symbol, side=order.side, quantity=order.quantity, at=turn.at)
        turn.carry(risk=turn.state.carry.risk.remembering(sent))


def conclude(  # noqa: PLR0913 - each is an input of the arithmetic
    decision: Decision, *, price: Decimal, exposure: Exposure, breaker: Breaker, policy: Policy, at: datetime
) -> tuple[Decision, Approved | None]:
    """Size and judge a proposal: the decision as it ends, and the order if it may be sent. Pure."""
    proposal = decision.proposal
    assert proposal is not None, "only proposals are sized"
    if exposure.rate is None:
        why = policy.no_rate(decision.symbol)
        return replace(decision, exposure=exposure, price=price, outcome=Outcome.REFUSED, why_not=why), None
    instrument = policy.instruments[decision.symbol]
    factor = ONE if decision.verdict is None else exact(decision.verdict.size_factor, what="The size factor")
    sized = size(
        proposal, price=price, factor=factor, exposure=exposure, method=policy.sizing, limits=policy.limits,
        instrument=instrument,
    )  # fmt: skip
    kept = replace(decision, exposure=exposure, price=price, sizing=sized.lines)
    if sized.quantity == 0:
        binding = next((line.label for line in sized.lines if line.binds), "the size")
        why = f"{binding} leaves less than one lot of {instrument.lot} {decision.symbol}."
        return replace(kept, outcome=Outcome.REFUSED, why_not=why[0].upper() + why[1:]), None
    order = entry_order(decision, proposal, sized, policy=policy, at=at)
    answer = judge_entry(
        order, price=price, exposure=exposure, limits=policy.limits, breaker=breaker, instrument=instrument
    )
    kept = replace(kept, checks=answer.checks)
    if isinstance(answer, Approved):
        done = replace(kept, outcome=Outcome.ORDERED, order_ids=(order.client_order_id,), why_not=None)
        return done, answer
    return replace(kept, outcome=Outcome.REFUSED, why_not=answer.reason), None


def entry_order(decision: Decision, proposal: Proposal, sized: Sized, *, policy: Policy, at: datetime) -> Order:
    """Return the market order that opens the position."""
    name = client_order_id(
        account=policy.account, strategy=policy.strategy.name, symbol=decision.symbol, bar=decision.bar.opened_at,
        leg=Leg.ENTRY.value, attempt=1,
    )  # fmt: skip
    return Order(
        client_order_id=name, decision_id=decision.id, account=policy.account, strategy=policy.strategy.name,
        symbol=decision.symbol, side=proposal.side, kind=OrderKind.MARKET, leg=Leg.ENTRY, quantity=sized.quantity,
        price=None, reduce_only=False, reason="entry", created_at=at, updated_at=at, bar_at=decision.bar.opened_at,
        protect=proposal.protect,
    )  # fmt: skip
